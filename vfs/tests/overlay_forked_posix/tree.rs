//! An overlay over nothing, with forks of it that live for a while.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use vfs::*;

/// Whether every read may set the time of the last access.
pub const NOTES_ALL_READS: bool = false;

/// Forks that live at a time.
const KEPT: usize = 5;

#[derive(Clone)]
pub struct Tree {
    overlay: Overlay,
    forks: Arc<Mutex<VecDeque<Overlay>>>,
}

impl Tree {
    pub fn with(options: MemOptions) -> Tree {
        Tree { overlay: Overlay::new(Vec::new(), options).unwrap(), forks: Arc::default() }
    }
    pub fn root(&self) -> NodeRef {
        self.overlay.root()
    }
    pub fn used_bytes(&self) -> u64 {
        self.overlay.usage().0
    }
    pub fn used_inodes(&self) -> u64 {
        self.overlay.usage().1
    }
}

/// What is done to the tree before each call that goes by path.
pub trait BetweenCalls {
    fn before_each_call(&self);
}

impl BetweenCalls for Tree {
    fn before_each_call(&self) {
        let fork = self.overlay.fork().unwrap();
        let mut forks = self.forks.lock().unwrap();
        forks.push_back(fork);
        if forks.len() > KEPT {
            forks.pop_front();
        }
    }
}
