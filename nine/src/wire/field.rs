//! How each kind of field is read, written and shown. One implementation a type; the messages are lists of fields.

use std::fmt;

use super::decode::{DecodeError, Reader};
use super::encode::{Sink, Writer};
use super::flags::*;
use super::ids::*;

pub(super) trait Field<'a>: Sized {
    fn take(r: &mut Reader<'a>) -> Result<Self, DecodeError>;
    fn put<S: Sink>(&self, w: &mut Writer<'_, S>);
    /// How a trace shows it, after the field's name.
    fn words(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result;
}

/// A string of the protocol: bytes, for Linux sends whatever a file may be called.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Name<'a>(pub &'a [u8]);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}'", self.0.escape_ascii())
    }
}

/// The data of a read or a write. A trace shows only its length.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Data<'a>(pub &'a [u8]);

/// A field that 9P2000.u added to a message; `None` on the wire of plain 9P2000.
///
/// Written without a value where the dialect wants one, it is an empty string, errno 0, or [`Uid::NONE`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Extension<T>(pub Option<T>);

/// A field that came to the end of a message later than the message: clients from before leave it out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Later<T>(pub Option<T>);

/// The errno of a .u Rerror: Linux's numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct UnixErrno(pub u32);

/// The errno of an Rlerror: Linux's numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct DotlError(pub u32);

/// What an extension is where nobody gave a value.
pub(super) trait Absent {
    const ABSENT: Self;
}

impl Absent for Uid {
    const ABSENT: Self = Self::NONE;
}

impl Absent for UnixErrno {
    const ABSENT: Self = Self(0);
}

impl Absent for Name<'_> {
    const ABSENT: Self = Self(&[]);
}

impl<'a, T: Field<'a> + Absent> Field<'a> for Extension<T> {
    fn take(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        match r.dialect {
            Dialect::P9P2000 => Ok(Self(None)),
            Dialect::P9P2000U | Dialect::P9P2000L => T::take(r).map(|value| Self(Some(value))),
        }
    }

    fn put<S: Sink>(&self, w: &mut Writer<'_, S>) {
        if w.dialect != Dialect::P9P2000 {
            self.0.as_ref().unwrap_or(&T::ABSENT).put(w);
        }
    }

    fn words(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(value) => value.words(f),
            None => f.write_str("-"),
        }
    }
}

impl<'a, T: Field<'a>> Field<'a> for Later<T> {
    fn take(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        if r.is_empty() {
            return Ok(Self(None));
        }
        T::take(r).map(|value| Self(Some(value)))
    }

    fn put<S: Sink>(&self, w: &mut Writer<'_, S>) {
        if let Some(value) = &self.0 {
            value.put(w);
        }
    }

    fn words(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(value) => value.words(f),
            None => f.write_str("-"),
        }
    }
}

impl<'a> Field<'a> for Name<'a> {
    fn take(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        r.string().map(Self)
    }

    fn put<S: Sink>(&self, w: &mut Writer<'_, S>) {
        w.string(self.0);
    }

    fn words(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<'a> Field<'a> for Data<'a> {
    fn take(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let count = r.u32()?;
        r.bytes(count as usize).map(Self)
    }

    fn put<S: Sink>(&self, w: &mut Writer<'_, S>) {
        // A slice beyond 4 GiB makes the whole frame too long, which ends in an error: the cast is never sent.
        w.bytes(&(self.0.len() as u32).to_le_bytes());
        w.bytes(self.0);
    }

    fn words(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({} bytes)", self.0.len())
    }
}

/// Types that are one little-endian integer.
macro_rules! integer {
    ($kind:ident: $($name:ty => $wrap:expr, $unwrap:expr;)*) => {$(
        impl<'a> Field<'a> for $name {
            fn take(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
                r.$kind().map($wrap)
            }

            fn put<S: Sink>(&self, w: &mut Writer<'_, S>) {
                let bits: $kind = $unwrap(*self);
                w.bytes(&bits.to_le_bytes());
            }

            fn words(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    )*};
}

integer! {
    u8:
    OpenMode => OpenMode::from_bits_retain, |m: OpenMode| m.bits();
}

integer! {
    u16:
    Tag => Tag, |t: Tag| t.0;
}

integer! {
    u32:
    u32 => |n| n, |n| n;
    Msize => Msize, |n: Msize| n.0;
    Fid => Fid, |n: Fid| n.0;
    Uid => Uid, |n: Uid| n.0;
    Gid => Gid, |n: Gid| n.0;
    Mode => Mode, |n: Mode| n.0;
    UnixErrno => UnixErrno, |n: UnixErrno| n.0;
    DotlError => DotlError, |n: DotlError| n.0;
    OpenFlags => OpenFlags::from_bits_retain, |n: OpenFlags| n.bits();
    Perm => Perm::from_bits_retain, |n: Perm| n.bits();
    SetAttrMask => SetAttrMask::from_bits_retain, |n: SetAttrMask| n.bits();
    LockFlags => LockFlags::from_bits_retain, |n: LockFlags| n.bits();
    UnlinkFlags => UnlinkFlags::from_bits_retain, |n: UnlinkFlags| n.bits();
    XattrFlags => XattrFlags::from_bits_retain, |n: XattrFlags| n.bits();
    FsyncKind => FsyncKind::from_bits_retain, |n: FsyncKind| n.bits();
}

integer! {
    u64:
    u64 => |n| n, |n| n;
    AttrMask => AttrMask::from_bits_retain, |n: AttrMask| n.bits();
}

impl fmt::Display for UnixErrno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Display for DotlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl<'a> Field<'a> for Qid {
    fn take(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self { kind: QidKind::from_bits_retain(r.u8()?), version: r.u32()?, path: r.u64()? })
    }

    fn put<S: Sink>(&self, w: &mut Writer<'_, S>) {
        w.bytes(&[self.kind.bits()]);
        w.bytes(&self.version.to_le_bytes());
        w.bytes(&self.path.to_le_bytes());
    }

    fn words(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
