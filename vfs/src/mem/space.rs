//! How much a tree holds, and how much it may.

use crate::{Errno, Result};
use std::sync::atomic::{AtomicU64, Ordering};

/// The unit in which file data is counted.
pub(super) const PAGE: u64 = 4096;

/// Bytes and inodes in use, against their limits.
pub(super) struct Space {
    max_bytes: u64,
    bytes: AtomicU64,
    max_inodes: u64,
    inodes: AtomicU64,
}

fn take(used: &AtomicU64, more: u64, max: u64) -> Result<()> {
    let before = used.fetch_add(more, Ordering::Relaxed);
    if before.checked_add(more).is_some_and(|after| after <= max) {
        return Ok(());
    }
    used.fetch_sub(more, Ordering::Relaxed);
    Errno::ENOSPC.into()
}

impl Space {
    pub(super) fn new(max_bytes: u64, max_inodes: u64) -> Space {
        Space { max_bytes, bytes: AtomicU64::new(0), max_inodes, inodes: AtomicU64::new(0) }
    }

    pub(super) fn take_bytes(&self, more: u64) -> Result<()> {
        take(&self.bytes, more, self.max_bytes)
    }
    pub(super) fn give_bytes(&self, less: u64) {
        self.bytes.fetch_sub(less, Ordering::Relaxed);
    }
    pub(super) fn take_inode(&self) -> Result<()> {
        take(&self.inodes, 1, self.max_inodes)
    }
    /// For the root, without which a tree would be none.
    pub(super) fn count_root(&self) {
        self.inodes.fetch_add(1, Ordering::Relaxed);
    }
    pub(super) fn give_inode(&self) {
        self.inodes.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn used_bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
    pub(super) fn used_inodes(&self) -> u64 {
        self.inodes.load(Ordering::Relaxed)
    }
    pub(super) fn max_bytes(&self) -> u64 {
        self.max_bytes
    }
    pub(super) fn max_inodes(&self) -> u64 {
        self.max_inodes
    }
    pub(super) fn free_bytes(&self) -> u64 {
        self.max_bytes.saturating_sub(self.used_bytes())
    }
}
