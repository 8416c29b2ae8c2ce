//! What a command substitution's commands write, gathered in memory until the last of them is gone.

use super::Description;
use crate::process::{Held, Memory};
use parking_lot::Mutex;
use std::sync::Arc;
use tokio::sync::oneshot;
use vfs::mem::MemTree;
use vfs::{Errno, Nature, NodeRef, Op, OpenFile, Result};

/// The text so far.
pub(crate) struct Gathered {
    text: Arc<Mutex<(Vec<u8>, Held)>>,
    closed: oneshot::Receiver<()>,
}

struct Gather {
    node: NodeRef,
    text: Arc<Mutex<(Vec<u8>, Held)>>,
    // Dropped with the last writer: that is what tells.
    _closed: oneshot::Sender<()>,
}

/// An open file to write to, and what comes of it.
pub(crate) fn gather(memory: &Memory) -> Result<(Arc<Description>, Gathered)> {
    let text = Arc::new(Mutex::new((Vec::new(), memory.hold(0)?)));
    let (sender, closed) = oneshot::channel();
    static NODE: std::sync::OnceLock<NodeRef> = std::sync::OnceLock::new();
    let node = NODE.get_or_init(|| MemTree::new().root()).clone();
    let file = Arc::new(Gather { node, text: text.clone(), _closed: sender });
    Ok((Description::new(file, false, true, false), Gathered { text, closed }))
}

impl Gathered {
    /// All of it, once nobody can write any more.
    pub async fn all(self) -> (Vec<u8>, Held) {
        // It is never sent, only dropped.
        let _closed = self.closed.await;
        match Arc::try_unwrap(self.text) {
            Ok(text) => text.into_inner(),
            Err(_) => unreachable!("the writer's part went before it told"),
        }
    }
}

impl OpenFile for Gather {
    fn node(&self) -> &NodeRef {
        &self.node
    }
    fn nature(&self) -> Nature {
        Nature::Stream
    }
    fn write<'a>(&'a self, _offset: u64, data: &'a [u8]) -> Op<'a, usize> {
        let mut text = self.text.lock();
        let size = text.0.len() + data.len();
        if text.1.set(size).is_err() {
            return Op::err(Errno::ENOMEM);
        }
        text.0.extend_from_slice(data);
        Op::ok(data.len())
    }
    fn append<'a>(&'a self, data: &'a [u8]) -> Op<'a, (usize, u64)> {
        self.write(0, data).map(|count| (count, 0))
    }
}
