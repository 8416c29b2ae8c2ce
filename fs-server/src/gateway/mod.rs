//! The HTTP gateway: what listens in containers, for browsers and curl on this machine (`taskfs serve --gateway`). A request
//! names a container and a port, and is passed on to the container's loopback; HTTP/1.1 and cleartext HTTP/2 come in,
//! HTTP/1.1 goes on. Who may come is whoever may connect to a loopback address of this machine: it listens nowhere else.
//!
//! ```text
//! browser ──► accept ──► Relay: Route ──► Group ──► a connection in its loopback ──► the program's server
//! ```

mod answer;
mod inside;
mod relay;
mod route;

use crate::addr::is_loopback;
use crate::fault::Fault;
use crate::warnings::Warnings;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use relay::Relay;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use task::Group;
use tokio::net::{TcpListener, TcpStream, lookup_host};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Clients at once; more wait in the listener's queue.
const CLIENTS: usize = 2048;
/// How long a client may take to say what it wants.
const HEAD: Duration = Duration::from_secs(30);
/// Of a request's or an answer's head.
const LONGEST_HEAD: usize = 64 << 10;
const MOST_HEADERS: usize = 128;
/// Requests at once of one HTTP/2 connection.
const STREAMS: u32 = 128;

/// The containers, by their numbers.
pub type Find = Arc<dyn Fn(u32) -> Option<Arc<Group>> + Send + Sync>;

/// A gateway that listens, before it serves.
pub struct Gateway {
    listeners: Vec<TcpListener>,
    address: SocketAddr,
}

/// A gateway at work; dropping it ends its connections.
pub struct Serving {
    _listeners: JoinSet<()>,
}

impl Gateway {
    /// Listens at `HOST:PORT`, which must be of this machine alone.
    pub async fn bind(at: &str) -> Result<Gateway, Fault> {
        let unknown = |why: String| Fault::usage(format!("--gateway {at}: {why}"));
        let found: Vec<SocketAddr> =
            lookup_host(at).await.map_err(|e| unknown(format!("want HOST:PORT: {e}")))?.collect();
        if let Some(open) = found.iter().find(|address| !is_loopback(address)) {
            return Err(unknown(format!(
                "{open} can be reached from other machines, and nothing is served there without authentication; \
                 give a loopback address, and put a proxy that authenticates before it"
            )));
        }
        let mut listeners = Vec::new();
        for address in &found {
            let listener = TcpListener::bind(address).await;
            listeners
                .push(listener.map_err(|e| Fault::unavailable(format!("--gateway {at}: {address}: {e}")))?);
        }
        let first = listeners.first().and_then(|listener| listener.local_addr().ok());
        let address = first.ok_or_else(|| unknown("no such address".into()))?;
        Ok(Gateway { listeners, address })
    }

    /// With the port that the kernel chose for port 0.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn start(self, find: Find) -> Serving {
        let clients = Arc::new(Semaphore::new(CLIENTS));
        let mut set = JoinSet::new();
        for listener in self.listeners {
            set.spawn(accept(listener, find.clone(), clients.clone()));
        }
        Serving { _listeners: set }
    }
}

async fn accept(listener: TcpListener, find: Find, clients: Arc<Semaphore>) {
    let warnings = Warnings::new();
    let mut connections = JoinSet::new();
    loop {
        // Never closed.
        let Ok(place) = clients.clone().acquire_owned().await else { return };
        let accepted = loop {
            tokio::select! {
                accepted = listener.accept() => break accepted,
                Some(_) = connections.join_next() => {}
            }
        };
        match accepted {
            Ok((stream, client)) => {
                let find = find.clone();
                connections.spawn(async move {
                    serve(stream, client, find).await;
                    drop(place);
                });
            }
            Err(error) => {
                // Out of descriptors, most likely: closing makes room.
                warnings.warn(format_args!("gateway: accept: {error}"));
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn serve(stream: TcpStream, client: SocketAddr, find: Find) {
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let relay = Arc::new(Relay::new(find, client));
    let mut server = auto::Builder::new(TokioExecutor::new());
    server
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(LONGEST_HEAD)
        .max_headers(MOST_HEADERS);
    server
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(LONGEST_HEAD as u32)
        .max_concurrent_streams(STREAMS)
        .keep_alive_interval(HEAD);
    let service = service_fn(move |request| relay.clone().answer(request));
    if let Err(error) = server.serve_connection_with_upgrades(TokioIo::new(stream), service).await {
        tracing::debug!(%client, "gateway: {error}");
    }
}
