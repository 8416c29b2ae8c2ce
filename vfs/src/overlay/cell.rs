//! What a file is at one moment of a tree: attributes and content.

use super::Generation;
use super::lower::Lower;
use crate::mem::clock::{after, now};
use crate::mem::data::Data;
use crate::mem::entries::Entries;
use crate::mem::space::PAGE;
use crate::*;
use parking_lot::RwLock;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

pub(super) struct Cell {
    /// In a tree of this generation it may be changed; elsewhere it is shared, and stays what it is.
    pub generation: Generation,
    /// Changes with the content; under the state's write lock.
    pub version: AtomicU32,
    pub state: RwLock<State>,
}

pub(super) type State = crate::mem::state::State<Body>;

pub(super) enum Body {
    File(Content),
    Dir(Box<Dir>),
    Link(Arc<[u8]>),
    /// Pipes, sockets and devices: inodes without content. What is in a pipe is the living inode's.
    Special(Device),
}

pub(super) enum Content {
    Own(Data),
    Lower(LowerFile),
}

/// A file of a layer whose bytes are still read there.
#[derive(Clone)]
pub(super) struct LowerFile {
    pub node: NodeRef,
    pub size: u64,
    /// As stat(2) has them.
    pub blocks: u64,
}

#[derive(Clone)]
pub(super) struct Dir {
    entries: Entries<Slot>,
    /// Whether the layers' names are among the entries.
    pub listed: bool,
    /// Whether its links are counted: of several directories, only their names tell how many there are together.
    pub counted: bool,
    /// The directories that are merged here, topmost first: where what the entries lead to is to be found.
    pub lowers: Arc<[Lower]>,
    /// The number of the directory that it is in; its own for the root.
    pub parent: u64,
    /// Removed: it is empty and stays so.
    pub gone: bool,
}

/// What a name leads to.
#[derive(Clone, Copy)]
pub(super) struct Slot {
    pub number: u64,
    pub kind: Kind,
}

impl Cell {
    pub(super) fn new(generation: Generation, state: State) -> Cell {
        // 0 is what synthetic files have.
        Cell { generation, version: AtomicU32::new(1), state: RwLock::new(state) }
    }

    /// One with the same content, for a tree of another generation. The bytes are shared until one of the two is written to.
    pub(super) fn copy(&self, generation: Generation) -> Cell {
        let mut state = self.state.write();
        let body = match &mut state.body {
            Body::File(Content::Own(data)) => Body::File(Content::Own(data.fork())),
            Body::File(Content::Lower(file)) => Body::File(Content::Lower(file.clone())),
            Body::Dir(dir) => Body::Dir(dir.clone()),
            Body::Link(target) => Body::Link(target.clone()),
            Body::Special(device) => Body::Special(*device),
        };
        let version = AtomicU32::new(self.version.load(Ordering::Relaxed));
        Cell { generation, version, state: RwLock::new(state.with(body)) }
    }

    /// The directory that this is, with other entries, for a tree of another generation.
    pub(super) fn with_entries(&self, generation: Generation, entries: Entries<Slot>, parent: u64) -> Cell {
        let dir = Body::Dir(Box::new(Dir::with(entries, parent)));
        let version = AtomicU32::new(self.version.load(Ordering::Relaxed));
        Cell { generation, version, state: RwLock::new(self.state.read().with(dir)) }
    }

    /// The content has changed; the caller holds the state's write lock.
    pub(super) fn changed(&self, state: &mut State) {
        self.version.store(self.version.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
        state.mtime = if matches!(state.body, Body::Dir(_)) { after(state.mtime) } else { now() };
        state.ctime = state.mtime;
    }
}

impl State {
    pub(super) fn dir(&self) -> Result<&Dir> {
        match &self.body {
            Body::Dir(dir) => Ok(dir),
            _ => Errno::ENOTDIR.into(),
        }
    }
    pub(super) fn dir_mut(&mut self) -> Result<&mut Dir> {
        match &mut self.body {
            Body::Dir(dir) => Ok(dir),
            _ => Errno::ENOTDIR.into(),
        }
    }
    pub(super) fn content_mut(&mut self) -> Result<&mut Content> {
        match &mut self.body {
            Body::File(content) => Ok(content),
            Body::Dir(_) => Errno::EISDIR.into(),
            _ => Errno::EINVAL.into(),
        }
    }

    /// Bytes of the tree's space that it holds.
    pub(super) fn held_in_all(&self) -> u64 {
        let data = if let Body::File(Content::Own(data)) = &self.body { data.held() } else { 0 };
        self.held() + data
    }

    /// Size in bytes, and in units of 512, and the numbers of a device.
    pub(super) fn extent(&self) -> (u64, u64, Device) {
        match &self.body {
            Body::File(Content::Own(data)) => (data.size(), data.held() / 512, Device::default()),
            Body::File(Content::Lower(file)) => (file.size, file.blocks, Device::default()),
            Body::Dir(_) => (PAGE, 0, Device::default()),
            Body::Link(target) => (target.len() as u64, 0, Device::default()),
            Body::Special(device) => (0, 0, *device),
        }
    }
}

impl Dir {
    /// A new directory, empty.
    pub(super) fn new(parent: u64) -> Dir {
        Dir { listed: true, ..Dir::over(Arc::new([]), parent) }
    }

    /// A directory that has these entries and no layers.
    pub(super) fn with(entries: Entries<Slot>, parent: u64) -> Dir {
        Dir { entries, ..Dir::new(parent) }
    }

    /// The directory that `lowers` are together.
    pub(super) fn over(lowers: Arc<[Lower]>, parent: u64) -> Dir {
        let empty = lowers.is_empty();
        Dir { entries: Entries::new(), listed: empty, counted: empty, lowers, parent, gone: false }
    }

    /// The names, once they are known.
    pub(super) fn entries(&self) -> Option<&Entries<Slot>> {
        self.listed.then_some(&self.entries)
    }
    pub(super) fn entries_mut(&mut self) -> Option<&mut Entries<Slot>> {
        self.listed.then_some(&mut self.entries)
    }

    /// Takes over the names of the layers, unless somebody else just did.
    pub(super) fn list(&mut self, entries: Entries<Slot>) {
        if !self.listed {
            self.entries = entries;
            self.listed = true;
            self.counted = true;
        }
    }
}
