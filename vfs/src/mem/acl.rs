//! Access control lists (acl(5)): beside the mode bits, which go with them.

use super::clock::now;
use super::inode::Inode;
use super::space::Space;
use super::state::State;
use crate::*;
use std::sync::Arc;

/// A file's lists; most have none, and pay a word for them.
#[derive(Clone, Default)]
pub(crate) struct Acls(Option<Box<Lists>>);

#[derive(Clone, Default)]
struct Lists {
    access: Option<Arc<Acl>>,
    default: Option<Arc<Acl>>,
}

impl Acls {
    pub(crate) fn get(&self, kind: AclKind) -> Option<&Arc<Acl>> {
        let lists = self.0.as_deref()?;
        match kind {
            AclKind::Access => lists.access.as_ref(),
            AclKind::Default => lists.default.as_ref(),
        }
    }

    fn set(&mut self, kind: AclKind, acl: Option<Arc<Acl>>) {
        if acl.is_none() && self.0.is_none() {
            return;
        }
        let lists = self.0.get_or_insert_default();
        match kind {
            AclKind::Access => lists.access = acl,
            AclKind::Default => lists.default = acl,
        }
        if lists.access.is_none() && lists.default.is_none() {
            self.0 = None;
        }
    }

    /// Bytes of the tree's space that they hold.
    pub(crate) fn held(&self) -> u64 {
        [AclKind::Access, AclKind::Default].iter().map(|kind| size(self.get(*kind))).sum()
    }

    /// The names of those that there are, as attributes.
    pub(crate) fn names(&self) -> impl Iterator<Item = Box<[u8]>> {
        let there = [AclKind::Access, AclKind::Default].into_iter().filter(|kind| self.get(*kind).is_some());
        there.map(|kind| kind.attribute().as_bytes().into())
    }

    /// What something new in a directory with these lists begins with: its permission bits, of those in `mode`, and its lists.
    pub(crate) fn inherited(&self, mode: u32, umask: u32, is_dir: bool) -> (u32, Acls) {
        let Some(default) = self.get(AclKind::Default) else { return (mode & !umask, Acls(None)) };
        let (mode, acl) = default.inherited(mode);
        let mut acls = Acls(None);
        acls.set(AclKind::Access, (!acl.is_mode_only()).then(|| Arc::new(acl)));
        acls.set(AclKind::Default, is_dir.then(|| default.clone()));
        (mode, acls)
    }
}

fn size(acl: Option<&Arc<Acl>>) -> u64 {
    acl.map_or(0, |acl| acl.size() as u64)
}

impl<B> State<B> {
    /// chmod(2).
    pub(crate) fn set_mode(&mut self, mode: u32) {
        self.mode = mode;
        if let Some(acl) = self.acls.get(AclKind::Access).map(|acl| acl.with_mode(mode)) {
            self.acls.set(AclKind::Access, Some(Arc::new(acl)));
        }
    }

    /// Gives a file of the kind `of` another list.
    pub(crate) fn set_list(
        &mut self,
        space: &Space,
        who: &Caller,
        of: Kind,
        kind: AclKind,
        acl: Option<Acl>,
    ) -> Result<()> {
        match of {
            Kind::Symlink => return Errno::EOPNOTSUPP.into(),
            Kind::Dir => {}
            _ if kind == AclKind::Default && acl.is_some() => return Errno::EACCES.into(),
            _ => {}
        }
        let mode = acl.as_ref().filter(|_| kind == AclKind::Access).map(Acl::mode);
        // Nothing is kept that the mode bits say as well.
        let acl = acl.filter(|acl| kind == AclKind::Default || !acl.is_mode_only()).map(Arc::new);
        let before = size(self.acls.get(kind));
        space.take_bytes(size(acl.as_ref()))?;
        space.give_bytes(before);
        self.acls.set(kind, acl);
        if let Some(bits) = mode {
            let group = who.is_root() || who.in_group(self.gid);
            let special = self.mode & if group { 0o7000 } else { 0o7000 & !libc::S_ISGID };
            self.mode = special | bits;
        }
        self.ctime = now();
        Ok(())
    }
}

impl Inode {
    pub(super) fn list(&self, kind: AclKind) -> Option<Arc<Acl>> {
        self.state.read().acls.get(kind).cloned()
    }

    pub(super) fn set_list(&self, who: &Caller, kind: AclKind, acl: Option<Acl>) -> Result<()> {
        let mut state = self.state.write();
        state.set_list(&self.tree().space, who, self.kind(), kind, acl)?;
        self.changed_hands();
        drop(state);
        self.tell(Change::Status);
        Ok(())
    }
}
