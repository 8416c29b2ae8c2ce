//! What is in a file: reading, writing, attributes, locks.

use bytes::Bytes;

use super::error::ClientError;
use super::{Fid, classic, fid};
use crate::wire::{
    self, Attr, AttrMask, Data, Dialect, FsyncKind, Later, LockFlags, LockKind, LockStatus, LockedRange,
    Name, NamesBuf, OpenFlags, Rmessage, SetAttrFields, StatFs, Tmessage, XattrFlags,
};

/// A lock that somebody holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HeldLock {
    /// Shared or exclusive.
    pub kind: LockKind,
    /// First byte.
    pub start: u64,
    /// How many; 0 reaches to the end.
    pub length: u64,
    /// The process that holds it, in its client's numbers.
    pub proc_id: u32,
    /// Its client.
    pub client_id: Vec<u8>,
}

impl Fid {
    /// Reads at most `count` bytes, and at most what one message holds; none at the end. The bytes are those of the
    /// reply, not a copy.
    ///
    /// # Errors
    /// The server's.
    pub async fn read(&self, offset: u64, count: usize) -> Result<Bytes, ClientError> {
        let count = count.min(self.client.io_unit()) as u32;
        let message = Tmessage::Read { fid: self.id(), offset, count };
        self.client.ask(&message, data).await
    }

    /// Reads from the start to the end.
    ///
    /// # Errors
    /// The server's.
    pub async fn read_to_end(&self) -> Result<Vec<u8>, ClientError> {
        self.read_on(Vec::new()).await
    }

    async fn read_on(&self, mut all: Vec<u8>) -> Result<Vec<u8>, ClientError> {
        loop {
            let more = self.read(all.len() as u64, self.client.io_unit()).await?;
            if more.is_empty() {
                return Ok(all);
            }
            all.extend_from_slice(&more);
        }
    }

    /// Writes at most what one message holds; gives the number of bytes.
    ///
    /// # Errors
    /// The server's.
    pub async fn write(&self, offset: u64, data: &[u8]) -> Result<usize, ClientError> {
        let data = &data[..data.len().min(self.client.io_unit())];
        let message = Tmessage::Write { fid: self.id(), offset, data: Data(data) };
        let count = self.client.ask(&message, |reply, _| match reply {
            Rmessage::Write { count } => Some(*count as usize),
            _ => None,
        });
        Ok(count.await?.min(data.len()))
    }

    /// Writes all of it.
    ///
    /// # Errors
    /// The server's; or that it writes nothing.
    pub async fn write_all(&self, mut offset: u64, mut data: &[u8]) -> Result<(), ClientError> {
        while !data.is_empty() {
            let wrote = self.write(offset, data).await?;
            if wrote == 0 {
                return Err(std::io::Error::from(std::io::ErrorKind::WriteZero).into());
            }
            offset += wrote as u64;
            data = &data[wrote..];
        }
        Ok(())
    }

    /// The first bytes of the file of that name, at most `count` and what one message holds: walk, open, read and
    /// clunk go out in one write and come back in one.
    ///
    /// A file whose reads wait for something should be opened and read in steps: some servers take the clunk that
    /// comes along as the end of the read.
    ///
    /// # Errors
    /// That of the first step which the server refuses.
    pub async fn read_at_once<N: AsRef<[u8]>>(
        &self,
        names: impl IntoIterator<Item = N>,
        count: usize,
    ) -> Result<Bytes, ClientError> {
        let link = self.client.link();
        let names = NamesBuf::new(names)?;
        let newfid = link.take_fid();
        let flags = OpenFlags::empty();
        let count = count.min(self.client.io_unit()) as u32;
        let walk = Tmessage::Walk { fid: self.id(), newfid, names: names.as_names() };
        let walked = match link.queue(&walk, None) {
            Ok((call, _)) => call,
            Err(error) => {
                link.give_fid(newfid);
                return Err(error);
            }
        };
        // From here on the clunk gives the fid back; should it not get a tag, the fid is not used again.
        let opened = link.queue(&fid::open_message(self.client.dialect(), newfid, flags), None);
        let read = link.queue(&Tmessage::Read { fid: newfid, offset: 0, count }, None);
        let clunked = link.call_ending(&Tmessage::Clunk { fid: newfid }, newfid)?;
        let reply = walked.await?;
        match reply.message()? {
            Rmessage::Walk { qids } if qids.as_slice().len() == names.as_names().len() => {}
            Rmessage::Walk { .. } => {
                return Err(ClientError::Refused { errno: 2, text: "file does not exist".into() });
            }
            other => return Err(reply.unexpected(&other)),
        }
        opened?.0.await?.message()?;
        let reply = read?.0.await?;
        let message = reply.message()?;
        let data = data(&message, &|slice| reply.share(slice)).ok_or_else(|| reply.unexpected(&message))?;
        clunked.await?.message()?;
        Ok(data)
    }

    /// Walks, opens and reads a file from the start to the end.
    ///
    /// # Errors
    /// The server's.
    pub async fn read_file<N: AsRef<[u8]>>(
        &self,
        names: impl IntoIterator<Item = N>,
    ) -> Result<Vec<u8>, ClientError> {
        let mut file = self.walk(names).await?;
        file.open(OpenFlags::empty()).await?;
        file.read_to_end().await
    }

    /// The file's attributes.
    ///
    /// # Errors
    /// The server's.
    pub async fn getattr(&self, mask: AttrMask) -> Result<Attr, ClientError> {
        self.client.ask(&getattr_message(self.client.dialect(), self.id(), mask), attributes).await
    }

    /// Changes the file's attributes.
    ///
    /// # Errors
    /// The server's.
    pub async fn setattr(&self, attr: SetAttrFields) -> Result<(), ClientError> {
        let fid = self.id();
        let message = match self.client.dialect() {
            Dialect::P9P2000L => Tmessage::Setattr { fid, attr },
            Dialect::P9P2000 | Dialect::P9P2000U => {
                Tmessage::Wstat { fid, stat: classic::wstat_of(&attr, self.qid().is_dir()) }
            }
        };
        self.client.ask(&message, done).await
    }

    /// Waits until what was written is safe.
    ///
    /// # Errors
    /// The server's.
    pub async fn fsync(&self) -> Result<(), ClientError> {
        self.sync(FsyncKind::empty()).await
    }

    /// Waits until the data that was written is safe, and as much else as reading it again needs.
    ///
    /// # Errors
    /// The server's.
    pub async fn fdatasync(&self) -> Result<(), ClientError> {
        self.sync(FsyncKind::DATA_ONLY).await
    }

    async fn sync(&self, datasync: FsyncKind) -> Result<(), ClientError> {
        let fid = self.id();
        let message = match self.client.dialect() {
            Dialect::P9P2000L => Tmessage::Fsync { fid, datasync: Later(Some(datasync)) },
            // A wstat that changes nothing asks for just that (stat(5)).
            Dialect::P9P2000 | Dialect::P9P2000U => Tmessage::Wstat { fid, stat: wire::Stat::UNCHANGED },
        };
        self.client.ask(&message, done).await
    }

    /// Takes or releases a lock (.L).
    ///
    /// # Errors
    /// The server's.
    pub async fn lock(
        &self,
        kind: LockKind,
        flags: LockFlags,
        range: LockedRange<'_>,
    ) -> Result<LockStatus, ClientError> {
        self.dotl("Tlock")?;
        let message = Tmessage::Lock { fid: self.id(), kind, flags, range };
        let status = self.client.ask(&message, |reply, _| match reply {
            Rmessage::Lock { status } => Some(*status),
            _ => None,
        });
        status.await
    }

    /// Releases a lock without waiting for the answer (.L; elsewhere there are none).
    pub fn unlock_later(&self, range: LockedRange<'_>) {
        if self.client.dialect() == Dialect::P9P2000L {
            let (kind, flags) = (LockKind::UNLOCK, LockFlags::empty());
            self.client.link().tell(&Tmessage::Lock { fid: self.id(), kind, flags, range });
        }
    }

    /// The lock that stands in the way of one, if any (.L).
    ///
    /// # Errors
    /// The server's.
    pub async fn getlock(
        &self,
        kind: LockKind,
        range: LockedRange<'_>,
    ) -> Result<Option<HeldLock>, ClientError> {
        self.dotl("Tgetlock")?;
        let message = Tmessage::Getlock { fid: self.id(), kind, range };
        let held = self.client.ask(&message, |reply, _| match reply {
            Rmessage::Getlock { kind: LockKind::UNLOCK, .. } => Some(None),
            Rmessage::Getlock { kind, range } => Some(Some(HeldLock {
                kind: *kind,
                start: range.start,
                length: range.length,
                proc_id: range.proc_id,
                client_id: range.client_id.to_vec(),
            })),
            _ => None,
        });
        held.await
    }

    /// What the file's file system is (.L).
    ///
    /// # Errors
    /// The server's.
    pub async fn statfs(&self) -> Result<StatFs, ClientError> {
        self.dotl("Tstatfs")?;
        let message = Tmessage::Statfs { fid: self.id() };
        let statfs = self.client.ask(&message, |reply, _| match reply {
            Rmessage::Statfs { statfs } => Some(*statfs),
            _ => None,
        });
        statfs.await
    }

    /// The value of an extended attribute; with an empty name, the names of all, a NUL after each (.L).
    ///
    /// # Errors
    /// The server's.
    pub async fn xattr(&self, name: &[u8]) -> Result<Vec<u8>, ClientError> {
        self.dotl("Txattrwalk")?;
        let newfid = self.client.link().take_fid();
        let message = Tmessage::Xattrwalk { fid: self.id(), newfid, name: Name(name) };
        let value = self.client.make(newfid, &message, |reply| match reply {
            Rmessage::Xattrwalk { .. } => Some(wire::Qid::default()),
            _ => None,
        });
        value.await?.read_to_end().await
    }

    /// Sets an extended attribute (.L).
    ///
    /// # Errors
    /// The server's.
    pub async fn set_xattr(&self, name: &[u8], value: &[u8], flags: XattrFlags) -> Result<(), ClientError> {
        self.dotl("Txattrcreate")?;
        let fid = self.walk::<&[u8]>([]).await?;
        let attr_size = value.len() as u64;
        let message = Tmessage::Xattrcreate { fid: fid.id(), name: Name(name), attr_size, flags };
        self.client.ask(&message, done).await?;
        fid.write_all(0, value).await?;
        // Only now is it set.
        fid.clunk().await
    }

    /// What needs .L.
    pub(super) fn dotl(&self, message: &'static str) -> Result<(), ClientError> {
        match self.client.dialect() {
            Dialect::P9P2000L => Ok(()),
            Dialect::P9P2000 | Dialect::P9P2000U => Err(ClientError::NotInDialect(message)),
        }
    }
}

fn data(reply: &Rmessage<'_>, share: &dyn Fn(&[u8]) -> Bytes) -> Option<Bytes> {
    match reply {
        Rmessage::Read { data } | Rmessage::Readdir { data } => Some(share(data.0)),
        _ => None,
    }
}

pub(super) fn getattr_message(dialect: Dialect, fid: wire::Fid, mask: AttrMask) -> Tmessage<'static> {
    match dialect {
        Dialect::P9P2000L => Tmessage::Getattr { fid, mask },
        Dialect::P9P2000 | Dialect::P9P2000U => Tmessage::Stat { fid },
    }
}

pub(super) fn attributes(reply: &Rmessage<'_>, _: &dyn Fn(&[u8]) -> Bytes) -> Option<Attr> {
    match reply {
        Rmessage::Getattr { attr } => Some(*attr),
        Rmessage::Stat { stat } => Some(classic::attr_of(stat)),
        _ => None,
    }
}

/// Replies that only say that it is done.
pub(super) fn done(reply: &Rmessage<'_>, _: &dyn Fn(&[u8]) -> Bytes) -> Option<()> {
    match reply {
        Rmessage::Setattr {}
        | Rmessage::Wstat {}
        | Rmessage::Fsync {}
        | Rmessage::Xattrcreate {}
        | Rmessage::Link {}
        | Rmessage::Rename {}
        | Rmessage::Renameat {}
        | Rmessage::Unlinkat {} => Some(()),
        _ => None,
    }
}
