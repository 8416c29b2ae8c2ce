//! Who keeps a fid. Fids are the server's memory, and it gives out so many to a connection (ours 65536), while a kernel
//! that mounts the tree remembers files for as long as it has memory. So a node that has not been used for long gives its
//! own up, and walks there again when it is asked for.

use super::node::Remote;
use nine::client::Fid;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::{Arc, Weak};

/// Nodes that keep one; open files have theirs besides.
const KEPT: usize = 16 << 10;

/// The nodes that were given a fid, the one that has waited longest for its second chance first.
#[derive(Default)]
pub(super) struct Keepers(Mutex<VecDeque<Weak<Remote>>>);

impl Keepers {
    /// `node` has a fid from now on; others may have to give theirs up for it.
    pub fn add(&self, node: Weak<Remote>) {
        let mut keepers = self.0.lock();
        keepers.push_back(node);
        let mut given_up: Option<Arc<Fid>> = None;
        // At most once round: where all are in use there are more of them for a while.
        for _ in 0..keepers.len() {
            if keepers.len() <= KEPT {
                break;
            }
            let Some(oldest) = keepers.pop_front() else { break };
            let Some(node) = oldest.upgrade() else { continue };
            if node.deserves_its_fid() {
                keepers.push_back(oldest);
            } else {
                given_up = node.give_up_fid();
            }
        }
        drop(keepers);
        // Clunked here, or when the request that uses it is done.
        drop(given_up);
    }
}
