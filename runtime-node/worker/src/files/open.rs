//! Opening files, and reading or writing whole ones: for a file that one message can carry, in one round trip.

use super::walk::{Follow, Keep, errno};
use super::{Meta, OpenFile, Tree, attr};
use crate::link::{Batch, Handle, unexpected};
use deno_fs::OpenOptions;
use nine::wire::{Fid, Gid, Mode, Name, NamesBuf, OpenFlags, QidKind, Rmessage, Tmessage};
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// What is read of a file at the first go. Longer ones are read on.
const FIRST_READ: u32 = 256 << 10;

/// How a file is opened: open(2)'s flags and mode.
#[derive(Clone, Copy, Debug)]
pub struct Opening {
    pub flags: OpenFlags,
    pub mode: u32,
}

impl From<OpenOptions> for Opening {
    fn from(options: OpenOptions) -> Self {
        let mut flags = match (options.read, options.write || options.append) {
            (true, true) => OpenFlags::RDWR,
            (false, true) => OpenFlags::WRONLY,
            _ => OpenFlags::empty(),
        };
        // What Deno has no word for: O_NOFOLLOW, O_DIRECTORY, O_SYNC and the like. Whether to wait is the reader's affair.
        flags |= OpenFlags::from_bits_retain(options.custom_flags.unwrap_or(0) as u32);
        flags -= OpenFlags::NONBLOCK;
        flags.set(OpenFlags::CREAT, options.create || options.create_new);
        flags.set(OpenFlags::EXCL, options.create_new);
        flags.set(OpenFlags::TRUNC, options.truncate);
        flags.set(OpenFlags::APPEND, options.append);
        Opening { flags, mode: options.mode.unwrap_or(0o666) }
    }
}

impl Opening {
    pub const READ: Opening = Opening { flags: OpenFlags::empty(), mode: 0 };

    fn follow(self) -> Follow {
        if self.flags.contains(OpenFlags::NOFOLLOW) { Follow::No } else { Follow::Yes }
    }
}

/// A stored file's length says where it ends; another's end is where a read brings nothing.
fn is_whole(meta: &Meta, data: &[u8]) -> bool {
    data.is_empty() || (meta.kind() == Mode::REGULAR && meta.0.size == data.len() as u64)
}

impl Tree {
    pub async fn open(&self, path: &Path, how: Opening) -> io::Result<OpenFile> {
        let handle = if how.flags.contains(OpenFlags::CREAT) {
            self.create(path, how).await?
        } else {
            let reached = self
                .at(path, how.follow(), Keep::Yes, &|batch, fid| {
                    batch.push(&Tmessage::Lopen { fid, flags: how.flags });
                })
                .await?;
            if reached.kind.contains(QidKind::SYMLINK) {
                return Err(errno(libc::ELOOP));
            }
            reached.reply()?;
            reached.handle()
        };
        Ok(OpenFile::new(handle, path.to_path_buf(), how.flags))
    }

    /// Opens the file, which is made if it is not there. The name is looked at in the same breath: a link stands for
    /// what it says.
    async fn create(&self, path: &Path, how: Opening) -> io::Result<Handle> {
        if path.as_os_str().as_encoded_bytes().ends_with(b"/") {
            return Err(errno(libc::EISDIR));
        }
        let mut path = path.to_path_buf();
        for _ in 0..40 {
            let probe = self.link().fids.take();
            let asked = self
                .beside(&path, Keep::Yes, &|batch, dir, name| {
                    self.push_probe(batch, dir, probe, name);
                    let (mode, gid) = (self.masked(how.mode), Gid::NONE);
                    batch.push(&Tmessage::Lcreate {
                        fid: dir,
                        name: Name(name),
                        flags: how.flags,
                        mode,
                        gid,
                    });
                })
                .await;
            self.link().fids.give_back(probe);
            let (reached, _) = match asked {
                Err(e) if e.raw_os_error() == Some(libc::EBUSY) => return Err(errno(libc::EISDIR)),
                other => other?,
            };
            let found = match reached.replies[0].reply() {
                Ok(Rmessage::Walk { qids }) => qids.as_slice().first().map(|qid| qid.kind),
                _ => None,
            };
            let is_link = found.is_some_and(|kind| kind.contains(QidKind::SYMLINK));
            if is_link && !how.flags.contains(OpenFlags::EXCL) {
                if how.follow() == Follow::No {
                    return Err(errno(libc::ELOOP));
                }
                let target = match reached.replies[1].reply()? {
                    Rmessage::Readlink { target } => target.0.to_vec(),
                    other => return Err(unexpected(&other)),
                };
                path = reached.path().join(std::ffi::OsString::from_vec(target));
                continue;
            }
            reached.replies[3].done()?;
            return Ok(reached.handle());
        }
        Err(errno(libc::ELOOP))
    }

    fn push_probe(&self, batch: &mut Batch, dir: Fid, probe: Fid, name: &[u8]) {
        let Ok(names) = NamesBuf::new([name]) else { return };
        batch.push(&Tmessage::Walk { fid: dir, newfid: probe, names: names.as_names() });
        batch.push(&Tmessage::Readlink { fid: probe });
        batch.push(&Tmessage::Clunk { fid: probe });
    }

    /// A whole file.
    pub async fn read_file(&self, path: &Path) -> io::Result<Vec<u8>> {
        let (meta, handle, first, _) = self.begin_to_read(path).await?;
        if meta.is_dir() {
            return Err(errno(libc::EISDIR));
        }
        let mut data = first?;
        if is_whole(&meta, &data) {
            handle.clunk_later();
            return Ok(data);
        }
        let file = OpenFile::new(handle, path.to_path_buf(), OpenFlags::empty());
        file.read_to_end(data.len() as u64, &mut data).await?;
        Ok(data)
    }

    /// What a path is, where it really is, and its text if it is a stored file that comes at the first go.
    pub async fn glance(&self, path: &Path) -> io::Result<(Meta, PathBuf, Option<Vec<u8>>)> {
        let (meta, handle, first, real) = self.begin_to_read(path).await?;
        let text = first.ok().filter(|data| meta.kind() == Mode::REGULAR && is_whole(&meta, data));
        handle.clunk_later();
        Ok((meta, real, text))
    }

    async fn begin_to_read(&self, path: &Path) -> io::Result<(Meta, Handle, io::Result<Vec<u8>>, PathBuf)> {
        let first = FIRST_READ.min(self.link().chunk() as u32);
        let reached = self
            .at(path, Follow::Yes, Keep::Yes, &|batch, fid| {
                batch.push(&attr::ask(fid));
                batch.push(&Tmessage::Lopen { fid, flags: OpenFlags::empty() });
                batch.push(&Tmessage::Read { fid, offset: 0, count: first });
            })
            .await?;
        let meta = attr::said(&reached.replies[0])?;
        let read = reached.replies[1].done().and_then(|()| match reached.replies[2].reply()? {
            Rmessage::Read { data } => Ok(data.0.to_vec()),
            other => Err(unexpected(&other)),
        });
        let real = reached.path();
        Ok((meta, reached.handle(), read, real))
    }

    /// Writes a whole file as `how` says.
    pub async fn write_file(&self, path: &Path, how: Opening, data: &[u8]) -> io::Result<()> {
        let file = self.open(path, how).await?;
        file.write_from(0, data).await
    }

    /// Copies one file's contents, and its permissions if the other is new.
    pub async fn copy_file(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mode = self.stat(from, Follow::Yes).await?.0.mode.permissions();
        let source = self.open(from, Opening::READ).await?;
        let flags = OpenFlags::WRONLY | OpenFlags::CREAT | OpenFlags::TRUNC;
        let target = self.open(to, Opening { flags, mode }).await?;
        let mut offset = 0;
        let mut buf = vec![0; self.link().chunk()];
        loop {
            let n = source.read_at(offset, &mut buf).await?;
            if n == 0 {
                return Ok(());
            }
            target.write_from(offset, &buf[..n]).await?;
            offset += n as u64;
        }
    }
}
