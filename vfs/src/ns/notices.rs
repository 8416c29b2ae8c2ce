//! Notices: what happens at a place and below it, in order, for whoever watches it and need not poll.
//!
//! ```text
//! a tree ──changed()──► queue ──take()──► fs.watch of a program, a shell's cat
//!              │                  directories that are new are looked through when the next notice is waited for
//!              └─ an entry is new: it is watched before whoever made it hears that he has, where the tree answers at once
//! ```
//!
//! What is watched are nodes, by the marks of [`crate::watch`]; a notice names them by their way from the watched place. The same
//! notice is not queued twice. Where nobody takes them, they are dropped for one that says only that something happened.

use crate::*;
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::ops::Bound;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use tokio::sync::Notify;

/// Notices that wait to be taken.
const QUEUED: usize = 4096;

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Happening {
    /// The entry came, went, or leads to another file.
    Renamed,
    /// Its bytes or its attributes are others.
    Changed,
}

/// One thing that happened.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Notice {
    pub what: Happening,
    /// From the watched place; empty for that itself, and where more happened than could be kept.
    pub path: Vec<u8>,
}

/// How many places somebody may watch, in all that he watches.
#[derive(Clone, Debug)]
pub struct WatchRoom(Arc<AtomicUsize>);

impl WatchRoom {
    pub fn new(places: usize) -> WatchRoom {
        WatchRoom(Arc::new(AtomicUsize::new(places)))
    }
    fn take(&self) -> Result<()> {
        let taken = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        taken.map(drop).map_err(|_| Error::new(Errno::ENOSPC, "too many files are watched"))
    }
    fn give_back(&self, places: usize) {
        self.0.fetch_add(places, Ordering::Relaxed);
    }
}

/// One watched place. Nothing is watched any more when it is dropped.
pub struct Notices {
    me: Weak<Notices>,
    who: Caller,
    /// Directories below are watched too.
    recursive: bool,
    room: WatchRoom,
    state: Mutex<State>,
    told: Notify,
}

#[derive(Default)]
struct State {
    /// What is watched, by its way from the watched place.
    spots: BTreeMap<Vec<u8>, Spot>,
    /// The ways to a node: one with several links has several.
    ways: HashMap<u64, Vec<Vec<u8>>>,
    queue: VecDeque<Notice>,
    queued: HashSet<Notice>,
    /// Directories whose entries are to be looked through, and whether what is found there is news.
    unread: Vec<(Vec<u8>, bool)>,
}

/// One watched place; holding it keeps its node, and with that the mark.
struct Spot {
    place: Place,
    /// The nodes that tell of it: a union has several.
    nodes: Vec<u64>,
    /// What of them is wanted.
    what: Watch,
    /// When its attributes were last others: being read changes a time, and nobody wants to hear of that.
    changed: Option<Time>,
}

impl State {
    fn push(&mut self, what: Happening, path: &[u8]) {
        let notice = Notice { what, path: path.to_vec() };
        if self.queue.len() >= QUEUED {
            self.queue.clear();
            self.queued.clear();
            return self.push(Happening::Renamed, b"");
        }
        if self.queued.insert(notice.clone()) {
            self.queue.push_back(notice);
        }
    }

    fn take(&mut self) -> Option<Notice> {
        let notice = self.queue.pop_front()?;
        self.queued.remove(&notice);
        Some(notice)
    }

    /// What is at `path` and below it is watched no more.
    fn forget(&mut self, path: &[u8]) -> Vec<Spot> {
        let below = |there: &[u8]| {
            path.is_empty()
                || there.strip_prefix(path).is_some_and(|rest| matches!(rest.first(), None | Some(b'/')))
        };
        let from = (Bound::Included(path), Bound::Unbounded);
        let all: Vec<Vec<u8>> = self
            .spots
            .range::<[u8], _>(from)
            .map(|(there, _)| there)
            .take_while(|there| there.starts_with(path))
            .filter(|there| below(there))
            .cloned()
            .collect();
        all.iter().filter_map(|there| self.remove(there)).collect()
    }

    fn remove(&mut self, path: &[u8]) -> Option<Spot> {
        let spot = self.spots.remove(path)?;
        for node in &spot.nodes {
            if let Some(ways) = self.ways.get_mut(node) {
                ways.retain(|way| way != path);
                if ways.is_empty() {
                    self.ways.remove(node);
                }
            }
        }
        Some(spot)
    }
}

fn join(dir: &[u8], name: &[u8]) -> Vec<u8> {
    if dir.is_empty() { name.to_vec() } else { [dir, b"/", name].concat() }
}

impl Notices {
    /// Watches `place` in the name of `who`, who must be able to read it; with `recursive`, all directories below it. EOPNOTSUPP
    /// where it is storage whose tree tells of nothing: whoever relied on being told would be misled. What is no storage
    /// (devices, tasks) may be watched and tells nothing, as inotify(7) has it for /dev and /proc: programs that watch all
    /// that is below `/` come by there.
    pub async fn open(place: Place, who: &Caller, recursive: bool, room: &WatchRoom) -> Result<Arc<Notices>> {
        let silent = !place.kind().is_dir() && place.nature() != Nature::Storage;
        match silent {
            // Opening what is synthetic may make something, or wait.
            true => place.access(who, Access::READ).await?,
            false => drop(place.open(who, OpenFlags::READ).await?),
        }
        let notices = Arc::new_cyclic(|me| Notices {
            me: me.clone(),
            who: who.clone(),
            recursive,
            room: room.clone(),
            state: Mutex::default(),
            told: Notify::new(),
        });
        let watcher: Weak<dyn Watcher> = notices.me.clone();
        place.namespace().watch(&watcher);
        let telling = notices.enter(Vec::new(), place.clone(), false)?;
        if telling == Telling::Nothing && place.nature() == Nature::Storage {
            return Err(untold(&place));
        }
        notices.look_through().await?;
        Ok(notices)
    }

    /// The next notice, if there is one.
    pub fn take(&self) -> Option<Notice> {
        self.state.lock().take()
    }

    /// Waits until there is a notice.
    pub async fn wait(&self) {
        loop {
            let told = self.told.notified();
            tokio::pin!(told);
            told.as_mut().enable();
            // What cannot be looked through is a directory that has gone, or more than may be watched: told below.
            if self.look_through().await.is_err() {
                self.state.lock().push(Happening::Renamed, b"");
            }
            if !self.state.lock().queue.is_empty() {
                return;
            }
            told.await;
        }
    }

    /// From now on `place`, which is at `path`, is watched; `fresh` where it came since the watch began.
    fn enter(&self, path: Vec<u8>, place: Place, fresh: bool) -> Result<Telling> {
        if !path.is_empty() && place.is_behind_portal() {
            return Ok(Telling::Nothing);
        }
        let dir = place.kind().is_dir();
        if !dir && place.nature() != Nature::Storage {
            return Ok(Telling::Nothing);
        }
        let descends = dir && (self.recursive || path.is_empty());
        let what = match (dir, descends) {
            (_, true) => Watch::NAMES | Watch::STATUS,
            (true, false) => Watch::STATUS,
            (false, _) => Watch::CONTENT | Watch::STATUS,
        };
        let mut nodes = vec![place.node().qid().path];
        if descends {
            place.searched(|node| nodes.push(node.qid().path));
            nodes.sort_unstable();
            nodes.dedup();
        }
        let changed = status(&place).map(|stat| stat.ctime);
        let before = {
            let mut state = self.state.lock();
            if state.spots.get(&path).is_some_and(|there| there.nodes == nodes) {
                return Ok(Telling::EveryChange);
            }
            let before = state.forget(&path);
            self.room.take()?;
            for node in &nodes {
                state.ways.entry(*node).or_default().push(path.clone());
            }
            state.spots.insert(path.clone(), Spot { place: place.clone(), nodes, what, changed });
            before
        };
        self.let_go(before);
        let watcher: Weak<dyn Watcher> = self.me.clone();
        let telling = place.follow(&watcher, what);
        let mut state = self.state.lock();
        if descends && telling != Telling::Nothing {
            state.unread.push((path.clone(), fresh));
        }
        // What was changed before the watch began went by unseen, where the tree tells late.
        if fresh && telling == Telling::OwnChanges && !dir {
            state.push(Happening::Changed, &path);
        }
        Ok(telling)
    }

    /// Not under our lock: the last of a file may go with it.
    fn let_go(&self, spots: Vec<Spot>) {
        self.room.give_back(spots.len());
    }

    /// Watches the entries of directories that are new.
    async fn look_through(&self) -> Result<()> {
        loop {
            let next = self.state.lock().unread.pop();
            let Some((path, fresh)) = next else { return Ok(()) };
            let place = self.state.lock().spots.get(&path).map(|spot| spot.place.clone());
            let Some(place) = place else { continue };
            // One that may not be read, or is gone, has nothing to tell.
            let Ok(names) = self.names(&place).await else { continue };
            for name in names {
                let child = join(&path, name.as_bytes());
                if self.state.lock().spots.contains_key(&child) {
                    continue;
                }
                let Ok(found) = place.walk(&self.who, name.as_bytes()).await else { continue };
                self.enter(child.clone(), found, fresh)?;
                if fresh {
                    self.state.lock().push(Happening::Renamed, &child);
                }
            }
        }
    }

    async fn names(&self, place: &Place) -> Result<Vec<NameBuf>> {
        let dir = place.open(&self.who, OpenFlags::READ | OpenFlags::DIRECTORY).await?;
        let mut names = Vec::new();
        let mut sink = |entry: DirEntry<'_>| {
            names.push(entry.name.to_owned());
            true
        };
        dir.readdir(0, &mut sink).await?;
        Ok(names)
    }

    /// The status of a watched node, by any of the ways to it.
    fn status_of(&self, node: u64) -> Option<Stat> {
        let place = {
            let state = self.state.lock();
            state
                .ways
                .get(&node)
                .and_then(|ways| ways.first())
                .and_then(|way| state.spots.get(way))
                .map(|spot| spot.place.clone())
        };
        place.as_ref().and_then(status)
    }

    /// Something else is bound at the place with this key.
    fn bound(&self, key: u64) {
        let mut state = self.state.lock();
        let here: Vec<(Vec<u8>, bool)> = state
            .spots
            .iter()
            .filter(|(_, spot)| spot.place.key() == key)
            .map(|(path, spot)| (path.clone(), spot.what.contains(Watch::NAMES)))
            .collect();
        for (path, descends) in here {
            state.push(Happening::Renamed, &path);
            if descends {
                state.unread.push((path, true));
            }
        }
    }
}

/// Its node's, where that answers at once.
fn status(place: &Place) -> Option<Stat> {
    place.node().stat().now().and_then(Result::ok)
}

fn untold(place: &Place) -> Error {
    Error::new(Errno::EOPNOTSUPP, format!("{}: its changes are not told of", place.shown()))
}

impl Watcher for Notices {
    fn changed(&self, path: u64, change: Change<'_>) -> Watch {
        if change == Change::Bound {
            self.bound(path);
            self.told.notify_waiters();
            return Watch::empty();
        }
        let (mut wanted, mut gone, mut made) = (Watch::empty(), Vec::new(), Vec::new());
        let now = self.status_of(path);
        {
            let mut state = self.state.lock();
            let Some(ways) = state.ways.get(&path).cloned() else { return wanted };
            for way in ways {
                let Some(spot) = state.spots.get_mut(&way) else { continue };
                wanted |= spot.what;
                let before = std::mem::replace(&mut spot.changed, now.as_ref().map(|now| now.ctime));
                let (place, descends) = (spot.place.clone(), spot.what.contains(Watch::NAMES));
                match change {
                    // One that is gone may lead to another file from now on.
                    Change::Made(name) | Change::Gone(name) if descends => {
                        let child = join(&way, name.as_bytes());
                        state.push(Happening::Renamed, &child);
                        gone.extend(state.forget(&child));
                        made.push((place, way, name.to_owned(), child));
                    }
                    Change::Content => state.push(Happening::Changed, &way),
                    Change::Status if now.as_ref().is_some_and(|now| now.nlink > 0) => {
                        if now.as_ref().map(|now| now.ctime) != before {
                            state.push(Happening::Changed, &way);
                        }
                    }
                    // Of what is gone its directory tells; nobody else tells of the watched place itself.
                    Change::Status | Change::Removed if way.is_empty() => {
                        state.push(Happening::Renamed, &way)
                    }
                    Change::Made(_) | Change::Gone(_) | Change::Status | Change::Removed | Change::Bound => {}
                }
            }
        }
        self.let_go(gone);
        for (dir, way, name, child) in made {
            match dir.walk(&self.who, name.as_bytes()).now() {
                // Where there is no room for it, it stays unwatched; that it came is told.
                Some(Ok(place)) => drop(self.enter(child, place, true)),
                // It is gone.
                Some(Err(_)) => {}
                None => self.state.lock().unread.push((way, true)),
            }
        }
        self.told.notify_waiters();
        wanted
    }
}

impl Drop for Notices {
    fn drop(&mut self) {
        self.room.give_back(self.state.get_mut().spots.len());
    }
}
