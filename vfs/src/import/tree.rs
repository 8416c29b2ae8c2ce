//! What the nodes of one attached server share: the connection, identities, the holders of locks, and the count of changes
//! that tells whether remembered attributes still hold.

use super::fault;
use super::fids::Keepers;
use super::locks::Holders;
use super::number::Numbers;
use crate::*;
use nine::client::{Client, ClientError};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub(super) struct Tree {
    pub client: Client,
    /// What errors call it.
    pub server: Arc<str>,
    pub numbers: Arc<Numbers>,
    pub holders: Holders,
    pub keepers: Keepers,
    changes: AtomicU64,
}

/// A request that changes something is under way: attributes that came before its end say nothing.
pub(super) struct Changing<'a>(&'a Tree);

impl Tree {
    pub fn new(server: &str, client: Client) -> Result<Arc<Tree>> {
        let tag =
            TreeTag::take().ok_or_else(|| Error::new(Errno::ENFILE, "too many trees: 65535 are served"))?;
        Ok(Arc::new(Tree {
            client,
            server: server.into(),
            holders: Holders::new(tag.path(0)),
            numbers: Numbers::new(tag),
            keepers: Keepers::default(),
            changes: AtomicU64::new(0),
        }))
    }

    /// What the client gave, with the namespace's error.
    pub fn said<T>(&self, result: Result<T, ClientError>) -> Result<T> {
        result.map_err(|error| fault::error(&self.server, error))
    }

    /// How many changes have begun or ended so far.
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    pub fn changing(&self) -> Changing<'_> {
        self.changes.fetch_add(1, Ordering::AcqRel);
        Changing(self)
    }
}

impl Drop for Changing<'_> {
    fn drop(&mut self) {
        self.0.changes.fetch_add(1, Ordering::AcqRel);
    }
}
