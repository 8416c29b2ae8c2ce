//! Opening and making files: the work, and the answer, which says by which way the file's bytes go from then on.

use super::files::{treatment, without_set_id};
use super::handles::{Handles, Opened};
use super::inodes::Inodes;
use super::names::{Dir, FoundEntry, GENERATION};
use super::passthrough::Way;
use fuser::{FopenFlags, INodeNo, ReplyCreate, ReplyOpen};
use std::sync::Arc;
use vfs::{Caller, FileRef, Kind, Mode, Name, Nature, OpenFlags, Place, Result, SetStat};

pub(super) async fn open(place: Place, who: Caller, flags: OpenFlags) -> Result<(Place, Opened)> {
    let file = place.open(&who, flags - OpenFlags::APPEND).await?;
    if flags.contains(OpenFlags::TRUNCATE) && !who.is_root() && file.nature() == Nature::Storage {
        let mode = without_set_id(&place.stat(&who).await?, &who, false);
        if mode.is_some() {
            place.setstat(&who, SetStat { mode, ..SetStat::default() }).await?;
        }
    }
    let appender = appender(&place, &who, flags, &file).await;
    Ok((place, Opened { file, appender }))
}

pub(super) async fn create(
    dir: Dir,
    who: Caller,
    name: Name<'_>,
    mode: Mode,
    flags: OpenFlags,
) -> Result<(FoundEntry, Opened)> {
    let made = dir.place.create(&who, name, mode, flags - OpenFlags::APPEND).await?;
    let appender = appender(&made.place, &who, flags, &made.file).await;
    let opened = Opened { file: made.file, appender };
    Ok((dir.made(made.place, Kind::File, &who).await?, opened))
}

/// A server elsewhere appends in one step only to what was opened for that. Where it is not opened again, the end is asked for.
async fn appender(place: &Place, who: &Caller, flags: OpenFlags, file: &FileRef) -> Option<FileRef> {
    let appends = flags.contains(OpenFlags::WRITE | OpenFlags::APPEND);
    if !appends || !file.is_remote() || file.nature() != Nature::Storage {
        return None;
    }
    place.open(who, OpenFlags::WRITE | OpenFlags::APPEND | (flags & OpenFlags::SYNC)).await.ok()
}

/// Where an open file gets its handle.
pub(super) struct Opening {
    pub(super) inodes: Arc<Inodes>,
    pub(super) handles: Arc<Handles>,
    pub(super) flags: OpenFlags,
    /// The process that opens.
    pub(super) pid: u32,
}

impl Opening {
    pub(super) fn opened(self, reply: ReplyOpen, ino: INodeNo, place: Place, opened: Opened) {
        let (by, file) = ((ino, self.pid), &opened.file);
        let nature = file.nature();
        let unchanged =
            nature == Nature::Storage && self.inodes.may_keep_pages(ino, &place, place.qid().version);
        let way = self.inodes.way(ino, file, |file| reply.open_backing(file));
        if let Some(Way::Passed(backing)) = &way {
            let backing = backing.clone();
            let handle = self.handles.insert(opened, place, way, by);
            return reply.opened_passthrough(handle, FopenFlags::empty(), &backing);
        }
        let handle = self.handles.insert(opened, place, way, by);
        reply.opened(handle, treatment(nature, self.flags, unchanged));
    }

    pub(super) fn created(self, reply: ReplyCreate, found: FoundEntry, opened: Opened) {
        let (attr, ttl) = (found.attributes(), found.ttl());
        let treatment = treatment(opened.file.nature(), self.flags, false);
        // One time for both.
        let ttl = ttl.name.min(ttl.status);
        let by = (attr.ino, self.pid);
        let way = self.inodes.way(attr.ino, &opened.file, |file| reply.open_backing(file));
        let place = found.give().place;
        if let Some(Way::Passed(backing)) = &way {
            let backing = backing.clone();
            let handle = self.handles.insert(opened, place, way, by);
            let none = FopenFlags::empty();
            return reply.created_passthrough(&ttl, &attr, GENERATION, handle, none, &backing);
        }
        let handle = self.handles.insert(opened, place, way, by);
        reply.created(&ttl, &attr, GENERATION, handle, treatment);
    }
}
