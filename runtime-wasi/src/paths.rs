//! What a guest does with a path, whichever WASI it speaks: opening with O_CREAT, making, linking, renaming and removing, by
//! the rules that POSIX has for names that end in a slash, in a dot, or that lead through links.

use vfs::{Caller, Errno, FileRef, Follow, Kind, Mode, OpenFlags, Parent, Place, RenameFlags, Result};

/// Permissions of a new file. WASI has none to say, and no umask.
pub(crate) const FILE_MODE: Mode = Mode::new(0o644);
/// Permissions of a new directory.
const DIR_MODE: Mode = Mode::new(0o755);
/// ELOOP beyond this many links on the way to a file that is to be made.
const MAX_LINKS: u32 = 40;

/// What a path ends in.
enum Last {
    /// A name in a directory that is there.
    Name(Parent),
    /// A directory that is there.
    Dot,
    DotDot,
    Root,
}

/// What `path` ends in, when all before it is there.
async fn last(who: &Caller, dir: &Place, path: &[u8]) -> Result<Last> {
    let last = match path.split(|b| *b == b'/').rfind(|component| !component.is_empty()) {
        Some(b".") => Last::Dot,
        Some(b"..") => Last::DotDot,
        None if !path.is_empty() => Last::Root,
        _ => return dir.resolve_parent(who, path).await.map(Last::Name),
    };
    dir.resolve(who, path, Follow::Yes).await?;
    Ok(last)
}

/// Where something is to be made: EEXIST where the path ends in what is no name.
async fn to_be_made(who: &Caller, dir: &Place, path: &[u8]) -> Result<Parent> {
    match last(who, dir, path).await? {
        Last::Name(parent) => Ok(parent),
        Last::Dot | Last::DotDot | Last::Root => Errno::EEXIST.into(),
    }
}

/// That nothing may be made there is of no interest where the name is there already.
async fn unless_there<T>(who: &Caller, parent: &Parent, made: Result<T>) -> Result<()> {
    let forbidden = [Errno::EROFS, Errno::EACCES, Errno::EPERM];
    match made {
        Err(error)
            if forbidden.iter().any(|errno| error.is(*errno))
                && parent.dir.walk(who, &parent.name).await.is_ok() =>
        {
            Errno::EEXIST.into()
        }
        made => made.map(drop),
    }
}

/// Opens what `path` names, or makes it: where it is a link that leads nowhere, at its target. A directory is neither opened so
/// nor made, and what has a slash behind is one, as open(2) has it.
pub(crate) async fn create(
    who: &Caller,
    dir: &Place,
    path: &[u8],
    flags: OpenFlags,
    follow: Follow,
) -> Result<(Place, FileRef)> {
    let exclusive = flags.contains(OpenFlags::EXCLUSIVE);
    let mut end = last(who, dir, path).await?;
    for _ in 0..=MAX_LINKS {
        let Parent { dir, name, must_be_dir } = match &end {
            Last::Name(parent) => parent,
            Last::Dot | Last::DotDot | Last::Root if exclusive => return Errno::EEXIST.into(),
            Last::Dot | Last::DotDot | Last::Root => return Errno::EISDIR.into(),
        };
        if *must_be_dir {
            return if dir.kind().is_dir() { Errno::EISDIR.into() } else { Errno::ENOTDIR.into() };
        }
        let found = match dir.walk(who, name).await {
            Ok(found) => found,
            Err(error) if error.is(Errno::ENOENT) => {
                let made = dir.create(who, name.as_name(), FILE_MODE, flags).await?;
                return Ok((made.place, made.file));
            }
            Err(error) => return Err(error),
        };
        if exclusive {
            return Errno::EEXIST.into();
        }
        if found.kind().is_dir() {
            return Errno::EISDIR.into();
        }
        if found.kind() != Kind::Symlink {
            let file = found.open(who, flags).await?;
            return Ok((found, file));
        }
        if follow == Follow::No {
            return Errno::ELOOP.into();
        }
        let target = found.readlink().await?;
        end = last(who, dir, &target).await?;
    }
    Errno::ELOOP.into()
}

pub(crate) async fn mkdir(who: &Caller, dir: &Place, path: &[u8]) -> Result<()> {
    let parent = to_be_made(who, dir, path).await?;
    let made = parent.dir.mkdir(who, parent.name.as_name(), DIR_MODE).await;
    unless_there(who, &parent, made).await
}

pub(crate) async fn rmdir(who: &Caller, dir: &Place, path: &[u8]) -> Result<()> {
    match last(who, dir, path).await? {
        Last::Name(parent) => parent.dir.rmdir(who, parent.name.as_name()).await,
        Last::Dot => Errno::EINVAL.into(),
        Last::DotDot => Errno::ENOTEMPTY.into(),
        Last::Root => Errno::EBUSY.into(),
    }
}

pub(crate) async fn symlink(who: &Caller, dir: &Place, path: &[u8], target: &[u8]) -> Result<()> {
    if target.is_empty() {
        return Errno::ENOENT.into();
    }
    if target.contains(&0) {
        return Errno::EINVAL.into();
    }
    let parent = to_be_made(who, dir, path).await?;
    no_file_with_slash(who, &parent).await?;
    let made = parent.dir.symlink(who, parent.name.as_name(), target).await;
    unless_there(who, &parent, made).await
}

pub(crate) async fn link(
    who: &Caller,
    from_dir: &Place,
    from: &[u8],
    follow: Follow,
    to_dir: &Place,
    to: &[u8],
) -> Result<()> {
    let target = from_dir.resolve(who, from, follow).await?;
    let parent = to_be_made(who, to_dir, to).await?;
    no_file_with_slash(who, &parent).await?;
    let made = parent.dir.link(who, &target, parent.name.as_name()).await;
    unless_there(who, &parent, made).await
}

pub(crate) async fn rename(
    who: &Caller,
    from_dir: &Place,
    from: &[u8],
    to_dir: &Place,
    to: &[u8],
) -> Result<()> {
    let from = to_be_renamed(who, from_dir, from).await?;
    let to = to_be_renamed(who, to_dir, to).await?;
    check_slash(who, &from).await?;
    if to.must_be_dir && !from.dir.walk(who, &from.name).await?.kind().is_dir() {
        return Errno::ENOTDIR.into();
    }
    let (old, new) = (from.name.as_name(), to.name.as_name());
    from.dir.rename(who, old, &to.dir, new, RenameFlags::empty()).await
}

pub(crate) async fn unlink(who: &Caller, dir: &Place, path: &[u8]) -> Result<()> {
    match last(who, dir, path).await? {
        Last::Name(parent) => {
            check_slash(who, &parent).await?;
            parent.dir.unlink(who, parent.name.as_name()).await
        }
        Last::Dot | Last::DotDot | Last::Root => Errno::EISDIR.into(),
    }
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

/// A name that rename(2) may have: what is none is EINVAL, or EBUSY.
async fn to_be_renamed(who: &Caller, dir: &Place, path: &[u8]) -> Result<Parent> {
    match last(who, dir, path).await? {
        Last::Name(parent) => Ok(parent),
        Last::Dot | Last::DotDot => Errno::EINVAL.into(),
        Last::Root => Errno::EBUSY.into(),
    }
}

/// Fails with ENOTDIR where a slash asks for a directory and something else is there.
async fn check_slash(who: &Caller, parent: &Parent) -> Result<()> {
    if !parent.must_be_dir {
        return Ok(());
    }
    let found = parent.dir.walk(who, &parent.name).await?;
    if found.kind().is_dir() { Ok(()) } else { Errno::ENOTDIR.into() }
}
