//! What a component may reach ([`task::Reach`]), in the words of wasi:sockets, and how many sockets and lookups it may have.

use loopback::Loopback;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use task::Reach;
use tokio::sync::{Semaphore, watch};
use vfs::{Errno, Error, Result};
use wasmtime_wasi::sockets::SocketAddrUse;

/// Sockets of all guests together: each is a descriptor of the server's.
pub(crate) struct Sockets {
    taken: AtomicUsize,
    max: usize,
    /// Connections that were closed with bytes still to be sent.
    lingering: watch::Sender<usize>,
}

/// How long a server that ends waits for those.
const SETTLE: Duration = Duration::from_secs(2);

/// Sockets of one guest.
pub(super) const MAX_SOCKETS: usize = 256;
/// Names that one guest looks up at a time: each holds a thread until the system answers.
const MAX_LOOKUPS: usize = 4;

impl Sockets {
    /// Half of the descriptors that the server may have.
    pub fn new() -> Sockets {
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        let max = limit.map_or(usize::MAX, |n| usize::try_from(n).unwrap_or(usize::MAX)) / 2;
        Sockets { taken: AtomicUsize::new(0), max, lingering: watch::Sender::new(0) }
    }

    pub fn take(self: &Arc<Self>) -> Option<SocketSlot> {
        let more = |taken| (taken < self.max).then_some(taken + 1);
        self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        Some(SocketSlot(self.clone()))
    }

    /// One more connection that is closed and goes on sending, until this is dropped.
    pub(super) fn linger(self: &Arc<Self>) -> Lingering {
        self.lingering.send_modify(|count| *count += 1);
        Lingering(self.clone())
    }

    /// Waits until all is sent, a moment at most.
    pub async fn settle(&self) {
        let mut lingering = self.lingering.subscribe();
        let _in_time = tokio::time::timeout(SETTLE, lingering.wait_for(|count| *count == 0)).await;
    }
}

pub(super) struct Lingering(Arc<Sockets>);

impl Drop for Lingering {
    fn drop(&mut self) {
        self.0.lingering.send_modify(|count| *count -= 1);
    }
}

/// A socket's place among those that the server can have, until it is dropped.
pub(crate) struct SocketSlot(Arc<Sockets>);

impl Drop for SocketSlot {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The network that a socket is of.
pub(super) enum Way {
    /// The server's.
    Machine,
    /// That of the guest's container.
    Inside(Arc<Loopback>),
}

/// An address of whoever asks: loopback, and "any", which as a peer means the same.
fn is_own(ip: IpAddr) -> bool {
    let ip = ip.to_canonical();
    ip.is_loopback() || ip.is_unspecified()
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

    /// Which network a stream to `peer` is of. The loopback of its container a guest may always use; no other is to be had there.
    pub fn connect_tcp(&self, peer: SocketAddr) -> Result<Way> {
        if let Some(group) = self.reach.group().filter(|_| is_own(peer.ip())) {
            self.reach.say("connect", peer, Ok(()))?;
            return Ok(Way::Inside(group.loopback()?));
        }
        self.reach.say("connect", peer, self.reach.connect(peer))?;
        Ok(Way::Machine)
    }
    /// Which network a stream of `local` is of. A port of the system's choice is what connecting begins with, and listening
    /// there is asked for again.
    pub fn bind(&self, local: SocketAddr) -> Result<Way> {
        match self.reach.group() {
            Some(group) => Ok(Way::Inside(group.loopback()?)),
            None if local.port() == 0 => Ok(Way::Machine),
            None => self.reach.say("bind", local, self.reach.listen(local)).map(|()| Way::Machine),
        }
    }
    /// Whether connections may be accepted at `local`, where a stream was bound.
    pub fn listen_tcp(&self, local: SocketAddr) -> Result<()> {
        let allowed = if self.reach.is_of_group() { Ok(()) } else { self.reach.listen(local) };
        self.reach.say("listen", local, allowed)
    }
    /// Its container is told that the guest listens at `port`.
    pub fn listened(&self, port: u16) {
        if let (Some(group), Some(task)) = (self.reach.group(), self.reach.task()) {
            group.listened(port, task);
        }
    }

    /// Datagrams are sent by sockets of the server's own. Those of a group have a loopback to themselves, which is not the
    /// server's.
    fn send(&self, peer: SocketAddr) -> Result<()> {
        if self.reach.is_of_group() && is_own(peer.ip()) {
            let text = "permission denied: a WASI program of a container sends no datagrams on the loopback";
            return Err(Error::new(Errno::EACCES, text));
        }
        self.reach.connect(peer)
    }
    fn receive(&self, local: SocketAddr) -> Result<()> {
        if self.reach.is_of_group() {
            let text = "permission denied: a WASI program of a container is sent no datagrams";
            return Err(Error::new(Errno::EACCES, text));
        }
        self.reach.listen(local)
    }

    /// Whether `peer` may be used so by a socket for datagrams; also for binds that nobody asked for by name.
    pub fn admits(&self, peer: SocketAddr, to: SocketAddrUse) -> bool {
        let reach = &self.reach;
        match to {
            SocketAddrUse::UdpSend => reach.say("send", peer, self.send(peer)).is_ok(),
            // A port of the system's choice is what sending begins with.
            SocketAddrUse::UdpBind if peer.port() == 0 => true,
            SocketAddrUse::UdpBind => reach.say("bind", peer, self.receive(peer)).is_ok(),
            // Whoever may listen hears everyone.
            SocketAddrUse::UdpReceive => {
                (reach.caps().listens() && !reach.is_of_group()) || self.send(peer).is_ok()
            }
            // Streams are not wasmtime-wasi's.
            SocketAddrUse::TcpBind
            | SocketAddrUse::TcpConnect
            | SocketAddrUse::TcpListen
            | SocketAddrUse::TcpAccept => false,
        }
    }

    /// Where a request for `host` goes to the loopback of the guest's container: that.
    pub fn inside(&self, what: impl std::fmt::Display, host: &str) -> Result<Option<Arc<Loopback>>> {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let name = bare.strip_suffix('.').unwrap_or(bare).to_ascii_lowercase();
        let own = match bare.parse::<IpAddr>() {
            Ok(ip) => is_own(ip),
            Err(_) => name == "localhost" || name.ends_with(".localhost"),
        };
        let Some(group) = self.reach.group().filter(|_| own) else { return Ok(None) };
        self.reach.say("http", what, Ok(()))?;
        group.loopback().map(Some)
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

    fn goes_out(net: &Net, address: &str) -> bool {
        matches!(net.connect_tcp(peer(address)), Ok(Way::Machine))
    }

    #[tokio::test]
    async fn in_a_container_every_name_of_the_loopback_means_its_own_and_the_servers_has_none() {
        let group = Group::new(1);
        let reach = reach(&["net:connect *:*", "net:listen *:*"]).of_group(Some(group.clone()));
        let net = Net::new(reach, Arc::new(Sockets::new()));
        let own = group.loopback().expect("a loopback").cookie();
        let is_own = |way: Result<Way>| matches!(way, Ok(Way::Inside(loopback)) if loopback.cookie() == own);
        for address in ["127.0.0.1:80", "127.9.9.9:80", "[::1]:80", "[::ffff:127.0.0.1]:80", "0.0.0.0:80"] {
            assert!(is_own(net.connect_tcp(peer(address))), "{address}");
            for to in [SocketAddrUse::UdpSend, SocketAddrUse::UdpReceive] {
                assert!(!net.admits(peer(address), to), "{address} {to:?}");
            }
        }
        for address in ["0.0.0.0:8080", "127.0.0.1:8080", "10.0.0.1:80", "0.0.0.0:0"] {
            assert!(is_own(net.bind(peer(address))), "{address}");
        }
        assert!(!net.request("GET", "localhost", 80), "by a client of the server's it never goes");
        assert!(goes_out(&net, "192.0.2.1:443"));
    }

    #[test]
    fn without_capabilities_nothing_goes_out_and_nobody_listens() {
        let net = net(&[]);
        for to in [SocketAddrUse::UdpBind, SocketAddrUse::UdpSend, SocketAddrUse::UdpReceive] {
            assert!(!net.admits(peer("127.0.0.1:80"), to), "{to:?}");
        }
        assert!(!goes_out(&net, "127.0.0.1:80"));
        assert!(net.bind(peer("127.0.0.1:80")).is_err());
        assert!(net.listen_tcp(peer("127.0.0.1:80")).is_err());
        assert!(!net.look_up("localhost") && !net.request("GET", "localhost", 80));
    }

    #[test]
    fn a_name_is_good_for_the_addresses_it_came_to_and_its_own_ports() {
        let net = net(&["net:connect example.org:443"]);
        assert!(!goes_out(&net, "10.0.0.1:443"));
        net.found("example.org", &["10.0.0.1".parse().expect("an address")]);
        net.found("example.net", &["10.0.0.2".parse().expect("an address")]);
        assert!(goes_out(&net, "10.0.0.1:443"));
        assert!(net.admits(peer("[::ffff:10.0.0.1]:443"), SocketAddrUse::UdpSend));
        assert!(!goes_out(&net, "10.0.0.1:80"));
        assert!(!goes_out(&net, "10.0.0.2:443"));
    }

    #[test]
    fn whoever_connects_needs_no_port_of_his_own_and_whoever_listens_hears_everyone() {
        let client = net(&["net:connect 10.0.0.1:80"]);
        assert!(client.bind(peer("0.0.0.0:0")).is_ok());
        assert!(client.listen_tcp(peer("0.0.0.0:5000")).is_err(), "the port it was given then");
        assert!(client.bind(peer("0.0.0.0:5000")).is_err());
        assert!(client.admits(peer("10.0.0.1:80"), SocketAddrUse::UdpReceive));
        assert!(!client.admits(peer("10.0.0.2:80"), SocketAddrUse::UdpReceive));
        let server = net(&["net:listen 127.0.0.1:5000"]);
        assert!(server.bind(peer("127.0.0.1:5000")).is_ok());
        assert!(server.listen_tcp(peer("127.0.0.1:5000")).is_ok());
        assert!(server.listen_tcp(peer("0.0.0.0:5000")).is_err(), "all addresses are more than one");
        assert!(server.admits(peer("10.0.0.2:80"), SocketAddrUse::UdpReceive));
        assert!(!server.admits(peer("10.0.0.2:80"), SocketAddrUse::UdpSend));
    }

    #[test]
    fn the_servers_sockets_are_shared_and_given_back() {
        let sockets = Arc::new(Sockets { max: 1, ..Sockets::new() });
        let first = sockets.take();
        assert!(first.is_some() && sockets.take().is_none());
        drop(first);
        assert!(sockets.take().is_some());
    }
}
