//! The commands' own 9P client: connections to a server by address, and files by path.
//!
//! 9P2000.u is spoken, since it is the dialect whose errors carry both the errno and the server's words.

use crate::addr::Addr;
use crate::auth::ClientTls;
use crate::fault::Fault;
use nine::client::{Client, ClientError, DirItem, Fid};
use nine::patience::Arrivals;
use nine::wire::{Attr, AttrMask, Dialect, Mode, Msize, OpenFlags, Uid};
use std::io::ErrorKind;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

/// A tree of a server, attached to as this user.
pub struct Remote {
    root: Fid,
}

const MSIZE: Msize = Msize(256 * 1024);

/// A fault that names the file.
pub fn fault(path: &str, error: &ClientError) -> Fault {
    let text = format!("{path}: {error}");
    match error {
        ClientError::Refused { errno: 2, .. } => Fault::no_input(text),
        ClientError::Refused { errno: 1 | 13, .. } => Fault::not_permitted(text),
        ClientError::Refused { .. } => Fault::io(text),
        ClientError::Io(_) | ClientError::Closed => Fault::unavailable(text),
        _ => Fault::protocol(text),
    }
}

/// A connection that is not there, or not for us.
pub fn unreachable(addr: &Addr, error: &std::io::Error) -> Fault {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::ConnectionRefused => {
            Fault::unavailable(format!("{addr}: {error} (is `taskfs serve` running?)"))
        }
        ErrorKind::PermissionDenied => Fault::not_permitted(format!("{addr}: {error}")),
        _ => Fault::unavailable(format!("{addr}: {error}")),
    }
}

/// Over TCP, without waiting to fill packets.
pub async fn tcp(host: &str, port: u16) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect((host, port)).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Connects to `addr`, over TLS as `tls` says, and agrees on `dialect`.
pub async fn connect(addr: &Addr, tls: &ClientTls, dialect: Dialect, msize: Msize) -> Result<Client, Fault> {
    let unreachable = |e: std::io::Error| unreachable(addr, &e);
    let client = match addr {
        Addr::Unix(path) => {
            let stream = UnixStream::connect(path).await.map_err(unreachable)?;
            Client::connect(stream, dialect, msize).await
        }
        Addr::Tcp { host, port } => {
            let stream = tcp(host, *port).await.map_err(unreachable)?;
            Client::connect(stream, dialect, msize).await
        }
        Addr::Tls { host, port } => {
            let trusting = tls.trusting()?;
            let stream = tcp(host, *port).await.map_err(unreachable)?;
            let stream = trusting.connect(host, stream).await.map_err(unreachable)?;
            Client::connect(stream, dialect, msize).await
        }
    };
    client.map_err(|e| fault(&addr.to_string(), &e))
}

impl Remote {
    pub async fn connect(addr: &Addr, tls: &ClientTls) -> Result<Remote, Fault> {
        let client = connect(addr, tls, Dialect::P9P2000U, MSIZE).await?;
        Remote::attach(&client).await.map_err(|e| fault(&addr.to_string(), &e))
    }

    /// Over any stream: a server in this process.
    pub async fn over<S>(stream: S) -> Result<Remote, Fault>
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        let client = Client::connect(stream, Dialect::P9P2000U, MSIZE).await;
        let client = client.map_err(|e| fault("the server in this process", &e))?;
        Remote::attach(&client).await.map_err(|e| fault("the server in this process", &e))
    }

    async fn attach(client: &Client) -> Result<Remote, ClientError> {
        let uid = rustix::process::geteuid().as_raw();
        Ok(Remote { root: client.attach(b"", Some(Uid(uid)), b"/").await? })
    }

    /// What comes is told to `arrivals` from now on.
    pub fn tell_arrivals(&self, arrivals: Arc<Arrivals>) {
        self.root.client().tell_arrivals(arrivals);
    }

    pub async fn walk(&self, path: &str) -> Result<Fid, Fault> {
        let names = path.split('/').filter(|name| !name.is_empty() && *name != ".");
        self.root.walk(names).await.map_err(|e| fault(path, &e))
    }

    pub async fn open(&self, path: &str, flags: OpenFlags) -> Result<Fid, Fault> {
        let mut fid = self.walk(path).await?;
        fid.open(flags).await.map_err(|e| fault(path, &e))?;
        Ok(fid)
    }

    /// Opens for writing what is there, emptied unless it is to `append`; makes it where it is not.
    pub async fn open_to_write(&self, path: &str, append: bool) -> Result<Fid, Fault> {
        let flags = OpenFlags::WRONLY | if append { OpenFlags::APPEND } else { OpenFlags::TRUNC };
        let mut tries = 0;
        loop {
            let error = match self.walk(path).await {
                Ok(mut fid) => {
                    fid.open(flags).await.map_err(|e| fault(path, &e))?;
                    return Ok(fid);
                }
                Err(error) => error,
            };
            let (dir, name) = path.rsplit_once('/').unwrap_or(("", path));
            if error.code != sysexits::ExitCode::NoInput || name.is_empty() {
                return Err(error);
            }
            // What is missing may be the directory: its own message is the better one then.
            let mut dir = self.walk(dir).await?;
            match dir.create(name.as_bytes(), flags, Mode(0o666 & !umask())).await {
                Ok(()) => return Ok(dir),
                // Somebody was sooner.
                Err(ClientError::Refused { errno: 17, .. }) if tries < 16 => tries += 1,
                Err(error) => return Err(fault(path, &error)),
            }
        }
    }

    /// The whole of a small file, as text.
    pub async fn read(&self, path: &str) -> Result<String, Fault> {
        let fid = self.open(path, OpenFlags::empty()).await?;
        let all = fid.read_to_end().await.map_err(|e| fault(path, &e))?;
        Ok(String::from_utf8_lossy(&all).into_owned())
    }

    /// One write of `data`: what ctl files take as one message.
    pub async fn write(&self, path: &str, data: &[u8]) -> Result<(), Fault> {
        let fid = self.open(path, OpenFlags::WRONLY | OpenFlags::TRUNC).await?;
        fid.write_all(0, data).await.map_err(|e| fault(path, &e))?;
        fid.clunk().await.map_err(|e| fault(path, &e))
    }

    pub async fn attr(&self, path: &str) -> Result<Attr, Fault> {
        self.walk(path).await?.getattr(AttrMask::BASIC).await.map_err(|e| fault(path, &e))
    }

    /// The entries of a directory, sorted by name.
    pub async fn list(&self, path: &str) -> Result<Vec<DirItem>, Fault> {
        let fid = self.open(path, OpenFlags::empty()).await?;
        let mut items = fid.ls().await.map_err(|e| fault(path, &e))?;
        items.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(items)
    }
}

/// The process's umask, which in 9P is the client's to apply. It cannot be read without being set; nothing else here makes
/// files meanwhile.
fn umask() -> u32 {
    let umask = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    rustix::process::umask(umask);
    umask.as_raw_mode()
}
