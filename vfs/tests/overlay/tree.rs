//! Trees of any sort, to make layers, overlays and what they are compared with.

use vfs::*;

#[derive(Clone)]
pub enum Tree {
    Memory(MemTree),
    Overlay(Overlay),
}

impl Tree {
    pub fn with(options: MemOptions) -> Tree {
        Tree::Memory(MemTree::with(options))
    }
    pub fn root(&self) -> NodeRef {
        match self {
            Tree::Memory(tree) => tree.root(),
            Tree::Overlay(overlay) => overlay.root(),
        }
    }
    pub fn used_inodes(&self) -> u64 {
        match self {
            Tree::Memory(tree) => tree.used_inodes(),
            Tree::Overlay(overlay) => overlay.usage().1,
        }
    }
    pub fn overlay(&self) -> &Overlay {
        match self {
            Tree::Memory(_) => panic!("this is a memory tree"),
            Tree::Overlay(overlay) => overlay,
        }
    }
}

/// What is done to the tree before each call that goes by path.
pub trait BetweenCalls {
    fn before_each_call(&self) {}
}

impl BetweenCalls for Tree {}
