//! A process that workers are forked from: what it has loaded they share with it, page by page, until one of them changes it.
//!
//! ```text
//! server ──spawns──► parent    loads what is the same for all tasks, behind no wall: it runs nothing of anybody's
//!    │   socket, log ─►│        (SCM_RIGHTS)
//!    │ ◄─ launcher's   └──► launcher ──► init ──► worker     each as if it had been started by itself
//!    │    pid               a child of the server, as its init is
//! ```
//!
//! The parent has one thread and keeps nothing open but its socket: a child begins where a program begins, with the worker's
//! socket as its standard input and the log as its standard error. It dies with the server, and ends where the socket does.

use crate::fds::checked;
use crate::hello::{receive, send};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// What comes with the descriptors.
const ASK: &[u8] = b"+";

/// Forks a child whenever the server asks for one: returns in each child, never in the parent. To be called with one thread,
/// with the socket to the server as standard input.
///
/// # Errors
/// More threads than one; those of the socket; no more processes.
pub fn bear() -> io::Result<()> {
    let threads = std::fs::read_dir("/proc/self/task")?.count();
    if threads != 1 {
        return Err(io::Error::other(format!("{threads} threads, where one can be forked")));
    }
    // SAFETY: plain numbers.
    checked(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0) }.into())?;
    let mut server = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    loop {
        let (data, fds) = receive(&server, ASK.len())?;
        if data.is_empty() {
            std::process::exit(0);
        }
        let Ok([socket, log]) = <[OwnedFd; 2]>::try_from(fds) else {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "asked for a child without its descriptors",
            ));
        };
        // SAFETY: with no stack given this is fork(2), as a child of the server's; this process has one thread.
        match unsafe { libc::syscall(libc::SYS_clone, libc::CLONE_PARENT, 0, 0, 0, 0) } {
            0 => {
                put(&socket, 0)?;
                put(&log, 2)?;
                return Ok(());
            }
            pid if pid > 0 => server.write_all(&(pid as u32).to_ne_bytes())?,
            _ => return Err(io::Error::last_os_error()),
        }
    }
}

/// In the place of one of the standard descriptors.
fn put(fd: &OwnedFd, at: RawFd) -> io::Result<()> {
    // SAFETY: nobody holds what is closed by this.
    checked(unsafe { libc::dup2(fd.as_raw_fd(), at) }.into()).map(drop)
}

/// The server's side of a parent.
#[derive(Debug)]
pub struct Parent(UnixStream);

impl Parent {
    /// The parent whose standard input is the other end of `socket`. It may take so long until it has loaded what it loads.
    ///
    /// # Errors
    /// The socket's.
    pub fn new(socket: UnixStream, patience: Duration) -> io::Result<Parent> {
        socket.set_read_timeout(Some(patience))?;
        Ok(Parent(socket))
    }

    /// Has it bear a worker; gives the launcher's pid, a child of this process that is to be waited for.
    ///
    /// # Errors
    /// The socket's, or its end.
    pub fn bear(&self, socket: &OwnedFd, log: &OwnedFd) -> io::Result<u32> {
        send(&self.0, ASK, &[socket.as_raw_fd(), log.as_raw_fd()])?;
        let mut pid = [0; 4];
        (&self.0).read_exact(&mut pid)?;
        Ok(u32::from_ne_bytes(pid))
    }
}
