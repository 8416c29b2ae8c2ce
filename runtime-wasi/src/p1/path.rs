//! Calls on a path: opening, looking, linking, renaming, removing.

// The calls have the parameters that the standard gives them.
#![allow(clippy::too_many_arguments)]

use super::Call;
use super::abi::{FdFlags, Oflags, Rights, SYMLINK_FOLLOW, Version};
use super::fd::{put_filestat, times};
use crate::descriptor::Descriptor;
use crate::memory::MAX_PATH;
use crate::open::Found;
use crate::paths;
use vfs::{Errno, Follow, OpenFlags, Result};

pub(super) fn follow(lookup: u32) -> Follow {
    if lookup & SYMLINK_FOLLOW != 0 { Follow::Yes } else { Follow::No }
}

pub(super) async fn path_filestat_get(
    call: &mut Call<'_>,
    fd: u32,
    lookup: u32,
    path: u32,
    len: u32,
    out: u32,
) -> Result<()> {
    let dir = call.guest.fds.get(fd)?.dir(Rights::PATH_FILESTAT_GET)?;
    let who = &call.guest.who;
    let (node, stat) = dir.look(who, call.memory.path(path, len)?, follow(lookup)).await?;
    put_filestat(&mut call.memory, call.version, out, node, (stat.kind(), stat.qid.path), &stat)
}

pub(super) async fn path_filestat_set_times(
    call: &mut Call<'_>,
    fd: u32,
    lookup: u32,
    path: u32,
    len: u32,
    atime: u64,
    mtime: u64,
    which: u32,
) -> Result<()> {
    let set = times(atime, mtime, which)?;
    let dir = call.guest.fds.get(fd)?.dir(Rights::PATH_FILESTAT_SET_TIMES)?;
    let who = &call.guest.who;
    let place = dir.resolve(who, call.memory.path(path, len)?, follow(lookup)).await?;
    place.setstat(who, set).await
}

pub(super) async fn path_open(
    call: &mut Call<'_>,
    fd: u32,
    lookup: u32,
    path: u32,
    len: u32,
    oflags: u32,
    base: u64,
    _inheriting: u64,
    fdflags: u32,
    out: u32,
) -> Result<()> {
    let oflags = u16::try_from(oflags).ok().and_then(Oflags::from_bits).ok_or(Errno::EINVAL)?;
    let fdflags = u16::try_from(fdflags).ok().and_then(FdFlags::from_bits).ok_or(Errno::EINVAL)?;
    if oflags.contains(Oflags::CREAT | Oflags::DIRECTORY) {
        return Errno::EINVAL.into();
    }
    let base = Rights::from_bits_truncate(base);
    // Preview 0's libc asked for every right there is when it opened a directory.
    let lenient = call.version == Version::Preview0 && oflags.contains(Oflags::DIRECTORY);
    let write = base.contains(Rights::FD_WRITE) && !lenient;
    let read = base.contains(Rights::FD_READ) || !write;
    call.guest.room()?;
    let mut needed = Rights::PATH_OPEN;
    needed.set(Rights::PATH_CREATE_FILE, oflags.contains(Oflags::CREAT));
    needed.set(Rights::PATH_FILESTAT_SET_SIZE, oflags.contains(Oflags::TRUNC));
    let dir = call.guest.fds.get(fd)?.dir(needed)?;
    let who = &call.guest.who;
    let path = call.memory.path(path, len)?;
    let (flags, follow) = (open_flags(read, write, oflags, fdflags), follow(lookup));
    let (place, file) = if oflags.contains(Oflags::CREAT) {
        // Apart, so that who only opens does not pay for its size.
        Box::pin(paths::create(who, dir, path, flags, follow)).await?
    } else {
        let place = dir.resolve(who, path, follow).await?;
        let file = place.open(who, flags).await?;
        (place, file)
    };
    let kind = file.kind();
    let opened = call.guest.insert(Descriptor::opened(Found::At(place), file, kind, fdflags, read, write))?;
    call.memory.put_u32(out, opened)
}

/// Appending is the descriptor's business: a guest can turn it off again.
pub(super) fn open_flags(read: bool, write: bool, oflags: Oflags, fdflags: FdFlags) -> OpenFlags {
    let sync = fdflags.intersects(FdFlags::DSYNC | FdFlags::RSYNC | FdFlags::SYNC);
    let mut flags = OpenFlags::empty();
    flags.set(OpenFlags::READ, read);
    flags.set(OpenFlags::WRITE, write);
    flags.set(OpenFlags::NONBLOCK, fdflags.contains(FdFlags::NONBLOCK));
    flags.set(OpenFlags::SYNC, sync);
    flags.set(OpenFlags::TRUNCATE, oflags.contains(Oflags::TRUNC));
    flags.set(OpenFlags::EXCLUSIVE, oflags.contains(Oflags::EXCL));
    flags.set(OpenFlags::DIRECTORY, oflags.contains(Oflags::DIRECTORY));
    flags
}

pub(super) async fn path_readlink(
    call: &mut Call<'_>,
    fd: u32,
    path: u32,
    len: u32,
    buf: u32,
    buf_len: u32,
    out: u32,
) -> Result<()> {
    let dir = call.guest.fds.get(fd)?.dir(Rights::PATH_READLINK)?;
    let place = dir.resolve(&call.guest.who, call.memory.path(path, len)?, Follow::No).await?;
    let target = place.readlink().await?;
    let n = target.len().min(buf_len as usize);
    call.memory.put(buf, &target[..n])?;
    call.memory.put_u32(out, n as u32)
}

pub(super) async fn path_symlink(
    call: &mut Call<'_>,
    target: u32,
    target_len: u32,
    fd: u32,
    path: u32,
    len: u32,
) -> Result<()> {
    let dir = call.guest.fds.get(fd)?.dir(Rights::PATH_SYMLINK)?;
    let who = &call.guest.who;
    if target_len > MAX_PATH {
        return Errno::ENAMETOOLONG.into();
    }
    let target = call.memory.bytes(target, target_len as usize)?;
    paths::symlink(who, dir, call.memory.path(path, len)?, target).await
}

pub(super) async fn path_link(
    call: &mut Call<'_>,
    from_fd: u32,
    lookup: u32,
    from: u32,
    from_len: u32,
    to_fd: u32,
    to: u32,
    to_len: u32,
) -> Result<()> {
    let from_dir = call.guest.fds.get(from_fd)?.dir(Rights::PATH_LINK_SOURCE)?;
    let to_dir = call.guest.fds.get(to_fd)?.dir(Rights::PATH_LINK_TARGET)?;
    let who = &call.guest.who;
    let from = call.memory.path(from, from_len)?;
    paths::link(who, from_dir, from, follow(lookup), to_dir, call.memory.path(to, to_len)?).await
}

pub(super) async fn path_rename(
    call: &mut Call<'_>,
    from_fd: u32,
    from: u32,
    from_len: u32,
    to_fd: u32,
    to: u32,
    to_len: u32,
) -> Result<()> {
    let from_dir = call.guest.fds.get(from_fd)?.dir(Rights::PATH_RENAME_SOURCE)?;
    let to_dir = call.guest.fds.get(to_fd)?.dir(Rights::PATH_RENAME_TARGET)?;
    let who = &call.guest.who;
    let from = call.memory.path(from, from_len)?;
    paths::rename(who, from_dir, from, to_dir, call.memory.path(to, to_len)?).await
}

pub(super) async fn path_unlink_file(call: &mut Call<'_>, fd: u32, path: u32, len: u32) -> Result<()> {
    let dir = call.guest.fds.get(fd)?.dir(Rights::PATH_UNLINK_FILE)?;
    let who = &call.guest.who;
    paths::unlink(who, dir, call.memory.path(path, len)?).await
}
