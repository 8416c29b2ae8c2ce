//! What a component may reach: the task's `net:` capabilities, asked before every connection, listener and datagram, and
//! for every name that is looked up. Who is refused finds the missing capability in the task's trace and the server's log.
//!
//! A capability that names a host is good for the addresses that the host's name was found to have, by this guest, by asking
//! for it: `net:connect example.org:443` allows `1.2.3.4:443` once the name was looked up and came to that.

use parking_lot::Mutex;
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use task::{Caps, Trace};
use tokio::sync::Semaphore;
use vfs::{Caller, Result, TaskId};
use wasmtime_wasi::sockets::SocketAddrUse;

/// Sockets of all guests together: each is a descriptor of the server's.
pub(crate) struct Sockets {
    taken: AtomicUsize,
    max: usize,
}

/// Sockets of one guest.
pub(super) const MAX_SOCKETS: usize = 256;
/// Names that one guest looks up at a time: each holds a thread until the system answers.
const MAX_LOOKUPS: usize = 4;
/// Names whose addresses are remembered; the oldest are forgotten.
const MAX_NAMES: usize = 64;
/// Refusals of one guest that the server's log tells.
const MAX_LOGGED: u32 = 20;

impl Sockets {
    /// Half of the descriptors that the server may have.
    pub fn new() -> Sockets {
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        let max = limit.map_or(usize::MAX, |n| usize::try_from(n).unwrap_or(usize::MAX)) / 2;
        Sockets { taken: AtomicUsize::new(0), max }
    }

    pub fn take(self: &Arc<Self>) -> Option<SocketSlot> {
        let more = |taken| (taken < self.max).then_some(taken + 1);
        self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        Some(SocketSlot(self.clone()))
    }
}

/// A socket's place among those that the server can have, until it is dropped.
pub(crate) struct SocketSlot(Arc<Sockets>);

impl Drop for SocketSlot {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::Relaxed);
    }
}

/// One guest's way to the network.
pub(super) struct Net {
    caps: Arc<Caps>,
    task: Option<TaskId>,
    trace: Trace,
    /// What the names that the guest asked for came to, the newest last.
    names: Mutex<VecDeque<(String, Vec<IpAddr>)>>,
    pub lookups: Arc<Semaphore>,
    pub sockets: Arc<Sockets>,
    logged: AtomicU32,
}

impl Net {
    pub fn new(caps: Arc<Caps>, who: &Caller, trace: Trace, sockets: Arc<Sockets>) -> Net {
        Net {
            caps,
            task: who.task,
            trace,
            names: Mutex::default(),
            lookups: Arc::new(Semaphore::new(MAX_LOOKUPS)),
            sockets,
            logged: AtomicU32::new(0),
        }
    }

    /// Whether `peer` may be used so. Sockets ask here, also for binds that nobody asked for by name.
    pub fn admits(&self, peer: SocketAddr, to: SocketAddrUse) -> bool {
        match to {
            SocketAddrUse::TcpConnect => self.say("connect", peer, self.connect(peer)),
            SocketAddrUse::UdpSend => self.say("send", peer, self.connect(peer)),
            SocketAddrUse::TcpListen => self.say("listen", peer, self.listen(peer)),
            // A port of the system's choice is what connecting and sending begin with; listening there is asked for again.
            SocketAddrUse::TcpBind | SocketAddrUse::UdpBind if peer.port() == 0 => true,
            SocketAddrUse::TcpBind | SocketAddrUse::UdpBind => self.say("bind", peer, self.listen(peer)),
            // Whoever may listen hears everyone.
            SocketAddrUse::TcpAccept => true,
            SocketAddrUse::UdpReceive => self.caps.listens() || self.connect(peer).is_ok(),
        }
    }

    fn connect(&self, peer: SocketAddr) -> Result<()> {
        let ip = peer.ip().to_canonical();
        let by_address = self.caps.allow_connect(&ip.to_string(), peer.port());
        let named = |(name, found): &(String, Vec<IpAddr>)| {
            found.contains(&ip) && self.caps.allow_connect(name, peer.port()).is_ok()
        };
        if by_address.is_err() && self.names.lock().iter().any(named) { Ok(()) } else { by_address }
    }

    fn listen(&self, local: SocketAddr) -> Result<()> {
        self.caps.allow_listen(&local.ip().to_canonical().to_string(), local.port())
    }

    /// Whether a request may go to `host`, a name or an address.
    pub fn request(&self, what: impl std::fmt::Display, host: &str, port: u16) -> bool {
        self.say("http", what, self.caps.allow_connect(host, port))
    }

    /// Whether the addresses of `name` may be asked for.
    pub fn look_up(&self, name: &str) -> bool {
        self.say("resolve", name, self.caps.allow_look_up(name))
    }

    pub fn found(&self, name: &str, addresses: &[IpAddr]) {
        let mut names = self.names.lock();
        names.retain(|(known, _)| known != name);
        if names.len() == MAX_NAMES {
            names.pop_front();
        }
        names.push_back((name.to_owned(), addresses.to_vec()));
    }

    /// Shows a question and its answer in the trace, and a refusal in the log.
    fn say(&self, verb: &str, what: impl std::fmt::Display, answer: Result<()>) -> bool {
        match answer {
            Ok(()) => {
                if self.trace.is_on() {
                    self.trace.say(format_args!("{verb}({what}) = allowed"));
                }
                true
            }
            Err(error) => {
                self.trace.say(format_args!("{verb}({what}) = access-denied ({error})"));
                if self.logged.fetch_add(1, Ordering::Relaxed) < MAX_LOGGED {
                    let task = self.task.map_or(0, |task| task.0);
                    tracing::warn!(task, "{verb} {what}: {error}");
                }
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use task::Cap;

    fn net(lines: &[&str]) -> Net {
        let mut caps = Caps::default();
        for line in lines {
            let words: Vec<Vec<u8>> = line.split(' ').map(|word| word.as_bytes().to_vec()).collect();
            caps.grant(Cap::parse(&words).expect(line));
        }
        Net::new(Arc::new(caps), &Caller::me(), Trace::default(), Arc::new(Sockets::new()))
    }
    fn peer(address: &str) -> SocketAddr {
        address.parse().expect("an address")
    }

    #[test]
    fn without_capabilities_nothing_goes_out_and_nobody_listens() {
        let net = net(&[]);
        for to in [
            SocketAddrUse::TcpConnect,
            SocketAddrUse::TcpBind,
            SocketAddrUse::TcpListen,
            SocketAddrUse::UdpBind,
            SocketAddrUse::UdpSend,
            SocketAddrUse::UdpReceive,
        ] {
            assert!(!net.admits(peer("127.0.0.1:80"), to), "{to:?}");
        }
        assert!(!net.look_up("localhost") && !net.request("GET", "localhost", 80));
    }

    #[test]
    fn a_name_is_good_for_the_addresses_it_came_to_and_its_own_ports() {
        let net = net(&["net:connect example.org:443"]);
        assert!(!net.admits(peer("10.0.0.1:443"), SocketAddrUse::TcpConnect));
        net.found("example.org", &["10.0.0.1".parse().expect("an address")]);
        net.found("example.net", &["10.0.0.2".parse().expect("an address")]);
        assert!(net.admits(peer("10.0.0.1:443"), SocketAddrUse::TcpConnect));
        assert!(net.admits(peer("[::ffff:10.0.0.1]:443"), SocketAddrUse::UdpSend));
        assert!(!net.admits(peer("10.0.0.1:80"), SocketAddrUse::TcpConnect));
        assert!(!net.admits(peer("10.0.0.2:443"), SocketAddrUse::TcpConnect));
    }

    #[test]
    fn whoever_connects_needs_no_port_of_his_own_and_whoever_listens_hears_everyone() {
        let client = net(&["net:connect 10.0.0.1:80"]);
        assert!(client.admits(peer("0.0.0.0:0"), SocketAddrUse::TcpBind));
        assert!(!client.admits(peer("0.0.0.0:5000"), SocketAddrUse::TcpListen), "the port it was given then");
        assert!(!client.admits(peer("0.0.0.0:5000"), SocketAddrUse::TcpBind));
        assert!(client.admits(peer("10.0.0.1:80"), SocketAddrUse::UdpReceive));
        assert!(!client.admits(peer("10.0.0.2:80"), SocketAddrUse::UdpReceive));
        let server = net(&["net:listen 127.0.0.1:5000"]);
        assert!(server.admits(peer("127.0.0.1:5000"), SocketAddrUse::TcpBind));
        assert!(server.admits(peer("127.0.0.1:5000"), SocketAddrUse::TcpListen));
        assert!(
            !server.admits(peer("0.0.0.0:5000"), SocketAddrUse::TcpListen),
            "all addresses are more than one"
        );
        assert!(server.admits(peer("10.0.0.2:80"), SocketAddrUse::UdpReceive));
        assert!(!server.admits(peer("10.0.0.2:80"), SocketAddrUse::UdpSend));
    }

    #[test]
    fn the_servers_sockets_are_shared_and_given_back() {
        let sockets = Arc::new(Sockets { taken: AtomicUsize::new(0), max: 1 });
        let first = sockets.take();
        assert!(first.is_some() && sockets.take().is_none());
        drop(first);
        assert!(sockets.take().is_some());
    }
}
