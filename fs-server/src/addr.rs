//! Addresses as users write them: `unix:///run/user/1000/taskfs.sock`, `tcp://127.0.0.1:5640`, `tls://build.example:5641`.

use std::fmt;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::str::FromStr;

/// The TCP port that 9P has at IANA.
pub const PORT: u16 = 564;

/// Where a server listens, or a client connects.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Addr {
    Unix(PathBuf),
    /// Host and port as given; looked up when used.
    Tcp {
        host: String,
        port: u16,
    },
    /// The same, inside TLS.
    Tls {
        host: String,
        port: u16,
    },
}

impl Addr {
    /// The sockets that a TCP or TLS address stands for; none for a unix one.
    pub fn lookup(&self) -> std::io::Result<Vec<SocketAddr>> {
        match self {
            Addr::Unix(_) => Ok(Vec::new()),
            Addr::Tcp { host, port } | Addr::Tls { host, port } => {
                Ok((host.as_str(), *port).to_socket_addrs()?.collect())
            }
        }
    }

    /// The unix socket that a server of this user listens on when nothing else is said: in the user's runtime directory,
    /// or in a directory of /tmp that only he may enter.
    pub fn default_socket() -> PathBuf {
        let uid = rustix::process::geteuid().as_raw();
        if let Some(dir) = std::env::var_os("XDG_RUNTIME_DIR").filter(|d| !d.is_empty()) {
            return PathBuf::from(dir).join("taskfs.sock");
        }
        match uid {
            0 => PathBuf::from("/run/taskfs.sock"),
            _ => PathBuf::from(format!("/tmp/taskfs-{uid}/taskfs.sock")),
        }
    }
}

/// Only this machine reaches it.
pub fn is_loopback(addr: &SocketAddr) -> bool {
    match addr.ip() {
        IpAddr::V4(ip) => ip.is_loopback(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.to_ipv4_mapped().is_some_and(|ip| ip.is_loopback()),
    }
}

impl FromStr for Addr {
    type Err = String;

    fn from_str(text: &str) -> Result<Addr, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return match path.starts_with('/') {
                true => Ok(Addr::Unix(PathBuf::from(path))),
                false => Err(format!("{text}: a unix address is unix:///absolute/path")),
            };
        }
        for (scheme, make) in [("tcp", tcp as fn(String, u16) -> Addr), ("tls", tls)] {
            if let Some(rest) = text.strip_prefix(scheme).and_then(|rest| rest.strip_prefix(':')) {
                let rest = rest.strip_prefix("//").unwrap_or(rest);
                let (host, port) = host_port(rest)
                    .ok_or_else(|| format!("{text}: a {scheme} address is {scheme}://host:port"))?;
                return Ok(make(host, port));
            }
        }
        if text.starts_with('/') {
            return Ok(Addr::Unix(PathBuf::from(text)));
        }
        host_port(text).filter(|_| !text.contains("://")).map(|(host, port)| tcp(host, port)).ok_or_else(
            || {
                format!(
                    "{text}: not an address; write unix:///absolute/path, tcp://host:port or tls://host:port"
                )
            },
        )
    }
}

fn tcp(host: String, port: u16) -> Addr {
    Addr::Tcp { host, port }
}
fn tls(host: String, port: u16) -> Addr {
    Addr::Tls { host, port }
}

fn host_port(text: &str) -> Option<(String, u16)> {
    let (host, port) = match text.strip_prefix('[') {
        Some(v6) => {
            let (host, rest) = v6.split_once(']')?;
            (host, rest.strip_prefix(':').or(rest.is_empty().then_some(""))?)
        }
        None => text.split_once(':').unwrap_or((text, "")),
    };
    let port = if port.is_empty() { PORT } else { port.parse().ok()? };
    (!host.is_empty()).then(|| (host.to_owned(), port))
}

impl fmt::Display for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, host, port) = match self {
            Addr::Unix(path) => return write!(f, "unix://{}", path.display()),
            Addr::Tcp { host, port } => ("tcp", host, port),
            Addr::Tls { host, port } => ("tls", host, port),
        };
        match host.contains(':') {
            true => write!(f, "{scheme}://[{host}]:{port}"),
            false => write!(f, "{scheme}://{host}:{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_prints_as_it_is_written() {
        for text in
            ["unix:///run/taskfs.sock", "tcp://127.0.0.1:5640", "tcp://[::1]:5640", "tls://localhost:564"]
        {
            assert_eq!(text.parse::<Addr>().expect(text).to_string(), text);
        }
    }

    #[test]
    fn a_bare_host_gets_the_port_of_9p() {
        assert_eq!("tcp://localhost".parse(), Ok(Addr::Tcp { host: "localhost".into(), port: 564 }));
    }

    #[test]
    fn what_is_no_address_is_refused_by_name() {
        for text in ["", "unix://relative", "http://x:1", "tcp://:1", "tcp://h:99999", "tcp://[::1"] {
            let error = text.parse::<Addr>().expect_err(text);
            assert!(error.starts_with(text), "{error}");
        }
    }

    #[test]
    fn mapped_v4_loopback_counts_as_loopback() {
        assert!(is_loopback(&"[::ffff:127.0.0.1]:1".parse().expect("an address")));
        assert!(!is_loopback(&"0.0.0.0:1".parse().expect("an address")));
    }
}
