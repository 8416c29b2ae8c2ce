//! From a server's 64-bit qid paths to the 48 bits that a tree may number its nodes with.
//!
//! A path that fits is its own number. Any other (taskfs mixes its own to all 64 bits) is folded, and moved on where a
//! living node has that number already: two living nodes never share one, and a node's stays while any name of its file is
//! held. A listing shows the number that an entry has, or would get if it was walked to now.

use crate::TreeTag;
use parking_lot::Mutex;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

pub(super) struct Numbers {
    tag: TreeTag,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    /// By the server's path: our number, and how many nodes have it.
    paths: HashMap<u64, (u64, usize)>,
    taken: HashSet<u64>,
}

/// A living node's number.
pub(super) struct Number {
    numbers: Arc<Numbers>,
    path: u64,
    local: u64,
}

impl Held {
    fn number(&self, path: u64) -> u64 {
        if let Some((local, _)) = self.paths.get(&path) {
            return *local;
        }
        let mut local = folded(path);
        while self.taken.contains(&local) {
            local = (local + 1) & TreeTag::SPACE;
        }
        local
    }
}

fn folded(path: u64) -> u64 {
    if path <= TreeTag::SPACE {
        return path;
    }
    // Every bit of the path moves the upper 48 bits of the product.
    (path ^ path >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 16
}

impl Numbers {
    pub fn new(tag: TreeTag) -> Arc<Numbers> {
        Arc::new(Numbers { tag, held: Mutex::default() })
    }

    /// The number for a node of the file with the server's `path`.
    pub fn hold(self: &Arc<Numbers>, path: u64) -> Number {
        let mut held = self.held.lock();
        let local = held.number(path);
        held.taken.insert(local);
        held.paths.entry(path).or_insert((local, 0)).1 += 1;
        Number { numbers: self.clone(), path, local }
    }

    /// The identity of an entry of a listing.
    pub fn shown(&self, path: u64) -> u64 {
        self.tag.path(self.held.lock().number(path))
    }
}

impl Number {
    /// The identity (the qid path) here.
    pub fn path(&self) -> u64 {
        self.numbers.tag.path(self.local)
    }

    /// The server's.
    pub fn theirs(&self) -> u64 {
        self.path
    }
}

impl Drop for Number {
    fn drop(&mut self) {
        let mut held = self.numbers.held.lock();
        if let Some((_, count)) = held.paths.get_mut(&self.path) {
            *count -= 1;
            if *count == 0 {
                held.paths.remove(&self.path);
                held.taken.remove(&self.local);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers() -> Arc<Numbers> {
        Numbers::new(TreeTag::take().expect("few trees live in a test"))
    }

    #[test]
    fn a_file_keeps_its_number_while_any_name_of_it_is_held() {
        let numbers = numbers();
        for path in [7, u64::MAX, 1 << 60] {
            let shown = numbers.shown(path);
            let one = numbers.hold(path);
            let other = numbers.hold(path);
            assert_eq!((one.path(), other.path()), (shown, shown));
            drop(one);
            assert_eq!(numbers.shown(path), other.path());
        }
        assert!(numbers.held.lock().paths.is_empty());
        assert!(numbers.held.lock().taken.is_empty());
    }

    #[test]
    fn paths_that_fold_alike_get_numbers_of_their_own() {
        let numbers = numbers();
        let large = 0xdead_beef_dead_beef;
        let first = numbers.hold(large);
        // A small path is its own number, which is taken here.
        let second = numbers.hold(folded(large));
        assert_ne!(first.path(), second.path());
        assert_eq!(numbers.shown(folded(large)), second.path());
        drop(first);
        assert_eq!(numbers.shown(folded(large)), second.path(), "it stays what it was");
    }

    #[test]
    fn a_hundred_thousand_mixed_paths_are_told_apart() {
        let numbers = numbers();
        let mixed = |n: u64| n.wrapping_mul(0xbf58_476d_1ce4_e5b9).rotate_left(31);
        let all: Vec<_> = (0..100_000).map(|n| numbers.hold(mixed(n))).collect();
        let distinct: HashSet<_> = all.iter().map(Number::path).collect();
        assert_eq!(distinct.len(), all.len());
    }
}
