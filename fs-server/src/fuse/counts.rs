//! How many requests of each kind the kernel has sent, how many wait, and what it holds of us.

use super::handles::Handles;
use super::inodes::Inodes;
use parking_lot::Mutex;
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Weak};

/// The requests that are counted, the most frequent first: they are looked for in this order.
const OPERATIONS: [&str; 32] = [
    "getattr",
    "lookup",
    "read",
    "write",
    "open",
    "flush",
    "release",
    "readdirplus",
    "opendir",
    "releasedir",
    "forget",
    "setattr",
    "create",
    "unlink",
    "mkdir",
    "rmdir",
    "rename",
    "readdir",
    "readlink",
    "symlink",
    "link",
    "mknod",
    "fsync",
    "statfs",
    "getxattr",
    "setxattr",
    "listxattr",
    "removexattr",
    "getlk",
    "setlk",
    "fallocate",
    "other",
];

/// Session threads count each in a place of its own, as far as there are places.
const PLACES: usize = 16;

#[derive(Default)]
#[repr(align(128))]
struct Place {
    requests: [AtomicU64; OPERATIONS.len()],
    refused: AtomicU64,
}

/// The counts of a server's mounts.
#[derive(Default)]
pub struct Counts {
    places: [Place; PLACES],
    waiting: AtomicUsize,
    mounts: Mutex<Vec<(Weak<Inodes>, Weak<Handles>)>>,
}

/// What the kernel holds of us: how many mounts, inodes and open files.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Held {
    pub mounts: usize,
    pub inodes: usize,
    pub files: usize,
}

impl Counts {
    fn place(&self) -> &Place {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        thread_local!(static MINE: Cell<usize> = Cell::new(NEXT.fetch_add(1, Relaxed) % PLACES));
        &self.places[MINE.get()]
    }

    pub(super) fn requested(&self, operation: &str) {
        let known = OPERATIONS.iter().position(|known| *known == operation);
        self.place().requests[known.unwrap_or(OPERATIONS.len() - 1)].fetch_add(1, Relaxed);
    }
    pub(super) fn refused(&self) {
        self.place().refused.fetch_add(1, Relaxed);
    }
    /// A request waits as long as what comes back is held.
    pub(super) fn wait(self: &Arc<Counts>) -> Waiting {
        self.waiting.fetch_add(1, Relaxed);
        Waiting(self.clone())
    }
    pub(super) fn mounted(&self, inodes: &Arc<Inodes>, handles: &Arc<Handles>) {
        let mut mounts = self.mounts.lock();
        mounts.retain(|(inodes, _)| inodes.strong_count() > 0);
        mounts.push((Arc::downgrade(inodes), Arc::downgrade(handles)));
    }

    /// How many there have been of each kind.
    pub fn requests(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        let sum = |at: usize| self.places.iter().map(|place| place.requests[at].load(Relaxed)).sum();
        OPERATIONS.iter().enumerate().map(move |(at, operation)| (*operation, sum(at)))
    }
    /// How many were answered with an error.
    pub fn errors(&self) -> u64 {
        self.places.iter().map(|place| place.refused.load(Relaxed)).sum()
    }
    /// How many wait now.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Relaxed)
    }
    pub fn held(&self) -> Held {
        let mounts = self.mounts.lock();
        let live = mounts.iter().filter_map(|(inodes, handles)| inodes.upgrade().zip(handles.upgrade()));
        live.fold(Held::default(), |sum, (inodes, handles)| Held {
            mounts: sum.mounts + 1,
            inodes: sum.inodes + inodes.count(),
            files: sum.files + handles.count(),
        })
    }
}

/// A request that waits.
pub(super) struct Waiting(Arc<Counts>);

impl Waiting {
    pub(super) fn counts(&self) -> &Counts {
        &self.0
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Relaxed);
    }
}

impl std::fmt::Debug for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Counts({:?}, {} waiting)", self.held(), self.waiting())
    }
}
