//! The four calls: what each means for a worker, under its task's capabilities.
//!
//! ```text
//!                   to its own loopback                      elsewhere
//! connect, sendto   of a group: a socket of its loopback     a socket of the machine's takes the place of its own,
//! bind, listen      takes the place of its own               where a net:connect or net:listen allows it
//!                   alone: done on its own socket
//! ```
//!
//! For a task of a group, "own loopback" is the group's: 127.0.0.0/8, ::1, and the "any" addresses that servers listen at.
//! Nothing else is, whatever the capabilities say: the machine's loopback is not to be had. For a task alone, where nobody
//! listens on its own and a capability names the machine's, it is the machine's.

use super::address::{self, Address, is_own};
use super::notify::{Listener, Notice};
use super::socket::{Networks, Of, Socket};
use crate::link::{Given, Link};
use loopback::Loopback;
use parking_lot::Mutex;
use rustix::net::{SendFlags, connect_unspec, sendto, sockopt};
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd, RawFd};
use std::sync::Arc;
use task::Group;
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
    /// Held while a socket of the worker's is connected as it is.
    pub connecting: Mutex<()>,
}

/// One call, and what it is about.
pub(super) struct Call<'c> {
    pub notice: &'c Notice,
    /// The worker's number for the socket.
    pub fd: RawFd,
    pub socket: Socket,
    pub given: Option<Arc<Given>>,
}

/// The value of a call, or its errno.
pub(super) type Answer = Result<i64, i32>;

pub(super) fn errno(error: std::io::Error) -> i32 {
    error.raw_os_error().unwrap_or(libc::EIO)
}
pub(super) fn number(error: rustix::io::Errno) -> i32 {
    error.raw_os_error()
}
pub(super) fn done(result: rustix::io::Result<()>) -> Answer {
    result.map(|()| 0).map_err(number)
}

impl Call<'_> {
    pub fn group(&self) -> Option<&Arc<Group>> {
        self.given.as_ref()?.group.as_ref()
    }
}

impl Calls {
    pub async fn answer(&self, notice: Notice) {
        let answer = self.call(&notice).await;
        self.listener.answer(&notice, answer);
    }

    async fn call(&self, notice: &Notice) -> Answer {
        let args = notice.data.args;
        let fd = args[0] as RawFd;
        let given = self.link.given();
        let loopback = given.as_ref().and_then(|given| given.group.as_ref()?.has_loopback());
        let networks = Networks { machine: self.our_network, group: loopback.map(|group| group.cookie()) };
        let socket = Socket::of(&self.worker, fd, networks).map_err(errno)?;
        let call = Call { notice, fd, socket, given };
        match libc::c_long::from(notice.data.nr) {
            libc::SYS_connect => match self.address(notice, args[1], args[2])? {
                Address::None => done(connect_unspec(&call.socket.fd)),
                Address::Inet(peer) => self.connect(&call, peer).await,
            },
            libc::SYS_bind => match self.address(notice, args[1], args[2])? {
                Address::None => Err(libc::EAFNOSUPPORT),
                Address::Inet(local) => self.bind(&call, local),
            },
            libc::SYS_listen => self.listen(&call, args[1] as i32),
            libc::SYS_sendto => {
                let peer = match args[4] {
                    0 => None,
                    at => match self.address(notice, at, args[5])? {
                        Address::None => None,
                        Address::Inet(peer) => Some(peer),
                    },
                };
                self.send(call, peer)
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
        address::parse(&self.listener.copy(notice, at, length).map_err(errno)?)
    }

    /// Whether the task may connect to, or send to, `peer`; the worker can read why not.
    pub fn may_connect(&self, verb: &str, peer: SocketAddr) -> Result<(), i32> {
        self.may(verb, peer, |given| {
            // The machine's loopback has the server on it, and its gateway.
            if given.group.is_some() && is_own(&peer) {
                let text = "permission denied: a container has a loopback of its own";
                return Err(vfs::Error::new(vfs::Errno::EACCES, text));
            }
            if let Some(group) = &given.group {
                // In the words by which the worker knows what to say of an EACCES.
                group.charge_network(0).map_err(|error| error.context("permission denied"))?;
            }
            given.reach.connect(peer)
        })
    }
    pub fn may_listen(&self, verb: &str, local: SocketAddr) -> Result<(), i32> {
        self.may(verb, local, |given| given.reach.listen(local))
    }
    fn may(
        &self,
        verb: &str,
        address: SocketAddr,
        ask: impl FnOnce(&Given) -> vfs::Result<()>,
    ) -> Result<(), i32> {
        let given = self.link.given().ok_or(libc::EACCES)?;
        given.reach.say(verb, address, ask(&given)).map_err(|error| {
            self.link.refuse(format!("{verb} {address}: {error}"));
            error.errno().raw()
        })
    }

    /// The loopback of a group, whose sockets its tasks' are to be.
    pub fn loopback(&self, group: &Arc<Group>) -> Result<Arc<Loopback>, i32> {
        group.loopback().map_err(|error| {
            self.link.refuse(error.to_string());
            error.errno().raw()
        })
    }

    /// Puts `new` in the place of the call's socket.
    pub fn put(&self, call: &Call<'_>, new: &OwnedFd) -> Result<(), i32> {
        call.socket.block_like(new).map_err(errno)?;
        self.listener.swap(call.notice, call.fd, new.as_fd()).map_err(errno)
    }

    fn send(&self, mut call: Call<'_>, peer: Option<SocketAddr>) -> Answer {
        let [_, data, length, ..] = call.notice.data.args;
        // TCP looks at no address once it is connected, and here has none before.
        let peer = peer.filter(|_| !call.socket.is_stream());
        if let Some(peer) = peer {
            if is_own(&peer)
                && call.socket.of == Of::Worker
                && let Some(group) = call.group()
            {
                let new = call.socket.like(Some(&*self.loopback(group)?)).map_err(errno)?;
                self.put(&call, &new)?;
                call.socket.fd = new;
            } else if call.socket.of == Of::Machine || !is_own(&peer) {
                self.may_connect("send", peer)?;
            }
        }
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > MOST {
            return Err(libc::EMSGSIZE);
        }
        let data = self.listener.copy(call.notice, data, length).map_err(errno)?;
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        let sent = match peer {
            Some(peer) => sendto(&call.socket.fd, &data, flags, &peer),
            None => rustix::net::send(&call.socket.fd, &data, flags),
        };
        let sent = sent.map_err(number)?;
        if let (Of::Machine, Some(group)) = (call.socket.of, call.group()) {
            // The next one is refused where this was too much.
            let _told = group.charge_network(sent as u64);
        }
        Ok(sent as i64)
    }
}

pub(super) async fn wait_until_connected(socket: &OwnedFd) -> std::io::Result<()> {
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
