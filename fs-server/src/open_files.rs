//! How many files a server may have open.
//!
//! The soft limit that programs are started with (1024, mostly) is for those that call select(2), which counts no further.
//! A server does not, and needs a descriptor for each connection. (Host directories see to themselves: vfs, host/handle.rs.)

use rustix::process::{Resource, getrlimit, setrlimit};

/// Raises the soft limit to the hard one. What this process starts needs no care: the kernel's mount helper opens a handful,
/// and workers for tasks have limits of their own.
pub(crate) fn as_many_as_allowed() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return;
    }
    let raised = rustix::process::Rlimit { current: limit.maximum, ..limit };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => tracing::debug!(from = limit.current, to = limit.maximum, "open files"),
        Err(error) => tracing::warn!(%error, "no more than {:?} open files", limit.current),
    }
}
