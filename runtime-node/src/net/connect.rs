//! connect(2): to the loopback, a task's own or its group's, or out.

use super::Neighbour;
use super::address::is_own;
use super::calls::{Answer, Call, Calls, done, errno, number, wait_until_connected};
use super::meter::Meter;
use super::socket::Of;
use rustix::io::Errno;
use rustix::net::connect;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use task::Group;

impl Call<'_> {
    /// Who answers at `peer`, where that is a server of ours and nobody of `group`. What a net:deny names is not there.
    fn neighbour(&self, group: &Group, peer: SocketAddr) -> Option<&Neighbour> {
        let given = self.given.as_ref()?;
        let neighbour = given.neighbour.as_ref().filter(|neighbour| neighbour.port == peer.port())?;
        let taken = group.has_loopback().is_some_and(|loopback| {
            loopback.listeners().is_ok_and(|all| all.iter().any(|local| local.port() == peer.port()))
        });
        let is_meant = self.socket.is_stream() && !taken && given.reach.not_denied(peer).is_ok();
        is_meant.then_some(neighbour)
    }
}

impl Calls {
    pub(super) async fn connect(&self, call: &Call<'_>, peer: SocketAddr) -> Answer {
        let socket = &call.socket;
        match (socket.of, call.group()) {
            // It may be bound there, or be of datagrams: it stays what it is, and what is elsewhere it does not reach.
            (Of::Group, _) if is_own(&peer) || !socket.is_stream() => self.connect_as_it_is(call, peer).await,
            (Of::Worker, Some(group)) if is_own(&peer) => {
                if let Some(neighbour) = call.neighbour(group, peer) {
                    let new = socket.like(Some(&*neighbour.network)).map_err(errno)?;
                    return self.connect_new(call, new, peer).await;
                }
                let loopback = self.loopback(group)?;
                self.connect_new(call, socket.like(Some(&loopback)).map_err(errno)?, peer).await
            }
            (Of::Worker, None) if is_own(&peer) => {
                let elsewhere = call.given.as_ref().is_some_and(|given| given.reach.connect(peer).is_ok());
                let answer = self.connect_as_it_is(call, peer).await;
                if elsewhere && answer == Err(libc::EINPROGRESS) {
                    // A loopback knows at once whether somebody listens.
                    match wait_until_connected(&socket.fd).await.map_err(errno) {
                        Err(libc::ECONNREFUSED) => self.connect_out(call, peer).await,
                        answer => answer.map(|()| 0),
                    }
                } else if elsewhere && answer == Err(libc::ECONNREFUSED) {
                    self.connect_out(call, peer).await
                } else {
                    answer
                }
            }
            _ => self.connect_out(call, peer).await,
        }
    }

    /// Connects the worker's socket itself.
    async fn connect_as_it_is(&self, call: &Call<'_>, peer: SocketAddr) -> Answer {
        let connected = {
            let _alone = self.connecting.lock();
            call.socket.connect_at_once(&peer)
        };
        match connected {
            Err(Errno::INPROGRESS) if !call.socket.nonblocking => {
                wait_until_connected(&call.socket.fd).await.map(|()| 0).map_err(errno)
            }
            connected => done(connected),
        }
    }

    async fn connect_out(&self, call: &Call<'_>, peer: SocketAddr) -> Answer {
        self.may_connect("connect", peer)?;
        if call.socket.of == Of::Machine && !call.socket.is_stream() {
            return done(connect(&call.socket.fd, &peer));
        }
        let new = call.socket.like(None).map_err(errno)?;
        self.connect_new(call, new, peer).await
    }

    /// Connects `new`, which takes the place of the worker's socket once it is.
    async fn connect_new(&self, call: &Call<'_>, new: OwnedFd, peer: SocketAddr) -> Answer {
        // A stream that was connected before, or is being, says so itself.
        if call.socket.of != Of::Worker && call.socket.is_connected() {
            return Err(libc::EISCONN);
        }
        let pending = match connect(&new, &peer) {
            Ok(()) => false,
            Err(Errno::INPROGRESS) => true,
            Err(error) => return Err(number(error)),
        };
        if pending && !call.socket.nonblocking {
            wait_until_connected(&new).await.map_err(errno)?;
        }
        if !is_own(&peer)
            && let (Some(group), Some(meter)) = (call.group(), Meter::get())
        {
            meter.add(group, new.as_fd(), peer);
        }
        self.put(call, &new)?;
        if pending && call.socket.nonblocking { Err(libc::EINPROGRESS) } else { Ok(0) }
    }
}
