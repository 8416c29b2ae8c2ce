//! Locks: fcntl(2)'s and flock(2)'s are both the tree's, so that every mount, 9P clients and guests meet in them.
//!
//! The kernel says in a flag of FUSE_SETLK which of the two it was asked for, and fuser does not pass the flag on. Who takes
//! both on one file, each for the whole, would wait for himself for ever if they were one sort. So where a lock is for the
//! whole file, the one sort that flock(2) knows, the system call that the asking thread sits in tells (proc_pid_syscall(5)).
//! Where that is not to be seen, the lock is of unknown sort and excludes both, as on NFS.

use super::handles::Open;
use fuser::LockOwner as Number;
use std::sync::Arc;
use std::time::Duration;
use vfs::lock::{Lock, LockKind, LockOwner, LockSort};
use vfs::{Errno, Result};

/// Whose locks: a mount's, and there a process's (fcntl) or an open file's (flock, and fcntl's F_OFD_ commands).
#[derive(Clone, Copy)]
pub(super) struct Holder {
    pub(super) mount: u64,
    pub(super) number: Number,
    pub(super) pid: u32,
}

impl Holder {
    fn with(self, sort: LockSort) -> LockOwner {
        LockOwner { client: self.mount, owner: self.number.0, sort, pid: self.pid }
    }
}

/// What FUSE_GETLK and FUSE_SETLK carry beside the holder: fcntl(2)'s kind and the kernel's inclusive range.
#[derive(Clone, Copy)]
pub(super) struct Wanted {
    pub(super) kind: i32,
    pub(super) start: u64,
    pub(super) last: u64,
}

impl Wanted {
    fn lock(self) -> Result<Lock> {
        let kind = match self.kind {
            libc::F_RDLCK => LockKind::Read,
            libc::F_WRLCK => LockKind::Write,
            libc::F_UNLCK => LockKind::Unlock,
            _ => return Errno::EINVAL.into(),
        };
        // The largest offset stands for "to the end, wherever that will be".
        let end = if self.last >= i64::MAX as u64 { u64::MAX } else { self.last + 1 };
        Ok(Lock { kind, start: self.start, end })
    }
}

/// FUSE_SETLK and FUSE_SETLKW, for the thread `thread`.
pub(super) async fn set(
    open: Arc<Open>,
    holder: Holder,
    wanted: Wanted,
    wait: bool,
    thread: u32,
) -> Result<()> {
    let lock = wanted.lock()?;
    let whole = lock.start == 0 && lock.end == u64::MAX;
    let sort = if whole { asked_by(thread).await } else { LockSort::Record };
    let owner = holder.with(sort);
    if lock.kind != LockKind::Unlock {
        open.holds_locks_of(owner);
    } else if whole && sort == LockSort::Unknown {
        // Whatever he has.
        for sort in [LockSort::Record, LockSort::Whole] {
            open.file.lock(holder.with(sort), lock, false).await?;
        }
    }
    open.file.lock(owner, lock, wait).await
}

/// FUSE_GETLK, which only fcntl(2) asks: start, last byte, kind and holder.
pub(super) async fn get(open: Arc<Open>, holder: Holder, wanted: Wanted) -> Result<(u64, u64, i32, u32)> {
    let Some((owner, lock)) = open.file.getlock(holder.with(LockSort::Record), wanted.lock()?).await? else {
        return Ok((0, 0, libc::F_UNLCK, 0));
    };
    let kind = match lock.kind {
        LockKind::Read => libc::F_RDLCK,
        LockKind::Write => libc::F_WRLCK,
        LockKind::Unlock => libc::F_UNLCK,
    };
    Ok((lock.start, (lock.end - 1).min(i64::MAX as u64), kind, owner.pid))
}

/// A process has closed one of its descriptors of the file: its record locks go, whatever other descriptors it has (close(2)).
pub(super) fn closed_by(open: &Open, holder: Holder) {
    for sort in [LockSort::Record, LockSort::Unknown] {
        open.gives_up(holder.with(sort));
    }
}

/// Which system call `thread` waits in for this lock.
async fn asked_by(thread: u32) -> LockSort {
    // A thread that has just sent its request may not have gone to sleep yet; on a busy machine that takes its time.
    const LOOKS: u32 = 200;
    let path = format!("/proc/{thread}/syscall");
    for look in 0..LOOKS {
        let Ok(said) = std::fs::read_to_string(&path) else { return LockSort::Unknown };
        let call = said.split_ascii_whitespace().next().unwrap_or_default();
        if call != "running" {
            return match call.parse() {
                Ok(libc::SYS_flock) => LockSort::Whole,
                Ok(libc::SYS_fcntl) => LockSort::Record,
                // Another architecture's numbers, or a ring's worker.
                _ => LockSort::Unknown,
            };
        }
        if look < 20 {
            tokio::task::yield_now().await;
        } else {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    LockSort::Unknown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_call_that_a_thread_sits_in_tells_the_sort() {
        let here = rustix::thread::gettid().as_raw_nonzero().get() as u32;
        // This thread reads, which is neither.
        assert_eq!(asked_by(here).await, LockSort::Unknown);
        assert_eq!(asked_by(u32::MAX >> 1).await, LockSort::Unknown);
    }
}
