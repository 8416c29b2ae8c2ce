//! What a tree serves: nodes, and the open files that they give.
//!
//! A tree implements [`Node`] and [`OpenFile`]; what it leaves out fails with the errno that a kernel would give. Names come
//! checked ([`Name`]); permissions (mode bits, owners, sticky directories) are checked above, by [`crate::Place`], so a node
//! only checks what is its own: kinds, emptiness, space. `..` never reaches a node.

use crate::lock::{Lock, LockOwner, LockTable};
use crate::*;
use bytes::Bytes;
use rustix::fd::BorrowedFd;
use std::any::Any;
use std::sync::{Arc, LazyLock, Weak};

pub type NodeRef = Arc<dyn Node>;
pub type FileRef = Arc<dyn OpenFile>;

/// How a file's content behaves: what may be cached, and whether offsets mean anything.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Nature {
    /// Bytes at offsets; the size is true; may be cached by version.
    Storage,
    /// Made when read: never cached, shown with length 0, read by offset within one open.
    Device,
    /// Comes as it comes: a read at the end waits, never cached, shown with length 0. Offsets are honoured where the file
    /// keeps what went by (a log) and ignored where it does not (a pipe).
    Stream,
}

/// The locks on files of trees that keep none of their own. Identities are unique among all trees.
static SYNTHETIC: LazyLock<LockTable> = LazyLock::new(LockTable::new);

/// What [`OpenFile::ready`] waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Interest {
    Read,
    Write,
}

/// One name in a directory. `cookie` continues a listing after this entry; cookies are at least 1, mean nothing else, and
/// stay good for the open directory while entries come and go.
#[derive(Clone, Copy, Debug)]
pub struct DirEntry<'a> {
    pub name: Name<'a>,
    pub qid: Qid,
    pub cookie: u64,
}

/// Takes entries until it says false (that entry was not taken).
pub type Sink<'a> = dyn FnMut(DirEntry<'_>) -> bool + Send + 'a;

/// A file, directory, link or device of a tree.
#[allow(unused_variables)]
pub trait Node: Any + Send + Sync {
    /// Identity, without waiting.
    fn qid(&self) -> Qid;

    fn kind(&self) -> Kind {
        self.qid().kind
    }
    fn nature(&self) -> Nature {
        Nature::Storage
    }
    fn stat(&self) -> Op<'_, Stat>;

    /// Asks that `watcher` be told of the next change of each sort in `what`, from now on. Says how much of that the tree
    /// does.
    fn watch(&self, watcher: &Weak<dyn Watcher>, what: Watch) -> Telling {
        Telling::Nothing
    }

    /// As [`Node::watch`], for a watcher who is content to hear of a change a moment after whoever made it: a file system that is
    /// not this process's own can tell no sooner. Such a one says OwnChanges, and tells of others' as far as it hears of them.
    fn follow(&self, watcher: &Weak<dyn Watcher>, what: Watch) -> Telling {
        self.watch(watcher, what)
    }

    /// A number that is another one as soon as a name in this directory means something else, or it may be searched by others
    /// than before. None where the directory does not know.
    fn stamp(&self) -> Option<u64> {
        None
    }

    /// Where this directory is the way into another namespace (a task's root): the place to go on from.
    fn portal(&self) -> Option<Place> {
        None
    }

    /// What stands for this directory where it is reached through a portal. A directory of portals that shows itself in each
    /// of them would make every walk over the tree as long as the square of their number.
    fn behind_portal(&self) -> Option<NodeRef> {
        None
    }

    /// The entry `name` of this directory; ENOENT, ENOTDIR.
    fn walk<'a>(&'a self, who: &'a Caller, name: Name<'a>) -> Op<'a, NodeRef> {
        Op::err(Errno::ENOTDIR)
    }
    /// Tells `stat` that of the entry `name`, as a walk to it and a stat there give it but for its birth, for who goes no further.
    /// None where that is what is to be done. (A stat is large, and built where it stays.)
    fn look(&self, who: &Caller, name: Name<'_>, stat: &mut Option<Stat>) -> Option<Result<()>> {
        None
    }
    /// Walks to the entry `name`, a regular file, and opens it, where that is cheaper than one after the other. None where it is
    /// not, and nothing was done.
    fn walk_open(&self, who: &Caller, name: Name<'_>, flags: OpenFlags) -> Option<Result<FileRef>> {
        None
    }
    /// Makes and opens the regular file `name`, for who needs no more of it than that; EEXIST where there is something by that
    /// name. None where that is something to wait for, and nothing was done.
    fn create_open(
        &self,
        who: &Caller,
        name: Name<'_>,
        mode: Mode,
        flags: OpenFlags,
    ) -> Option<Result<FileRef>> {
        let created = self.create(who, name, mode, flags | OpenFlags::EXCLUSIVE).now()?;
        Some(created.map(|(_, file)| file))
    }
    /// Whether the tree itself refuses `who` what the mode bits do not give him, so that nobody has to ask for them before.
    fn checks(&self, who: &Caller) -> bool {
        false
    }
    /// Opens it. Dropping the last [`FileRef`] closes.
    fn open<'a>(self: Arc<Self>, who: &'a Caller, flags: OpenFlags) -> Op<'a, FileRef>;

    // What is made gets the mode that is asked for, but for the caller's umask or as the directory's default list has it.

    /// Makes a regular file (or opens the one that is there, unless EXCLUSIVE), open.
    fn create<'a>(
        &'a self,
        who: &'a Caller,
        name: Name<'a>,
        mode: Mode,
        flags: OpenFlags,
    ) -> Op<'a, (NodeRef, FileRef)> {
        Op::err(Errno::EPERM)
    }
    fn mkdir<'a>(&'a self, who: &'a Caller, name: Name<'a>, mode: Mode) -> Op<'a, NodeRef> {
        Op::err(Errno::EPERM)
    }
    fn symlink<'a>(&'a self, who: &'a Caller, name: Name<'a>, target: &'a [u8]) -> Op<'a, NodeRef> {
        Op::err(Errno::EPERM)
    }
    /// Makes a regular file, fifo, socket or device that is not opened.
    fn mknod<'a>(
        &'a self,
        who: &'a Caller,
        name: Name<'a>,
        kind: Kind,
        mode: Mode,
        device: Device,
    ) -> Op<'a, NodeRef> {
        Op::err(Errno::EPERM)
    }
    /// A further name for `target`, which must be of the same tree (EXDEV).
    fn link<'a>(&'a self, who: &'a Caller, target: &'a NodeRef, name: Name<'a>) -> Op<'a, ()> {
        Op::err(Errno::EPERM)
    }
    /// Moves `name` of this directory to `to_name` of `to`, a directory of the same tree (EXDEV).
    fn rename<'a>(
        &'a self,
        who: &'a Caller,
        name: Name<'a>,
        to: &'a NodeRef,
        to_name: Name<'a>,
        flags: RenameFlags,
    ) -> Op<'a, ()> {
        Op::err(Errno::EPERM)
    }
    /// Removes anything but a directory (unlink(2): EISDIR).
    fn unlink<'a>(&'a self, who: &'a Caller, name: Name<'a>) -> Op<'a, ()> {
        Op::err(Errno::EPERM)
    }
    /// Removes an empty directory (rmdir(2): ENOTDIR, ENOTEMPTY).
    fn rmdir<'a>(&'a self, who: &'a Caller, name: Name<'a>) -> Op<'a, ()> {
        Op::err(Errno::EPERM)
    }
    fn readlink(&self) -> Op<'_, Arc<[u8]>> {
        Op::err(Errno::EINVAL)
    }
    /// All or nothing. A synthetic file accepts (and ignores) truncation: `echo x > ctl` truncates first.
    fn setstat<'a>(&'a self, who: &'a Caller, set: SetStat) -> Op<'a, ()> {
        Op::err(Errno::EPERM)
    }
    fn statfs(&self) -> Op<'_, StatFs> {
        Op::ok(StatFs {
            kind: 0x0102_1997, // V9FS_MAGIC
            bsize: 4096,
            blocks: 0,
            bfree: 0,
            bavail: 0,
            files: 0,
            ffree: 0,
            fsid: 0,
            namelen: Name::MAX as u32,
        })
    }

    /// One of its access control lists, which only a directory has two of; none where it has none.
    fn acl(&self, kind: AclKind) -> Op<'_, Option<Arc<Acl>>> {
        Op::ok(None)
    }
    /// Gives it another list, or none: the permission bits go with the list, and set-group-id where `who` is not of the group
    /// (acl(5)).
    fn set_acl<'a>(&'a self, who: &'a Caller, kind: AclKind, acl: Option<Acl>) -> Op<'a, ()> {
        Op::err(Errno::EOPNOTSUPP)
    }

    // All but those that are lists.
    fn getxattr<'a>(&'a self, name: &'a [u8]) -> Op<'a, Arc<[u8]>> {
        Op::err(Errno::ENODATA)
    }
    fn setxattr<'a>(&'a self, name: &'a [u8], value: &'a [u8], how: SetXattr) -> Op<'a, ()> {
        Op::err(Errno::EOPNOTSUPP)
    }
    fn listxattr(&self) -> Op<'_, Vec<Box<[u8]>>> {
        Op::ok(Vec::new())
    }
    fn removexattr<'a>(&'a self, name: &'a [u8]) -> Op<'a, ()> {
        Op::err(Errno::ENODATA)
    }
}

/// An open file or directory: a state of its own between open and close.
#[allow(unused_variables)]
pub trait OpenFile: Any + Send + Sync {
    /// The node that was opened.
    fn node(&self) -> &NodeRef;

    /// The node's, for who wants no more of it: some files find their node only when it is asked for.
    fn qid(&self) -> Qid {
        self.node().qid()
    }
    fn kind(&self) -> Kind {
        self.node().kind()
    }
    fn nature(&self) -> Nature {
        self.node().nature()
    }
    /// The stat of the file that is open (fstat(2)).
    fn stat(&self) -> Op<'_, Stat> {
        self.node().stat()
    }
    /// Every operation goes to a peer and is an [`Op::Later`], also where it would not block; the peer minds NONBLOCK.
    fn is_remote(&self) -> bool {
        false
    }
    /// The terminal that this is, if it is one (isatty(3)).
    fn terminal(&self) -> Option<&dyn Terminal> {
        None
    }
    /// A file of this machine that has the very bytes: what is read and written there need not come through here, as long as
    /// it is done with the rights of this open file. None where there is more to it than the bytes.
    fn backing(&self) -> Option<BorrowedFd<'_>> {
        None
    }
    /// How to read, write and measure it without coming through here, for one who does so often. None where there is more to it.
    fn direct(self: Arc<Self>) -> Option<Direct> {
        None
    }
    /// Reads at `offset`; 0 bytes is the end. A stream with nothing to give is an [`Op::Later`].
    fn read<'a>(&'a self, offset: u64, buf: &'a mut [u8]) -> Op<'a, usize> {
        Op::err(if self.node().kind().is_dir() { Errno::EISDIR } else { Errno::EBADF })
    }
    /// What [`OpenFile::read`] would give, in parts that are the file's own and stay as they are, where it can give them
    /// at once. Worth asking for large reads only; nothing means: use `read`.
    fn read_shared(&self, offset: u64, len: usize) -> Option<Vec<Bytes>> {
        None
    }
    fn write<'a>(&'a self, offset: u64, data: &'a [u8]) -> Op<'a, usize> {
        Op::err(Errno::EBADF)
    }
    /// How long the buffers are that this file would rather keep than copy from: see [`OpenFile::write_buffers`].
    fn keeps_buffers(&self) -> Option<usize> {
        None
    }
    /// [`OpenFile::write`] of parts that follow each other. Those of the length that [`OpenFile::keeps_buffers`] gave, at a
    /// multiple of it, cost no copy. Worth it for large writes only.
    fn write_buffers(&self, offset: u64, parts: Vec<Vec<u8>>) -> Op<'_, usize> {
        Op::err(Errno::EOPNOTSUPP)
    }
    /// Writes at the end as it is at that moment; gives the bytes taken and the offset behind them.
    fn append<'a>(&'a self, data: &'a [u8]) -> Op<'a, (usize, u64)> {
        self.write(0, data).map(|n| (n, 0))
    }
    /// Lists from behind `cookie` (0: from the start), without `.` and `..`.
    fn readdir<'a>(&'a self, cookie: u64, sink: &'a mut Sink<'a>) -> Op<'a, ()> {
        Op::err(Errno::ENOTDIR)
    }
    /// Done when a read or write would not wait (poll(2)); an error or the end counts as ready.
    fn ready(&self, interest: Interest) -> Op<'_, ()> {
        Op::ok(())
    }
    /// ftruncate(2).
    fn set_size(&self, size: u64) -> Op<'_, ()> {
        Op::err(Errno::EINVAL)
    }
    /// fallocate(2) for [offset, offset+len).
    fn allocate(&self, offset: u64, len: u64, how: Allocate) -> Op<'_, ()> {
        Op::err(Errno::EOPNOTSUPP)
    }
    /// The first offset from `offset` on that lies in data, or in a hole (lseek(2)); ENXIO at or behind the end, and where no
    /// data follows. EOPNOTSUPP of a file that does not know.
    fn seek(&self, offset: u64, extent: Extent) -> Op<'_, u64> {
        Op::err(Errno::EOPNOTSUPP)
    }
    fn fsync(&self, data_only: bool) -> Op<'_, ()> {
        Op::ok(())
    }
    /// A descriptor of the client was closed (close(2) of one of several): errors of late writes are told here.
    fn flush(&self) -> Op<'_, ()> {
        Op::ok(())
    }
    /// Takes, changes or gives up a lock; where `wait` is set, waits until it can be had, else EAGAIN.
    fn lock<'a>(&'a self, owner: LockOwner, lock: Lock, wait: bool) -> Op<'a, ()> {
        SYNTHETIC.lock(self.node().qid().path, owner, lock, wait)
    }
    /// The first lock that would be in the way of `lock`, and who holds it.
    fn getlock(&self, owner: LockOwner, lock: Lock) -> Op<'_, Option<(LockOwner, Lock)>> {
        Op::ok(SYNTHETIC.getlock(self.node().qid().path, owner, lock))
    }
    /// Gives up all that `owner` holds through this file: his last close.
    fn release(&self, owner: LockOwner) {
        SYNTHETIC.release(self.node().qid().path, owner);
    }
}
