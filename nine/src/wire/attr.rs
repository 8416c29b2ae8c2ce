//! Attributes of a file in .L's words: Rgetattr, Tsetattr, Rstatfs.

use std::fmt;

use super::decode::{DecodeError, Reader};
use super::encode::{Sink, Writer};
use super::field::Field;
use super::flags::{AttrMask, SetAttrMask};
use super::ids::{Gid, Mode, Qid, Uid};

/// A point in time since 1970.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Time {
    /// Seconds; times before 1970 are the two's complement.
    pub sec: u64,
    /// Nanoseconds, below 10^9.
    pub nsec: u64,
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:09}", self.sec, self.nsec)
    }
}

macro_rules! record {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $type,)*
        }

        impl<'a> Field<'a> for $name {
            fn take(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
                $(r.field = stringify!($field); let $field = <$type>::take(r)?;)*
                Ok(Self { $($field),* })
            }

            fn put<S: Sink>(&self, w: &mut Writer<'_, S>) {
                $(self.$field.put(w);)*
            }

            fn words(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("(")?;
                let mut gap = "";
                $(write!(f, "{gap}{} ", stringify!($field))?; self.$field.words(f)?; gap = " ";)*
                let _ = gap;
                f.write_str(")")
            }
        }
    };
}

impl<'a> Field<'a> for Time {
    fn take(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self { sec: r.u64()?, nsec: r.u64()? })
    }

    fn put<S: Sink>(&self, w: &mut Writer<'_, S>) {
        w.bytes(&self.sec.to_le_bytes());
        w.bytes(&self.nsec.to_le_bytes());
    }

    fn words(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

record! {
    /// What Rgetattr says of a file.
    Attr {
        /// Which of the fields below hold something.
        valid: AttrMask,
        /// The file's identity.
        qid: Qid,
        /// Kind and permissions.
        mode: Mode,
        /// Owner.
        uid: Uid,
        /// Group.
        gid: Gid,
        /// Number of links.
        nlink: u64,
        /// What device it is, as Linux's `new_encode_dev` packs it.
        rdev: u64,
        /// Length in bytes; 0 for synthetic files.
        size: u64,
        /// The best size of a transfer.
        blksize: u64,
        /// 512-byte blocks used.
        blocks: u64,
        /// Last access.
        atime: Time,
        /// Last change of the contents.
        mtime: Time,
        /// Last change of the attributes.
        ctime: Time,
        /// Birth.
        btime: Time,
        /// Generation (reserved).
        generation: u64,
        /// Data version (reserved).
        data_version: u64,
    }
}

record! {
    /// What Tsetattr asks for.
    SetAttrFields {
        /// Which of the fields below are meant.
        valid: SetAttrMask,
        /// Permissions.
        mode: Mode,
        /// Owner.
        uid: Uid,
        /// Group.
        gid: Gid,
        /// Length.
        size: u64,
        /// Last access, with [`SetAttrMask::ATIME_SET`].
        atime: Time,
        /// Last change, with [`SetAttrMask::MTIME_SET`].
        mtime: Time,
    }
}

record! {
    /// What statfs(2) says of a file system.
    StatFs {
        /// Magic number of the kind of file system.
        kind: u32,
        /// Size of a block.
        bsize: u32,
        /// Blocks.
        blocks: u64,
        /// Free blocks.
        bfree: u64,
        /// Blocks free for users.
        bavail: u64,
        /// Files.
        files: u64,
        /// Free file slots.
        ffree: u64,
        /// Identity of the file system.
        fsid: u64,
        /// The longest name.
        namelen: u32,
    }
}
