//! A walk over what is below a path, in the order in which directories list it: for the commands that recurse. It keeps one open directory
//! and a handful of names for each level, so that neither breadth nor depth costs more than that.

use super::Invocation;
use super::reach::joined;
use std::collections::{HashSet, VecDeque};
use vfs::{Error, FileRef, Follow, Kind, NameBuf, OpenFlags, Place, Result, Stat};

/// Names taken from a directory at once.
const BATCH: usize = 256;

/// Which links are followed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Links {
    Never,
    /// Only those that a walk begins with (-H).
    Given,
    Always,
}

/// What was found: the file, and the path to show for it.
#[derive(Clone)]
pub struct Entry {
    pub place: Place,
    pub path: Vec<u8>,
    pub stat: Stat,
    /// The directory it is an entry of, and its name there; none of a path that the walk began with.
    pub of: Option<(Place, NameBuf)>,
    pub depth: usize,
}

impl Entry {
    /// What its name leads to now.
    pub async fn resolve(&self, call: &Invocation<'_>, follow: Follow) -> Result<Place> {
        match &self.of {
            Some((dir, name)) => dir.resolve(call.who, &name[..], follow).await,
            None => call.place(&self.path, follow).await,
        }
    }
}

pub enum Step {
    /// A file, or a directory before what is in it.
    Found(Entry),
    /// A directory after what is in it.
    Left(Entry),
    /// What could not be looked at or listed.
    Failed { path: Vec<u8>, error: Error, listing: bool },
    /// A directory that contains itself, by way of a link.
    Loop(Entry),
}

struct Level {
    entry: Entry,
    open: Option<FileRef>,
    cookie: u64,
    names: VecDeque<NameBuf>,
    ended: bool,
}

pub struct Walk {
    links: Links,
    levels: Vec<Level>,
    /// The directory found last, which is entered next unless it is skipped.
    next: Option<Entry>,
    above: HashSet<u64>,
}

impl Walk {
    /// From `path` on, which is found first.
    pub fn new(links: Links) -> Walk {
        Walk { links, levels: Vec::new(), next: None, above: HashSet::new() }
    }

    /// Begins at `path`.
    pub async fn begin(&mut self, call: &Invocation<'_>, path: &[u8]) -> Step {
        let follow = if self.links == Links::Never { Follow::No } else { Follow::Yes };
        let mut found = look(call, call.cwd, path, follow).await;
        if follow == Follow::Yes && found.is_err() {
            found = look(call, call.cwd, path, Follow::No).await;
        }
        match found {
            Ok((place, stat)) => self.found(Entry { place, path: path.to_vec(), stat, of: None, depth: 0 }),
            Err(error) => Step::Failed { path: path.to_vec(), error, listing: false },
        }
    }

    fn found(&mut self, entry: Entry) -> Step {
        if entry.stat.kind() == Kind::Dir {
            if self.above.contains(&entry.stat.qid.path) {
                return Step::Loop(entry);
            }
            self.next = Some(entry.clone());
        }
        Step::Found(entry)
    }

    /// Does not enter the directory that was found last.
    pub fn skip(&mut self) {
        self.next = None;
    }

    /// The next step; none at the end.
    pub async fn step(&mut self, call: &Invocation<'_>) -> Option<Step> {
        super::turn(call.shell).await;
        if let Some(entry) = self.next.take() {
            self.above.insert(entry.stat.qid.path);
            let path = entry.path.clone();
            let opened = entry.place.open(call.who, OpenFlags::READ | OpenFlags::DIRECTORY).await;
            let (open, failed) = match opened {
                Ok(open) => (Some(open), None),
                Err(error) => (None, Some(error)),
            };
            let ended = open.is_none();
            self.levels.push(Level { entry, open, cookie: 0, names: VecDeque::new(), ended });
            if let Some(error) = failed {
                return Some(Step::Failed { path, error, listing: true });
            }
        }
        loop {
            let level = self.levels.last_mut()?;
            if level.names.is_empty() && !level.ended {
                if let Err(error) = level.list().await {
                    level.ended = true;
                    return Some(Step::Failed { path: level.entry.path.clone(), error, listing: true });
                }
                continue;
            }
            let Some(name) = level.names.pop_front() else {
                let level = self.levels.pop()?;
                self.above.remove(&level.entry.stat.qid.path);
                return Some(Step::Left(level.entry));
            };
            let dir = level.entry.place.clone();
            let path = joined(&level.entry.path, &name);
            let depth = level.entry.depth + 1;
            let follow = if self.links == Links::Always { Follow::Yes } else { Follow::No };
            let mut found = look(call, &dir, &name, follow).await;
            if follow == Follow::Yes && found.is_err() {
                found = look(call, &dir, &name, Follow::No).await;
            }
            return Some(match found {
                Ok((place, stat)) => self.found(Entry { place, path, stat, of: Some((dir, name)), depth }),
                Err(error) => Step::Failed { path, error, listing: false },
            });
        }
    }
}

async fn look(call: &Invocation<'_>, from: &Place, path: &[u8], follow: Follow) -> Result<(Place, Stat)> {
    let place = from.resolve(call.who, path, follow).await?;
    let stat = place.stat(call.who).await?;
    Ok((place, stat))
}

impl Level {
    /// Takes the next names.
    async fn list(&mut self) -> Result<()> {
        let Some(open) = &self.open else { return Ok(()) };
        let mut batch: Vec<(NameBuf, u64)> = Vec::new();
        open.readdir(self.cookie, &mut |entry| {
            let room = batch.len() < BATCH;
            if room {
                batch.push((entry.name.to_owned(), entry.cookie));
            }
            room
        })
        .await?;
        match batch.last() {
            Some((_, cookie)) => self.cookie = *cookie,
            None => self.ended = true,
        }
        self.names.extend(batch.into_iter().map(|(name, _)| name));
        Ok(())
    }
}

/// The names in the directory `place`, as they are listed.
pub async fn names(call: &Invocation<'_>, place: &Place) -> Result<Vec<NameBuf>> {
    let open = place.open(call.who, OpenFlags::READ | OpenFlags::DIRECTORY).await?;
    let mut names = Vec::new();
    let mut cookie = 0;
    loop {
        super::turn(call.shell).await;
        let before = names.len();
        open.readdir(cookie, &mut |entry| {
            let room = names.len() - before < BATCH;
            if room {
                cookie = entry.cookie;
                names.push(entry.name.to_owned());
            }
            room
        })
        .await?;
        if names.len() == before {
            return Ok(names);
        }
    }
}
