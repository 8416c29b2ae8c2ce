//! Word of changes, for those who keep what a tree said: a kernel's caches, a program that watches a directory.
//!
//! A tree that tells has one [`Watchers`], and a [`Mark`] in each node. Who asks to be told of a node sets its mark; a change
//! of an unmarked node costs one look at it, allocates nothing and calls nobody. A watch is for one change: what was told is
//! to be asked for again, unless the watcher says that he still wants it.
//!
//! What is told has happened and can be seen, and whoever made it has not heard of it yet. So a watcher who sets the mark,
//! then looks, and is not told, has seen what is there.

use crate::Name;
use bitflags::bitflags;
use parking_lot::RwLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Weak};

bitflags! {
    /// What of a node one wants to be told of.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Watch: u32 {
        /// Its attributes, whatever changes them.
        const STATUS = 1;
        /// Its bytes and its size.
        const CONTENT = 2;
        /// A directory's entries.
        const NAMES = 4;
    }
}

/// What has happened to a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change<'a> {
    /// Mode, owner, times or links are others.
    Status,
    /// Bytes or size are others, and with them the times.
    Content,
    /// The directory has an entry of this name now, where there was none.
    Made(Name<'a>),
    /// The entry is gone, or leads to another file than before.
    Gone(Name<'a>),
    /// The node itself is gone from its tree, by whatever name it was known.
    Removed,
    /// Something else than before is bound at the place that has this key ([`crate::Place::key`]).
    Bound,
}

impl Change<'_> {
    /// Who wants one of these is told.
    pub fn touches(self) -> Watch {
        match self {
            Change::Status | Change::Removed => Watch::STATUS,
            Change::Content => Watch::STATUS | Watch::CONTENT,
            Change::Made(_) | Change::Gone(_) | Change::Bound => Watch::STATUS | Watch::NAMES,
        }
    }
}

/// How much a tree tells.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Telling {
    Nothing,
    /// What is changed through this server; others may change it unseen.
    OwnChanges,
    EveryChange,
}

/// Is told of changes.
pub trait Watcher: Send + Sync {
    /// The node with the identity `path` (its qid's) has changed. Called by the thread that made the change, with no lock of
    /// the tree's held; must not wait. Gives back what of the node is to be told further.
    fn changed(&self, path: u64, change: Change<'_>) -> Watch;
}

/// Who is told of the changes in one tree.
#[derive(Default)]
pub struct Watchers(RwLock<Arc<[Weak<dyn Watcher>]>>);

impl Watchers {
    pub(crate) fn knows(&self, watcher: &Weak<dyn Watcher>) -> bool {
        self.0.read().iter().any(|there| there.ptr_eq(watcher))
    }

    /// Adds `watcher`, once; those who are gone are forgotten.
    pub fn add(&self, watcher: &Weak<dyn Watcher>) {
        if self.knows(watcher) {
            return;
        }
        let mut list = self.0.write();
        let others = list.iter().filter(|there| there.strong_count() > 0 && !there.ptr_eq(watcher));
        *list = others.chain([watcher]).cloned().collect();
    }

    pub(crate) fn tell(&self, path: u64, change: Change<'_>) -> Watch {
        // Without the lock: what a watcher does, and be it his end, is his own.
        let list = self.0.read().clone();
        let living = list.iter().filter_map(Weak::upgrade);
        living.fold(Watch::empty(), |wanted, watcher| wanted | watcher.changed(path, change))
    }
}

/// What somebody wants to be told of a node, and, above those bits, how often that was asked.
#[derive(Default)]
pub struct Mark(AtomicU32);

impl Mark {
    const ASKED: u32 = 8;

    /// Asks to be told of the next change in `what`.
    pub fn set(&self, what: Watch) {
        // Never fails: the closure gives a value for every value.
        let _ = self.0.fetch_update(Ordering::AcqRel, Ordering::Relaxed, |mark| {
            Some(mark.wrapping_add(Mark::ASKED) | what.bits())
        });
    }

    /// Tells of `change` to the node `path`, if anybody asked.
    #[inline]
    pub fn tell(&self, watchers: &Watchers, path: u64, change: Change<'_>) {
        // The change was made under a lock that whoever looked after setting the mark took too: it is seen here.
        let mark = self.0.load(Ordering::Acquire);
        if mark & change.touches().bits() != 0 {
            self.tell_those(mark, watchers, path, change);
        }
    }

    #[cold]
    fn tell_those(&self, mark: u32, watchers: &Watchers, path: u64, change: Change<'_>) {
        let wanted = watchers.tell(path, change);
        let left = mark & !(change.touches() - wanted).bits();
        // Somebody may have asked anew meanwhile, of what is to come: then all stays.
        let _ = self.0.compare_exchange(mark, left, Ordering::AcqRel, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parking_lot::Mutex;

    /// Notes what it hears, and goes on wanting `wants`.
    struct Ear {
        heard: Mutex<Vec<String>>,
        wants: Watch,
    }

    impl Watcher for Ear {
        fn changed(&self, path: u64, change: Change<'_>) -> Watch {
            self.heard.lock().push(format!("{path} {change:?}"));
            self.wants
        }
    }

    fn ear(wants: Watch) -> (Arc<Ear>, Weak<dyn Watcher>) {
        let ear = Arc::new(Ear { heard: Mutex::default(), wants });
        let weak: Weak<dyn Watcher> = Arc::downgrade(&(ear.clone() as Arc<dyn Watcher>));
        (ear, weak)
    }

    #[test]
    fn a_watch_is_for_one_change_of_what_was_asked_for() {
        let (watchers, mark) = (Watchers::default(), Mark::default());
        let (ear, weak) = ear(Watch::empty());
        watchers.add(&weak);
        watchers.add(&weak);
        mark.tell(&watchers, 1, Change::Content);
        mark.set(Watch::CONTENT);
        mark.tell(&watchers, 1, Change::Status);
        assert_eq!(ear.heard.lock().len(), 0);
        mark.tell(&watchers, 1, Change::Content);
        mark.tell(&watchers, 1, Change::Content);
        assert_eq!(*ear.heard.lock(), ["1 Content"]);
    }

    #[test]
    fn who_still_wants_to_know_is_told_again() {
        let (watchers, mark) = (Watchers::default(), Mark::default());
        let (ear, weak) = ear(Watch::NAMES);
        watchers.add(&weak);
        mark.set(Watch::NAMES | Watch::STATUS);
        let name = Name::new(b"x").unwrap();
        mark.tell(&watchers, 1, Change::Made(name));
        mark.tell(&watchers, 1, Change::Status);
        mark.tell(&watchers, 1, Change::Gone(name));
        assert_eq!(
            ear.heard.lock().len(),
            2,
            "the status was told with the entry, and is not wanted further"
        );
    }

    #[test]
    fn what_is_asked_while_a_change_is_told_holds_for_the_next() {
        struct Again(Arc<Mark>);
        impl Watcher for Again {
            fn changed(&self, _: u64, _: Change<'_>) -> Watch {
                self.0.set(Watch::CONTENT);
                Watch::empty()
            }
        }
        let (watchers, mark) = (Watchers::default(), Arc::new(Mark::default()));
        let again = Arc::new(Again(mark.clone()));
        let weak: Weak<dyn Watcher> = Arc::downgrade(&(again.clone() as Arc<dyn Watcher>));
        watchers.add(&weak);
        mark.set(Watch::CONTENT);
        mark.tell(&watchers, 1, Change::Content);
        assert_ne!(mark.0.load(Ordering::Relaxed) & Watch::CONTENT.bits(), 0);
    }
}
