//! Overlays, which archives are packed from and unpacked onto.

use vfs::*;

#[derive(Clone)]
pub struct Tree(pub Overlay);

impl Tree {
    pub fn with(options: MemOptions) -> Tree {
        Tree(Overlay::new(Vec::new(), options).unwrap())
    }
    pub fn root(&self) -> NodeRef {
        self.0.root()
    }
}

/// What is done to the tree before each call that goes by path.
pub trait BetweenCalls {
    fn before_each_call(&self) {}
}

impl BetweenCalls for Tree {}
