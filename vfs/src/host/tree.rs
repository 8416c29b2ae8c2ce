//! What the nodes of one host directory share: the table of live nodes, their numbers, and the pool of handles.

use super::HostOptions;
use super::confine::Confinement;
use super::fd::Fd;
use super::follow::Followers;
use super::handle::{Handle, HandlePool};
use super::late::Telling;
use super::node::HostNode;
use super::number::Numbers;
use super::owner::Own;
use super::recent::Recent;
use super::seen::{FileId, FileIdHasher, Seen};
use crate::lock::LockTable;
use crate::{Errno, Error, Name, Result, TreeTag};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

/// The descriptor by which a file was found.
pub(super) enum By<'a> {
    /// One with O_PATH, which its node keeps as a handle.
    Path(Arc<Fd>),
    /// One that it is open as: good as a handle while it lasts.
    Open(&'a Arc<Fd>),
}

pub(super) struct Tree {
    tag: TreeTag,
    numbers: Numbers,
    pub options: HostOptions,
    pub confinement: Confinement,
    pub pool: Arc<HandlePool>,
    pub own: Own,
    pub locks: LockTable,
    /// The process's umask when the tree was opened: the bits that making a file leaves to be set.
    pub umask: u32,
    /// One node per live inode, so that hard links share theirs.
    live: Mutex<HashMap<FileId, Weak<HostNode>, BuildHasherDefault<FileIdHasher>>>,
    /// Held while a node gets another parent, so that no two moves can make a ring.
    pub moves: Mutex<()>,
    pub recent: Recent,
    pub telling: Telling,
    pub followers: Followers,
    /// How many nodes were made, besides the root's.
    nodes: Arc<AtomicU64>,
}

impl Tree {
    pub fn open(dir: &Path, options: HostOptions, pool: Arc<HandlePool>) -> Result<Arc<HostNode>> {
        let confinement = Confinement::new(options.stay_on_device);
        let fd = confinement.root(dir)?;
        let seen = Seen::of(&fd)?;
        let tag =
            TreeTag::take().ok_or_else(|| Error::new(Errno::ENOMEM, "too many trees: 65535 are served"))?;
        let recent = Recent::beside(pool.bound());
        let tree = Arc::new(Tree {
            tag,
            numbers: Numbers::new(seen.id().dev),
            options,
            confinement,
            pool,
            own: Own::now(),
            locks: LockTable::new(),
            umask: umask(),
            live: Mutex::default(),
            moves: Mutex::new(()),
            recent,
            telling: Telling::default(),
            followers: Followers::default(),
            nodes: Arc::default(),
        });
        let root = HostNode::new(&tree, &seen, None, Handle::Pinned(Arc::new(fd.into())), Weak::new());
        tree.live.lock().insert(seen.id(), Arc::downgrade(&root));
        Ok(root)
    }

    /// The qid path of a file.
    pub fn path(&self, id: FileId) -> u64 {
        self.tag.path(self.numbers.of(id))
    }

    /// The node of the file that `seen` tells of, found as `name` in `dir`: the one that lives, or a new one.
    pub fn node(self: &Arc<Tree>, dir: &HostNode, name: Name<'_>, seen: &Seen, by: By<'_>) -> Arc<HostNode> {
        // Dropped behind the lock that a node's end takes.
        let mut reborn = None;
        let (node, new) = {
            let mut live = self.live.lock();
            match live.get(&seen.id()).and_then(Weak::upgrade) {
                Some(node) if node.is(seen) => (node, false),
                found => {
                    // The number of a file that is gone was used again.
                    reborn = found;
                    let at = Some((dir.me(), name.to_owned()));
                    let opened = match &by {
                        By::Open(fd) => Arc::downgrade(fd),
                        By::Path(_) => Weak::new(),
                    };
                    let node = HostNode::new(self, seen, at, Handle::closed(), opened);
                    self.nodes.fetch_add(1, Ordering::Relaxed);
                    live.insert(seen.id(), Arc::downgrade(&node));
                    (node, true)
                }
            }
        };
        drop(reborn);
        if !new {
            node.noticed(seen);
            node.found_at(dir, name);
        }
        match by {
            By::Path(fd) if !node.handle.is_open() => self.pool.keep(&node.handle, fd),
            By::Open(fd) if !new => node.opened_as(fd),
            _ => {}
        }
        node
    }

    pub fn nodes(&self) -> u64 {
        self.nodes.load(Ordering::Relaxed)
    }
    /// The count of [`Tree::nodes`], for who looks at it often.
    pub fn nodes_count(&self) -> &Arc<AtomicU64> {
        &self.nodes
    }

    /// The node of a file, if it lives.
    pub fn living(&self, id: FileId) -> Option<Arc<HostNode>> {
        self.live.lock().get(&id).and_then(Weak::upgrade)
    }

    /// The node `gone` is being dropped.
    pub fn forget(&self, id: FileId, gone: *const HostNode) {
        let mut live = self.live.lock();
        if live.get(&id).is_some_and(|node| node.as_ptr() == gone) {
            live.remove(&id);
        }
    }

    /// Runs what takes a new descriptor, with fewer handles open where there are too many.
    pub fn with_room<T>(&self, run: impl Fn() -> rustix::io::Result<T>) -> rustix::io::Result<T> {
        loop {
            match run() {
                Err(rustix::io::Errno::MFILE | rustix::io::Errno::NFILE)
                    if self.recent.clear() || self.pool.make_room() => {}
                result => return result,
            }
        }
    }

    /// Fails where nothing may be changed.
    pub fn writable(&self) -> Result<()> {
        if self.options.read_only { Errno::EROFS.into() } else { Ok(()) }
    }
}

/// The process's umask, which can be read without changing it only in /proc (Linux 4.7).
fn umask() -> u32 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("Umask:"));
    line.and_then(|octal| u32::from_str_radix(octal.trim(), 8).ok()).unwrap_or_else(|| {
        let mask = rustix::process::umask(rustix::fs::Mode::empty());
        rustix::process::umask(mask);
        mask.bits()
    })
}
