//! The memory tree's inodes as nodes: what the namespace asks, and which part of the tree answers.

use super::clock::now;
use super::fifo::PipeNode;
use super::file::MemFile;
use super::inode::{Birth, Body, Inode};
use crate::access::check;
use crate::*;
use std::sync::{Arc, Weak};

/// TMPFS_MAGIC, statfs(2): programs ask whether files are in memory.
const TMPFS_MAGIC: u32 = 0x0102_1994;
/// The longest target of a symlink: PATH_MAX with its NUL.
const MAX_TARGET: usize = 4095;

impl Inode {
    fn open_as(self: Arc<Self>, who: &Caller, flags: OpenFlags) -> Result<FileRef> {
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
        Ok(MemFile::opened(self, who, flags))
    }

    /// The file was made by another between the caller's look and this call: it is opened as if found there.
    fn open_found(self: Arc<Self>, who: &Caller, flags: OpenFlags) -> Result<FileRef> {
        if flags.contains(OpenFlags::EXCLUSIVE) {
            return Errno::EEXIST.into();
        }
        if !who.checked {
            let stat = self.stat_of(&self.state.read());
            check(&*self, who, &stat, Access::of(flags)).or_again()?;
        }
        self.open_as(who, flags)
    }
}

fn node(made: Result<Arc<Inode>>) -> Op<'static, NodeRef> {
    Op::Done(made.map(|inode| inode as NodeRef))
}

impl PipeNode for Inode {
    fn read_from(&self) {
        self.accessed();
    }
    fn written_to(&self) {
        let mut state = self.state.write();
        state.mtime = now();
        state.ctime = state.mtime;
        drop(state);
        self.tell(Change::Status);
    }
}

impl Node for Inode {
    fn qid(&self) -> Qid {
        self.identity()
    }
    fn kind(&self) -> Kind {
        self.identity().kind
    }
    fn nature(&self) -> Nature {
        if self.kind() == Kind::Fifo { Nature::Stream } else { Nature::Storage }
    }
    fn stat(&self) -> Op<'_, Stat> {
        Op::ok(self.stat_of(&self.state.read()))
    }
    fn stamp(&self) -> Option<u64> {
        Some(u64::from(self.identity().version))
    }
    fn watch(&self, watcher: &Weak<dyn Watcher>, what: Watch) -> Telling {
        self.tree().watchers.add(watcher);
        self.mark().set(what);
        Telling::EveryChange
    }

    fn walk<'a>(&'a self, _who: &'a Caller, name: Name<'a>) -> Op<'a, NodeRef> {
        node(self.lookup(name))
    }
    fn look(&self, _who: &Caller, name: Name<'_>, stat: &mut Option<Stat>) -> Option<Result<()>> {
        Some(self.lookup(name).map(|inode| *stat = Some(inode.stat_of(&inode.state.read()))))
    }
    fn walk_open(&self, who: &Caller, name: Name<'_>, flags: OpenFlags) -> Option<Result<FileRef>> {
        let inode = match self.lookup(name) {
            Ok(inode) => inode,
            Err(error) => return Some(Err(error)),
        };
        // A link is followed, a fifo waited for.
        (inode.kind() == Kind::File).then(|| inode.open_as(who, flags))
    }
    fn open<'a>(self: Arc<Self>, who: &'a Caller, flags: OpenFlags) -> Op<'a, FileRef> {
        if self.kind() == Kind::Fifo {
            let fifo = match &self.state.read().body {
                Body::Fifo(fifo) => fifo.clone(),
                _ => return Op::err(Errno::ENXIO),
            };
            return fifo.open(self, flags);
        }
        self.open_as(who, flags).into()
    }

    fn create<'a>(
        &'a self,
        who: &'a Caller,
        name: Name<'a>,
        mode: Mode,
        flags: OpenFlags,
    ) -> Op<'a, (NodeRef, FileRef)> {
        let opened = self.make(who, name, mode, Birth::File).and_then(|made| match made {
            Ok(inode) => Ok((inode.clone() as NodeRef, MemFile::opened(inode, who, flags))),
            Err(there) => Ok((there.clone() as NodeRef, there.open_found(who, flags)?)),
        });
        opened.into()
    }
    fn mkdir<'a>(&'a self, who: &'a Caller, name: Name<'a>, mode: Mode) -> Op<'a, NodeRef> {
        node(self.make_new(who, name, mode, Birth::Dir))
    }
    fn symlink<'a>(&'a self, who: &'a Caller, name: Name<'a>, target: &'a [u8]) -> Op<'a, NodeRef> {
        if target.is_empty() {
            return Op::err(Errno::ENOENT);
        }
        if target.len() > MAX_TARGET {
            return Op::err(Errno::ENAMETOOLONG);
        }
        node(self.make_new(who, name, Mode::new(0o777), Birth::Link(target.into())))
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
        node(self.make_new(who, name, mode, birth))
    }

    fn link<'a>(&'a self, _who: &'a Caller, target: &'a NodeRef, name: Name<'a>) -> Op<'a, ()> {
        self.of_this_tree(target).and_then(|target| self.add_link(target, name)).into()
    }
    fn rename<'a>(
        &'a self,
        _who: &'a Caller,
        name: Name<'a>,
        to: &'a NodeRef,
        to_name: Name<'a>,
        flags: RenameFlags,
    ) -> Op<'a, ()> {
        self.of_this_tree(to).and_then(|to| self.move_entry(name, &to, to_name, flags)).into()
    }
    fn unlink<'a>(&'a self, _who: &'a Caller, name: Name<'a>) -> Op<'a, ()> {
        self.remove(name, false).into()
    }
    fn rmdir<'a>(&'a self, _who: &'a Caller, name: Name<'a>) -> Op<'a, ()> {
        self.remove(name, true).into()
    }

    fn readlink(&self) -> Op<'_, Arc<[u8]>> {
        match &self.state.read().body {
            Body::Link(target) => Op::ok(target.clone()),
            _ => Op::err(Errno::EINVAL),
        }
    }
    fn setstat<'a>(&'a self, who: &'a Caller, set: SetStat) -> Op<'a, ()> {
        self.set(who, set).into()
    }
    fn statfs(&self) -> Op<'_, StatFs> {
        Op::ok(self.tree().space.statfs(TMPFS_MAGIC))
    }

    fn acl(&self, kind: AclKind) -> Op<'_, Option<Arc<Acl>>> {
        Op::ok(self.list(kind))
    }
    fn set_acl<'a>(&'a self, who: &'a Caller, kind: AclKind, acl: Option<Acl>) -> Op<'a, ()> {
        self.set_list(who, kind, acl).into()
    }
    fn getxattr<'a>(&'a self, name: &'a [u8]) -> Op<'a, Arc<[u8]>> {
        self.xattr(name).into()
    }
    fn setxattr<'a>(&'a self, name: &'a [u8], value: &'a [u8], how: SetXattr) -> Op<'a, ()> {
        self.set_xattr(name, value, how).into()
    }
    fn listxattr(&self) -> Op<'_, Vec<Box<[u8]>>> {
        Op::ok(self.list_xattrs())
    }
    fn removexattr<'a>(&'a self, name: &'a [u8]) -> Op<'a, ()> {
        self.remove_xattr(name).into()
    }
}
