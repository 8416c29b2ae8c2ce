//! Calls on a path below a descriptor: opening, looking, making, linking, renaming, removing.

use super::Guest;
use super::call::define;
use super::descriptor::{Descriptor, Handle};
use super::fault::Result;
use super::files::{describe, identity, times};
use super::quick;
use crate::open::{Found, Open};
use crate::paths;
use vfs::{Errno, Error, Follow, OpenFlags};
use wasmtime::component::LinkerInstance;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    DescriptorFlags, DescriptorStat, MetadataHashValue, NewTimestamp, OpenFlags as Oflags, PathFlags,
};

pub(super) fn define(instance: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    define! { instance
        "[method]descriptor.create-directory-at"(this: Handle, path: String) -> () = create_directory_at;
        "[method]descriptor.link-at"(
            this: Handle, flags: PathFlags, old: String, to: Handle, new: String
        ) -> () = link_at;
        "[method]descriptor.metadata-hash-at"(
            this: Handle, flags: PathFlags, path: String
        ) -> MetadataHashValue = metadata_hash_at, at once quick::metadata_hash_at;
        "[method]descriptor.open-at"(
            this: Handle, lookup: PathFlags, path: String, how: Oflags, flags: DescriptorFlags
        ) -> Handle = open_at, at once quick::open_at;
        "[method]descriptor.readlink-at"(this: Handle, path: String) -> String = readlink_at;
        "[method]descriptor.remove-directory-at"(this: Handle, path: String) -> () = remove_directory_at;
        "[method]descriptor.rename-at"(this: Handle, old: String, to: Handle, new: String) -> () = rename_at;
        "[method]descriptor.set-times-at"(
            this: Handle, flags: PathFlags, path: String, atime: NewTimestamp, mtime: NewTimestamp
        ) -> () = set_times_at;
        "[method]descriptor.stat-at"(this: Handle, flags: PathFlags, path: String) -> DescriptorStat = stat_at, at once quick::stat_at;
        "[method]descriptor.symlink-at"(this: Handle, target: String, path: String) -> () = symlink_at;
        "[method]descriptor.unlink-file-at"(this: Handle, path: String) -> () = unlink_file_at, at once quick::unlink_file_at;
    }
    Ok(())
}

/// PATH_MAX, which counts a NUL behind.
const MAX_PATH: usize = 4095;

pub(super) fn checked(path: &str) -> Result<&[u8], Error> {
    if path.len() > MAX_PATH { Errno::ENAMETOOLONG.into() } else { Ok(path.as_bytes()) }
}

pub(super) fn follow(flags: PathFlags) -> Follow {
    if flags.contains(PathFlags::SYMLINK_FOLLOW) { Follow::Yes } else { Follow::No }
}

/// How a file is opened, in the words of this server.
pub(super) fn opening(how: Oflags, flags: DescriptorFlags) -> OpenFlags {
    let write = flags.contains(DescriptorFlags::WRITE);
    let sync = DescriptorFlags::FILE_INTEGRITY_SYNC
        | DescriptorFlags::DATA_INTEGRITY_SYNC
        | DescriptorFlags::REQUESTED_WRITE_SYNC;
    let mut open = OpenFlags::empty();
    // What is opened for neither can still be looked at.
    open.set(OpenFlags::READ, flags.contains(DescriptorFlags::READ) || !write);
    open.set(OpenFlags::WRITE, write);
    open.set(OpenFlags::SYNC, flags.intersects(sync));
    open.set(OpenFlags::TRUNCATE, how.contains(Oflags::TRUNCATE));
    open.set(OpenFlags::EXCLUSIVE, how.contains(Oflags::EXCLUSIVE));
    open.set(OpenFlags::DIRECTORY, how.contains(Oflags::DIRECTORY));
    open
}

pub(super) async fn open_at(
    guest: &mut Guest,
    this: Handle,
    lookup: PathFlags,
    path: String,
    how: Oflags,
    flags: DescriptorFlags,
) -> Result<Handle> {
    if how.contains(Oflags::CREATE | Oflags::DIRECTORY) {
        return Err(Errno::EINVAL.into());
    }
    guest.room()?;
    let descriptor = guest.descriptor(&this)?;
    let (dir, path) = (descriptor.dir()?, checked(&path)?);
    let (open, follow) = (opening(how, flags), follow(lookup));
    let (place, file) = if how.contains(Oflags::CREATE) {
        // Apart, so that who only opens does not pay for its size.
        Box::pin(paths::create(&guest.who, dir, path, open, follow)).await?
    } else {
        let place = dir.resolve(&guest.who, path, follow).await?;
        let file = place.open(&guest.who, open).await?;
        (place, file)
    };
    let kind = file.kind();
    let opened = Open::opened(Found::At(place), file, kind);
    Ok(guest.open(Descriptor::new(opened, flags))?)
}

pub(super) async fn stat_at(
    guest: &mut Guest,
    this: Handle,
    flags: PathFlags,
    path: String,
) -> Result<DescriptorStat> {
    let descriptor = guest.descriptor(&this)?;
    let (_, stat) = descriptor.dir()?.look(&guest.who, checked(&path)?, follow(flags)).await?;
    Ok(describe(stat.kind(), &stat))
}

pub(super) async fn metadata_hash_at(
    guest: &mut Guest,
    this: Handle,
    flags: PathFlags,
    path: String,
) -> Result<MetadataHashValue> {
    let descriptor = guest.descriptor(&this)?;
    let (node, stat) = descriptor.dir()?.look(&guest.who, checked(&path)?, follow(flags)).await?;
    Ok(identity(stat.qid.path, node))
}

pub(super) async fn set_times_at(
    guest: &mut Guest,
    this: Handle,
    flags: PathFlags,
    path: String,
    atime: NewTimestamp,
    mtime: NewTimestamp,
) -> Result<()> {
    let set = times(atime, mtime)?;
    let descriptor = guest.descriptor(&this)?;
    let place = descriptor.dir()?.resolve(&guest.who, checked(&path)?, follow(flags)).await?;
    Ok(place.setstat(&guest.who, set).await?)
}

pub(super) async fn create_directory_at(guest: &mut Guest, this: Handle, path: String) -> Result<()> {
    let descriptor = guest.descriptor(&this)?;
    Ok(paths::mkdir(&guest.who, descriptor.dir()?, checked(&path)?).await?)
}

pub(super) async fn remove_directory_at(guest: &mut Guest, this: Handle, path: String) -> Result<()> {
    let descriptor = guest.descriptor(&this)?;
    Ok(paths::rmdir(&guest.who, descriptor.dir()?, checked(&path)?).await?)
}

pub(super) async fn link_at(
    guest: &mut Guest,
    this: Handle,
    flags: PathFlags,
    old: String,
    to: Handle,
    new: String,
) -> Result<()> {
    let (from, to) = (guest.descriptor(&this)?, guest.descriptor(&to)?);
    let (old, new) = (checked(&old)?, checked(&new)?);
    Ok(paths::link(&guest.who, from.dir()?, old, follow(flags), to.dir()?, new).await?)
}

pub(super) async fn rename_at(
    guest: &mut Guest,
    this: Handle,
    old: String,
    to: Handle,
    new: String,
) -> Result<()> {
    let (from, to) = (guest.descriptor(&this)?, guest.descriptor(&to)?);
    Ok(paths::rename(&guest.who, from.dir()?, checked(&old)?, to.dir()?, checked(&new)?).await?)
}

pub(super) async fn symlink_at(guest: &mut Guest, this: Handle, target: String, path: String) -> Result<()> {
    let descriptor = guest.descriptor(&this)?;
    let (target, path) = (checked(&target)?, checked(&path)?);
    Ok(paths::symlink(&guest.who, descriptor.dir()?, path, target).await?)
}

pub(super) async fn readlink_at(guest: &mut Guest, this: Handle, path: String) -> Result<String> {
    let descriptor = guest.descriptor(&this)?;
    let place = descriptor.dir()?.resolve(&guest.who, checked(&path)?, Follow::No).await?;
    let target = place.readlink().await?;
    // A target that is no UTF-8 cannot be said.
    Ok(std::str::from_utf8(&target).map_err(|_| Errno::EILSEQ)?.to_owned())
}

pub(super) async fn unlink_file_at(guest: &mut Guest, this: Handle, path: String) -> Result<()> {
    let descriptor = guest.descriptor(&this)?;
    Ok(paths::unlink(&guest.who, descriptor.dir()?, checked(&path)?).await?)
}
