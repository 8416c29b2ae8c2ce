//! The descriptors that a worker is left with.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

/// Where the socket is put.
const SOCKET: RawFd = 3;

/// -1 is an error.
pub(crate) fn checked(result: libc::c_long) -> io::Result<libc::c_long> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// Asks again where a signal came in between.
pub(crate) fn retried(mut call: impl FnMut() -> libc::c_long) -> io::Result<libc::c_long> {
    loop {
        match checked(call()) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// Moves the socket from standard input to its place, and closes all that nobody speaks of.
pub(crate) fn arrange() -> io::Result<OwnedFd> {
    // SAFETY: plain calls on descriptors; nothing in this process holds any yet but for the three standard ones.
    unsafe {
        checked(libc::dup2(0, SOCKET).into())?;
        checked(libc::syscall(libc::SYS_close_range, SOCKET + 1, libc::c_uint::MAX, 0))?;
        checked(libc::fcntl(SOCKET, libc::F_SETFD, libc::FD_CLOEXEC).into())?;
        let null = OpenOptions::new().read(true).write(true).open("/dev/null")?;
        checked(libc::dup2(null.as_raw_fd(), 0).into())?;
        checked(libc::dup2(null.as_raw_fd(), 1).into())?;
        Ok(OwnedFd::from_raw_fd(SOCKET))
    }
}

/// A crash ends this process, whoever sends its signal: handlers that look at it first, as Rust's does, are taken away.
pub(crate) fn crash_plainly() {
    for signal in [libc::SIGSEGV, libc::SIGBUS] {
        // SAFETY: the default action is no code of ours.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
}

/// A descriptor for this process.
pub(crate) fn pidfd_of_self() -> io::Result<OwnedFd> {
    // SAFETY: pidfd_open gives a new descriptor that nobody else has.
    unsafe {
        let fd = checked(libc::syscall(libc::SYS_pidfd_open, libc::getpid(), 0))?;
        Ok(OwnedFd::from_raw_fd(fd as RawFd))
    }
}
