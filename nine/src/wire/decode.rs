//! Reading a frame: where it ends, and its fields one by one, never beyond what is there.

use thiserror::Error;

use super::{Dialect, HEADER};

/// Why bytes are not a message. Each names the fault; a server logs it and ends the connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum DecodeError {
    /// The size field is smaller than a header.
    #[error("a frame says it is {size} bytes long; the shortest is 7")]
    FrameTooShort {
        /// What the size field says.
        size: u32,
    },
    /// The size field is beyond the agreed msize.
    #[error("a frame says it is {size} bytes long; the agreed msize is {msize}")]
    FrameTooLong {
        /// What the size field says.
        size: u32,
        /// The largest frame agreed on.
        msize: u32,
    },
    /// The slice given is not as long as its size field says.
    #[error("a frame says it is {size} bytes long, but {len} bytes are there")]
    FrameLength {
        /// What the size field says.
        size: u32,
        /// The bytes given.
        len: usize,
    },
    /// An R-message where a request belongs.
    #[error("message type {kind} is a reply, sent as a request")]
    ReplyAsRequest {
        /// The type byte.
        kind: u8,
    },
    /// A T-message where a reply belongs.
    #[error("message type {kind} is a request, sent as a reply")]
    RequestAsReply {
        /// The type byte.
        kind: u8,
    },
    /// No dialect has such a message.
    #[error("message type {kind} is unknown")]
    UnknownType {
        /// The type byte.
        kind: u8,
    },
    /// Another dialect has it.
    #[error("{message} is no message of {dialect}")]
    NotInDialect {
        /// The message's name.
        message: &'static str,
        /// The dialect spoken.
        dialect: Dialect,
    },
    /// A field reaches beyond the frame's end.
    #[error("{message}: field {field} needs {need} bytes, {left} are left")]
    Truncated {
        /// The message's name.
        message: &'static str,
        /// The field's name.
        field: &'static str,
        /// What it needs.
        need: usize,
        /// What the frame has.
        left: usize,
    },
    /// Bytes after the last field.
    #[error("{message}: {extra} bytes after its last field")]
    Trailing {
        /// The message's name.
        message: &'static str,
        /// How many.
        extra: usize,
    },
    /// A walk of more than 16 names, or as many qids.
    #[error("{message}: {count} names; a walk has at most 16")]
    TooManyNames {
        /// The message's name.
        message: &'static str,
        /// How many it says.
        count: u16,
    },
    /// The two size fields of a stat do not agree with each other or with its content.
    #[error("{message}: a stat of {size} bytes whose content has another length")]
    StatSize {
        /// The message's name.
        message: &'static str,
        /// The size it says.
        size: u16,
    },
}

/// The length of the frame that `bytes` begin with, once its size field is there; it need not be there as a whole.
///
/// # Errors
/// A size that no frame has, or beyond `msize`: there is no way to find the next frame.
pub fn frame_size(bytes: &[u8], msize: u32) -> Result<Option<usize>, DecodeError> {
    let Some(size) = bytes.first_chunk::<4>() else { return Ok(None) };
    let size = u32::from_le_bytes(*size);
    if (size as usize) < HEADER {
        Err(DecodeError::FrameTooShort { size })
    } else if size > msize {
        Err(DecodeError::FrameTooLong { size, msize })
    } else {
        Ok(Some(size as usize))
    }
}

/// What is left of a frame's body, and where we are in it, for the error messages.
pub(super) struct Reader<'a> {
    left: &'a [u8],
    pub(super) dialect: Dialect,
    pub(super) message: &'static str,
    pub(super) field: &'static str,
}

impl<'a> Reader<'a> {
    pub(super) fn new(body: &'a [u8], dialect: Dialect, message: &'static str) -> Self {
        Self { left: body, dialect, message, field: "" }
    }

    pub(super) fn bytes(&mut self, need: usize) -> Result<&'a [u8], DecodeError> {
        let Some((taken, left)) = self.left.split_at_checked(need) else {
            return Err(DecodeError::Truncated {
                message: self.message,
                field: self.field,
                need,
                left: self.left.len(),
            });
        };
        self.left = left;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let taken = self.bytes(N)?;
        Ok(taken.try_into().expect("bytes() gives as many as were asked for"))
    }

    pub(super) fn u8(&mut self) -> Result<u8, DecodeError> {
        Ok(self.array::<1>()?[0])
    }

    pub(super) fn u16(&mut self) -> Result<u16, DecodeError> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, DecodeError> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, DecodeError> {
        self.array().map(u64::from_le_bytes)
    }

    /// `s[2]` and that many bytes.
    pub(super) fn string(&mut self) -> Result<&'a [u8], DecodeError> {
        let len = self.u16()?;
        self.bytes(len.into())
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        self.left
    }

    pub(super) fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    pub(super) fn finish(self) -> Result<(), DecodeError> {
        if self.left.is_empty() {
            Ok(())
        } else {
            Err(DecodeError::Trailing { message: self.message, extra: self.left.len() })
        }
    }
}

/// A frame's type byte, tag and body.
pub(super) fn open_frame(frame: &[u8]) -> Result<(u8, super::Tag, &[u8]), DecodeError> {
    let len = frame.len();
    match frame_size(frame, u32::MAX)? {
        Some(size) if size == len => {}
        Some(size) => return Err(DecodeError::FrameLength { size: size as u32, len }),
        None => return Err(DecodeError::FrameLength { size: 0, len }),
    }
    let tag = u16::from_le_bytes([frame[5], frame[6]]);
    Ok((frame[4], super::Tag(tag), &frame[HEADER..]))
}
