//! Open files that have no node until somebody asks for one. Asking the kernel all about a file, making a node, entering it into
//! the table of those that live and taking it out again would cost more than all that most programs do with a file, which is
//! to read or write it and close it.

use super::fd::Fd;
use super::file::{HostFile, pread, pwrite};
use super::node::HostNode;
use super::seen::Seen;
use super::tree::By;
use crate::lock::{Lock, LockOwner};
use crate::*;
use rustix::fd::BorrowedFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

pub(super) struct NodelessFile {
    dir: Arc<HostNode>,
    /// In the directory that it was found in.
    name: NameBuf,
    fd: Arc<Fd>,
    /// How it is open for writing, if it is.
    writing: Option<Writing>,
    /// Behind a pointer: most files are read or written and closed without it.
    whole: OnceLock<Box<HostFile>>,
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
    /// What was found as `name` in `dir`, or made there, on `device`, when its tree had made so many `nodes` and none that lives was
    /// of this file.
    pub fn new(
        dir: Arc<HostNode>,
        name: Name<'_>,
        fd: Arc<Fd>,
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
        NodelessFile { dir, name: name.to_owned(), fd, writing, whole: OnceLock::new() }
    }

    /// What was kept, opened for reading.
    pub fn again(dir: Arc<HostNode>, name: Name<'_>, kept: Arc<Fd>) -> NodelessFile {
        NodelessFile { dir, name: name.to_owned(), fd: kept, writing: None, whole: OnceLock::new() }
    }

    pub fn is_nodeless(&self) -> bool {
        self.whole.get().is_none()
    }

    /// Writes through `fd`, its own. None where that is for the whole file to do. `nodes` is its tree's count of them.
    #[inline(always)]
    pub fn write_bytes(&self, fd: &Fd, nodes: &AtomicU64, offset: u64, data: &[u8]) -> Option<Result<usize>> {
        let writing = self.writing.as_ref()?;
        if writing.appends || !self.is_nodeless() {
            return None;
        }
        let written = pwrite(fd, offset, data);
        if written.is_ok() && nodes.load(Ordering::Relaxed) != writing.nodes {
            return Some(written.and_then(|written| self.tell(written)));
        }
        Some(written)
    }

    /// With a node there is somebody to tell of a write, and perhaps a set-id bit to clear.
    #[cold]
    fn tell(&self, written: usize) -> Result<usize> {
        self.whole().written().map(|()| written)
    }

    /// The same file with its node.
    fn whole(&self) -> &HostFile {
        self.whole.get_or_init(|| {
            let NodelessFile { name, fd, .. } = self;
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
            Box::new(HostFile::opened(node, fd.clone(), appends, writer))
        })
    }

    fn node_of(&self, seen: &Seen) -> Arc<HostNode> {
        let tree = &self.dir.tree;
        let NodelessFile { name, fd, .. } = self;
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
        match self.fd.seen() {
            Ok(seen) => {
                let path = self.dir.tree.path(seen.id());
                Seen::stat_again(&*self.fd, Kind::File, seen.born(), path, |_, _| {})
            }
            Err(error) => Op::err(error),
        }
    }
    fn read<'a>(&'a self, offset: u64, buf: &'a mut [u8]) -> Op<'a, usize> {
        pread(&self.fd, offset, buf).into()
    }
    fn direct(self: Arc<Self>) -> Option<Direct> {
        Some(Direct::new(self.fd.clone(), self.dir.tree.nodes_count().clone(), self))
    }
    fn backing(&self) -> Option<BorrowedFd<'_>> {
        self.whole().backing()
    }
    fn write<'a>(&'a self, offset: u64, data: &'a [u8]) -> Op<'a, usize> {
        match self.write_bytes(&self.fd, self.dir.tree.nodes_count(), offset, data) {
            Some(written) => written.into(),
            None => self.whole().write(offset, data),
        }
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
            Some(writing) => super::late::tell(&self.dir.tree, writing.device, &self.fd),
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
