//! What a program has for a descriptor that is closed: reading and writing it fails with EBADF.

use std::sync::{Arc, OnceLock};
use vfs::mem::MemTree;
use vfs::{FileRef, Nature, NodeRef, OpenFile};

struct Closed(NodeRef);

pub(crate) fn closed() -> FileRef {
    static CLOSED: OnceLock<Arc<Closed>> = OnceLock::new();
    CLOSED.get_or_init(|| Arc::new(Closed(MemTree::new().root()))).clone()
}

impl OpenFile for Closed {
    fn node(&self) -> &NodeRef {
        &self.0
    }
    fn nature(&self) -> Nature {
        Nature::Stream
    }
}
