//! How much a tree holds, and how much it may.

use crate::{Errno, Error, Name, Result, StatFs};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// The unit in which file data is counted.
pub(crate) const PAGE: u64 = 4096;

/// Is told of what there is no room for.
type Teller = Box<dyn Fn(Full) + Send + Sync>;

/// What a tree may hold no more of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Full {
    Bytes,
    Inodes,
}

/// Bytes and inodes in use, against their limits.
pub(crate) struct Space {
    max_bytes: AtomicU64,
    bytes: AtomicU64,
    max_inodes: AtomicU64,
    inodes: AtomicU64,
    told: OnceLock<Teller>,
}

/// What is counted, as messages have it.
const BYTES: &str = "bytes";
const INODES: &str = "files and directories";

fn take(used: &AtomicU64, more: u64, max: &AtomicU64, unit: &str) -> Result<()> {
    let before = used.fetch_add(more, Ordering::Relaxed);
    let max = max.load(Ordering::Relaxed);
    if before.checked_add(more).is_some_and(|after| after <= max) {
        return Ok(());
    }
    used.fetch_sub(more, Ordering::Relaxed);
    Err(Error::new(Errno::ENOSPC, format!("file system is full: it may hold {max} {unit}")))
}

impl Space {
    pub(crate) fn new(max_bytes: u64, max_inodes: u64) -> Space {
        Space {
            max_bytes: AtomicU64::new(max_bytes),
            bytes: AtomicU64::new(0),
            max_inodes: AtomicU64::new(max_inodes),
            inodes: AtomicU64::new(0),
            told: OnceLock::new(),
        }
    }

    /// Other limits from now on; what is held beyond them stays.
    pub(crate) fn set_limits(&self, max_bytes: u64, max_inodes: u64) {
        self.max_bytes.store(max_bytes, Ordering::Relaxed);
        self.max_inodes.store(max_inodes, Ordering::Relaxed);
    }

    /// From now on `tell` hears of each refusal. It is called with locks of the tree held: it must neither wait nor ask the
    /// tree anything. The first that is set stays.
    pub(crate) fn tell(&self, tell: impl Fn(Full) + Send + Sync + 'static) {
        // It has one already.
        let _ = self.told.set(Box::new(tell));
    }
    fn refused(&self, full: Full) {
        if let Some(tell) = self.told.get() {
            tell(full);
        }
    }

    pub(crate) fn take_bytes(&self, more: u64) -> Result<()> {
        take(&self.bytes, more, &self.max_bytes, BYTES).inspect_err(|_| self.refused(Full::Bytes))
    }
    pub(crate) fn give_bytes(&self, less: u64) {
        self.bytes.fetch_sub(less, Ordering::Relaxed);
    }
    pub(crate) fn take_inode(&self) -> Result<()> {
        take(&self.inodes, 1, &self.max_inodes, INODES).inspect_err(|_| self.refused(Full::Inodes))
    }
    /// For many inodes and what they hold, all or nothing.
    pub(crate) fn take_all(&self, bytes: u64, inodes: u64) -> Result<()> {
        let taken = take(&self.inodes, inodes, &self.max_inodes, INODES);
        taken.inspect_err(|_| self.refused(Full::Inodes))?;
        self.take_bytes(bytes).inspect_err(|_| {
            self.inodes.fetch_sub(inodes, Ordering::Relaxed);
        })
    }
    pub(crate) fn give_all(&self, bytes: u64, inodes: u64) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.inodes.fetch_sub(inodes, Ordering::Relaxed);
    }
    /// For what there must be: a root, without which a tree would be none.
    pub(crate) fn count(&self, bytes: u64, inodes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.inodes.fetch_add(inodes, Ordering::Relaxed);
    }
    pub(crate) fn give_inode(&self) {
        self.inodes.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn used_bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
    pub(crate) fn used_inodes(&self) -> u64 {
        self.inodes.load(Ordering::Relaxed)
    }
    pub(crate) fn max_bytes(&self) -> u64 {
        self.max_bytes.load(Ordering::Relaxed)
    }
    pub(crate) fn max_inodes(&self) -> u64 {
        self.max_inodes.load(Ordering::Relaxed)
    }
    pub(crate) fn free_bytes(&self) -> u64 {
        self.max_bytes().saturating_sub(self.used_bytes())
    }

    /// As a file system of the type `kind` tells it.
    pub(crate) fn statfs(&self, kind: u32) -> StatFs {
        let free = self.free_bytes() / PAGE;
        StatFs {
            kind,
            bsize: PAGE as u32,
            blocks: self.max_bytes() / PAGE,
            bfree: free,
            bavail: free,
            files: self.max_inodes(),
            ffree: self.max_inodes().saturating_sub(self.used_inodes()),
            fsid: 0,
            namelen: Name::MAX as u32,
        }
    }
}
