//! Making files, directories, links and devices: in the caller's name, with the mode that was asked for.
//!
//! The kernel takes the process's umask off every mode. It is the server's and says nothing about the caller's files, so
//! what is made gets what the caller's own leaves of the mode, except where the directory has a default access control list,
//! which rules instead of any umask (acl(5)), and which the kernel has gone by.

use super::file::HostFile;
use super::node::{HostNode, how};
use super::nodeless::NodelessFile;
use super::seen::Seen;
use super::tree::By;
use crate::*;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{FileType, Mode as FsMode, OFlags};
use rustix::io::Errno as E;
use std::sync::Arc;

/// How often a name may change between being there and not being there before create gives up.
const TRIES: usize = 64;

impl HostNode {
    pub(super) fn make_file(
        &self,
        who: &Caller,
        name: Name<'_>,
        mode: Mode,
        flags: OpenFlags,
    ) -> Result<(NodeRef, FileRef)> {
        for _ in 0..TRIES {
            match self.make_new_file(who, name, mode, flags) {
                Err(error) if error.is(Errno::EEXIST) && !flags.contains(OpenFlags::EXCLUSIVE) => {}
                made => return made,
            }
            // There is something by that name. It is opened as a node is, which tells files from fifos and devices.
            match self.entry(name) {
                Ok(node) => {
                    let file = (node.clone() as NodeRef).open(who, flags).or_again()?;
                    return Ok((node, file));
                }
                Err(error) if error.is(Errno::ENOENT) => {}
                Err(error) => return Err(error),
            }
        }
        Errno::EBUSY.into()
    }

    fn make_new_file(
        &self,
        who: &Caller,
        name: Name<'_>,
        mode: Mode,
        flags: OpenFlags,
    ) -> Result<(NodeRef, FileRef)> {
        let dir = self.fd()?;
        let fd = self.make_fd(who, &dir, name, mode, flags)?;
        let mut seen = Seen::of(&fd)?;
        if self.repair(who, &dir, mode, &fd, &seen)? {
            seen = Seen::of(&fd)?;
        }
        let fd = Arc::new(fd.into());
        let node = self.tree.node(self, name, &seen, By::Open(&fd));
        let file = Arc::new(HostFile::new(node.clone(), fd, who, flags));
        Ok((node, file))
    }

    /// The same without its node.
    pub(super) fn make_nodeless(
        &self,
        who: &Caller,
        name: Name<'_>,
        mode: Mode,
        flags: OpenFlags,
    ) -> Result<FileRef> {
        if mode.is_set_id() {
            return self.make_new_file(who, name, mode, flags).map(|(_, file)| file);
        }
        let nodes = self.tree.nodes();
        let dir = self.fd()?;
        let fd = self.make_fd(who, &dir, name, mode, flags)?;
        if self.may_be_wrong(who, mode) {
            self.repair(who, &dir, mode, &fd, &Seen::of(&fd)?)?;
        }
        let fd = Arc::new(fd.into());
        Ok(Arc::new(NodelessFile::new(self.me(), name, fd, who, flags, self.device(), nodes)))
    }

    fn make_fd(
        &self,
        who: &Caller,
        dir: &OwnedFd,
        name: Name<'_>,
        mode: Mode,
        flags: OpenFlags,
    ) -> Result<OwnedFd> {
        self.tree.writable()?;
        let oflags = (how(flags) | OFlags::CREATE | OFlags::EXCL).difference(OFlags::TRUNC);
        let fs_mode = FsMode::from_raw_mode(self.asked(who, dir, mode).bits());
        let open = || self.tree.confinement.open(dir, name, oflags, fs_mode);
        self.tree.own.make_as(who, || Ok(self.tree.with_room(open)?))
    }

    /// Gives the new file `fd` the mode that it should have; whether it had another.
    fn repair(&self, who: &Caller, dir: &OwnedFd, asked: Mode, fd: &OwnedFd, seen: &Seen) -> Result<bool> {
        let Some(mode) = self.wrong(who, dir, asked, seen) else { return Ok(false) };
        rustix::fs::fchmod(fd, FsMode::from_raw_mode(mode.bits()))?;
        Ok(true)
    }

    pub(super) fn make_dir(&self, who: &Caller, name: Name<'_>, mode: Mode) -> Result<NodeRef> {
        self.tree.writable()?;
        let dir = self.fd()?;
        let fs_mode = FsMode::from_raw_mode(self.asked(who, &dir, mode).bits() & 0o1777);
        self.tree.own.make_as(who, || Ok(rustix::fs::mkdirat(&dir, name.as_bytes(), fs_mode)?))?;
        self.made(who, &dir, name, Kind::Dir, Some(mode))
    }

    pub(super) fn make_symlink(&self, who: &Caller, name: Name<'_>, target: &[u8]) -> Result<NodeRef> {
        self.tree.writable()?;
        let dir = self.fd()?;
        self.tree.own.make_as(who, || Ok(rustix::fs::symlinkat(target, &dir, name.as_bytes())?))?;
        self.made(who, &dir, name, Kind::Symlink, None)
    }

    pub(super) fn make_node(
        &self,
        who: &Caller,
        name: Name<'_>,
        kind: Kind,
        mode: Mode,
        device: Device,
    ) -> Result<NodeRef> {
        self.tree.writable()?;
        let (file_type, dev) = match kind {
            Kind::File => (FileType::RegularFile, 0),
            Kind::Fifo => (FileType::Fifo, 0),
            Kind::Socket => (FileType::Socket, 0),
            Kind::CharDevice | Kind::BlockDevice if !who.is_root() => return Errno::EPERM.into(),
            Kind::CharDevice => (FileType::CharacterDevice, rustix::fs::makedev(device.major, device.minor)),
            Kind::BlockDevice => (FileType::BlockDevice, rustix::fs::makedev(device.major, device.minor)),
            Kind::Dir | Kind::Symlink => return Errno::EINVAL.into(),
        };
        let dir = self.fd()?;
        let fs_mode = FsMode::from_raw_mode(self.asked(who, &dir, mode).bits());
        let make = || Ok(rustix::fs::mknodat(&dir, name.as_bytes(), file_type, fs_mode, dev)?);
        self.tree.own.make_as(who, make)?;
        self.made(who, &dir, name, kind, Some(mode))
    }

    /// The node of what was made a moment ago as `name`. By now the name may mean something else: then that is the node, as
    /// it would be for a caller who looks a moment later, but only what can be the new file gets its mode set.
    fn made(
        &self,
        who: &Caller,
        dir: &OwnedFd,
        name: Name<'_>,
        kind: Kind,
        mode: Option<Mode>,
    ) -> Result<NodeRef> {
        let fd = Arc::new(self.tree.with_room(|| self.tree.confinement.step(dir, name))?.into());
        let seen = Seen::of(&fd)?;
        let node = self.tree.node(self, name, &seen, By::Path(fd));
        // The maker owns it, so the mode that is given back is one that he could set himself.
        let makers = !self.tree.own.is_root() || seen.uid() == who.uid;
        if makers
            && seen.kind() == kind
            && let Some(mode) = mode.and_then(|mode| self.wrong(who, dir, mode, &seen))
        {
            node.set(SetStat { mode: Some(mode), ..SetStat::default() })?;
        }
        Ok(node)
    }

    /// What the kernel is asked for, so that nothing ever has more than its maker wants: a umask of his that is stricter than the
    /// process's is taken off before, where no default list rules.
    fn asked(&self, who: &Caller, dir: &OwnedFd, mode: Mode) -> Mode {
        let stricter = mode.bits() & who.umask & !self.tree.umask != 0;
        if stricter && !self.has_default_acl(dir) { Mode::new(mode.bits() & !who.umask) } else { mode }
    }

    /// Whether a new file that was asked for with that mode can have another than it should.
    fn may_be_wrong(&self, who: &Caller, asked: Mode) -> bool {
        asked.bits() & (((self.tree.umask ^ who.umask) & 0o777) | libc::S_ISGID) != 0
    }

    /// The mode that a new file should have, where it has another because of the process's umask or groups.
    fn wrong(&self, who: &Caller, dir: &OwnedFd, asked: Mode, seen: &Seen) -> Option<Mode> {
        let has = seen.mode().bits();
        let either = asked.bits() & (self.tree.umask ^ who.umask) & 0o777;
        // Of the caller's groups the kernel knew but one.
        let member = seen.kind() != Kind::Dir && who.in_group(seen.gid());
        let group_id = if member { asked.bits() & libc::S_ISGID } else { 0 };
        let wanted = (has & !either) | (either & !who.umask) | group_id;
        let ruled = (wanted ^ has) & 0o777 != 0 && self.has_default_acl(dir);
        let wanted = if ruled { has | group_id } else { wanted };
        (wanted != has).then(|| Mode::new(wanted))
    }

    fn has_default_acl(&self, dir: &OwnedFd) -> bool {
        let Some(path) = self.tree.confinement.link_path(dir.as_fd()) else { return false };
        let answer = rustix::fs::getxattr_query(path, c"system.posix_acl_default");
        !matches!(answer, Err(E::NODATA | E::OPNOTSUPP))
    }
}
