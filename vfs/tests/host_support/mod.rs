//! A temporary host directory with a tree over it, and the operations without their ceremony.
#![allow(dead_code)] // Each test file uses a part.

use std::io::Write as _;
use std::path::PathBuf;
use vfs::host::{HostOptions, HostTree};
use vfs::{Caller, DirEntry, FileRef, Mode, Name, NodeRef, Op, OpenFlags, Qid, Result, Stat};

pub const READ: OpenFlags = OpenFlags::READ;
pub const WRITE: OpenFlags = OpenFlags::WRITE;
pub const RW: OpenFlags = READ.union(WRITE);

/// Says that this machine cannot run `what`, and notes it in the list that TASKFS_SKIPPED names.
pub fn cannot_run(what: &str, why: impl std::fmt::Display) {
    eprintln!("not run here: {what}: {why}");
    if let Some(list) = std::env::var_os("TASKFS_SKIPPED") {
        let mut list = std::fs::OpenOptions::new().create(true).append(true).open(list).unwrap();
        writeln!(list, "{what}: {why}").unwrap();
    }
}

pub struct Host {
    pub dir: tempfile::TempDir,
    pub root: NodeRef,
    pub me: Caller,
}

pub fn host() -> Host {
    host_with(HostOptions::default())
}

pub fn host_with(options: HostOptions) -> Host {
    host_of(tempfile::tempdir().unwrap(), options)
}

/// In memory where there is such a place: disks take their time with many directories.
pub fn host_in_memory(options: HostOptions) -> Host {
    let place = PathBuf::from("/dev/shm");
    let place = if place.is_dir() { place } else { std::env::temp_dir() };
    host_of(tempfile::tempdir_in(place).unwrap(), options)
}

fn host_of(dir: tempfile::TempDir, options: HostOptions) -> Host {
    let root = HostTree::open_with(dir.path(), options).unwrap().root();
    Host { dir, root, me: Caller::me() }
}

impl Host {
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
    /// Writes a file from outside the tree.
    pub fn put(&self, name: &str, text: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), text).unwrap();
    }
    /// Reads one from outside.
    pub fn get(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }
    pub fn walk(&self, name: &str) -> Result<NodeRef> {
        walk(&self.root, name)
    }
    pub fn open(&self, name: &str, flags: OpenFlags) -> Result<FileRef> {
        open(&self.walk(name)?, flags)
    }
    pub fn create(&self, name: &str) -> (NodeRef, FileRef) {
        now(self.root.create(&self.me, n(name), Mode::new(0o644), RW | OpenFlags::EXCLUSIVE)).unwrap()
    }
    pub fn mkdir(&self, name: &str) -> NodeRef {
        now(self.root.mkdir(&self.me, n(name), Mode::new(0o755))).unwrap()
    }
}

pub fn n(name: &str) -> Name<'_> {
    Name::new(name.as_bytes()).unwrap()
}

pub fn now<T>(op: Op<'_, T>) -> Result<T> {
    op.now().expect("done at once")
}

pub fn walk(dir: &NodeRef, name: &str) -> Result<NodeRef> {
    now(dir.walk(&Caller::me(), n(name)))
}

pub fn open(node: &NodeRef, flags: OpenFlags) -> Result<FileRef> {
    now(node.clone().open(&Caller::me(), flags))
}

pub fn stat(node: &NodeRef) -> Stat {
    now(node.stat()).unwrap()
}

pub fn read(file: &FileRef) -> Vec<u8> {
    let mut buf = vec![0; 65_536];
    let len = now(file.read(0, &mut buf)).unwrap();
    buf.truncate(len);
    buf
}

pub fn write(file: &FileRef, offset: u64, data: &[u8]) -> Result<usize> {
    now(file.write(offset, data))
}

/// Uses the file `other` until a tree of one or a few handles has closed those of all else.
pub fn use_up_handles(root: &NodeRef) {
    for _ in 0..20 {
        stat(&walk(root, "other").unwrap());
    }
}

/// At most `most` entries from behind `cookie`.
pub fn list(dir: &FileRef, cookie: u64, most: usize) -> Vec<(Vec<u8>, Qid, u64)> {
    let mut entries = Vec::new();
    let mut sink = |entry: DirEntry<'_>| {
        if entries.len() == most {
            return false;
        }
        entries.push((entry.name.as_bytes().to_vec(), entry.qid, entry.cookie));
        true
    };
    now(dir.readdir(cookie, &mut sink)).unwrap();
    entries
}
