//! A guest's descriptors: the numbers by which it knows its open files, and what each may be used for.
//!
//! Descriptors 0, 1 and 2 are the task's stdio, 3 is the directory `/`; what is opened takes the lowest number free.

use crate::open::{Found, Open};
use crate::p1::abi::{FdFlags, Rights};
use crate::p1::errno::NOTCAPABLE;
use std::sync::Arc;
use vfs::{Errno, FileRef, Kind, Nature, Place, Qid, Result};

/// An open file or directory, by the number that it has in the guest.
pub(crate) struct Descriptor {
    pub open: Open,
    pub offset: u64,
    pub flags: FdFlags,
    pub rights: Rights,
    pub inheriting: Rights,
    /// The name under which a directory was given at the start.
    pub preopen: Option<Arc<[u8]>>,
    /// stdio/1 or 2, and no storage: every write goes to the end, so that both can be one file.
    pub appends: bool,
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

impl Descriptor {
    /// The kind and identity that the guest is shown, where the node has this qid.
    pub fn shown(&self, node: Qid) -> (Kind, u64) {
        (self.shown_kind(node.kind), self.open.identity(node))
    }

    /// One of the task's stdio files: 0 is read, 1 and 2 are written.
    pub fn stdio(file: FileRef, output: bool) -> Descriptor {
        let mut rights = FILE_RIGHTS | if output { Rights::FD_WRITE } else { Rights::FD_READ };
        // wasi-libc takes what can seek for no terminal.
        if file.nature() == Nature::Stream {
            rights -= Rights::FD_SEEK | Rights::FD_TELL;
        }
        // A file is written at its end, and the program may know, and have it otherwise.
        let stores = file.nature() == Nature::Storage;
        let mut flags = FdFlags::empty();
        if output && stores {
            rights |= WRITE_RIGHTS;
            flags = FdFlags::APPEND;
        }
        let kind = file.kind();
        Descriptor {
            open: Open::opened(Found::Stdio, file, kind),
            offset: 0,
            flags,
            rights,
            inheriting: Rights::empty(),
            preopen: None,
            appends: output && !stores,
        }
    }

    /// A directory that the guest finds open at its start.
    pub fn preopen(place: Place, name: &[u8]) -> Descriptor {
        Descriptor {
            open: Open::given(place),
            offset: 0,
            flags: FdFlags::empty(),
            rights: DIR_RIGHTS,
            inheriting: Rights::all(),
            preopen: Some(name.into()),
            appends: false,
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
        let open = Open::opened(found, file, kind);
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
            if open.is_stream() {
                rights -= Rights::FD_SEEK | Rights::FD_TELL;
            }
            (rights, Rights::empty())
        };
        Descriptor { open, offset: 0, flags, rights, inheriting, preopen: None, appends: false }
    }

    /// What the guest is told that it is, which is of that kind. A stream on stdio is shown as a terminal, so that C programs write
    /// line by line and whoever follows the output sees it live.
    pub fn shown_kind(&self, kind: Kind) -> Kind {
        match kind {
            Kind::File if self.open.is_stdio() && self.open.is_stream() => Kind::CharDevice,
            kind => kind,
        }
    }

    pub fn need(&self, rights: Rights) -> Result<()> {
        if self.rights.contains(rights) { Ok(()) } else { NOTCAPABLE.into() }
    }

    /// The file, where it was opened for `right` (EBADF, as POSIX has it for the wrong access mode).
    pub fn open_for(&self, right: Rights) -> Result<&FileRef> {
        match &self.open.file {
            Some(file) if self.rights.contains(right) => Ok(file),
            Some(_) if self.open.kind.is_dir() && right == Rights::FD_READ => Errno::EISDIR.into(),
            _ => Errno::EBADF.into(),
        }
    }

    /// The directory that paths start from.
    pub fn dir(&self, right: Rights) -> Result<&Place> {
        match self.open.place() {
            Some(place) if self.open.kind.is_dir() => {
                self.need(right)?;
                Ok(place)
            }
            _ => Errno::ENOTDIR.into(),
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use vfs::mem::MemTree;
    use vfs::{Caller, Mode, Name, Namespace, OpenFlags};

    #[tokio::test]
    async fn output_that_is_a_file_is_open_to_append_and_says_so() {
        let (ns, me) = (Namespace::new(MemTree::new().root(), "mem"), Caller::me());
        let name = Name::new(b"f").expect("a name");
        let made = ns.root().create(&me, name, Mode::new(0o644), OpenFlags::WRITE).await.expect("made");
        let output = Descriptor::stdio(made.file, true);
        assert!(output.flags.contains(FdFlags::APPEND) && !output.appends);
        assert!(output.rights.contains(WRITE_RIGHTS | Rights::FD_SEEK));
    }
}
