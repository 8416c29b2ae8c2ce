//! A worker's network. The worker has a network namespace of its own with nothing in it but a loopback; its calls to connect,
//! bind, listen and send with an address come here instead of the kernel, and are done here under its task's capabilities: with
//! a socket of the server's that takes the place of the worker's. Those of tasks of a group that mean the loopback are of the
//! group's (crate `loopback`), where its tasks meet.
//!
//! ```text
//! worker: connect(7, 1.2.3.4:443) ─seccomp─► server: net:connect? ─► socket, connect ─ADDFD─► 7 is that socket now
//! ```

mod address;
mod calls;
mod connect;
mod dns;
mod listen;
mod meter;
mod notify;
mod socket;

pub(crate) use dns::{AT_ONCE, look_up};

use crate::link::Link;
use calls::Calls;
use loopback::Loopback;
use notify::Listener;
use parking_lot::Mutex;
use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use tokio::task::JoinSet;

/// A server of ours that every group finds on its own loopback, where nobody of the group listens at its port.
#[derive(Clone)]
pub struct Neighbour {
    /// The network that it listens in, at 127.0.0.1.
    pub network: Arc<Loopback>,
    pub port: u16,
}

impl fmt::Debug for Neighbour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Neighbour at {}", self.port)
    }
}

/// Takes `worker`'s network calls as they come to `listener`, until it ends. Dropping this ends those that are under way.
pub(crate) async fn supervise(listener: OwnedFd, worker: OwnedFd, link: Arc<Link>) -> io::Result<()> {
    let calls = Arc::new(Calls {
        listener: Listener::new(listener)?,
        worker,
        our_network: socket::our_network()?,
        link,
        connecting: Mutex::new(()),
    });
    // Each of its threads has one at most.
    let mut under_way = JoinSet::new();
    loop {
        tokio::select! {
            notice = calls.listener.receive() => {
                let (calls, notice) = (calls.clone(), notice?);
                under_way.spawn(async move { calls.answer(notice).await });
            }
            Some(_) = under_way.join_next() => {}
        }
    }
}
