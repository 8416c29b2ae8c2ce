//! What a component may reach ([`task::Reach`]), in the words of wasi:sockets, and how many sockets and lookups it may have.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use task::Reach;
use tokio::sync::Semaphore;
use vfs::{Errno, Error, Result};
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
    reach: Reach,
    pub lookups: Arc<Semaphore>,
    pub sockets: Arc<Sockets>,
}

impl Net {
    pub fn new(reach: Reach, sockets: Arc<Sockets>) -> Net {
        let lookups = Arc::new(Semaphore::new(MAX_LOOKUPS));
        Net { reach, lookups, sockets }
    }

    /// A guest's sockets are the server's own. Those of a group have a loopback to themselves, which is not the server's.
    fn outside(&self, peer: SocketAddr) -> Result<()> {
        let ip = peer.ip().to_canonical();
        if self.reach.is_of_group() && (ip.is_loopback() || ip.is_unspecified()) {
            let text = "permission denied: a WASI program of a container reaches no loopback";
            return Err(Error::new(Errno::EACCES, text));
        }
        Ok(())
    }
    fn connect(&self, peer: SocketAddr) -> Result<()> {
        self.outside(peer)?;
        self.reach.connect(peer)
    }
    fn listen(&self, local: SocketAddr) -> Result<()> {
        if self.reach.is_of_group() {
            let text = "permission denied: a WASI program of a container cannot listen";
            return Err(Error::new(Errno::EACCES, text));
        }
        self.reach.listen(local)
    }

    /// Whether `peer` may be used so. Sockets ask here, also for binds that nobody asked for by name.
    pub fn admits(&self, peer: SocketAddr, to: SocketAddrUse) -> bool {
        let reach = &self.reach;
        match to {
            SocketAddrUse::TcpConnect => reach.say("connect", peer, self.connect(peer)).is_ok(),
            SocketAddrUse::UdpSend => reach.say("send", peer, self.connect(peer)).is_ok(),
            SocketAddrUse::TcpListen => reach.say("listen", peer, self.listen(peer)).is_ok(),
            // A port of the system's choice is what connecting and sending begin with; listening there is asked for again.
            SocketAddrUse::TcpBind | SocketAddrUse::UdpBind if peer.port() == 0 => true,
            SocketAddrUse::TcpBind | SocketAddrUse::UdpBind => {
                reach.say("bind", peer, self.listen(peer)).is_ok()
            }
            // Whoever may listen hears everyone.
            SocketAddrUse::TcpAccept => true,
            SocketAddrUse::UdpReceive => {
                (reach.caps().listens() && !reach.is_of_group()) || self.connect(peer).is_ok()
            }
        }
    }

    /// Whether a request may go to `host`, a name or an address.
    pub fn request(&self, what: impl std::fmt::Display, host: &str, port: u16) -> bool {
        let asked = if self.reach.is_of_group() {
            // Its name is looked up by the client, which would go to the server's own loopback for one that says so.
            let text = "permission denied: a WASI program of a container makes no requests of the server";
            Err(Error::new(Errno::EACCES, text))
        } else {
            self.reach.caps().allow_connect(host, port)
        };
        self.reach.say("http", what, asked).is_ok()
    }

    /// Whether the addresses of `name` may be asked for.
    pub fn look_up(&self, name: &str) -> bool {
        self.reach.say("resolve", name, self.reach.look_up(name)).is_ok()
    }

    pub fn found(&self, name: &str, addresses: &[IpAddr]) {
        self.reach.found(name, addresses);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use task::{Cap, Caps, Group, Trace};

    fn net(lines: &[&str]) -> Net {
        Net::new(reach(lines), Arc::new(Sockets::new()))
    }
    fn reach(lines: &[&str]) -> Reach {
        let mut caps = Caps::default();
        for line in lines {
            let words: Vec<Vec<u8>> = line.split(' ').map(|word| word.as_bytes().to_vec()).collect();
            caps.grant(Cap::parse(&words).expect(line));
        }
        Reach::new(Arc::new(caps), None, Trace::default())
    }
    fn peer(address: &str) -> SocketAddr {
        address.parse().expect("an address")
    }

    #[test]
    fn in_a_container_the_loopback_of_the_server_is_not_to_be_reached_whatever_it_is_called() {
        let reach = reach(&["net:connect *:*", "net:listen *:*"]).of_group(Some(Group::new(1)));
        let net = Net::new(reach, Arc::new(Sockets::new()));
        for address in ["127.0.0.1:80", "127.9.9.9:80", "[::1]:80", "[::ffff:127.0.0.1]:80", "0.0.0.0:80"] {
            for to in [SocketAddrUse::TcpConnect, SocketAddrUse::UdpSend, SocketAddrUse::UdpReceive] {
                assert!(!net.admits(peer(address), to), "{address} {to:?}");
            }
        }
        assert!(!net.admits(peer("0.0.0.0:8080"), SocketAddrUse::TcpListen));
        assert!(!net.request("GET", "localhost", 80));
        assert!(net.admits(peer("192.0.2.1:443"), SocketAddrUse::TcpConnect));
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
