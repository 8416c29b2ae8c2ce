//! A host directory, served as a tree and confined to it.
//!
//! Whatever is named, created, raced or linked, nothing outside the directory is reached: every step is one name beneath
//! one open directory (`confine.rs`), symlinks are shown and never followed, and what a node stands for is a descriptor and
//! not a path. Files are shared with the host: others may change them at any time, and the tree shows what there is.
//!
//! ```text
//! HostTree ── Tree: live nodes by (device, inode), numbers, pool of handles, what was used a moment ago
//!               └── HostNode: one per live inode; O_PATH handle, and (parent, name) to get it again
//!                     └── HostFile, HostDir: a descriptor of their own each; NodelessFile: no node yet
//! ```
//!
//! What to know of it:
//! - *Descriptors.* Nodes keep at most half of the process's descriptors (and never more than 65 536) among all trees; the
//!   rest are opened again by name when needed, and accepted only if device, inode and birth are the same. A node whose
//!   handle was closed, and whose file was then moved by the host or unlinked, is stale (ESTALE); open files never are.
//! - *Devices, fifos and sockets* are shown, made, renamed and removed, and never opened: opening could block, or hand a
//!   device to a guest. What a name means is looked at through a descriptor that opens nothing, and that very file is
//!   opened then, so that none can be put in its place. (Without /proc there is a microsecond in which one can: it is
//!   opened, without waiting, seen for what it is and closed.)
//! - *Hard links* made by the host may reach any file of the same file system: whoever can link a file into the directory
//!   has given it to the tree. Other file systems mounted below are served unless [`HostOptions::stay_on_device`].
//! - *Ownership.* As root, files belong to the caller who makes them; otherwise to the user the server runs as. A caller who
//!   may be uid 0 on a server that is root can make set-user-id files: serve from a file system mounted nosuid and nodev.
//! - *Extended attributes and access control lists* are the host's own; `trusted.*` and `security.*` are the superuser's to
//!   change, on a server that is root.
//! - *Locks* hold among the clients of taskfs, not against processes of the host.
//! - *Blocking.* System calls are made inline, also those that may wait for a disk: what is in the page cache is answered
//!   faster than a hand-over to a thread would take. Only fsync, which always waits, goes to tokio's blocking threads where
//!   there are any. `HostFile` keeps its descriptor shared so that reads and writes can follow.
//! - Serving a directory below which taskfs itself is mounted would have the server wait for itself: use
//!   [`HostOptions::stay_on_device`] there.

mod attr;
mod cname;
mod confine;
mod dir;
mod direct;
mod entry;
mod fd;
mod file;
mod follow;
mod handle;
mod late;
mod make;
mod node;
mod nodeless;
mod number;
mod owner;
mod recent;
mod seen;
mod tree;
mod xattr;

use crate::{NodeRef, Result};
pub use direct::{Direct, Measure};
use handle::HandlePool;
use node::HostNode;
use std::path::Path;
use std::sync::Arc;
use tree::Tree;

/// How a host directory is served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HostOptions {
    /// Nothing is changed: EROFS.
    pub read_only: bool,
    /// Mount points below the directory are not crossed: EXDEV.
    pub stay_on_device: bool,
    /// How many nodes of this tree keep a descriptor; by default a share of the pool of the process.
    pub handles: Option<usize>,
}

/// A host directory as a tree.
#[derive(Clone)]
pub struct HostTree {
    root: Arc<HostNode>,
}

impl HostTree {
    /// Serves `dir`, for reading and writing. The path is followed now and never again: if something else is put in its
    /// place, the tree goes on serving the directory that was there.
    pub fn open(dir: &Path) -> Result<HostTree> {
        HostTree::open_with(dir, HostOptions::default())
    }
    pub fn open_with(dir: &Path, options: HostOptions) -> Result<HostTree> {
        let pool = options.handles.map_or_else(HandlePool::shared, HandlePool::new);
        Ok(HostTree { root: Tree::open(dir, options, pool)? })
    }
    pub fn root(&self) -> NodeRef {
        self.root.clone()
    }
}

impl std::fmt::Debug for HostTree {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HostTree").finish_non_exhaustive()
    }
}
