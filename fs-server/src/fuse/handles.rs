//! The open files and directories behind the handles that the kernel sends back.

use super::list::Fit;
use super::passthrough::Way;
use fuser::{FileHandle, INodeNo};
use parking_lot::{Mutex, RwLock};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::task::AbortHandle;
use vfs::lock::LockOwner;
use vfs::{Errno, FileRef, Nature, Place, Result};

/// A file, opened so that a write goes where it says. That it goes to the end is said with each (O_APPEND can be put on and taken
/// off by fcntl(2)), and is not so of pages of a file that is mapped.
pub(super) struct Opened {
    pub(super) file: FileRef,
    /// What is appended to, where only another open file can do that in one step.
    pub(super) appender: Option<FileRef>,
}

impl From<FileRef> for Opened {
    fn from(file: FileRef) -> Opened {
        Opened { file, appender: None }
    }
}

/// An open file, and the place it was opened at.
pub(super) struct Open {
    pub(super) file: FileRef,
    appender: Option<FileRef>,
    pub(super) place: Place,
    /// How its bytes reach the kernel, until it is closed.
    _way: Option<Way>,
    /// The task that waits for the file to be ready, on behalf of poll(2). At most one: the kernel wakes all its pollers.
    poll: Mutex<Option<AbortHandle>>,
    /// For a directory: how much of it goes into one answer.
    pub(super) fit: Fit,
    /// Who has taken locks through it and not closed it since: an open file itself, mostly (flock(2), F_OFD_SETLK), of whose
    /// end the kernel tells nothing but that the file is closed.
    holders: Mutex<Vec<LockOwner>>,
    /// Of a stream: the inode, and the process that opened it.
    opener: Option<(u64, u32)>,
}

impl Open {
    pub(super) fn appender(&self) -> &FileRef {
        self.appender.as_ref().unwrap_or(&self.file)
    }

    /// `owner` may hold locks through this file from now on.
    pub(super) fn holds_locks_of(&self, owner: LockOwner) {
        let mut holders = self.holders.lock();
        if !holders.contains(&owner) {
            holders.push(owner);
        }
    }

    /// `owner` gives up all that he holds on the file.
    pub(super) fn gives_up(&self, owner: LockOwner) {
        self.holders.lock().retain(|holder| (holder.owner, holder.sort) != (owner.owner, owner.sort));
        self.file.release(owner);
    }

    /// Puts `waiter` in the place of the one before.
    pub(super) fn set_poll(&self, waiter: AbortHandle) {
        if let Some(before) = self.poll.lock().replace(waiter) {
            before.abort();
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if let Some(waiter) = self.poll.get_mut().take() {
            waiter.abort();
        }
        for holder in self.holders.get_mut().drain(..) {
            self.file.release(holder);
        }
    }
}

/// Open files and directories by the handle that the kernel sends back.
#[derive(Default)]
pub(super) struct Handles {
    next: AtomicU64,
    open: RwLock<HashMap<u64, Arc<Open>>>,
    /// The streams among them, by inode and the process that opened them last.
    streams: RwLock<HashMap<(u64, u32), u64>>,
}

impl Handles {
    /// `by` is the inode, and the process that opens it.
    pub(super) fn insert(
        &self,
        opened: impl Into<Opened>,
        place: Place,
        way: Option<Way>,
        by: (INodeNo, u32),
    ) -> FileHandle {
        let Opened { file, appender } = opened.into();
        let handle = self.next.fetch_add(1, Ordering::Relaxed);
        // A process of another number space has no number here.
        let opener = (file.nature() == Nature::Stream && by.1 != 0).then_some((by.0.0, by.1));
        if let Some(opener) = opener {
            self.streams.write().insert(opener, handle);
        }
        self.open.write().insert(
            handle,
            Arc::new(Open {
                file,
                appender,
                place,
                _way: way,
                poll: Mutex::default(),
                fit: Fit::default(),
                holders: Mutex::default(),
                opener,
            }),
        );
        FileHandle(handle)
    }

    pub(super) fn count(&self) -> usize {
        self.open.read().len()
    }

    /// The stream that process `pid` has open at `ino`. Readers of one stream may each have a length of their own, and the kernel
    /// does not say by which file it was asked for a status (fstat(2)), only by whom.
    pub(super) fn stream_of(&self, ino: INodeNo, pid: u32) -> Option<Arc<Open>> {
        let streams = self.streams.read();
        let handle = *streams.get(&(ino.0, pid))?;
        drop(streams);
        self.open.read().get(&handle).cloned()
    }

    pub(super) fn get(&self, handle: FileHandle) -> Result<Arc<Open>> {
        self.open.read().get(&handle.0).cloned().ok_or_else(|| Errno::EBADF.into())
    }

    /// Forgets the handle, and gives what it was: closing may do work of the tree's, not under the lock. What still runs on
    /// the file keeps it open until it ends.
    pub(super) fn remove(&self, handle: FileHandle) -> Option<Arc<Open>> {
        let open = self.open.write().remove(&handle.0)?;
        if let Some(opener) = &open.opener {
            let mut streams = self.streams.write();
            if streams.get(opener) == Some(&handle.0) {
                streams.remove(opener);
            }
        }
        Some(open)
    }
}
