//! Work on names: finding, making, linking and moving them.

use super::attr::attributes;
use super::table::Inodes;
use fuser::{FileAttr, Generation};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use vfs::{Caller, Name, NameBuf, Place, Result, Stat};

/// An inode number is taken again only by the same node: there are no generations to tell apart.
pub(super) const GENERATION: Generation = Generation(0);

pub(super) fn name(name: &OsStr) -> Result<NameBuf> {
    Ok(Name::new(name.as_bytes())?.to_owned())
}

/// A place with its attributes, ready to be told to the kernel as an entry.
pub(super) struct Found {
    pub(super) place: Place,
    pub(super) stat: Stat,
}

impl Found {
    pub(super) async fn at(place: Place, who: &Caller) -> Result<Found> {
        let stat = place.stat(who).await?;
        Ok(Found { place, stat })
    }

    /// The attributes, with one more entry counted.
    pub(super) fn entry(&self, inodes: &Inodes) -> FileAttr {
        attributes(inodes.remember(&self.place), &self.stat)
    }
}

pub(super) async fn lookup(dir: Place, who: Caller, name: NameBuf) -> Result<Found> {
    let place = dir.walk(&who, &name).await?;
    Found::at(place, &who).await
}

/// A further name for the file at `target`.
pub(super) async fn link(target: Place, dir: Place, who: Caller, name: NameBuf) -> Result<Found> {
    dir.link(&who, &target, name.as_name()).await?;
    lookup(dir, who, name).await
}
