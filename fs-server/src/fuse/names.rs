//! Work on names: finding, making, linking and moving them.

use super::attr::attributes;
use super::inodes::{Belief, Held, Inodes};
use fuser::{FileAttr, Generation, INodeNo};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;
use std::time::Duration;
use vfs::{Caller, Errno, Kind, Name, NameBuf, Place, Result, Stat, Watch};

/// An inode number is taken again only by the same node: there are no generations to tell apart.
pub(super) const GENERATION: Generation = Generation(0);

pub(super) fn name(name: &OsStr) -> Result<NameBuf> {
    Ok(Name::new(name.as_bytes())?.to_owned())
}

/// A place with its attributes, as they are to be believed.
pub(super) struct Found {
    pub(super) place: Place,
    pub(super) stat: Stat,
    status: Option<Belief>,
}

impl Found {
    /// What is there; `ino` where the kernel knows it already.
    pub(super) async fn at(inodes: &Inodes, ino: INodeNo, place: Place, who: &Caller) -> Result<Found> {
        let status = inodes.look(ino, &place, Watch::STATUS);
        let stat = place.stat(who).await?;
        Ok(Found { place, stat, status })
    }

    /// How long the attributes may be believed: see [`Belief::ttl`].
    pub(super) fn ttl(&self) -> Duration {
        self.status.as_ref().map_or(Duration::ZERO, Belief::ttl)
    }
}

/// An entry of a directory, counted as given to the kernel.
pub(super) struct FoundEntry {
    pub(super) found: Found,
    held: Held,
    name: Option<Belief>,
}

/// How long an entry may be believed, and its attributes.
pub(super) struct EntryTtl {
    pub(super) name: Duration,
    pub(super) status: Duration,
}

impl FoundEntry {
    /// `name`: what was to be believed of the directory's names before the entry was looked up.
    pub(super) async fn at(
        inodes: &Arc<Inodes>,
        name: Option<Belief>,
        place: Place,
        who: &Caller,
    ) -> Result<FoundEntry> {
        let held = inodes.hold(&place);
        let found = Found::at(inodes, held.ino(), place, who).await?;
        Ok(FoundEntry { found, held, name })
    }

    pub(super) fn ttl(&self) -> EntryTtl {
        let name = self.name.as_ref().map_or(Duration::ZERO, Belief::ttl);
        EntryTtl { name, status: self.found.ttl() }
    }

    pub(super) fn attributes(&self) -> FileAttr {
        attributes(self.held.ino(), &self.found.stat)
    }

    /// The kernel has it now.
    pub(super) fn give(self) -> Found {
        self.held.give();
        self.found
    }
}

/// A directory, in the kernel's words and in ours, in which names are looked up or made.
pub(super) struct Dir {
    pub(super) place: Place,
    inodes: Arc<Inodes>,
    names: Option<Belief>,
}

impl Dir {
    pub(super) fn new(inodes: &Arc<Inodes>, ino: INodeNo, place: Place) -> Dir {
        let names = inodes.look(ino, &place, Watch::NAMES);
        Dir { place, inodes: inodes.clone(), names }
    }

    /// The entry that was found at `place`.
    async fn entry(&self, place: Place, who: &Caller) -> Result<FoundEntry> {
        FoundEntry::at(&self.inodes, self.names.clone(), place, who).await
    }

    pub(super) async fn lookup(&self, name: &[u8], who: &Caller) -> Result<FoundEntry> {
        let place = self.place.walk(who, name).await?;
        self.entry(place, who).await
    }

    /// The entry of what was made at `place` to be a `kind`. Somebody may have put something else there: an entry of another kind
    /// the kernel would drop without giving it back, and what is open with it. It looks anew instead.
    pub(super) async fn made(&self, place: Place, kind: Kind, who: &Caller) -> Result<FoundEntry> {
        let made = self.entry(place, who).await?;
        if made.found.stat.kind() == kind { Ok(made) } else { Errno::ESTALE.into() }
    }
}
