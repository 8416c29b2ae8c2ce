//! Listing a directory: a stream of entries, fetched a few at a time, without `.` and `..`.

use super::Guest;
use super::call::define;
use super::descriptor::Handle;
use super::fault::Result;
use super::files::shown_kind;
use std::collections::VecDeque;
use vfs::{DirEntry, Errno, FileRef, Kind};
use wasmtime::component::{LinkerInstance, Resource, ResourceType};
use wasmtime_wasi::p2::bindings::filesystem::types::DirectoryEntry;

/// Entries that are fetched at once.
const BATCH: usize = 256;

/// A `directory-entry-stream`.
pub(super) struct Listing {
    dir: FileRef,
    /// Where the tree goes on.
    cookie: u64,
    fetched: VecDeque<(Vec<u8>, Kind)>,
    /// The tree has no more.
    ended: bool,
}

pub(super) fn define(instance: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    instance.resource("directory-entry-stream", ResourceType::host::<Listing>(), |mut store, rep| {
        store.data_mut().table.delete(Resource::<Listing>::new_own(rep))?;
        Ok(())
    })?;
    define! { instance
        "[method]descriptor.read-directory"(this: Handle) -> Resource<Listing> = read_directory;
        "[method]directory-entry-stream.read-directory-entry"(
            this: Resource<Listing>
        ) -> Option<DirectoryEntry> = read_directory_entry;
    }
    Ok(())
}

async fn read_directory(guest: &mut Guest, this: Handle) -> Result<Resource<Listing>> {
    let dir = guest.descriptor(&this)?.listed(&guest.who).await?;
    Ok(guest.table.push(Listing { dir, cookie: 0, fetched: VecDeque::new(), ended: false })?)
}

impl Listing {
    async fn fetch(&mut self) -> Result<(), vfs::Error> {
        let Listing { dir, cookie, fetched, .. } = self;
        let mut full = false;
        let from = *cookie;
        let mut take = |entry: DirEntry<'_>| {
            full = fetched.len() == BATCH;
            if !full {
                *cookie = entry.cookie;
                fetched.push_back((entry.name.as_bytes().to_vec(), entry.qid.kind));
            }
            !full
        };
        dir.readdir(from, &mut take).await?;
        self.ended = !full;
        Ok(())
    }
}

async fn read_directory_entry(guest: &mut Guest, this: Resource<Listing>) -> Result<Option<DirectoryEntry>> {
    let listing = guest.table.get_mut(&this)?;
    if listing.fetched.is_empty() && !listing.ended {
        listing.fetch().await?;
    }
    let Some((name, kind)) = listing.fetched.pop_front() else { return Ok(None) };
    // One whose name is no UTF-8 cannot be said; the next can.
    let name = String::from_utf8(name).map_err(|_| Errno::EILSEQ)?;
    Ok(Some(DirectoryEntry { type_: shown_kind(kind), name }))
}
