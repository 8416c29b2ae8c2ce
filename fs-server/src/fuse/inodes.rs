//! What the kernel knows of us: the places behind its inode numbers, and what it believes of them.
//!
//! An inode number is the place's own identity (its qid path), so hard links share one inode and a directory seen at two
//! names (a bind, a task's root) is two. The kernel counts the entries that it was given and gives them back with FORGET.
//!
//! What is said to the kernel is watched from before it is looked at: a change that comes before it is said makes it be
//! believed for no time, and one that comes after it is told to the kernel.

use super::handles::Open;
use super::notices::{Notice, Notices};
use super::origin;
use super::passthrough::{Passthrough, Way, Ways};
use fuser::{BackingId, INodeNo};
use parking_lot::{Mutex, RwLock};
use rustix::fd::BorrowedFd;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;
use vfs::{Caller, Change, Errno, FileRef, Kind, Namespace, Nature, Place, Result, Telling, Watch, Watcher};

/// One inode that the kernel knows.
struct Inode {
    /// The name it was last reached by.
    place: Place,
    /// Others that the kernel may know it by: hard links, and where it was before it was renamed.
    earlier: Vec<Place>,
    lookups: AtomicU64,
    /// What the trees call it, where that is not its number.
    other_paths: Box<[u64]>,
    beliefs: Arc<Beliefs>,
}

/// An inode that the kernel does not know any more.
pub(super) struct Forgotten(#[expect(dead_code, reason = "it is there to be dropped")] Inode);

/// So many names of one inode are kept besides the last.
const NAMES: usize = 8;

impl Inode {
    /// It is known by the name of `place` now; gives the name that there is no room for any more.
    fn reached(&mut self, place: &Place) -> Option<Place> {
        let before = std::mem::replace(&mut self.place, place.clone());
        if called_the_same(&before, place) {
            return None;
        }
        self.earlier.retain(|earlier| !called_the_same(earlier, place));
        self.earlier.push(before);
        (self.earlier.len() > NAMES).then(|| self.earlier.remove(0))
    }
}

/// What the kernel believes of an inode, as far as we have to know.
#[derive(Default)]
pub(super) struct Beliefs {
    /// Counts the changes that were told of it.
    changes: AtomicU64,
    /// The attributes were asked for since the last of them.
    status: AtomicBool,
    /// A directory's entries were listed since the last of them, and the kernel keeps the list.
    list: AtomicBool,
    /// The version that was open last, plus one; 0 before the first open. Where a tree does not tell of its changes, the
    /// kernel's pages are of that version.
    version: AtomicU64,
    /// How it is open.
    ways: Mutex<Ways>,
}

/// Something that is about to be looked at and said to the kernel.
#[derive(Clone)]
pub(super) struct Belief {
    of: Arc<Beliefs>,
    changes: u64,
    ttl: Duration,
}

impl Belief {
    /// How long the kernel may believe what was looked at since this was made. To be asked, and the answer sent, under
    /// [`Notices::say`].
    pub(super) fn ttl(&self) -> Duration {
        if self.of.changes.load(Ordering::SeqCst) == self.changes { self.ttl } else { Duration::ZERO }
    }
}

/// An entry that is counted as given to the kernel; dropped without [`Held::give`], it is not.
pub(super) struct Held {
    inodes: Arc<Inodes>,
    ino: INodeNo,
    given: bool,
}

impl Held {
    pub(super) fn ino(&self) -> INodeNo {
        self.ino
    }
    pub(super) fn give(mut self) {
        self.given = true;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if !self.given {
            self.inodes.forget(self.ino, 1);
        }
    }
}

#[derive(Default)]
struct Known {
    inodes: HashMap<u64, Inode>,
    /// Inodes by what a tree calls them, where that is not their number: seen through a bind, or members of a union.
    others: HashMap<u64, Vec<u64>>,
}

pub(super) struct Inodes {
    ns: Namespace,
    /// This mount, among those that changes come from.
    mount: u64,
    /// How long to believe a tree that others may change, and that hears of it only later, or never.
    patience: Duration,
    me: Weak<dyn Watcher>,
    pub(super) notices: Arc<Notices>,
    pub(super) passthrough: Passthrough,
    known: RwLock<Known>,
}

/// A tree that tells of every change is believed until it does.
const UNTIL_TOLD: Duration = Duration::from_secs(24 * 60 * 60);

/// The kernel's number for a place. 0 is no inode and 1 the root of the mount, whatever the trees say.
pub(super) fn number(place: &Place) -> INodeNo {
    INodeNo(match place.qid().path {
        0 => u64::MAX,
        1 => u64::MAX - 1,
        path => path,
    })
}

impl Known {
    /// Takes note of `place` as `ino`.
    fn insert(&mut self, ino: u64, place: &Place, lookups: u64) {
        let mut paths = Vec::new();
        place.searched(|node| {
            let path = node.qid().path;
            if path != ino {
                paths.push(path);
                self.others.entry(path).or_default().push(ino);
            }
        });
        let (place, lookups) = (place.clone(), AtomicU64::new(lookups));
        let (earlier, beliefs) = (Vec::new(), Arc::default());
        self.inodes.insert(ino, Inode { place, earlier, lookups, other_paths: paths.into(), beliefs });
    }

    fn remove(&mut self, ino: u64) -> Option<Inode> {
        let gone = self.inodes.remove(&ino)?;
        for path in &gone.other_paths {
            if let Some(inodes) = self.others.get_mut(path) {
                inodes.retain(|there| *there != ino);
                if inodes.is_empty() {
                    self.others.remove(path);
                }
            }
        }
        Some(gone)
    }

    /// The inodes that the node `path` of a tree is.
    fn of(&self, path: u64) -> impl Iterator<Item = (u64, &Inode)> {
        let plain = self.inodes.get(&path).map(|inode| (path, inode));
        let others = self.others.get(&path).into_iter().flatten();
        plain.into_iter().chain(others.filter_map(|ino| Some((*ino, self.inodes.get(ino)?))))
    }
}

impl Inodes {
    pub(super) fn new(ns: Namespace, mount: u64, patience: Duration) -> Arc<Inodes> {
        let inodes = Arc::new_cyclic(|me: &Weak<Inodes>| {
            let mut known = Known::default();
            known.insert(INodeNo::ROOT.0, &ns.root(), 1);
            let (notices, known) = (Notices::new(), RwLock::new(known));
            let passthrough = Passthrough::default();
            Inodes { ns, mount, patience, me: me.clone(), notices, passthrough, known }
        });
        inodes.ns.watch(&inodes.me);
        inodes
    }

    /// The place behind `ino`; ESTALE for one that was never given out or is forgotten.
    pub(super) fn place(&self, ino: INodeNo) -> Result<Place> {
        if ino == INodeNo::ROOT {
            return Ok(self.ns.root());
        }
        match self.known.read().inodes.get(&ino.0) {
            Some(inode) => Ok(inode.place.clone()),
            None => Errno::ESTALE.into(),
        }
    }

    /// Counts one more entry to be given to the kernel.
    pub(super) fn hold(self: &Arc<Inodes>, place: &Place) -> Held {
        let ino = number(place);
        let held = Held { inodes: self.clone(), ino, given: false };
        if let Some(inode) = self.known.read().inodes.get(&ino.0)
            && same_name(&inode.place, place)
        {
            inode.lookups.fetch_add(1, Ordering::Relaxed);
            return held;
        }
        let mut known = self.known.write();
        match known.inodes.get_mut(&ino.0) {
            Some(inode) => {
                *inode.lookups.get_mut() += 1;
                let too_many = inode.reached(place);
                drop(known);
                too_many.into_iter().filter_map(|place| entry_of(&place)).for_each(|n| self.notices.push(n));
            }
            None => known.insert(ino.0, place, 1),
        }
        held
    }

    /// Takes back `count` entries that were given to the kernel. What comes back was the last of them: to be dropped where it
    /// may take long, for the last of a file may go with it.
    pub(super) fn forget(&self, ino: INodeNo, count: u64) -> Option<Forgotten> {
        let mut known = self.known.write();
        let left = known.inodes.get_mut(&ino.0)?.lookups.get_mut();
        *left = left.saturating_sub(count);
        if *left == 0 { known.remove(ino.0).map(Forgotten) } else { None }
    }

    fn beliefs(&self, ino: INodeNo) -> Option<Arc<Beliefs>> {
        self.known.read().inodes.get(&ino.0).map(|inode| inode.beliefs.clone())
    }

    /// `what` of `place`, which is `ino`, is about to be looked at. None where the kernel does not know it.
    pub(super) fn look(&self, ino: INodeNo, place: &Place, what: Watch) -> Option<Belief> {
        let of = self.beliefs(ino)?;
        // First the count, then the watch, then the look: what changes behind that is told, and counted.
        let changes = of.changes.load(Ordering::SeqCst);
        if what.contains(Watch::STATUS) {
            of.status.store(true, Ordering::SeqCst);
        }
        let ttl = match place.watch(&self.me, what) {
            Telling::EveryChange => UNTIL_TOLD,
            // Where it may be believed all the same, whoever hears of changes at all says so.
            _ if self.patience.is_zero() || place.follow(&self.me, what) == Telling::Nothing => {
                Duration::ZERO
            }
            _ => self.patience,
        };
        Some(Belief { of, changes, ttl })
    }

    /// The kernel gets pages of the file, or has some.
    pub(super) fn look_at_content(&self, open: &Open) {
        if open.file.nature() == Nature::Storage {
            open.place.watch(&self.me, Watch::CONTENT);
        }
    }

    /// The kernel is about to list the directory `place`: may it keep the list? It compares the directory's time too, so that
    /// a list which it is still making when it is told of a change does not become what it keeps.
    pub(super) fn may_keep_list(&self, ino: INodeNo, place: &Place) -> bool {
        let mut members = 0;
        place.searched(|_| members += 1);
        // A union's time is that of one member.
        if place.nature() != Nature::Storage || members != 1 {
            return false;
        }
        let Some(beliefs) = self.beliefs(ino) else { return false };
        let told = place.watch(&self.me, Watch::NAMES) == Telling::EveryChange;
        if told {
            beliefs.list.store(true, Ordering::SeqCst);
        }
        told
    }

    /// The file is opened, at `version`: are the kernel's pages, if it has any, still good?
    pub(super) fn may_keep_pages(&self, ino: INodeNo, place: &Place, version: u32) -> bool {
        let version = u64::from(version) + 1;
        let Some(beliefs) = self.beliefs(ino) else { return false };
        let unchanged = beliefs.version.swap(version, Ordering::Relaxed) == version;
        unchanged || place.watch(&self.me, Watch::CONTENT) == Telling::EveryChange
    }

    /// How the bytes of `file`, which is being opened as `ino`, are to reach the kernel; `register` makes it take in a file of
    /// this machine.
    pub(super) fn way(
        &self,
        ino: INodeNo,
        file: &FileRef,
        register: impl FnOnce(BorrowedFd<'_>) -> std::io::Result<BackingId>,
    ) -> Option<Way> {
        let beliefs = self.beliefs(ino)?;
        let regular = file.nature() == Nature::Storage && file.node().kind() == Kind::File;
        regular.then(|| self.passthrough.way(&beliefs.ways, file.backing(), register))
    }

    /// Something else is bound at the place that is known as `key`: neither its own entry nor those in it lead where they did.
    fn bound(&self, key: u64) {
        let mut known = self.known.write();
        let mut again = Vec::new();
        for (ino, inode) in &known.inodes {
            inode.beliefs.changes.fetch_add(1, Ordering::SeqCst);
            // What is listed there may be of another kind now.
            if inode.beliefs.list.swap(false, Ordering::SeqCst) {
                self.notices.push(Notice::Content(*ino));
            }
            let parent = inode.place.parent();
            let here = inode.place.key() == key;
            if here {
                again.push((*ino, inode.place.clone(), inode.lookups.load(Ordering::Relaxed)));
            }
            if (here || parent.key() == key)
                && let Some(notice) = entry_of(&inode.place)
            {
                self.notices.push(notice);
            }
        }
        // The members of a union there are others now.
        for (ino, place, lookups) in again {
            known.remove(ino);
            known.insert(ino, &place, lookups);
        }
    }

    /// All that the kernel may believe, as what it is to be told where none of it holds any more.
    pub(super) fn everything(&self) -> Vec<Notice> {
        let known = self.known.read();
        let mut all = Vec::with_capacity(2 * known.inodes.len());
        for (ino, inode) in &known.inodes {
            inode.beliefs.changes.fetch_add(1, Ordering::SeqCst);
            all.extend(inode.earlier.iter().chain([&inode.place]).filter_map(entry_of));
            all.push(Notice::Content(*ino));
        }
        all
    }

    /// A synthetic file was closed. What is removed while it is open (a task) stays in the kernel's memory when it is closed,
    /// and in ours with it: the kernel forgets what it removes itself, where nobody uses it then, but nothing removes what is
    /// in a directory that is gone.
    pub(super) fn closed(&self, mut place: Place) {
        let me = Caller::me();
        while let (Some(name), parent) = (place.name(), place.parent()) {
            let led_to = parent.walk(&me, name).now();
            if !matches!(led_to, Some(Err(error)) if error.is(Errno::ENOENT)) {
                return;
            }
            entry_of(&place).into_iter().for_each(|notice| self.notices.push(notice));
            place = parent;
        }
    }

    /// The tree has nothing any more of what is known as `path`.
    fn removed(&self, path: u64) {
        let origin = origin::now().filter(|origin| origin.mount == self.mount);
        for (_, inode) in self.known.read().of(path) {
            match entry_of(&inode.place) {
                // The kernel sees to what it asked for itself.
                Some(Notice::Entry(dir, _)) if origin.is_some_and(|o| o.inodes.contains(&dir)) => {}
                notice => notice.into_iter().for_each(|notice| self.notices.push(notice)),
            }
        }
    }

    pub(super) fn count(&self) -> usize {
        self.known.read().inodes.len() - 1
    }
}

impl Watcher for Inodes {
    fn changed(&self, path: u64, change: Change<'_>) -> Watch {
        match change {
            Change::Bound => self.bound(path),
            Change::Removed => self.removed(path),
            _ => return self.is_changed(path, change),
        }
        Watch::empty()
    }
}

impl Inodes {
    fn is_changed(&self, path: u64, change: Change<'_>) -> Watch {
        let origin = origin::now().filter(|origin| origin.mount == self.mount);
        let mut wanted = Watch::empty();
        for (ino, inode) in self.known.read().of(path) {
            let knows = origin.is_some_and(|origin| origin.knows(ino, path, change));
            if knows {
                wanted |= change.touches();
                continue;
            }
            if origin.is_some() {
                origin::told_of_itself();
            }
            inode.beliefs.changes.fetch_add(1, Ordering::SeqCst);
            let believed = inode.beliefs.status.swap(false, Ordering::SeqCst);
            let of_names = matches!(change, Change::Made(_) | Change::Gone(_));
            match change {
                Change::Content => self.notices.push(Notice::Content(ino)),
                _ if of_names && inode.beliefs.list.swap(false, Ordering::SeqCst) => {
                    self.notices.push(Notice::Content(ino));
                }
                _ if believed => self.notices.push(Notice::Status(ino)),
                _ => {}
            }
            if of_names {
                wanted |= Watch::NAMES;
            }
            match change {
                Change::Gone(name) => self.notices.push(Notice::Entry(ino, name.to_owned())),
                // A host directory does not tell that it meant something else before.
                Change::Made(name) if !self.patience.is_zero() => {
                    self.notices.push(Notice::Entry(ino, name.to_owned()));
                }
                _ => {}
            }
        }
        wanted
    }
}

/// The word that a place's name is to be looked up anew.
fn entry_of(place: &Place) -> Option<Notice> {
    let (parent, name) = (place.parent(), place.name()?.clone());
    // The mount's root is number 1, whatever its place says.
    let parent = if parent.name().is_none() { INodeNo::ROOT } else { number(&parent) };
    Some(Notice::Entry(parent.0, name))
}

/// Reached by the same name in the same directory? A renamed file keeps its inode but not its place.
fn same_name(a: &Place, b: &Place) -> bool {
    Arc::ptr_eq(a.node(), b.node()) && called_the_same(a, b)
}

/// The same name in the same directory; synthetic trees make its node anew at each walk.
fn called_the_same(a: &Place, b: &Place) -> bool {
    a.name() == b.name() && a.parent().qid() == b.parent().qid()
}
