//! Work on open files: reading, writing, sizes, locks, and what the kernel may do with the file's pages.

use super::buffer::Buffer;
use super::table::Open;
use fuser::FopenFlags;
use std::sync::Arc;
use vfs::lock::{Lock, LockKind, LockOwner};
use vfs::{Caller, Errno, Interest, Mode, Nature, Op, OpenFlags, Result, SetStat, Stat};

/// How the kernel is to treat an open file. `unchanged`: its pages are of the version that is opened now.
pub(super) fn treatment(nature: Nature, flags: OpenFlags, unchanged: bool) -> FopenFlags {
    match nature {
        // Reads and writes of synthetic files are the programs' own, byte for byte; offsets are told, and whoever ignores
        // them may. Not FOPEN_STREAM or NONSEEKABLE: `>>` and the logs' readers need their offsets. The kernel lets
        // writers of one file in one by one all the same where they write past its size, as all do where that is 0.
        Nature::Device | Nature::Stream => {
            FopenFlags::FOPEN_DIRECT_IO | FopenFlags::FOPEN_PARALLEL_DIRECT_WRITES
        }
        // The kernel appends where it believes the end to be; we know where it is.
        Nature::Storage if flags.contains(OpenFlags::APPEND) => FopenFlags::FOPEN_DIRECT_IO,
        Nature::Storage if unchanged => FopenFlags::FOPEN_KEEP_CACHE,
        Nature::Storage => FopenFlags::empty(),
    }
}

/// Fails with EAGAIN instead of waiting where the descriptor does not block (which fcntl(2) may change at any time).
async fn now_or_later<T>(op: Op<'_, T>, nonblocking: bool) -> Result<T> {
    if nonblocking { op.or_again() } else { op.await }
}

pub(super) async fn read(open: Arc<Open>, offset: u64, size: usize, flags: i32) -> Result<Buffer> {
    let nonblocking = flags & libc::O_NONBLOCK != 0;
    let file = &open.file;
    if file.nature() == Nature::Storage {
        // The kernel takes less than it asked for as the end of the file.
        let mut buffer = Buffer::take(size);
        let mut filled = 0;
        while filled < buffer.len() {
            match file.read(offset + filled as u64, &mut buffer[filled..]).await {
                Ok(0) => break,
                Ok(n) => filled += n,
                Err(_) if filled > 0 => break,
                Err(error) => return Err(error),
            }
        }
        buffer.truncate(filled);
        return Ok(buffer);
    }
    if file.is_remote() {
        // Asked once: a request that is taken back may have been answered.
        let mut buffer = Buffer::waiting(size);
        let read = file.read(offset, &mut buffer).await?;
        buffer.truncate(read);
        return Ok(buffer);
    }
    let mut buffer = Buffer::take(size);
    // Whoever waits gives his large buffer back first; a read that is cancelled has taken nothing.
    if let Some(read) = file.read(offset, &mut buffer).now() {
        buffer.truncate(read?);
        return Ok(buffer);
    }
    if nonblocking {
        return Errno::EAGAIN.into();
    }
    drop(buffer);
    file.ready(Interest::Read).await?;
    // Ready is a guess where the offset counts (the end of a log): the read itself knows.
    let mut buffer = Buffer::waiting(size);
    let read = file.read(offset, &mut buffer).await?;
    buffer.truncate(read);
    Ok(buffer)
}

/// What a write came with besides its data.
pub(super) struct Write {
    pub(super) offset: u64,
    /// open(2)'s, as they are now.
    pub(super) flags: i32,
    /// The writer may not keep set-id bits alive.
    pub(super) kill_set_id: bool,
}

pub(super) async fn write(open: Arc<Open>, who: Caller, how: Write, data: Buffer) -> Result<u32> {
    let nonblocking = how.flags & libc::O_NONBLOCK != 0 && !open.file.is_remote();
    let written = if how.flags & libc::O_APPEND != 0 {
        now_or_later(open.file.append(&data), nonblocking).await?.0
    } else {
        now_or_later(open.file.write(how.offset, &data), nonblocking).await?
    };
    if how.kill_set_id && open.file.nature() == Nature::Storage {
        drop_set_id(&open, &who).await?;
    }
    // A buffer is 1 MiB at most.
    Ok(written as u32)
}

/// Takes the set-id bits off a file that was written, truncated or given away (write(2), chown(2)).
pub(super) fn without_set_id(stat: &Stat) -> Option<Mode> {
    let mode = stat.mode.bits();
    // Without group execution the set-group-id bit means mandatory locking: not a privilege.
    let sgid = if mode & libc::S_IXGRP != 0 { libc::S_ISGID } else { 0 };
    let less = mode & !(libc::S_ISUID | sgid);
    (less != mode && !stat.kind().is_dir()).then(|| Mode::new(less))
}

async fn drop_set_id(open: &Open, who: &Caller) -> Result<()> {
    let stat = open.place.stat(who).await?;
    match without_set_id(&stat) {
        Some(mode) => open.place.setstat(who, SetStat { mode: Some(mode), ..SetStat::default() }).await,
        None => Ok(()),
    }
}

pub(super) async fn allocate(open: Arc<Open>, offset: u64, length: u64, mode: i32) -> Result<()> {
    const PUNCH: i32 = libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE;
    match mode {
        0 => open.file.allocate(offset, length, false).await,
        PUNCH => open.file.allocate(offset, length, true).await,
        _ => Errno::EOPNOTSUPP.into(),
    }
}

/// fcntl(2)'s lock kinds and the kernel's inclusive range, in the namespace's words.
pub(super) fn lock(kind: i32, start: u64, last: u64) -> Result<Lock> {
    let kind = match kind {
        libc::F_RDLCK => LockKind::Read,
        libc::F_WRLCK => LockKind::Write,
        libc::F_UNLCK => LockKind::Unlock,
        _ => return Errno::EINVAL.into(),
    };
    // The largest offset stands for "to the end, wherever that will be".
    let end = if last >= i64::MAX as u64 { u64::MAX } else { last + 1 };
    Ok(Lock { kind, start, end })
}

/// The way back: start, last byte, kind and holder for F_GETLK.
pub(super) fn lock_answer(found: Option<(LockOwner, Lock)>) -> (u64, u64, i32, u32) {
    match found {
        None => (0, 0, libc::F_UNLCK, 0),
        Some((owner, lock)) => {
            let kind = match lock.kind {
                LockKind::Read => libc::F_RDLCK,
                LockKind::Write => libc::F_WRLCK,
                LockKind::Unlock => libc::F_UNLCK,
            };
            let last = (lock.end.saturating_sub(1)).min(i64::MAX as u64);
            (lock.start, last, kind, owner.pid)
        }
    }
}
