//! Listing a directory: a stream of entries, fetched a few at a time, without `.` and `..`.

use super::Guest;
use super::call::define;
use super::descriptor::Handle;
use super::fault::Result;
use super::files::{identity, shown_kind};
use super::looked::Looked;
use std::collections::VecDeque;
use vfs::{DirEntry, Errno, FileRef, Place, Qid};
use wasmtime::component::{LinkerInstance, Resource, ResourceType};
use wasmtime_wasi::p2::bindings::filesystem::types::DirectoryEntry;

/// Entries that are fetched at once.
const BATCH: usize = 256;

/// A `directory-entry-stream`.
pub(super) struct Listing {
    dir: FileRef,
    /// The directory's place, and the handle by which the guest knows it.
    of: (Place, u32),
    /// Where the tree goes on.
    cookie: u64,
    fetched: VecDeque<(Vec<u8>, Qid)>,
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
        ) -> Option<DirectoryEntry> = read_directory_entry, at once entry_at_once;
    }
    Ok(())
}

pub(super) async fn read_directory(guest: &mut Guest, this: Handle) -> Result<Resource<Listing>> {
    let descriptor = guest.descriptor(&this)?;
    let (dir, place) = (descriptor.listed(&guest.who).await?, descriptor.dir()?.clone());
    Ok(guest.table.push(Listing::new(dir, (place, this.rep())))?)
}

impl Listing {
    fn new(dir: FileRef, of: (Place, u32)) -> Listing {
        Listing { dir, of, cookie: 0, fetched: VecDeque::new(), ended: false }
    }

    fn wants_more(&self) -> bool {
        self.fetched.is_empty() && !self.ended
    }

    async fn fetch(&mut self) -> Result<(), vfs::Error> {
        let mut batch = Batch::default();
        self.dir.readdir(self.cookie, &mut |entry| batch.take(entry)).await?;
        self.add(batch);
        Ok(())
    }

    /// The same, where nothing has to be waited for. What is asked of a peer is not asked twice.
    fn fetch_at_once(&mut self) -> Option<Result<(), vfs::Error>> {
        if self.dir.is_remote() {
            return None;
        }
        let mut batch = Batch::default();
        let read = self.dir.readdir(self.cookie, &mut |entry| batch.take(entry)).now()?;
        Some(read.map(|()| self.add(batch)))
    }

    fn add(&mut self, batch: Batch) {
        self.cookie = batch.cookie.unwrap_or(self.cookie);
        self.ended = !batch.full;
        self.fetched = batch.entries;
    }

    /// The next entry, and its identity in the directory, which libraries ask for next (the d_ino of readdir(3)). As there, that
    /// is not the one of what is mounted on it.
    fn next(&mut self, looked: &mut Looked, calls: u64) -> Result<Option<DirectoryEntry>> {
        let Some((name, node)) = self.fetched.pop_front() else { return Ok(None) };
        // One whose name is no UTF-8 cannot be said; the next can.
        let name = String::from_utf8(name).map_err(|_| Errno::EILSEQ)?;
        let (place, handle) = &self.of;
        looked.listed(calls, *handle, &name, identity(place.entry_qid(node).path, node));
        Ok(Some(DirectoryEntry { type_: shown_kind(node.kind), name }))
    }
}

/// Entries as the tree gives them.
#[derive(Default)]
struct Batch {
    entries: VecDeque<(Vec<u8>, Qid)>,
    /// Where the tree goes on behind them.
    cookie: Option<u64>,
    full: bool,
}

impl Batch {
    /// False where there is no room for the entry.
    fn take(&mut self, entry: DirEntry<'_>) -> bool {
        self.full = self.entries.len() == BATCH;
        if !self.full {
            self.cookie = Some(entry.cookie);
            self.entries.push_back((entry.name.as_bytes().to_vec(), entry.qid));
        }
        !self.full
    }
}

pub(super) async fn read_directory_entry(
    guest: &mut Guest,
    this: Resource<Listing>,
) -> Result<Option<DirectoryEntry>> {
    let calls = guest.calls();
    let listing = guest.table.get_mut(&this)?;
    if listing.wants_more() {
        listing.fetch().await?;
    }
    listing.next(&mut guest.looked, calls)
}

pub(super) fn entry_at_once(
    guest: &mut Guest,
    (this,): &(Resource<Listing>,),
) -> Result<Option<Option<DirectoryEntry>>> {
    let calls = guest.calls();
    let listing = guest.table.get_mut(this)?;
    if listing.wants_more() {
        match listing.fetch_at_once() {
            Some(fetched) => fetched?,
            None => return Ok(None),
        }
    }
    listing.next(&mut guest.looked, calls).map(Some)
}
