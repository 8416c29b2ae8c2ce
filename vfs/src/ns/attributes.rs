//! Extended attributes at a place, and the access control lists that are some of them: who may see and change which
//! (xattr(7), acl(5)).

use crate::*;
use std::sync::Arc;

/// Spaces of attributes that are the superuser's to change; only he sees what is trusted.
const TRUSTED: &[u8] = b"trusted.";
const SECURITY: &[u8] = b"security.";
const SYSTEM: &[u8] = b"system.";
/// What `ls -l` asks of every file, unless it hears that there is nothing of the kind: through Linux's 9P client that is half of
/// its messages.
const LABEL: &[u8] = b"security.selinux";

impl Place {
    pub fn getxattr<'a>(&'a self, who: &'a Caller, name: &'a [u8]) -> Op<'a, Arc<[u8]>> {
        let guarded = |want| self.guarded(who, None, want);
        if let Some(kind) = AclKind::of(name) {
            // A list is seen by who sees the mode bits.
            return match guarded(Access::empty()) {
                Ok(()) => self.node().acl(kind).and_then(|acl| match acl {
                    Some(acl) => Op::ok(acl.encode().into()),
                    None => Op::err(Errno::ENODATA),
                }),
                Err(error) => Op::err(error),
            };
        }
        match guarded(Access::READ) {
            Ok(()) if name.starts_with(TRUSTED) && !who.is_root() => Op::err(Errno::ENODATA),
            Ok(()) if name == LABEL => self
                .node()
                .getxattr(name)
                .map_err(|error| if error.is(Errno::ENODATA) { Errno::EOPNOTSUPP.into() } else { error }),
            // What is no user's own is not bound by the mode bits.
            Ok(()) if name.starts_with(SECURITY) || name.starts_with(SYSTEM) => self.node().getxattr(name),
            Ok(()) => self.permitted(who, Access::READ, move || self.node().getxattr(name)),
            Err(error) => Op::err(error),
        }
    }

    pub fn listxattr<'a>(&'a self, who: &'a Caller) -> Op<'a, Vec<Box<[u8]>>> {
        match self.guarded(who, None, Access::empty()) {
            Ok(()) => self.node().listxattr().map(|mut names| {
                names.retain(|name| who.is_root() || !name.starts_with(TRUSTED));
                names
            }),
            Err(error) => Op::err(error),
        }
    }

    pub fn setxattr<'a>(
        &'a self,
        who: &'a Caller,
        name: &'a [u8],
        value: &'a [u8],
        how: SetXattr,
    ) -> Op<'a, ()> {
        if let Some(kind) = AclKind::of(name) {
            return match Acl::parse(value) {
                Ok(acl) => self.set_acl(who, kind, acl),
                Err(error) => Op::err(error),
            };
        }
        self.may_change(who, name, move || self.node().setxattr(name, value, how))
    }

    pub fn removexattr<'a>(&'a self, who: &'a Caller, name: &'a [u8]) -> Op<'a, ()> {
        match AclKind::of(name) {
            Some(kind) => self.set_acl(who, kind, None),
            None => self.may_change(who, name, move || self.node().removexattr(name)),
        }
    }

    /// Goes on with `then` where `who` may change the attribute `name`.
    fn may_change<'a>(
        &'a self,
        who: &'a Caller,
        name: &[u8],
        then: impl FnOnce() -> Op<'a, ()> + Send + 'a,
    ) -> Op<'a, ()> {
        if let Err(error) = self.guarded(who, None, Access::WRITE) {
            return Op::err(error);
        }
        match name.starts_with(TRUSTED) || name.starts_with(SECURITY) {
            true if who.is_root() => then(),
            true => Op::err(Errno::EPERM),
            false => self.permitted(who, Access::WRITE, then),
        }
    }

    /// Who may change the mode bits may change the list.
    fn set_acl<'a>(&'a self, who: &'a Caller, kind: AclKind, acl: Option<Acl>) -> Op<'a, ()> {
        if let Err(error) = self.guarded(who, None, Access::WRITE) {
            return Op::err(error);
        }
        match self.kind() {
            Kind::Symlink => return Op::err(Errno::EOPNOTSUPP),
            // It has none, and gets none.
            file if kind == AclKind::Default && !file.is_dir() => {
                return if acl.is_some() { Op::err(Errno::EACCES) } else { Op::ok(()) };
            }
            _ => {}
        }
        if who.checked || who.is_root() {
            return self.node().set_acl(who, kind, acl);
        }
        self.node().stat().and_then(move |stat| match who.uid == stat.uid {
            true => self.node().set_acl(who, kind, acl),
            false => Op::err(Errno::EPERM),
        })
    }
}
