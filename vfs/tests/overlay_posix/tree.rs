//! An overlay over nothing.

use vfs::*;

/// Whether every read may set the time of the last access.
pub const NOTES_ALL_READS: bool = true;

#[derive(Clone)]
pub struct Tree(Overlay);

impl Tree {
    pub fn with(options: MemOptions) -> Tree {
        Tree(Overlay::new(Vec::new(), options).unwrap())
    }
    pub fn root(&self) -> NodeRef {
        self.0.root()
    }
    pub fn used_bytes(&self) -> u64 {
        self.0.usage().0
    }
    pub fn used_inodes(&self) -> u64 {
        self.0.usage().1
    }
}

/// What is done to the tree before each call that goes by path.
pub trait BetweenCalls {
    fn before_each_call(&self) {}
}

impl BetweenCalls for Tree {}
