//! How to open, rename, and set attributes: the flags of open(2), renameat2(2) and setxattr(2), as sets.

use bitflags::bitflags;

/// What lseek(2) looks for with SEEK_DATA and SEEK_HOLE. The end of a file is a hole.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Extent {
    Data,
    Hole,
}

bitflags! {
    /// open(2), as much of it as reaches a file server.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct OpenFlags: u32 {
        const READ = 1;
        const WRITE = 2;
        /// Plan 9's OEXEC: read a program in order to run it.
        const EXEC = 4;
        /// Every write goes to the end.
        const APPEND = 8;
        const TRUNCATE = 0x10;
        /// In `create`: fail where the name exists.
        const EXCLUSIVE = 0x20;
        /// Fail with ENOTDIR on anything but a directory.
        const DIRECTORY = 0x40;
        /// Do not wait: an operation that would block fails with EAGAIN.
        const NONBLOCK = 0x80;
        const SYNC = 0x100;
        /// Plan 9's ORCLOSE: remove when closed.
        const REMOVE_ON_CLOSE = 0x200;
        /// The last component may not be a symlink (O_NOFOLLOW).
        const NOFOLLOW = 0x400;
    }

    /// renameat2(2).
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct RenameFlags: u32 {
        const NOREPLACE = 1;
        const EXCHANGE = 2;
    }

    /// fallocate(2): with none of them, that later writes find their space, and the file ends behind it.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct Allocate: u32 {
        /// The file's size stays.
        const KEEP_SIZE = 1;
        /// The bytes become a hole; goes with KEEP_SIZE.
        const PUNCH_HOLE = 2;
        /// The bytes become zeroes, and have their space.
        const ZERO_RANGE = 0x10;
    }

    /// setxattr(2).
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct SetXattr: u32 {
        const CREATE = 1;
        const REPLACE = 2;
    }
}
