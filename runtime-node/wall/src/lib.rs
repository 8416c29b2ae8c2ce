//! The wall of a worker process. [`enter`] is the first thing that a worker's `main` calls: it leaves the process with one
//! socket and with no way to anything else, and only then lets it go on.
//!
//! ```text
//! server ──spawns──► launcher      new user, pid, net, ipc, uts and mount namespaces; ends at once
//!    │                  └──► init   pid 1, a child of the server: empty root, loopback up, no privileges; waits for
//!    │                        └──► worker   Landlock, seccomp; says hello; becomes what main goes on to be
//!    └────────────── one socket ──────┘
//! ```
//!
//! What the machine refuses is left out, and the hello says what is in force ([`Report`]): whether that is enough is the
//! server's to say. The server's side of the hello is here too, so that both speak the same.

mod caps;
mod fds;
mod filter;
mod hello;
mod landlock;
mod limits;
mod parent;
mod spaces;

pub use hello::{Hello, Report};
pub use parent::{Parent, bear};

use std::io;
use std::os::fd::OwnedFd;

/// Raises the wall around this process and gives the socket to the server. To be called before anything else, while the
/// process has one thread: it forks, and what returns is the walled child.
///
/// Standard input is to be the socket. Afterwards the descriptors are 0 and 1 (/dev/null), 2 (what it was) and the socket.
///
/// # Errors
/// Where the socket is none, or the server is gone or does not want a worker with so low a wall.
pub fn enter() -> io::Result<OwnedFd> {
    raise(false).map(|(socket, _none)| socket)
}

/// The same for a worker that speaks to the server through memory as well, where the server has given some.
///
/// # Errors
/// As for [`enter`].
pub fn enter_with_memory() -> io::Result<(OwnedFd, Option<OwnedFd>)> {
    raise(true)
}

fn raise(memory: bool) -> io::Result<(OwnedFd, Option<OwnedFd>)> {
    let socket = fds::arrange()?;
    fds::crash_plainly();
    limits::volunteer();
    let mut report = Report { memory, ..Report::default() };
    let init = spaces::enter(&socket, &mut report)?;
    let me = fds::pidfd_of_self()?;
    let init = match init {
        Some(init) => init,
        None => me.try_clone()?,
    };
    limits::set(&mut report)?;
    caps::drop_all()?;
    report.landlock = landlock::restrict();
    let listener = filter::install(&mut report)?;
    let hello = Hello { report: report.clone(), init, worker: me, listener };
    hello.say(&socket)?;
    filter::close(&report)?;
    let memory = Hello::wait(&socket)?;
    Ok((socket, memory))
}
