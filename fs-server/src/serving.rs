//! A server in motion: its listeners' accept loops, a thread or task a connection, and how they end.

use crate::auth::{Acceptor, Identity};
use crate::listen::{Listener, Peer};
use crate::ninep::{Connection, Export};
use crate::places::{Full, Place, Places, Whose};
use crate::refusal;
use crate::stall::Watched;
use crate::warnings::Warnings;
use nine::server::thread::{OnRuntime, Threads};
use nine::server::{Config, Fault, ServeError, serve_observed};
use std::sync::Arc;
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
    /// Of one user, or from one address.
    pub peer_connections: usize,
    /// For TLS listeners.
    pub tls: Option<Acceptor>,
}

/// What the accept loops of a server share.
struct Door {
    export: Arc<Export>,
    config: Config,
    tls: Option<Acceptor>,
    places: Arc<Places>,
    threads: Threads,
    /// Those who are being told that there is no place.
    refusals: Arc<Semaphore>,
    faults: Warnings,
    full: Warnings,
    strangers: Warnings,
    broken: Warnings,
}

/// The listeners and connections of a server.
pub struct Serving {
    stop: watch::Sender<bool>,
    listeners: JoinSet<()>,
}

/// One connection on the runtime, from its first byte to its last, of `identity` where its peer had to say who it is; gives
/// what the peer was thrown out for.
pub async fn connection<S: AsyncRead + AsyncWrite>(
    export: Arc<Export>,
    stream: S,
    config: Config,
    identity: Option<Identity>,
) -> Option<Fault> {
    Watched::new(converse(export, stream, config, identity)).await
}

/// The same, wherever.
async fn converse<S: AsyncRead + AsyncWrite>(
    export: Arc<Export>,
    stream: S,
    config: Config,
    identity: Option<Identity>,
) -> Option<Fault> {
    let seen = export.door().connections().enter();
    let id = seen.id;
    let span = tracing::debug_span!("connection", id);
    async {
        tracing::debug!("connected");
        let context = Arc::new(Connection { id, identity });
        match serve_observed(export, context, stream, config, seen.observed.clone()).await {
            Ok(()) => tracing::debug!("disconnected"),
            Err(error) => {
                tracing::debug!("disconnected: {error}");
                if let ServeError::Protocol(fault) = error {
                    return Some(fault);
                }
            }
        }
        None
    }
    .instrument(span)
    .await
}

/// Accepts on every listener until stopped.
pub fn start(listeners: Vec<Listener>, export: Arc<Export>, limits: Limits) -> Serving {
    let (stop, stopped) = watch::channel(false);
    let door = Arc::new(Door {
        export,
        config: limits.connection,
        tls: limits.tls,
        threads: Threads::of_machine(),
        places: Places::new(limits.connections, limits.peer_connections),
        refusals: Arc::new(Semaphore::new(refusal::AT_ONCE)),
        faults: Warnings::new(),
        full: Warnings::new(),
        strangers: Warnings::new(),
        broken: Warnings::new(),
    });
    let mut set = JoinSet::new();
    for listener in listeners {
        set.spawn(accept(listener, door.clone(), stopped.clone()));
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

async fn accept(listener: Listener, door: Arc<Door>, mut stopped: watch::Receiver<bool>) {
    let me = rustix::process::geteuid().as_raw();
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
            _ = stopped.changed() => break,
        };
        match accepted {
            Ok(Peer::Unix(_, uid)) if uid != me && uid != 0 => {
                door.export.door().connections().turn_away();
                let addr = listener.local_addr();
                door.strangers
                    .warn(format_args!("{addr}: user {uid} was turned away: the socket is user {me}'s"));
            }
            Ok(Peer::Unix(stream, uid)) => match door.place(&listener, Whose::User(uid)) {
                Ok(place) => drop(connections.spawn(door.clone().serve_socket(stream.into_std(), place))),
                Err(full) => door.refuse(&mut connections, stream, full),
            },
            Ok(Peer::Tcp(stream, from)) => match door.place(&listener, Whose::Address(from.ip())) {
                Ok(place) => drop(connections.spawn(door.clone().serve_socket(stream.into_std(), place))),
                Err(full) => door.refuse(&mut connections, stream, full),
            },
            // Who is not known yet is told nothing.
            Ok(Peer::Tls(stream, from)) => {
                if let Ok(place) = door.place(&listener, Whose::Address(from.ip())) {
                    connections.spawn(door.clone().serve_over_tls(stream, place));
                }
            }
            Err(error) => {
                // Out of descriptors, most likely: those who are connected go on, and closing makes room.
                door.broken.warn(format_args!("{}: accept: {error}", listener.local_addr()));
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    connections.shutdown().await;
}

impl Door {
    fn place(&self, listener: &Listener, whose: Whose) -> Result<Place, Full> {
        self.places.take(whose).inspect_err(|full| {
            self.export.door().connections().turn_away();
            self.full.warn(format_args!("{}: {full}: one was turned away", listener.local_addr()));
        })
    }

    /// Tells a peer that there is no place for it, unless too many are being told already.
    fn refuse<S>(&self, connections: &mut JoinSet<()>, stream: S, full: Full)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        if let Ok(turn) = self.refusals.clone().try_acquire_owned() {
            connections.spawn(async move {
                refusal::tell(stream, &full.to_string()).await;
                drop(turn);
            });
        }
    }

    /// By a thread of its own where there is one left, else on the runtime.
    async fn serve_socket<S: OnRuntime>(self: Arc<Door>, socket: std::io::Result<S>, place: Place) {
        let Ok(socket) = socket else { return };
        match self.threads.take() {
            Some(thread) => {
                let (export, config) = (self.export.clone(), self.config.clone());
                let fault = thread.serve(socket, |stream| converse(export, stream, config, None)).await;
                self.ended(place, fault.flatten());
            }
            None => {
                if let Ok(stream) = socket.on_runtime() {
                    self.serve(stream, place, None).await;
                }
            }
        }
    }

    async fn serve<S>(self: Arc<Door>, stream: S, place: Place, identity: Option<Identity>)
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        let fault = connection(self.export.clone(), stream, self.config.clone(), identity).await;
        self.ended(place, fault);
    }

    fn ended(&self, place: Place, fault: Option<Fault>) {
        let whose = place.whose();
        drop(place);
        match fault {
            // Which is no fault of anybody's.
            None | Some(Fault::Idle(_)) => {}
            Some(fault) => self.faults.warn(format_args!("a peer ({whose}) was thrown out: {fault}")),
        }
    }

    async fn serve_over_tls(self: Arc<Door>, stream: tokio::net::TcpStream, place: Place) {
        // Whoever makes TLS listeners gives the acceptor too: `taskfs serve` refuses to start otherwise.
        let Some(acceptor) = self.tls.clone() else { return };
        let whose = place.whose();
        match acceptor.accept(stream).await {
            Ok((stream, identity)) => {
                tracing::debug!("{whose} is {}", identity.name);
                self.serve(stream, place, Some(identity)).await;
            }
            Err(error) => {
                self.export.door().connections().turn_away();
                self.strangers.warn(format_args!("{whose} was turned away: {error}"));
            }
        }
    }
}
