//! A network of one's own: a network namespace that has nothing in it but a loopback (127.0.0.0/8 and ::1), for tasks that are
//! to meet each other on localhost and nobody else. This crate makes such networks, makes sockets in them, connects to what
//! listens there, and tells who does; whose sockets they become, and who may connect, is for others to decide.
//!
//! ```text
//! server ──"a namespace"──► maker ──► unshare(CLONE_NEWNET), lo up ──► a descriptor: the Loopback
//!        ──"a socket in it"─► maker ──► setns, socket, and back    ──► a descriptor: the socket
//!        ◄──sock_diag(7)── a netlink socket in it: who listens; which listener is gone
//! ```
//!
//! The maker (`maker.rs`) is a process, one for all of a server's networks: whoever is not root may enter a network namespace
//! only together with a user namespace, and that only a process with a single thread may. So none of the server's threads is
//! ever in another network than the server's, and what works for root is what works for everybody.
//!
//! A network is gone when its [`Loopback`] is dropped and its last socket is closed.

mod carried;
mod diag;
mod maker;
mod netlink;
mod traffic;
mod watch;
mod wire;

pub use carried::{Carried, Connection};
pub use traffic::Traffic;
pub use watch::{Change, Listeners};

use parking_lot::Mutex;
use rustix::net::{AddressFamily, SocketType};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::watch as channel;

/// A network with nothing but a loopback.
pub struct Loopback {
    /// The namespace; it lives at least as long as this is open.
    space: OwnedFd,
    cookie: u64,
    /// Where the kernel is asked who listens, one question at a time.
    diag: Mutex<OwnedFd>,
    listened: channel::Sender<()>,
}

impl Loopback {
    /// Makes one; takes about a millisecond.
    ///
    /// # Errors
    /// Where the machine gives none, with the step that failed and what it wants.
    pub fn new() -> io::Result<Loopback> {
        let space = maker::space()?;
        let diag = maker::socket(space.as_fd(), wire::DIAG)?;
        let cookie = cookie_of(diag.as_fd())?;
        Ok(Loopback { space, cookie, diag: Mutex::new(diag), listened: channel::Sender::new(()) })
    }

    /// The number that a socket of this network has as its SO_NETNS_COOKIE, and no other.
    pub fn cookie(&self) -> u64 {
        self.cookie
    }

    /// A socket in it that does not block.
    pub fn socket(&self, family: AddressFamily, kind: SocketType) -> io::Result<OwnedFd> {
        maker::socket(self.space.as_fd(), wire::Socket::of(family, kind))
    }

    /// A connection to what listens at `port`, at either address of localhost.
    pub async fn connect(&self, port: u16) -> io::Result<TcpStream> {
        match self.connect_to((Ipv4Addr::LOCALHOST, port).into()).await {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                // A machine without IPv6 has said all there is to say.
                let v6 = self.connect_to((Ipv6Addr::LOCALHOST, port).into()).await;
                v6.map_err(|_| error)
            }
            answer => answer,
        }
    }

    /// A connection to what listens at `peer`.
    pub async fn connect_to(&self, peer: SocketAddr) -> io::Result<TcpStream> {
        let family = if peer.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let socket = self.socket(family, SocketType::STREAM)?;
        rustix::net::sockopt::set_tcp_nodelay(&socket, true)?;
        TcpSocket::from_std_stream(socket.into()).connect(peer).await
    }

    /// Who listens for connections, by address and port.
    pub fn listeners(&self) -> io::Result<Vec<SocketAddr>> {
        diag::listeners(self.diag.lock().as_fd())
    }

    /// To be called after a socket of this network was told to listen: nothing else tells.
    pub fn listened(&self) {
        self.listened.send_replace(());
    }

    /// The ports that somebody listens at, now and from now on. To be called within a tokio runtime.
    ///
    /// # Errors
    /// Where the kernel does not tell of sockets that are closed.
    pub fn watch(self: &Arc<Self>) -> io::Result<Listeners> {
        let closed = maker::socket(self.space.as_fd(), wire::DIAG)?;
        Listeners::new(self, closed, self.listened.subscribe())
    }

    /// What has gone through it so far.
    pub fn traffic(&self) -> io::Result<Traffic> {
        traffic::of(maker::socket(self.space.as_fd(), wire::ROUTE)?)
    }
}

/// The number of the network that a socket is of.
pub fn cookie_of(socket: BorrowedFd<'_>) -> io::Result<u64> {
    cookie(socket, libc::SO_NETNS_COOKIE)
}
/// The number of the socket itself.
fn cookie_of_socket(socket: BorrowedFd<'_>) -> io::Result<u64> {
    cookie(socket, libc::SO_COOKIE)
}

fn cookie(socket: BorrowedFd<'_>, option: i32) -> io::Result<u64> {
    let (mut cookie, mut length) = (0u64, size_of::<u64>() as libc::socklen_t);
    // SAFETY: eight bytes are written to where eight bytes are.
    let done = unsafe {
        let at = (&raw mut cookie).cast();
        libc::getsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, option, at, &raw mut length)
    };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(cookie) }
}
