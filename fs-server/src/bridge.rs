//! A way to a TLS server for the kernel's 9P client, which knows neither TLS nor tokens: a unix socket that only we can
//! open, and one connection behind it. The token stays in this process, out of /proc/mounts.

use crate::addr::Addr;
use crate::auth::ClientTls;
use crate::fault::Fault;
use crate::remote::{tcp, unreachable};
use std::path::PathBuf;
use tokio::net::{TcpStream, UnixListener};
use tokio_rustls::client::TlsStream;

pub struct Bridge {
    server: TlsStream<TcpStream>,
    listener: UnixListener,
    /// Removed when the kernel has come in: nobody else is to.
    dir: PathBuf,
}

const SOCKET: &str = "socket";

impl Bridge {
    /// Connects to the server and says who we are, so that whatever is wrong is said before anything is mounted.
    pub async fn connect(addr: &Addr, host: &str, port: u16, tls: &ClientTls) -> Result<Bridge, Fault> {
        let trusting = tls.trusting()?;
        let stream = tcp(host, port).await.map_err(|e| unreachable(addr, &e))?;
        let server = trusting.connect(host, stream).await.map_err(|e| unreachable(addr, &e))?;
        let dir = private_dir()?;
        let listener = UnixListener::bind(dir.join(SOCKET));
        let listener = listener.map_err(|e| Fault::cannot_create(format!("{}: {e}", dir.display())))?;
        Ok(Bridge { server, listener, dir })
    }

    /// Where the kernel's client connects to.
    pub fn local(&self) -> Addr {
        Addr::Unix(self.dir.join(SOCKET))
    }

    /// Takes the kernel's one connection, and carries what either side says to the other until one of them ends.
    pub async fn carry(mut self) -> std::io::Result<()> {
        let (mut kernel, _) = self.listener.accept().await?;
        self.remove();
        tokio::io::copy_bidirectional_with_sizes(&mut kernel, &mut self.server, 1 << 20, 1 << 20)
            .await
            .map(|_| ())
    }

    fn remove(&self) {
        if let Err(error) = std::fs::remove_dir_all(&self.dir)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!("{}: not removed: {error}", self.dir.display());
        }
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        self.remove();
    }
}

/// A new directory that only this user may enter.
fn private_dir() -> Result<PathBuf, Fault> {
    let template = std::env::temp_dir().join("taskfs-bridge-XXXXXX");
    nix::unistd::mkdtemp(&template).map_err(|e| Fault::cannot_create(format!("{}: {e}", template.display())))
}
