//! The seccomp filter: what an engine, its threads and its event loop need of the kernel, and nothing else.
//!
//! ```text
//! allowed    memory, threads, time, polling, what is done with an open descriptor
//! looked at  sockets (INET streams and datagrams), clone (threads), prctl, ioctl, fcntl, socket options …
//! asked      connect, bind, listen, sendto with an address: the server decides (seccomp_unotify(2))
//! ENOENT     whatever names a file: there is none
//! ENOSYS     newer calls that the C library goes without
//! EPERM      the rest
//! ```

mod calls;
mod program;

use crate::Report;
use crate::fds::checked;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

const FLAG_NEW_LISTENER: libc::c_ulong = 1 << 3;
const FLAG_WAIT_KILLABLE: libc::c_ulong = 1 << 5;

/// Puts the filter in force. Gives the descriptor where the calls that are asked come in; where the kernel, or a filter outside
/// of this one, gives none, they are refused.
pub(crate) fn install(report: &mut Report) -> io::Result<Option<OwnedFd>> {
    let asking = calls::program(true);
    // A call that has been put before the server must not be asked again because a signal came in between, where the kernel
    // knows how.
    for flags in [FLAG_NEW_LISTENER | FLAG_WAIT_KILLABLE, FLAG_NEW_LISTENER] {
        if let Ok(listener) = set(&asking, flags) {
            report.seccomp = true;
            report.notify = true;
            // SAFETY: a new descriptor that nobody else has.
            return Ok(Some(unsafe { OwnedFd::from_raw_fd(listener as RawFd) }));
        }
    }
    report.seccomp = set(&calls::program(false), 0).is_ok();
    Ok(None)
}

/// Takes away what the hello needed. Nothing to do where there is no filter.
pub(crate) fn close(report: &Report) -> io::Result<()> {
    if report.seccomp { set(&calls::last_program(), 0).map(drop) } else { Ok(()) }
}

fn set(program: &[libc::sock_filter], flags: libc::c_ulong) -> io::Result<libc::c_long> {
    let program = libc::sock_fprog { len: program.len() as u16, filter: program.as_ptr().cast_mut() };
    // SAFETY: the kernel copies the program, which outlives the call.
    checked(unsafe {
        libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const program)
    })
}
