//! What a server and its maker say to each other: a request and a reply of a few numbers, each with a descriptor or without.

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketType, recvmsg, sendmsg,
};
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};

/// What a socket is to be, in socket(2)'s numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Socket {
    pub family: i32,
    pub kind: i32,
    pub protocol: i32,
}

impl Socket {
    pub fn of(family: AddressFamily, kind: SocketType) -> Socket {
        Socket { family: family.as_raw().into(), kind: kind.as_raw() as i32, protocol: 0 }
    }
}

/// Tells of sockets (sock_diag(7)).
pub(crate) const DIAG: Socket =
    Socket { family: libc::AF_NETLINK, kind: libc::SOCK_RAW, protocol: libc::NETLINK_SOCK_DIAG };
/// Tells of interfaces (rtnetlink(7)).
pub(crate) const ROUTE: Socket =
    Socket { family: libc::AF_NETLINK, kind: libc::SOCK_RAW, protocol: libc::NETLINK_ROUTE };

/// What the maker is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Request {
    Space,
    /// In the namespace whose descriptor comes along.
    Socket(Socket),
}

/// What the maker was at when something failed, in the order of a maker's life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(i32)]
pub(crate) enum Step {
    UserSpace = 1,
    Space,
    Raise,
    Enter,
    Socket,
}

/// What came of it; a descriptor comes along where it went well.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Reply(pub Result<(), (Step, Errno)>);

/// Numbers in a message.
const NUMBERS: usize = 4;
pub(crate) type Message = [i32; NUMBERS];

impl Request {
    pub fn message(self) -> Message {
        match self {
            Request::Space => [0; NUMBERS],
            Request::Socket(Socket { family, kind, protocol }) => [1, family, kind, protocol],
        }
    }
    pub fn parse([what, family, kind, protocol]: Message) -> Request {
        match what {
            0 => Request::Space,
            _ => Request::Socket(Socket { family, kind, protocol }),
        }
    }
}

impl Reply {
    pub fn message(self) -> Message {
        match self.0 {
            Ok(()) => [0; NUMBERS],
            Err((step, errno)) => [step as i32, errno.raw_os_error(), 0, 0],
        }
    }
    pub fn parse([step, errno, ..]: Message) -> Reply {
        let steps = [Step::UserSpace, Step::Space, Step::Raise, Step::Enter, Step::Socket];
        let step = steps.into_iter().find(|s| *s as i32 == step);
        Reply(step.map_or(Ok(()), |step| Err((step, Errno::from_raw_os_error(errno)))))
    }
}

/// Room for one descriptor beside a message.
const BESIDE: usize = rustix::cmsg_space!(ScmRights(1));

pub(crate) fn send(
    socket: BorrowedFd<'_>,
    message: Message,
    with: Option<BorrowedFd<'_>>,
) -> Result<(), Errno> {
    let mut bytes = [0; NUMBERS * 4];
    for (place, number) in bytes.chunks_exact_mut(4).zip(message) {
        place.copy_from_slice(&number.to_ne_bytes());
    }
    let mut space = [MaybeUninit::uninit(); BESIDE];
    let mut beside = SendAncillaryBuffer::new(&mut space);
    let with = with.as_slice();
    if !with.is_empty() {
        let _has_room = beside.push(SendAncillaryMessage::ScmRights(with));
    }
    sendmsg(socket, &[IoSlice::new(&bytes)], &mut beside, SendFlags::NOSIGNAL).map(drop)
}

/// EPIPE where the other side is gone.
pub(crate) fn receive(socket: BorrowedFd<'_>) -> Result<(Message, Option<OwnedFd>), Errno> {
    let mut bytes = [0; NUMBERS * 4];
    let mut space = [MaybeUninit::uninit(); BESIDE];
    let mut beside = RecvAncillaryBuffer::new(&mut space);
    let count = loop {
        let mut into = [IoSliceMut::new(&mut bytes)];
        match recvmsg(socket, &mut into, &mut beside, RecvFlags::CMSG_CLOEXEC) {
            Err(Errno::INTR) => {}
            done => break done?.bytes,
        }
    };
    if count < bytes.len() {
        return Err(Errno::PIPE);
    }
    let mut message = [0; NUMBERS];
    for (number, bytes) in message.iter_mut().zip(bytes.chunks_exact(4)) {
        *number = bytes.try_into().map_or(0, i32::from_ne_bytes);
    }
    let mut with = None;
    for part in beside.drain() {
        if let RecvAncillaryMessage::ScmRights(mut fds) = part {
            with = fds.next();
        }
    }
    Ok((message, with))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_understood() {
        let socket = Socket::of(AddressFamily::INET6, SocketType::DGRAM);
        for request in [Request::Space, Request::Socket(socket), Request::Socket(DIAG)] {
            assert_eq!(Request::parse(request.message()), request);
        }
        for reply in [Reply(Ok(())), Reply(Err((Step::Socket, Errno::MFILE)))] {
            assert_eq!(Reply::parse(reply.message()), reply);
        }
    }
}
