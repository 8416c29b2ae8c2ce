//! WASI's own numbers for the namespace's errnos (`errno` in the witx), and their names for traces.

use vfs::Errno;

/// The number of success.
pub(crate) const SUCCESS: u16 = 0;

macro_rules! table {
    ($($errno:ident = $wasi:literal)*) => {
        /// What WASI calls `errno`; `io` for one that it has no number for.
        pub(crate) fn number(errno: Errno) -> u16 {
            match errno {
                $(Errno::$errno => $wasi,)*
                _ => 29,
            }
        }
    };
}

table! {
    E2BIG = 1
    EACCES = 2
    EAGAIN = 6
    EBADF = 8
    EBUSY = 10
    ECANCELED = 11
    ECHILD = 12
    ECONNREFUSED = 14
    ECONNRESET = 15
    EDEADLK = 16
    EDQUOT = 19
    EEXIST = 20
    EFAULT = 21
    EFBIG = 22
    EILSEQ = 25
    EINTR = 27
    EINVAL = 28
    EIO = 29
    EISDIR = 31
    ELOOP = 32
    EMFILE = 33
    EMLINK = 34
    ENAMETOOLONG = 37
    ENFILE = 41
    ENODEV = 43
    ENOENT = 44
    ENOEXEC = 45
    ENOLCK = 46
    ENOMEM = 48
    ENOSPC = 51
    ENOSYS = 52
    ENOTDIR = 54
    ENOTEMPTY = 55
    EOPNOTSUPP = 58
    ENOTTY = 59
    ENXIO = 60
    EOVERFLOW = 61
    EPERM = 63
    EPIPE = 64
    EPROTO = 65
    ERANGE = 68
    EROFS = 69
    ESPIPE = 70
    ESRCH = 71
    ESTALE = 72
    ETIMEDOUT = 73
    ETXTBSY = 74
    EXDEV = 75
}

/// `notsock`, which the namespace has no errno for: there are no sockets in it.
pub(crate) const NOTSOCK: Errno = Errno::from_raw(libc::ENOTSOCK);
/// `notcapable`: the descriptor lacks a right. No host errno means that; this one cannot come from a tree.
pub(crate) const NOTCAPABLE: Errno = Errno::from_raw(i32::MAX);

/// The number for any errno, those of the guest's own mistakes with descriptors included.
pub(crate) fn code(errno: Errno) -> u16 {
    match errno {
        NOTSOCK => 57,
        NOTCAPABLE => 76,
        errno => number(errno),
    }
}

/// The errno's name as a trace shows it.
pub(crate) fn name(errno: Errno) -> String {
    match errno {
        NOTSOCK => "ENOTSOCK".into(),
        NOTCAPABLE => "ENOTCAPABLE".into(),
        errno => format!("{errno:?}"),
    }
}
