//! Listing directories: names alone (READDIR), or names with attributes (READDIRPLUS), which spare `ls -l` a question each.

use super::attr::{attributes, listed_type};
use super::handles::Open;
use super::inodes::{Inodes, number};
use super::names::{Dir, FoundEntry, GENERATION};
use fuser::{FileType, INodeNo, ReplyDirectory, ReplyDirectoryPlus};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use vfs::{Caller, DirEntry, FileRef, Kind, NameBuf, Place, Qid, Result, Stat};

/// Where a listing goes on: 0 is `.`, 1 is `..`, and from 2 the directory's own cookies, moved by two.
const OWN: u64 = 2;

/// How many entries the kernel's buffer takes, which fuser does not tell: found by trying.
pub(super) struct Fit(AtomicUsize);

impl Default for Fit {
    fn default() -> Fit {
        Fit(AtomicUsize::new(32))
    }
}

impl Fit {
    const MOST: usize = 1024;

    fn expected(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
    fn learn(&self, offered: usize, taken: usize) {
        let next = if taken < offered { taken.max(1) } else { (self.expected() * 2).min(Fit::MOST) };
        self.0.store(next, Ordering::Relaxed);
    }
}

/// One entry of an answer to be.
struct Listed<T> {
    name: NameBuf,
    next: u64,
    what: T,
}

/// `.` and `..`, which the trees do not list, as far as they lie behind the offset.
type Dots = Vec<(u64, &'static str, INodeNo)>;

fn dots(dir: &Place, offset: u64) -> Dots {
    if offset >= OWN {
        return Dots::new();
    }
    let both = [(1, ".", number(dir)), (2, "..", number(&dir.parent()))];
    both.into_iter().skip(offset as usize).collect()
}

/// The next entries behind `offset`; none at the end.
async fn batch(file: &FileRef, offset: u64, most: usize) -> Result<Vec<Listed<Qid>>> {
    let mut entries = Vec::with_capacity(most);
    let mut sink = |entry: DirEntry<'_>| {
        if entries.len() == most {
            return false;
        }
        let next = entry.cookie.saturating_add(OWN);
        entries.push(Listed { name: entry.name.to_owned(), next, what: entry.qid });
        true
    };
    file.readdir(offset.saturating_sub(OWN), &mut sink).await?;
    Ok(entries)
}

/// Names, kinds and inode numbers.
pub(super) struct Names {
    open: Arc<Open>,
    dots: Dots,
    entries: Vec<Listed<(INodeNo, Kind)>>,
}

impl Names {
    pub(super) async fn collect(
        inodes: Arc<Inodes>,
        ino: INodeNo,
        open: Arc<Open>,
        who: Caller,
        mut offset: u64,
    ) -> Result<Names> {
        let dots = dots(&open.place, offset);
        // It goes on with the list that it keeps, where it was told to keep it.
        inodes.may_keep_list(ino, &open.place);
        // In the plain view an entry's own identity is its inode number; behind a bind only the place knows it.
        let plain = open.place.qid().path == open.place.node().qid().path;
        loop {
            let listed = batch(&open.file, offset, open.fit.expected()).await?;
            let Some(last) = listed.last() else { return Ok(Names { open, dots, entries: Vec::new() }) };
            offset = last.next;
            let mut entries = Vec::with_capacity(listed.len());
            for Listed { name, next, what: qid } in listed {
                let ino = if plain {
                    INodeNo(qid.path)
                } else {
                    match open.place.walk(&who, &name).await {
                        Ok(place) => number(&place),
                        Err(_) => continue,
                    }
                };
                entries.push(Listed { name, next, what: (ino, qid.kind) });
            }
            // An answer without entries would be the end of the directory.
            if !entries.is_empty() {
                return Ok(Names { open, dots, entries });
            }
        }
    }

    pub(super) fn answer(self, mut reply: ReplyDirectory) {
        for (next, name, ino) in self.dots {
            if reply.add(ino, next, FileType::Directory, name) {
                return reply.ok();
            }
        }
        let mut taken = 0;
        for Listed { name, next, what: (ino, kind) } in &self.entries {
            if reply.add(*ino, *next, listed_type(*kind), OsStr::from_bytes(name)) {
                break;
            }
            taken += 1;
        }
        self.open.fit.learn(self.entries.len(), taken);
        reply.ok();
    }
}

/// Places with their attributes.
pub(super) struct Entries {
    open: Arc<Open>,
    dots: Dots,
    itself: Stat,
    entries: Vec<Listed<FoundEntry>>,
}

impl Entries {
    pub(super) async fn collect(
        inodes: Arc<Inodes>,
        ino: INodeNo,
        open: Arc<Open>,
        who: Caller,
        mut offset: u64,
    ) -> Result<Entries> {
        let dots = dots(&open.place, offset);
        let dir = Dir::new(&inodes, ino, open.place.clone());
        inodes.may_keep_list(ino, &open.place);
        let itself = open.place.stat(&who).await?;
        loop {
            let listed = batch(&open.file, offset, open.fit.expected()).await?;
            let Some(last) = listed.last() else {
                return Ok(Entries { open, dots, itself, entries: Vec::new() });
            };
            offset = last.next;
            let mut entries = Vec::with_capacity(listed.len());
            for Listed { name, next, .. } in listed {
                // What is gone by now is not there.
                let Ok(what) = dir.lookup(&name, &who).await else { continue };
                entries.push(Listed { name, next, what });
            }
            if !entries.is_empty() {
                return Ok(Entries { open, dots, itself, entries });
            }
        }
    }

    /// Each entry that the kernel takes counts as a lookup.
    pub(super) fn answer(self, mut reply: ReplyDirectoryPlus) {
        for (next, name, ino) in self.dots {
            // The kernel takes no attributes from these two and counts no lookup.
            let attr = attributes(ino, &self.itself);
            if reply.add(ino, next, name, &Duration::ZERO, &attr, GENERATION) {
                return reply.ok();
            }
        }
        let (mut taken, offered) = (0, self.entries.len());
        for Listed { name, next, what } in self.entries {
            let attr = what.attributes();
            // One time for both.
            let ttl = what.ttl();
            let ttl = ttl.name.min(ttl.status);
            if reply.add(attr.ino, next, OsStr::from_bytes(&name), &ttl, &attr, GENERATION) {
                break;
            }
            what.give();
            taken += 1;
        }
        self.open.fit.learn(offered, taken);
        reply.ok();
    }
}
