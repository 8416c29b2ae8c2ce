//! Who listens in a network, as the kernel knows it (sock_diag(7)).

use crate::netlink::ask;
use rustix::net::bind;
use rustix::net::netlink::SocketAddrNetlink;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsRawFd, BorrowedFd};

/// `SOCK_DIAG_BY_FAMILY`.
pub(crate) const BY_FAMILY: u16 = 20;
/// TCP_LISTEN's bit among the states that are asked for.
const LISTENING: u32 = 1 << 10;
/// `struct inet_diag_sockid`.
const SOCKET_ID: usize = 48;
/// `SKNLGRP_INET_TCP_DESTROY` and `SKNLGRP_INET6_TCP_DESTROY`: sockets that are gone.
const GONE: [i32; 2] = [1, 3];

/// The addresses that somebody listens at for connections, in the network that `socket` is of.
pub(crate) fn listeners(socket: BorrowedFd<'_>) -> io::Result<Vec<SocketAddr>> {
    let mut found = Vec::new();
    for family in [libc::AF_INET, libc::AF_INET6] {
        // struct inet_diag_req_v2: family, protocol, no extensions, padding, states, any socket.
        let mut request = vec![family as u8, libc::IPPROTO_TCP as u8, 0, 0];
        request.extend(LISTENING.to_ne_bytes());
        request.extend([0; SOCKET_ID]);
        let asked = ask(socket, BY_FAMILY, libc::NLM_F_DUMP, &request, |body| found.extend(address(body)));
        match asked {
            // A kernel without IPv6.
            Err(error) if family == libc::AF_INET6 && error.raw_os_error() == Some(libc::ENOENT) => {}
            done => done?,
        }
    }
    Ok(found)
}

/// The socket's own address in a `struct inet_diag_msg`: family, three bytes of state, its port, its peer's, its address.
fn address(message: &[u8]) -> Option<SocketAddr> {
    let family = i32::from(*message.first()?);
    let port = u16::from_be_bytes(*message.get(4..)?.first_chunk()?);
    let ip = message.get(8..)?;
    match family {
        libc::AF_INET => Some((Ipv4Addr::from(*ip.first_chunk::<4>()?), port).into()),
        libc::AF_INET6 => Some((Ipv6Addr::from(*ip.first_chunk::<16>()?), port).into()),
        _ => None,
    }
}

/// From now on `socket` hears of every TCP socket that is closed and had no peer: a listener, mostly.
pub(crate) fn hear_of_closed(socket: BorrowedFd<'_>) -> io::Result<()> {
    // The peer's port, behind the message's head, the family, the state and the own port. Closed connections are many, and
    // would fill the socket before anybody looks.
    const PEER_PORT: u32 = 16 + 6;
    let step = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    let filter = [
        step((libc::BPF_LD | libc::BPF_H | libc::BPF_ABS) as u16, 0, 0, PEER_PORT),
        step((libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16, 0, 1, 0),
        step((libc::BPF_RET | libc::BPF_K) as u16, 0, 0, u32::MAX),
        step((libc::BPF_RET | libc::BPF_K) as u16, 0, 0, 0),
    ];
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_ptr().cast_mut() };
    set(socket, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &program)?;
    hear_of_all_closed(socket)
}

/// From now on `socket` hears of every TCP socket that is closed.
pub(crate) fn hear_of_all_closed(socket: BorrowedFd<'_>) -> io::Result<()> {
    // One without an address of its own is taken for the sender, and not told.
    bind(socket, &SocketAddrNetlink::new(0, 0))?;
    for group in GONE {
        set(socket, libc::SOL_NETLINK, libc::NETLINK_ADD_MEMBERSHIP, &group)?;
    }
    Ok(())
}

fn set<T>(socket: BorrowedFd<'_>, level: i32, option: i32, value: &T) -> io::Result<()> {
    let (at, length) = (std::ptr::from_ref(value).cast(), size_of::<T>() as libc::socklen_t);
    // SAFETY: the kernel reads the value, and a filter that it points at, during the call.
    let done = unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, at, length) };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
