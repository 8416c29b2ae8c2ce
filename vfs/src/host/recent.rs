//! Descriptors of what was used a moment ago: directories on the way to something, and small files that were read.
//!
//! A guest walks every path anew, and a program opens the same few files again and again. What is kept here is never
//! believed: who finds a descriptor asks the kernel once, by name, whether the name still means that very file, which is
//! one system call instead of three or four. What is kept is little: 64 descriptors in a tree, of files whose space
//! nobody misses where the host removes them meanwhile.

use super::fd::Fd;
use super::seen::{FileId, Mark};
use crate::{Name, NameBuf};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const SLOTS: usize = 64;

/// The longest file that is kept open: one that the host removes keeps its space until its slot is taken.
const LONGEST: u64 = 1 << 20;

/// One slot for a directory and a name, as they hash: what is found later takes the place of what was found earlier.
pub(super) struct Recent {
    slots: Mutex<[Option<Found>; SLOTS]>,
    /// The key of what is in each slot: who looks for what is not there need not wait for the others.
    keys: [AtomicU64; SLOTS],
    /// A tree that is to do with few descriptors keeps none here.
    keeps: bool,
}

struct Found {
    dir: FileId,
    name: NameBuf,
    mark: Mark,
    kept: Arc<Fd>,
}

impl Found {
    fn is(&self, dir: FileId, name: Name<'_>) -> bool {
        self.dir == dir && *self.name == *name.as_bytes()
    }
}

/// What tells most names in most directories from each other, and where they are kept.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Key(u64);

impl Key {
    const NONE: Key = Key(0);

    fn of(dir: FileId, name: Name<'_>) -> Key {
        const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut hash = dir.ino;
        for word in name.as_bytes().chunks(8) {
            let mut bytes = [0; 8];
            bytes[..word.len()].copy_from_slice(word);
            hash = (hash.rotate_left(23) ^ u64::from_le_bytes(bytes)).wrapping_mul(ODD);
        }
        Key(hash | 1)
    }
    fn slot(self) -> usize {
        (self.0 >> 58) as usize
    }
}

impl Recent {
    /// For a tree that may keep as many as `handles` descriptors besides.
    pub fn beside(handles: usize) -> Recent {
        Recent {
            slots: Mutex::new([const { None }; SLOTS]),
            keys: [const { AtomicU64::new(Key::NONE.0) }; SLOTS],
            keeps: handles >= 4 * SLOTS,
        }
    }

    /// Where `name` in `dir` is kept, if it is.
    fn slot(&self, dir: FileId, name: Name<'_>) -> Option<usize> {
        let key = Key::of(dir, name);
        let slot = key.slot();
        (self.keys[slot].load(Ordering::Relaxed) == key.0).then_some(slot)
    }

    /// What was kept for `name` in `dir`, and how to tell that the name still means it.
    pub fn get(&self, dir: FileId, name: Name<'_>) -> Option<(Mark, Arc<Fd>)> {
        let slot = self.slot(dir, name)?;
        let slots = self.slots.lock();
        let found = slots[slot].as_ref()?;
        found.is(dir, name).then(|| (found.mark, found.kept.clone()))
    }

    /// Keeps `fd`, which is `name` in `dir`: of a directory any, of a file of `size` one that is open for reading only.
    pub fn keep(&self, dir: FileId, name: Name<'_>, mark: Mark, size: u64, fd: &Arc<Fd>) {
        let worth_it = mark.is_of_dir() || size <= LONGEST;
        // What is mounted below could not be unmounted as long as it is open.
        if !self.keeps || !worth_it || mark.device() != dir.dev {
            return;
        }
        let found = Found { dir, name: name.to_owned(), mark, kept: fd.clone() };
        let key = Key::of(dir, name);
        let mut slots = self.slots.lock();
        let before = slots[key.slot()].replace(found);
        self.keys[key.slot()].store(key.0, Ordering::Relaxed);
        drop(slots);
        // Closed behind the lock.
        drop(before);
    }

    /// The name does not mean that any more.
    pub fn forget(&self, dir: FileId, name: Name<'_>) {
        let Some(slot) = self.slot(dir, name) else { return };
        let mut slots = self.slots.lock();
        let gone = slots[slot].take_if(|found| found.is(dir, name));
        drop(slots);
        drop(gone);
    }

    /// Gives up all of them; whether there were any.
    pub fn clear(&self) -> bool {
        let all = std::mem::replace(&mut *self.slots.lock(), [const { None }; SLOTS]);
        all.iter().any(Option::is_some)
    }
}
