//! A server in motion: its listeners' accept loops, a task a connection, and how they end.

use crate::auth::{Acceptor, Identity};
use crate::listen::{Listener, Peer};
use crate::ninep::{Connection, Export};
use nine::server::{Config, serve};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tracing::Instrument;

/// What one server allows.
#[derive(Clone)]
pub struct Limits {
    pub connection: Config,
    pub connections: usize,
    /// For TLS listeners.
    pub tls: Option<Acceptor>,
}

/// The listeners and connections of a server.
pub struct Serving {
    stop: watch::Sender<bool>,
    listeners: JoinSet<()>,
}

static NEXT_CONNECTION: AtomicU64 = AtomicU64::new(1);

/// One connection, from its first byte to its last; of `identity` where its peer had to say who it is.
pub async fn connection<S: AsyncRead + AsyncWrite>(
    export: Arc<Export>,
    stream: S,
    config: Config,
    identity: Option<Identity>,
) {
    let id = NEXT_CONNECTION.fetch_add(1, Ordering::Relaxed);
    let span = tracing::debug_span!("connection", id);
    async {
        tracing::debug!("connected");
        match serve(export, Arc::new(Connection { id, identity }), stream, config).await {
            Ok(()) => tracing::debug!("disconnected"),
            Err(error) => tracing::debug!("disconnected: {error}"),
        }
    }
    .instrument(span)
    .await;
}

/// Accepts on every listener until stopped.
pub fn start(listeners: Vec<Listener>, export: Arc<Export>, limits: Limits) -> Serving {
    let (stop, stopped) = watch::channel(false);
    let places = Arc::new(Semaphore::new(limits.connections));
    let mut set = JoinSet::new();
    for listener in listeners {
        set.spawn(accept(
            listener,
            export.clone(),
            limits.connection.clone(),
            limits.tls.clone(),
            places.clone(),
            stopped.clone(),
        ));
    }
    Serving { stop, listeners: set }
}

impl Serving {
    /// Ends all connections (what they have open is closed) and removes the unix sockets.
    pub async fn stop(mut self) {
        // No receiver is left only when every listener has ended by itself.
        let _all_ended = self.stop.send(true);
        while self.listeners.join_next().await.is_some() {}
    }
}

async fn accept(
    listener: Listener,
    export: Arc<Export>,
    config: Config,
    tls: Option<Acceptor>,
    places: Arc<Semaphore>,
    mut stopped: watch::Receiver<bool>,
) {
    let me = rustix::process::geteuid().as_raw();
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
            _ = stopped.changed() => break,
        };
        let peer = match accepted {
            Ok(peer) => peer,
            Err(error) => {
                // Out of descriptors, most likely: those who are connected go on, and closing makes room.
                tracing::warn!("{}: accept: {error}", listener.local_addr());
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let Ok(place) = places.clone().try_acquire_owned() else {
            tracing::warn!("{}: too many connections: one was turned away", listener.local_addr());
            continue;
        };
        let (export, config) = (export.clone(), config.clone());
        match peer {
            Peer::Unix(_, uid) if uid != me && uid != 0 => {
                tracing::warn!(
                    "{}: user {uid} was turned away: the socket is user {me}'s",
                    listener.local_addr()
                );
            }
            Peer::Unix(stream, _) => {
                connections.spawn(async move {
                    connection(export, stream, config, None).await;
                    drop(place);
                });
            }
            Peer::Tcp(stream) => {
                connections.spawn(async move {
                    connection(export, stream, config, None).await;
                    drop(place);
                });
            }
            Peer::Tls(stream) => {
                // Whoever makes TLS listeners gives the acceptor too: `taskfs serve` refuses to start otherwise.
                let Some(acceptor) = tls.clone() else { continue };
                connections.spawn(async move {
                    let peer = stream.peer_addr().map_or_else(|_| "?".to_owned(), |addr| addr.to_string());
                    match acceptor.accept(stream).await {
                        Ok((stream, identity)) => {
                            tracing::debug!("{peer} is {}", identity.name);
                            connection(export, stream, config, Some(identity)).await;
                        }
                        Err(error) => tracing::warn!("{peer} was turned away: {error}"),
                    }
                    drop(place);
                });
            }
        }
    }
    connections.shutdown().await;
}
