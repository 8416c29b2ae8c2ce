//! What an operation gives back: its result at once, or something to await; and how it fails.

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::pin::Pin;

use crate::wire::Dialect;

/// Something to await that borrows from what the operation was called with.
pub type Later<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

/// An operation's result, now or later. `Now` costs no allocation; dropping a `Later` cancels the operation, which
/// is how Tflush, a clunk of a blocked fid and the end of a connection work.
pub enum Answer<'a, T> {
    /// It is done.
    Now(Result<T, Error>),
    /// It waits for something.
    Later(Later<'a, T>),
}

impl<'a, T> Answer<'a, T> {
    /// Done, and well.
    pub fn ok(value: T) -> Self {
        Self::Now(Ok(value))
    }

    /// Done, and failed.
    pub fn err(error: Error) -> Self {
        Self::Now(Err(error))
    }

    /// To be awaited.
    pub fn later(future: impl Future<Output = Result<T, Error>> + Send + 'a) -> Self {
        Self::Later(Box::pin(future))
    }

    /// The same answer with its value changed. Only what has to be awaited is boxed again.
    pub fn map<U>(self, change: impl FnOnce(T) -> U + Send + 'a) -> Answer<'a, U>
    where
        T: 'a,
    {
        match self {
            Self::Now(result) => Answer::Now(result.map(change)),
            Self::Later(future) => Answer::later(async move { future.await.map(change) }),
        }
    }

    /// Awaits it, whichever it is.
    ///
    /// # Errors
    /// The operation's own.
    pub async fn get(self) -> Result<T, Error> {
        match self {
            Self::Now(result) => result,
            Self::Later(future) => future.await,
        }
    }
}

impl<T> From<Result<T, Error>> for Answer<'_, T> {
    fn from(result: Result<T, Error>) -> Self {
        Self::Now(result)
    }
}

impl<T> From<Error> for Answer<'_, T> {
    fn from(error: Error) -> Self {
        Self::Now(Err(error))
    }
}

/// Why a request failed: Linux's errno and Plan 9's words. 9P2000 sends the words, .u both, .L the errno.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Error {
    /// Linux's number.
    pub errno: u32,
    /// The words.
    pub text: Cow<'static, str>,
}

impl Error {
    /// An error.
    pub fn new(errno: u32, text: impl Into<Cow<'static, str>>) -> Self {
        Self { errno, text: text.into() }
    }

    /// The words, where a dialect shows no errno.
    pub fn describe(&self, dialect: Dialect) -> String {
        match dialect {
            Dialect::P9P2000L => format!("{} (errno {})", self.text, self.errno),
            Dialect::P9P2000 | Dialect::P9P2000U => self.text.to_string(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Error {}

/// Linux's numbers for what the session itself refuses, whatever the machine it runs on.
macro_rules! errors {
    ($($(#[$doc:meta])* $name:ident = $errno:literal $text:literal;)*) => {
        impl Error {
            $($(#[$doc])* pub const $name: Error = Error { errno: $errno, text: Cow::Borrowed($text) };)*
        }
    };
}

errors! {
    /// EPERM.
    NOT_PERMITTED = 1 "operation not permitted";
    /// ENOENT.
    NOT_FOUND = 2 "file does not exist";
    /// EINTR.
    INTERRUPTED = 4 "interrupted";
    /// EIO.
    IO = 5 "i/o error";
    /// EBADF.
    UNKNOWN_FID = 9 "fid unknown or out of range";
    /// EBADF.
    NOT_OPEN = 9 "file not open for I/O";
    /// EACCES.
    PERMISSION = 13 "permission denied";
    /// EBUSY: Plan 9's Einuse.
    FID_IN_USE = 16 "fid already in use";
    /// EEXIST.
    EXISTS = 17 "file already exists";
    /// ENOTDIR.
    NOT_DIRECTORY = 20 "not a directory";
    /// EISDIR.
    IS_DIRECTORY = 21 "file is a directory";
    /// EINVAL.
    INVALID = 22 "invalid argument";
    /// EMFILE.
    TOO_MANY_FIDS = 24 "too many fids";
    /// ENAMETOOLONG.
    NAME_TOO_LONG = 36 "file name too long";
    /// ENOSYS would make some clients give up for good; EOPNOTSUPP lets them fall back.
    NOT_SUPPORTED = 95 "operation not supported";
    /// ENODATA.
    NO_XATTR = 61 "no such extended attribute";
    /// ENOBUFS.
    TOO_BUSY = 105 "too many requests in flight";
}
