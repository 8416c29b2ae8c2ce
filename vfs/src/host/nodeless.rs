//! Open files that have no node until somebody asks for one: a small file that was opened a moment ago, opened again, and
//! one that is made.
//!
//! Asking the kernel which file it is, making a node, entering it into the table of those that live and taking it out again
//! would cost more than all that most programs do with such a file, which is to read or write it and close it.

use super::file::{HostFile, pread, pwrite};
use super::node::HostNode;
use super::recent::Kept;
use super::seen::Seen;
use super::tree::By;
use crate::lock::{Lock, LockOwner};
use crate::*;
use rustix::fd::{BorrowedFd, OwnedFd};
use std::sync::{Arc, OnceLock};

pub(super) struct NodelessFile {
    dir: Arc<HostNode>,
    origin: Origin,
    whole: OnceLock<HostFile>,
}

enum Origin {
    /// Open for reading, as everything that is kept.
    Kept(Arc<Kept>),
    Made(Made),
}

/// A file that was made when it was opened.
struct Made {
    name: NameBuf,
    fd: Arc<OwnedFd>,
    flags: OpenFlags,
    writer: Option<Writer>,
    /// How many nodes its tree had made until then: as long as there are no more, nobody has one of this file.
    nodes: u64,
}

impl NodelessFile {
    /// `kept` is an entry of `dir` still.
    pub fn again(dir: Arc<HostNode>, kept: Arc<Kept>) -> NodelessFile {
        NodelessFile { dir, origin: Origin::Kept(kept), whole: OnceLock::new() }
    }

    /// `fd` was made as `name` in `dir`, when its tree had made so many `nodes`.
    pub fn made(
        dir: Arc<HostNode>,
        name: Name<'_>,
        fd: OwnedFd,
        who: &Caller,
        flags: OpenFlags,
        nodes: u64,
    ) -> NodelessFile {
        let writer = flags.contains(OpenFlags::WRITE).then(|| Writer::new(who));
        let made = Made { name: name.to_owned(), fd: Arc::new(fd), flags, writer, nodes };
        NodelessFile { dir, origin: Origin::Made(made), whole: OnceLock::new() }
    }

    fn fd(&self) -> &Arc<OwnedFd> {
        match &self.origin {
            Origin::Kept(kept) => &kept.fd,
            Origin::Made(made) => &made.fd,
        }
    }

    /// The same file with its node.
    fn whole(&self) -> &HostFile {
        self.whole.get_or_init(|| match &self.origin {
            Origin::Kept(kept) => {
                let node = self.node_of(&kept.seen, kept.name.as_name());
                HostFile::opened(node, kept.fd.clone(), OpenFlags::READ, None)
            }
            Origin::Made(Made { name, fd, flags, writer, .. }) => {
                let node = match Seen::of(fd) {
                    Ok(seen) => self.node_of(&seen, name.as_name()),
                    Err(error) => {
                        tracing::warn!(
                            "{}: the kernel does not say which file it is: {error}",
                            name.as_name()
                        );
                        HostNode::unknown(&self.dir, name.as_name(), fd)
                    }
                };
                HostFile::opened(node, fd.clone(), *flags, writer.clone())
            }
        })
    }

    fn node_of(&self, seen: &Seen, name: Name<'_>) -> Arc<HostNode> {
        let tree = &self.dir.tree;
        // A node that lives knows better where it is by now, and what became of it.
        match tree.living(seen.id()).filter(|node| node.is(seen)) {
            Some(node) => {
                node.opened_as(self.fd());
                node
            }
            None => tree.node(&self.dir, name, seen, By::Open(self.fd())),
        }
    }
}

impl OpenFile for NodelessFile {
    fn node(&self) -> &NodeRef {
        self.whole().node()
    }
    fn qid(&self) -> Qid {
        match &self.origin {
            Origin::Kept(kept) => Qid { path: kept.path, ..kept.seen.qid() },
            Origin::Made(_) => self.whole().qid(),
        }
    }
    fn kind(&self) -> Kind {
        Kind::File
    }
    fn nature(&self) -> Nature {
        Nature::Storage
    }
    fn stat(&self) -> Op<'_, Stat> {
        match &self.origin {
            Origin::Kept(kept) => {
                Seen::stat_again(&kept.fd, Kind::File, kept.seen.born(), kept.path, |_, _| {})
            }
            Origin::Made(_) => self.whole().stat(),
        }
    }
    fn read<'a>(&'a self, offset: u64, buf: &'a mut [u8]) -> Op<'a, usize> {
        pread(self.fd(), offset, buf).into()
    }
    fn backing(&self) -> Option<BorrowedFd<'_>> {
        self.whole().backing()
    }
    fn write<'a>(&'a self, offset: u64, data: &'a [u8]) -> Op<'a, usize> {
        let Origin::Made(made) = &self.origin else { return self.whole().write(offset, data) };
        if self.whole.get().is_some() || made.flags.contains(OpenFlags::APPEND) {
            return self.whole().write(offset, data);
        }
        pwrite(&made.fd, offset, data)
            .and_then(|written| {
                // With a node there is somebody to tell, and perhaps a set-id bit to clear.
                if self.dir.tree.nodes() != made.nodes {
                    self.whole().written()?;
                }
                Ok(written)
            })
            .into()
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
        match &self.origin {
            Origin::Made(made) if made.writer.is_some() => {
                // What is made in a directory is of its file system.
                super::late::tell(&self.dir.tree, self.dir.device(), &made.fd)
            }
            _ => Op::ok(()),
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
