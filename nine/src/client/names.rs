//! What is in a directory: listing it, and making, renaming and removing names.

use bytes::Bytes;

use super::error::ClientError;
use super::file::done;
use super::{DirItem, Fid, classic};
use crate::wire::{
    Dialect, DirEntries, Extension, Gid, Mode, Name, OpenFlags, OpenMode, Qid, Rmessage, Stat, Tmessage,
    UnlinkFlags,
};

impl Fid {
    /// All names of this directory, but `.` and `..`. The fid itself need not be open.
    ///
    /// # Errors
    /// The server's.
    pub async fn ls(&self) -> Result<Vec<DirItem>, ClientError> {
        let mut dir = self.walk::<&[u8]>([]).await?;
        dir.open(OpenFlags::empty()).await?;
        let mut items = Vec::new();
        let mut offset = 0;
        loop {
            let data = dir.readdir(offset).await?;
            if data.is_empty() {
                return Ok(items);
            }
            match self.client.dialect() {
                Dialect::P9P2000L => {
                    for entry in DirEntries::new(&data) {
                        let entry = entry?;
                        offset = entry.offset;
                        if entry.name != b"." && entry.name != b".." {
                            items.push(DirItem { qid: entry.qid, name: entry.name.to_vec() });
                        }
                    }
                }
                dialect @ (Dialect::P9P2000 | Dialect::P9P2000U) => {
                    offset += data.len() as u64;
                    let mut left = &data[..];
                    while !left.is_empty() {
                        let (stat, rest) = Stat::decode(dialect, left)?;
                        items.push(DirItem { qid: stat.qid, name: stat.name.0.to_vec() });
                        left = rest;
                    }
                }
            }
        }
    }

    /// A piece of an open directory as the dialect has it: entries ([`DirEntries`]) in .L, stat records
    /// ([`Stat::decode`]) otherwise. `offset` is the last entry's, or the number of bytes so far.
    ///
    /// # Errors
    /// The server's.
    pub async fn readdir(&self, offset: u64) -> Result<Bytes, ClientError> {
        let (fid, count) = (self.id(), self.client.io_unit() as u32);
        let message = match self.client.dialect() {
            Dialect::P9P2000L => Tmessage::Readdir { fid, offset, count },
            Dialect::P9P2000 | Dialect::P9P2000U => Tmessage::Read { fid, offset, count },
        };
        let data = self.client.ask(&message, |reply, share| match reply {
            Rmessage::Read { data } | Rmessage::Readdir { data } => Some(share(data.0)),
            _ => None,
        });
        data.await
    }

    /// Makes a directory in this one.
    ///
    /// # Errors
    /// The server's.
    pub async fn mkdir(&self, name: &[u8], mode: Mode) -> Result<Qid, ClientError> {
        let mode = Mode(Mode::DIRECTORY | mode.permissions());
        match self.client.dialect() {
            Dialect::P9P2000L => {
                let message = Tmessage::Mkdir { dfid: self.id(), name: Name(name), mode, gid: Gid::NONE };
                self.client.ask(&message, made).await
            }
            Dialect::P9P2000 | Dialect::P9P2000U => {
                // Tcreate takes the fid with it.
                let dir = self.walk::<&[u8]>([]).await?;
                let message = Tmessage::Create {
                    fid: dir.id(),
                    name: Name(name),
                    perm: classic::perm_of(mode),
                    mode: OpenMode::empty(),
                    extension: Extension(None),
                };
                self.client.ask(&message, made).await
            }
        }
    }

    /// Makes a symbolic link in this directory (.L).
    ///
    /// # Errors
    /// The server's.
    pub async fn symlink(&self, name: &[u8], target: &[u8]) -> Result<Qid, ClientError> {
        self.dotl("Tsymlink")?;
        let (name, target) = (Name(name), Name(target));
        let message = Tmessage::Symlink { dfid: self.id(), name, target, gid: Gid::NONE };
        self.client.ask(&message, made).await
    }

    /// Makes a device, a named pipe or a socket in this directory (.L).
    ///
    /// # Errors
    /// The server's.
    pub async fn mknod(&self, name: &[u8], mode: Mode, device: (u32, u32)) -> Result<Qid, ClientError> {
        self.dotl("Tmknod")?;
        let (major, minor) = device;
        let message =
            Tmessage::Mknod { dfid: self.id(), name: Name(name), mode, major, minor, gid: Gid::NONE };
        self.client.ask(&message, made).await
    }

    /// What a symbolic link says.
    ///
    /// # Errors
    /// The server's.
    pub async fn readlink(&self) -> Result<Vec<u8>, ClientError> {
        let fid = self.id();
        let message = match self.client.dialect() {
            Dialect::P9P2000L => Tmessage::Readlink { fid },
            Dialect::P9P2000U => Tmessage::Stat { fid },
            Dialect::P9P2000 => return Err(ClientError::NotInDialect("readlink")),
        };
        let target = self.client.ask(&message, |reply, _| match reply {
            Rmessage::Readlink { target } => Some(target.0.to_vec()),
            Rmessage::Stat { stat } => stat.extension.0.map(|target| target.0.to_vec()),
            _ => None,
        });
        target.await
    }

    /// Gives `file` another name, in this directory (.L).
    ///
    /// # Errors
    /// The server's.
    pub async fn link(&self, file: &Self, name: &[u8]) -> Result<(), ClientError> {
        self.dotl("Tlink")?;
        let message = Tmessage::Link { dfid: self.id(), fid: file.id(), name: Name(name) };
        self.client.ask(&message, done).await
    }

    /// Renames a file of this directory into `new_dir`. 9P2000 and .u rename only within a directory.
    ///
    /// # Errors
    /// The server's.
    pub async fn rename_at(&self, old: &[u8], new_dir: &Self, new: &[u8]) -> Result<(), ClientError> {
        if self.client.dialect() == Dialect::P9P2000L {
            let message = Tmessage::Renameat {
                olddirfid: self.id(),
                oldname: Name(old),
                newdirfid: new_dir.id(),
                newname: Name(new),
            };
            return self.client.ask(&message, done).await;
        }
        if new_dir.qid() != self.qid() {
            return Err(ClientError::NotInDialect("a rename into another directory"));
        }
        let file = self.walk([old]).await?;
        let stat = Stat { name: Name(new), ..Stat::UNCHANGED };
        self.client.ask(&Tmessage::Wstat { fid: file.id(), stat }, done).await
    }

    /// Removes a name of this directory.
    ///
    /// # Errors
    /// The server's.
    pub async fn unlink_at(&self, name: &[u8], flags: UnlinkFlags) -> Result<(), ClientError> {
        match self.client.dialect() {
            Dialect::P9P2000L => {
                let message = Tmessage::Unlinkat { dirfid: self.id(), name: Name(name), flags };
                self.client.ask(&message, done).await
            }
            Dialect::P9P2000 | Dialect::P9P2000U => self.walk([name]).await?.remove().await,
        }
    }
}

fn made(reply: &Rmessage<'_>, _: &dyn Fn(&[u8]) -> Bytes) -> Option<Qid> {
    match reply {
        Rmessage::Mkdir { qid }
        | Rmessage::Symlink { qid }
        | Rmessage::Mknod { qid }
        | Rmessage::Create { qid, .. } => Some(*qid),
        _ => None,
    }
}
