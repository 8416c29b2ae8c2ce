//! `wasi:sockets/tcp`, over sockets of our own: whether one is of the machine's network or of the loopback of the guest's container
//! is known when it is bound or connected, and no sooner ([`super::net::Way`]). The rules are those of the interface's text; UDP is
//! wasmtime-wasi's.

mod options;
mod socket;
mod streams;

pub(super) use socket::Tcp;

use super::Guest;
use std::net::{IpAddr, SocketAddr};
use wasmtime::component::{HasData, Linker, Resource};
use wasmtime_wasi::p2::bindings::sockets::network::{
    self, ErrorCode, IpAddressFamily, IpSocketAddress, Network,
};
use wasmtime_wasi::p2::bindings::sockets::tcp::{self, HostTcpSocket, ShutdownType};
use wasmtime_wasi::p2::{SocketError, SocketResult};
use wasmtime_wasi_io::poll::{DynPollable, subscribe};
use wasmtime_wasi_io::streams::{DynInputStream, DynOutputStream};

/// The handle's type is wasmtime-wasi's, whose bindings these are; what it stands for is ours.
type Handle = Resource<wasmtime_wasi::p2::TcpSocket>;

/// A connection's two directions, as the guest holds them.
pub(super) type Streams = (Resource<DynInputStream>, Resource<DynOutputStream>);

struct Ours;

impl HasData for Ours {
    type Data<'a> = &'a mut Guest;
}

pub(super) fn define(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    tcp::add_to_linker::<Guest, Ours>(linker, |guest| guest)
}

pub(super) fn ours(handle: &Handle) -> Resource<Tcp> {
    Resource::new_borrow(handle.rep())
}

impl Guest {
    fn tcp(&mut self, handle: &Handle) -> SocketResult<&mut Tcp> {
        Ok(self.table.get_mut(&ours(handle))?)
    }

    /// Gives the guest a socket of `family` that is of no network yet.
    pub(super) fn make_tcp(&mut self, family: IpAddressFamily) -> SocketResult<Handle> {
        let made = self.table.push(Tcp::new(family, &self.net.sockets)?)?;
        Ok(Resource::new_own(made.rep()))
    }

    /// Gives the guest the connection that came in first.
    pub(super) fn accept_tcp(&mut self, listener: &Handle) -> SocketResult<(Handle, Streams)> {
        let tcp = self.tcp(listener)?.accept()?;
        let made = self.table.push(tcp)?;
        let handle = Handle::new_own(made.rep());
        let streams = self.streams_of(&handle)?;
        Ok((handle, streams))
    }

    fn streams_of(&mut self, handle: &Handle) -> SocketResult<Streams> {
        let (input, output) = self.tcp(handle)?.streams()?;
        let input: Resource<DynInputStream> = self.table.push_child(input, &ours(handle))?;
        let output: Resource<DynOutputStream> = self.table.push_child(output, &ours(handle))?;
        Ok((input, output))
    }
}

/// What the capabilities say, as the guest is told; why, its trace tells.
fn allowed<T>(answer: vfs::Result<T>) -> SocketResult<T> {
    answer.map_err(|_told_in_the_trace| ErrorCode::AccessDenied.into())
}

/// Whether a socket of `family` has any use for `address`.
fn check(address: SocketAddr, family: IpAddressFamily) -> SocketResult<()> {
    let canonical = match address.ip().to_canonical() {
        IpAddr::V4(ip) => !ip.is_multicast() && !ip.is_broadcast(),
        IpAddr::V6(ip) => !ip.is_multicast(),
    };
    let fits = match (family, address.ip()) {
        (IpAddressFamily::Ipv4, IpAddr::V4(_)) => true,
        // Sockets for IPv6 carry nothing else, and the compatible addresses are no longer used.
        (IpAddressFamily::Ipv6, IpAddr::V6(ip)) => {
            ip.to_ipv4_mapped().is_none()
                && (ip.to_ipv4().is_none() || ip.is_loopback() || ip.is_unspecified())
        }
        _ => false,
    };
    if canonical && fits { Ok(()) } else { Err(ErrorCode::InvalidArgument.into()) }
}

impl network::Host for Guest {
    fn convert_error_code(&mut self, error: SocketError) -> wasmtime::Result<ErrorCode> {
        error.downcast()
    }
    fn network_error_code(
        &mut self,
        error: Resource<wasmtime::Error>,
    ) -> wasmtime::Result<Option<ErrorCode>> {
        Ok(self.table.get(&error)?.downcast_ref::<std::io::Error>().map(ErrorCode::from))
    }
}

impl network::HostNetwork for Guest {
    fn drop(&mut self, this: Resource<Network>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

impl tcp::Host for Guest {}

impl HostTcpSocket for Guest {
    async fn start_bind(
        &mut self,
        this: Handle,
        network: Resource<Network>,
        local: IpSocketAddress,
    ) -> SocketResult<()> {
        self.table.get(&network)?;
        let local = SocketAddr::from(local);
        let tcp = self.tcp(&this)?;
        tcp.may_begin()?;
        check(local, tcp.family)?;
        let way = allowed(self.net.bind(local))?;
        self.tcp(&this)?.bind(way, local)
    }
    fn finish_bind(&mut self, this: Handle) -> SocketResult<()> {
        self.tcp(&this)?.finish_bind()
    }

    fn start_connect(
        &mut self,
        this: Handle,
        network: Resource<Network>,
        remote: IpSocketAddress,
    ) -> SocketResult<()> {
        self.table.get(&network)?;
        let remote = SocketAddr::from(remote);
        let tcp = self.tcp(&this)?;
        tcp.may_begin()?;
        check(remote, tcp.family)?;
        if remote.ip().to_canonical().is_unspecified() || remote.port() == 0 {
            return Err(ErrorCode::InvalidArgument.into());
        }
        let way = self.net.connect_tcp(remote);
        self.tcp(&this)?.connect(way, remote)
    }
    fn finish_connect(&mut self, this: Handle) -> SocketResult<Streams> {
        self.tcp(&this)?.finish_connect()?;
        self.streams_of(&this)
    }

    async fn start_listen(&mut self, this: Handle) -> SocketResult<()> {
        let tcp = self.tcp(&this)?;
        tcp.may_begin()?;
        let local = tcp.bound_to()?;
        allowed(self.net.listen_tcp(local))?;
        self.tcp(&this)?.listen()?;
        self.net.listened(local.port());
        Ok(())
    }
    fn finish_listen(&mut self, this: Handle) -> SocketResult<()> {
        self.tcp(&this)?.finish_listen()
    }
    /// Reached by no guest: what accepts needs a place for one more socket first (super::sockets).
    fn accept(
        &mut self,
        this: Handle,
    ) -> SocketResult<(Handle, Resource<DynInputStream>, Resource<DynOutputStream>)> {
        let (handle, (input, output)) = self.accept_tcp(&this)?;
        Ok((handle, input, output))
    }

    fn local_address(&mut self, this: Handle) -> SocketResult<IpSocketAddress> {
        Ok(self.tcp(&this)?.bound_to()?.into())
    }
    fn remote_address(&mut self, this: Handle) -> SocketResult<IpSocketAddress> {
        Ok(self.tcp(&this)?.peer()?.into())
    }
    fn is_listening(&mut self, this: Handle) -> wasmtime::Result<bool> {
        Ok(self.table.get(&ours(&this))?.listens())
    }
    fn address_family(&mut self, this: Handle) -> wasmtime::Result<IpAddressFamily> {
        Ok(self.table.get(&ours(&this))?.family)
    }

    fn set_listen_backlog_size(&mut self, this: Handle, value: u64) -> SocketResult<()> {
        self.tcp(&this)?.set_backlog(value)
    }
    fn keep_alive_enabled(&mut self, this: Handle) -> SocketResult<bool> {
        options::keep_alive(self.tcp(&this)?.fd()?)
    }
    fn set_keep_alive_enabled(&mut self, this: Handle, value: bool) -> SocketResult<()> {
        options::set_keep_alive(self.tcp(&this)?.fd()?, value)
    }
    fn keep_alive_idle_time(&mut self, this: Handle) -> SocketResult<u64> {
        options::idle_time(self.tcp(&this)?.fd()?)
    }
    fn set_keep_alive_idle_time(&mut self, this: Handle, value: u64) -> SocketResult<()> {
        options::set_idle_time(self.tcp(&this)?.fd()?, value)
    }
    fn keep_alive_interval(&mut self, this: Handle) -> SocketResult<u64> {
        options::interval(self.tcp(&this)?.fd()?)
    }
    fn set_keep_alive_interval(&mut self, this: Handle, value: u64) -> SocketResult<()> {
        options::set_interval(self.tcp(&this)?.fd()?, value)
    }
    fn keep_alive_count(&mut self, this: Handle) -> SocketResult<u32> {
        options::count(self.tcp(&this)?.fd()?)
    }
    fn set_keep_alive_count(&mut self, this: Handle, value: u32) -> SocketResult<()> {
        options::set_count(self.tcp(&this)?.fd()?, value)
    }
    fn hop_limit(&mut self, this: Handle) -> SocketResult<u8> {
        let tcp = self.tcp(&this)?;
        options::hops(tcp.fd()?, tcp.family)
    }
    fn set_hop_limit(&mut self, this: Handle, value: u8) -> SocketResult<()> {
        let tcp = self.tcp(&this)?;
        options::set_hops(tcp.fd()?, tcp.family, value)
    }
    fn receive_buffer_size(&mut self, this: Handle) -> SocketResult<u64> {
        options::receive_buffer(self.tcp(&this)?.fd()?)
    }
    fn set_receive_buffer_size(&mut self, this: Handle, value: u64) -> SocketResult<()> {
        options::set_receive_buffer(self.tcp(&this)?.fd()?, value)
    }
    fn send_buffer_size(&mut self, this: Handle) -> SocketResult<u64> {
        options::send_buffer(self.tcp(&this)?.fd()?)
    }
    fn set_send_buffer_size(&mut self, this: Handle, value: u64) -> SocketResult<()> {
        options::set_send_buffer(self.tcp(&this)?.fd()?, value)
    }

    fn subscribe(&mut self, this: Handle) -> wasmtime::Result<Resource<DynPollable>> {
        subscribe(&mut self.table, ours(&this))
    }
    fn shutdown(&mut self, this: Handle, how: ShutdownType) -> SocketResult<()> {
        self.tcp(&this)?.shutdown(how)
    }
    fn drop(&mut self, this: Handle) -> wasmtime::Result<()> {
        self.table.delete(Resource::<Tcp>::new_own(this.rep()))?;
        Ok(())
    }
}
