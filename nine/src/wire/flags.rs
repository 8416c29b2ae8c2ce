//! Flag words of the messages. Bits without a name here are kept, for the other side may know them.

use super::Dialect;
use bitflags::bitflags;
use std::fmt;

macro_rules! hex_display {
    ($($name:ident)*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:#x}", self.bits())
            }
        }
    )*};
}

bitflags! {
    /// Tlopen and Tlcreate: Linux's open(2) flags in their x86 numbers, whatever the machine.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
    pub struct OpenFlags: u32 {
        /// Write only (with [`OpenFlags::RDWR`] unset). Read only is 0.
        const WRONLY = 0o1;
        /// Read and write.
        const RDWR = 0o2;
        /// Make the file if it is not there.
        const CREAT = 0o100;
        /// Fail if it is there.
        const EXCL = 0o200;
        /// No controlling terminal.
        const NOCTTY = 0o400;
        /// Empty the file.
        const TRUNC = 0o1000;
        /// Writes go to the end.
        const APPEND = 0o2000;
        /// Fail instead of waiting.
        const NONBLOCK = 0o4000;
        /// Data is on the disk before a write returns.
        const DSYNC = 0o10000;
        /// Signals on readiness.
        const FASYNC = 0o20000;
        /// Around the page cache.
        const DIRECT = 0o40000;
        /// Offsets are 64 bits.
        const LARGEFILE = 0o100000;
        /// Fail unless it is a directory.
        const DIRECTORY = 0o200000;
        /// Fail on a symbolic link.
        const NOFOLLOW = 0o400000;
        /// Leave atime alone.
        const NOATIME = 0o1000000;
        /// Close on exec.
        const CLOEXEC = 0o2000000;
        /// Data and metadata are on the disk before a write returns (with DSYNC).
        const SYNC = 0o4000000;
        const _ = !0;
    }

    /// Topen and Tcreate of 9P2000 and .u: open(5).
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
    pub struct OpenMode: u8 {
        /// Write only (OREAD is 0).
        const WRITE = 1;
        /// Read and write.
        const RDWR = 2;
        /// Execute: reading, with execute permission. It is both lower bits.
        const EXEC = 3;
        /// Empty the file.
        const TRUNC = 0x10;
        /// Remove it when the fid is clunked.
        const RCLOSE = 0x40;
        /// Writes go to the end. Of .u only, where Linux's client says so.
        const APPEND = 0x80;
        const _ = !0;
    }

    /// The mode word of a 9P2000 stat: stat(5), with the kinds that .u adds.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
    pub struct Perm: u32 {
        /// A directory.
        const DIR = 0x8000_0000;
        /// Append only.
        const APPEND = 0x4000_0000;
        /// Exclusive use.
        const EXCL = 0x2000_0000;
        /// A mounted channel.
        const MOUNT = 0x1000_0000;
        /// An authentication file.
        const AUTH = 0x0800_0000;
        /// Not backed up.
        const TMP = 0x0400_0000;
        /// .u: a symbolic link.
        const SYMLINK = 0x0200_0000;
        /// .u: a hard link (in Tcreate).
        const LINK = 0x0100_0000;
        /// .u: a device.
        const DEVICE = 0x0080_0000;
        /// .u: a named pipe.
        const NAMEDPIPE = 0x0020_0000;
        /// .u: a socket.
        const SOCKET = 0x0010_0000;
        /// .u: set-uid.
        const SETUID = 0x0008_0000;
        /// .u: set-gid.
        const SETGID = 0x0004_0000;
        /// .u: sticky (Linux's client names it so).
        const SETVTX = 0x0001_0000;
        const _ = !0;
    }

    /// Tgetattr's request mask and Rgetattr's valid mask.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
    pub struct AttrMask: u64 {
        /// Kind and permissions.
        const MODE = 0x1;
        /// Number of links.
        const NLINK = 0x2;
        /// Owner.
        const UID = 0x4;
        /// Group.
        const GID = 0x8;
        /// Device number of a device.
        const RDEV = 0x10;
        /// Last access.
        const ATIME = 0x20;
        /// Last change of contents.
        const MTIME = 0x40;
        /// Last change of attributes.
        const CTIME = 0x80;
        /// Inode number: qid.path.
        const INO = 0x100;
        /// Length.
        const SIZE = 0x200;
        /// 512-byte blocks used.
        const BLOCKS = 0x400;
        /// Time of birth.
        const BTIME = 0x800;
        /// Generation.
        const GEN = 0x1000;
        /// Data version.
        const DATA_VERSION = 0x2000;
        /// What stat(2) shows.
        const BASIC = 0x7ff;
        /// Everything.
        const ALL = 0x3fff;
        const _ = !0;
    }

    /// Tsetattr's valid mask.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
    pub struct SetAttrMask: u32 {
        /// Set the permission bits.
        const MODE = 0x1;
        /// Set the owner.
        const UID = 0x2;
        /// Set the group.
        const GID = 0x4;
        /// Set the length.
        const SIZE = 0x8;
        /// Set atime: to the server's now, or to what is given with [`SetAttrMask::ATIME_SET`].
        const ATIME = 0x10;
        /// Set mtime: to the server's now, or to what is given with [`SetAttrMask::MTIME_SET`].
        const MTIME = 0x20;
        /// Touch ctime.
        const CTIME = 0x40;
        /// atime is given.
        const ATIME_SET = 0x80;
        /// mtime is given.
        const MTIME_SET = 0x100;
        const _ = !0;
    }

    /// Tlock's flags.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
    pub struct LockFlags: u32 {
        /// The client is ready to wait.
        const BLOCK = 1;
        /// Reclaim after a server's restart.
        const RECLAIM = 2;
        const _ = !0;
    }

    /// Tunlinkat's flags.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
    pub struct UnlinkFlags: u32 {
        /// It is a directory that goes (AT_REMOVEDIR).
        const REMOVEDIR = 0x200;
        const _ = !0;
    }

    /// Txattrcreate's flags: setxattr(2).
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
    pub struct XattrFlags: u32 {
        /// Fail if the attribute is there.
        const CREATE = 1;
        /// Fail if it is not.
        const REPLACE = 2;
        const _ = !0;
    }

    /// Tfsync's datasync word.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
    pub struct FsyncKind: u32 {
        /// fdatasync: attributes that reading the data does not need may wait.
        const DATA_ONLY = 1;
        const _ = !0;
    }
}

hex_display!(OpenFlags OpenMode Perm AttrMask SetAttrMask LockFlags UnlinkFlags XattrFlags FsyncKind);

impl OpenFlags {
    /// Whether data may be read through such an open file.
    pub fn reads(self) -> bool {
        !self.contains(Self::WRONLY)
    }

    /// Whether data may be written through such an open file. O_ACCMODE 3 is Linux's oddity: neither, here.
    pub fn writes(self) -> bool {
        matches!(self.bits() & 3, 1 | 2)
    }
}

impl OpenMode {
    /// The two bits of OREAD, OWRITE, ORDWR, OEXEC.
    pub fn access(self) -> u8 {
        self.bits() & 3
    }

    /// The same request in .L's words.
    pub fn to_flags(self, dialect: Dialect) -> OpenFlags {
        let mut flags = match self.access() {
            1 => OpenFlags::WRONLY,
            2 => OpenFlags::RDWR,
            _ => OpenFlags::empty(),
        };
        flags.set(OpenFlags::TRUNC, self.contains(Self::TRUNC));
        // Linux with a cache that is written back opens all that is written for reading too, and sends pages where they belong by what
        // was opened to append: what is told then counts.
        let appends = self.contains(Self::APPEND) && self.access() == 1;
        flags.set(OpenFlags::APPEND, appends && dialect == Dialect::P9P2000U);
        flags
    }
}
