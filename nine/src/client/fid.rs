//! The handle of a file: walking, opening, closing.

use super::error::ClientError;
use super::link::Reply;
use super::together::create_message;
use super::{Client, classic};
use crate::wire::{self, Dialect, MAX_NAMES, Mode, NamesBuf, OpenFlags, Qid, Rmessage, Tmessage};

/// A file on the server. Dropping it clunks it in the background; [`Fid::clunk`] says how that went.
#[derive(Debug)]
pub struct Fid {
    pub(super) client: Client,
    /// `None` once it is clunked or removed.
    id: Option<wire::Fid>,
    pub(super) qid: Qid,
    /// Dropping it removes the file.
    removes: bool,
}

/// One name of a directory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DirItem {
    /// The file's identity.
    pub qid: Qid,
    /// Its name.
    pub name: Vec<u8>,
}

impl Fid {
    pub(super) fn new(client: Client, id: wire::Fid, qid: Qid) -> Self {
        Self { client, id: Some(id), qid, removes: false }
    }

    /// Its number.
    pub(super) fn id(&self) -> wire::Fid {
        self.id.unwrap_or(wire::Fid::NONE)
    }

    /// The file's identity.
    pub fn qid(&self) -> Qid {
        self.qid
    }

    /// The connection that it is a file of.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Another file, by names from here; without names, another fid for this one. More names than one message holds
    /// take several.
    ///
    /// # Errors
    /// The server's; a walk that ends early is refused as "file does not exist".
    pub async fn walk<N: AsRef<[u8]>>(
        &self,
        names: impl IntoIterator<Item = N>,
    ) -> Result<Self, ClientError> {
        let names: Vec<N> = names.into_iter().collect();
        let mut steps = names.chunks(MAX_NAMES);
        let mut at = self.walk_once(steps.next().unwrap_or_default()).await?;
        for step in steps {
            at = at.walk_once(step).await?;
        }
        Ok(at)
    }

    async fn walk_once<N: AsRef<[u8]>>(&self, names: &[N]) -> Result<Self, ClientError> {
        let link = self.client.link();
        let wanted = NamesBuf::new(names)?;
        let newfid = link.take_fid();
        let message = Tmessage::Walk { fid: self.id(), newfid, names: wanted.as_names() };
        let outcome = async {
            let reply = link.call(&message, Some(newfid))?.await?;
            self.arrived(&reply, names.len())
        };
        match outcome.await {
            Ok(qid) => Ok(Self::new(self.client.clone(), newfid, qid)),
            Err(error) => {
                link.give_fid(newfid);
                Err(error)
            }
        }
    }

    /// Where a walk of so many names from here got to, if it got there.
    pub(super) fn arrived(&self, reply: &Reply, names: usize) -> Result<Qid, ClientError> {
        match reply.message()? {
            Rmessage::Walk { qids } if qids.as_slice().len() == names => {
                Ok(qids.as_slice().last().copied().unwrap_or(self.qid))
            }
            // ENOENT.
            Rmessage::Walk { .. } => {
                Err(ClientError::Refused { errno: 2, text: "file does not exist".into() })
            }
            other => Err(reply.unexpected(&other)),
        }
    }

    /// Opens the file.
    ///
    /// # Errors
    /// The server's.
    pub async fn open(&mut self, flags: OpenFlags) -> Result<(), ClientError> {
        let message = self.open_message(flags);
        self.qid = self.client.ask(&message, opened).await?;
        Ok(())
    }

    pub(super) fn open_message(&self, flags: OpenFlags) -> Tmessage<'static> {
        open_message(self.client.dialect(), self.id(), flags)
    }

    /// Makes a file in this directory, and opens it; this fid then is that file.
    ///
    /// # Errors
    /// The server's.
    pub async fn create(&mut self, name: &[u8], flags: OpenFlags, mode: Mode) -> Result<(), ClientError> {
        let message = create_message(self.client.dialect(), self.id(), name, flags, mode);
        self.qid = self.client.ask(&message, opened).await?;
        Ok(())
    }

    /// From now on, dropping the fid removes the file (Plan 9's ORCLOSE, for every dialect).
    pub fn remove_on_drop(&mut self) {
        self.removes = true;
    }

    /// Ends the fid, and says how closing the file went.
    ///
    /// # Errors
    /// The server's. The fid is gone all the same.
    pub async fn clunk(mut self) -> Result<(), ClientError> {
        let Some(fid) = self.id.take() else { return Ok(()) };
        let reply = self.client.link().call_ending(&Tmessage::Clunk { fid }, fid)?.await?;
        match reply.message()? {
            Rmessage::Clunk {} => Ok(()),
            other => Err(reply.unexpected(&other)),
        }
    }

    /// Removes the file, and ends the fid.
    ///
    /// # Errors
    /// The server's. The fid is gone all the same.
    pub async fn remove(mut self) -> Result<(), ClientError> {
        let Some(fid) = self.id.take() else { return Ok(()) };
        let reply = self.client.link().call_ending(&Tmessage::Remove { fid }, fid)?.await?;
        match reply.message()? {
            Rmessage::Remove {} => Ok(()),
            other => Err(reply.unexpected(&other)),
        }
    }
}

impl Drop for Fid {
    fn drop(&mut self) {
        if let Some(fid) = self.id.take() {
            self.client.link().end_fid(fid, self.removes);
        }
    }
}

pub(super) fn open_message(dialect: Dialect, fid: wire::Fid, flags: OpenFlags) -> Tmessage<'static> {
    match dialect {
        Dialect::P9P2000L => Tmessage::Lopen { fid, flags },
        Dialect::P9P2000 | Dialect::P9P2000U => {
            Tmessage::Open { fid, mode: classic::mode_of(flags, dialect) }
        }
    }
}

pub(super) fn opened(reply: &Rmessage<'_>, _: &dyn Fn(&[u8]) -> bytes::Bytes) -> Option<Qid> {
    match reply {
        Rmessage::Open { qid, .. }
        | Rmessage::Create { qid, .. }
        | Rmessage::Lopen { qid, .. }
        | Rmessage::Lcreate { qid, .. } => Some(*qid),
        _ => None,
    }
}
