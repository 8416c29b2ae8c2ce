//! The codec: bytes to messages and back, for the three dialects, without any I/O.
//!
//! A frame is `size[4] type[1] tag[2] body`, little-endian, its size counting itself (intro(5)). [`frame_size`]
//! finds where a frame ends, [`Tmessage::decode`] and [`Rmessage::decode`] read one, their `encode` writes one.
//! Decoding borrows: names and data are slices of the frame. Every length is checked against what is left of the
//! frame, and what does not fit exactly is an error that says what was wrong; nothing here panics on any input.
//!
//! What the numbers mean to a file server is left to [`crate::server`] and [`crate::client`].

#![forbid(unsafe_code)]

mod attr;
mod decode;
mod dirent;
mod encode;
mod field;
mod flags;
mod ids;
mod lock;
mod message;
mod names;
mod stat;

pub use attr::{Attr, SetAttrFields, StatFs, Time};
pub use decode::{DecodeError, frame_size};
pub use dirent::{DirEntries, DirEntry, DirEntryKind, put_entry};
pub use encode::{EncodeError, Sink};
pub use field::{Data, DotlError, Extension, Later, Name, UnixErrno};
pub use flags::{
    AttrMask, FsyncKind, LockFlags, OpenFlags, OpenMode, Perm, SetAttrMask, UnlinkFlags, XattrFlags,
};
pub use ids::{Dialect, Fid, Gid, Mode, Msize, Qid, QidKind, Tag, Uid};
pub use lock::{LockKind, LockStatus, LockedRange};
pub use message::{Rmessage, Tmessage};
pub use names::{MAX_NAMES, Names, NamesBuf, QidList, TooManyNames};
pub use stat::{OwnedStat, Stat};

/// The bytes of `size[4] type[1] tag[2]`.
pub const HEADER: usize = 7;
/// What an Rread is longer than its data: the header and `count[4]`.
pub const READ_OVERHEAD: usize = HEADER + 4;
/// What a Twrite is longer than its data: the header, `fid[4] offset[8] count[4]` (Plan 9's IOHDRSZ is a byte more).
pub const WRITE_OVERHEAD: usize = HEADER + 16;
/// The room for headers that an msize should have beyond its data; Linux uses the same figure.
pub const IO_HEADER: u32 = 24;
