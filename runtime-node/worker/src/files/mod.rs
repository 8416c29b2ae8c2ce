//! The task's namespace as the engine's file system: every operation a future over [`crate::link`], written once.
//!
//! [`Tree`] has the operations in POSIX's words; [`system`] and [`sys`] put Deno's two file-system traits over it,
//! [`open_file`] an open file. A walk and what follows it are one round trip; only a symbolic link, which 9P leaves to
//! the client, or a file longer than a read costs more.

mod attr;
mod change;
mod list;
mod open;
mod open_file;
mod ours;
mod sys;
mod system;
mod walk;

pub use attr::Meta;
pub use open::Opening;
pub use open_file::OpenFile;
pub use walk::Follow;

use crate::link::Link;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, RwLock};

/// The namespace, with what a process keeps beside it: its working directory and its umask. Clones share all.
#[derive(Clone)]
pub struct Tree(Arc<Shared>);

struct Shared {
    link: Arc<Link>,
    cwd: RwLock<PathBuf>,
    umask: AtomicU32,
    tmp: PathBuf,
    /// How often this process has changed a name.
    changes: AtomicU64,
}

impl std::fmt::Debug for Tree {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tree").field("cwd", &self.cwd()).finish_non_exhaustive()
    }
}

impl Tree {
    pub fn new(link: Arc<Link>) -> Tree {
        Tree(Arc::new(Shared {
            link,
            cwd: RwLock::new("/".into()),
            umask: AtomicU32::new(0o022),
            tmp: "/tmp".into(),
            changes: AtomicU64::new(0),
        }))
    }

    pub fn link(&self) -> &Arc<Link> {
        &self.0.link
    }

    pub fn cwd(&self) -> PathBuf {
        self.0.cwd.read().expect("no holder of the lock panics").clone()
    }

    /// Moves without looking: for a directory that is known.
    pub fn set_cwd(&self, to: PathBuf) {
        *self.0.cwd.write().expect("no holder of the lock panics") = to;
    }

    /// A number that is another one after this process has made, moved or removed a name.
    pub fn changes(&self) -> u64 {
        self.0.changes.load(Ordering::Relaxed)
    }

    fn changed(&self) {
        self.0.changes.fetch_add(1, Ordering::Relaxed);
    }

    fn tmp_dir(&self) -> &Path {
        &self.0.tmp
    }

    /// The umask, and what it becomes.
    pub fn umask(&self, new: Option<u32>) -> u32 {
        match new {
            Some(mask) => self.0.umask.swap(mask & 0o777, Ordering::Relaxed),
            None => self.0.umask.load(Ordering::Relaxed),
        }
    }

    fn masked(&self, mode: u32) -> nine::wire::Mode {
        nine::wire::Mode(mode & 0o7777 & !self.umask(None))
    }
}
