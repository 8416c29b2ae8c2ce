//! What can go wrong in a call: the guest is told of the one kind, and ended by the other.

use vfs::{Errno, Error};
use wasmtime::component::ResourceTableError;
use wasmtime_wasi::p2::bindings::filesystem::types::ErrorCode;

/// Why a call failed.
pub(super) enum Fault {
    /// The guest's own: it gets the code for it.
    Guest(Error),
    /// No code says it (a handle that is none, a full table): the guest traps.
    Host(wasmtime::Error),
}

pub(super) type Result<T, E = Fault> = std::result::Result<T, E>;

impl From<Error> for Fault {
    fn from(error: Error) -> Fault {
        Fault::Guest(error)
    }
}
impl From<Errno> for Fault {
    fn from(errno: Errno) -> Fault {
        Fault::Guest(errno.into())
    }
}
impl From<ResourceTableError> for Fault {
    fn from(error: ResourceTableError) -> Fault {
        Fault::Host(error.into())
    }
}

macro_rules! table {
    ($($errno:ident = $code:ident)*) => {
        /// What `wasi:filesystem` calls an errno; `io` for one that it has no word for.
        pub(super) fn code(errno: Errno) -> ErrorCode {
            match errno {
                $(Errno::$errno => ErrorCode::$code,)*
                _ => ErrorCode::Io,
            }
        }
    };
}

table! {
    EACCES = Access
    EAGAIN = WouldBlock
    EBADF = BadDescriptor
    EBUSY = Busy
    EDEADLK = Deadlock
    EDQUOT = Quota
    EEXIST = Exist
    EFBIG = FileTooLarge
    EILSEQ = IllegalByteSequence
    EINTR = Interrupted
    EINVAL = Invalid
    EISDIR = IsDirectory
    ELOOP = Loop
    // There is no word for too many descriptors; that a limit of the guest's is used up is the nearest.
    EMFILE = Quota
    ENFILE = Quota
    EMLINK = TooManyLinks
    ENAMETOOLONG = NameTooLong
    ENODEV = NoDevice
    ENOENT = NoEntry
    ENOLCK = NoLock
    ENOMEM = InsufficientMemory
    ENOSPC = InsufficientSpace
    ENOSYS = Unsupported
    ENOTDIR = NotDirectory
    ENOTEMPTY = NotEmpty
    ENOTTY = NoTty
    ENXIO = NoSuchDevice
    EOPNOTSUPP = Unsupported
    EOVERFLOW = Overflow
    EPERM = NotPermitted
    EPIPE = Pipe
    EROFS = ReadOnly
    ESPIPE = InvalidSeek
    ETXTBSY = TextFileBusy
    EXDEV = CrossDevice
}
