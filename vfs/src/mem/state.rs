//! What every file has, whatever its kind (inode(7)), and how the calls that change it do so. What is peculiar to a kind
//! of file and to a tree is the body.

use super::acl::Acls;
use super::clock::now;
use super::space::Space;
use super::xattr::{CAPABILITY, Xattrs};
use crate::*;

pub(crate) struct State<B> {
    pub mode: u32,
    pub uid: Uid,
    pub gid: Gid,
    pub nlink: u32,
    pub atime: Time,
    pub mtime: Time,
    pub ctime: Time,
    pub btime: Time,
    pub xattrs: Xattrs,
    pub acls: Acls,
    pub body: B,
}

impl<B> State<B> {
    /// Of something that is made now.
    pub(crate) fn new(mode: u32, uid: Uid, gid: Gid, nlink: u32, acls: Acls, body: B) -> State<B> {
        let now = now();
        let xattrs = Xattrs::default();
        State { mode, uid, gid, nlink, atime: now, mtime: now, ctime: now, btime: now, xattrs, acls, body }
    }

    /// The same file with another body.
    pub(crate) fn with<C>(&self, body: C) -> State<C> {
        State {
            mode: self.mode,
            uid: self.uid,
            gid: self.gid,
            nlink: self.nlink,
            atime: self.atime,
            mtime: self.mtime,
            ctime: self.ctime,
            btime: self.btime,
            xattrs: self.xattrs.clone(),
            acls: self.acls.clone(),
            body,
        }
    }

    /// Mode, group and lists of what `who` makes in the directory that has this state: setgid directories pass on their
    /// group, and to directories the bit itself (inode(7)), and all directories their default access control lists.
    pub(crate) fn inherited(&self, who: &Caller, mut mode: u32, kind: Kind) -> (u32, Gid, Acls) {
        let mut gid = who.gid;
        if self.mode & libc::S_ISGID != 0 {
            gid = self.gid;
            if kind.is_dir() {
                mode |= libc::S_ISGID;
            } else if mode & 0o010 != 0 && !who.is_root() && !who.in_group(gid) {
                mode &= !libc::S_ISGID;
            }
        }
        let (mode, acls) = match kind {
            Kind::Symlink => (mode, Acls::default()),
            _ => self.acls.inherited(mode, who.umask, kind.is_dir()),
        };
        (mode, gid, acls)
    }

    pub(crate) fn stale_atime(&self) -> bool {
        self.atime <= self.mtime || self.atime <= self.ctime
    }

    /// Bytes of the tree's space that are held beside the body.
    pub(crate) fn held(&self) -> u64 {
        self.xattrs.held() + self.acls.held()
    }

    /// Content or owner have changed: the capabilities of the file are gone, and where a mere user has changed the content its
    /// set-id bits (inode(7), capabilities(7)).
    /// Says whether the mode is another.
    pub(crate) fn lose_privileges(&mut self, space: &Space, writer: &Writer) -> bool {
        let freed = self.xattrs.take(CAPABILITY);
        if freed > 0 {
            space.give_bytes(freed);
        }
        let left = writer.leaves(Mode::new(self.mode), self.gid).bits();
        std::mem::replace(&mut self.mode, left) != left
    }

    /// Sets what `set` says, but for the size. Never fails, so that the size can be set before it.
    pub(crate) fn set(&mut self, space: &Space, who: &Caller, kind: Kind, set: SetStat) {
        if (set.uid.is_some() || set.gid.is_some()) && !kind.is_dir() {
            // Whoever gives a program away; where the caller says a mode too, that follows below (chown(2)).
            let writer = Writer::new(who);
            self.mode = writer.gives_away(Mode::new(self.mode), self.gid).bits();
            self.lose_privileges(space, &writer);
        }
        if let Some(mode) = set.mode {
            self.set_mode(mode.bits());
        }
        let now = now();
        let time = |set: SetTime| match set {
            SetTime::Now => now,
            SetTime::To(time) => time,
        };
        self.uid = set.uid.unwrap_or(self.uid);
        self.gid = set.gid.unwrap_or(self.gid);
        self.atime = set.atime.map_or(self.atime, time);
        self.mtime = set.mtime.map_or(self.mtime, time);
        if set != SetStat::default() {
            self.ctime = now;
        }
    }
}
