//! An open regular file of the host: a descriptor of its own, read and written at offsets.

use super::fd::Fd;
use super::late;
use super::node::HostNode;
use crate::lock::{Lock, LockOwner};
use crate::*;
use parking_lot::Mutex;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::FallocateFlags;
use rustix::io::{Errno as E, IoSlice, ReadWriteFlags, retry_on_intr};
use std::sync::Arc;

pub(super) struct HostFile {
    node: NodeRef,
    /// The same, as what it is.
    host: Arc<HostNode>,
    /// Shared with an fsync that is under way on another thread.
    fd: Arc<Fd>,
    appends: bool,
    /// Who has it open for writing.
    writer: Option<Writer>,
    /// One append at a time: the descriptor's own offset tells where it ended.
    end: Mutex<()>,
}

impl HostFile {
    pub fn new(host: Arc<HostNode>, fd: Arc<Fd>, who: &Caller, flags: OpenFlags) -> HostFile {
        let writer = flags.contains(OpenFlags::WRITE).then(|| Writer::new(who));
        HostFile::opened(host, fd, flags.contains(OpenFlags::APPEND), writer)
    }

    /// One that `writer` has open for writing, if anybody.
    pub fn opened(host: Arc<HostNode>, fd: Arc<Fd>, appends: bool, writer: Option<Writer>) -> HostFile {
        HostFile { node: host.clone(), host, fd, appends, writer, end: Mutex::new(()) }
    }

    /// To be called when the content was changed.
    pub fn written(&self) -> Result<()> {
        let host = &self.host;
        host.changed();
        // The kernel leaves it to a server that is root to clear set-id bits.
        match &self.writer {
            Some(writer) if host.is_set_id() && host.tree.own.is_root() => host.clear_set_id(writer),
            _ => Ok(()),
        }
    }

    fn append_now(&self, data: &[u8]) -> Result<(usize, u64)> {
        let (written, end) = {
            let _one = self.end.lock();
            // Offset -1: at the descriptor's own, which RWF_APPEND first sets to the end and the write then moves on.
            let at_end =
                || rustix::io::pwritev2(&self.fd, &[IoSlice::new(data)], u64::MAX, ReadWriteFlags::APPEND);
            let written = retry_on_intr(at_end)?;
            (written, rustix::fs::seek(&self.fd, rustix::fs::SeekFrom::Current(0))?)
        };
        self.written()?;
        Ok((written, end))
    }

    fn write_now(&self, offset: u64, data: &[u8]) -> Result<usize> {
        if self.appends {
            return self.append_now(data).map(|(written, _)| written);
        }
        let written = pwrite(&self.fd, offset, data)?;
        self.written()?;
        Ok(written)
    }
}

impl OpenFile for HostFile {
    fn node(&self) -> &NodeRef {
        &self.node
    }
    fn kind(&self) -> Kind {
        Kind::File
    }
    fn nature(&self) -> Nature {
        Nature::Storage
    }
    fn stat(&self) -> Op<'_, Stat> {
        self.host.stat_through(&self.fd)
    }
    /// Not where set-id bits are there to be cleared, or left, by who it is that writes.
    fn backing(&self) -> Option<BorrowedFd<'_>> {
        (!self.host.is_set_id()).then(|| self.fd.as_fd())
    }
    fn read<'a>(&'a self, offset: u64, buf: &'a mut [u8]) -> Op<'a, usize> {
        pread(&self.fd, offset, buf).into()
    }
    fn write<'a>(&'a self, offset: u64, data: &'a [u8]) -> Op<'a, usize> {
        self.write_now(offset, data).into()
    }
    fn append<'a>(&'a self, data: &'a [u8]) -> Op<'a, (usize, u64)> {
        self.append_now(data).into()
    }
    fn set_size(&self, size: u64) -> Op<'_, ()> {
        let done = retry_on_intr(|| rustix::fs::ftruncate(&self.fd, size)).map_err(Error::from);
        done.and_then(|()| self.written()).into()
    }
    fn allocate(&self, offset: u64, len: u64, how: Allocate) -> Op<'_, ()> {
        let how = FallocateFlags::from_bits_retain(how.bits());
        let done = retry_on_intr(|| rustix::fs::fallocate(&self.fd, how, offset, len)).map_err(Error::from);
        done.and_then(|()| self.written()).into()
    }
    fn seek(&self, offset: u64, extent: Extent) -> Op<'_, u64> {
        let from = match extent {
            Extent::Data => rustix::fs::SeekFrom::Data(offset),
            Extent::Hole => rustix::fs::SeekFrom::Hole(offset),
        };
        // The descriptor's own offset is of use to nobody else while this holds the place where appends read it.
        let _one = self.end.lock();
        rustix::fs::seek(&self.fd, from).map_err(Error::from).into()
    }
    fn fsync(&self, data_only: bool) -> Op<'_, ()> {
        sync(self.fd.clone(), data_only)
    }
    fn flush(&self) -> Op<'_, ()> {
        if self.writer.is_some() {
            late::tell(&self.host.tree, self.host.device(), &self.fd)
        } else {
            Op::ok(())
        }
    }
    // A file that is open keeps its inode and so its number: locks are kept by that.
    fn lock<'a>(&'a self, owner: LockOwner, lock: Lock, wait: bool) -> Op<'a, ()> {
        self.host.tree.locks.lock(self.host.qid().path, owner, lock, wait)
    }
    fn getlock(&self, owner: LockOwner, lock: Lock) -> Op<'_, Option<(LockOwner, Lock)>> {
        Op::ok(self.host.tree.locks.getlock(self.host.qid().path, owner, lock))
    }
    fn release(&self, owner: LockOwner) {
        self.host.tree.locks.release(self.host.qid().path, owner);
    }
}

/// pread(2), right where it is asked for: see `direct.rs`.
#[inline(always)]
pub(super) fn pread(fd: &OwnedFd, offset: u64, buf: &mut [u8]) -> Result<usize> {
    loop {
        match rustix::io::pread(fd, &mut *buf, offset) {
            Err(E::INTR) => {}
            read => return Ok(read?),
        }
    }
}

/// pwrite(2), likewise.
#[inline(always)]
pub(super) fn pwrite(fd: &OwnedFd, offset: u64, data: &[u8]) -> Result<usize> {
    loop {
        match rustix::io::pwrite(fd, data, offset) {
            Err(E::INTR) => {}
            written => return Ok(written?),
        }
    }
}

/// fsync(2) or fdatasync(2).
pub(super) fn sync<'a>(fd: Arc<Fd>, data_only: bool) -> Op<'a, ()> {
    waiting(move || {
        let done = if data_only { rustix::fs::fdatasync(&fd) } else { rustix::fs::fsync(&fd) };
        Ok(done?)
    })
}

/// Does `work` on a thread that may wait, where there is a runtime that has some.
pub(super) fn waiting<'a>(work: impl FnOnce() -> Result<()> + Send + 'static) -> Op<'a, ()> {
    match tokio::runtime::Handle::try_current() {
        Err(_) => work().into(),
        Ok(runtime) => Op::later(async move {
            match runtime.spawn_blocking(work).await {
                Ok(done) => done,
                Err(_) => Err(Error::new(Errno::ECANCELED, "the server is shutting down")),
            }
        }),
    }
}
