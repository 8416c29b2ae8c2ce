//! A file's name in its directory: bytes, as POSIX has them, checked once where they come in.

use crate::{Errno, Error, Result};
use std::fmt;
use std::ops::Deref;

/// One component of a path: 1 to 255 bytes, no `/` and no NUL, neither `.` nor `..`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name<'a>(&'a [u8]);

impl<'a> Name<'a> {
    /// The longest name (NAME_MAX), in bytes.
    pub const MAX: usize = 255;

    pub fn new(bytes: &'a [u8]) -> Result<Name<'a>> {
        match bytes {
            b"" => Err(Error::new(Errno::ENOENT, "empty file name")),
            b"." | b".." => Err(Error::new(Errno::EINVAL, "not a file name: . or ..")),
            _ if bytes.len() > Name::MAX => Err(Errno::ENAMETOOLONG.into()),
            _ if bytes.iter().any(|b| *b == b'/' || *b == 0) => Err(Error::new(
                Errno::EINVAL,
                format!("bad character in file name {:?}", bytes.escape_ascii().to_string()),
            )),
            _ => Ok(Name(bytes)),
        }
    }
    /// What was taken from a [`Name`] before: a tree need not check its own names again.
    pub(crate) fn known(bytes: &'a [u8]) -> Name<'a> {
        debug_assert!(Name::new(bytes).is_ok());
        Name(bytes)
    }
    pub fn as_bytes(self) -> &'a [u8] {
        self.0
    }
    /// The name where it is UTF-8: synthetic trees know no others.
    pub fn as_str(self) -> Option<&'a str> {
        std::str::from_utf8(self.0).ok()
    }
    pub fn to_owned(self) -> NameBuf {
        NameBuf(self.0.into())
    }
}

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        String::from_utf8_lossy(self.0).fmt(f)
    }
}

impl fmt::Debug for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

/// A [`Name`] that owns its bytes; cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NameBuf(std::sync::Arc<[u8]>);

impl NameBuf {
    pub fn as_name(&self) -> Name<'_> {
        Name(&self.0)
    }
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl std::borrow::Borrow<[u8]> for NameBuf {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl Deref for NameBuf {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for NameBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_name().fmt(f)
    }
}

impl fmt::Debug for NameBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_name().fmt(f)
    }
}
