//! The maker itself: a fork of the server with one thread, which has given back the server's memory and descriptors and makes
//! system calls only. It ends when the server closes its socket, by whatever end the server comes to.
//!
//! ```text
//! fork ──► user namespace, where root's rights are not to be had ──► a request, a reply, and home again ──► ...
//! ```
//!
//! Between requests it is at home: a namespace that it stayed in could not go away.

use super::pages;
use crate::wire::{self, Reply, Request, Socket, Step};
use rustix::io::Errno;
use rustix::process::Pid;
use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space, unshare_unsafe};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// `SIOCGSKNS`: the network namespace of a socket.
const SPACE_OF_SOCKET: libc::Ioctl = 0x894c;
/// `NS_GET_USERNS`: the user namespace that a namespace is of.
const USER_SPACE_OF: libc::Ioctl = 0xb701;

/// Where the maker has its descriptors; there is nothing else.
const SOCKET: RawFd = 0;
const HOME: RawFd = 1;

type Failed = (Step, Errno);

/// Forks a maker that serves `socket`, in the user namespace of `home` where that is given.
pub(super) fn fork(socket: OwnedFd, home: Option<BorrowedFd<'_>>) -> std::io::Result<Pid> {
    let home = home.map(|home| home.as_raw_fd());
    // The server's handlers must not run in the maker, and a Ctrl-C is not meant for it.
    // SAFETY: sets of signals are plain memory; all are blocked, and put back as they were by the server.
    let forked = unsafe {
        let (mut all, mut before) = (std::mem::zeroed(), std::mem::zeroed());
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before);
        // As fork(2), without what libraries want done around one: this side uses none of them.
        let pid = libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0);
        if pid == 0 {
            serve(socket.as_raw_fd(), home);
        }
        let error = std::io::Error::last_os_error();
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, std::ptr::null_mut());
        if pid < 0 { Err(error) } else { Ok(pid as i32) }
    };
    let invalid = || std::io::Error::other("fork gave no process");
    forked.and_then(|pid| Pid::from_raw(pid).ok_or_else(invalid))
}

/// The maker's life. From here on nothing allocates, locks or panics: the threads that would have to let go are not here.
fn serve(socket: RawFd, home: Option<RawFd>) -> ! {
    // SAFETY: plain numbers; descriptors are the maker's own to close. Standard input is never one of those given.
    let (socket, home) = unsafe {
        libc::dup2(socket, SOCKET);
        if let Some(home) = home {
            libc::dup2(home, HOME);
        }
        libc::syscall(libc::SYS_close_range, if home.is_some() { 2 } else { 1 }, libc::c_uint::MAX, 0);
        libc::prctl(libc::PR_SET_NAME, c"networks".as_ptr());
        (BorrowedFd::borrow_raw(SOCKET), home.map(|_| OwnedFd::from_raw_fd(HOME)))
    };
    pages::give_back();
    let (home, is_new_user) = match settle(home) {
        Ok(settled) => settled,
        Err(failed) => {
            let _server_is_gone = wire::send(socket, Reply(Err(failed)).message(), None);
            end()
        }
    };
    let first = wire::send(socket, Reply(Ok(())).message(), is_new_user.then(|| home.as_fd()));
    if first.is_err() {
        end();
    }
    while let Ok((message, with)) = wire::receive(socket) {
        let made = match (Request::parse(message), with) {
            (Request::Space, _) => space(),
            (Request::Socket(kind), Some(space)) => socket_in(space.as_fd(), kind),
            (Request::Socket(_), None) => Err((Step::Enter, Errno::BADF)),
        };
        if enter(home.as_fd()).is_err() {
            end();
        }
        let sent = match &made {
            Ok(fd) => wire::send(socket, Reply(Ok(())).message(), Some(fd.as_fd())),
            Err(failed) => wire::send(socket, Reply(Err(*failed)).message(), None),
        };
        if sent.is_err() {
            end();
        }
    }
    end()
}

fn end() -> ! {
    // SAFETY: ends this process; nothing of the server's is run.
    unsafe { libc::_exit(0) }
}

/// Gets to where namespaces can be made: the namespace that is home, and whether it is of a user namespace of its own.
fn settle(earlier: Option<OwnedFd>) -> Result<(OwnedFd, bool), Failed> {
    if let Some(home) = earlier {
        let user = ioctl(home.as_fd(), USER_SPACE_OF).map_err(|e| (Step::UserSpace, e))?;
        move_into_link_name_space(user.as_fd(), Some(LinkNameSpaceType::User))
            .map_err(|e| (Step::UserSpace, e))?;
        enter(home.as_fd())?;
        return Ok((home, true));
    }
    // With root's rights nothing else is needed. One is made to see whether it can be.
    if let Ok(home) = here()
        && unshare(UnshareFlags::NEWNET).is_ok()
    {
        enter(home.as_fd())?;
        return Ok((home, false));
    }
    unshare(UnshareFlags::NEWUSER).map_err(|e| (Step::UserSpace, e))?;
    unshare(UnshareFlags::NEWNET).map_err(|e| (Step::Space, e))?;
    let home = here().map_err(|e| (Step::Raise, e))?;
    Ok((home, true))
}

fn space() -> Result<OwnedFd, Failed> {
    unshare(UnshareFlags::NEWNET).map_err(|e| (Step::Space, e))?;
    let socket = socket(Socket { family: libc::AF_INET, kind: libc::SOCK_DGRAM, protocol: 0 })?;
    raise(socket.as_fd()).map_err(|e| (Step::Raise, e))?;
    ioctl(socket.as_fd(), SPACE_OF_SOCKET).map_err(|e| (Step::Space, e))
}

fn socket_in(space: BorrowedFd<'_>, kind: Socket) -> Result<OwnedFd, Failed> {
    enter(space)?;
    socket(kind)
}

fn enter(space: BorrowedFd<'_>) -> Result<(), Failed> {
    move_into_link_name_space(space, Some(LinkNameSpaceType::Network)).map_err(|e| (Step::Enter, e))
}

fn unshare(flags: UnshareFlags) -> Result<(), Errno> {
    // SAFETY: neither memory nor descriptors are unshared.
    unsafe { unshare_unsafe(flags) }
}

fn socket(kind: Socket) -> Result<OwnedFd, Failed> {
    let flags = libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: plain numbers.
    let fd = unsafe { libc::socket(kind.family, kind.kind | flags, kind.protocol) };
    owned(fd).map_err(|e| (Step::Socket, e))
}

/// The namespace that this process is in.
fn here() -> Result<OwnedFd, Errno> {
    // SAFETY: plain numbers.
    let socket = owned(unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) })?;
    ioctl(socket.as_fd(), SPACE_OF_SOCKET)
}

/// The loopback interface is up, and has its addresses by that.
fn raise(socket: BorrowedFd<'_>) -> Result<(), Errno> {
    // SAFETY: the request is a zeroed local with a name in it.
    let done = unsafe {
        let mut request: libc::ifreq = std::mem::zeroed();
        request.ifr_name[0] = b'l' as libc::c_char;
        request.ifr_name[1] = b'o' as libc::c_char;
        request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
        libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request)
    };
    if done < 0 { Err(errno()) } else { Ok(()) }
}

/// A request that takes nothing and gives a descriptor.
fn ioctl(fd: BorrowedFd<'_>, request: libc::Ioctl) -> Result<OwnedFd, Errno> {
    // SAFETY: these requests take no argument.
    owned(unsafe { libc::ioctl(fd.as_raw_fd(), request) })
}

fn owned(fd: RawFd) -> Result<OwnedFd, Errno> {
    // SAFETY: a descriptor that was made a moment ago, where it is one.
    if fd < 0 { Err(errno()) } else { Ok(unsafe { OwnedFd::from_raw_fd(fd) }) }
}

fn errno() -> Errno {
    Errno::from_raw_os_error(std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO))
}
