//! An open file: what a Node file descriptor is, and what stdin, stdout and stderr are.

use super::attr::{self, Change};
use super::walk::errno;
use crate::link::{Handle, Sent, now, unexpected};
use deno_core::{BufMutView, BufView, ResourceHandleFd, WriteOutcome};
use deno_io::fs::{File, FsError, FsResult, FsStat};
use nine::wire::{
    Data, Fid, FsyncKind, Later, LockFlags, LockKind, LockStatus, LockedRange, Mode, OpenFlags, Rmessage,
    Tmessage,
};
use std::borrow::Cow;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A fid that is open, and what open(2) keeps beside it. Clones share both, as descriptors do after dup(2).
#[derive(Clone)]
pub struct OpenFile {
    handle: Arc<Handle>,
    path: PathBuf,
    flags: OpenFlags,
    position: Arc<Position>,
}

/// Where the next read or write without a position begins.
#[derive(Default)]
struct Position {
    at: AtomicU64,
    /// Held by a read that waits in the runtime, so that the next begins where it ends. Who is blocked does not wait for it, for
    /// it is this thread that has to go on with the read; that one finds the position elsewhere, then, and reads again.
    turn: tokio::sync::Mutex<()>,
}

impl Position {
    fn get(&self) -> u64 {
        self.at.load(Ordering::Relaxed)
    }

    fn set(&self, at: u64) {
        self.at.store(at, Ordering::Relaxed);
    }
}

impl OpenFile {
    pub(super) fn new(handle: Handle, path: PathBuf, flags: OpenFlags) -> OpenFile {
        OpenFile { handle: Arc::new(handle), path, flags, position: Arc::default() }
    }

    /// A standard file, which the control tree has opened.
    pub fn stdio(handle: Handle, flags: OpenFlags) -> OpenFile {
        OpenFile { handle: Arc::new(handle), path: PathBuf::new(), flags, position: Arc::default() }
    }

    /// Where it was opened, if it was by a name.
    pub fn path(&self) -> Option<&Path> {
        (!self.path.as_os_str().is_empty()).then_some(&self.path)
    }

    /// Whether both are one descriptor's, or its copies'.
    pub fn is_same(&self, other: &OpenFile) -> bool {
        Arc::ptr_eq(&self.position, &other.position)
    }

    /// Whether all that is written goes to its end.
    pub fn appends(&self) -> bool {
        self.flags.contains(OpenFlags::APPEND)
    }

    /// Where the next read without a position begins.
    pub fn position(&self) -> u64 {
        self.position.get()
    }

    fn fid(&self) -> Fid {
        self.handle.fid()
    }

    /// Asks for what comes next on a stream.
    pub fn ask_for_input(&self, count: u32) -> io::Result<Sent> {
        let mut batch = self.handle.link().batch();
        batch.push(&Tmessage::Read { fid: self.fid(), offset: 0, count });
        batch.send()
    }

    /// One read.
    pub async fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        if !self.flags.reads() {
            return Err(errno(libc::EBADF));
        }
        let count = buf.len().min(self.handle.link().chunk()) as u32;
        let frame = self.handle.link().ask(&Tmessage::Read { fid: self.fid(), offset, count }).await?;
        match frame.reply()? {
            Rmessage::Read { data } => {
                let n = data.0.len().min(buf.len());
                buf[..n].copy_from_slice(&data.0[..n]);
                Ok(n)
            }
            other => Err(unexpected(&other)),
        }
    }

    /// Everything from `offset` to the end.
    pub async fn read_to_end(&self, mut offset: u64, data: &mut Vec<u8>) -> io::Result<()> {
        let count = self.handle.link().chunk() as u32;
        loop {
            let frame = self.handle.link().ask(&Tmessage::Read { fid: self.fid(), offset, count }).await?;
            match frame.reply()? {
                Rmessage::Read { data: more } if more.0.is_empty() => return Ok(()),
                Rmessage::Read { data: more } => {
                    data.extend_from_slice(more.0);
                    offset += more.0.len() as u64;
                }
                other => return Err(unexpected(&other)),
            }
        }
    }

    /// One write.
    pub async fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<usize> {
        if !self.flags.writes() {
            return Err(errno(libc::EBADF));
        }
        if data.is_empty() {
            return Ok(0);
        }
        let data = Data(&data[..data.len().min(self.handle.link().chunk())]);
        let frame = self.handle.link().ask(&Tmessage::Write { fid: self.fid(), offset, data }).await?;
        match frame.reply()? {
            Rmessage::Write { count } => Ok(count as usize),
            other => Err(unexpected(&other)),
        }
    }

    /// All of `data`.
    pub async fn write_from(&self, mut offset: u64, mut data: &[u8]) -> io::Result<()> {
        while !data.is_empty() {
            let n = self.write_at(offset, data).await?;
            if n == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            offset += n as u64;
            data = &data[n..];
        }
        Ok(())
    }

    /// A read where the last one ended.
    pub async fn read_on(&self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            let at = self.position.get();
            let n = self.read_at(at, buf).await?;
            // Of what has no positions nothing comes a second time.
            if self.position.get() == at || self.meta().await.is_ok_and(|meta| meta.kind() != Mode::REGULAR) {
                self.position.set(at + n as u64);
                return Ok(n);
            }
        }
    }

    async fn write_on(&self, data: &[u8]) -> io::Result<usize> {
        let n = self.write_at(self.position.get(), data).await?;
        if self.flags.reads() && self.flags.contains(OpenFlags::APPEND) {
            self.position.set(self.meta().await?.0.size);
        } else {
            self.position.at.fetch_add(n as u64, Ordering::Relaxed);
        }
        Ok(n)
    }

    /// All of `data`, where the last write ended.
    pub async fn write_all_on(&self, mut data: &[u8]) -> io::Result<()> {
        while !data.is_empty() {
            match self.write_on(data).await? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                n => data = &data[n..],
            }
        }
        Ok(())
    }

    async fn read_rest(&self) -> io::Result<Vec<u8>> {
        let mut data = Vec::new();
        let at = self.position.get();
        self.read_to_end(at, &mut data).await?;
        self.position.set(at + data.len() as u64);
        Ok(data)
    }

    /// fstat(2).
    pub async fn meta(&self) -> io::Result<super::Meta> {
        attr::said(&self.handle.link().ask(&attr::ask(self.fid())).await?)
    }

    pub(super) async fn set(&self, change: Change) -> io::Result<()> {
        self.handle.link().ask(&Tmessage::Setattr { fid: self.fid(), attr: change.0 }).await?.done()
    }

    /// ftruncate(2).
    async fn cut(&self, len: u64) -> io::Result<()> {
        if !self.flags.writes() {
            return Err(errno(libc::EINVAL));
        }
        self.set(Change::size(len)).await
    }

    async fn seek(&self, to: io::SeekFrom) -> io::Result<u64> {
        let (base, by) = match to {
            io::SeekFrom::Start(at) => (0, i64::try_from(at).map_err(|_| errno(libc::EINVAL))?),
            io::SeekFrom::Current(by) => (self.position.get() as i64, by),
            io::SeekFrom::End(by) => (self.meta().await?.0.size as i64, by),
        };
        let at = base.checked_add(by).filter(|at| *at >= 0).ok_or_else(|| errno(libc::EINVAL))?;
        self.position.set(at as u64);
        Ok(at as u64)
    }

    pub(super) async fn fsync(&self, datasync: FsyncKind) -> io::Result<()> {
        self.handle
            .link()
            .ask(&Tmessage::Fsync { fid: self.fid(), datasync: Later(Some(datasync)) })
            .await?
            .done()
    }

    /// Whether it was granted.
    pub(super) async fn lock(&self, kind: LockKind, flags: LockFlags) -> io::Result<bool> {
        let range = LockedRange { start: 0, length: 0, proc_id: std::process::id(), client_id: b"" };
        let frame = self.handle.link().ask(&Tmessage::Lock { fid: self.fid(), kind, flags, range }).await?;
        match frame.reply()? {
            Rmessage::Lock { status } => Ok(status == LockStatus::SUCCESS),
            other => Err(unexpected(&other)),
        }
    }

    pub(super) async fn lock_for(&self, exclusive: bool, flags: LockFlags) -> io::Result<bool> {
        self.lock(if exclusive { LockKind::WRITE } else { LockKind::READ }, flags).await
    }
}

#[async_trait::async_trait(?Send)]
impl File for OpenFile {
    fn maybe_path(&self) -> Option<&Path> {
        self.path()
    }

    fn read_sync(self: Rc<Self>, buf: &mut [u8]) -> FsResult<usize> {
        Ok(now(self.read_on(buf))?)
    }

    async fn read_byob(self: Rc<Self>, mut buf: BufMutView) -> FsResult<(usize, BufMutView)> {
        let _turn = self.position.turn.lock().await;
        let n = self.read_on(&mut buf).await?;
        Ok((n, buf))
    }

    fn write_sync(self: Rc<Self>, buf: &[u8]) -> FsResult<usize> {
        Ok(now(self.write_on(buf))?)
    }

    async fn write(self: Rc<Self>, buf: BufView) -> FsResult<WriteOutcome> {
        let nwritten = self.write_on(&buf).await?;
        Ok(if nwritten == buf.len() {
            WriteOutcome::Full { nwritten }
        } else {
            WriteOutcome::Partial { nwritten, view: buf }
        })
    }

    fn write_all_sync(self: Rc<Self>, buf: &[u8]) -> FsResult<()> {
        Ok(now(self.write_all_on(buf))?)
    }

    async fn write_all(self: Rc<Self>, buf: BufView) -> FsResult<()> {
        Ok(self.write_all_on(&buf).await?)
    }

    fn read_all_sync(self: Rc<Self>) -> FsResult<Cow<'static, [u8]>> {
        Ok(now(self.read_rest())?.into())
    }

    async fn read_all_async(self: Rc<Self>) -> FsResult<Cow<'static, [u8]>> {
        let _turn = self.position.turn.lock().await;
        Ok(self.read_rest().await?.into())
    }

    fn chmod_sync(self: Rc<Self>, mode: u32) -> FsResult<()> {
        Ok(now(self.set(Change::mode(mode)))?)
    }

    async fn chmod_async(self: Rc<Self>, mode: u32) -> FsResult<()> {
        Ok(self.set(Change::mode(mode)).await?)
    }

    fn chown_sync(self: Rc<Self>, uid: Option<u32>, gid: Option<u32>) -> FsResult<()> {
        Ok(now(self.set(Change::owner(uid, gid)))?)
    }

    async fn chown_async(self: Rc<Self>, uid: Option<u32>, gid: Option<u32>) -> FsResult<()> {
        Ok(self.set(Change::owner(uid, gid)).await?)
    }

    fn seek_sync(self: Rc<Self>, to: io::SeekFrom) -> FsResult<u64> {
        Ok(now(self.seek(to))?)
    }

    async fn seek_async(self: Rc<Self>, to: io::SeekFrom) -> FsResult<u64> {
        Ok(self.seek(to).await?)
    }

    fn datasync_sync(self: Rc<Self>) -> FsResult<()> {
        Ok(now(self.fsync(FsyncKind::DATA_ONLY))?)
    }

    async fn datasync_async(self: Rc<Self>) -> FsResult<()> {
        Ok(self.fsync(FsyncKind::DATA_ONLY).await?)
    }

    fn sync_sync(self: Rc<Self>) -> FsResult<()> {
        Ok(now(self.fsync(FsyncKind::empty()))?)
    }

    async fn sync_async(self: Rc<Self>) -> FsResult<()> {
        Ok(self.fsync(FsyncKind::empty()).await?)
    }

    fn stat_sync(self: Rc<Self>) -> FsResult<FsStat> {
        Ok(now(self.meta())?.stat())
    }

    async fn stat_async(self: Rc<Self>) -> FsResult<FsStat> {
        Ok(self.meta().await?.stat())
    }

    fn lock_sync(self: Rc<Self>, exclusive: bool) -> FsResult<()> {
        now(self.lock_for(exclusive, LockFlags::BLOCK))?;
        Ok(())
    }

    async fn lock_async(self: Rc<Self>, exclusive: bool) -> FsResult<()> {
        self.lock_for(exclusive, LockFlags::BLOCK).await?;
        Ok(())
    }

    fn try_lock_sync(self: Rc<Self>, exclusive: bool) -> FsResult<bool> {
        Ok(now(self.lock_for(exclusive, LockFlags::empty()))?)
    }

    async fn try_lock_async(self: Rc<Self>, exclusive: bool) -> FsResult<bool> {
        Ok(self.lock_for(exclusive, LockFlags::empty()).await?)
    }

    fn unlock_sync(self: Rc<Self>) -> FsResult<()> {
        now(self.lock(LockKind::UNLOCK, LockFlags::empty()))?;
        Ok(())
    }

    async fn unlock_async(self: Rc<Self>) -> FsResult<()> {
        self.lock(LockKind::UNLOCK, LockFlags::empty()).await?;
        Ok(())
    }

    fn truncate_sync(self: Rc<Self>, len: u64) -> FsResult<()> {
        Ok(now(self.cut(len))?)
    }

    async fn truncate_async(self: Rc<Self>, len: u64) -> FsResult<()> {
        Ok(self.cut(len).await?)
    }

    fn utime_sync(
        self: Rc<Self>,
        atime: i64,
        atime_nanos: u32,
        mtime: i64,
        mtime_nanos: u32,
    ) -> FsResult<()> {
        Ok(now(self.set(Change::times((atime, atime_nanos), (mtime, mtime_nanos))))?)
    }

    async fn utime_async(
        self: Rc<Self>,
        atime: i64,
        atime_nanos: u32,
        mtime: i64,
        mtime_nanos: u32,
    ) -> FsResult<()> {
        Ok(self.set(Change::times((atime, atime_nanos), (mtime, mtime_nanos))).await?)
    }

    fn read_at_sync(self: Rc<Self>, buf: &mut [u8], position: u64) -> FsResult<usize> {
        Ok(now(self.read_at(position, buf))?)
    }

    async fn read_at_async(
        self: Rc<Self>,
        mut buf: BufMutView,
        position: u64,
    ) -> FsResult<(usize, BufMutView)> {
        let n = self.read_at(position, &mut buf).await?;
        Ok((n, buf))
    }

    fn write_at_sync(self: Rc<Self>, buf: &[u8], position: u64) -> FsResult<usize> {
        Ok(now(self.write_at(position, buf))?)
    }

    fn as_stdio(self: Rc<Self>) -> FsResult<std::process::Stdio> {
        Err(FsError::NotSupported)
    }

    fn backing_fd(self: Rc<Self>) -> Option<ResourceHandleFd> {
        None
    }

    fn try_clone_inner(self: Rc<Self>) -> FsResult<Rc<dyn File>> {
        Ok(self)
    }
}
