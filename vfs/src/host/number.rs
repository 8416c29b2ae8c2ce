//! From (device, inode) to the 48 bits that a tree may number its nodes with.
//!
//! ```text
//!   47      41 40                                    0
//!  +----------+---------------------------------------+
//!  |  device  |  inode number                         |   devices by the order they were met; 0 is the root's
//!  |   127    |  from a table                         |   where either does not fit
//!  +----------+---------------------------------------+
//! ```
//! So nearly every number is computed, the same in a listing and in a stat, and stable for as long as the tree is served.
//! The table only grows: a file of an odd file system (inode numbers of 2^41 and more) costs 40 bytes once.

use super::seen::FileId;
use parking_lot::Mutex;
use std::collections::HashMap;

const INO_BITS: u32 = 41;
const TABLE: u64 = 127;

pub(super) struct Numbers {
    root_dev: u64,
    others: Mutex<Others>,
}

#[derive(Default)]
struct Others {
    devices: HashMap<u64, u64>,
    files: HashMap<FileId, u64>,
}

impl Numbers {
    pub fn new(root_dev: u64) -> Numbers {
        Numbers { root_dev, others: Mutex::default() }
    }

    #[inline]
    pub fn of(&self, id: FileId) -> u64 {
        let fits = id.ino >> INO_BITS == 0;
        if fits && id.dev == self.root_dev { id.ino } else { self.other(id, fits) }
    }

    #[cold]
    fn other(&self, id: FileId, fits: bool) -> u64 {
        let mut others = self.others.lock();
        if fits {
            let met = others.devices.len() as u64 + 1;
            let device = match others.devices.get(&id.dev) {
                Some(device) => Some(*device),
                None if met < TABLE => {
                    others.devices.insert(id.dev, met);
                    Some(met)
                }
                None => None,
            };
            if let Some(device) = device {
                return device << INO_BITS | id.ino;
            }
        }
        let next = others.files.len() as u64;
        TABLE << INO_BITS | *others.files.entry(id).or_insert(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TreeTag;

    #[test]
    fn numbers_differ_stay_and_fit() {
        let numbers = Numbers::new(8);
        let inos = [1, 2, (1 << INO_BITS) - 1, 1 << INO_BITS, u64::MAX];
        let ids: Vec<_> = (8..200).flat_map(|dev| inos.map(|ino| FileId { dev, ino })).collect();
        let first: Vec<_> = ids.iter().map(|id| numbers.of(*id)).collect();
        let again: Vec<_> = ids.iter().map(|id| numbers.of(*id)).collect();
        assert_eq!(first, again);
        let distinct: std::collections::HashSet<_> = first.iter().collect();
        assert_eq!(distinct.len(), ids.len());
        assert!(first.iter().all(|n| *n <= TreeTag::SPACE));
        assert_eq!(numbers.of(FileId { dev: 8, ino: 77 }), 77);
    }
}
