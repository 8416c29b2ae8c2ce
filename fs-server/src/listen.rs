//! The listeners: who may connect, and what a connection is.
//!
//! A unix socket is made so that only its owner may open it, and a peer of another user is turned away all the same
//! (SO_PEERCRED). Plain TCP is loopback only; TLS listens anywhere, and every peer says who it is before it speaks 9P.

use crate::addr::{Addr, is_loopback};
use crate::fault::Fault;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tokio::net::{TcpListener, UnixListener, UnixStream};

/// A socket that accepts; dropping it removes a unix socket's file.
pub enum Listener {
    Tcp(TcpListener),
    Tls(TcpListener),
    Unix { listener: UnixListener, path: PathBuf, id: (u64, u64) },
}

/// An accepted connection.
pub enum Peer {
    /// With the address it comes from.
    Tcp(tokio::net::TcpStream, SocketAddr),
    /// The same, before the handshake.
    Tls(tokio::net::TcpStream, SocketAddr),
    /// With the peer's user, as the kernel tells it.
    Unix(UnixStream, u32),
}

impl Listener {
    pub async fn bind(addr: &Addr) -> Result<Vec<Listener>, Fault> {
        match addr {
            Addr::Unix(path) => Ok(vec![bind_unix(addr, path).await?]),
            Addr::Tcp { .. } => Ok(bind_tcp(addr, true).await?.into_iter().map(Listener::Tcp).collect()),
            Addr::Tls { .. } => Ok(bind_tcp(addr, false).await?.into_iter().map(Listener::Tls).collect()),
        }
    }

    /// The address as it came out: with the port that the kernel chose for port 0.
    pub fn local_addr(&self) -> Addr {
        let local = |listener: &TcpListener| match listener.local_addr() {
            Ok(addr) => (addr.ip().to_string(), addr.port()),
            Err(_) => ("?".to_owned(), 0),
        };
        match self {
            Listener::Unix { path, .. } => Addr::Unix(path.clone()),
            Listener::Tcp(listener) => {
                let (host, port) = local(listener);
                Addr::Tcp { host, port }
            }
            Listener::Tls(listener) => {
                let (host, port) = local(listener);
                Addr::Tls { host, port }
            }
        }
    }

    /// The next connection; errors are the connection's, not the listener's.
    pub async fn accept(&self) -> std::io::Result<Peer> {
        match self {
            Listener::Tcp(listener) => {
                let (stream, from) = listener.accept().await?;
                stream.set_nodelay(true)?;
                Ok(Peer::Tcp(stream, from))
            }
            Listener::Tls(listener) => {
                let (stream, from) = listener.accept().await?;
                stream.set_nodelay(true)?;
                Ok(Peer::Tls(stream, from))
            }
            Listener::Unix { listener, .. } => {
                let (stream, _) = listener.accept().await?;
                let uid = stream.peer_cred()?.uid();
                Ok(Peer::Unix(stream, uid))
            }
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // Only our own socket: another server may have taken the name since.
        if let Listener::Unix { path, id, .. } = self
            && std::fs::symlink_metadata(&*path).is_ok_and(|m| (m.dev(), m.ino()) == *id)
            && let Err(error) = std::fs::remove_file(&*path)
        {
            tracing::warn!("{}: not removed: {error}", path.display());
        }
    }
}

async fn bind_tcp(addr: &Addr, loopback: bool) -> Result<Vec<TcpListener>, Fault> {
    let sockets = addr.lookup().map_err(|e| Fault::no_host(format!("{addr}: {e}")))?;
    if loopback && let Some(open) = sockets.iter().find(|a| !is_loopback(a)) {
        return Err(Fault::usage(format!(
            "--listen {addr}: {open} can be reached from other machines, and nothing is served there without \
             authentication; listen on tls://, a loopback address or a unix socket"
        )));
    }
    let mut listeners = Vec::new();
    for socket in sockets {
        let listener = TcpListener::bind(socket).await;
        listeners.push(listener.map_err(|e| Fault::unavailable(format!("--listen {addr}: {e}")))?);
    }
    Ok(listeners)
}

async fn bind_unix(addr: &Addr, path: &Path) -> Result<Listener, Fault> {
    let fault = |e: std::io::Error| Fault::cannot_create(format!("--listen {addr}: {e}"));
    if let Some(dir) = path.parent()
        && !dir.exists()
    {
        std::fs::create_dir_all(dir).map_err(fault)?;
        std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o700)).map_err(fault)?;
    } else if let Some(dir) = path.parent() {
        // Who owns the directory can put a socket of his own in our place.
        let (owner, me) = (std::fs::metadata(dir).map_err(fault)?.uid(), rustix::process::geteuid().as_raw());
        if owner != me && owner != 0 {
            return Err(Fault::not_permitted(format!(
                "--listen {addr}: {} is user {owner}'s",
                dir.display()
            )));
        }
    }
    if let Ok(there) = std::fs::symlink_metadata(path) {
        if !there.file_type().is_socket() {
            return Err(Fault::cannot_create(format!("--listen {addr}: the file exists and is no socket")));
        }
        if UnixStream::connect(path).await.is_ok() {
            return Err(Fault::unavailable(format!("--listen {addr}: another server listens there")));
        }
        std::fs::remove_file(path).map_err(fault)?;
    }
    // The mode must be right from the first moment, and umask(2) is the process's: bind under a private name in a private
    // directory would need a rename; a chmod before anyone can be accepted (accept comes later) serves as well.
    let listener = std::os::unix::net::UnixListener::bind(path).map_err(fault)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(fault)?;
    listener.set_nonblocking(true).map_err(fault)?;
    let meta = std::fs::symlink_metadata(path).map_err(fault)?;
    let listener = UnixListener::from_std(listener).map_err(fault)?;
    Ok(Listener::Unix { listener, path: path.to_owned(), id: (meta.dev(), meta.ino()) })
}
