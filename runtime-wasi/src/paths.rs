//! What a guest does with a path, whichever WASI it speaks: opening with O_CREAT, making, linking, renaming and removing, by
//! the rules that POSIX has for names that end in a slash, in a dot, or that lead through links.

use vfs::{Caller, Errno, FileRef, Follow, Kind, Mode, OpenFlags, Parent, Place, RenameFlags, Result};

/// Permissions of a new file. WASI has none to say, and no umask.
pub(crate) const FILE_MODE: Mode = Mode::new(0o644);
/// Permissions of a new directory.
const DIR_MODE: Mode = Mode::new(0o755);
/// ELOOP beyond this many dangling links on the way to a file that is to be made.
const MAX_LINKS: u32 = 40;

/// Whether a path's last component is `.` or `..`: it can be neither made nor removed.
fn ends_in_dots(path: &[u8]) -> bool {
    let last = path.split(|b| *b == b'/').rfind(|component| !component.is_empty());
    matches!(last, Some(b"." | b".."))
}

/// Opens what `path` names, or makes it: where it is a link that leads nowhere, at its target.
pub(crate) async fn create(
    who: &Caller,
    dir: &Place,
    path: &[u8],
    flags: OpenFlags,
    follow: Follow,
) -> Result<(Place, FileRef)> {
    let exclusive = flags.contains(OpenFlags::EXCLUSIVE);
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
                let made = dir.create(who, name.as_name(), FILE_MODE, flags).await?;
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
            let file = found.open(who, flags).await?;
            return Ok((found, file));
        }
        if follow == Follow::No {
            return Errno::ELOOP.into();
        }
        let target = found.readlink().await?;
        parent = dir.resolve_parent(who, &target).await?;
    }
    Errno::ELOOP.into()
}

pub(crate) async fn mkdir(who: &Caller, dir: &Place, path: &[u8]) -> Result<()> {
    if ends_in_dots(path) {
        return Errno::EEXIST.into();
    }
    let parent = dir.resolve_parent(who, path).await?;
    parent.dir.mkdir(who, parent.name.as_name(), DIR_MODE).await.map(drop)
}

pub(crate) async fn rmdir(who: &Caller, dir: &Place, path: &[u8]) -> Result<()> {
    let parent = entry(who, dir, path).await?;
    parent.dir.rmdir(who, parent.name.as_name()).await
}

pub(crate) async fn symlink(who: &Caller, dir: &Place, path: &[u8], target: &[u8]) -> Result<()> {
    if target.is_empty() {
        return Errno::ENOENT.into();
    }
    let parent = dir.resolve_parent(who, path).await?;
    no_file_with_slash(who, &parent).await?;
    parent.dir.symlink(who, parent.name.as_name(), target).await.map(drop)
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
    let parent = to_dir.resolve_parent(who, to).await?;
    no_file_with_slash(who, &parent).await?;
    parent.dir.link(who, &target, parent.name.as_name()).await
}

pub(crate) async fn rename(
    who: &Caller,
    from_dir: &Place,
    from: &[u8],
    to_dir: &Place,
    to: &[u8],
) -> Result<()> {
    let from = entry(who, from_dir, from).await?;
    let to = entry(who, to_dir, to).await?;
    check_slash(who, &from).await?;
    if to.must_be_dir && !from.dir.walk(who, &from.name).await?.kind().is_dir() {
        return Errno::ENOTDIR.into();
    }
    let (old, new) = (from.name.as_name(), to.name.as_name());
    from.dir.rename(who, old, &to.dir, new, RenameFlags::empty()).await
}

pub(crate) async fn unlink(who: &Caller, dir: &Place, path: &[u8]) -> Result<()> {
    let parent = entry(who, dir, path).await?;
    check_slash(who, &parent).await?;
    parent.dir.unlink(who, parent.name.as_name()).await
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

/// The parent that rename(2), unlink(2) and rmdir(2) work in, where a name with a slash behind is a directory.
async fn entry(who: &Caller, dir: &Place, path: &[u8]) -> Result<Parent> {
    match dir.resolve_parent(who, path).await {
        // The root (rename(2), rmdir(2): EBUSY).
        Err(error) if error.is(Errno::EEXIST) => Errno::EBUSY.into(),
        parent => parent,
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
