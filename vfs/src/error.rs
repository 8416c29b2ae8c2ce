//! The one error of the namespace: an errno for those who count, and Plan 9's string for those who read.
//!
//! 9P2000 sends the string, 9P2000.u both, 9P2000.L and FUSE the errno, WASI its own number for the errno.

use std::borrow::Cow;
use std::fmt;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An errno as Linux numbers it on x86-64 and arm64 (errno(3)).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Errno(i32);

macro_rules! errnos {
    ($($name:ident $text:literal)*) => {
        impl Errno {
            $(pub const $name: Errno = Errno(libc::$name);)*
            /// The errno's own name, or none for one that this crate does not use.
            pub fn name(self) -> Option<&'static str> {
                match self.0 { $(libc::$name => Some(stringify!($name)),)* _ => None }
            }
            /// What Plan 9 says for it (error.h, and the nearest words where it has none).
            pub fn text(self) -> &'static str {
                match self.0 { $(libc::$name => $text,)* _ => "i/o error" }
            }
        }
    };
}

errnos! {
    EPERM "permission denied"
    ENOENT "file does not exist"
    EINTR "interrupted"
    EIO "i/o error"
    ENXIO "no such device or address"
    E2BIG "argument list too long"
    EBADF "fd out of range or not open"
    ECHILD "no living children"
    EAGAIN "resource temporarily unavailable"
    ENOMEM "out of memory"
    EACCES "permission denied"
    EFAULT "bad address"
    EBUSY "device or object already in use"
    EEXIST "file already exists"
    EXDEV "cannot rename across trees"
    ENODEV "no such device"
    ENOTDIR "not a directory"
    EISDIR "file is a directory"
    EINVAL "bad arg in system call"
    ENFILE "too many open files in system"
    EMFILE "no free file descriptors"
    ENOTTY "inappropriate use of device"
    ETXTBSY "text file busy"
    EFBIG "file too large"
    ENOSPC "file system is full"
    ESPIPE "seek on a stream"
    EROFS "read-only file system"
    EMLINK "too many links"
    EPIPE "i/o on hungup channel"
    ERANGE "result too large"
    EDEADLK "deadlock"
    ENAMETOOLONG "file name too long"
    ENOLCK "no locks available"
    ENOSYS "not implemented"
    ENOTEMPTY "directory not empty"
    ELOOP "too many symbolic links"
    ENODATA "no such attribute"
    EOVERFLOW "value too large"
    EPROTO "protocol botch"
    EOPNOTSUPP "operation not supported"
    EDQUOT "quota exceeded"
    ESTALE "stale file handle"
    ECANCELED "cancelled"
    ENOEXEC "not an executable program"
    ESRCH "no such process"
    ECONNRESET "connection reset"
    ECONNREFUSED "connection refused"
    ETIMEDOUT "timed out"
    EILSEQ "malformed name"
}

impl Errno {
    pub const fn from_raw(raw: i32) -> Errno {
        Errno(raw)
    }
    pub const fn raw(self) -> i32 {
        self.0
    }
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "Errno({})", self.0),
        }
    }
}

/// An errno with what to say of it. Cheap to make from an errno alone: nothing is allocated.
#[derive(Clone)]
pub struct Error(Inner);

#[derive(Clone)]
enum Inner {
    /// An errno, as wide as the other case: so a `Result<()>` is two words, and handed over in registers.
    Bare(isize),
    Said(Box<Said>),
}

#[derive(Clone)]
struct Said {
    errno: Errno,
    text: Cow<'static, str>,
}

const _: () = assert!(size_of::<Result<usize>>() == 2 * size_of::<usize>());

impl Error {
    /// An error that says more than its errno: `Error::new(Errno::EINVAL, format!("unknown control message {line:?}"))`.
    pub fn new(errno: Errno, text: impl Into<Cow<'static, str>>) -> Error {
        Error(Inner::Said(Box::new(Said { errno, text: text.into() })))
    }
    pub fn errno(&self) -> Errno {
        match &self.0 {
            Inner::Bare(errno) => Errno(*errno as i32),
            Inner::Said(said) => said.errno,
        }
    }
    pub fn text(&self) -> &str {
        match &self.0 {
            Inner::Bare(_) => self.errno().text(),
            Inner::Said(said) => &said.text,
        }
    }
    /// The same errno, with `what` said first: `what: text`.
    pub fn context(self, what: impl fmt::Display) -> Error {
        Error::new(self.errno(), format!("{what}: {}", self.text()))
    }
    pub fn is(&self, errno: Errno) -> bool {
        self.errno() == errno
    }
}

impl From<Errno> for Error {
    fn from(errno: Errno) -> Error {
        Error(Inner::Bare(errno.0 as isize))
    }
}

impl PartialEq for Error {
    fn eq(&self, other: &Error) -> bool {
        self.errno() == other.errno() && self.text() == other.text()
    }
}

impl Eq for Error {}

impl<T> From<Errno> for Result<T> {
    fn from(errno: Errno) -> Result<T> {
        Err(errno.into())
    }
}

impl From<std::io::Error> for Error {
    fn from(e: std::io::Error) -> Error {
        let errno = Errno(e.raw_os_error().unwrap_or(match e.kind() {
            std::io::ErrorKind::NotFound => libc::ENOENT,
            std::io::ErrorKind::PermissionDenied => libc::EACCES,
            std::io::ErrorKind::AlreadyExists => libc::EEXIST,
            std::io::ErrorKind::BrokenPipe => libc::EPIPE,
            std::io::ErrorKind::InvalidInput => libc::EINVAL,
            _ => libc::EIO,
        }));
        errno.into()
    }
}

impl From<rustix::io::Errno> for Error {
    fn from(e: rustix::io::Errno) -> Error {
        Errno(e.raw_os_error()).into()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} ({:?})", self.text(), self.errno())
    }
}

impl std::error::Error for Error {}
