//! Calls on a descriptor that move no data: what it is, where it stands, its size and times, its end.

use super::Call;
use super::abi::{self, FdFlags, FstFlags, Rights, Version, Whence};
use crate::memory::GuestMemory;
use crate::open::Found;
use vfs::{Allocate, Errno, FileRef, Kind, Measure, Nature, Qid, Result, SetStat, SetTime, Time};

/// Writes a `filestat` of `node`, which is shown as that kind of file with that identity. Its device is the tree's part of the
/// node's path.
#[inline(always)]
pub(super) fn put_filestat(
    memory: &mut GuestMemory<'_>,
    version: Version,
    out: u32,
    node: Qid,
    (kind, identity): (Kind, u64),
    measure: impl Into<Measure>,
) -> Result<()> {
    let (filetype, device) = (abi::filetype(kind), node.path >> 48);
    match version {
        Version::Preview1 => {
            memory.put_words(out, abi::filestat(device, identity, filetype, &measure.into()))
        }
        Version::Preview0 => {
            memory.put_words(out, abi::old_filestat(device, identity, filetype, &measure.into()))
        }
    }
}

/// The times that `*_filestat_set_times` asks for. Setting one both to a value and to now is EINVAL.
pub(super) fn times(atime: u64, mtime: u64, which: u32) -> Result<SetStat> {
    let which = u16::try_from(which).ok().and_then(FstFlags::from_bits).ok_or(Errno::EINVAL)?;
    let choose = |value: u64, to: FstFlags, now: FstFlags| match (which.contains(to), which.contains(now)) {
        (true, true) => Err(Errno::EINVAL),
        (true, false) => Ok(Some(SetTime::To(Time::from_nanos(value)))),
        (false, true) => Ok(Some(SetTime::Now)),
        (false, false) => Ok(None),
    };
    Ok(SetStat {
        atime: choose(atime, FstFlags::ATIM, FstFlags::ATIM_NOW)?,
        mtime: choose(mtime, FstFlags::MTIM, FstFlags::MTIM_NOW)?,
        ..SetStat::default()
    })
}

pub(super) fn fd_advise(call: &mut Call<'_>, fd: u32, offset: u64, len: u64, advice: u32) -> Result<()> {
    let descriptor = call.guest.fds.get(fd)?;
    if descriptor.open.kind.is_dir() {
        return Errno::EBADF.into();
    }
    if descriptor.open.is_stream() {
        return Errno::ESPIPE.into();
    }
    descriptor.need(Rights::FD_ADVISE)?;
    // posix_fadvise(2): six kinds of advice, none of which this namespace needs.
    if advice > 5 || offset.checked_add(len).is_none() {
        return Errno::EINVAL.into();
    }
    Ok(())
}

pub(super) async fn fd_allocate(call: &mut Call<'_>, fd: u32, offset: u64, len: u64) -> Result<()> {
    let descriptor = call.guest.fds.get(fd)?;
    let file = descriptor.open_for(Rights::FD_WRITE)?;
    descriptor.need(Rights::FD_ALLOCATE)?;
    if len == 0 || offset.checked_add(len).is_none() {
        return Errno::EINVAL.into();
    }
    file.allocate(offset, len, Allocate::empty()).await
}

pub(super) async fn fd_close(call: &mut Call<'_>, fd: u32) -> Result<()> {
    let closed = call.guest.fds.remove(fd)?;
    call.guest.count_files();
    match &closed.open.file {
        Some(file) => file.flush().await,
        None => Ok(()),
    }
}

pub(super) async fn fd_renumber(call: &mut Call<'_>, from: u32, to: u32) -> Result<()> {
    let replaced = call.guest.fds.renumber(from, to)?;
    call.guest.count_files();
    // As with dup2(2), errors of the replaced file's late writes have no one to go to.
    if let Some(file) = replaced.and_then(|descriptor| descriptor.open.file) {
        let _ = file.flush().await;
    }
    Ok(())
}

async fn sync(call: &mut Call<'_>, fd: u32, right: Rights, data_only: bool) -> Result<()> {
    let descriptor = call.guest.fds.get(fd)?;
    descriptor.need(right)?;
    match descriptor.open.file.clone() {
        Some(file) => file.fsync(data_only).await,
        None => Ok(()),
    }
}

pub(super) async fn fd_datasync(call: &mut Call<'_>, fd: u32) -> Result<()> {
    sync(call, fd, Rights::FD_DATASYNC, true).await
}

pub(super) async fn fd_sync(call: &mut Call<'_>, fd: u32) -> Result<()> {
    sync(call, fd, Rights::FD_SYNC, false).await
}

pub(super) fn fd_fdstat_get(call: &mut Call<'_>, fd: u32, out: u32) -> Result<()> {
    let descriptor = call.guest.fds.get(fd)?;
    let stat = abi::fdstat(
        abi::filetype(descriptor.shown_kind(descriptor.open.kind)),
        descriptor.flags,
        descriptor.rights,
        descriptor.inheriting,
    );
    call.memory.put_words(out, stat)
}

/// The flags that can change while a file is open; the others were for opening.
const CHANGEABLE: FdFlags = FdFlags::APPEND.union(FdFlags::NONBLOCK);

pub(super) fn fd_fdstat_set_flags(call: &mut Call<'_>, fd: u32, flags: u32) -> Result<()> {
    let flags = u16::try_from(flags).ok().and_then(FdFlags::from_bits).ok_or(Errno::EINVAL)?;
    let descriptor = call.guest.fds.get_mut(fd)?;
    descriptor.need(Rights::FD_FDSTAT_SET_FLAGS)?;
    if (descriptor.flags ^ flags).intersects(!CHANGEABLE) {
        return Errno::EOPNOTSUPP.into();
    }
    descriptor.flags = flags;
    Ok(())
}

pub(super) fn fd_fdstat_set_rights(call: &mut Call<'_>, fd: u32, base: u64, inheriting: u64) -> Result<()> {
    let descriptor = call.guest.fds.get_mut(fd)?;
    let (base, inheriting) = (Rights::from_bits_retain(base), Rights::from_bits_retain(inheriting));
    // Rights are only ever given up.
    if !descriptor.rights.contains(base) || !descriptor.inheriting.contains(inheriting) {
        return super::errno::NOTCAPABLE.into();
    }
    descriptor.rights = base;
    descriptor.inheriting = inheriting;
    Ok(())
}

pub(super) async fn fd_filestat_get(call: &mut Call<'_>, fd: u32, out: u32) -> Result<()> {
    let descriptor = call.guest.fds.get(fd)?;
    descriptor.need(Rights::FD_FILESTAT_GET)?;
    let stat = match descriptor.open.file.clone() {
        Some(file) => file.stat().await?,
        None => descriptor.open.node().clone().stat().await?,
    };
    let shown = call.guest.fds.get(fd)?.shown(stat.qid);
    put_filestat(&mut call.memory, call.version, out, stat.qid, shown, &stat)
}

pub(super) async fn fd_filestat_set_size(call: &mut Call<'_>, fd: u32, size: u64) -> Result<()> {
    let descriptor = call.guest.fds.get(fd)?;
    let file = descriptor.open_for(Rights::FD_WRITE)?.clone();
    descriptor.need(Rights::FD_FILESTAT_SET_SIZE)?;
    if i64::try_from(size).is_err() {
        return Errno::EFBIG.into();
    }
    file.set_size(size).await
}

pub(super) async fn fd_filestat_set_times(
    call: &mut Call<'_>,
    fd: u32,
    atime: u64,
    mtime: u64,
    which: u32,
) -> Result<()> {
    let set = times(atime, mtime, which)?;
    let descriptor = call.guest.fds.get(fd)?;
    descriptor.need(Rights::FD_FILESTAT_SET_TIMES)?;
    let who = &call.guest.who;
    match &descriptor.open.found {
        Found::At(place) => place.setstat(who, set).await,
        Found::Once(_) => vfs::setstat(descriptor.open.node(), who, set).await,
        Found::Stdio => descriptor.open.node().setstat(who, set).await,
    }
}

pub(super) fn fd_prestat_get(call: &mut Call<'_>, fd: u32, out: u32) -> Result<()> {
    let name = call.guest.fds.get(fd)?.preopen.clone().ok_or(Errno::EBADF)?;
    call.memory.put_words(out, abi::prestat(name.len()))
}

pub(super) fn fd_prestat_dir_name(call: &mut Call<'_>, fd: u32, buf: u32, len: u32) -> Result<()> {
    let name = call.guest.fds.get(fd)?.preopen.clone().ok_or(Errno::EBADF)?;
    if name.len() > len as usize {
        return Errno::ENAMETOOLONG.into();
    }
    call.memory.put(buf, &name)
}

/// What has an offset to move: no directory (EBADF), no stream (ESPIPE).
fn seekable(call: &Call<'_>, fd: u32, right: Rights) -> Result<FileRef> {
    let descriptor = call.guest.fds.get(fd)?;
    if descriptor.open.kind.is_dir() {
        return Errno::EBADF.into();
    }
    if descriptor.open.is_stream() {
        return Errno::ESPIPE.into();
    }
    descriptor.need(right)?;
    descriptor.open.file.clone().ok_or_else(|| Errno::EBADF.into())
}

pub(super) async fn fd_seek(call: &mut Call<'_>, fd: u32, by: i64, whence: u32, out: u32) -> Result<()> {
    let file = seekable(call, fd, Rights::FD_SEEK)?;
    let base = match Whence::decode(call.version, whence).ok_or(Errno::EINVAL)? {
        Whence::Set => 0,
        Whence::Current => call.guest.fds.get(fd)?.offset,
        // The size of what is made when it is read is not known.
        Whence::End if file.nature() != Nature::Storage => 0,
        Whence::End => file.stat().await?.size,
    };
    let offset =
        base.checked_add_signed(by).filter(|offset| i64::try_from(*offset).is_ok()).ok_or(Errno::EINVAL)?;
    call.guest.fds.get_mut(fd)?.offset = offset;
    call.memory.put_u64(out, offset)
}

pub(super) fn fd_tell(call: &mut Call<'_>, fd: u32, out: u32) -> Result<()> {
    seekable(call, fd, Rights::FD_TELL)?;
    let offset = call.guest.fds.get(fd)?.offset;
    call.memory.put_u64(out, offset)
}
