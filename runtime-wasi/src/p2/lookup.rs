//! `wasi:sockets/ip-name-lookup`: the addresses of a name, for those who may connect to that name.

use super::net::Net;
use super::{Guest, instance};
use std::future::Future;
use std::net::{IpAddr, ToSocketAddrs};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use url::Host;
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource, ResourceType};
use wasmtime_wasi::p2::Network;
use wasmtime_wasi::p2::bindings::sockets::network::{ErrorCode, IpAddress};
use wasmtime_wasi_io::async_trait;
use wasmtime_wasi_io::poll::{Pollable, subscribe};

/// A `resolve-address-stream`.
enum Lookup {
    Asking(Pin<Box<dyn Future<Output = Result<Vec<IpAddr>, ErrorCode>> + Send>>),
    Found(std::vec::IntoIter<IpAddr>),
    Failed(ErrorCode),
}

impl Lookup {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Lookup::Asking(answer) = self {
            *self = match answer.as_mut().poll(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(addresses)) => Lookup::Found(addresses.into_iter()),
                Poll::Ready(Err(code)) => Lookup::Failed(code),
            };
        }
        Poll::Ready(())
    }

    fn next(&mut self) -> Result<Option<IpAddress>, ErrorCode> {
        // Whoever waits polls again with a waker of his own.
        if self.poll(&mut Context::from_waker(Waker::noop())).is_pending() {
            return Err(ErrorCode::WouldBlock);
        }
        match self {
            Lookup::Found(addresses) => Ok(addresses.next().map(IpAddress::from)),
            Lookup::Failed(code) => Err(*code),
            Lookup::Asking(_) => Err(ErrorCode::WouldBlock),
        }
    }
}

#[async_trait]
impl Pollable for Lookup {
    async fn ready(&mut self) {
        std::future::poll_fn(|cx| self.poll(cx)).await;
    }
}

/// Begins to look for `name`. An address is its own answer; names are made ASCII as IDNA has it.
fn look_up(net: &Arc<Net>, name: &str) -> Result<Lookup, ErrorCode> {
    let address = name.parse::<IpAddr>().ok().or_else(|| match Host::parse(name) {
        Ok(Host::Ipv4(address)) => Some(address.into()),
        Ok(Host::Ipv6(address)) => Some(address.into()),
        _ => None,
    });
    if let Some(address) = address {
        return Ok(Lookup::Found(vec![address].into_iter()));
    }
    let Ok(Host::Domain(name)) = Host::parse(name) else { return Err(ErrorCode::InvalidArgument) };
    if !net.look_up(&name) {
        return Err(ErrorCode::AccessDenied);
    }
    let mut lookup = Lookup::Asking(Box::pin(ask(net.clone(), name)));
    // The question goes out now, whether or not anyone waits yet.
    let _ = lookup.poll(&mut Context::from_waker(Waker::noop()));
    Ok(lookup)
}

/// The system's resolver blocks a thread, which is held until it answers, whatever becomes of the guest.
async fn ask(net: Arc<Net>, name: String) -> Result<Vec<IpAddr>, ErrorCode> {
    let turn = net.lookups.clone().acquire_owned().await.map_err(|_| ErrorCode::TemporaryResolverFailure)?;
    let asked = name.clone();
    let answer = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        (asked.as_str(), 0).to_socket_addrs()
    });
    match answer.await {
        Ok(Ok(addresses)) => {
            let addresses: Vec<IpAddr> = addresses.map(|address| address.ip().to_canonical()).collect();
            net.found(&name, &addresses);
            Ok(addresses)
        }
        Ok(Err(error)) => {
            tracing::debug!(name, %error, "no address");
            Err(ErrorCode::NameUnresolvable)
        }
        Err(_) => Err(ErrorCode::TemporaryResolverFailure),
    }
}

type Store<'s> = StoreContextMut<'s, Guest>;

pub(super) fn define(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let mut instance = instance(linker, "sockets/ip-name-lookup")?;
    instance.resource("resolve-address-stream", ResourceType::host::<Lookup>(), |mut store, rep| {
        store.data_mut().table.delete(Resource::<Lookup>::new_own(rep))?;
        Ok(())
    })?;
    instance.func_wrap(
        "resolve-addresses",
        |mut store: Store<'_>, (network, name): (Resource<Network>, String)| {
            let guest = store.data_mut();
            guest.table.get(&network)?;
            let lookup = match look_up(&guest.net, &name) {
                Ok(lookup) => Ok(guest.table.push(lookup)?),
                Err(code) => Err(code),
            };
            Ok((lookup,))
        },
    )?;
    instance.func_wrap(
        "[method]resolve-address-stream.resolve-next-address",
        |mut store: Store<'_>, (this,): (Resource<Lookup>,)| {
            Ok((store.data_mut().table.get_mut(&this)?.next(),))
        },
    )?;
    instance.func_wrap(
        "[method]resolve-address-stream.subscribe",
        |mut store: Store<'_>, (this,): (Resource<Lookup>,)| {
            Ok((subscribe(&mut store.data_mut().table, this)?,))
        },
    )
}
