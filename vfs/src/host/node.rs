//! A file of the host as a node: which file it is, and how its descriptor is come by.
//!
//! A node is bound to its inode for life. Its handle may be closed by the pool; then the way back is the name it was last
//! found at, checked against the inode, so that a name that now means another file gives ESTALE and never the other file.

use super::confine::again_dir;
use super::dir::HostDir;
use super::fd::Fd;
use super::file::HostFile;
use super::handle::{Handle, Lent};
use super::seen::{Born, FileId, Seen};
use super::tree::Tree;
use crate::*;
use parking_lot::Mutex;
use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, Mode as FsMode, OFlags, RenameFlags as FsRename};
use rustix::io::Errno as E;
use std::any::Any;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, Ordering};
use std::sync::{Arc, Weak};

pub(super) struct HostNode {
    pub tree: Arc<Tree>,
    me: Weak<HostNode>,
    id: FileId,
    born: Born,
    kind: Kind,
    path: u64,
    /// As last seen.
    version: AtomicU32,
    set_id: AtomicBool,
    pub handle: Handle,
    opened: Mutex<Openers>,
    /// The number of the kernel's watch, where somebody follows it, or -1.
    followed: AtomicI32,
    /// Where it was found last; none for the root.
    at: Mutex<Option<(Arc<HostNode>, NameBuf)>>,
}

/// The descriptors of those who have the file open: each good as a handle while it lasts, also after unlink.
struct Openers {
    /// Most files have one at a time.
    first: Weak<Fd>,
    others: Vec<Weak<Fd>>,
}

impl Openers {
    fn add(&mut self, fd: &Arc<Fd>) {
        if self.first.strong_count() == 0 {
            self.first = Arc::downgrade(fd);
            return;
        }
        if self.others.len() == self.others.capacity() {
            self.others.retain(|fd| fd.strong_count() > 0);
        }
        self.others.push(Arc::downgrade(fd));
    }
    fn any(&self) -> Option<Arc<Fd>> {
        self.first.upgrade().or_else(|| self.others.iter().find_map(Weak::upgrade))
    }
}

impl HostNode {
    pub fn new(
        tree: &Arc<Tree>,
        seen: &Seen,
        at: Option<(Arc<HostNode>, NameBuf)>,
        handle: Handle,
        opened: Weak<Fd>,
    ) -> Arc<HostNode> {
        Arc::new_cyclic(|me| HostNode {
            tree: tree.clone(),
            me: me.clone(),
            id: seen.id(),
            born: seen.born(),
            kind: seen.kind(),
            path: tree.path(seen.id()),
            version: AtomicU32::new(seen.version()),
            set_id: AtomicBool::new(seen.mode().is_set_id()),
            handle,
            opened: Mutex::new(Openers { first: opened, others: Vec::new() }),
            followed: AtomicI32::new(-1),
            at: Mutex::new(at),
        })
    }

    /// That of a file which the kernel does not tell from others: `fd` is all that is known of it.
    pub fn unknown(dir: &HostNode, name: Name<'_>, fd: &Arc<Fd>) -> Arc<HostNode> {
        let at = Some((dir.me(), name.to_owned()));
        HostNode::new(&dir.tree, &Seen::nothing(), at, Handle::closed(), Arc::downgrade(fd))
    }

    pub fn me(&self) -> Arc<HostNode> {
        self.me.upgrade().expect("a node in use is referred to")
    }

    pub fn id(&self) -> FileId {
        self.id
    }
    pub fn device(&self) -> u64 {
        self.id.dev
    }

    /// Whether `seen` tells of this very file.
    pub fn is(&self, seen: &Seen) -> bool {
        self.id == seen.id() && self.kind == seen.kind() && self.born == seen.born()
    }

    pub fn noticed(&self, seen: &Seen) {
        self.has(seen.version(), seen.mode());
    }
    fn has(&self, version: u32, mode: Mode) {
        self.version.store(version, Ordering::Relaxed);
        self.set_id.store(mode.is_set_id(), Ordering::Relaxed);
    }
    /// Its content was changed through the tree; the exact version comes with the next stat.
    pub fn changed(&self) {
        // Of two who do this at once one is enough: it is another version than before.
        let version = self.version.load(Ordering::Relaxed);
        self.version.store(version.wrapping_add(1), Ordering::Relaxed);
    }
    pub fn is_set_id(&self) -> bool {
        self.set_id.load(Ordering::Relaxed)
    }

    /// The node was found as `name` in `dir`: the way to open it again.
    pub fn found_at(&self, dir: &HostNode, name: Name<'_>) {
        {
            let at = self.at.lock();
            match &*at {
                None => return,
                Some((parent, last)) if parent.id == dir.id && **last == *name.as_bytes() => return,
                Some(_) => {}
            }
        }
        let _moving = self.tree.moves.lock();
        if self.kind.is_dir() && dir.is_below(self) {
            return;
        }
        let before = self.at.lock().replace((dir.me(), name.to_owned()));
        drop(before);
    }

    /// Whether the way from the root to here leads through `other`.
    fn is_below(&self, other: &HostNode) -> bool {
        let mut here = self.me();
        loop {
            if std::ptr::eq(&*here, other) {
                return true;
            }
            let Some((parent, _)) = here.at.lock().clone() else { return false };
            here = parent;
        }
    }

    /// A descriptor of the file, good for whatever O_PATH is good for.
    pub fn fd(&self) -> Result<Lent<'_>> {
        if let Some(fd) = self.handle.get() {
            return Ok(fd);
        }
        if let Some(fd) = self.opened.lock().any() {
            return Ok(Lent::Shared(fd));
        }
        self.find_again().map(Lent::Shared)
    }

    /// Someone has the file open as `fd`.
    pub fn opened_as(&self, fd: &Arc<Fd>) {
        self.opened.lock().add(fd);
    }

    /// Opens the handle again, from the nearest directory above that has one, down by name.
    fn find_again(&self) -> Result<Arc<Fd>> {
        let mut way = vec![self.me()];
        let mut fd = loop {
            let last = &way[way.len() - 1];
            let Some((parent, _)) = last.at.lock().clone() else { return Errno::ESTALE.into() };
            match parent.handle.share() {
                Some(fd) => break fd,
                None => way.push(parent),
            }
        };
        while let Some(node) = way.pop() {
            let Some((_, name)) = node.at.lock().clone() else { return Errno::ESTALE.into() };
            let step = self.tree.with_room(|| self.tree.confinement.step(&fd, name.as_name()));
            let found: Arc<Fd> = match step {
                Err(E::NOENT | E::NOTDIR) => return Errno::ESTALE.into(),
                found => Arc::new(found?.into()),
            };
            let seen = Seen::of(&found)?;
            if !node.is(&seen) {
                return Errno::ESTALE.into();
            }
            node.noticed(&seen);
            self.tree.pool.keep(&node.handle, found.clone());
            fd = found;
        }
        Ok(fd)
    }

    pub fn seen(&self) -> Result<Seen> {
        let seen = match self.handle.ask(|fd| Seen::again(fd, self.born)) {
            Some(seen) => seen?,
            None => Seen::again(self.fd()?, self.born)?,
        };
        self.noticed(&seen);
        Ok(seen)
    }

    /// Its stat, by a descriptor that someone has it open as.
    #[inline]
    pub fn stat_through(&self, fd: &OwnedFd) -> Op<'_, Stat> {
        Seen::stat_again(fd, self.kind, self.born, self.path, |version, mode| self.has(version, mode))
    }

    /// The file for use, not only as a handle. Never a device, fifo or socket.
    pub fn open_as(&self, flags: OFlags) -> Result<OwnedFd> {
        let what = match self.kind {
            Kind::File => {
                let fd = self.fd()?;
                match self.tree.with_room(|| self.tree.confinement.again(&fd, flags)) {
                    Err(E::NOSYS) => return self.open_by_name(flags),
                    opened => return Ok(opened?),
                }
            }
            Kind::Dir => {
                let fd = self.fd()?;
                return Ok(self.tree.with_room(|| again_dir(&fd))?);
            }
            Kind::Symlink => return Errno::ELOOP.into(),
            Kind::Fifo => (Errno::ENXIO, "a fifo"),
            Kind::Socket => (Errno::ENXIO, "a socket"),
            Kind::CharDevice | Kind::BlockDevice => (Errno::EACCES, "a device"),
        };
        Err(Error::new(what.0, format!("{} of the host is shown but not opened", what.1)))
    }

    /// Without /proc: by name, and only if that still is this file. Truncation waits until that is known.
    fn open_by_name(&self, flags: OFlags) -> Result<OwnedFd> {
        let Some((parent, name)) = self.at.lock().clone() else { return Errno::ESTALE.into() };
        let dir = parent.fd()?;
        let truncate = flags.contains(OFlags::TRUNC);
        let flags = flags.difference(OFlags::TRUNC);
        // A device put in the file's place must not be opened, not even to find that out.
        if !self.is(&Seen::entry(&dir, name.as_name())?) {
            return Errno::ESTALE.into();
        }
        let open = || self.tree.confinement.open(&dir, name.as_name(), flags, FsMode::empty());
        let fd = self.tree.with_room(open)?;
        if !self.is(&Seen::of(&fd)?) {
            return Errno::ESTALE.into();
        }
        if truncate {
            rustix::fs::ftruncate(&fd, 0)?;
        }
        Ok(fd)
    }

    fn open_file(self: Arc<Self>, who: &Caller, flags: OpenFlags) -> Result<FileRef> {
        if flags.intersects(OpenFlags::WRITE | OpenFlags::TRUNCATE) {
            self.tree.writable()?;
        }
        if self.kind.is_dir() {
            if flags.intersects(OpenFlags::WRITE | OpenFlags::TRUNCATE) {
                return Errno::EISDIR.into();
            }
            let fd = self.open_as(OFlags::RDONLY)?;
            return Ok(Arc::new(HostDir::new(self, fd)));
        }
        if flags.contains(OpenFlags::DIRECTORY) {
            return Errno::ENOTDIR.into();
        }
        let fd = Arc::new(self.open_as(how(flags))?.into());
        if flags.contains(OpenFlags::TRUNCATE) {
            self.changed();
        }
        self.opened_as(&fd);
        Ok(Arc::new(HostFile::new(self, fd, who, flags)))
    }

    /// `target` as a node of this very tree; EXDEV where it is of another.
    fn ours<'a>(&self, target: &'a NodeRef) -> Result<&'a HostNode> {
        let node = (&**target as &dyn Any).downcast_ref::<HostNode>();
        node.filter(|node| Arc::ptr_eq(&node.tree, &self.tree)).ok_or_else(|| Errno::EXDEV.into())
    }

    fn link_here(&self, target: &NodeRef, name: Name<'_>) -> Result<()> {
        self.tree.writable()?;
        let target = self.ours(target)?;
        if target.kind.is_dir() {
            return Errno::EPERM.into();
        }
        let (dir, file) = (self.fd()?, target.fd()?);
        // Either may be forbidden where the other is not: the first takes a capability, the second /proc.
        match rustix::fs::linkat(&file, c"", &dir, name.as_bytes(), AtFlags::EMPTY_PATH) {
            Err(E::NOENT | E::PERM | E::INVAL) => {}
            done => return Ok(done?),
        }
        let (fds, number) = self.tree.confinement.link(rustix::fd::AsFd::as_fd(&*file))?;
        Ok(rustix::fs::linkat(fds, number, &dir, name.as_bytes(), AtFlags::SYMLINK_FOLLOW)?)
    }

    fn move_to(&self, name: Name<'_>, to: &NodeRef, to_name: Name<'_>, flags: RenameFlags) -> Result<()> {
        self.tree.writable()?;
        let to = self.ours(to)?;
        if !to.kind.is_dir() {
            return Errno::ENOTDIR.into();
        }
        let (from_fd, to_fd) = (self.fd()?, to.fd()?);
        let mut how = FsRename::empty();
        how.set(FsRename::NOREPLACE, flags.contains(RenameFlags::NOREPLACE));
        how.set(FsRename::EXCHANGE, flags.contains(RenameFlags::EXCHANGE));
        rustix::fs::renameat_with(&from_fd, name.as_bytes(), &to_fd, to_name.as_bytes(), how)?;
        // A file that was replaced keeps its space as long as it is open.
        self.tree.recent.forget(to.id, to_name);
        let moved = |dir: &HostNode, fd: &OwnedFd, name: Name<'_>| {
            // Where it cannot be seen any more, someone moved it on: the next walk finds it.
            if let Ok(seen) = Seen::entry(fd, name)
                && let Some(node) = self.tree.living(seen.id())
            {
                node.found_at(dir, name);
            }
        };
        moved(to, &to_fd, to_name);
        if flags.contains(RenameFlags::EXCHANGE) {
            moved(self, &from_fd, name);
        }
        Ok(())
    }

    fn remove(&self, name: Name<'_>, flags: AtFlags) -> Result<()> {
        self.tree.writable()?;
        let dir = self.fd()?;
        rustix::io::retry_on_intr(|| rustix::fs::unlinkat(&dir, name.as_bytes(), flags))?;
        self.tree.recent.forget(self.id, name);
        Ok(())
    }

    fn link_text(&self) -> Result<Arc<[u8]>> {
        if self.kind != Kind::Symlink {
            return Errno::EINVAL.into();
        }
        let text = rustix::fs::readlinkat(&*self.fd()?, c"", Vec::new())?;
        Ok(text.into_bytes().into())
    }
}

/// open(2)'s flags. Not O_APPEND, with which the kernel ignores the offset of every write: `HostFile` appends by itself.
pub(super) fn how(flags: OpenFlags) -> OFlags {
    let read = flags.intersects(OpenFlags::READ | OpenFlags::EXEC);
    let mut how = match (read, flags.contains(OpenFlags::WRITE)) {
        (_, false) => OFlags::RDONLY,
        (false, true) => OFlags::WRONLY,
        (true, true) => OFlags::RDWR,
    };
    how.set(OFlags::TRUNC, flags.contains(OpenFlags::TRUNCATE));
    how.set(OFlags::SYNC, flags.contains(OpenFlags::SYNC));
    how
}

impl Drop for HostNode {
    fn drop(&mut self) {
        self.tree.pool.forget(&self.handle);
        self.tree.forget(self.id, self);
        if let number @ 0.. = *self.followed.get_mut() {
            self.tree.followers.forget(number);
        }
        // The way up, one by one: a chain of directories that ends here may be longer than a stack is deep.
        let mut next = self.at.get_mut().take().map(|(parent, _)| parent);
        while let Some(mut node) = next.and_then(Arc::into_inner) {
            next = node.at.get_mut().take().map(|(parent, _)| parent);
        }
    }
}

impl Node for HostNode {
    fn qid(&self) -> Qid {
        Qid { kind: self.kind, version: self.version.load(Ordering::Relaxed), path: self.path }
    }
    fn kind(&self) -> Kind {
        self.kind
    }
    fn stat(&self) -> Op<'_, Stat> {
        self.seen().map(|seen| seen.stat(self.path)).into()
    }
    fn follow(&self, watcher: &Weak<dyn Watcher>, _what: Watch) -> Telling {
        if self.followed.load(Ordering::Relaxed) >= 0 && self.tree.followers.knows(watcher) {
            return Telling::OwnChanges;
        }
        match self.tree.followers.add(&self.me(), watcher) {
            Ok(number) => {
                self.followed.store(number, Ordering::Relaxed);
                Telling::OwnChanges
            }
            Err(error) => {
                tracing::debug!("the kernel does not watch a file: {error}");
                Telling::Nothing
            }
        }
    }
    fn walk<'a>(&'a self, _who: &'a Caller, name: Name<'a>) -> Op<'a, NodeRef> {
        if !self.kind.is_dir() {
            return Op::err(Errno::ENOTDIR);
        }
        self.entry(name).map(|node| node as NodeRef).into()
    }
    fn look(&self, _who: &Caller, name: Name<'_>, stat: &mut Option<Stat>) -> Option<Result<()>> {
        self.entry_stat(name, stat)
    }
    fn walk_open(&self, who: &Caller, name: Name<'_>, flags: OpenFlags) -> Option<Result<FileRef>> {
        self.open_entry(who, name, flags)
    }
    /// The kernel does, where this process is no more than the caller is.
    fn checks(&self, who: &Caller) -> bool {
        self.tree.own.is_as(who)
    }
    fn open<'a>(self: Arc<Self>, who: &'a Caller, flags: OpenFlags) -> Op<'a, FileRef> {
        self.open_file(who, flags).into()
    }
    fn create<'a>(
        &'a self,
        who: &'a Caller,
        name: Name<'a>,
        mode: Mode,
        flags: OpenFlags,
    ) -> Op<'a, (NodeRef, FileRef)> {
        self.make_file(who, name, mode, flags).into()
    }
    fn create_open(
        &self,
        who: &Caller,
        name: Name<'_>,
        mode: Mode,
        flags: OpenFlags,
    ) -> Option<Result<FileRef>> {
        Some(self.make_nodeless(who, name, mode, flags))
    }
    fn mkdir<'a>(&'a self, who: &'a Caller, name: Name<'a>, mode: Mode) -> Op<'a, NodeRef> {
        self.make_dir(who, name, mode).into()
    }
    fn symlink<'a>(&'a self, who: &'a Caller, name: Name<'a>, target: &'a [u8]) -> Op<'a, NodeRef> {
        self.make_symlink(who, name, target).into()
    }
    fn mknod<'a>(
        &'a self,
        who: &'a Caller,
        name: Name<'a>,
        kind: Kind,
        mode: Mode,
        device: Device,
    ) -> Op<'a, NodeRef> {
        self.make_node(who, name, kind, mode, device).into()
    }
    fn link<'a>(&'a self, _who: &'a Caller, target: &'a NodeRef, name: Name<'a>) -> Op<'a, ()> {
        self.link_here(target, name).into()
    }
    fn rename<'a>(
        &'a self,
        _who: &'a Caller,
        name: Name<'a>,
        to: &'a NodeRef,
        to_name: Name<'a>,
        flags: RenameFlags,
    ) -> Op<'a, ()> {
        self.move_to(name, to, to_name, flags).into()
    }
    fn unlink<'a>(&'a self, _who: &'a Caller, name: Name<'a>) -> Op<'a, ()> {
        self.remove(name, AtFlags::empty()).into()
    }
    fn rmdir<'a>(&'a self, _who: &'a Caller, name: Name<'a>) -> Op<'a, ()> {
        self.remove(name, AtFlags::REMOVEDIR).into()
    }
    fn readlink(&self) -> Op<'_, Arc<[u8]>> {
        self.link_text().into()
    }
    fn setstat<'a>(&'a self, who: &'a Caller, set: SetStat) -> Op<'a, ()> {
        self.set_for(who, set).into()
    }
    fn statfs(&self) -> Op<'_, StatFs> {
        self.file_system().into()
    }
    fn acl(&self, kind: AclKind) -> Op<'_, Option<Arc<Acl>>> {
        self.list(kind).into()
    }
    fn set_acl<'a>(&'a self, who: &'a Caller, kind: AclKind, acl: Option<Acl>) -> Op<'a, ()> {
        self.set_list(who, kind, acl).into()
    }
    fn getxattr<'a>(&'a self, name: &'a [u8]) -> Op<'a, Arc<[u8]>> {
        self.attribute(name).into()
    }
    fn setxattr<'a>(&'a self, name: &'a [u8], value: &'a [u8], how: SetXattr) -> Op<'a, ()> {
        self.set_attribute(name, value, how).into()
    }
    fn listxattr(&self) -> Op<'_, Vec<Box<[u8]>>> {
        self.attributes().into()
    }
    fn removexattr<'a>(&'a self, name: &'a [u8]) -> Op<'a, ()> {
        self.remove_attribute(name).into()
    }
}
