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
    /// What was taken from a [`Name`] before, or from a listing of the kernel's, where it may be longer: a tree need not check
    /// its own names again.
    pub(crate) fn known(bytes: &'a [u8]) -> Name<'a> {
        debug_assert!(!bytes.is_empty() && !bytes.contains(&b'/') && !bytes.contains(&0));
        Name(bytes)
    }
    /// The name that `path` ends in, and the way to it. None where it ends in no name.
    #[inline]
    pub(crate) fn last_of(path: &'a [u8]) -> Option<(&'a [u8], Name<'a>)> {
        // Looking for the slash, every byte of the name is seen.
        let at = path.iter().rposition(|b| *b == b'/' || *b == 0).map_or(0, |at| at + 1);
        let (way, name) = path.split_at(at);
        let is_name = !matches!(name, b"" | b"." | b"..") && name.len() <= Name::MAX;
        (is_name && !way.ends_with(b"\0")).then_some((way, Name(name)))
    }
    pub fn as_bytes(self) -> &'a [u8] {
        self.0
    }
    /// The name where it is UTF-8: synthetic trees know no others.
    pub fn as_str(self) -> Option<&'a str> {
        std::str::from_utf8(self.0).ok()
    }
    pub fn to_owned(self) -> NameBuf {
        let len = self.0.len();
        let mut bytes = [0; SHORT];
        match bytes.get_mut(..len) {
            Some(start) => {
                start.copy_from_slice(self.0);
                NameBuf(Bytes::Short { len: len as u8, bytes })
            }
            None => NameBuf(Bytes::Long(self.0.into())),
        }
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

/// A [`Name`] that owns its bytes; cheap to clone, and most of them live without an allocation.
#[derive(Clone)]
pub struct NameBuf(Bytes);

/// As many bytes as fit where the other case has its pointer and length.
const SHORT: usize = 22;

#[derive(Clone)]
enum Bytes {
    Short { len: u8, bytes: [u8; SHORT] },
    Long(std::sync::Arc<[u8]>),
}

impl NameBuf {
    pub fn as_name(&self) -> Name<'_> {
        Name(self.as_bytes())
    }
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Bytes::Short { len, bytes } => &bytes[..usize::from(*len)],
            Bytes::Long(bytes) => bytes,
        }
    }
}

impl PartialEq for NameBuf {
    fn eq(&self, other: &NameBuf) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}
impl Eq for NameBuf {}
impl PartialOrd for NameBuf {
    fn partial_cmp(&self, other: &NameBuf) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for NameBuf {
    fn cmp(&self, other: &NameBuf) -> std::cmp::Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}
impl std::hash::Hash for NameBuf {
    /// As the bytes do, by which names are looked up ([`std::borrow::Borrow`]).
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl std::borrow::Borrow<[u8]> for NameBuf {
    fn borrow(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl Deref for NameBuf {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        self.as_bytes()
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
