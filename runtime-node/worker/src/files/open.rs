//! Opening files, and reading or writing whole ones: for a file that one message can carry, in one round trip.

use super::attr::Change;
use super::walk::{Ending, Follow, Keep, Reached, Step, errno};
use super::{Meta, OpenFile, Tree, attr};
use crate::link::{Batch, Frame, Handle, unexpected};
use deno_fs::OpenOptions;
use nine::wire::{Data, Fid, Gid, Mode, Name, OpenFlags, QidKind, Rmessage, Tmessage};
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
    /// For a whole file to be written that may have to be made; none where the flags of open(2) say something else.
    pub fn to_write(flags: i32, mode: u32) -> Option<Opening> {
        let flags = OpenFlags::from_bits_retain(flags as u32) - OpenFlags::NONBLOCK;
        let is_to_write = flags.contains(OpenFlags::CREAT) && flags.writes();
        is_to_write.then_some(Opening { flags, mode })
    }

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
            if how.flags.contains(OpenFlags::TRUNC) {
                self.must_lead_there(path).await?;
            }
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
        Ok(OpenFile::new(handle, self.cwd().join(path), how.flags))
    }

    /// Opens the file, which is made if it is not there.
    async fn create(&self, path: &Path, how: Opening) -> io::Result<Handle> {
        Ok(self.create_and(path, how, Keep::Yes, &|_, _| {}).await?.handle())
    }

    /// Opens the file, which is made if it is not there, and sends what `then` adds along; the replies are those. A link stands
    /// for what it says, and cannot be opened itself, so that for a link nothing of `then` takes effect.
    async fn create_and(
        &self,
        path: &Path,
        how: Opening,
        keep: Keep,
        then: &dyn Fn(&mut Batch, Fid),
    ) -> io::Result<Reached> {
        if how.flags.contains(OpenFlags::DIRECTORY) {
            return Err(errno(libc::EINVAL));
        }
        let mut path = path.to_path_buf();
        for _ in 0..40 {
            if Ending::of(&path) == Ending::Slash {
                self.beside(&path, Keep::No, &|_, _, _| {}).await?;
                return Err(errno(libc::EISDIR));
            }
            let asked = self
                .beside(&path, keep, &|batch, fid, name| {
                    let (name, flags, gid) = (Name(name), how.flags, Gid::NONE);
                    batch.push(&Tmessage::Lcreate { fid, name, flags, mode: self.masked(how.mode), gid });
                    then(batch, fid);
                })
                .await;
            let (mut reached, name) = match asked {
                // A directory that has no name of its own here.
                Err(e) if e.raw_os_error() == Some(libc::EBUSY) => {
                    let is_new = how.flags.contains(OpenFlags::EXCL);
                    return Err(errno(if is_new { libc::EEXIST } else { libc::EISDIR }));
                }
                other => other?,
            };
            let refused = match reached.replies[0].done() {
                Ok(()) => {
                    reached.replies.drain(..1);
                    return Ok(reached);
                }
                Err(refused) => refused,
            };
            let is_to_follow = how.follow() == Follow::Yes && !how.flags.contains(OpenFlags::EXCL);
            if refused.raw_os_error() != Some(libc::ELOOP) || !is_to_follow {
                return Err(refused);
            }
            let dir = reached.path();
            let Ok(target) = self.read_link(&dir.join(std::ffi::OsString::from_vec(name))).await else {
                return Err(refused);
            };
            path = dir.join(target);
        }
        Err(errno(libc::ELOOP))
    }

    /// A whole file.
    pub async fn read_file(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.read_file_by(Step::Apart, path).await
    }

    /// The same for a file that is there mostly: two messages fewer, and another round trip where it is not.
    pub async fn read_file_there(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.read_file_by(Step::Together, path).await
    }

    async fn read_file_by(&self, step: Step, path: &Path) -> io::Result<Vec<u8>> {
        let (meta, handle, first, _) = self.begin_to_read(step, path).await?;
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
        let (meta, handle, first, real) = self.begin_to_read(Step::Apart, path).await?;
        let text = first.ok().filter(|data| meta.kind() == Mode::REGULAR && is_whole(&meta, data));
        handle.clunk_later();
        Ok((meta, real, text))
    }

    async fn begin_to_read(
        &self,
        step: Step,
        path: &Path,
    ) -> io::Result<(Meta, Handle, io::Result<Vec<u8>>, PathBuf)> {
        let first = FIRST_READ.min(self.link().chunk() as u32);
        let reached = self
            .at_by(step, path, Follow::Yes, Keep::Yes, &|batch, fid| {
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
        if how.flags.contains(OpenFlags::CREAT) {
            return self.create_and_write(path, how, data).await?;
        }
        let file = self.open(path, how).await?;
        file.write_from(0, data).await
    }

    /// The same for a file that may have to be made: in one round trip, if a message carries the data.
    ///
    /// # Errors
    /// The outer one says that the file was not opened, the inner one that it was not written.
    pub async fn create_and_write(
        &self,
        path: &Path,
        how: Opening,
        data: &[u8],
    ) -> io::Result<io::Result<()>> {
        let first = &data[..data.len().min(self.link().chunk())];
        // What a pipe takes as a whole: for the rest of anything longer the file has to stay open.
        let keep = if data.len() <= libc::PIPE_BUF { Keep::No } else { Keep::Yes };
        let reached = self
            .create_and(path, how, keep, &|batch, fid| {
                if !first.is_empty() {
                    batch.push(&Tmessage::Write { fid, offset: 0, data: Data(first) });
                }
            })
            .await?;
        let written = match reached.replies.first().map(Frame::reply) {
            None => return Ok(Ok(())),
            Some(Ok(Rmessage::Write { count })) => count as usize,
            Some(Ok(other)) => return Ok(Err(unexpected(&other))),
            Some(Err(error)) => return Ok(Err(error)),
        };
        if written >= data.len() {
            return Ok(Ok(()));
        }
        Ok(self.write_rest(path, how, reached.handle, data, written).await)
    }

    async fn write_rest(
        &self,
        path: &Path,
        how: Opening,
        handle: Option<Handle>,
        data: &[u8],
        written: usize,
    ) -> io::Result<()> {
        let flags = how.flags - OpenFlags::CREAT - OpenFlags::EXCL - OpenFlags::TRUNC;
        let file = match handle {
            Some(handle) => OpenFile::new(handle, path.to_path_buf(), flags),
            // A file system that is full took a part: it says so when it is asked for more.
            None => self.open(path, Opening { flags, ..how }).await?,
        };
        file.write_from(written as u64, &data[written..]).await
    }

    /// Copies one file's contents and its permissions, which the umask has no part in.
    pub async fn copy_file(&self, from: &Path, to: &Path) -> io::Result<()> {
        let (meta, handle, first, _) = self.begin_to_read(Step::Together, from).await?;
        let data = first?;
        let mode = meta.0.mode.permissions();
        let how = Opening { flags: OpenFlags::WRONLY | OpenFlags::CREAT, mode };
        if is_whole(&meta, &data) {
            handle.clunk_later();
            return self.create_as_copy(to, how, &data).await;
        }
        let source = OpenFile::new(handle, from.to_path_buf(), OpenFlags::empty());
        // Not cut before it is known to be another file.
        let target = self.open(to, how).await?;
        let old = target.meta().await?;
        if old.0.qid.path == meta.0.qid.path {
            return Ok(());
        }
        if old.kind() == Mode::REGULAR {
            target.set(Change::size(0)).await?;
            target.set(Change::mode(mode)).await?;
        }
        target.write_from(0, &data).await?;
        let mut offset = data.len() as u64;
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

    /// A file of `data`, which one message carries, with the permissions of `how` also where it was there.
    async fn create_as_copy(&self, path: &Path, how: Opening, data: &[u8]) -> io::Result<()> {
        let how = Opening { flags: how.flags | OpenFlags::TRUNC, ..how };
        let keep = if data.len() <= libc::PIPE_BUF { Keep::No } else { Keep::Yes };
        let reached = self
            .create_and(path, how, keep, &|batch, fid| {
                batch.push(&Tmessage::Setattr { fid, attr: Change::mode(how.mode).0 });
                batch.push(&attr::ask(fid));
                if !data.is_empty() {
                    batch.push(&Tmessage::Write { fid, offset: 0, data: Data(data) });
                }
            })
            .await?;
        // What is no stored file may have permissions that nobody changes.
        if attr::said(&reached.replies[1])?.kind() == Mode::REGULAR {
            reached.replies[0].done()?;
        }
        let written = match reached.replies.get(2).map(Frame::reply).transpose()? {
            None => return Ok(()),
            Some(Rmessage::Write { count }) => count as usize,
            Some(other) => return Err(unexpected(&other)),
        };
        if written >= data.len() {
            return Ok(());
        }
        self.write_rest(path, how, reached.handle, data, written).await
    }
}
