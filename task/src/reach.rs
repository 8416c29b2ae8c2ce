//! What a program may reach: its task's `net:` capabilities, asked before every connection, listener and datagram, and for
//! every name that is looked up. Who is refused finds the missing capability in the task's trace and the server's log.
//!
//! A capability that names a host is good for the addresses that the host's name was found to have, by this program, by asking
//! for it: `net:connect example.org:443` allows `1.2.3.4:443` once the name was looked up and came to that.

use crate::{Caps, Trace};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use vfs::{Result, TaskId};

/// Names whose addresses are remembered; the oldest are forgotten.
const MAX_NAMES: usize = 64;
/// Refusals of one program that the server's log tells.
const MAX_LOGGED: u32 = 20;

/// One program's way to the network.
pub struct Reach {
    caps: Arc<Caps>,
    task: Option<TaskId>,
    trace: Trace,
    /// What the names that it asked for came to, the newest last.
    names: Mutex<VecDeque<(String, Vec<IpAddr>)>>,
    logged: AtomicU32,
}

impl Reach {
    pub fn new(caps: Arc<Caps>, task: Option<TaskId>, trace: Trace) -> Reach {
        Reach { caps, task, trace, names: Mutex::default(), logged: AtomicU32::new(0) }
    }

    pub fn caps(&self) -> &Caps {
        &self.caps
    }

    /// Whether it may connect to `peer`, or send there.
    pub fn connect(&self, peer: SocketAddr) -> Result<()> {
        let ip = peer.ip().to_canonical();
        let by_address = self.caps.allow_connect(&ip.to_string(), peer.port());
        let named = |(name, found): &(String, Vec<IpAddr>)| {
            found.contains(&ip) && self.caps.allow_connect(name, peer.port()).is_ok()
        };
        if by_address.is_err() && self.names.lock().iter().any(named) { Ok(()) } else { by_address }
    }

    /// Whether it may listen at `local`.
    pub fn listen(&self, local: SocketAddr) -> Result<()> {
        self.caps.allow_listen(&local.ip().to_canonical().to_string(), local.port())
    }

    /// It asked for `name`, and was told these addresses.
    pub fn found(&self, name: &str, addresses: &[IpAddr]) {
        let mut names = self.names.lock();
        names.retain(|(known, _)| known != name);
        if names.len() == MAX_NAMES {
            names.pop_front();
        }
        names.push_back((name.to_owned(), addresses.to_vec()));
    }

    /// Shows a question and its answer in the trace, and a refusal in the log; gives the answer.
    pub fn say(&self, verb: &str, what: impl Display, answer: Result<()>) -> Result<()> {
        match &answer {
            Ok(()) => {
                if self.trace.is_on() {
                    self.trace.say(format_args!("{verb}({what}) = allowed"));
                }
            }
            Err(error) => {
                self.trace.say(format_args!("{verb}({what}) = access-denied ({error})"));
                if self.logged.fetch_add(1, Ordering::Relaxed) < MAX_LOGGED {
                    let task = self.task.map_or(0, |task| task.0);
                    tracing::warn!(task, "{verb} {what}: {error}");
                }
            }
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Cap;

    #[test]
    fn a_name_is_good_for_the_addresses_it_came_to_and_its_own_ports() {
        let words: Vec<Vec<u8>> = [&b"net:connect"[..], b"example.org:443"].map(<[u8]>::to_vec).to_vec();
        let mut caps = Caps::default();
        caps.grant(Cap::parse(&words).expect("a capability"));
        let reach = Reach::new(Arc::new(caps), None, Trace::default());
        let peer = |address: &str| address.parse().expect("an address");
        assert!(reach.connect(peer("10.0.0.1:443")).is_err());
        reach.found("example.org", &["10.0.0.1".parse().expect("an address")]);
        reach.found("example.net", &["10.0.0.2".parse().expect("an address")]);
        assert!(reach.connect(peer("10.0.0.1:443")).is_ok());
        assert!(reach.connect(peer("[::ffff:10.0.0.1]:443")).is_ok());
        assert!(reach.connect(peer("10.0.0.1:80")).is_err());
        assert!(reach.connect(peer("10.0.0.2:443")).is_err());
        assert!(reach.listen(peer("10.0.0.1:443")).is_err());
    }
}
