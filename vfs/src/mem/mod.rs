//! The memory tree: a POSIX file system that lives and dies with the server, and answers every storage operation at once.
//!
//! [`MemTree`] is the tree; its nodes are inodes that hold their data themselves. Permissions are checked above, by
//! [`crate::Place`]; what is here is what inode(7), rename(2) and their neighbours promise of a storage. Access times are
//! kept as relatime keeps them: a read sets one that is not newer than the last change.
//!
//! ```text
//! MemTree ── Tree (space, rename lock, record locks)
//!    └─ Inode ── State: owner, mode, times, xattrs, access control lists, and a body
//!          ├─ Data      chunks of a regular file, 64 KiB each
//!          ├─ Dir       names in slots, a hash index over them ──► Inode …
//!          ├─ Fifo      a named pipe: the one thing here that may wait
//!          └─ a link's target, a device's numbers
//! ```
//!
//! Locks are taken in one order: the rename lock, then directories from the root downwards, then one inode that is none.
//! None is held across an await or while a caller's code runs.

pub(crate) mod acl;
pub(crate) mod chunk;
pub(crate) mod clock;
pub(crate) mod data;
pub(crate) mod entries;
mod entry;
pub(crate) mod fifo;
mod file;
mod inode;
mod node;
mod rename;
pub(crate) mod space;
pub(crate) mod state;
pub(crate) mod xattr;

use crate::lock::LockTable;
use crate::*;
use inode::Inode;
use parking_lot::Mutex;
use space::Space;
use std::sync::Arc;

/// An empty buffer of the length that files of memory trees keep ([`OpenFile::keeps_buffers`]), backed by memory already.
pub fn buffer() -> Vec<u8> {
    chunk::buffer()
}

/// How large a memory tree may grow, and what its root looks like.
#[derive(Clone, Copy, Debug)]
pub struct MemOptions {
    /// Bytes of data that all files may hold together, counted in pages of 4 KiB; ENOSPC beyond.
    pub max_bytes: u64,
    /// Files and directories; ENOSPC beyond.
    pub max_inodes: u64,
    pub mode: Mode,
    pub uid: Uid,
    pub gid: Gid,
}

impl Default for MemOptions {
    /// Half of the machine's memory and an inode for each page of it, as tmpfs(5) has it; a root that belongs to the user
    /// of this process, mode 0755.
    fn default() -> MemOptions {
        let info = rustix::system::sysinfo();
        let ram = (info.totalram as u64).saturating_mul(u64::from(info.mem_unit));
        let me = Caller::me();
        MemOptions {
            max_bytes: ram / 2,
            max_inodes: ram / 2 / space::PAGE,
            mode: Mode::new(0o755),
            uid: me.uid,
            gid: me.gid,
        }
    }
}

/// A file system in memory. Clones are the same tree; it goes when the last of them, of its nodes and of its open files
/// goes.
#[derive(Clone)]
pub struct MemTree {
    root: Arc<Inode>,
}

/// What the inodes of one tree share.
struct Tree {
    space: Space,
    names: hashbrown::DefaultHashBuilder,
    /// Held while an entry moves from one directory to another: as long as it is, no directory gets another parent.
    moving: Mutex<()>,
    /// By inode number.
    locks: LockTable,
    watchers: Watchers,
}

impl MemTree {
    /// An empty tree with the default limits.
    pub fn new() -> MemTree {
        MemTree::with(MemOptions::default())
    }

    pub fn with(options: MemOptions) -> MemTree {
        let tree = Arc::new(Tree {
            space: Space::new(options.max_bytes, options.max_inodes),
            names: hashbrown::DefaultHashBuilder::default(),
            moving: Mutex::new(()),
            locks: LockTable::new(),
            watchers: Watchers::default(),
        });
        MemTree { root: Inode::root(tree, options.mode, options.uid, options.gid) }
    }

    pub fn root(&self) -> NodeRef {
        self.root.clone()
    }

    /// Bytes of data that are in use.
    pub fn used_bytes(&self) -> u64 {
        self.root.tree().space.used_bytes()
    }

    /// Inodes that exist: those with a name, and those that are only open.
    pub fn used_inodes(&self) -> u64 {
        self.root.tree().space.used_inodes()
    }
}

impl Default for MemTree {
    fn default() -> MemTree {
        MemTree::new()
    }
}
