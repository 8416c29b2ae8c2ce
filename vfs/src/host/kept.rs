//! A small file that was opened a moment ago, opened again: no new descriptor, and no node until somebody asks for it.
//!
//! Making a node, entering it into the table of those that live and taking it out again would cost more than all that most
//! programs do with such a file, which is to read it and close it.

use super::file::HostFile;
use super::node::HostNode;
use super::recent::Kept;
use super::seen::Seen;
use super::tree::By;
use crate::lock::{Lock, LockOwner};
use crate::*;
use rustix::fd::BorrowedFd;
use std::sync::{Arc, OnceLock};

/// Open for reading, as everything that is kept.
pub(super) struct KeptFile {
    dir: Arc<HostNode>,
    kept: Arc<Kept>,
    whole: OnceLock<HostFile>,
}

impl KeptFile {
    /// `kept` is an entry of `dir` still.
    pub fn new(dir: Arc<HostNode>, kept: Arc<Kept>) -> KeptFile {
        KeptFile { dir, kept, whole: OnceLock::new() }
    }

    /// The same file with its node.
    fn whole(&self) -> &HostFile {
        self.whole.get_or_init(|| {
            let Kept { name, seen, fd, .. } = &*self.kept;
            let tree = &self.dir.tree;
            // A node that lives knows better where it is by now, and what became of it.
            let living = tree.living(seen.id()).filter(|node| node.is(seen));
            let node = match living {
                Some(node) => {
                    node.opened_as(fd);
                    node
                }
                None => tree.node(&self.dir, name.as_name(), seen, By::Open(fd)),
            };
            HostFile::reading(node, fd.clone())
        })
    }
}

impl OpenFile for KeptFile {
    fn node(&self) -> &NodeRef {
        self.whole().node()
    }
    fn qid(&self) -> Qid {
        Qid { path: self.kept.path, ..self.kept.seen.qid() }
    }
    fn kind(&self) -> Kind {
        Kind::File
    }
    fn nature(&self) -> Nature {
        Nature::Storage
    }
    fn stat(&self) -> Op<'_, Stat> {
        let Kept { fd, seen, path, .. } = &*self.kept;
        Seen::stat_again(fd, seen.born(), *path).into()
    }
    fn read<'a>(&'a self, offset: u64, buf: &'a mut [u8]) -> Op<'a, usize> {
        super::file::read(&self.kept.fd, offset, buf).into()
    }
    fn backing(&self) -> Option<BorrowedFd<'_>> {
        self.whole().backing()
    }
    fn write<'a>(&'a self, offset: u64, data: &'a [u8]) -> Op<'a, usize> {
        self.whole().write(offset, data)
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
