//! An asynchronous client for all three dialects, over any stream.
//!
//! [`Client::connect`] agrees on a version, [`Client::attach`] gives the root's [`Fid`], and everything else is done
//! with fids. Handles are cheap to clone and any number of requests may be in flight; dropping one that has not been
//! answered flushes it, dropping a [`Fid`] clunks it in the background.
//!
//! What a dialect has no message for is said with those it has (a getattr is a Tstat in 9P2000), or refused with
//! [`ClientError::NotInDialect`].

#![forbid(unsafe_code)]

mod classic;
mod error;
mod fid;
mod file;
mod link;
mod mover;
mod names;
mod together;

use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

pub use error::ClientError;
pub use fid::{DirItem, Fid};
pub use file::HeldLock;

use crate::patience::Arrivals;
use crate::wire::{self, Dialect, Extension, HEADER, Msize, Name, Rmessage, Tag, Tmessage, Uid, frame_size};
use link::Link;

/// A connection to a server. Clones share it; it is closed when they and all fids are gone.
#[derive(Clone)]
pub struct Client {
    handle: Arc<Handle>,
}

/// What all clones share, and whose end ends the connection.
struct Handle {
    link: Arc<Link>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.link.mover.wake();
    }
}

impl Client {
    /// Agrees with the server on a dialect and a frame size, and starts the task that moves the bytes.
    ///
    /// # Errors
    /// The stream's, or [`ClientError::Version`] if the server does not speak the dialect.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn connect<S>(stream: S, dialect: Dialect, msize: Msize) -> Result<Self, ClientError>
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        let mut stream = Box::pin(stream);
        let version = Name(dialect.version().as_bytes());
        let mut frame = Vec::new();
        Tmessage::Version { msize, version }.encode(dialect, Tag::NONE, &mut frame)?;
        stream.write_all(&frame).await?;
        stream.flush().await?;
        frame.resize(HEADER, 0);
        stream.read_exact(&mut frame).await?;
        let size = frame_size(&frame, msize.0.min(8192))?.unwrap_or(HEADER);
        frame.resize(size, 0);
        stream.read_exact(&mut frame[HEADER..]).await?;
        let agreed = match Rmessage::decode(dialect, &frame)? {
            (_, Rmessage::Version { msize: theirs, version: spoken }) if spoken == version => {
                theirs.min(msize)
            }
            (_, Rmessage::Version { version: spoken, .. }) => {
                return Err(ClientError::Version(String::from_utf8_lossy(spoken.0).into_owned()));
            }
            (_, other) => {
                let unexpected = ClientError::Unexpected { asked: "Tversion", answered: other.name() };
                return Err(ClientError::refusal(&other).unwrap_or(unexpected));
            }
        };
        if agreed.0 <= wire::IO_HEADER {
            return Err(ClientError::Version(format!("{dialect} in frames of {agreed} bytes")));
        }
        let link = Link::new(dialect, agreed.0);
        let handle = Arc::new(Handle { link: link.clone() });
        let mover = Arc::new(Mutex::new(mover::Mover::new(stream, link.clone(), Arc::downgrade(&handle))));
        let writer: Arc<dyn mover::WriteNow> = mover.clone();
        link.set_writer(Arc::downgrade(&writer));
        tokio::spawn(mover::run(mover));
        Ok(Self { handle })
    }

    /// From now on what comes is told to `arrivals`, so that a runtime of one thread can look for the next answer instead of
    /// sleeping until it is there ([`Arrivals::look_for_more`]). The first that is named stays.
    pub fn tell_arrivals(&self, arrivals: Arc<Arrivals>) {
        self.link().tell_arrivals(arrivals);
    }

    /// What is spoken.
    pub fn dialect(&self) -> Dialect {
        self.link().dialect
    }

    /// The most data that one read or write moves.
    pub fn io_unit(&self) -> usize {
        (self.link().msize - wire::IO_HEADER) as usize
    }

    /// The root of a tree, for a user. `n_uname` goes along where the dialect has it.
    ///
    /// # Errors
    /// The server's.
    pub async fn attach(&self, uname: &[u8], n_uname: Option<Uid>, aname: &[u8]) -> Result<Fid, ClientError> {
        let fid = self.link().take_fid();
        let (uname, aname, n_uname) = (Name(uname), Name(aname), Extension(n_uname));
        let message = Tmessage::Attach { fid, afid: wire::Fid::NONE, uname, aname, n_uname };
        self.make(fid, &message, |reply| match reply {
            Rmessage::Attach { qid } => Some(*qid),
            _ => None,
        })
        .await
    }

    /// Done when the connection has ended, whoever ended it; says why. It does not keep the connection open.
    pub fn ended(&self) -> impl Future<Output = ClientError> + Send + use<> {
        self.link().clone().ended()
    }

    fn link(&self) -> &Arc<Link> {
        &self.handle.link
    }

    /// Sends a request and has its reply looked at.
    async fn ask<T>(
        &self,
        message: &Tmessage<'_>,
        take: impl FnOnce(&Rmessage<'_>, &dyn Fn(&[u8]) -> Bytes) -> Option<T>,
    ) -> Result<T, ClientError> {
        let reply = self.link().call(message, None)?.await?;
        let message = reply.message()?;
        take(&message, &|slice| reply.share(slice)).ok_or_else(|| reply.unexpected(&message))
    }

    /// Sends a request that makes a fid.
    async fn make(
        &self,
        fid: wire::Fid,
        message: &Tmessage<'_>,
        take: impl FnOnce(&Rmessage<'_>) -> Option<wire::Qid>,
    ) -> Result<Fid, ClientError> {
        let made = async {
            let reply = self.link().call(message, Some(fid))?.await?;
            let message = reply.message()?;
            take(&message).ok_or_else(|| reply.unexpected(&message))
        };
        match made.await {
            Ok(qid) => Ok(Fid::new(self.clone(), fid, qid)),
            Err(error) => {
                self.link().give_fid(fid);
                Err(error)
            }
        }
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let link = self.link();
        f.debug_struct("Client")
            .field("dialect", &link.dialect)
            .field("msize", &link.msize)
            .finish_non_exhaustive()
    }
}
