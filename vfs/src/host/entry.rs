//! An entry of a directory in one go: its stat, or the file opened, with as few system calls as that takes.
//!
//! A walk takes an O_PATH descriptor, which a 9P fid or a FUSE inode needs because it may outlive the name. Who only
//! looks, or opens at once, does not. What holds for a walk holds here: one name beneath one open directory, no link
//! followed, and nothing but regular files and directories is ever opened.

use super::fd::Fd;
use super::file::HostFile;
use super::node::{HostNode, how};
use super::nodeless::NodelessFile;
use super::seen::{Glimpse, Seen};
use super::tree::By;
use crate::*;
use rustix::io::Errno as E;
use std::sync::Arc;

/// What can be opened in one go; the rest is for those who walk first.
const QUICK: OpenFlags = OpenFlags::READ
    .union(OpenFlags::WRITE)
    .union(OpenFlags::APPEND)
    .union(OpenFlags::TRUNCATE)
    .union(OpenFlags::NONBLOCK)
    .union(OpenFlags::NOFOLLOW);

/// What leaves an open file one that any reader may share: reads are at offsets.
const SHARED: OpenFlags = OpenFlags::READ.union(OpenFlags::NONBLOCK).union(OpenFlags::NOFOLLOW);

impl HostNode {
    /// The entry `name`, as it is now.
    pub(super) fn entry(&self, name: Name<'_>) -> Result<Arc<HostNode>> {
        let dir = self.fd()?;
        if let Some((mark, kept)) = self.tree.recent.get(self.id(), name)
            && mark.is_of_dir()
            && mark.is_on(&*dir, name)
        {
            return Ok(self.tree.node(self, name, kept.seen()?, By::Path(kept.clone())));
        }
        let fd = self.tree.with_room(|| self.tree.confinement.step(&dir, name))?;
        let seen = Seen::of(&fd)?;
        if !seen.kind().is_dir() {
            return Ok(self.tree.node(self, name, &seen, By::Path(Arc::new(fd.into()))));
        }
        let (mark, size) = (seen.mark(), seen.size());
        let fd = Arc::new(Fd::seen_as(fd, seen));
        self.tree.recent.keep(self.id(), name, mark, size, &fd);
        Ok(self.tree.node(self, name, fd.seen()?, By::Path(fd.clone())))
    }

    /// The stat of the entry `name`, but for its birth, which costs a slower call. None where a walk has more to say.
    pub(super) fn entry_stat(&self, name: Name<'_>, stat: &mut Option<Stat>) -> Option<Result<()>> {
        let dir = match self.fd() {
            Ok(dir) => dir,
            Err(error) => return Some(Err(error)),
        };
        Seen::glance(&*dir, name, stat, |id| {
            // A mount point that must not be crossed.
            let beyond = self.tree.options.stay_on_device && id.dev != self.device();
            (!beyond).then(|| self.tree.path(id))
        })
    }

    /// Opens the entry `name`, a regular file. None where that takes a walk first, or is refused: a walk tells why.
    pub(super) fn open_entry(
        &self,
        who: &Caller,
        name: Name<'_>,
        flags: OpenFlags,
    ) -> Option<Result<FileRef>> {
        let writes = flags.intersects(OpenFlags::WRITE | OpenFlags::TRUNCATE);
        if !QUICK.contains(flags) || (writes && self.tree.options.read_only) {
            return None;
        }
        let shared = SHARED.contains(flags);
        let dir = self.fd().ok()?;
        if shared
            && let Some((mark, kept)) = self.tree.recent.get(self.id(), name)
            && !mark.is_of_dir()
            && mark.is_on(&*dir, name)
        {
            return Some(Ok(Arc::new(NodelessFile::again(self.me(), name, kept))));
        }
        // A name may mean another file at any moment: what it is is asked of a descriptor that opens nothing, and that very
        // file is opened then.
        let path = match self.tree.with_room(|| self.tree.confinement.step(&dir, name)) {
            Err(E::NOENT) => return Some(Errno::ENOENT.into()),
            path => Fd::from(path.ok()?),
        };
        let nodes = self.tree.nodes();
        let glimpse = Glimpse::of(&path).ok()??;
        let open = || self.tree.confinement.again(&path, how(flags));
        let fd: Arc<Fd> = Arc::new(self.tree.with_room(open).ok()?.into());
        if shared {
            self.tree.recent.keep(self.id(), name, glimpse.mark, glimpse.size, &fd);
        }
        // A node hears of what is done to its file, and knows of set-id bits that a write is to clear.
        if writes && (glimpse.is_set_id || self.tree.living(glimpse.id).is_some()) {
            let node = self.tree.node(self, name, fd.seen().ok()?, By::Open(&fd));
            if flags.contains(OpenFlags::TRUNCATE) {
                node.changed();
            }
            return Some(Ok(Arc::new(HostFile::new(node, fd, who, flags))));
        }
        Some(Ok(Arc::new(NodelessFile::new(self.me(), name, fd, who, flags, glimpse.id.dev, nodes))))
    }
}
