//! An HTTP proxy on the way to the registry: a tunnel (CONNECT) for https, whole URLs in requests for http.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fmt::Write as _;
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use url::Url;

/// The most bytes that a proxy may answer with before the tunnel is there.
const HEAD: usize = 8 << 10;

pub struct Proxy {
    host: String,
    port: u16,
    /// `Basic …`, where the proxy's URL has a user.
    pub authorization: Option<String>,
}

impl Proxy {
    /// # Errors
    /// In words: `url` is no http:// URL.
    pub fn new(url: &Url) -> Result<Proxy, String> {
        let mut shown = url.clone();
        // A message must not have a password in it; the other setters fail for URLs without a host only.
        let _none = shown.set_password(None);
        let host = url.host_str().filter(|_| url.scheme() == "http");
        let host = host.ok_or_else(|| format!("{shown}: want http://HOST:PORT/"))?;
        let plain = |part: &str| percent(part).ok_or_else(|| format!("{shown}: bad percent signs in it"));
        let authorization = match (plain(url.username())?, plain(url.password().unwrap_or_default())?) {
            (user, password) if user.is_empty() && password.is_empty() => None,
            (user, password) => {
                Some(format!("Basic {}", STANDARD.encode([&user[..], b":", &password].concat())))
            }
        };
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Proxy { host, port: url.port_or_known_default().unwrap_or(80), authorization })
    }

    pub async fn connect(&self) -> io::Result<TcpStream> {
        let connected = TcpStream::connect((self.host.as_str(), self.port)).await;
        connected.map_err(|error| self.wrong(error.kind(), error))
    }

    /// A connection to `target` (HOST:PORT) behind it.
    pub async fn tunnel(&self, target: &str) -> io::Result<TcpStream> {
        let mut stream = self.connect().await?;
        let mut request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n");
        if let Some(authorization) = &self.authorization {
            write!(request, "Proxy-Authorization: {authorization}\r\n").expect("text takes all");
        }
        request += "\r\n";
        stream.write_all(request.as_bytes()).await?;
        let mut head = Vec::new();
        // Not a byte more: what comes behind it is the registry's.
        while !head.ends_with(b"\r\n\r\n") {
            if head.len() == HEAD {
                return Err(self.wrong(io::ErrorKind::InvalidData, "an answer without an end"));
            }
            head.push(stream.read_u8().await.map_err(|error| self.wrong(error.kind(), error))?);
        }
        let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
        let line = String::from_utf8_lossy(line);
        let status = line.strip_prefix("HTTP/1.").and_then(|rest| rest.split(' ').nth(1));
        match status {
            Some(status) if status.starts_with('2') => Ok(stream),
            _ => Err(self.wrong(io::ErrorKind::ConnectionRefused, format!("{line:?} to CONNECT {target}"))),
        }
    }

    fn wrong(&self, kind: io::ErrorKind, what: impl std::fmt::Display) -> io::Error {
        io::Error::new(kind, format!("the proxy {}:{}: {what}", self.host, self.port))
    }
}

/// What a part of a URL stands for.
fn percent(part: &str) -> Option<Vec<u8>> {
    let mut bytes = part.bytes();
    let mut plain = Vec::new();
    while let Some(byte) = bytes.next() {
        plain.push(match byte {
            b'%' => {
                let digits = [bytes.next()?, bytes.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            byte => byte,
        });
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    fn proxy(url: &str) -> Result<Proxy, String> {
        Proxy::new(&Url::parse(url).expect("a URL"))
    }

    #[test]
    fn a_user_of_the_url_is_told_to_the_proxy_and_no_password_to_anyone_else() {
        let user = proxy("http://a%40b:c@127.0.0.1:3128/").expect("a proxy");
        assert_eq!(user.authorization.as_deref(), Some("Basic YUBiOmM="));
        assert_eq!(proxy("http://h/").expect("a proxy").authorization, None);
        let error = proxy("socks5://a:secret@h:1").err().expect("not http");
        assert!(error.contains("http://") && !error.contains("secret"), "{error}");
    }

    #[tokio::test]
    async fn a_tunnel_is_what_comes_behind_the_proxys_yes_and_a_no_is_told() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let at = listener.local_addr().expect("an address");
        let answers =
            ["HTTP/1.1 200 Connection established\r\nX: y\r\n\r\nbehind", "HTTP/1.1 407 Who\r\n\r\n"];
        let serving = tokio::spawn(async move {
            let mut asked = Vec::new();
            for answer in answers {
                let (mut stream, _) = listener.accept().await.expect("a client");
                let mut head = vec![0; 1000];
                let n = stream.read(&mut head).await.expect("a request");
                asked.push(String::from_utf8_lossy(&head[..n]).into_owned());
                stream.write_all(answer.as_bytes()).await.expect("a client that reads");
            }
            asked
        });
        let proxy = proxy(&format!("http://me:pw@{at}/")).expect("a proxy");
        let mut stream = proxy.tunnel("registry.example:443").await.expect("a tunnel");
        let mut behind = String::new();
        stream.read_to_string(&mut behind).await.expect("text");
        assert_eq!(behind, "behind");
        let error = proxy.tunnel("registry.example:443").await.expect_err("refused").to_string();
        assert!(error.contains(&at.to_string()) && error.contains("407"), "{error}");
        let asked = serving.await.expect("no panic");
        assert!(asked[0].starts_with("CONNECT registry.example:443 HTTP/1.1\r\n"), "{asked:?}");
        assert!(asked[0].contains("\r\nProxy-Authorization: Basic bWU6cHc=\r\n"), "{asked:?}");
    }
}
