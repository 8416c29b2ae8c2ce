//! Descriptors of what was used a moment ago: directories on the way to something, and small files that were read.
//!
//! A guest walks every path anew, and a program opens the same few files again and again. What is kept here is never
//! believed: who finds a descriptor asks the kernel once, by name, whether the name still means that very file, which is
//! one system call instead of three or four. What is kept is little: 64 descriptors in a tree, of files whose space
//! nobody misses where the host removes them meanwhile.

use super::nodeless::Bare;
use super::seen::{FileId, Mark};
use crate::Name;
use parking_lot::Mutex;
use std::sync::Arc;

const SLOTS: usize = 64;

/// The longest file that is kept open: one that the host removes keeps its space until its slot is taken.
const LONGEST: u64 = 1 << 20;

/// One slot for a directory and a name, as they hash: what is found later takes the place of what was found earlier.
pub(super) struct Recent {
    slots: Mutex<[Option<Found>; SLOTS]>,
    /// A tree that is to do with few descriptors keeps none here.
    keeps: bool,
}

struct Found {
    dir: FileId,
    mark: Mark,
    kept: Arc<Bare>,
}

impl Found {
    fn is(&self, dir: FileId, name: Name<'_>) -> bool {
        self.dir == dir && *self.kept.name == *name.as_bytes()
    }
}

fn slot(dir: FileId, name: Name<'_>) -> usize {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut hash = dir.ino;
    for word in name.as_bytes().chunks(8) {
        let mut bytes = [0; 8];
        bytes[..word.len()].copy_from_slice(word);
        hash = (hash.rotate_left(23) ^ u64::from_le_bytes(bytes)).wrapping_mul(ODD);
    }
    (hash >> 58) as usize
}

impl Recent {
    /// For a tree that may keep as many as `handles` descriptors besides.
    pub fn beside(handles: usize) -> Recent {
        Recent { slots: Mutex::new([const { None }; SLOTS]), keeps: handles >= 4 * SLOTS }
    }

    /// What was kept for `name` in `dir`, and how to tell that the name still means it.
    pub fn get(&self, dir: FileId, name: Name<'_>) -> Option<(Mark, Arc<Bare>)> {
        let at = slot(dir, name);
        let slots = self.slots.lock();
        let found = slots[at].as_ref()?;
        found.is(dir, name).then(|| (found.mark, found.kept.clone()))
    }

    /// Keeps `bare`, which is in `dir`: of a directory any, of a file of `size` one that is open for reading only.
    pub fn keep(&self, dir: FileId, mark: Mark, size: u64, bare: &Arc<Bare>) {
        let worth_it = mark.is_of_dir() || size <= LONGEST;
        // What is mounted below could not be unmounted as long as it is open.
        if !self.keeps || !worth_it || mark.device() != dir.dev {
            return;
        }
        let slot = slot(dir, bare.name.as_name());
        let before = self.slots.lock()[slot].replace(Found { dir, mark, kept: bare.clone() });
        // Closed behind the lock.
        drop(before);
    }

    /// The name does not mean that any more.
    pub fn forget(&self, dir: FileId, name: Name<'_>) {
        let mut slots = self.slots.lock();
        let slot = &mut slots[slot(dir, name)];
        let gone = slot.take_if(|found| found.is(dir, name));
        drop(slots);
        drop(gone);
    }

    /// Gives up all of them; whether there were any.
    pub fn clear(&self) -> bool {
        let all = std::mem::replace(&mut *self.slots.lock(), [const { None }; SLOTS]);
        all.iter().any(Option::is_some)
    }
}
