//! The memory tree.

pub use vfs::MemTree as Tree;

/// Whether every read may set the time of the last access.
pub const NOTES_ALL_READS: bool = true;

/// What is done to the tree before each call that goes by path.
pub trait BetweenCalls {
    fn before_each_call(&self) {}
}

impl BetweenCalls for Tree {}
