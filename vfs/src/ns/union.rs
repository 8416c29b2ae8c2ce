//! An open union directory: the entries of its members in turn, each name once.

use crate::*;
use parking_lot::Mutex;
use std::collections::HashSet;
use std::sync::Arc;

/// Lists a snapshot, taken when a listing starts at the beginning: unions are small, and a name that two members have
/// must show once.
pub(super) struct UnionDir {
    node: NodeRef,
    members: Vec<FileRef>,
    listing: Mutex<Option<Arc<Listing>>>,
}

type Listing = Vec<(NameBuf, Qid)>;

impl UnionDir {
    pub(super) fn new(node: NodeRef, members: Vec<FileRef>) -> UnionDir {
        UnionDir { node, members, listing: Mutex::new(None) }
    }

    async fn collect(&self) -> Result<Listing> {
        let mut seen = HashSet::new();
        let mut all = Vec::new();
        for member in &self.members {
            let mut sink = |entry: DirEntry<'_>| {
                if seen.insert(entry.name.to_owned()) {
                    all.push((entry.name.to_owned(), entry.qid));
                }
                true
            };
            member.readdir(0, &mut sink).await?;
        }
        Ok(all)
    }
}

impl OpenFile for UnionDir {
    fn node(&self) -> &NodeRef {
        &self.node
    }

    fn readdir<'a>(&'a self, cookie: u64, sink: &'a mut Sink<'a>) -> Op<'a, ()> {
        Op::started(async move {
            let known = self.listing.lock().clone();
            let listing = match known {
                Some(listing) if cookie != 0 => listing,
                _ => {
                    let fresh = Arc::new(self.collect().await?);
                    *self.listing.lock() = Some(fresh.clone());
                    fresh
                }
            };
            for (index, (name, qid)) in listing.iter().enumerate().skip(cookie as usize) {
                if !sink(DirEntry { name: name.as_name(), qid: *qid, cookie: index as u64 + 1 }) {
                    break;
                }
            }
            Ok(())
        })
    }
}
