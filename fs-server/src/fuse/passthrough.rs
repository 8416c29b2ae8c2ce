//! Files of this machine, given to the kernel to be read and written without us (FUSE_PASSTHROUGH, Linux 6.9; the superuser's).
//!
//! The kernel takes a file's bytes one way or the other: as long as one has it open through us, with the kernel's own page
//! cache, the next must have it so too, and as long as one has it open passed through, so must the next. So each inode
//! knows which way those who have it open go.
//!
//! The kernel writes with the rights that the file was given to it with, whoever writes. They are ours but for the one to leave
//! set-id bits on what is written (CAP_FSETID), which no mere user has: a file that gets such a bit while it is open loses it
//! when it is written, by the superuser too.

use fuser::BackingId;
use parking_lot::Mutex;
use rustix::fd::BorrowedFd;
use rustix::thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

/// How an inode is open.
#[derive(Default)]
pub(super) struct Ways {
    /// Held by each who goes through us.
    through_us: Weak<()>,
    /// Held by each who does not.
    passed: Weak<BackingId>,
}

/// Held by an open file.
pub(super) enum Way {
    ThroughUs { _kept: Arc<()> },
    Passed(Arc<BackingId>),
}

/// Whether the kernel lets us pass files through at all: not before it has offered it, nor after it has refused for a reason
/// that will stay.
#[derive(Default)]
pub(super) struct Passthrough(AtomicBool);

impl Passthrough {
    pub(super) fn is_offered(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// The way for one more who opens the inode. `register` makes the kernel take the file in.
    pub(super) fn way(
        &self,
        ways: &Mutex<Ways>,
        backing: Option<BorrowedFd<'_>>,
        register: impl FnOnce(BorrowedFd<'_>) -> std::io::Result<BackingId>,
    ) -> Way {
        let mut ways = ways.lock();
        if let Some(passed) = ways.passed.upgrade() {
            return Way::Passed(passed);
        }
        if let Some(kept) = ways.through_us.upgrade() {
            return Way::ThroughUs { _kept: kept };
        }
        if let Some(file) = backing.filter(|_| self.0.load(Ordering::Relaxed)) {
            match without_fsetid(|| register(file)) {
                Ok(id) => {
                    let id = Arc::new(id);
                    ways.passed = Arc::downgrade(&id);
                    return Way::Passed(id);
                }
                Err(error) => {
                    tracing::debug!(%error, "a file is not passed through to the kernel");
                    // Another file may be on a file system that the kernel takes (ELOOP: this one is on one of ours).
                    if error.raw_os_error() != Some(libc::ELOOP) {
                        self.0.store(false, Ordering::Relaxed);
                    }
                }
            }
        }
        let kept = Arc::new(());
        ways.through_us = Arc::downgrade(&kept);
        Way::ThroughUs { _kept: kept }
    }
}

/// Runs `run` without this thread's right to leave set-id bits on what is written.
fn without_fsetid<T>(run: impl FnOnce() -> std::io::Result<T>) -> std::io::Result<T> {
    let own = capabilities(None)?;
    let effective = own.effective.difference(CapabilitySet::FSETID);
    set_capabilities(None, CapabilitySets { effective, ..own })?;
    let done = run();
    // It only gets back what it has by right.
    set_capabilities(None, own)?;
    done
}
