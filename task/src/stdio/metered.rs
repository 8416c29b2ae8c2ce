//! What a task writes to its stdout and stderr is counted and bounded here, whatever is bound over them.

use crate::{Exit, Task};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use vfs::lock::{Lock, LockOwner};
use vfs::{Allocate, Extent, FileRef, Interest, Nature, NodeRef, Op, OpenFile, Sink, Terminal};

/// An open stdout or stderr of `task`. Writes to a storage file go to its end, so that both can share one.
pub(crate) struct Metered {
    file: FileRef,
    task: Weak<Task>,
}

impl Metered {
    pub(crate) fn new(file: FileRef, task: &Arc<Task>) -> Metered {
        Metered { file, task: Arc::downgrade(task) }
    }

    /// How much of `wanted` bytes may still be written. The task that would go beyond is killed: none, and the write that
    /// asked is not to come back, lest the program ends by itself with an error of its own.
    fn allowance(&self, wanted: usize) -> Option<usize> {
        let Some(task) = self.task.upgrade() else { return Some(wanted) };
        let Some(limit) = task.limits().output else { return Some(wanted) };
        let left = limit.saturating_sub(task.usage.output.load(Ordering::Relaxed));
        if left == 0 && wanted > 0 {
            let message = format!("output limit {} reached", crate::limits::show_size(limit));
            // It may have ended by itself in the meantime: then there is nothing left to kill.
            let _ = task.life.kill(Exit::killed(128 + 25, message));
            return None;
        }
        Some(wanted.min(usize::try_from(left).unwrap_or(usize::MAX)))
    }

    fn count(&self, written: usize) {
        if let Some(task) = self.task.upgrade() {
            task.usage.output.fetch_add(written as u64, Ordering::Relaxed);
        }
    }
}

impl OpenFile for Metered {
    fn node(&self) -> &NodeRef {
        self.file.node()
    }
    fn nature(&self) -> Nature {
        self.file.nature()
    }
    fn terminal(&self) -> Option<&dyn Terminal> {
        self.file.terminal()
    }
    fn read<'a>(&'a self, offset: u64, buf: &'a mut [u8]) -> Op<'a, usize> {
        self.file.read(offset, buf)
    }
    fn write<'a>(&'a self, offset: u64, data: &'a [u8]) -> Op<'a, usize> {
        let Some(allowed) = self.allowance(data.len()) else { return Op::later(std::future::pending()) };
        let data = &data[..allowed];
        let op = match self.file.nature() {
            Nature::Storage => self.file.append(data).map(|(count, _)| count),
            Nature::Device | Nature::Stream => self.file.write(offset, data),
        };
        op.map(|count| {
            self.count(count);
            count
        })
    }
    fn append<'a>(&'a self, data: &'a [u8]) -> Op<'a, (usize, u64)> {
        let Some(allowed) = self.allowance(data.len()) else { return Op::later(std::future::pending()) };
        self.file.append(&data[..allowed]).map(|(count, end)| {
            self.count(count);
            (count, end)
        })
    }
    fn readdir<'a>(&'a self, cookie: u64, sink: &'a mut Sink<'a>) -> Op<'a, ()> {
        self.file.readdir(cookie, sink)
    }
    fn ready(&self, interest: Interest) -> Op<'_, ()> {
        self.file.ready(interest)
    }
    fn set_size(&self, size: u64) -> Op<'_, ()> {
        self.file.set_size(size)
    }
    fn allocate(&self, offset: u64, len: u64, how: Allocate) -> Op<'_, ()> {
        self.file.allocate(offset, len, how)
    }
    fn seek(&self, offset: u64, extent: Extent) -> Op<'_, u64> {
        self.file.seek(offset, extent)
    }
    fn fsync(&self, data_only: bool) -> Op<'_, ()> {
        self.file.fsync(data_only)
    }
    fn flush(&self) -> Op<'_, ()> {
        self.file.flush()
    }
    fn lock<'a>(&'a self, owner: LockOwner, lock: Lock, wait: bool) -> Op<'a, ()> {
        self.file.lock(owner, lock, wait)
    }
    fn getlock(&self, owner: LockOwner, lock: Lock) -> Op<'_, Option<(LockOwner, Lock)>> {
        self.file.getlock(owner, lock)
    }
    fn release(&self, owner: LockOwner) {
        self.file.release(owner)
    }
}
