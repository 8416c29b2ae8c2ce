//! The calls that guests make most, done at once where nothing has to be waited for: no future, no reference counted.
//!
//! Each is the same call as its asynchronous namesake, for the common case. None says that it is not that, or that there is
//! something to wait for; nothing was changed then, and the namesake does it from the start.

use super::Call;
use super::abi::{FdFlags, Oflags, Rights, Version};
use super::dir::Listing;
use super::fd::put_filestat;
use super::path::{follow, open_flags};
use crate::descriptor::Descriptor;
use crate::open::Found;
use crate::paths;
use vfs::{Errno, Kind, Op, Opened, Result};

/// The value, or the error as the answer of the call.
macro_rules! good {
    ($result:expr) => {
        match $result {
            Ok(value) => value,
            Err(error) => return Some(Err(error.into())),
        }
    };
}

/// What was done at once. A value is taken from where it lies: moving the whole answer about takes a processor longer than all
/// else here.
macro_rules! done {
    ($op:expr) => {{
        let op = $op;
        match op {
            Op::Done(Ok(value)) => {
                // There is nothing in it to drop.
                std::mem::forget(op);
                value
            }
            op => return Some(Err(op.now()?.err()?)),
        }
    }};
}

#[inline(always)]
fn read(call: &mut Call<'_>, fd: u32, iovs: u32, count: u32, at: Option<u64>) -> Option<Result<usize>> {
    let descriptor = good!(call.guest.fds.get(fd));
    let file = good!(descriptor.open_for(Rights::FD_READ));
    if count != 1 || !descriptor.open.stores {
        return None;
    }
    let (buf, len) = good!(call.memory.iovec(iovs, 0));
    let offset = at.unwrap_or(descriptor.offset);
    let buf = good!(call.memory.bytes_mut(buf, len));
    let n = match descriptor.open.direct(file) {
        Some(direct) => good!(direct.read(offset, buf)),
        None => done!(file.read(offset, buf)),
    };
    call.guest.tally.read_bytes += n as u64;
    Some(Ok(n))
}

#[inline(always)]
pub(super) fn fd_read(call: &mut Call<'_>, fd: u32, iovs: u32, count: u32, out: u32) -> Option<Result<()>> {
    let n = good!(read(call, fd, iovs, count, None)?);
    good!(call.guest.fds.get_mut(fd)).offset += n as u64;
    Some(call.memory.put_u32(out, n as u32))
}

#[inline(always)]
pub(super) fn fd_pread(
    call: &mut Call<'_>,
    fd: u32,
    iovs: u32,
    count: u32,
    offset: u64,
    out: u32,
) -> Option<Result<()>> {
    let n = good!(read(call, fd, iovs, count, Some(offset))?);
    Some(call.memory.put_u32(out, n as u32))
}

#[inline(always)]
fn write(
    call: &mut Call<'_>,
    fd: u32,
    iovs: u32,
    count: u32,
    at: Option<u64>,
) -> Option<Result<(usize, u64)>> {
    let descriptor = good!(call.guest.fds.get(fd));
    let file = good!(descriptor.open_for(Rights::FD_WRITE));
    let appends = at.is_none() && (descriptor.appends || descriptor.flags.contains(FdFlags::APPEND));
    if count != 1 || appends || !descriptor.open.stores {
        return None;
    }
    let (buf, len) = good!(call.memory.iovec(iovs, 0));
    let offset = at.unwrap_or(descriptor.offset);
    let data = good!(call.memory.bytes(buf, len));
    let n = match descriptor.open.direct(file).and_then(|direct| direct.write(offset, data)) {
        Some(written) => good!(written),
        None => {
            call.guest.heard = true;
            done!(file.write(offset, data))
        }
    };
    call.guest.tally.written_bytes += n as u64;
    Some(Ok((n, offset + n as u64)))
}

#[inline(always)]
pub(super) fn fd_write(call: &mut Call<'_>, fd: u32, iovs: u32, count: u32, out: u32) -> Option<Result<()>> {
    let (n, end) = good!(write(call, fd, iovs, count, None)?);
    good!(call.guest.fds.get_mut(fd)).offset = end;
    Some(call.memory.put_u32(out, n as u32))
}

#[inline(always)]
pub(super) fn fd_pwrite(
    call: &mut Call<'_>,
    fd: u32,
    iovs: u32,
    count: u32,
    offset: u64,
    out: u32,
) -> Option<Result<()>> {
    let (n, _) = good!(write(call, fd, iovs, count, Some(offset))?);
    Some(call.memory.put_u32(out, n as u32))
}

#[inline(always)]
pub(super) fn fd_filestat_get(call: &mut Call<'_>, fd: u32, out: u32) -> Option<Result<()>> {
    let descriptor = good!(call.guest.fds.get(fd));
    good!(descriptor.need(Rights::FD_FILESTAT_GET));
    if let Some((direct, node)) = descriptor.open.direct_node()
        && let Some(measure) = direct.measure()
    {
        let (measure, shown) = (good!(measure), descriptor.shown(node));
        return Some(put_filestat(&mut call.memory, call.version, out, node, shown, measure));
    }
    let stat = match &descriptor.open.file {
        Some(file) => file.stat(),
        None => descriptor.open.node().stat(),
    };
    // A stat is large: it is looked at where it lies.
    match &stat {
        Op::Done(Ok(stat)) => {
            descriptor.open.is_of(stat.qid);
            let shown = descriptor.shown(stat.qid);
            Some(put_filestat(&mut call.memory, call.version, out, stat.qid, shown, stat))
        }
        _ => Some(Err(stat.now()?.err()?)),
    }
}

#[inline(always)]
pub(super) fn path_filestat_get(
    call: &mut Call<'_>,
    fd: u32,
    lookup: u32,
    path: u32,
    len: u32,
    out: u32,
) -> Option<Result<()>> {
    let dir = good!(good!(call.guest.fds.get(fd)).dir(Rights::PATH_FILESTAT_GET));
    let path = good!(call.memory.path(path, len));
    let mut stat = None;
    let looked =
        dir.look_at_once(&call.guest.who, path, follow(lookup), &mut call.guest.recall, &mut stat)?;
    match (looked, &stat) {
        (Ok(node), Some(stat)) => {
            let shown = (stat.kind(), stat.qid.path);
            Some(put_filestat(&mut call.memory, call.version, out, node, shown, stat))
        }
        (Ok(_), None) => None,
        (Err(error), _) => Some(Err(error)),
    }
}

#[allow(clippy::too_many_arguments)] // The call has the parameters that the standard gives it.
pub(super) fn path_open(
    call: &mut Call<'_>,
    fd: u32,
    _lookup: u32,
    path: u32,
    len: u32,
    oflags: u32,
    base: u64,
    _inheriting: u64,
    fdflags: u32,
    out: u32,
) -> Option<Result<()>> {
    let oflags = u16::try_from(oflags).ok().and_then(Oflags::from_bits)?;
    let fdflags = u16::try_from(fdflags).ok().and_then(FdFlags::from_bits)?;
    if oflags.contains(Oflags::DIRECTORY) || call.version == Version::Preview0 {
        return None;
    }
    let base = Rights::from_bits_truncate(base);
    let write = base.contains(Rights::FD_WRITE);
    let read = base.contains(Rights::FD_READ) || !write;
    good!(call.guest.room());
    let creates = oflags.contains(Oflags::CREAT);
    call.guest.heard |= creates || oflags.contains(Oflags::TRUNC);
    let mut needed = Rights::PATH_OPEN;
    needed.set(Rights::PATH_CREATE_FILE, creates);
    needed.set(Rights::PATH_FILESTAT_SET_SIZE, oflags.contains(Oflags::TRUNC));
    let dir = good!(good!(call.guest.fds.get(fd)).dir(needed));
    let who = &call.guest.who;
    let path = good!(call.memory.path(path, len));
    let flags = open_flags(read, write, oflags, fdflags);
    let opened = if creates {
        dir.open_or_create_at_once(who, path, paths::FILE_MODE, flags, &mut call.guest.recall)
    } else {
        dir.open_at_once(who, path, flags, &mut call.guest.recall)
    };
    let Opened { file, aspect } = good!(opened?);
    let opened = Descriptor::opened(Found::Once(aspect), file, Kind::File, fdflags, read, write);
    let opened = call.guest.insert_in_room(opened);
    Some(call.memory.put_u32(out, opened))
}

pub(super) fn fd_close(call: &mut Call<'_>, fd: u32) -> Option<Result<()>> {
    call.guest.heard = true;
    let flushed = match &good!(call.guest.fds.get(fd)).open.file {
        Some(file) => file.flush().now()?,
        None => Ok(()),
    };
    good!(call.guest.fds.close(fd));
    call.guest.count_files();
    Some(flushed)
}

pub(super) fn fd_readdir(
    call: &mut Call<'_>,
    fd: u32,
    buf: u32,
    len: u32,
    cookie: u64,
    out: u32,
) -> Option<Result<()>> {
    let descriptor = good!(call.guest.fds.get(fd));
    let place = good!(descriptor.dir(Rights::FD_READDIR));
    let file = descriptor.open.file.as_ref().filter(|_| descriptor.open.stores)?;
    let mut listing = Listing::new(good!(call.memory.bytes_mut(buf, len as usize)));
    if let Some(cookie) = listing.begin(place, cookie) {
        good!(file.readdir(cookie, &mut listing.sink(place)).now()?);
    }
    let used = listing.used as u32;
    Some(call.memory.put_u32(out, used))
}

pub(super) fn path_unlink_file(call: &mut Call<'_>, fd: u32, path: u32, len: u32) -> Option<Result<()>> {
    call.guest.heard = true;
    let dir = good!(good!(call.guest.fds.get(fd)).dir(Rights::PATH_UNLINK_FILE));
    let path = good!(call.memory.path(path, len));
    dir.remove_at_once(&call.guest.who, path, &mut call.guest.recall)
}

pub(super) fn fd_seek(call: &mut Call<'_>, fd: u32, by: i64, whence: u32, out: u32) -> Option<Result<()>> {
    let descriptor = good!(call.guest.fds.get_mut(fd));
    // What is neither is for the end to be asked for, or refused.
    let current = super::abi::Whence::decode(call.version, whence)? == super::abi::Whence::Current;
    if !current || !descriptor.open.stores || descriptor.open.kind.is_dir() {
        return None;
    }
    good!(descriptor.need(Rights::FD_SEEK));
    let offset = descriptor.offset.checked_add_signed(by).filter(|offset| i64::try_from(*offset).is_ok());
    descriptor.offset = good!(offset.ok_or(Errno::EINVAL));
    let offset = descriptor.offset;
    Some(call.memory.put_u64(out, offset))
}
