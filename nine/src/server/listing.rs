//! A directory's entries on their way into a reply: written in the wire's form, up to the size asked for.

use super::files::Entry;
use crate::wire::{DirEntry, put_entry};

/// Where [`super::FileServer::readdir`] puts entries.
#[derive(Debug, Default)]
pub struct Listing {
    data: Vec<u8>,
    limit: usize,
    /// An entry did not fit.
    full: bool,
}

impl Listing {
    /// A listing of at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { data: Vec::new(), limit, full: false }
    }

    /// Empties it for another use.
    pub(super) fn reset(&mut self, limit: usize) {
        self.data.clear();
        self.limit = limit;
        self.full = false;
    }

    /// Adds an entry. `false` says that it did not fit and was not added: stop listing.
    #[must_use]
    pub fn push(&mut self, entry: &Entry<'_>) -> bool {
        let entry = DirEntry { qid: entry.qid, offset: entry.offset, kind: entry.kind, name: entry.name };
        if self.full || self.data.len() + entry.encoded_len() > self.limit {
            self.full = true;
            return false;
        }
        // A name that no string can hold cannot be walked to either: leaving it out is all that can be done.
        let _unsayable = put_entry(&entry, &mut self.data);
        true
    }

    /// Whether an entry did not fit.
    pub fn is_full(&self) -> bool {
        self.full
    }

    /// The entries so far; [`crate::wire::DirEntries`] reads them.
    pub fn as_bytes(&self) -> &[u8] {
        &self.data
    }
}
