//! The server's side of the maker: starts it when it is first needed, asks it, and starts another where it is gone. Networks
//! outlive their maker: another enters the user namespace that they are of.

mod child;
mod pages;

use crate::wire::{self, Reply, Request, Socket, Step};
use parking_lot::Mutex;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair, sockopt};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

/// No step takes as long on a machine that works.
const PATIENCE: Duration = Duration::from_secs(10);

/// A process that makes namespaces and sockets.
struct Maker {
    socket: OwnedFd,
    pid: Pid,
}

struct Makers {
    current: Option<Maker>,
    /// A namespace of the first maker's, where that has a user namespace of its own.
    home: Option<OwnedFd>,
}

static MAKERS: Mutex<Makers> = Mutex::new(Makers { current: None, home: None });

/// A network namespace with a loopback that is up.
pub(crate) fn space() -> io::Result<OwnedFd> {
    ask(Request::Space, None)
}

/// A socket in the namespace `space`.
pub(crate) fn socket(space: BorrowedFd<'_>, socket: Socket) -> io::Result<OwnedFd> {
    ask(Request::Socket(socket), Some(space))
}

fn ask(request: Request, with: Option<BorrowedFd<'_>>) -> io::Result<OwnedFd> {
    let mut makers = MAKERS.lock();
    // A second one where the first is found to be gone: somebody killed it.
    for _ in 0..2 {
        let maker = match makers.current.take() {
            Some(maker) => maker,
            None => makers.start()?,
        };
        match maker.ask(request, with) {
            Ok((reply, fd)) => {
                makers.current = Some(maker);
                reply.0.map_err(explain)?;
                return fd.ok_or_else(|| io::ErrorKind::UnexpectedEof.into());
            }
            Err(error) => tracing::warn!("the maker of networks was lost: {error}"),
        }
    }
    Err(io::Error::other("the maker of networks is killed again and again"))
}

impl Makers {
    fn start(&mut self) -> io::Result<Maker> {
        let flags = SocketFlags::CLOEXEC;
        let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
        sockopt::set_socket_timeout(&ours, sockopt::Timeout::Recv, Some(PATIENCE))?;
        let pid = child::fork(theirs, self.home.as_ref().map(AsFd::as_fd))?;
        let maker = Maker { socket: ours, pid };
        // Its first word: whether it can be of use here.
        let (reply, home) = wire::receive(maker.socket.as_fd())?;
        Reply::parse(reply).0.map_err(explain)?;
        if self.home.is_none() {
            self.home = home;
        }
        Ok(maker)
    }
}

impl Maker {
    fn ask(&self, request: Request, with: Option<BorrowedFd<'_>>) -> Result<(Reply, Option<OwnedFd>), Errno> {
        wire::send(self.socket.as_fd(), request.message(), with)?;
        let (reply, fd) = wire::receive(self.socket.as_fd())?;
        Ok((Reply::parse(reply), fd))
    }
}

impl Drop for Maker {
    fn drop(&mut self) {
        let _gone = kill_process(self.pid, Signal::KILL);
        let _reaped = waitpid(Some(self.pid), WaitOptions::empty());
    }
}

/// The system's word for what failed, and what has to be there for it.
fn explain((step, errno): (Step, Errno)) -> io::Error {
    let (what, wants) = match step {
        Step::UserSpace => (
            "no user namespace",
            "who is not root needs one for a network of its own: user.max_user_namespaces above 0, \
             kernel.unprivileged_userns_clone and kernel.apparmor_restrict_unprivileged_userns where the kernel has them, \
             and a seccomp filter around the server that allows unshare",
        ),
        Step::Space => (
            "no network namespace",
            "CAP_SYS_ADMIN, or the right to make user namespaces; user.max_net_namespaces above what is in use",
        ),
        Step::Raise => (
            "its loopback cannot be raised",
            "a user namespace whose capabilities hold (AppArmor may take them)",
        ),
        Step::Enter => ("it cannot be entered", "CAP_SYS_ADMIN in its user namespace"),
        // The program's own affair: no descriptors, a kind of socket that there is not.
        Step::Socket => return errno.into(),
    };
    let system = io::Error::from(errno);
    io::Error::new(system.kind(), format!("a loopback of its own: {what}: {system}; it takes {wants}"))
}
