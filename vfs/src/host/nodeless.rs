//! Open files that have no node until somebody asks for one. Asking the kernel all about a file, making a node, entering it into
//! the table of those that live and taking it out again would cost more than all that most programs do with a file, which is
//! to read or write it and close it.

use super::file::{HostFile, pread, pwrite};
use super::node::HostNode;
use super::seen::Seen;
use super::tree::By;
use crate::lock::{Lock, LockOwner};
use crate::*;
use rustix::fd::{BorrowedFd, OwnedFd};
use std::sync::{Arc, OnceLock};

/// A file of the host that is open, by itself.
pub(super) struct Bare {
    /// In the directory that it was found in.
    pub name: NameBuf,
    pub fd: Arc<OwnedFd>,
    /// What the kernel said of it when it was asked.
    seen: OnceLock<Seen>,
}

impl Bare {
    pub fn new(name: Name<'_>, fd: Arc<OwnedFd>) -> Bare {
        Bare { name: name.to_owned(), fd, seen: OnceLock::new() }
    }
    pub fn of(name: Name<'_>, fd: Arc<OwnedFd>, seen: Seen) -> Bare {
        Bare { name: name.to_owned(), fd, seen: seen.into() }
    }

    pub fn seen(&self) -> Result<&Seen> {
        if let Some(seen) = self.seen.get() {
            return Ok(seen);
        }
        let seen = Seen::of(&self.fd)?;
        Ok(self.seen.get_or_init(|| seen))
    }
}

pub(super) struct NodelessFile {
    dir: Arc<HostNode>,
    bare: Arc<Bare>,
    /// How it is open for writing, if it is.
    writing: Option<Writing>,
    whole: OnceLock<HostFile>,
}

struct Writing {
    writer: Writer,
    appends: bool,
    /// That its file system is on.
    device: u64,
    /// How many nodes its tree had made when there was none of this file: as long as there are no more, there still is none.
    nodes: u64,
}

impl NodelessFile {
    /// What was found in `dir`, or made there, on `device`, when its tree had made so many `nodes` and none that lives was of this
    /// file.
    pub fn new(
        dir: Arc<HostNode>,
        bare: Arc<Bare>,
        who: &Caller,
        flags: OpenFlags,
        device: u64,
        nodes: u64,
    ) -> NodelessFile {
        let writing = flags.contains(OpenFlags::WRITE).then(|| Writing {
            writer: Writer::new(who),
            appends: flags.contains(OpenFlags::APPEND),
            device,
            nodes,
        });
        NodelessFile { dir, bare, writing, whole: OnceLock::new() }
    }

    /// What was kept, opened for reading.
    pub fn again(dir: Arc<HostNode>, kept: Arc<Bare>) -> NodelessFile {
        NodelessFile { dir, bare: kept, writing: None, whole: OnceLock::new() }
    }

    /// The same file with its node.
    fn whole(&self) -> &HostFile {
        self.whole.get_or_init(|| {
            let Bare { name, fd, .. } = &*self.bare;
            // As it is now: what its mode is decides what a write does.
            let node = match Seen::of(fd) {
                Ok(seen) => self.node_of(&seen),
                Err(error) => {
                    tracing::warn!("{}: the kernel does not say which file it is: {error}", name.as_name());
                    HostNode::unknown(&self.dir, name.as_name(), fd)
                }
            };
            let appends = self.writing.as_ref().is_some_and(|writing| writing.appends);
            let writer = self.writing.as_ref().map(|writing| writing.writer.clone());
            HostFile::opened(node, fd.clone(), appends, writer)
        })
    }

    fn node_of(&self, seen: &Seen) -> Arc<HostNode> {
        let tree = &self.dir.tree;
        let Bare { name, fd, .. } = &*self.bare;
        // A node that lives knows better where it is by now, and what became of it.
        match tree.living(seen.id()).filter(|node| node.is(seen)) {
            Some(node) => {
                node.opened_as(fd);
                node
            }
            None => tree.node(&self.dir, name.as_name(), seen, By::Open(fd)),
        }
    }
}

impl OpenFile for NodelessFile {
    fn node(&self) -> &NodeRef {
        self.whole().node()
    }
    fn qid(&self) -> Qid {
        self.whole().qid()
    }
    fn kind(&self) -> Kind {
        Kind::File
    }
    fn nature(&self) -> Nature {
        Nature::Storage
    }
    fn stat(&self) -> Op<'_, Stat> {
        if let Some(whole) = self.whole.get() {
            return whole.stat();
        }
        match self.bare.seen() {
            Ok(seen) => {
                let path = self.dir.tree.path(seen.id());
                Seen::stat_again(&self.bare.fd, Kind::File, seen.born(), path, |_, _| {})
            }
            Err(error) => Op::err(error),
        }
    }
    fn read<'a>(&'a self, offset: u64, buf: &'a mut [u8]) -> Op<'a, usize> {
        pread(&self.bare.fd, offset, buf).into()
    }
    fn direct(&self) -> Option<Direct> {
        Some(Direct::new(self.bare.fd.clone()))
    }
    fn backing(&self) -> Option<BorrowedFd<'_>> {
        self.whole().backing()
    }
    fn write<'a>(&'a self, offset: u64, data: &'a [u8]) -> Op<'a, usize> {
        let (Some(writing), None) = (&self.writing, self.whole.get()) else {
            return self.whole().write(offset, data);
        };
        if writing.appends {
            return self.whole().write(offset, data);
        }
        let written = pwrite(&self.bare.fd, offset, data);
        // With a node there is somebody to tell, and perhaps a set-id bit to clear.
        if written.is_ok() && self.dir.tree.nodes() != writing.nodes {
            return written.and_then(|written| self.whole().written().map(|()| written)).into();
        }
        written.into()
    }
    fn append<'a>(&'a self, data: &'a [u8]) -> Op<'a, (usize, u64)> {
        self.whole().append(data)
    }
    fn set_size(&self, size: u64) -> Op<'_, ()> {
        self.whole().set_size(size)
    }
    fn allocate(&self, offset: u64, len: u64, how: Allocate) -> Op<'_, ()> {
        self.whole().allocate(offset, len, how)
    }
    fn seek(&self, offset: u64, extent: Extent) -> Op<'_, u64> {
        self.whole().seek(offset, extent)
    }
    fn fsync(&self, data_only: bool) -> Op<'_, ()> {
        self.whole().fsync(data_only)
    }
    fn flush(&self) -> Op<'_, ()> {
        match &self.writing {
            Some(writing) => super::late::tell(&self.dir.tree, writing.device, &self.bare.fd),
            None => Op::ok(()),
        }
    }
    fn lock<'a>(&'a self, owner: LockOwner, lock: Lock, wait: bool) -> Op<'a, ()> {
        self.whole().lock(owner, lock, wait)
    }
    fn getlock(&self, owner: LockOwner, lock: Lock) -> Op<'_, Option<(LockOwner, Lock)>> {
        self.whole().getlock(owner, lock)
    }
    fn release(&self, owner: LockOwner) {
        self.whole().release(owner);
    }
}
