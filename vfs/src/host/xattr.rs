//! Extended attributes as the host keeps them (xattr(7)), and access control lists, which the host's kernel checks and keeps in
//! step with the mode bits (acl(5)).
//!
//! `trusted.*` and `security.*` speak to the host's kernel (overlays, capabilities, labels): the place lets none but the
//! superuser change them, and the kernel none but a server that is the superuser. What else there is in `system.*` is the
//! host's own business: not shown, and refused.

use super::handle::Lent;
use super::node::HostNode;
use crate::*;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{OFlags, XattrFlags};
use rustix::io::Errno as E;
use std::sync::Arc;

/// The spaces that are passed on.
const SPACES: [&[u8]; 3] = [b"user.", b"trusted.", b"security."];

/// No value and no list is longer (limits.h: XATTR_SIZE_MAX, XATTR_LIST_MAX).
const MOST: usize = 65_536;

/// The way to a file for the calls of xattr(7), which take no O_PATH descriptor.
enum Way<'a> {
    /// Its magic link; the handle keeps the number from being given to another file.
    Link(String, #[allow(dead_code)] Lent<'a>),
    File(OwnedFd),
}

impl Way<'_> {
    fn get(&self, name: &[u8]) -> rustix::io::Result<Vec<u8>> {
        whole(|buf| match self {
            Way::Link(path, _) => rustix::fs::getxattr(path, name, buf),
            Way::File(fd) => rustix::fs::fgetxattr(fd, name, buf),
        })
    }
    fn set(&self, name: &[u8], value: &[u8], flags: XattrFlags) -> rustix::io::Result<()> {
        match self {
            Way::Link(path, _) => rustix::fs::setxattr(path, name, value, flags),
            Way::File(fd) => rustix::fs::fsetxattr(fd, name, value, flags),
        }
    }
    fn list(&self) -> rustix::io::Result<Vec<u8>> {
        whole(|buf| match self {
            Way::Link(path, _) => rustix::fs::listxattr(path, buf),
            Way::File(fd) => rustix::fs::flistxattr(fd, buf),
        })
    }
    fn remove(&self, name: &[u8]) -> rustix::io::Result<()> {
        match self {
            Way::Link(path, _) => rustix::fs::removexattr(path, name),
            Way::File(fd) => rustix::fs::fremovexattr(fd, name),
        }
    }
}

impl HostNode {
    fn way(&self) -> Result<Way<'_>> {
        let fd = self.fd()?;
        match self.tree.confinement.link_path(fd.as_fd()) {
            Some(path) => Ok(Way::Link(path, fd)),
            None => Ok(Way::File(self.open_as(OFlags::RDONLY)?)),
        }
    }

    pub(super) fn attribute(&self, name: &[u8]) -> Result<Arc<[u8]>> {
        passed_on(name)?;
        Ok(self.way()?.get(name)?.into())
    }

    pub(super) fn set_attribute(&self, name: &[u8], value: &[u8], how: SetXattr) -> Result<()> {
        self.tree.writable()?;
        passed_on(name)?;
        let mut flags = XattrFlags::empty();
        flags.set(XattrFlags::CREATE, how.contains(SetXattr::CREATE));
        flags.set(XattrFlags::REPLACE, how.contains(SetXattr::REPLACE));
        Ok(self.way()?.set(name, value, flags)?)
    }

    pub(super) fn attributes(&self) -> Result<Vec<Box<[u8]>>> {
        match self.way()?.list() {
            Ok(list) => {
                let names = list.split(|b| *b == 0);
                let shown = names.filter(|name| is_passed_on(name) || AclKind::of(name).is_some());
                Ok(shown.map(Box::from).collect())
            }
            // A file system without attributes has none to list.
            Err(E::OPNOTSUPP) => Ok(Vec::new()),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) fn remove_attribute(&self, name: &[u8]) -> Result<()> {
        self.tree.writable()?;
        passed_on(name)?;
        Ok(self.way()?.remove(name)?)
    }

    pub(super) fn list(&self, kind: AclKind) -> Result<Option<Arc<Acl>>> {
        match self.way()?.get(kind.attribute().as_bytes()) {
            Ok(value) => Ok(Acl::parse(&value)?.map(Arc::new)),
            // A file system without lists has none.
            Err(E::NODATA | E::OPNOTSUPP) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) fn set_list(&self, who: &Caller, kind: AclKind, acl: Option<Acl>) -> Result<()> {
        self.tree.writable()?;
        let name = kind.attribute().as_bytes();
        match &acl {
            Some(acl) => self.way()?.set(name, &acl.encode(), XattrFlags::empty())?,
            None => match self.way()?.remove(name) {
                Ok(()) | Err(E::NODATA) => {}
                Err(error) => return Err(error.into()),
            },
        }
        let seen = self.seen()?;
        // The kernel has done it as for the server's own user.
        let mode = seen.mode().bits();
        let foreign = self.tree.own.is_root() && !who.is_root() && !who.in_group(seen.gid());
        if foreign && acl.is_some() && kind == AclKind::Access && mode & libc::S_ISGID != 0 {
            self.set_mode(&*self.fd()?, Mode::new(mode & !libc::S_ISGID))?;
        }
        Ok(())
    }
}

fn is_passed_on(name: &[u8]) -> bool {
    SPACES.iter().any(|space| name.starts_with(space))
}

fn passed_on(name: &[u8]) -> Result<()> {
    if is_passed_on(name) {
        return Ok(());
    }
    let name = name.escape_ascii();
    Err(Error::new(
        Errno::EOPNOTSUPP,
        format!("attribute {name}: of a space that files of the host do not have here"),
    ))
}

/// The whole value, which mostly is short.
fn whole(get: impl Fn(&mut [u8]) -> rustix::io::Result<usize>) -> rustix::io::Result<Vec<u8>> {
    for size in [256, MOST] {
        let mut buf = vec![0; size];
        match get(&mut buf) {
            Err(E::RANGE) if size < MOST => {}
            len => {
                buf.truncate(len?);
                return Ok(buf);
            }
        }
    }
    Err(E::RANGE)
}
