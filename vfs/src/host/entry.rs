//! An entry of a directory in one go: its stat, or the file opened, with as few system calls as that takes.
//!
//! A walk takes an O_PATH descriptor, which a 9P fid or a FUSE inode needs because it may outlive the name. Who only
//! looks, or opens at once, does not. What holds for a walk holds here: one name beneath one open directory, no link
//! followed, and nothing but regular files and directories is ever opened.

use super::dir::HostDir;
use super::file::HostFile;
use super::node::{HostNode, how};
use super::seen::Seen;
use crate::*;
use rustix::fd::OwnedFd;
use rustix::fs::{Mode as FsMode, OFlags};
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
        if let Some((mark, fd)) = self.tree.recent.get(self.id(), name)
            && let Ok(seen) = Seen::entry(&dir, name.as_bytes())
            && seen.kind().is_dir()
            && seen.is_marked(&mark)
        {
            return Ok(self.tree.node(self, name, &seen, Some(fd)));
        }
        let fd = Arc::new(self.tree.with_room(|| self.tree.confinement.step(&dir, name))?);
        let seen = Seen::of(&fd)?;
        if seen.kind().is_dir() {
            self.tree.recent.keep(self.id(), name, &seen, &fd);
        }
        Ok(self.tree.node(self, name, &seen, Some(fd)))
    }

    /// The stat of the entry `name`. None where a walk has more to say.
    pub(super) fn entry_stat(&self, name: Name<'_>) -> Option<Result<Stat>> {
        let seen = self.fd().and_then(|dir| Seen::entry(&dir, name.as_bytes()));
        match seen {
            // A mount point that must not be crossed.
            Ok(seen) if self.tree.options.stay_on_device && seen.id().dev != self.device() => None,
            Ok(seen) => {
                let path = self.tree.path(seen.id());
                Some(Ok(seen.stat(path)))
            }
            Err(error) => Some(Err(error)),
        }
    }

    /// Opens the entry `name`. None where that takes a walk first, or is refused: a walk tells why.
    pub(super) fn open_entry(
        &self,
        who: &Caller,
        name: Name<'_>,
        flags: OpenFlags,
    ) -> Option<Result<(NodeRef, FileRef)>> {
        let writes = flags.intersects(OpenFlags::WRITE | OpenFlags::TRUNCATE);
        if !QUICK.contains(flags) || (writes && self.tree.options.read_only) {
            return None;
        }
        let shared = SHARED.contains(flags);
        let kept = if shared { self.tree.recent.get(self.id(), name) } else { None };
        let dir = self.fd().ok()?;
        let seen = match Seen::entry(&dir, name.as_bytes()) {
            Err(error) if error.is(Errno::ENOENT) => return Some(Err(error)),
            seen => seen.ok()?,
        };
        if let Some((mark, fd)) = kept
            && seen.kind() == Kind::File
            && seen.is_marked(&mark)
        {
            return Some(Ok(self.opened(who, name, flags, &seen, fd)));
        }
        let fd = match seen.kind() {
            Kind::File => self.open_seen(&dir, name, how(flags), &seen)?,
            Kind::Dir if !writes => self.open_seen(&dir, name, OFlags::DIRECTORY, &seen)?,
            _ => return None,
        };
        if seen.kind().is_dir() {
            let node = self.tree.node(self, name, &seen, None);
            return Some(Ok((node.clone(), Arc::new(HostDir::new(node, fd)))));
        }
        let fd = Arc::new(fd);
        if shared {
            self.tree.recent.keep(self.id(), name, &seen, &fd);
        }
        Some(Ok(self.opened(who, name, flags, &seen, fd)))
    }

    /// Opens what was just seen as `name`, if it is that still.
    fn open_seen(&self, dir: &OwnedFd, name: Name<'_>, flags: OFlags, seen: &Seen) -> Option<OwnedFd> {
        let open = || self.tree.confinement.open(dir, name, flags, FsMode::empty());
        let fd = self.tree.with_room(open).ok()?;
        let same = Seen::of(&fd).is_ok_and(|opened| opened.id() == seen.id() && opened.kind() == seen.kind());
        same.then_some(fd)
    }

    fn opened(
        &self,
        who: &Caller,
        name: Name<'_>,
        flags: OpenFlags,
        seen: &Seen,
        fd: Arc<OwnedFd>,
    ) -> (NodeRef, FileRef) {
        let node = self.tree.node(self, name, seen, None);
        if flags.contains(OpenFlags::TRUNCATE) {
            node.changed();
        }
        node.opened_as(&fd);
        (node.clone(), Arc::new(HostFile::new(node, fd, who, flags)))
    }
}
