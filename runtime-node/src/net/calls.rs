//! The four calls: what each means for a worker, under its task's capabilities.
//!
//! ```text
//! connect, sendto   to its own loopback: done on its own socket
//!                   elsewhere: a socket of ours takes the place of its own, where a net:connect allows it
//! bind, listen      on its own loopback: done on its own socket
//!                   elsewhere: a socket of ours takes the place of its own, where a net:listen allows it
//! ```
//!
//! A loopback means the worker's own. Where nobody listens there, and a capability names the machine's, it is the machine's.

use super::address::{self, Address, is_own};
use super::notify::{Listener, Notice};
use super::socket::Socket;
use crate::link::Link;
use rustix::net::{SendFlags, bind, connect, connect_unspec, listen, sendto, sockopt};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd, RawFd};
use std::sync::Arc;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// The longest datagram.
const MOST: usize = 65_535;

/// One worker's calls.
pub(super) struct Calls {
    pub listener: Listener,
    pub worker: OwnedFd,
    pub our_network: u64,
    pub link: Arc<Link>,
}

/// The value of a call, or its errno.
type Answer = Result<i64, i32>;

fn errno(error: &std::io::Error) -> i32 {
    error.raw_os_error().unwrap_or(libc::EIO)
}
fn done(result: rustix::io::Result<()>) -> Answer {
    result.map(|()| 0).map_err(|e| e.raw_os_error())
}

impl Calls {
    pub async fn answer(&self, notice: Notice) {
        let answer = self.call(&notice).await;
        self.listener.answer(&notice, answer);
    }

    async fn call(&self, notice: &Notice) -> Answer {
        let args = notice.data.args;
        let fd = args[0] as RawFd;
        let socket = Socket::of(&self.worker, fd, self.our_network).map_err(|e| errno(&e))?;
        let call = libc::c_long::from(notice.data.nr);
        match call {
            libc::SYS_connect => match self.address(notice, args[1], args[2])? {
                Address::None => done(connect_unspec(&socket.fd)),
                Address::Inet(peer) => self.connect(notice, fd, &socket, peer).await,
            },
            libc::SYS_bind => match self.address(notice, args[1], args[2])? {
                Address::None => Err(libc::EAFNOSUPPORT),
                Address::Inet(local) => self.bind(notice, fd, &socket, local),
            },
            libc::SYS_listen => self.listen(notice, fd, &socket, args[1] as i32),
            libc::SYS_sendto => {
                let peer = match args[4] {
                    0 => None,
                    at => match self.address(notice, at, args[5])? {
                        Address::None => None,
                        Address::Inet(peer) => Some(peer),
                    },
                };
                self.send(notice, &socket, peer, args)
            }
            _ => Err(libc::ENOSYS),
        }
    }

    fn address(&self, notice: &Notice, at: u64, length: u64) -> Result<Address, i32> {
        // An int, which the kernel checks so.
        let length = usize::try_from(length as i32).map_err(|_| libc::EINVAL)?;
        if length > address::MOST {
            return Err(libc::EINVAL);
        }
        address::parse(&self.listener.copy(notice, at, length).map_err(|e| errno(&e))?)
    }

    /// Whether the task may connect to, or send to, `peer`; the worker can read why not.
    fn may_connect(&self, verb: &str, peer: SocketAddr) -> Result<(), i32> {
        self.may(verb, peer, |reach| reach.connect(peer))
    }
    fn may_listen(&self, verb: &str, local: SocketAddr) -> Result<(), i32> {
        self.may(verb, local, |reach| reach.listen(local))
    }
    fn may(
        &self,
        verb: &str,
        address: SocketAddr,
        ask: impl FnOnce(&task::Reach) -> vfs::Result<()>,
    ) -> Result<(), i32> {
        let given = self.link.given().ok_or(libc::EACCES)?;
        given.reach.say(verb, address, ask(&given.reach)).map_err(|error| {
            self.link.refuse(format!("{verb} {address}: {error}"));
            libc::EACCES
        })
    }
    /// Whether it may, where nobody needs to hear that it may not.
    fn could_connect(&self, peer: SocketAddr) -> bool {
        self.link.given().is_some_and(|given| given.reach.connect(peer).is_ok())
    }

    async fn connect(&self, notice: &Notice, fd: RawFd, socket: &Socket, peer: SocketAddr) -> Answer {
        if is_own(&peer) && !socket.is_ours {
            let mut result = done(connect(&socket.fd, &peer));
            let elsewhere = self.could_connect(peer);
            if result == Err(libc::EINPROGRESS) && elsewhere {
                // A loopback knows at once whether somebody listens.
                result = wait_until_connected(&socket.fd).await.map(|()| 0).map_err(|e| errno(&e));
            }
            if result != Err(libc::ECONNREFUSED) || !elsewhere {
                return result;
            }
        }
        self.may_connect("connect", peer)?;
        if socket.is_ours && !socket.is_stream() {
            return done(connect(&socket.fd, &peer));
        }
        // A stream that was connected before, or is being, says so itself.
        if socket.is_ours && rustix::net::getpeername(&socket.fd).is_ok() {
            return Err(libc::EISCONN);
        }
        let new = socket.like().map_err(|e| errno(&e))?;
        let pending = match connect(&new, &peer) {
            Ok(()) => false,
            Err(rustix::io::Errno::INPROGRESS) => true,
            Err(error) => return Err(error.raw_os_error()),
        };
        if pending && !socket.nonblocking {
            wait_until_connected(&new).await.map_err(|e| errno(&e))?;
        }
        socket.block_like(&new).map_err(|e| errno(&e))?;
        self.listener.swap(notice, fd, new.as_fd()).map_err(|e| errno(&e))?;
        if pending && socket.nonblocking { Err(libc::EINPROGRESS) } else { Ok(0) }
    }

    fn bind(&self, notice: &Notice, fd: RawFd, socket: &Socket, local: SocketAddr) -> Answer {
        let own_loopback = is_own(&local) && !local.ip().is_unspecified();
        // A port of the kernel's choice is what connecting begins with; listening there is asked for again.
        let begins = local.port() == 0 && local.ip().is_unspecified();
        if socket.is_ours {
            self.may_listen("bind", local)?;
            return done(bind(&socket.fd, &local));
        }
        if begins && socket.is_stream() {
            return done(bind(&socket.fd, &local));
        }
        let given = self.link.given();
        let allowed = given.as_ref().is_some_and(|given| {
            given.reach.listen(local).is_ok() || (begins && given.reach.caps().connects())
        });
        if !allowed && (own_loopback || begins) {
            return done(bind(&socket.fd, &local));
        }
        if !allowed {
            self.may_listen("bind", local)?;
        }
        let new = socket.like().map_err(|e| errno(&e))?;
        bind(&new, &local).map_err(|e| e.raw_os_error())?;
        socket.block_like(&new).map_err(|e| errno(&e))?;
        self.listener.swap(notice, fd, new.as_fd()).map_err(|e| errno(&e))?;
        Ok(0)
    }

    fn listen(&self, notice: &Notice, fd: RawFd, socket: &Socket, backlog: i32) -> Answer {
        let local = socket.local().unwrap_or((Ipv4Addr::UNSPECIFIED, 0).into());
        // What was bound as ours was allowed then; its own loopback it always may.
        let is_bound = local.port() != 0;
        if (socket.is_ours && is_bound) || (is_bound && is_own(&local) && !local.ip().is_unspecified()) {
            return done(listen(&socket.fd, backlog));
        }
        let any = SocketAddr::new(local.ip(), 0);
        self.may_listen("listen", any)?;
        let new = socket.like().map_err(|e| errno(&e))?;
        bind(&new, &any).and_then(|()| listen(&new, backlog)).map_err(|e| e.raw_os_error())?;
        socket.block_like(&new).map_err(|e| errno(&e))?;
        self.listener.swap(notice, fd, new.as_fd()).map_err(|e| errno(&e))?;
        Ok(0)
    }

    fn send(&self, notice: &Notice, socket: &Socket, peer: Option<SocketAddr>, args: [u64; 6]) -> Answer {
        // TCP looks at no address once it is connected, and here has none before.
        let peer = peer.filter(|_| !socket.is_stream());
        if let Some(peer) = peer
            && (socket.is_ours || !is_own(&peer))
        {
            self.may_connect("send", peer)?;
        }
        let length = usize::try_from(args[2]).unwrap_or(usize::MAX);
        if length > MOST {
            return Err(libc::EMSGSIZE);
        }
        let data = self.listener.copy(notice, args[1], length).map_err(|e| errno(&e))?;
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        let sent = match peer {
            Some(peer) => sendto(&socket.fd, &data, flags, &peer),
            None => rustix::net::send(&socket.fd, &data, flags),
        };
        sent.map(|count| count as i64).map_err(|e| e.raw_os_error())
    }
}

async fn wait_until_connected(socket: &OwnedFd) -> std::io::Result<()> {
    let fd = socket.as_fd();
    // SAFETY: the descriptor is borrowed for longer than it is registered.
    let waiting = unsafe { AsyncFd::register_with_interest(fd, Interest::WRITABLE) };
    let waiting = waiting.map_err(std::io::Error::from)?;
    let _writable = waiting.writable().await?;
    match sockopt::socket_error(fd)? {
        Ok(()) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
