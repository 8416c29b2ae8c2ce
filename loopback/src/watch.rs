//! Ports as they are opened and closed. That one was opened is told by whoever let a socket listen; that a listener was
//! closed, or ended with its process, the kernel tells.

use crate::{Loopback, diag};
use rustix::net::{RecvFlags, recv};
use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Weak};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::watch;

/// A port that somebody listens at now, or nobody any more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    Opened(u16),
    Closed(u16),
}

/// The ports that somebody listens at, as they change.
pub struct Listeners {
    network: Weak<Loopback>,
    /// Where the kernel tells of sockets that were closed.
    closed: AsyncFd<OwnedFd>,
    listened: watch::Receiver<()>,
    known: BTreeSet<u16>,
    changes: VecDeque<Change>,
}

impl Listeners {
    pub(crate) fn new(
        network: &Arc<Loopback>,
        closed: OwnedFd,
        listened: watch::Receiver<()>,
    ) -> io::Result<Listeners> {
        diag::hear_of_closed(closed.as_fd())?;
        // SAFETY: the descriptor is owned by what registers it, and stays the same until that is dropped.
        let closed = unsafe { AsyncFd::register_with_interest(closed, Interest::READABLE) };
        let mut listeners = Listeners {
            network: Arc::downgrade(network),
            closed: closed.map_err(io::Error::from)?,
            listened,
            known: BTreeSet::new(),
            changes: VecDeque::new(),
        };
        listeners.look(network)?;
        Ok(listeners)
    }

    /// The next port that is opened or closed, first of all those that are open; none once the network is gone.
    pub async fn next(&mut self) -> io::Result<Option<Change>> {
        loop {
            if let Some(change) = self.changes.pop_front() {
                return Ok(Some(change));
            }
            tokio::select! {
                changed = self.listened.changed() => {
                    if changed.is_err() {
                        return Ok(None);
                    }
                }
                ready = self.closed.readable() => {
                    let mut ready = ready?;
                    self.drain()?;
                    ready.clear_ready();
                    // What came between the two is looked for below.
                    self.drain()?;
                }
            }
            let Some(network) = self.network.upgrade() else { return Ok(None) };
            self.look(&network)?;
        }
    }

    /// What is told is only that there is something to see.
    fn drain(&self) -> io::Result<()> {
        let mut bytes = [0; 64];
        loop {
            match recv(self.closed.get_ref(), &mut bytes[..], RecvFlags::TRUNC) {
                // More was told than the socket keeps.
                Ok(_) | Err(rustix::io::Errno::NOBUFS | rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn look(&mut self, network: &Loopback) -> io::Result<()> {
        let open: BTreeSet<u16> = network.listeners()?.iter().map(|address| address.port()).collect();
        self.changes.extend(self.known.difference(&open).map(|port| Change::Closed(*port)));
        self.changes.extend(open.difference(&self.known).map(|port| Change::Opened(*port)));
        self.known = open;
        Ok(())
    }
}
