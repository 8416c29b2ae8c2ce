//! Writing a frame into whatever collects bytes.

use thiserror::Error;

use super::{Dialect, HEADER, Tag};

/// Where encoded frames go: a `Vec<u8>`, or a buffer of one's own.
pub trait Sink {
    /// Appends bytes.
    fn put(&mut self, bytes: &[u8]);
    /// How many bytes there are.
    fn position(&self) -> usize;
    /// Overwrites bytes that are there.
    fn patch(&mut self, at: usize, bytes: &[u8]);
    /// Takes back everything from `at` on.
    fn rewind(&mut self, at: usize);
}

impl Sink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }

    fn position(&self) -> usize {
        self.len()
    }

    fn patch(&mut self, at: usize, bytes: &[u8]) {
        self[at..at + bytes.len()].copy_from_slice(bytes);
    }

    fn rewind(&mut self, at: usize) {
        self.truncate(at);
    }
}

/// A message that no frame can hold. Nothing has been written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum EncodeError {
    /// A string longer than its 16-bit length can say.
    #[error("{message}: field {field} is {len} bytes long; the most is 65535")]
    StringTooLong {
        /// The message's name.
        message: &'static str,
        /// The field's name.
        field: &'static str,
        /// Its length.
        len: usize,
    },
    /// More than a frame's 32-bit size can say.
    #[error("{message}: {len} bytes; a frame has at most 4294967295")]
    FrameTooLong {
        /// The message's name.
        message: &'static str,
        /// Its length.
        len: usize,
    },
    /// The dialect has no such message.
    #[error("{message} is no message of {dialect}")]
    NotInDialect {
        /// The message's name.
        message: &'static str,
        /// The dialect spoken.
        dialect: Dialect,
    },
}

/// A frame being written. The first fault is remembered and ends it in [`Writer::finish`].
pub(super) struct Writer<'w, S> {
    out: &'w mut S,
    start: usize,
    fault: Option<EncodeError>,
    pub(super) dialect: Dialect,
    pub(super) message: &'static str,
    pub(super) field: &'static str,
}

impl<'w, S: Sink> Writer<'w, S> {
    pub(super) fn begin(out: &'w mut S, dialect: Dialect, message: &'static str, kind: u8, tag: Tag) -> Self {
        let start = out.position();
        let [low, high] = tag.0.to_le_bytes();
        out.put(&[0, 0, 0, 0, kind, low, high]);
        Self { out, start, fault: None, dialect, message, field: "" }
    }

    /// For what is not a whole frame: a stat, an entry.
    pub(super) fn bare(out: &'w mut S, dialect: Dialect, message: &'static str) -> Self {
        let start = out.position();
        Self { out, start, fault: None, dialect, message, field: "" }
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.out.put(bytes);
    }

    pub(super) fn string(&mut self, bytes: &[u8]) {
        match u16::try_from(bytes.len()) {
            Ok(len) => {
                self.bytes(&len.to_le_bytes());
                self.bytes(bytes);
            }
            Err(_) => {
                self.fail(EncodeError::StringTooLong {
                    message: self.message,
                    field: self.field,
                    len: bytes.len(),
                });
            }
        }
    }

    /// A 16-bit length to be filled in by [`Writer::close_u16`].
    pub(super) fn open_u16(&mut self) -> usize {
        let at = self.out.position();
        self.bytes(&[0, 0]);
        at
    }

    pub(super) fn close_u16(&mut self, at: usize) {
        let len = self.out.position() - at - 2;
        match u16::try_from(len) {
            Ok(len) => self.out.patch(at, &len.to_le_bytes()),
            Err(_) => {
                let (message, field) = (self.message, self.field);
                self.fail(EncodeError::StringTooLong { message, field, len });
            }
        }
    }

    pub(super) fn fail(&mut self, fault: EncodeError) {
        self.fault.get_or_insert(fault);
    }

    fn end(self, framed: bool) -> Result<(), EncodeError> {
        let len = self.out.position() - self.start;
        let fault = match (self.fault, u32::try_from(len)) {
            (Some(fault), _) => fault,
            (None, Err(_)) => EncodeError::FrameTooLong { message: self.message, len },
            (None, Ok(size)) => {
                if framed {
                    self.out.patch(self.start, &size.to_le_bytes());
                }
                return Ok(());
            }
        };
        self.out.rewind(self.start);
        Err(fault)
    }

    pub(super) fn finish(self) -> Result<(), EncodeError> {
        debug_assert!(self.out.position() - self.start >= HEADER);
        self.end(true)
    }

    pub(super) fn finish_bare(self) -> Result<(), EncodeError> {
        self.end(false)
    }
}
