//! The HTTP gateway: what listens in containers, for browsers and curl on this machine (`taskfs serve --gateway`). A request
//! names a container and a port, and is passed on to the container's loopback; HTTP/1.1 and cleartext HTTP/2 come in,
//! HTTP/1.1 goes on. Who may come is whoever may connect to a loopback address of this machine, or, with a token, who knows that; at
//! other addresses it listens only with a token and TLS.
//!
//! ```text
//! browser ──► accept ──► (TLS) ──► Relay: (Admission) ──► Route ──► Group ──► a connection in its loopback ──► the program's server
//! ```

mod admission;
mod answer;
mod inside;
mod lanes;
mod relay;
mod route;

use crate::addr::is_loopback;
use crate::auth::{Secret, web_acceptor};
use crate::fault::Fault;
use crate::warnings::Warnings;
use admission::Admission;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use lanes::{Lanes, Line};
use nine::patience::Arrivals;
use relay::Relay;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use task::Group;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, lookup_host};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

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

/// What `taskfs serve` is given.
#[derive(clap::Args, Clone, Debug)]
pub struct Options {
    /// Show what listens in containers over HTTP here: http://PORT--CONTAINER.localhost:GATEWAY/. On loopback, or with
    /// --gateway-tls and --gateway-token-file anywhere
    #[arg(long, value_name = "HOST:PORT")]
    gateway: Option<String>,
    /// The gateway speaks HTTPS, and shows this certificate chain (PEM) with this private key (PEM)
    #[arg(long, num_args = 2, value_names = ["CERT", "KEY"], requires = "gateway")]
    gateway_tls: Vec<PathBuf>,
    /// Let in only who says the token that stands in FILE: as a bearer, or by a link with ?token=, which sets a cookie
    #[arg(long, value_name = "FILE", requires = "gateway")]
    gateway_token_file: Option<PathBuf>,
}

/// How a gateway speaks, and to whom.
struct Terms {
    find: Find,
    tls: Option<TlsAcceptor>,
    admission: Option<Arc<Admission>>,
}

/// A gateway that listens, before it serves.
pub struct Gateway {
    listeners: Vec<TcpListener>,
    address: SocketAddr,
    tls: Option<TlsAcceptor>,
    admission: Option<Arc<Admission>>,
}

/// A gateway at work; dropping it ends its connections.
pub struct Serving {
    _listeners: JoinSet<()>,
}

impl Options {
    /// A gateway that listens, where one is asked for.
    pub async fn bind(&self) -> Result<Option<Gateway>, Fault> {
        let Some(at) = &self.gateway else { return Ok(None) };
        let tls = match self.gateway_tls.as_slice() {
            [cert, key] => Some(web_acceptor(cert, key)?),
            _ => None,
        };
        let admission = match &self.gateway_token_file {
            None => None,
            Some(file) => Some(Arc::new(Admission::new(&Secret::read(file)?, tls.is_some()))),
        };
        Gateway::bind(at, tls, admission).await.map(Some)
    }
}

impl Gateway {
    /// Listens at `HOST:PORT`, which must be of this machine alone unless a token is asked for, and not said in the clear.
    async fn bind(
        at: &str,
        tls: Option<TlsAcceptor>,
        admission: Option<Arc<Admission>>,
    ) -> Result<Gateway, Fault> {
        let unknown = |why: String| Fault::usage(format!("--gateway {at}: {why}"));
        let found: Vec<SocketAddr> =
            lookup_host(at).await.map_err(|e| unknown(format!("want HOST:PORT: {e}")))?.collect();
        let guarded = tls.is_some() && admission.is_some();
        if let Some(open) = found.iter().find(|address| !is_loopback(address) && !guarded) {
            return Err(unknown(format!(
                "{open} can be reached from other machines, and nothing is served there without authentication; \
                 give --gateway-tls and --gateway-token-file, or a loopback address"
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
        Ok(Gateway { listeners, address, tls, admission })
    }

    /// With the port that the kernel chose for port 0.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }

    /// The error is the system's: no threads.
    pub fn start(self, find: Find) -> Result<Serving, Fault> {
        let lanes = Lanes::start().map_err(|e| Fault::os(format!("no threads for the gateway: {e}")))?;
        let lanes = Arc::new(lanes);
        let terms = Arc::new(Terms { find, tls: self.tls, admission: self.admission });
        let clients = Arc::new(Semaphore::new(CLIENTS));
        let mut set = JoinSet::new();
        for listener in self.listeners {
            set.spawn(accept(listener, terms.clone(), clients.clone(), lanes.clone()));
        }
        Ok(Serving { _listeners: set })
    }
}

async fn accept(listener: TcpListener, terms: Arc<Terms>, clients: Arc<Semaphore>, lanes: Arc<Lanes>) {
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
                let terms = terms.clone();
                // From this runtime to the lane's.
                let stream = stream.into_std();
                let lane = lanes.place();
                let runtime = lane.runtime().clone();
                let served = async move {
                    if let Ok(stream) = stream.and_then(TcpStream::from_std) {
                        greet(stream, client, &terms, lane.arrivals()).await;
                    }
                    drop((place, lane));
                };
                connections.spawn_on(served, &runtime);
            }
            Err(error) => {
                // Out of descriptors, most likely: closing makes room.
                warnings.warn(format_args!("gateway: accept: {error}"));
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// The handshake, where there is one, and what follows.
async fn greet(stream: TcpStream, client: SocketAddr, terms: &Terms, arrivals: &Arc<Arrivals>) {
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let stream = Line::new(stream, arrivals.clone());
    let Some(tls) = &terms.tls else { return serve(stream, client, terms, arrivals).await };
    match tokio::time::timeout(HEAD, tls.accept(stream)).await {
        Ok(Ok(stream)) => serve(stream, client, terms, arrivals).await,
        Ok(Err(error)) => tracing::debug!(%client, "gateway: TLS: {error}"),
        Err(_) => tracing::debug!(%client, "gateway: TLS: no handshake in time"),
    }
}

async fn serve<S>(stream: S, client: SocketAddr, terms: &Terms, arrivals: &Arc<Arrivals>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let scheme = if terms.tls.is_some() { "https" } else { "http" };
    let (find, admission) = (terms.find.clone(), terms.admission.clone());
    let relay = Arc::new(Relay::new(find, client, scheme, admission, arrivals.clone()));
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
