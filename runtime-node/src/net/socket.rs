//! A worker's socket, looked at and acted on from here: a descriptor of ours for the same socket (pidfd_getfd(2)). A socket is
//! of the worker's own network namespace, where there is nothing but a loopback, or it is one of the server's making that was
//! put in the place of such a one: of its group's loopback, or of the machine's network.

use loopback::{Loopback, cookie_of};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with, sockopt};
use rustix::process::{PidfdGetfdFlags, pidfd_getfd};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd, RawFd};
use std::time::Duration;

/// The network that a socket is of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Of {
    Worker,
    Group,
    Machine,
}

/// The networks that are told from the worker's own, by their cookies.
#[derive(Clone, Copy)]
pub(super) struct Networks {
    pub machine: u64,
    pub group: Option<u64>,
}

pub(super) struct Socket {
    pub fd: OwnedFd,
    pub family: AddressFamily,
    pub kind: SocketType,
    pub of: Of,
    pub nonblocking: bool,
}

/// The server's own network.
pub(super) fn our_network() -> io::Result<u64> {
    let socket = socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    cookie_of(socket.as_fd())
}

impl Socket {
    /// The socket that process `worker` has as `fd`.
    pub fn of(worker: &OwnedFd, fd: RawFd, networks: Networks) -> io::Result<Socket> {
        let fd = pidfd_getfd(worker, fd, PidfdGetfdFlags::empty())?;
        let family = sockopt::socket_domain(&fd)?;
        if family != AddressFamily::INET && family != AddressFamily::INET6 {
            return Err(io::Error::from_raw_os_error(libc::EACCES));
        }
        let kind = sockopt::socket_type(&fd)?;
        let nonblocking = fcntl_getfl(&fd)?.contains(OFlags::NONBLOCK);
        let of = match cookie_of(fd.as_fd())? {
            cookie if cookie == networks.machine => Of::Machine,
            cookie if Some(cookie) == networks.group => Of::Group,
            _ => Of::Worker,
        };
        Ok(Socket { fd, family, kind, of, nonblocking })
    }

    /// A new one of the same sort and with the same options, not blocking: in `network`, or the machine's.
    pub fn like(&self, network: Option<&Loopback>) -> io::Result<OwnedFd> {
        let new = match network {
            Some(network) => network.socket(self.family, self.kind)?,
            None => {
                let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
                socket_with(self.family, self.kind, flags, None)?
            }
        };
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

    /// Connects it as it is, and never waits: whether it blocks is the worker's to say, at any moment, but not how long
    /// (its filter lets it set no SO_SNDTIMEO). Not to be called twice at a time for one worker.
    pub fn connect_at_once(&self, peer: &SocketAddr) -> rustix::io::Result<()> {
        sockopt::set_socket_timeout(&self.fd, sockopt::Timeout::Send, Some(Duration::from_millis(1)))?;
        let connected = connect(&self.fd, peer);
        sockopt::set_socket_timeout(&self.fd, sockopt::Timeout::Send, None)?;
        connected
    }

    pub fn is_stream(&self) -> bool {
        self.kind == SocketType::STREAM
    }
    pub fn is_connected(&self) -> bool {
        rustix::net::getpeername(&self.fd).is_ok()
    }
    /// Its own address, "any" where it has none yet.
    pub fn local(&self) -> Option<SocketAddr> {
        rustix::net::getsockname(self.fd.as_fd()).ok()?.try_into().ok()
    }
}
