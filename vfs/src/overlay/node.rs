//! An overlay's inodes as nodes: what the namespace asks, and which part of the tree answers.

use super::attempt::{Step, Stop, attempt};
use super::cell::Body;
use super::entry::{Birth, Made};
use super::file::OverlayFile;
use super::inode::Inode;
use crate::access::check;
use crate::mem::fifo::PipeNode;
use crate::*;
use std::sync::{Arc, Weak};

/// OVERLAYFS_SUPER_MAGIC, statfs(2).
const OVERLAY_MAGIC: u32 = 0x794c_7630;
/// The longest target of a symlink: PATH_MAX with its NUL.
const MAX_TARGET: usize = 4095;

impl Inode {
    fn open_as(&self, who: &Caller, flags: OpenFlags) -> Step<FileRef> {
        match self.kind() {
            Kind::File if flags.contains(OpenFlags::DIRECTORY) => return Errno::ENOTDIR.into(),
            Kind::File => {
                if flags.contains(OpenFlags::TRUNCATE) {
                    self.resize(0, &Writer::new(who))?;
                }
            }
            Kind::Dir if flags.intersects(OpenFlags::WRITE | OpenFlags::TRUNCATE) => {
                return Errno::EISDIR.into();
            }
            Kind::Dir => {}
            Kind::Symlink => return Errno::ELOOP.into(),
            _ => return Errno::ENXIO.into(),
        }
        Ok(OverlayFile::opened(self.me(), who, flags))
    }

    /// The file was made by another between the caller's look and this call: it is opened as if found there.
    fn open_found(&self, who: &Caller, flags: OpenFlags) -> Step<FileRef> {
        if flags.contains(OpenFlags::EXCLUSIVE) {
            return Errno::EEXIST.into();
        }
        if !who.checked {
            check(self, who, &self.stat_now(), Access::of(flags)).or_again()?;
        }
        self.open_as(who, flags)
    }

    fn make_node<'a>(
        &'a self,
        who: &'a Caller,
        name: Name<'a>,
        mode: Mode,
        birth: Birth<'a>,
    ) -> Op<'a, NodeRef> {
        attempt(move || Ok(self.make_new(who, name, mode, birth)? as NodeRef))
    }
}

impl PipeNode for Inode {
    fn read_from(&self) {
        self.accessed();
    }
    fn written_to(&self) {
        // Without room for a copy of its attributes the pipe works all the same.
        let noted: Result<()> = self.change(|_, state| {
            state.mtime = crate::mem::clock::now();
            state.ctime = state.mtime;
            Ok(())
        });
        if noted.is_ok() {
            self.tell(Change::Status);
        }
    }
}

impl Node for Inode {
    fn qid(&self) -> Qid {
        self.identity()
    }
    fn kind(&self) -> Kind {
        self.slot().kind
    }
    fn nature(&self) -> Nature {
        if self.kind() == Kind::Fifo { Nature::Stream } else { Nature::Storage }
    }
    fn stat(&self) -> Op<'_, Stat> {
        attempt(|| self.stat())
    }
    fn watch(&self, watcher: &Weak<dyn Watcher>, what: Watch) -> Telling {
        self.tree().watchers.add(watcher);
        self.mark().set(what);
        Telling::EveryChange
    }

    fn walk<'a>(&'a self, _who: &'a Caller, name: Name<'a>) -> Op<'a, NodeRef> {
        attempt(move || Ok(self.lookup(name)? as NodeRef))
    }
    fn walk_open(&self, who: &Caller, name: Name<'_>, flags: OpenFlags) -> Option<Result<FileRef>> {
        let open = || {
            let inode = self.lookup(name)?;
            // A link is followed, a fifo waited for.
            if inode.kind() != Kind::File {
                return Ok(None);
            }
            Step::Ok(Some(inode.open_as(who, flags)?))
        };
        match open() {
            Ok(opened) => opened.map(Ok),
            Err(Stop::Fail(error)) => Some(Err(error)),
            Err(Stop::Need(_)) => None,
        }
    }
    fn open<'a>(self: Arc<Self>, who: &'a Caller, flags: OpenFlags) -> Op<'a, FileRef> {
        if self.kind() == Kind::Fifo {
            return self.fifo().open(self, flags);
        }
        attempt(move || self.open_as(who, flags))
    }

    fn create<'a>(
        &'a self,
        who: &'a Caller,
        name: Name<'a>,
        mode: Mode,
        flags: OpenFlags,
    ) -> Op<'a, (NodeRef, FileRef)> {
        attempt(move || match self.make(who, name, mode, Birth::File)? {
            Made::New(inode) => Ok((inode.clone() as NodeRef, OverlayFile::opened(inode, who, flags))),
            Made::There(there) => {
                let file = there.open_found(who, flags)?;
                Ok((there as NodeRef, file))
            }
        })
    }
    fn mkdir<'a>(&'a self, who: &'a Caller, name: Name<'a>, mode: Mode) -> Op<'a, NodeRef> {
        self.make_node(who, name, mode, Birth::Dir)
    }
    fn symlink<'a>(&'a self, who: &'a Caller, name: Name<'a>, target: &'a [u8]) -> Op<'a, NodeRef> {
        if target.is_empty() {
            return Op::err(Errno::ENOENT);
        }
        if target.len() > MAX_TARGET {
            return Op::err(Errno::ENAMETOOLONG);
        }
        self.make_node(who, name, Mode::new(0o777), Birth::Link(target))
    }
    fn mknod<'a>(
        &'a self,
        who: &'a Caller,
        name: Name<'a>,
        kind: Kind,
        mode: Mode,
        device: Device,
    ) -> Op<'a, NodeRef> {
        let birth = match kind {
            Kind::File => Birth::File,
            Kind::Fifo | Kind::Socket => Birth::Special(kind, Device::default()),
            Kind::CharDevice | Kind::BlockDevice => Birth::Special(kind, device),
            Kind::Dir | Kind::Symlink => return Op::err(Errno::EINVAL),
        };
        self.make_node(who, name, mode, birth)
    }

    fn link<'a>(&'a self, _who: &'a Caller, target: &'a NodeRef, name: Name<'a>) -> Op<'a, ()> {
        match self.of_this_tree(target) {
            Ok(target) => attempt(move || self.add_link(&target, name)),
            Err(error) => Op::err(error),
        }
    }
    fn rename<'a>(
        &'a self,
        _who: &'a Caller,
        name: Name<'a>,
        to: &'a NodeRef,
        to_name: Name<'a>,
        flags: RenameFlags,
    ) -> Op<'a, ()> {
        match self.of_this_tree(to) {
            Ok(to) => attempt(move || self.move_entry(name, &to, to_name, flags)),
            Err(error) => Op::err(error),
        }
    }
    fn unlink<'a>(&'a self, _who: &'a Caller, name: Name<'a>) -> Op<'a, ()> {
        attempt(move || self.remove(name, false))
    }
    fn rmdir<'a>(&'a self, _who: &'a Caller, name: Name<'a>) -> Op<'a, ()> {
        attempt(move || self.remove(name, true))
    }

    fn readlink(&self) -> Op<'_, Arc<[u8]>> {
        Op::Done(self.look(|state| match &state.body {
            Body::Link(target) => Ok(target.clone()),
            _ => Errno::EINVAL.into(),
        }))
    }
    fn setstat<'a>(&'a self, who: &'a Caller, set: SetStat) -> Op<'a, ()> {
        attempt(move || self.set(who, set))
    }
    fn statfs(&self) -> Op<'_, StatFs> {
        Op::ok(self.tree().space.statfs(OVERLAY_MAGIC))
    }

    fn acl(&self, kind: AclKind) -> Op<'_, Option<Arc<Acl>>> {
        Op::ok(self.look(|state| state.acls.get(kind).cloned()))
    }
    fn set_acl<'a>(&'a self, who: &'a Caller, kind: AclKind, acl: Option<Acl>) -> Op<'a, ()> {
        let space = &self.tree().space;
        let set = self.change(|_, state| state.set_list(space, who, self.kind(), kind, acl));
        Op::Done(set.inspect(|()| self.tell(Change::Status)))
    }
    fn getxattr<'a>(&'a self, name: &'a [u8]) -> Op<'a, Arc<[u8]>> {
        self.look(|state| state.xattr(self.kind(), name)).into()
    }
    fn setxattr<'a>(&'a self, name: &'a [u8], value: &'a [u8], how: SetXattr) -> Op<'a, ()> {
        let space = &self.tree().space;
        let set = self.change(|_, state| state.set_xattr(space, self.kind(), name, value, how));
        Op::Done(set.inspect(|()| self.tell(Change::Status)))
    }
    fn listxattr(&self) -> Op<'_, Vec<Box<[u8]>>> {
        Op::ok(self.look(|state| state.list_xattrs()))
    }
    fn removexattr<'a>(&'a self, name: &'a [u8]) -> Op<'a, ()> {
        let space = &self.tree().space;
        let removed = self.change(|_, state| state.remove_xattr(space, self.kind(), name));
        Op::Done(removed.inspect(|()| self.tell(Change::Status)))
    }
}
