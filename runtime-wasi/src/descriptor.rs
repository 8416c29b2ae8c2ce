//! A guest's descriptors: the numbers by which it knows its open files, and what each may be used for.
//!
//! Descriptors 0, 1 and 2 are the task's stdio, 3 is the directory `/`; what is opened takes the lowest number free.

use crate::p1::abi::{FdFlags, Rights};
use crate::p1::errno::NOTCAPABLE;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use vfs::{Aspect, Direct, Errno, FileRef, Kind, Nature, NodeRef, Place, Qid, Result};

/// Where what is open was found.
pub(crate) enum Found {
    /// Nowhere in the guest's namespace.
    Stdio,
    At(Place),
    /// A regular file that was opened in one step: of its place this is all that is kept.
    Once(Aspect),
}

/// An open file or directory.
pub(crate) struct Descriptor {
    pub found: Found,
    /// None for a directory that was given, not opened, until it is listed.
    pub file: Option<FileRef>,
    pub kind: Kind,
    /// The file gives and takes bytes at offsets at once.
    pub stores: bool,
    pub offset: u64,
    pub flags: FdFlags,
    pub rights: Rights,
    pub inheriting: Rights,
    /// The name under which a directory was given at the start.
    pub preopen: Option<Arc<[u8]>>,
    /// stdio/1 or 2: every write goes to the end, so that both can be one file.
    pub appends: bool,
    learned: Learned,
}

/// What is asked of a file that is used a second time: most are read or written once.
#[derive(Default)]
struct Learned {
    used: AtomicBool,
    direct: OnceLock<Option<Direct>>,
    /// The qid of its node, once it was told.
    node: OnceLock<Qid>,
}

const FILE_RIGHTS: Rights = Rights::FD_DATASYNC
    .union(Rights::FD_SEEK)
    .union(Rights::FD_FDSTAT_SET_FLAGS)
    .union(Rights::FD_SYNC)
    .union(Rights::FD_TELL)
    .union(Rights::FD_ADVISE)
    .union(Rights::FD_FILESTAT_GET)
    .union(Rights::FD_FILESTAT_SET_TIMES)
    .union(Rights::POLL_FD_READWRITE);
const WRITE_RIGHTS: Rights = Rights::FD_WRITE.union(Rights::FD_ALLOCATE).union(Rights::FD_FILESTAT_SET_SIZE);
const DIR_RIGHTS: Rights = Rights::FD_FDSTAT_SET_FLAGS
    .union(Rights::FD_SYNC)
    .union(Rights::FD_DATASYNC)
    .union(Rights::FD_READDIR)
    .union(Rights::FD_FILESTAT_GET)
    .union(Rights::FD_FILESTAT_SET_TIMES)
    .union(Rights::PATH_CREATE_DIRECTORY)
    .union(Rights::PATH_CREATE_FILE)
    .union(Rights::PATH_LINK_SOURCE)
    .union(Rights::PATH_LINK_TARGET)
    .union(Rights::PATH_OPEN)
    .union(Rights::PATH_READLINK)
    .union(Rights::PATH_RENAME_SOURCE)
    .union(Rights::PATH_RENAME_TARGET)
    .union(Rights::PATH_FILESTAT_GET)
    .union(Rights::PATH_FILESTAT_SET_SIZE)
    .union(Rights::PATH_FILESTAT_SET_TIMES)
    .union(Rights::PATH_SYMLINK)
    .union(Rights::PATH_REMOVE_DIRECTORY)
    .union(Rights::PATH_UNLINK_FILE)
    .union(Rights::POLL_FD_READWRITE);

/// Whether `file` gives and takes bytes at offsets at once.
fn stores(file: &FileRef) -> bool {
    file.nature() == Nature::Storage && !file.is_remote()
}

impl Descriptor {
    /// Whether it is one that the program was started with: it was not opened by a name.
    pub fn is_stdio(&self) -> bool {
        matches!(self.found, Found::Stdio)
    }

    fn place(&self) -> Option<&Place> {
        match &self.found {
            Found::At(place) => Some(place),
            Found::Stdio | Found::Once(_) => None,
        }
    }

    pub fn node(&self) -> &NodeRef {
        match (&self.file, &self.found) {
            (Some(file), _) => file.node(),
            (None, Found::At(place)) => place.node(),
            (None, Found::Stdio | Found::Once(_)) => unreachable!("what has no place was opened"),
        }
    }

    /// The kind and identity that the guest is shown, where the node has this qid.
    pub fn shown(&self, node: Qid) -> (Kind, u64) {
        let identity = match &self.found {
            Found::At(place) => place.qid().path,
            Found::Once(aspect) => aspect.identity(node),
            Found::Stdio => node.path,
        };
        (self.shown_kind(node.kind), identity)
    }

    /// One of the task's stdio files: 0 is read, 1 and 2 are written.
    pub fn stdio(file: FileRef, output: bool) -> Descriptor {
        let mut rights = FILE_RIGHTS | if output { Rights::FD_WRITE } else { Rights::FD_READ };
        // wasi-libc takes what can seek for no terminal.
        if file.nature() == Nature::Stream {
            rights -= Rights::FD_SEEK | Rights::FD_TELL;
        }
        Descriptor {
            found: Found::Stdio,
            kind: file.kind(),
            stores: stores(&file),
            file: Some(file),
            offset: 0,
            flags: FdFlags::empty(),
            rights,
            inheriting: Rights::empty(),
            preopen: None,
            appends: output,
            learned: Learned::default(),
        }
    }

    /// A directory that the guest finds open at its start.
    pub fn preopen(place: Place, name: &[u8]) -> Descriptor {
        Descriptor {
            kind: place.kind(),
            found: Found::At(place),
            file: None,
            stores: false,
            offset: 0,
            flags: FdFlags::empty(),
            rights: DIR_RIGHTS,
            inheriting: Rights::all(),
            preopen: Some(name.into()),
            appends: false,
            learned: Learned::default(),
        }
    }

    #[inline(always)]
    pub fn opened(
        found: Found,
        file: FileRef,
        kind: Kind,
        flags: FdFlags,
        read: bool,
        write: bool,
    ) -> Descriptor {
        let nature = file.nature();
        let (rights, inheriting) = if kind.is_dir() {
            (DIR_RIGHTS, Rights::all())
        } else {
            let mut rights = FILE_RIGHTS;
            if read {
                rights |= Rights::FD_READ;
            }
            if write {
                rights |= WRITE_RIGHTS;
            }
            if nature == Nature::Stream {
                rights -= Rights::FD_SEEK | Rights::FD_TELL;
            }
            (rights, Rights::empty())
        };
        let stores = nature == Nature::Storage && !file.is_remote();
        Descriptor {
            found,
            file: Some(file),
            kind,
            stores,
            offset: 0,
            flags,
            rights,
            inheriting,
            preopen: None,
            appends: false,
            learned: Learned::default(),
        }
    }

    /// A directory that was given is opened, to be listed.
    pub fn open_as(&mut self, file: FileRef) -> &FileRef {
        self.stores = stores(&file);
        self.file.insert(file)
    }

    /// What the guest is told that it is, which is of that kind. A stream on stdio is shown as a terminal, so that C programs write
    /// line by line and whoever follows the output sees it live.
    pub fn shown_kind(&self, kind: Kind) -> Kind {
        match kind {
            Kind::File if self.is_stdio() && self.is_stream() => Kind::CharDevice,
            kind => kind,
        }
    }

    pub fn need(&self, rights: Rights) -> Result<()> {
        if self.rights.contains(rights) { Ok(()) } else { NOTCAPABLE.into() }
    }

    /// The file, where it was opened for `right` (EBADF, as POSIX has it for the wrong access mode).
    pub fn open_for(&self, right: Rights) -> Result<&FileRef> {
        match &self.file {
            Some(file) if self.rights.contains(right) => Ok(file),
            Some(_) if self.kind.is_dir() => Errno::EISDIR.into(),
            _ => Errno::EBADF.into(),
        }
    }

    /// How to use its `file` without asking that, where that was worth finding out.
    #[inline(always)]
    pub fn direct(&self, file: &FileRef) -> Option<&Direct> {
        match self.learned.direct.get() {
            Some(direct) => direct.as_ref(),
            None => self.find_direct(file),
        }
    }

    #[cold]
    fn find_direct(&self, file: &FileRef) -> Option<&Direct> {
        if !self.learned.used.swap(true, Ordering::Relaxed) {
            return None;
        }
        self.learned.direct.get_or_init(|| file.clone().direct()).as_ref()
    }

    /// The same, and the qid of its node, where both are known already.
    #[inline(always)]
    pub fn direct_node(&self) -> Option<(&Direct, Qid)> {
        Some((self.learned.direct.get()?.as_ref()?, *self.learned.node.get()?))
    }

    /// The node of its file has this qid, so it need not be asked again.
    pub fn is_of(&self, node: Qid) {
        if let Some(file) = &self.file
            && self.direct(file).is_some()
        {
            // Nobody else has it at the same time.
            let _known = self.learned.node.set(node);
        }
    }

    /// The directory that paths start from.
    pub fn dir(&self, right: Rights) -> Result<&Place> {
        match self.place() {
            Some(place) if self.kind.is_dir() => {
                self.need(right)?;
                Ok(place)
            }
            _ => Errno::ENOTDIR.into(),
        }
    }

    pub fn is_stream(&self) -> bool {
        self.file.as_ref().map_or_else(|| self.node().nature(), |file| file.nature()) == Nature::Stream
    }
}

/// The descriptors of one guest. The limit on open files is asked for with every new one, since it may change.
#[derive(Default)]
pub(crate) struct Descriptors {
    slots: Vec<Option<Descriptor>>,
    open: usize,
    /// No slot below this one is free.
    lowest: usize,
}

impl Descriptors {
    pub fn get(&self, fd: u32) -> Result<&Descriptor> {
        self.slots.get(fd as usize).and_then(Option::as_ref).ok_or_else(|| Errno::EBADF.into())
    }
    pub fn get_mut(&mut self, fd: u32) -> Result<&mut Descriptor> {
        self.slots.get_mut(fd as usize).and_then(Option::as_mut).ok_or_else(|| Errno::EBADF.into())
    }
    pub fn open(&self) -> usize {
        self.open
    }

    /// Fails with EMFILE where `limit` descriptors are open.
    pub fn room(&self, limit: usize) -> Result<()> {
        if self.open < limit { Ok(()) } else { Errno::EMFILE.into() }
    }

    #[inline]
    pub fn insert(&mut self, descriptor: Descriptor) -> u32 {
        let slot = (self.lowest..self.slots.len()).find(|i| self.slots[*i].is_none());
        let slot = slot.unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        self.slots[slot] = Some(descriptor);
        self.lowest = slot + 1;
        self.open += 1;
        slot as u32
    }

    pub fn remove(&mut self, fd: u32) -> Result<Descriptor> {
        let slot = self.slots.get_mut(fd as usize).and_then(Option::take).ok_or(Errno::EBADF)?;
        self.open -= 1;
        self.lowest = self.lowest.min(fd as usize);
        Ok(slot)
    }

    /// As [`Descriptors::remove`] of one that is closed.
    pub fn close(&mut self, fd: u32) -> Result<()> {
        let slot = self.slots.get_mut(fd as usize).filter(|slot| slot.is_some()).ok_or(Errno::EBADF)?;
        // Where it lies: it is large.
        *slot = None;
        self.open -= 1;
        self.lowest = self.lowest.min(fd as usize);
        Ok(())
    }

    /// Makes `from` be `to`, whose own file is given back to be closed.
    pub fn renumber(&mut self, from: u32, to: u32) -> Result<Option<Descriptor>> {
        self.get(from)?;
        self.get(to)?;
        if from == to {
            return Ok(None);
        }
        let moved = self.remove(from)?;
        Ok(self.slots[to as usize].replace(moved))
    }
}
