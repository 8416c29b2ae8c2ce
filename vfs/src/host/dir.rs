//! An open directory of the host, listed by the kernel's own cookies.
//!
//! Any number of readers may list one open directory from cookies of their own. The descriptor has one position, so a
//! reader who goes on where the last one stopped gets what was left over, and any other seeks.

use super::node::HostNode;
use super::seen::{FileId, Seen};
use crate::*;
use parking_lot::Mutex;
use rustix::fd::OwnedFd;
use rustix::fs::{FileType, RawDir, SeekFrom};
use std::mem::MaybeUninit;
use std::ops::Range;
use std::sync::Arc;

pub(super) struct HostDir {
    node: NodeRef,
    host: Arc<HostNode>,
    dev: u64,
    fd: Arc<OwnedFd>,
    listing: Mutex<Listing>,
}

/// Where the last reader stopped.
#[derive(Default)]
struct Listing {
    /// Behind the entry with this cookie.
    at: u64,
    begun: bool,
    /// What the kernel gave beyond that, and no sink took yet.
    left: Vec<Left>,
    next: usize,
    names: Vec<u8>,
}

struct Left {
    name: Range<usize>,
    qid: Qid,
    cookie: u64,
}

impl HostDir {
    pub fn new(host: Arc<HostNode>, fd: OwnedFd) -> HostDir {
        HostDir { node: host.clone(), dev: host.device(), host, fd: Arc::new(fd), listing: Mutex::default() }
    }

    /// The qid as far as the listing tells. A mount point shows the directory under it until it is walked to.
    fn entry_qid(&self, name: Name<'_>, ino: u64, file_type: FileType) -> Option<Qid> {
        let id = FileId { dev: self.dev, ino };
        let kind = match file_type {
            FileType::RegularFile => Kind::File,
            FileType::Directory => Kind::Dir,
            FileType::Symlink => Kind::Symlink,
            FileType::Fifo => Kind::Fifo,
            FileType::Socket => Kind::Socket,
            FileType::CharacterDevice => Kind::CharDevice,
            FileType::BlockDevice => Kind::BlockDevice,
            // The file system does not say; an entry that is gone by now is left out.
            FileType::Unknown => Seen::entry(&self.fd, name.as_bytes()).ok()?.kind(),
        };
        Some(Qid { kind, version: 0, path: self.host.tree.path(id) })
    }

    fn list(&self, cookie: u64, sink: &mut Sink<'_>) -> Result<()> {
        let mut listing = self.listing.lock();
        // From the start means as the directory is now, not what was left over.
        if cookie != listing.at || (cookie == 0 && listing.begun) {
            rustix::fs::seek(&self.fd, SeekFrom::Start(cookie))?;
            listing.restart(cookie);
        }
        listing.begun = true;
        if !listing.give_left(sink) {
            return Ok(());
        }
        let mut space = [MaybeUninit::<u8>::uninit(); 32 * 1024];
        let mut entries = RawDir::new(&*self.fd, &mut space);
        let mut full = false;
        while !(full && entries.is_buffer_empty()) {
            let entry = match entries.next() {
                // A directory that was removed is empty.
                None | Some(Err(rustix::io::Errno::NOENT)) => break,
                Some(Err(rustix::io::Errno::INTR)) => continue,
                Some(entry) => entry?,
            };
            let cookie = entry.next_entry_cookie();
            let named = Name::new(entry.file_name().to_bytes()).ok();
            let qid = named.and_then(|name| self.entry_qid(name, entry.ino(), entry.file_type()));
            let (Some(name), Some(qid)) = (named, qid) else {
                // `.` and `..`, mostly.
                if !full {
                    listing.at = cookie;
                }
                continue;
            };
            full = full || !sink(DirEntry { name, qid, cookie });
            if full {
                listing.leave(name, qid, cookie);
            } else {
                listing.at = cookie;
            }
        }
        Ok(())
    }
}

impl Listing {
    fn restart(&mut self, at: u64) {
        self.left.clear();
        self.names.clear();
        self.next = 0;
        self.at = at;
    }

    fn leave(&mut self, name: Name<'_>, qid: Qid, cookie: u64) {
        let start = self.names.len();
        self.names.extend_from_slice(name.as_bytes());
        self.left.push(Left { name: start..self.names.len(), qid, cookie });
    }

    /// Gives what was left over; false when the sink wants no more.
    fn give_left(&mut self, sink: &mut Sink<'_>) -> bool {
        while let Some(Left { name, qid, cookie }) = self.left.get(self.next) {
            let name = Name::new(&self.names[name.clone()]).expect("was a name when it was left over");
            if !sink(DirEntry { name, qid: *qid, cookie: *cookie }) {
                return false;
            }
            self.at = *cookie;
            self.next += 1;
        }
        let at = self.at;
        self.restart(at);
        true
    }
}

impl OpenFile for HostDir {
    fn node(&self) -> &NodeRef {
        &self.node
    }
    fn nature(&self) -> Nature {
        Nature::Storage
    }
    fn readdir<'a>(&'a self, cookie: u64, sink: &'a mut Sink<'a>) -> Op<'a, ()> {
        self.list(cookie, sink).into()
    }
    fn fsync(&self, data_only: bool) -> Op<'_, ()> {
        super::file::sync(self.fd.clone(), data_only)
    }
}
