//! Limits of a worker process that hold whatever its task's are: the kernel's own, for the worst case.

use crate::Report;
use crate::fds::checked;
use std::io;

/// Descriptors: its network connections, mostly.
const FILES: u64 = 16_384;
/// Threads: an engine's own and worker_threads.
const THREADS: u64 = 512;

/// No core dumps, and so many files and threads. Where the system has a lower bound for the server, that holds.
pub(crate) fn set(report: &mut Report) -> io::Result<()> {
    lower(libc::RLIMIT_CORE, 0)?;
    lower(libc::RLIMIT_NOFILE, FILES)?;
    lower(libc::RLIMIT_MEMLOCK, 0)?;
    // Counted for each user; only a user namespace has a count of its own.
    if report.has("user") {
        lower(libc::RLIMIT_NPROC, THREADS)?;
    }
    Ok(())
}

/// Where memory runs out the kernel is to end a worker and not the server.
pub(crate) fn volunteer() {
    // A machine without /proc has other troubles.
    let _best_effort = std::fs::write("/proc/self/oom_score_adj", "1000");
}

fn lower(resource: libc::__rlimit_resource_t, most: u64) -> io::Result<()> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: both calls take a pointer to a local.
    unsafe {
        checked(libc::getrlimit(resource, &raw mut limit).into())?;
        limit.rlim_max = limit.rlim_max.min(most);
        limit.rlim_cur = limit.rlim_max;
        checked(libc::setrlimit(resource, &raw const limit).into())?;
    }
    Ok(())
}
