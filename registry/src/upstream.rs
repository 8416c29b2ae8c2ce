//! The registry itself, asked over HTTP/1.1: connections are kept, and there are so many of them at most.

use crate::proxy::Proxy;
use async_compression::tokio::bufread::GzipDecoder;
use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use url::Url;

/// Requests at once; more wait.
const AT_ONCE: usize = 24;
const CONNECT: Duration = Duration::from_secs(10);
/// Until an answer begins, and until all of it is there.
const HEAD: Duration = Duration::from_secs(30);
const WHOLE: Duration = Duration::from_secs(300);
/// What went wrong on the way may go well a moment later: it is asked again after each of these, until so much time is over.
const AGAIN: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(1)];
const PATIENCE: Duration = Duration::from_secs(25);

type Sender = SendRequest<Empty<Bytes>>;

pub struct Upstream {
    base: Url,
    proxy: Option<Proxy>,
    tls: TlsConnector,
    idle: Mutex<Vec<Sender>>,
    places: Semaphore,
}

/// Why a registry's answer cannot be used.
#[derive(Debug)]
pub enum Problem {
    /// No connection, or none that lasted.
    Unreachable(String),
    /// It answered, with this.
    Status(StatusCode),
    /// It answered with something else than was asked for.
    Wrong(String),
}

pub struct Said {
    pub status: StatusCode,
    pub etag: Option<String>,
    pub body: Vec<u8>,
}

/// What is asked for.
pub struct Question<'q> {
    pub path: &'q str,
    pub accept: &'q str,
    /// A tag of what is known already: 304 comes where it still is so.
    pub known: Option<&'q str>,
    /// The most bytes of an answer.
    pub most: usize,
}

impl Problem {
    /// Whether the same question may be answered a moment later.
    fn may_pass(&self) -> bool {
        match self {
            Problem::Unreachable(_) => true,
            Problem::Status(status) => status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS,
            Problem::Wrong(_) => false,
        }
    }
}

impl Upstream {
    /// # Errors
    /// In words, with the name of the file that is wrong.
    pub fn new(base: Url, ca: Option<&Path>, proxy: Option<&Url>) -> Result<Upstream, String> {
        let mut roots = RootCertStore::empty();
        let machine = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(machine.certs);
        if let Some(path) = ca {
            let wrong = |error: String| format!("{}: {error}", path.display());
            for cert in CertificateDer::pem_file_iter(path).map_err(|e| wrong(e.to_string()))? {
                roots.add(cert.map_err(|e| wrong(e.to_string()))?).map_err(|e| wrong(e.to_string()))?;
            }
        }
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|e| e.to_string())?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let tls = TlsConnector::from(Arc::new(config));
        let proxy = proxy.map(Proxy::new).transpose()?;
        Ok(Upstream { base, proxy, tls, idle: Mutex::default(), places: Semaphore::new(AT_ONCE) })
    }

    pub fn base(&self) -> &Url {
        &self.base
    }

    /// The whole answer to a question; 304 only where something is known. Who knows something can do without an answer: only
    /// the others' questions are asked again.
    pub async fn ask(&self, question: &Question<'_>) -> Result<Said, Problem> {
        let _place = self.places.acquire().await.expect("never closed");
        let since = Instant::now();
        let mut pauses = AGAIN.into_iter();
        loop {
            let problem = match self.ask_once(question).await {
                Err(problem) if problem.may_pass() && question.known.is_none() => problem,
                answer => return answer,
            };
            let Some(pause) = pauses.next().filter(|_| since.elapsed() < PATIENCE) else {
                return Err(problem);
            };
            tracing::debug!("npm's registry: {}: {problem:?}", question.path);
            sleep(pause).await;
        }
    }

    async fn ask_once(&self, question: &Question<'_>) -> Result<Said, Problem> {
        let mut path = format!("{}{}", self.base.path(), question.path);
        // Without a tunnel it is the proxy that is asked, for a whole URL.
        let asked = self.proxy.as_ref().filter(|_| self.base.scheme() == "http");
        if asked.is_some() {
            path.insert_str(0, &self.base[..url::Position::BeforePath]);
        }
        let host = &self.base[url::Position::BeforeHost..url::Position::AfterPort];
        let request = || {
            let mut request = Request::get(&path)
                .header(header::HOST, host)
                .header(header::ACCEPT, question.accept)
                .header(header::ACCEPT_ENCODING, "gzip")
                .header(header::USER_AGENT, concat!("taskfs/", env!("CARGO_PKG_VERSION")));
            if let Some(authorization) = asked.and_then(|proxy| proxy.authorization.as_ref()) {
                request = request.header(header::PROXY_AUTHORIZATION, authorization);
            }
            if let Some(known) = question.known {
                request = request.header(header::IF_NONE_MATCH, known);
            }
            request.body(Empty::new()).map_err(|e| Problem::Wrong(e.to_string()))
        };
        let (response, sender) = loop {
            let Some(mut sender) = self.idle.lock().pop() else {
                let mut sender = self.connect().await.map_err(|e| self.unreachable(e))?;
                break (self.send(&mut sender, request()?).await?, sender);
            };
            // One that was kept may have been closed at the other end: that says nothing.
            if let Ok(response) = self.send(&mut sender, request()?).await {
                break (response, sender);
            }
        };
        let said = self.read(response, question.most).await?;
        self.idle.lock().push(sender);
        match said.status {
            StatusCode::OK => Ok(said),
            StatusCode::NOT_MODIFIED if question.known.is_some() => Ok(said),
            status => Err(Problem::Status(status)),
        }
    }

    fn unreachable(&self, error: impl std::fmt::Display) -> Problem {
        Problem::Unreachable(error.to_string())
    }

    async fn send(
        &self,
        sender: &mut Sender,
        request: Request<Empty<Bytes>>,
    ) -> Result<Response<Incoming>, Problem> {
        let answer = async {
            sender.ready().await?;
            sender.send_request(request).await
        };
        match timeout(HEAD, answer).await {
            Ok(answer) => answer.map_err(|e| self.unreachable(e)),
            Err(_) => Err(self.unreachable("no answer in time")),
        }
    }

    async fn read(&self, response: Response<Incoming>, most: usize) -> Result<Said, Problem> {
        let (head, body) = response.into_parts();
        let text = |name| head.headers.get(name).and_then(|value| value.to_str().ok());
        let etag = text(header::ETAG).map(str::to_owned);
        let gzip = match text(header::CONTENT_ENCODING) {
            None | Some("identity") => false,
            Some("gzip") => true,
            Some(other) => return Err(Problem::Wrong(format!("content-encoding {other}"))),
        };
        let whole = timeout(WHOLE, Limited::new(body, most).collect()).await;
        let body = whole.map_err(|_| self.unreachable("no end in time"))?;
        let body = body.map_err(|e| self.unreachable(e))?.to_bytes();
        let body = if gzip { unpack(&body, most).await? } else { body.into() };
        Ok(Said { status: head.status, etag, body })
    }

    async fn connect(&self) -> io::Result<Sender> {
        let host = self.base.host_str().unwrap_or_default();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let port = self.base.port_or_known_default().unwrap_or(443);
        let connected = async {
            let plain = self.base.scheme() == "http";
            let stream = match &self.proxy {
                None => TcpStream::connect((bare, port)).await?,
                Some(proxy) if plain => proxy.connect().await?,
                Some(proxy) => proxy.tunnel(&format!("{host}:{port}")).await?,
            };
            stream.set_nodelay(true)?;
            if plain {
                return shake_hands(stream).await;
            }
            let name = ServerName::try_from(bare.to_owned()).map_err(io::Error::other)?;
            shake_hands(self.tls.connect(name, stream).await?).await
        };
        timeout(CONNECT, connected).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }
}

async fn shake_hands(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> io::Result<Sender> {
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!("npm's registry: {error}");
        }
    });
    Ok(sender)
}

async fn unpack(packed: &[u8], most: usize) -> Result<Vec<u8>, Problem> {
    let mut body = Vec::new();
    let read = GzipDecoder::new(packed).take(most as u64 + 1).read_to_end(&mut body).await;
    read.map_err(|e| Problem::Wrong(format!("gzip: {e}")))?;
    if body.len() > most { Err(Problem::Wrong(format!("more than {most} bytes"))) } else { Ok(body) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    use tokio::net::TcpListener;

    /// A registry that answers one connection after the other with these words, the last for ever, and the number of those that
    /// came.
    async fn registry(answers: &'static [&'static str]) -> (Upstream, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base = format!("http://{}/", listener.local_addr().expect("an address"));
        let came = Arc::new(AtomicUsize::new(0));
        let counted = came.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let mut stream = BufReader::new(stream);
                let mut line = String::new();
                while stream.read_line(&mut line).await.is_ok_and(|read| read > 2) {
                    line.clear();
                }
                let number = counted.fetch_add(1, Ordering::Relaxed);
                let answer = answers[number.min(answers.len() - 1)];
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        (Upstream::new(Url::parse(&base).expect("a URL"), None, None).expect("an upstream"), came)
    }

    const GOOD: &str = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood";
    const BUSY: &str = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

    fn question(known: Option<&str>) -> Question<'_> {
        Question { path: "left-pad", accept: "application/json", known, most: 100 }
    }

    #[tokio::test]
    async fn a_registry_that_drops_a_connection_or_is_busy_for_a_moment_is_asked_again() {
        let (upstream, came) = registry(&["", BUSY, GOOD]).await;
        assert_eq!(upstream.ask(&question(None)).await.expect("an answer").body, b"good");
        assert_eq!(came.load(Ordering::Relaxed), 3);
    }

    #[tokio::test]
    async fn a_registry_that_stays_busy_is_asked_thrice_and_what_it_says_is_the_answer() {
        let (upstream, came) = registry(&[BUSY]).await;
        let problem = upstream.ask(&question(None)).await.map(|said| said.body);
        assert!(matches!(problem, Err(Problem::Status(StatusCode::SERVICE_UNAVAILABLE))), "{problem:?}");
        assert_eq!(came.load(Ordering::Relaxed), 3);
    }

    #[tokio::test]
    async fn who_knows_an_older_answer_does_not_wait_for_another_try() {
        let (upstream, came) = registry(&[BUSY, GOOD]).await;
        assert!(upstream.ask(&question(Some("\"tag\""))).await.is_err());
        assert_eq!(came.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn a_package_that_is_not_there_is_not_asked_for_again() {
        let (upstream, came) = registry(&["HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"]).await;
        assert!(upstream.ask(&question(None)).await.is_err());
        assert_eq!(came.load(Ordering::Relaxed), 1);
    }
}
