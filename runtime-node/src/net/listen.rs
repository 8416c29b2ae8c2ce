//! bind(2) and listen(2): on the loopback, a task's own or its group's, or where others reach it.

use super::address::is_own;
use super::calls::{Answer, Call, Calls, done, errno, number};
use super::socket::Of;
use rustix::net::{bind, listen};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use task::Group;

impl Calls {
    pub(super) fn bind(&self, call: &Call<'_>, local: SocketAddr) -> Answer {
        let socket = &call.socket;
        // A port of the kernel's choice is what connecting begins with; listening there is asked for again.
        let begins = local.port() == 0 && local.ip().is_unspecified();
        match (socket.of, call.group()) {
            (Of::Group, _) => done(bind(&socket.fd, &local)),
            (Of::Machine, Some(_)) => Err(libc::EINVAL),
            (Of::Machine, None) => {
                self.may_listen("bind", local)?;
                done(bind(&socket.fd, &local))
            }
            (Of::Worker, Some(group)) => {
                // Datagrams that may go out go by a socket of the machine's. No other address of the machine's is a container's.
                let goes_out = call.given.as_ref().is_some_and(|given| given.reach.leaves_the_loopback());
                let new = if begins && !socket.is_stream() && goes_out {
                    socket.like(None)
                } else {
                    socket.like(Some(&*self.loopback(group)?))
                };
                self.bind_new(call, new.map_err(errno)?, local)
            }
            (Of::Worker, None) => {
                if begins && socket.is_stream() {
                    return done(bind(&socket.fd, &local));
                }
                let allowed = call.given.as_ref().is_some_and(|given| given.reach.listen(local).is_ok())
                    || (begins && call.given.as_ref().is_some_and(|given| given.reach.caps().connects()));
                let own_loopback = is_own(&local) && !local.ip().is_unspecified();
                if !allowed && (own_loopback || begins) {
                    return done(bind(&socket.fd, &local));
                }
                if !allowed {
                    self.may_listen("bind", local)?;
                }
                self.bind_new(call, socket.like(None).map_err(errno)?, local)
            }
        }
    }

    fn bind_new(&self, call: &Call<'_>, new: OwnedFd, local: SocketAddr) -> Answer {
        bind(&new, &local).map_err(number)?;
        self.put(call, &new)?;
        Ok(0)
    }

    pub(super) fn listen(&self, call: &Call<'_>, backlog: i32) -> Answer {
        let socket = &call.socket;
        let local = socket.local().unwrap_or((Ipv4Addr::UNSPECIFIED, 0).into());
        let any = SocketAddr::new(local.ip(), 0);
        let is_bound = local.port() != 0;
        match (socket.of, call.group()) {
            (Of::Group, Some(group)) => {
                listen(&socket.fd, backlog).map_err(number)?;
                tell(call, group, socket.fd.as_fd());
                Ok(0)
            }
            (Of::Worker, Some(group)) => {
                let new = socket.like(Some(&*self.loopback(group)?)).map_err(errno)?;
                bind(&new, &local).and_then(|()| listen(&new, backlog)).map_err(number)?;
                self.put(call, &new)?;
                tell(call, group, new.as_fd());
                Ok(0)
            }
            // A container's go out, and are not listened at.
            (Of::Machine, Some(_)) => Err(libc::EINVAL),
            // What was bound as the machine's was allowed then; its own loopback it always may.
            (Of::Machine, None) if is_bound => done(listen(&socket.fd, backlog)),
            _ if is_bound && is_own(&local) && !local.ip().is_unspecified() => {
                done(listen(&socket.fd, backlog))
            }
            _ => {
                self.may_listen("listen", any)?;
                let new = socket.like(None).map_err(errno)?;
                bind(&new, &any).and_then(|()| listen(&new, backlog)).map_err(number)?;
                self.put(call, &new)?;
                Ok(0)
            }
        }
    }
}

/// The group is told that somebody listens.
fn tell(call: &Call<'_>, group: &Arc<Group>, socket: BorrowedFd<'_>) {
    let local = rustix::net::getsockname(socket).ok().and_then(|address| SocketAddr::try_from(address).ok());
    if let (Some(local), Some(given)) = (local, &call.given) {
        group.listened(local.port(), given.id);
    }
}
