//! Values by number, in a tree of which copies share what they have in common.
//!
//! A clone takes one reference; a change copies the nodes on the way to it that others have too (64 references each, three
//! or four of them), and changes the others in place. Numbers that were given out together lie together.

use std::sync::Arc;

/// Bits of a number that each level goes by.
const BITS: u32 = 6;
const WIDTH: usize = 1 << BITS;

pub(super) struct Table<T> {
    root: Option<Arc<Node<T>>>,
    /// Levels below the root; it reaches numbers up to `WIDTH` to the power of one more.
    height: u32,
}

struct Node<T> {
    /// Slots that are in use.
    used: u32,
    slots: [Slot<T>; WIDTH],
}

#[derive(Default)]
enum Slot<T> {
    #[default]
    Empty,
    Below(Arc<Node<T>>),
    Value(T),
}

impl<T> Clone for Table<T> {
    fn clone(&self) -> Table<T> {
        Table { root: self.root.clone(), height: self.height }
    }
}

impl<T> Default for Table<T> {
    fn default() -> Table<T> {
        Table { root: None, height: 0 }
    }
}

impl<T: Clone> Clone for Slot<T> {
    fn clone(&self) -> Slot<T> {
        match self {
            Slot::Empty => Slot::Empty,
            Slot::Below(node) => Slot::Below(node.clone()),
            Slot::Value(value) => Slot::Value(value.clone()),
        }
    }
}

impl<T: Clone> Clone for Node<T> {
    fn clone(&self) -> Node<T> {
        Node { used: self.used, slots: self.slots.clone() }
    }
}

impl<T> Node<T> {
    fn empty() -> Node<T> {
        Node { used: 0, slots: std::array::from_fn(|_| Slot::Empty) }
    }
}

fn at(number: u64, level: u32) -> usize {
    (number >> (level * BITS)) as usize % WIDTH
}

impl<T: Clone> Table<T> {
    pub(super) fn get(&self, number: u64) -> Option<&T> {
        let mut node = self.root.as_deref()?;
        if self.beyond(number) {
            return None;
        }
        for level in (0..=self.height).rev() {
            match &node.slots[at(number, level)] {
                Slot::Empty => return None,
                Slot::Below(below) => node = below,
                Slot::Value(value) => return Some(value),
            }
        }
        None
    }

    fn beyond(&self, number: u64) -> bool {
        number.checked_shr((self.height + 1) * BITS).unwrap_or(0) > 0
    }

    pub(super) fn insert(&mut self, number: u64, value: T) {
        let mut root = self.root.take().unwrap_or_else(|| Arc::new(Node::empty()));
        while self.beyond(number) {
            let mut above = Node::empty();
            if root.used > 0 {
                above.slots[0] = Slot::Below(root);
                above.used = 1;
            }
            root = Arc::new(above);
            self.height += 1;
        }
        let mut node = Arc::make_mut(self.root.insert(root));
        for level in (1..=self.height).rev() {
            let slot = &mut node.slots[at(number, level)];
            if let Slot::Empty = slot {
                *slot = Slot::Below(Arc::new(Node::empty()));
                node.used += 1;
            }
            match slot {
                Slot::Below(below) => node = Arc::make_mut(below),
                _ => unreachable!("just made so, and values lie on the lowest level alone"),
            }
        }
        let slot = &mut node.slots[at(number, 0)];
        node.used += u32::from(matches!(slot, Slot::Empty));
        *slot = Slot::Value(value);
    }

    pub(super) fn remove(&mut self, number: u64) {
        if self.get(number).is_none() {
            return;
        }
        if let Some(root) = &mut self.root
            && Table::remove_below(Arc::make_mut(root), number, self.height)
        {
            *self = Table::default();
        }
    }

    /// Says whether the node is empty then.
    fn remove_below(node: &mut Node<T>, number: u64, level: u32) -> bool {
        let slot = &mut node.slots[at(number, level)];
        let emptied = match slot {
            Slot::Empty => false,
            Slot::Value(_) => true,
            Slot::Below(below) => Table::remove_below(Arc::make_mut(below), number, level - 1),
        };
        if emptied {
            *slot = Slot::Empty;
            node.used -= 1;
        }
        node.used == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn same(table: &Table<u32>, model: &BTreeMap<u64, u32>, numbers: impl Iterator<Item = u64>) {
        for number in numbers {
            assert_eq!(table.get(number), model.get(&number), "{number}");
        }
    }

    proptest! {
        /// Each table, and each copy that was ever made of it, against a map of its own.
        #[test]
        fn copies_agree_with_maps_that_share_nothing(
            steps in prop::collection::vec((0usize..4, 0u8..6, 0u64..400, 0u32..6), 1..200)
        ) {
            let mut pairs = vec![(Table::default(), BTreeMap::new())];
            for (step, (of, what, number, spread)) in steps.into_iter().enumerate() {
                let of = of % pairs.len();
                let number = number << (spread * 7);
                match what {
                    0 => pairs[of].0.remove(number),
                    1 if pairs.len() < 4 => pairs.push((pairs[of].0.clone(), pairs[of].1.clone())),
                    _ => pairs[of].0.insert(number, step as u32),
                }
                match what {
                    0 => drop(pairs[of].1.remove(&number)),
                    1 => {}
                    _ => drop(pairs[of].1.insert(number, step as u32)),
                }
                if what == 1 && of + 1 < pairs.len() && pairs.len() == 4 {
                    pairs.remove(of);
                }
            }
            for (table, model) in &pairs {
                same(table, model, (0..400).flat_map(|n| (0..6).map(move |spread| n << (spread * 7))));
                prop_assert_eq!(table.root.is_none(), model.is_empty());
            }
        }
    }

    #[test]
    fn the_largest_numbers_have_their_place() {
        let mut table = Table::default();
        for number in [u64::MAX, 0, 1 << 48] {
            table.insert(number, number);
        }
        assert_eq!(table.get(u64::MAX), Some(&u64::MAX));
        assert_eq!(table.get(1 << 48), Some(&(1 << 48)));
        assert_eq!(table.get(u64::MAX - 1), None);
        table.remove(u64::MAX);
        assert_eq!((table.get(u64::MAX), table.get(0)), (None, Some(&0)));
    }
}
