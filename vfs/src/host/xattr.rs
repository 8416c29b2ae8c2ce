//! Extended attributes: those of users, as the host keeps them (xattr(7)).
//!
//! `security.*`, `system.*` and `trusted.*` speak to the host's kernel (capabilities, ACLs, overlays): a server that is root
//! would set them for anyone who may write to the file. They are not shown, and setting them is refused.

use super::node::HostNode;
use crate::*;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{OFlags, XattrFlags};
use rustix::io::Errno as E;
use std::sync::Arc;

const USERS: &[u8] = b"user.";

/// No value and no list is longer (limits.h: XATTR_SIZE_MAX, XATTR_LIST_MAX).
const MOST: usize = 65_536;

/// The way to a file for the calls of xattr(7), which take no O_PATH descriptor.
enum Way {
    /// Its magic link; the handle keeps the number from being given to another file.
    Link(String, #[allow(dead_code)] Arc<OwnedFd>),
    File(OwnedFd),
}

impl HostNode {
    fn way(&self) -> Result<Way> {
        let fd = self.fd()?;
        match self.tree.confinement.link_path(fd.as_fd()) {
            Some(path) => Ok(Way::Link(path, fd)),
            None => Ok(Way::File(self.open_as(OFlags::RDONLY)?)),
        }
    }

    pub(super) fn attribute(&self, name: &[u8]) -> Result<Arc<[u8]>> {
        if !name.starts_with(USERS) {
            return Errno::ENODATA.into();
        }
        let way = self.way()?;
        let get = |buf: &mut [u8]| match &way {
            Way::Link(path, _) => rustix::fs::getxattr(path, name, buf),
            Way::File(fd) => rustix::fs::fgetxattr(fd, name, buf),
        };
        Ok(whole(get)?.into())
    }

    pub(super) fn set_attribute(&self, name: &[u8], value: &[u8], how: SetXattr) -> Result<()> {
        self.tree.writable()?;
        users_only(name)?;
        let mut flags = XattrFlags::empty();
        flags.set(XattrFlags::CREATE, how.contains(SetXattr::CREATE));
        flags.set(XattrFlags::REPLACE, how.contains(SetXattr::REPLACE));
        Ok(match self.way()? {
            Way::Link(path, _) => rustix::fs::setxattr(path, name, value, flags),
            Way::File(fd) => rustix::fs::fsetxattr(fd, name, value, flags),
        }?)
    }

    pub(super) fn attributes(&self) -> Result<Vec<Box<[u8]>>> {
        let way = self.way()?;
        let list = whole(|buf| match &way {
            Way::Link(path, _) => rustix::fs::listxattr(path, buf),
            Way::File(fd) => rustix::fs::flistxattr(fd, buf),
        });
        match list {
            Ok(list) => Ok(list.split(|b| *b == 0).filter(|n| n.starts_with(USERS)).map(Box::from).collect()),
            // A file system without attributes has none to list.
            Err(E::OPNOTSUPP) => Ok(Vec::new()),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) fn remove_attribute(&self, name: &[u8]) -> Result<()> {
        self.tree.writable()?;
        if !name.starts_with(USERS) {
            return Errno::ENODATA.into();
        }
        Ok(match self.way()? {
            Way::Link(path, _) => rustix::fs::removexattr(path, name),
            Way::File(fd) => rustix::fs::fremovexattr(fd, name),
        }?)
    }
}

fn users_only(name: &[u8]) -> Result<()> {
    if name.starts_with(USERS) {
        return Ok(());
    }
    let name = name.escape_ascii();
    Err(Error::new(
        Errno::EOPNOTSUPP,
        format!("attribute {name}: only user.* can be set on a file of the host"),
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
