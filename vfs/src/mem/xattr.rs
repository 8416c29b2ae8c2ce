//! Extended attributes (xattr(7)).
//!
//! The spaces user, trusted and security hold whatever they are given; `system.` is for access control lists, which are kept
//! apart (`acl.rs`) and only listed here. `user.` is for files, directories and, as in Linux 7, sockets.

use super::clock::now;
use super::inode::Inode;
use super::space::Space;
use super::state::State;
use crate::*;
use std::collections::BTreeMap;
use std::sync::Arc;

/// XATTR_NAME_MAX and XATTR_SIZE_MAX.
const MAX_NAME: usize = 255;
const MAX_VALUE: usize = 64 << 10;

/// What a program may do beyond its user (capabilities(7)).
pub(crate) const CAPABILITY: &[u8] = b"security.capability";

/// A file's attributes; most have none, and pay a word for them.
#[derive(Clone, Default)]
pub(crate) struct Xattrs(Option<Box<Map>>);

type Map = BTreeMap<Box<[u8]>, Arc<[u8]>>;

impl Xattrs {
    /// Removes the attribute `name`; the bytes of the tree's space that it held.
    pub(crate) fn take(&mut self, name: &[u8]) -> u64 {
        let Some(map) = &mut self.0 else { return 0 };
        map.remove(name).map_or(0, |value| cost(name, &value))
    }

    /// Bytes of the tree's space that they hold.
    pub(crate) fn held(&self) -> u64 {
        self.0.as_ref().map_or(0, |map| map.iter().map(|(name, value)| cost(name, value)).sum())
    }
}

fn cost(name: &[u8], value: &[u8]) -> u64 {
    (name.len() + value.len()) as u64
}

/// Fails where a file of this kind can have no attribute of this name.
fn check_name(kind: Kind, name: &[u8]) -> Result<()> {
    if name.is_empty() || name.len() > MAX_NAME {
        return Errno::ERANGE.into();
    }
    let spaces: [&[u8]; 3] = [b"user.", b"trusted.", b"security."];
    let Some(rest) = spaces.iter().find_map(|space| name.strip_prefix(*space)) else {
        return Errno::EOPNOTSUPP.into();
    };
    if rest.is_empty() {
        return Errno::EINVAL.into();
    }
    if name.starts_with(b"user.") && !matches!(kind, Kind::File | Kind::Dir | Kind::Socket) {
        return Errno::EPERM.into();
    }
    Ok(())
}

impl<B> State<B> {
    pub(crate) fn xattr(&self, kind: Kind, name: &[u8]) -> Result<Arc<[u8]>> {
        match check_name(kind, name) {
            // Nothing can be there (xattr_permission() of the kernel).
            Err(error) if error.is(Errno::EPERM) => return Errno::ENODATA.into(),
            other => other?,
        }
        let value = self.xattrs.0.as_ref().and_then(|map| map.get(name)).cloned();
        value.ok_or_else(|| Errno::ENODATA.into())
    }

    pub(crate) fn set_xattr(
        &mut self,
        space: &Space,
        kind: Kind,
        name: &[u8],
        value: &[u8],
        how: SetXattr,
    ) -> Result<()> {
        check_name(kind, name)?;
        if value.len() > MAX_VALUE {
            return Errno::E2BIG.into();
        }
        let map = self.xattrs.0.get_or_insert_default();
        let old = map.get(name).map(|old| cost(name, old));
        if old.is_some() && how.contains(SetXattr::CREATE) {
            return Errno::EEXIST.into();
        }
        if old.is_none() && how.contains(SetXattr::REPLACE) {
            return Errno::ENODATA.into();
        }
        space.take_bytes(cost(name, value))?;
        map.insert(name.into(), value.into());
        space.give_bytes(old.unwrap_or(0));
        self.ctime = now();
        Ok(())
    }

    pub(crate) fn list_xattrs(&self) -> Vec<Box<[u8]>> {
        let names = self.xattrs.0.iter().flat_map(|map| map.keys().cloned());
        self.acls.names().chain(names).collect()
    }

    pub(crate) fn remove_xattr(&mut self, space: &Space, kind: Kind, name: &[u8]) -> Result<()> {
        check_name(kind, name)?;
        let removed = self.xattrs.0.as_mut().and_then(|map| map.remove(name));
        let removed = removed.ok_or(Errno::ENODATA)?;
        space.give_bytes(cost(name, &removed));
        self.ctime = now();
        Ok(())
    }
}

impl Inode {
    pub(super) fn xattr(&self, name: &[u8]) -> Result<Arc<[u8]>> {
        self.state.read().xattr(self.kind(), name)
    }

    pub(super) fn set_xattr(&self, name: &[u8], value: &[u8], how: SetXattr) -> Result<()> {
        self.state.write().set_xattr(&self.tree().space, self.kind(), name, value, how)?;
        self.tell(Change::Status);
        Ok(())
    }

    pub(super) fn list_xattrs(&self) -> Vec<Box<[u8]>> {
        self.state.read().list_xattrs()
    }

    pub(super) fn remove_xattr(&self, name: &[u8]) -> Result<()> {
        self.state.write().remove_xattr(&self.tree().space, self.kind(), name)?;
        self.tell(Change::Status);
        Ok(())
    }
}
