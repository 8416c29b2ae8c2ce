//! What a file server is, in the one vocabulary that all dialects are translated into: .L's, which is POSIX's.
//!
//! The session calls these in the order requests came, from the task that reads the connection; what would block
//! there has to be given back as [`Answer::Later`]. It checks fids, open modes, names and offsets before it calls,
//! and leaves permissions, existence and meaning to the implementation.

use std::borrow::Cow;

use bytes::Bytes;

use super::answer::{Answer, Error};
use super::perm::number_of;
use crate::wire::{
    Attr, AttrMask, Dialect, DirEntryKind, Gid, LockFlags, LockKind, LockStatus, Mode, OpenFlags, Qid,
    StatFs, Time, Uid, XattrFlags,
};

pub use super::listing::Listing;

/// Who attaches, to what, and over which connection.
#[derive(Debug)]
pub struct Peer<'a, C> {
    /// The user's name; Linux sends an empty one when it attaches for a number.
    pub uname: &'a [u8],
    /// The user's number, where the dialect has one and the client gave it.
    pub n_uname: Option<Uid>,
    /// The tree asked for.
    pub aname: &'a [u8],
    /// What the connection speaks.
    pub dialect: Dialect,
    /// What the embedding server knows of the connection: a uid from SO_PEERCRED, a name from a certificate.
    pub context: &'a C,
}

/// An open file, and what the session should know of it.
#[derive(Debug)]
pub struct Opened<N, O> {
    /// The open file.
    pub file: O,
    /// The file that was really opened, where that is another (opening `clone` opens the new `ctl`).
    pub node: Option<N>,
    /// Whether reading may wait for something to happen: pipes, logs, devices. A clunk cancels a read that waits on
    /// such a file, reads and writes of it do not wait for each other, and a client that asks for the rest of a
    /// short read is told that there is none (see the session's documentation).
    pub is_stream: bool,
    /// The most that one read or write moves as one; 0 for what fits a frame.
    pub iounit: u32,
}

/// A change to a file's attributes; `None` leaves one alone. All of it happens, or nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SetAttr {
    /// Permission bits.
    pub mode: Option<Mode>,
    /// Owner.
    pub uid: Option<Uid>,
    /// Group.
    pub gid: Option<Gid>,
    /// Length.
    pub size: Option<u64>,
    /// Last access.
    pub atime: Option<SetTime>,
    /// Last change.
    pub mtime: Option<SetTime>,
    /// Touch the time of the last attribute change, and nothing else.
    pub ctime: bool,
}

impl SetAttr {
    /// Whether nothing is asked for.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What to set a time to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SetTime {
    /// The server's clock.
    Now,
    /// This.
    To(Time),
}

/// A lock on a range of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lock<'a> {
    /// Shared, exclusive, or none at all.
    pub kind: LockKind,
    /// Whether the client would wait.
    pub flags: LockFlags,
    /// First byte.
    pub start: u64,
    /// How many; 0 reaches to the end.
    pub length: u64,
    /// The process, in the client's numbers.
    pub proc_id: u32,
    /// The client.
    pub client_id: &'a [u8],
}

/// What stands in a lock's way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HeldLock {
    /// [`LockKind::UNLOCK`] where nothing does.
    pub kind: LockKind,
    /// First byte.
    pub start: u64,
    /// How many; 0 reaches to the end.
    pub length: u64,
    /// The process that holds it.
    pub proc_id: u32,
    /// Its client.
    pub client_id: Vec<u8>,
}

/// One name of a directory, as [`FileServer::readdir`] lists it.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// The file's identity.
    pub qid: Qid,
    /// Where reading continues after it; never 0, never above `i64::MAX`.
    pub offset: u64,
    /// What it is.
    pub kind: DirEntryKind,
    /// Its name.
    pub name: &'a [u8],
}

/// A tree of files.
///
/// A [`FileServer::Node`] is a file as a user reached it: it says which file, and on whose behalf it is used (what
/// `attach` found out goes along by `walk`). It is dropped when the last fid for it is clunked. A
/// [`FileServer::Open`] is one opening of a file; it is closed by [`FileServer::close`], and dropped afterwards, or
/// dropped alone when its connection ends.
///
/// # Order
/// The session never calls two operations of which one changes a fid that the other names at the same time, nor
/// two writes through one open file, nor (unless it is a stream) a read and a write. Everything else may overlap:
/// a `Later` is pending while other operations are called.
pub trait FileServer: Send + Sync + 'static {
    /// What the embedding server knows of a connection.
    type Context: Send + Sync + 'static;
    /// A file that a fid stands for. Cloned for every fid; make it cheap.
    type Node: Clone + Send + Sync + 'static;
    /// An open file.
    type Open: Send + Sync + 'static;

    /// The root of the tree that the peer asks for.
    fn attach<'a>(&'a self, peer: &'a Peer<'a, Self::Context>) -> Answer<'a, Self::Node>;

    /// A file's identity. It must be at hand.
    fn qid(&self, node: &Self::Node) -> Qid;

    /// The file of that name in a directory; `..` is the directory above, and at the root the root itself. No
    /// other name that the session passes is empty, `.`, or holds `/` or NUL.
    fn walk<'a>(&'a self, dir: &'a Self::Node, name: &'a [u8]) -> Answer<'a, Self::Node>;

    /// Opens a file, for reading too if it is a directory.
    fn open<'a>(
        &'a self,
        node: &'a Self::Node,
        flags: OpenFlags,
    ) -> Answer<'a, Opened<Self::Node, Self::Open>>;

    /// Makes a plain file and opens it; [`Opened::node`] must be the new file. `gid` may be [`Gid::NONE`]. Without
    /// [`OpenFlags::EXCL`] a file that exists is opened.
    fn create<'a>(
        &'a self,
        dir: &'a Self::Node,
        name: &'a [u8],
        flags: OpenFlags,
        mode: Mode,
        gid: Gid,
    ) -> Answer<'a, Opened<Self::Node, Self::Open>>;

    /// Reads into `buf`, which is the reply's own; gives the number of bytes, 0 at the end.
    fn read<'a>(&'a self, file: &'a Self::Open, offset: u64, buf: &'a mut [u8]) -> Answer<'a, usize>;

    /// What [`FileServer::read`] would give, in parts that the file shares instead of copying them; `None` where it
    /// does not. Asked for large reads of what is no stream; together no more than `count` bytes.
    fn read_shared(&self, file: &Self::Open, offset: u64, count: usize) -> Option<Vec<Bytes>> {
        let _ = (file, offset, count);
        None
    }

    /// Writes; gives the number of bytes.
    fn write<'a>(&'a self, file: &'a Self::Open, offset: u64, data: &'a [u8]) -> Answer<'a, usize>;

    /// Whether `file` keeps buffers that it is given, and then how long they are: see [`FileServer::write_buffers`].
    fn keeps_buffers(&self, file: &Self::Open) -> Option<usize> {
        let _ = file;
        None
    }

    /// An empty buffer for a file that keeps such, with the capacity that it likes best.
    fn buffer(&self) -> Vec<u8> {
        Vec::new()
    }

    /// [`FileServer::write`] for files that keep buffers: the parts follow each other, and those of the length that
    /// [`FileServer::keeps_buffers`] gave lie at multiples of it. Asked for large writes to what is no stream.
    fn write_buffers<'a>(
        &'a self,
        file: &'a Self::Open,
        offset: u64,
        parts: Vec<Vec<u8>>,
    ) -> Answer<'a, usize> {
        let _ = (file, offset, parts);
        Error::NOT_SUPPORTED.into()
    }

    /// Lists what follows `offset` (0, or an [`Entry::offset`]) into `into` until it is full or all is listed.
    /// `.` and `..` may be listed or left out.
    fn readdir<'a>(&'a self, dir: &'a Self::Open, offset: u64, into: &'a mut Listing) -> Answer<'a, ()>;

    /// A file's attributes, at least those in `mask` that it has. `file` is given if the fid is open.
    fn getattr<'a>(
        &'a self,
        node: &'a Self::Node,
        file: Option<&'a Self::Open>,
        mask: AttrMask,
    ) -> Answer<'a, Attr>;

    /// Changes attributes. `file` is given if the fid is open: ftruncate(2) asks the opening, truncate(2) the file.
    fn setattr<'a>(
        &'a self,
        node: &'a Self::Node,
        file: Option<&'a Self::Open>,
        change: SetAttr,
    ) -> Answer<'a, ()> {
        let _ = (node, file, change);
        Error::PERMISSION.into()
    }

    /// Makes a directory.
    fn mkdir<'a>(
        &'a self,
        dir: &'a Self::Node,
        name: &'a [u8],
        mode: Mode,
        gid: Gid,
    ) -> Answer<'a, Self::Node> {
        let _ = (dir, name, mode, gid);
        Error::PERMISSION.into()
    }

    /// Makes a symbolic link.
    fn symlink<'a>(
        &'a self,
        dir: &'a Self::Node,
        name: &'a [u8],
        target: &'a [u8],
        gid: Gid,
    ) -> Answer<'a, Self::Node> {
        let _ = (dir, name, target, gid);
        Error::PERMISSION.into()
    }

    /// Makes a device, a named pipe, a socket, or a plain file, as the mode's kind says.
    fn mknod<'a>(
        &'a self,
        dir: &'a Self::Node,
        name: &'a [u8],
        mode: Mode,
        device: (u32, u32),
        gid: Gid,
    ) -> Answer<'a, Self::Node> {
        let _ = (dir, name, mode, device, gid);
        Error::PERMISSION.into()
    }

    /// What a symbolic link says.
    fn readlink<'a>(&'a self, node: &'a Self::Node) -> Answer<'a, Vec<u8>> {
        let _ = node;
        Error::INVALID.into()
    }

    /// Gives a file another name.
    fn link<'a>(&'a self, dir: &'a Self::Node, node: &'a Self::Node, name: &'a [u8]) -> Answer<'a, ()> {
        let _ = (dir, node, name);
        Error::PERMISSION.into()
    }

    /// Renames by directories and names.
    fn rename_at<'a>(
        &'a self,
        old_dir: &'a Self::Node,
        old_name: &'a [u8],
        new_dir: &'a Self::Node,
        new_name: &'a [u8],
    ) -> Answer<'a, ()> {
        let _ = (old_dir, old_name, new_dir, new_name);
        Error::PERMISSION.into()
    }

    /// Renames the file that a fid stands for, into another directory or (`None`) within its own.
    fn rename<'a>(
        &'a self,
        node: &'a Self::Node,
        new_dir: Option<&'a Self::Node>,
        new_name: &'a [u8],
    ) -> Answer<'a, ()> {
        let _ = (node, new_dir, new_name);
        Error::NOT_SUPPORTED.into()
    }

    /// Removes a name; `directory` says which of unlink(2) and rmdir(2) is meant.
    fn unlink_at<'a>(&'a self, dir: &'a Self::Node, name: &'a [u8], directory: bool) -> Answer<'a, ()> {
        let _ = (dir, name, directory);
        Error::PERMISSION.into()
    }

    /// Removes the file that a fid stands for, be it a directory (empty) or not.
    fn remove<'a>(&'a self, node: &'a Self::Node) -> Answer<'a, ()> {
        let _ = node;
        Error::PERMISSION.into()
    }

    /// What the file system is.
    fn statfs<'a>(&'a self, node: &'a Self::Node) -> Answer<'a, StatFs> {
        let _ = node;
        // V9FS_MAGIC, what Linux shows for a mount that does not say.
        Answer::ok(StatFs { kind: 0x0102_1997, bsize: 4096, namelen: 255, ..StatFs::default() })
    }

    /// Waits until what was written is safe.
    fn fsync<'a>(&'a self, file: &'a Self::Open, data_only: bool) -> Answer<'a, ()> {
        let _ = (file, data_only);
        Answer::ok(())
    }

    /// Takes or releases a lock. A `Later` that waits for it ends with a clunk or a flush.
    fn lock<'a>(&'a self, file: &'a Self::Open, lock: Lock<'a>) -> Answer<'a, LockStatus> {
        let _ = (file, lock);
        Error::NOT_SUPPORTED.into()
    }

    /// What stands in a lock's way.
    fn getlock<'a>(&'a self, file: &'a Self::Open, lock: Lock<'a>) -> Answer<'a, HeldLock> {
        let _ = (file, lock);
        Error::NOT_SUPPORTED.into()
    }

    /// The value of an extended attribute.
    fn xattr_get<'a>(&'a self, node: &'a Self::Node, name: &'a [u8]) -> Answer<'a, Vec<u8>> {
        let _ = (node, name);
        Error::NOT_SUPPORTED.into()
    }

    /// The names of all extended attributes, a NUL after each.
    fn xattr_list<'a>(&'a self, node: &'a Self::Node) -> Answer<'a, Vec<u8>> {
        let _ = node;
        Error::NOT_SUPPORTED.into()
    }

    /// Sets an extended attribute.
    fn xattr_set<'a>(
        &'a self,
        node: &'a Self::Node,
        name: &'a [u8],
        value: &'a [u8],
        flags: XattrFlags,
    ) -> Answer<'a, ()> {
        let _ = (node, name, value, flags);
        Error::NOT_SUPPORTED.into()
    }

    /// Removes an extended attribute.
    fn xattr_remove<'a>(&'a self, node: &'a Self::Node, name: &'a [u8]) -> Answer<'a, ()> {
        let _ = (node, name);
        Error::NOT_SUPPORTED.into()
    }

    /// The name of a user, which 9P2000 shows in place of the number.
    fn user_name(&self, uid: Uid) -> Cow<'_, str> {
        Cow::Owned(uid.to_string())
    }

    /// The name of a group.
    fn group_name(&self, gid: Gid) -> Cow<'_, str> {
        Cow::Owned(gid.to_string())
    }

    /// The number of a user that 9P2000 names in a wstat.
    fn user_number(&self, name: &[u8]) -> Option<Uid> {
        number_of(name).map(Uid)
    }

    /// The number of a group.
    fn group_number(&self, name: &[u8]) -> Option<Gid> {
        number_of(name).map(Gid)
    }

    /// Whether reading this file shows the connections' messages ([`super::Messages`]): reads of it are not shown, since each
    /// would make the next.
    fn shows_messages(&self, file: &Self::Open) -> bool {
        let _ = file;
        false
    }

    /// The file's fid is clunked: the last chance to report an error. The open file is dropped afterwards. It is not
    /// called when a connection breaks; dropping has to do.
    fn close<'a>(&'a self, file: &'a Self::Open) -> Answer<'a, ()> {
        let _ = file;
        Answer::ok(())
    }
}
