//! Who made whom: the chain from a task to the task outside of all others that it descends from.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use vfs::TaskId;

/// Tasks may make tasks this deep.
pub(crate) const MAX_DEPTH: u32 = 64;

pub(crate) struct Lineage {
    pub id: TaskId,
    pub parent: Option<Arc<Lineage>>,
    /// Tasks in the table below this one.
    below: AtomicU32,
    /// It is not in the process group of who made it.
    apart: AtomicBool,
}

impl Lineage {
    pub fn new(id: TaskId, parent: Option<Arc<Lineage>>) -> Arc<Lineage> {
        Arc::new(Lineage { id, parent, below: AtomicU32::new(0), apart: AtomicBool::new(false) })
    }

    /// The makers, the nearest first.
    pub fn ancestors(&self) -> impl Iterator<Item = &Lineage> {
        std::iter::successors(self.parent.as_deref(), |l| l.parent.as_deref())
    }
    pub fn below(&self) -> u32 {
        self.below.load(Ordering::Relaxed)
    }
    pub fn enter(&self) {
        self.ancestors().for_each(|l| _ = l.below.fetch_add(1, Ordering::Relaxed));
    }
    pub fn leave(&self) {
        self.ancestors().for_each(|l| _ = l.below.fetch_sub(1, Ordering::Relaxed));
    }
    pub fn set_apart(&self) {
        self.apart.store(true, Ordering::Relaxed);
    }
    /// Whether it is in the process group that `id` is in: made by that, directly or not, and nobody on the way is apart.
    pub fn is_together_with(&self, id: TaskId) -> bool {
        let chain = std::iter::once(self).chain(self.ancestors());
        let mut within = chain.take_while(|at| !at.apart.load(Ordering::Relaxed));
        self.id != id && within.any(|at| at.parent.as_ref().is_some_and(|maker| maker.id == id))
    }
    /// Whether `id` is this task or made it, directly or not.
    pub fn is_within(&self, id: TaskId) -> bool {
        self.id == id || self.ancestors().any(|l| l.id == id)
    }
}
