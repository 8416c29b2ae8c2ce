//! A worker's socket, looked at and acted on from here: a descriptor of ours for the same socket (pidfd_getfd(2)). A socket is
//! either the worker's own, of its network namespace, where there is nothing but a loopback, or one of ours that was put in
//! its place.

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with, sockopt};
use rustix::process::{PidfdGetfdFlags, pidfd_getfd};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};

pub(super) struct Socket {
    pub fd: OwnedFd,
    pub family: AddressFamily,
    pub kind: SocketType,
    /// It is of the server's network.
    pub is_ours: bool,
    pub nonblocking: bool,
}

/// A number that each network namespace has for itself.
fn network_of(fd: &OwnedFd) -> io::Result<u64> {
    let (mut cookie, mut length) = (0u64, size_of::<u64>() as libc::socklen_t);
    // SAFETY: eight bytes are written to where eight bytes are.
    let done = unsafe {
        let at = (&raw mut cookie).cast();
        libc::getsockopt(fd.as_raw_fd(), libc::SOL_SOCKET, libc::SO_NETNS_COOKIE, at, &raw mut length)
    };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(cookie) }
}

/// The server's own.
pub(super) fn our_network() -> io::Result<u64> {
    let socket = socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    network_of(&socket)
}

impl Socket {
    /// The socket that process `worker` has as `fd`.
    pub fn of(worker: &OwnedFd, fd: RawFd, our_network: u64) -> io::Result<Socket> {
        let fd = pidfd_getfd(worker, fd, PidfdGetfdFlags::empty())?;
        let family = sockopt::socket_domain(&fd)?;
        if family != AddressFamily::INET && family != AddressFamily::INET6 {
            return Err(io::Error::from_raw_os_error(libc::EACCES));
        }
        let kind = sockopt::socket_type(&fd)?;
        let nonblocking = fcntl_getfl(&fd)?.contains(OFlags::NONBLOCK);
        let is_ours = network_of(&fd)? == our_network;
        Ok(Socket { fd, family, kind, is_ours, nonblocking })
    }

    /// A new one of ours of the same sort and with the same options, not blocking.
    pub fn like(&self) -> io::Result<OwnedFd> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let new = socket_with(self.family, self.kind, flags, None)?;
        sockopt::set_socket_reuseaddr(&new, sockopt::socket_reuseaddr(&self.fd)?)?;
        if self.family == AddressFamily::INET6 {
            sockopt::set_ipv6_v6only(&new, sockopt::ipv6_v6only(&self.fd)?)?;
        }
        if self.kind == SocketType::STREAM {
            sockopt::set_socket_keepalive(&new, sockopt::socket_keepalive(&self.fd)?)?;
            sockopt::set_tcp_nodelay(&new, sockopt::tcp_nodelay(&self.fd)?)?;
        }
        Ok(new)
    }

    /// `new` blocks or does not as this one.
    pub fn block_like(&self, new: &OwnedFd) -> io::Result<()> {
        let flags = fcntl_getfl(new)?;
        Ok(fcntl_setfl(new, if self.nonblocking { flags } else { flags - OFlags::NONBLOCK })?)
    }

    pub fn is_stream(&self) -> bool {
        self.kind == SocketType::STREAM
    }
    /// Has an address of its own already, beyond "any".
    pub fn local(&self) -> Option<std::net::SocketAddr> {
        rustix::net::getsockname(self.fd.as_fd()).ok()?.try_into().ok()
    }
}
