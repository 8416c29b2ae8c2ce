//! Calls on a path: opening, looking, linking, renaming, removing.

// The calls have the parameters that the standard gives them.
#![allow(clippy::too_many_arguments)]

use super::Call;
use super::abi::{FdFlags, Oflags, Rights, SYMLINK_FOLLOW, Version};
use super::fd::{device, times};
use super::memory::MAX_PATH;
use crate::descriptor::Descriptor;
use vfs::{Caller, Errno, FileRef, Follow, Kind, Mode, OpenFlags, Parent, Place, RenameFlags, Result};

/// Permissions of a new file. WASI has none to say, and no umask.
const FILE_MODE: Mode = Mode::new(0o644);
/// ELOOP beyond this many dangling links on the way to a file that is to be made.
const MAX_LINKS: u32 = 40;

fn follow(lookup: u32) -> Follow {
    if lookup & SYMLINK_FOLLOW != 0 { Follow::Yes } else { Follow::No }
}

/// Whether a path's last component is `.` or `..`: it can be neither made nor removed.
pub(super) fn ends_in_dots(path: &[u8]) -> bool {
    let last = path.split(|b| *b == b'/').rfind(|component| !component.is_empty());
    matches!(last, Some(b"." | b".."))
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
    call.put_filestat(out, stat.kind(), stat.qid, device(node.qid()), &stat)
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

/// How a file is to be opened.
struct How {
    flags: OpenFlags,
    oflags: Oflags,
    follow: Follow,
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
    call.guest.fds.room(call.guest.control.limits.files())?;
    let mut needed = Rights::PATH_OPEN;
    needed.set(Rights::PATH_CREATE_FILE, oflags.contains(Oflags::CREAT));
    needed.set(Rights::PATH_FILESTAT_SET_SIZE, oflags.contains(Oflags::TRUNC));
    let dir = call.guest.fds.get(fd)?.dir(needed)?;
    let who = &call.guest.who;
    let path = call.memory.path(path, len)?;
    let how = How { flags: open_flags(read, write, oflags, fdflags), oflags, follow: follow(lookup) };
    let (place, file) = if oflags.contains(Oflags::CREAT) {
        // Apart, so that who only opens does not pay for its size.
        Box::pin(create(who, dir, path, &how)).await?
    } else {
        let place = dir.resolve(who, path, how.follow).await?;
        let file = place.open(who, how.flags).await?;
        (place, file)
    };
    let opened = call.guest.insert(Descriptor::opened(place, file, fdflags, read, write))?;
    call.memory.put_u32(out, opened)
}

/// Appending is the descriptor's business: a guest can turn it off again.
fn open_flags(read: bool, write: bool, oflags: Oflags, fdflags: FdFlags) -> OpenFlags {
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

/// Opens what `path` names, or makes it: where it is a link that leads nowhere, at its target.
async fn create(who: &Caller, dir: &Place, path: &[u8], how: &How) -> Result<(Place, FileRef)> {
    let exclusive = how.oflags.contains(Oflags::EXCL);
    if ends_in_dots(path) || path.iter().all(|b| *b == b'/') && !path.is_empty() {
        return if exclusive { Errno::EEXIST.into() } else { Errno::EISDIR.into() };
    }
    let mut parent = dir.resolve_parent(who, path).await?;
    for _ in 0..MAX_LINKS {
        let Parent { dir, name, must_be_dir } = &parent;
        let found = match dir.walk(who, name).await {
            Ok(found) => found,
            Err(error) if error.is(Errno::ENOENT) && *must_be_dir => return Errno::EISDIR.into(),
            Err(error) if error.is(Errno::ENOENT) => {
                let made = dir.create(who, name.as_name(), FILE_MODE, how.flags).await?;
                return Ok((made.place, made.file));
            }
            Err(error) => return Err(error),
        };
        if exclusive {
            return Errno::EEXIST.into();
        }
        if found.kind() != Kind::Symlink {
            if *must_be_dir && !found.kind().is_dir() {
                return Errno::ENOTDIR.into();
            }
            let file = found.open(who, how.flags).await?;
            return Ok((found, file));
        }
        if how.follow == Follow::No {
            return Errno::ELOOP.into();
        }
        let target = found.readlink().await?;
        parent = dir.resolve_parent(who, &target).await?;
    }
    Errno::ELOOP.into()
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
    if target_len == 0 {
        return Errno::ENOENT.into();
    }
    if target_len > MAX_PATH {
        return Errno::ENAMETOOLONG.into();
    }
    let parent = dir.resolve_parent(who, call.memory.path(path, len)?).await?;
    no_file_with_slash(who, &parent).await?;
    let target = call.memory.bytes(target, target_len as usize)?;
    parent.dir.symlink(who, parent.name.as_name(), target).await.map(drop)
}

/// A name that ends in a slash cannot become anything but a directory: EEXIST where it is there, else ENOENT.
async fn no_file_with_slash(who: &Caller, parent: &Parent) -> Result<()> {
    if !parent.must_be_dir {
        return Ok(());
    }
    match parent.dir.walk(who, &parent.name).await {
        Ok(_) => Errno::EEXIST.into(),
        Err(error) => Err(error),
    }
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
    let target = from_dir.resolve(who, call.memory.path(from, from_len)?, follow(lookup)).await?;
    let parent = to_dir.resolve_parent(who, call.memory.path(to, to_len)?).await?;
    no_file_with_slash(who, &parent).await?;
    parent.dir.link(who, &target, parent.name.as_name()).await
}

/// The parent that rename(2) and unlink(2) work in, where a name with a slash behind is a directory.
async fn entry(who: &Caller, dir: &Place, path: &[u8]) -> Result<Parent> {
    let parent = match dir.resolve_parent(who, path).await {
        // The root (rename(2), rmdir(2): EBUSY).
        Err(error) if error.is(Errno::EEXIST) => return Errno::EBUSY.into(),
        parent => parent?,
    };
    Ok(parent)
}

/// Fails with ENOTDIR where a slash asks for a directory and something else is there.
async fn check_slash(who: &Caller, parent: &Parent) -> Result<()> {
    if !parent.must_be_dir {
        return Ok(());
    }
    let found = parent.dir.walk(who, &parent.name).await?;
    if found.kind().is_dir() { Ok(()) } else { Errno::ENOTDIR.into() }
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
    let from = entry(who, from_dir, call.memory.path(from, from_len)?).await?;
    let to = entry(who, to_dir, call.memory.path(to, to_len)?).await?;
    check_slash(who, &from).await?;
    if to.must_be_dir && !from.dir.walk(who, &from.name).await?.kind().is_dir() {
        return Errno::ENOTDIR.into();
    }
    let (old, new) = (from.name.as_name(), to.name.as_name());
    from.dir.rename(who, old, &to.dir, new, RenameFlags::empty()).await
}

pub(super) async fn path_unlink_file(call: &mut Call<'_>, fd: u32, path: u32, len: u32) -> Result<()> {
    let dir = call.guest.fds.get(fd)?.dir(Rights::PATH_UNLINK_FILE)?;
    let who = &call.guest.who;
    let parent = entry(who, dir, call.memory.path(path, len)?).await?;
    check_slash(who, &parent).await?;
    parent.dir.unlink(who, parent.name.as_name()).await
}
