//! What the kernel holds of us: the places behind its inode numbers, and the open files behind its handles.
//!
//! An inode number is the place's own identity (its qid path), so hard links share one inode and a directory seen at two
//! names (a bind, a task's root) is two. The kernel counts the entries that it was given and gives them back with FORGET.

use super::list::Fit;
use fuser::{FileHandle, INodeNo};
use parking_lot::{Mutex, RwLock};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::task::AbortHandle;
use vfs::lock::LockOwner;
use vfs::{Errno, FileRef, Namespace, Place, Result};

/// One inode that the kernel knows.
struct Inode {
    /// The name it was last reached by.
    place: Place,
    lookups: AtomicU64,
    /// The version that was open last, plus one; 0 before the first open. The kernel's pages are of that version.
    cached: AtomicU64,
}

pub(super) struct Inodes {
    ns: Namespace,
    known: RwLock<HashMap<u64, Inode>>,
}

/// The kernel's number for a place. 0 is no inode and 1 the root of the mount, whatever the trees say.
pub(super) fn number(place: &Place) -> INodeNo {
    INodeNo(match place.qid().path {
        0 => u64::MAX,
        1 => u64::MAX - 1,
        path => path,
    })
}

impl Inodes {
    pub(super) fn new(ns: Namespace) -> Inodes {
        Inodes { ns, known: RwLock::default() }
    }

    /// The place behind `ino`; ESTALE for one that was never given out or is forgotten.
    pub(super) fn place(&self, ino: INodeNo) -> Result<Place> {
        if ino == INodeNo::ROOT {
            return Ok(self.ns.root());
        }
        match self.known.read().get(&ino.0) {
            Some(inode) => Ok(inode.place.clone()),
            None => Errno::ESTALE.into(),
        }
    }

    /// Counts one more entry given to the kernel.
    pub(super) fn remember(&self, place: &Place) -> INodeNo {
        let ino = number(place);
        if let Some(inode) = self.known.read().get(&ino.0)
            && same_name(&inode.place, place)
        {
            inode.lookups.fetch_add(1, Ordering::Relaxed);
            return ino;
        }
        let mut known = self.known.write();
        let inode = known.entry(ino.0).or_insert_with(|| Inode {
            place: place.clone(),
            lookups: AtomicU64::new(0),
            cached: AtomicU64::new(0),
        });
        inode.place = place.clone();
        *inode.lookups.get_mut() += 1;
        ino
    }

    pub(super) fn forget(&self, ino: INodeNo, count: u64) {
        let mut known = self.known.write();
        if let Some(inode) = known.get_mut(&ino.0) {
            let left = inode.lookups.get_mut();
            *left = left.saturating_sub(count);
            if *left == 0 {
                known.remove(&ino.0);
            }
        }
    }

    /// Notes that the content `version` is about to be cached, and says whether it is what the kernel has already.
    pub(super) fn still_cached(&self, ino: INodeNo, version: u32) -> bool {
        let version = u64::from(version) + 1;
        let known = self.known.read();
        known.get(&ino.0).is_some_and(|inode| inode.cached.swap(version, Ordering::Relaxed) == version)
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.known.read().len()
    }
}

/// Reached by the same name in the same directory? A renamed file keeps its inode but not its place.
fn same_name(a: &Place, b: &Place) -> bool {
    Arc::ptr_eq(a.node(), b.node()) && a.name() == b.name() && a.parent().qid() == b.parent().qid()
}

/// An open file, and the place it was opened at.
pub(super) struct Open {
    pub(super) file: FileRef,
    pub(super) place: Place,
    /// The task that waits for the file to be ready, on behalf of poll(2). At most one: the kernel wakes all its pollers.
    poll: Mutex<Option<AbortHandle>>,
    /// For a directory: how much of it goes into one answer.
    pub(super) fit: Fit,
    /// Who has taken locks through it and not closed it since: an open file itself, mostly (flock(2), F_OFD_SETLK), of whose
    /// end the kernel tells nothing but that the file is closed.
    holders: Mutex<Vec<LockOwner>>,
}

impl Open {
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
}

impl Handles {
    pub(super) fn insert(&self, file: FileRef, place: Place) -> FileHandle {
        let handle = self.next.fetch_add(1, Ordering::Relaxed);
        let open =
            Open { file, place, poll: Mutex::default(), fit: Fit::default(), holders: Mutex::default() };
        self.open.write().insert(handle, Arc::new(open));
        FileHandle(handle)
    }

    pub(super) fn get(&self, handle: FileHandle) -> Result<Arc<Open>> {
        self.open.read().get(&handle.0).cloned().ok_or_else(|| Errno::EBADF.into())
    }

    /// Forgets the handle. What still runs on the file keeps it open until it ends.
    pub(super) fn remove(&self, handle: FileHandle) {
        let closed = self.open.write().remove(&handle.0);
        // Closing may do work of the tree's: not under the lock.
        drop(closed);
    }
}
