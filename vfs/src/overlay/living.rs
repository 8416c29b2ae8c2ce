//! The inodes that somebody holds: one for each number, so that identity, marks and pipes are the same for all who do.

use super::Tree;
use super::cell::Slot;
use super::inode::Inode;
use hashbrown::HashMap;
use parking_lot::Mutex;
use std::sync::{Arc, Weak};

const SHARDS: usize = 16;

#[derive(Default)]
pub(super) struct Living([Mutex<HashMap<u64, Weak<Inode>>>; SHARDS]);

impl Living {
    fn shard(&self, number: u64) -> &Mutex<HashMap<u64, Weak<Inode>>> {
        &self.0[number as usize % SHARDS]
    }

    /// The inode is being dropped. Another may have taken its place.
    pub(super) fn forget(&self, inode: &Inode) {
        let mut shard = self.shard(inode.number()).lock();
        if shard.get(&inode.number()).is_some_and(|there| std::ptr::eq(there.as_ptr(), inode)) {
            shard.remove(&inode.number());
        }
    }
}

impl Tree {
    /// The inode that `slot` leads to; nothing where it lies in the layers and was never looked at. The caller holds a lock
    /// that keeps the slot where it is.
    pub(super) fn reach(self: &Arc<Tree>, slot: Slot) -> Option<Arc<Inode>> {
        let mut shard = self.living.shard(slot.number).lock();
        if let Some(inode) = shard.get(&slot.number).and_then(Weak::upgrade) {
            return Some(inode);
        }
        let inode = Inode::of(self.clone(), slot, self.cell(slot.number)?);
        shard.insert(slot.number, Arc::downgrade(&inode));
        Some(inode)
    }
}
