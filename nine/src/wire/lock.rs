//! The words of Tlock and Tgetlock: POSIX record locks.

use std::fmt;

use super::decode::{DecodeError, Reader};
use super::encode::{Sink, Writer};
use super::field::{Field, Name};

/// What lock is asked for, or held. A byte without a name here is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LockKind(pub u8);

impl LockKind {
    /// Shared.
    pub const READ: Self = Self(0);
    /// Exclusive.
    pub const WRITE: Self = Self(1);
    /// None: release it.
    pub const UNLOCK: Self = Self(2);
}

/// How a Tlock ended. A byte without a name here is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LockStatus(pub u8);

impl LockStatus {
    /// Granted.
    pub const SUCCESS: Self = Self(0);
    /// Another holds it: ask again.
    pub const BLOCKED: Self = Self(1);
    /// Refused.
    pub const ERROR: Self = Self(2);
    /// The server has just started and waits for reclaims.
    pub const GRACE: Self = Self(3);
}

macro_rules! byte {
    ($($name:ident)*) => {$(
        impl<'a> Field<'a> for $name {
            fn take(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
                r.u8().map(Self)
            }

            fn put<S: Sink>(&self, w: &mut Writer<'_, S>) {
                w.bytes(&[self.0]);
            }

            fn words(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    )*};
}

byte!(LockKind LockStatus);

/// A range of a file and who locks it. A length of 0 reaches to the end of the file.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LockedRange<'a> {
    /// First byte.
    pub start: u64,
    /// How many bytes.
    pub length: u64,
    /// The process, in the client's numbers.
    pub proc_id: u32,
    /// The client.
    pub client_id: &'a [u8],
}

impl<'a> Field<'a> for LockedRange<'a> {
    fn take(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self { start: r.u64()?, length: r.u64()?, proc_id: r.u32()?, client_id: r.string()? })
    }

    fn put<S: Sink>(&self, w: &mut Writer<'_, S>) {
        w.bytes(&self.start.to_le_bytes());
        w.bytes(&self.length.to_le_bytes());
        w.bytes(&self.proc_id.to_le_bytes());
        w.string(self.client_id);
    }

    fn words(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{} of process {} on {}", self.start, self.length, self.proc_id, Name(self.client_id))
    }
}
