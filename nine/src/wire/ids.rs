//! The numbers of the protocol, each a type of its own, so that a fid is never taken for a tag.

use std::fmt;

use bitflags::bitflags;

/// Which of the three protocols a connection speaks, fixed by Tversion.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Dialect {
    /// Plan 9's own: intro(5).
    P9P2000,
    /// The Unix extension: numeric ids, errno in errors, links and devices.
    P9P2000U,
    /// Linux's: the POSIX calls one by one.
    P9P2000L,
}

impl Dialect {
    /// All of them, the plainest first.
    pub const ALL: [Self; 3] = [Self::P9P2000, Self::P9P2000U, Self::P9P2000L];

    /// The version string of Tversion.
    pub fn version(self) -> &'static str {
        match self {
            Self::P9P2000 => "9P2000",
            Self::P9P2000U => "9P2000.u",
            Self::P9P2000L => "9P2000.L",
        }
    }

    /// The dialect that answers a version string. What stands before any of its periods is a version too, which may be the
    /// answer (version(5)): `9P2000.L` to `9P2000.L.Google.7`, `9P2000` to `9P2000.anything`.
    pub fn for_version(version: &[u8]) -> Option<Self> {
        let periods = version.iter().enumerate().rev().filter(|(_, byte)| **byte == b'.');
        let mut versions = std::iter::once(version).chain(periods.map(|(at, _)| &version[..at]));
        versions
            .find_map(|version| Self::ALL.into_iter().find(|dialect| dialect.version().as_bytes() == version))
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.version())
    }
}

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

number! {
    /// A client's name for a request; its reply carries the same.
    Tag(u16)
}
number! {
    /// A client's name for a file of the server.
    Fid(u32)
}
number! {
    /// The largest frame, header included.
    Msize(u32)
}
number! {
    /// A numeric user. [`Uid::NONE`] stands for "not given".
    Uid(u32)
}
number! {
    /// A numeric group. [`Gid::NONE`] stands for "not given".
    Gid(u32)
}

/// POSIX `st_mode`: the file's kind and its permission bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Mode(pub u32);

impl Tag {
    /// The tag of Tversion.
    pub const NONE: Self = Self(u16::MAX);
}

impl Fid {
    /// No fid: the afid of an attach without authentication.
    pub const NONE: Self = Self(u32::MAX);
}

impl Uid {
    /// `n_uname` where there is only a name, and "leave it" in wstat.
    pub const NONE: Self = Self(u32::MAX);
}

impl Gid {
    /// "Leave it" in wstat.
    pub const NONE: Self = Self(u32::MAX);
}

impl Mode {
    /// The bits of the file's kind.
    pub const KIND: u32 = 0o170_000;
    /// A directory.
    pub const DIRECTORY: u32 = 0o040_000;
    /// A plain file.
    pub const REGULAR: u32 = 0o100_000;
    /// A symbolic link.
    pub const SYMLINK: u32 = 0o120_000;
    /// A character device.
    pub const CHARACTER: u32 = 0o020_000;
    /// A block device.
    pub const BLOCK: u32 = 0o060_000;
    /// A named pipe.
    pub const FIFO: u32 = 0o010_000;
    /// A unix socket.
    pub const SOCKET: u32 = 0o140_000;

    /// The bits that say what kind of file it is.
    pub fn kind(self) -> u32 {
        self.0 & Self::KIND
    }

    /// The bits that chmod changes.
    pub fn permissions(self) -> u32 {
        self.0 & 0o7777
    }

    /// Whether it is a directory's mode.
    pub fn is_dir(self) -> bool {
        self.kind() == Self::DIRECTORY
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0{:o}", self.0)
    }
}

bitflags! {
    /// The type byte of a qid: the top byte of a 9P2000 mode.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
    pub struct QidKind: u8 {
        /// A directory.
        const DIR = 0x80;
        /// Writes go to the end whatever their offset.
        const APPEND = 0x40;
        /// One opener at a time.
        const EXCL = 0x20;
        /// A mounted channel.
        const MOUNT = 0x10;
        /// An authentication file.
        const AUTH = 0x08;
        /// Left out of backups.
        const TMP = 0x04;
        /// A symbolic link (.u and .L).
        const SYMLINK = 0x02;
        /// A hard link (.u).
        const LINK = 0x01;
        /// A kind that this library has no name for: every bit is kept.
        const _ = !0;
    }
}

/// What makes two files the same file: its kind, its version (0: never cache it) and its unique path number.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Qid {
    /// Directory, append-only and so on.
    pub kind: QidKind,
    /// Changes whenever the contents do; 0 for synthetic files.
    pub version: u32,
    /// Unique among all files of the server for as long as it lives.
    pub path: u64,
}

impl Qid {
    /// Bytes on the wire.
    pub const SIZE: usize = 13;

    /// Whether it is a directory's.
    pub fn is_dir(&self) -> bool {
        self.kind.contains(QidKind::DIR)
    }
}

impl fmt::Display for Qid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({:x} {} {:02x})", self.path, self.version, self.kind.bits())
    }
}
