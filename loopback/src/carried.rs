//! What TCP connections of the server's own network have carried, as the kernel counts it (tcp_info): asked for one that is
//! open, told of each that is closed.

use crate::netlink::{ask, attributes, messages};
use crate::{cookie_of_socket, diag};
use parking_lot::Mutex;
use rustix::net::netlink::SOCK_DIAG;
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, getsockname, recv, socket_with};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// `struct inet_diag_msg`, and where in it a socket's number is.
const MESSAGE: usize = 72;
const COOKIE: usize = 44;
/// `INET_DIAG_INFO`.
const INFO: u16 = 2;
/// In `struct tcp_info`: bytes_acked and bytes_received.
const ACKED: usize = 120;
const RECEIVED: usize = 128;

/// A connection of this network, for as long as it is open and a moment longer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Connection {
    /// No other socket has it.
    pub cookie: u64,
    /// As sock_diag wants to be asked for it: `struct inet_diag_req_v2`.
    request: Vec<u8>,
}

impl Connection {
    /// That of `socket` to `peer`, which it has or is about to have.
    pub fn of(socket: BorrowedFd<'_>, peer: SocketAddr) -> io::Result<Connection> {
        let own = SocketAddr::try_from(getsockname(socket)?)?;
        let cookie = cookie_of_socket(socket)?;
        let family = if own.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
        let mut request = vec![family as u8, libc::IPPROTO_TCP as u8, 1 << (INFO - 1), 0];
        request.extend(u32::MAX.to_ne_bytes());
        request.extend(own.port().to_be_bytes());
        request.extend(peer.port().to_be_bytes());
        for address in [own, peer] {
            let mut bytes = [0; 16];
            match address.ip() {
                IpAddr::V4(ip) => bytes[..4].copy_from_slice(&ip.octets()),
                IpAddr::V6(ip) => bytes = ip.octets(),
            }
            request.extend(bytes);
        }
        request.extend([0; 4]);
        request.extend(cookie.to_ne_bytes());
        Ok(Connection { cookie, request })
    }
}

/// One that counts.
pub struct Carried {
    diag: Mutex<OwnedFd>,
    gone: AsyncFd<OwnedFd>,
}

impl Carried {
    /// To be called within a tokio runtime.
    pub fn new() -> io::Result<Carried> {
        let socket = || {
            let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
            socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, Some(SOCK_DIAG))
        };
        let gone = socket()?;
        diag::hear_of_all_closed(gone.as_fd())?;
        // SAFETY: the descriptor is owned by what registers it, and stays the same until that is dropped.
        let gone = unsafe { AsyncFd::register_with_interest(gone, Interest::READABLE) };
        Ok(Carried { diag: Mutex::new(socket()?), gone: gone.map_err(io::Error::from)? })
    }

    /// The bytes of both ways so far; none where it is not there any more.
    pub fn so_far(&self, connection: &Connection) -> io::Result<Option<u64>> {
        let mut bytes = None;
        let diag = self.diag.lock();
        let asked = ask(diag.as_fd(), diag::BY_FAMILY, 0, &connection.request, |message| {
            bytes = figures(message).map(|(_, bytes)| bytes);
        });
        match asked {
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ESTALE)) => Ok(None),
            done => done.map(|()| bytes),
        }
    }

    /// Waits for connections that are closed, by whomever of this network: their cookies, and all that they carried. Nothing
    /// where more were closed at once than the kernel keeps for us: they are to be looked for.
    pub async fn gone(&self) -> io::Result<Vec<(u64, u64)>> {
        let mut bytes = vec![0; 8192];
        loop {
            let mut ready = self.gone.readable().await?;
            match recv(self.gone.get_ref(), &mut bytes[..], RecvFlags::empty()) {
                Ok((count, _)) => return Ok(messages(&bytes[..count]).filter_map(figures).collect()),
                Err(rustix::io::Errno::NOBUFS) => return Ok(Vec::new()),
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) => ready.clear_ready(),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// The cookie and the bytes of both ways in an `inet_diag_msg`.
fn figures(message: &[u8]) -> Option<(u64, u64)> {
    let number = |bytes: &[u8], at: usize| Some(u64::from_ne_bytes(*bytes.get(at..)?.first_chunk()?));
    let (_, info) = attributes(message.get(MESSAGE..)?).find(|(kind, _)| *kind == INFO)?;
    Some((number(message, COOKIE)?, number(info, ACKED)? + number(info, RECEIVED)?))
}
