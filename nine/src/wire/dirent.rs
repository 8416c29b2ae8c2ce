//! The entries of an Rreaddir: `qid[13] offset[8] type[1] name[s]`.

use super::Dialect;
use super::decode::{DecodeError, Reader};
use super::encode::{EncodeError, Sink, Writer};
use super::field::Field;
use super::ids::{Mode, Qid};

/// Linux's `d_type`. A byte without a name here is kept.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct DirEntryKind(pub u8);

impl DirEntryKind {
    /// Not said: the reader has to ask.
    pub const UNKNOWN: Self = Self(0);
    /// A directory.
    pub const DIRECTORY: Self = Self(4);
    /// A plain file.
    pub const REGULAR: Self = Self(8);
    /// A symbolic link.
    pub const SYMLINK: Self = Self(10);

    /// The kind that a mode's kind bits say.
    pub fn of(mode: Mode) -> Self {
        // DT_* are the kind bits of st_mode, shifted down: IFTODT in dirent.h.
        Self((mode.kind() >> 12) as u8)
    }
}

/// One name of a directory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DirEntry<'a> {
    /// The file's identity.
    pub qid: Qid,
    /// Where the next read continues to get what follows this entry. Never 0.
    pub offset: u64,
    /// What it is.
    pub kind: DirEntryKind,
    /// Its name.
    pub name: &'a [u8],
}

impl DirEntry<'_> {
    /// Bytes on the wire.
    pub fn encoded_len(&self) -> usize {
        Qid::SIZE + 8 + 1 + 2 + self.name.len()
    }
}

/// Appends one entry.
///
/// # Errors
/// A name longer than 65535 bytes; nothing is written then.
pub fn put_entry(entry: &DirEntry<'_>, out: &mut impl Sink) -> Result<(), EncodeError> {
    let mut w = Writer::bare(out, Dialect::P9P2000L, "Rreaddir");
    entry.qid.put(&mut w);
    entry.offset.put(&mut w);
    w.bytes(&[entry.kind.0]);
    w.field = "name";
    w.string(entry.name);
    w.finish_bare()
}

/// The entries in the data of an Rreaddir.
#[derive(Clone, Copy, Debug)]
pub struct DirEntries<'a> {
    data: &'a [u8],
}

impl<'a> DirEntries<'a> {
    /// Reads `data`, which an Rreaddir brought.
    pub fn new(data: &'a [u8]) -> Self {
        Self { data }
    }
}

impl<'a> Iterator for DirEntries<'a> {
    type Item = Result<DirEntry<'a>, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.data.is_empty() {
            return None;
        }
        let mut r = Reader::new(self.data, Dialect::P9P2000L, "Rreaddir");
        let mut entry = || {
            r.field = "qid";
            let qid = Qid::take(&mut r)?;
            r.field = "offset";
            let offset = r.u64()?;
            r.field = "type";
            let kind = DirEntryKind(r.u8()?);
            r.field = "name";
            Ok(DirEntry { qid, offset, kind, name: r.string()? })
        };
        let entry = entry();
        // After a fault there is no telling where the next entry starts.
        self.data = if entry.is_ok() { r.rest() } else { &[] };
        Some(entry)
    }
}
