//! Pipes: fifos of a memory tree of their own, without a name.

use super::Description;
use std::sync::{Arc, OnceLock};
use vfs::mem::MemTree;
use vfs::{Caller, Device, Errno, Error, Gid, Kind, Mode, Name, NodeRef, OpenFlags, Result, Uid};

/// The tree that all pipes of the process are of.
static PIPES: OnceLock<NodeRef> = OnceLock::new();

/// A pipe's two ends: the one to read and the one to write.
pub(crate) fn pipe() -> Result<(Arc<Description>, Arc<Description>)> {
    let tree = PIPES.get_or_init(|| MemTree::new().root());
    let me = Caller::new(Uid(0), Gid(0));
    // A memory tree answers at once.
    let now = || Error::from(Errno::EAGAIN);
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed).to_string();
    let name = Name::new(number.as_bytes())?;
    let node =
        tree.mknod(&me, name, Kind::Fifo, Mode::new(0o600), Device::default()).now().ok_or_else(now)??;
    // With its name gone, it goes with the last that has it open.
    tree.unlink(&me, name).now().ok_or_else(now)??;
    let open = |flags| node.clone().open(&me, flags | OpenFlags::NONBLOCK).now().ok_or_else(now)?;
    let reader = open(OpenFlags::READ)?;
    let writer = open(OpenFlags::WRITE)?;
    Ok((Description::new(reader, true, false, false), Description::new(writer, false, true, false)))
}
