//! Descriptors of what was used a moment ago: directories on the way to something, and small files that were read.
//!
//! A guest walks every path anew, and a program opens the same few files again and again. What is kept here is never
//! believed: who finds a descriptor asks the kernel once, by name, whether the name still means that very file, which is
//! one system call instead of three or four. What is kept is little: 64 descriptors in a tree, of files whose space
//! nobody misses where the host removes them meanwhile.

use super::node::HostNode;
use super::seen::{FileId, Mark, Seen};
use crate::{Kind, Name, NameBuf};
use parking_lot::Mutex;
use rustix::fd::OwnedFd;
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
    kept: Arc<Kept>,
}

/// A descriptor, and how to tell that the name still means its file.
pub(super) struct Kept {
    pub name: NameBuf,
    pub mark: Mark,
    /// What the kernel said of it then, which for a file that still has the mark is what it would say now.
    pub seen: Seen,
    pub fd: Arc<OwnedFd>,
    /// Its number in the tree.
    pub path: u64,
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

    /// What was kept for `name` in `dir`.
    pub fn get(&self, dir: FileId, name: Name<'_>) -> Option<Arc<Kept>> {
        let at = slot(dir, name);
        let slots = self.slots.lock();
        let found = slots[at].as_ref()?;
        found.is(dir, name).then(|| found.kept.clone())
    }

    /// Keeps `fd` of `node`: of a directory any, of a file one that is open for reading only.
    pub fn keep(&self, dir: FileId, name: Name<'_>, seen: Seen, fd: Arc<OwnedFd>, node: &HostNode) {
        let worth_it = match seen.kind() {
            Kind::Dir => true,
            Kind::File => seen.size() <= LONGEST,
            _ => false,
        };
        // What is mounted below could not be unmounted as long as it is open.
        if !self.keeps || !worth_it || seen.id().dev != dir.dev {
            return;
        }
        let kept = Arc::new(Kept { name: name.to_owned(), mark: seen.mark(), seen, fd, path: node.path() });
        let before = self.slots.lock()[slot(dir, name)].replace(Found { dir, kept });
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
