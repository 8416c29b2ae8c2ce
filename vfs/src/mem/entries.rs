//! The names in a directory.
//!
//! Entries lie in slots, in the order of their cookies, which are never used twice: a listing goes on behind the last
//! cookie it saw, whatever came and went meanwhile, and sees every entry that stayed exactly once. A hash index over the
//! slots finds a name. Removed entries leave empty slots, which go when they are more than the others.

use crate::{Name, NameBuf};
use hashbrown::{DefaultHashBuilder, HashTable};
use std::hash::BuildHasher;

/// Empty slots that are not worth tidying up.
const FEW: usize = 32;

#[derive(Clone)]
pub(crate) struct Entries<T> {
    slots: Vec<Slot<T>>,
    index: HashTable<u32>,
    last_cookie: u64,
}

#[derive(Clone)]
struct Slot<T> {
    cookie: u64,
    entry: Option<(NameBuf, T)>,
}

/// An entry that was found; good until the entries change.
#[derive(Clone, Copy)]
pub(crate) struct At(u32);

impl<T> Entries<T> {
    /// Bytes that an entry takes, beside a long name.
    #[cfg(test)]
    pub(crate) const SLOT: usize = size_of::<Slot<T>>();

    pub(crate) fn new() -> Entries<T> {
        Entries { slots: Vec::new(), index: HashTable::new(), last_cookie: 0 }
    }
    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }
    pub(crate) fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    pub(crate) fn find(&self, names: &DefaultHashBuilder, name: Name<'_>) -> Option<At> {
        let same = |at: &u32| self.slots[*at as usize].is(name);
        self.index.find(names.hash_one(name.as_bytes()), same).map(|at| At(*at))
    }

    pub(crate) fn get(&self, at: At) -> &T {
        &self.slots[at.0 as usize].entry.as_ref().expect("the index only names full slots").1
    }

    /// Adds a name that is not there.
    pub(crate) fn insert(&mut self, names: &DefaultHashBuilder, name: Name<'_>, value: T) {
        self.last_cookie += 1;
        let at = u32::try_from(self.slots.len()).expect("fewer entries than inode numbers in memory");
        self.slots.push(Slot { cookie: self.last_cookie, entry: Some((name.to_owned(), value)) });
        self.point_to(names, at, name);
    }

    fn point_to(&mut self, names: &DefaultHashBuilder, at: u32, name: Name<'_>) {
        let slots = &self.slots;
        self.index.insert_unique(names.hash_one(name.as_bytes()), at, |at| slots[*at as usize].hash(names));
    }

    fn unpoint(&mut self, names: &DefaultHashBuilder, at: At) {
        let hash = self.slots[at.0 as usize].hash(names);
        if let Ok(entry) = self.index.find_entry(hash, |there| *there == at.0) {
            entry.remove();
        }
    }

    pub(crate) fn remove(&mut self, names: &DefaultHashBuilder, at: At) -> T {
        self.unpoint(names, at);
        let (_, value) = self.slots[at.0 as usize].entry.take().expect("the index only names full slots");
        while self.slots.last().is_some_and(|slot| slot.entry.is_none()) {
            self.slots.pop();
        }
        if self.slots.len() > 2 * self.index.len() + FEW {
            self.tidy(names);
        }
        value
    }

    /// Puts another value under the name, at the same place of a listing.
    pub(crate) fn replace(&mut self, at: At, value: T) -> T {
        let entry = self.slots[at.0 as usize].entry.as_mut().expect("the index only names full slots");
        std::mem::replace(&mut entry.1, value)
    }

    /// Gives the entry another name, which is not there, at the same place of a listing.
    pub(crate) fn relabel(&mut self, names: &DefaultHashBuilder, at: At, name: Name<'_>) {
        self.unpoint(names, at);
        let entry = self.slots[at.0 as usize].entry.as_mut().expect("the index only names full slots");
        entry.0 = name.to_owned();
        self.point_to(names, at.0, name);
    }

    fn tidy(&mut self, names: &DefaultHashBuilder) {
        self.slots.retain(|slot| slot.entry.is_some());
        self.slots.shrink_to(2 * self.slots.len());
        let mut index = HashTable::with_capacity(self.slots.len());
        for (at, slot) in self.slots.iter().enumerate() {
            index.insert_unique(slot.hash(names), at as u32, |at| self.slots[*at as usize].hash(names));
        }
        self.index = index;
    }

    /// The entries behind `cookie`, each with its own.
    pub(crate) fn behind(&self, cookie: u64) -> impl Iterator<Item = (u64, &NameBuf, &T)> {
        let start = self.slots.partition_point(|slot| slot.cookie <= cookie);
        self.slots[start..]
            .iter()
            .filter_map(|slot| slot.entry.as_ref().map(|(name, value)| (slot.cookie, name, value)))
    }

    /// Takes out all values.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = T> {
        self.index.clear();
        std::mem::take(&mut self.slots).into_iter().filter_map(|slot| slot.entry.map(|(_, value)| value))
    }
}

impl<T> Slot<T> {
    fn is(&self, name: Name<'_>) -> bool {
        self.entry.as_ref().is_some_and(|(there, _)| there.as_bytes() == name.as_bytes())
    }
    fn hash(&self, names: &DefaultHashBuilder) -> u64 {
        self.entry.as_ref().map_or(0, |(name, _)| names.hash_one(name.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(n: usize) -> NameBuf {
        Name::new(n.to_string().as_bytes()).unwrap().to_owned()
    }

    fn filled(names: &DefaultHashBuilder, count: usize) -> Entries<usize> {
        let mut entries = Entries::new();
        for n in 0..count {
            entries.insert(names, name(n).as_name(), n);
        }
        entries
    }

    #[test]
    fn a_listing_sees_what_stays_exactly_once_while_others_come_and_go() {
        let names = DefaultHashBuilder::default();
        let mut entries = filled(&names, 1000);
        let (mut seen, mut cookie) = (Vec::new(), 0);
        let mut next_new = 10_000;
        loop {
            let Some((next, value)) = entries.behind(cookie).next().map(|(c, _, v)| (c, *v)) else { break };
            cookie = next;
            seen.push(value);
            // Odd ones go, before and behind the listing's place; new ones come for a while.
            for victim in [value.wrapping_sub(2) | 1, value + 51, 999 - value.min(998)] {
                let victim = victim | 1;
                if let Some(at) = entries.find(&names, name(victim).as_name()) {
                    entries.remove(&names, at);
                }
            }
            if next_new < 10_100 {
                entries.insert(&names, name(next_new).as_name(), next_new);
                next_new += 2;
            }
        }
        let evens = seen.iter().filter(|v| **v % 2 == 0 && **v < 1000).count();
        assert_eq!(evens, 500);
        let mut once = seen.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len(), seen.len());
    }

    #[test]
    fn removing_everything_in_order_leaves_no_slots() {
        let names = DefaultHashBuilder::default();
        let mut entries = filled(&names, 5000);
        for n in 0..4990 {
            let at = entries.find(&names, name(n).as_name()).unwrap();
            assert_eq!(entries.remove(&names, at), n);
        }
        assert_eq!(entries.len(), 10);
        assert!(entries.slots.len() <= 2 * 10 + FEW);
        for n in 4990..5000 {
            let at = entries.find(&names, name(n).as_name()).unwrap();
            assert_eq!(*entries.get(at), n);
        }
    }

    #[test]
    fn another_name_keeps_the_entrys_place_in_a_listing() {
        let names = DefaultHashBuilder::default();
        let mut entries = filled(&names, 3);
        let at = entries.find(&names, name(1).as_name()).unwrap();
        entries.relabel(&names, at, name(77).as_name());
        assert!(entries.find(&names, name(1).as_name()).is_none());
        let order: Vec<_> = entries.behind(0).map(|(_, name, value)| (name.to_string(), *value)).collect();
        assert_eq!(order, [("0".into(), 0), ("77".into(), 1), ("2".into(), 2)]);
    }
}
