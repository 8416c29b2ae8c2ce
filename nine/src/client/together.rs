//! Requests that go out together: fids are the client's to choose, so what is done with a walk's fid need not wait for the
//! walk.
//!
//! A server that keeps the requests for one fid in order, as ours does, answers both in one round trip. One that does not
//! may refuse the second because it does not know its fid yet; then it is asked again, alone.

use bytes::Bytes;

use super::error::ClientError;
use super::fid::{open_message, opened};
use super::file::{attributes, getattr_message};
use super::{Fid, classic};
use crate::wire::{
    self, Attr, AttrMask, Dialect, Extension, Gid, Mode, Name, NamesBuf, OpenFlags, Rmessage, Tmessage,
};

/// What a reply says, if it is the one that was expected.
type Take<T> = fn(&Rmessage<'_>, &dyn Fn(&[u8]) -> Bytes) -> Option<T>;

impl Fid {
    /// The file of that name in this directory, and its attributes.
    ///
    /// # Errors
    /// The server's.
    pub async fn walk_getattr(&self, name: &[u8], mask: AttrMask) -> Result<(Self, Attr), ClientError> {
        let dialect = self.client.dialect();
        self.walk_then(&[name], |fid| getattr_message(dialect, fid, mask), attributes).await
    }

    /// Another fid for this file, open.
    ///
    /// # Errors
    /// The server's.
    pub async fn opened(&self, flags: OpenFlags) -> Result<Self, ClientError> {
        let dialect = self.client.dialect();
        let (mut file, qid) = self.walk_then(&[], |fid| open_message(dialect, fid, flags), opened).await?;
        file.qid = qid;
        Ok(file)
    }

    /// A new fid for a file that is made in this directory and opened; without [`OpenFlags::EXCL`] in .L, one that is
    /// there is opened.
    ///
    /// # Errors
    /// The server's.
    pub async fn created(&self, name: &[u8], flags: OpenFlags, mode: Mode) -> Result<Self, ClientError> {
        let dialect = self.client.dialect();
        let (mut file, qid) =
            self.walk_then(&[], |fid| create_message(dialect, fid, name, flags, mode), opened).await?;
        file.qid = qid;
        Ok(file)
    }

    /// Walks, and asks something of the new fid.
    async fn walk_then<'m, T>(
        &self,
        names: &[&[u8]],
        then: impl Fn(wire::Fid) -> Tmessage<'m>,
        take: Take<T>,
    ) -> Result<(Self, T), ClientError> {
        let link = self.client.link();
        let wanted = NamesBuf::new(names)?;
        let newfid = link.take_fid();
        let walk = Tmessage::Walk { fid: self.id(), newfid, names: wanted.as_names() };
        let walk = match link.queue(&walk, Some(newfid)) {
            Ok((call, _)) => call,
            Err(error) => {
                link.give_fid(newfid);
                return Err(error);
            }
        };
        let second = link.call(&then(newfid), None);
        if second.is_err() {
            // The walk goes alone; its fid is clunked.
            link.mover.wake();
        }
        let walked = async { self.arrived(&walk.await?, names.len()) };
        let qid = match walked.await {
            Ok(qid) => qid,
            Err(error) => {
                // It is refused too, and the fid is not used again before that.
                if let Ok(second) = second {
                    let _refused = second.await;
                }
                link.give_fid(newfid);
                return Err(error);
            }
        };
        let fid = Self::new(self.client.clone(), newfid, qid);
        // Who drops this drops the request before the fid: it is flushed, then the fid clunked.
        let answered = async {
            let reply = second?.await?;
            let message = reply.message()?;
            take(&message, &|slice| reply.share(slice)).ok_or_else(|| reply.unexpected(&message))
        };
        let value = match answered.await {
            Err(error) if has_overtaken(&error) => self.client.ask(&then(newfid), take).await?,
            answered => answered?,
        };
        Ok((fid, value))
    }
}

/// Whether a request may have been refused because its fid was not there yet: ENOENT, EIO, EBADF, EINVAL and EPROTO are
/// what servers say of fids that they do not know. What is refused has done nothing, so asking again does no harm.
fn has_overtaken(error: &ClientError) -> bool {
    matches!(error, ClientError::Refused { errno: 0 | 2 | 5 | 9 | 22 | 71, .. })
}

pub(super) fn create_message(
    dialect: Dialect,
    fid: wire::Fid,
    name: &[u8],
    flags: OpenFlags,
    mode: Mode,
) -> Tmessage<'_> {
    let name = Name(name);
    match dialect {
        Dialect::P9P2000L => Tmessage::Lcreate { fid, name, flags, mode, gid: Gid::NONE },
        Dialect::P9P2000 | Dialect::P9P2000U => Tmessage::Create {
            fid,
            name,
            perm: classic::perm_of(mode),
            mode: classic::mode_of(flags, dialect),
            extension: Extension(None),
        },
    }
}
