//! `wasi:sockets`: our own TCP (super::tcp) and wasmtime-wasi's UDP, where every address is asked of the task's capabilities first
//! ([`super::net::Net`]), and where a guest has only so many sockets.

use super::net::{MAX_SOCKETS, SocketSlot};
use super::tcp::Tcp;
use super::{Guest, instance, tcp};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource, ResourceTable};
use wasmtime_wasi::WasiCtxBuilder;
use wasmtime_wasi::p2::bindings::sockets::network::{ErrorCode, IpAddressFamily, IpSocketAddress};
use wasmtime_wasi::p2::bindings::sockets::{instance_network, network, udp, udp_create_socket};
use wasmtime_wasi::p2::{SocketError, TcpSocket, UdpSocket};
use wasmtime_wasi::sockets::{WasiSockets, WasiSocketsCtx, WasiSocketsCtxView};
use wasmtime_wasi_io::streams::{DynInputStream, DynOutputStream};

/// The sockets of one guest, by their handles. Those that it closed are found out when it wants another.
#[derive(Default)]
pub(super) struct Held(HashMap<u32, SocketSlot>);

impl Held {
    /// As many as it can be.
    pub fn most(&self) -> usize {
        self.0.len()
    }

    pub fn still(&mut self, table: &ResourceTable) -> usize {
        self.0.retain(|rep, _| {
            table.get(&Resource::<Tcp>::new_borrow(*rep)).is_ok()
                || table.get(&Resource::<UdpSocket>::new_borrow(*rep)).is_ok()
        });
        self.0.len()
    }
}

type Answer<T> = wasmtime::Result<(Result<T, ErrorCode>,)>;
type Store<'s> = StoreContextMut<'s, Guest>;

/// What wasmtime-wasi's part works on; made when a guest first asks for it.
fn view(guest: &mut Guest) -> WasiSocketsCtxView<'_> {
    let net = &guest.net;
    let ctx = guest.sockets.get_or_insert_with(|| context(net.clone()));
    WasiSocketsCtxView { ctx, table: &mut guest.table }
}

fn context(net: Arc<super::net::Net>) -> WasiSocketsCtx {
    let mut ctx = WasiCtxBuilder::new()
        .socket_addr_check(move |peer, to| {
            let admitted = net.admits(peer, to);
            Box::pin(async move { admitted })
        })
        .allow_tcp(false)
        .allow_udp(true)
        .build();
    ctx.sockets().clone()
}

pub(super) fn define(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    use wasmtime_wasi::p2::bindings::LinkOptions;
    instance_network::add_to_linker::<Guest, WasiSockets>(linker, view)?;
    network::add_to_linker::<Guest, WasiSockets>(linker, &(&LinkOptions::default()).into(), view)?;
    tcp::define(linker)?;
    udp::add_to_linker::<Guest, WasiSockets>(linker, view)?;

    instance(linker, "sockets/tcp-create-socket")?
        .func_wrap("create-tcp-socket", |mut store: Store<'_>, (family,): (IpAddressFamily,)| {
            create_tcp(store.data_mut(), family)
        })?;
    instance(linker, "sockets/udp-create-socket")?.func_wrap_async(
        "create-udp-socket",
        |mut store: Store<'_>, (family,): (IpAddressFamily,)| {
            Box::new(async move { create_udp(store.data_mut(), family).await })
        },
    )?;
    linker.allow_shadowing(true);
    instance(linker, "sockets/tcp")?
        .func_wrap("[method]tcp-socket.accept", |mut store: Store<'_>, (this,): (Resource<TcpSocket>,)| {
            accept(store.data_mut(), &this)
        })?;
    instance(linker, "sockets/udp")?.func_wrap_async(
        "[method]udp-socket.stream",
        |mut store: Store<'_>, (this, peer): (Resource<UdpSocket>, Option<IpSocketAddress>)| {
            Box::new(async move { stream_udp(store.data_mut(), &this, peer).await })
        },
    )?;
    linker.allow_shadowing(false);
    Ok(())
}

/// The streams of what comes and of what goes.
type Datagrams = (Resource<udp::IncomingDatagramStream>, Resource<udp::OutgoingDatagramStream>);

/// Streams that were dropped may still have a receive on its way, which wasmtime-wasi aborts and does not await: it takes the socket for
/// shared until that is gone, a moment later, and would end the guest.
async fn stream_udp(
    guest: &mut Guest,
    this: &Resource<UdpSocket>,
    peer: Option<IpSocketAddress>,
) -> Answer<Datagrams> {
    const TRIES: u32 = 100;
    let mut tries = 0;
    loop {
        let this = Resource::new_borrow(this.rep());
        let error = match udp::HostUdpSocket::stream(&mut view(guest), this, peer).await {
            Ok(streams) => return Ok((Ok(streams),)),
            Err(error) => error,
        };
        match error.downcast() {
            Ok(code) => return Ok((Err(code),)),
            Err(shared) if shared.to_string().contains("exclusive access") && tries < TRIES => {
                tries += 1;
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            Err(trap) => return Err(trap),
        }
    }
}

/// A place for one more socket, where this guest, its limit on files and the server have one.
fn slot(guest: &mut Guest) -> Option<SocketSlot> {
    let open = guest.held.still(&guest.table);
    if open >= MAX_SOCKETS || guest.room().is_err() {
        return None;
    }
    guest.net.sockets.take()
}

fn told<T>(error: SocketError) -> Answer<T> {
    Ok((Err(error.downcast()?),))
}

fn create_tcp(guest: &mut Guest, family: IpAddressFamily) -> Answer<Resource<TcpSocket>> {
    let Some(slot) = slot(guest) else { return Ok((Err(ErrorCode::NewSocketLimit),)) };
    match guest.make_tcp(family) {
        Ok(socket) => {
            guest.held.0.insert(socket.rep(), slot);
            Ok((Ok(socket),))
        }
        Err(error) => told(error),
    }
}

async fn create_udp(guest: &mut Guest, family: IpAddressFamily) -> Answer<Resource<UdpSocket>> {
    let Some(slot) = slot(guest) else { return Ok((Err(ErrorCode::NewSocketLimit),)) };
    match udp_create_socket::Host::create_udp_socket(&mut view(guest), family).await {
        Ok(socket) => {
            guest.held.0.insert(socket.rep(), slot);
            Ok((Ok(socket),))
        }
        Err(error) => told(error),
    }
}

/// The connection that was accepted, what comes from it and what goes to it.
type Accepted = (Resource<TcpSocket>, Resource<DynInputStream>, Resource<DynOutputStream>);

fn accept(guest: &mut Guest, this: &Resource<TcpSocket>) -> Answer<Accepted> {
    let Some(slot) = slot(guest) else { return Ok((Err(ErrorCode::NewSocketLimit),)) };
    match guest.accept_tcp(this) {
        Ok((socket, (input, output))) => {
            guest.held.0.insert(socket.rep(), slot);
            Ok((Ok((socket, input, output)),))
        }
        Err(error) => told(error),
    }
}
