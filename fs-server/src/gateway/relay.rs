//! One client's connection: its requests go to the ports that they name and the answers come back, both as they flow. A
//! connection to a port is kept for the client's next request; with `Upgrade` it becomes the client's own, and what goes over
//! it then is nobody else's business.

use super::admission::Admission;
use super::answer::{self, Body, say};
use super::inside::{Closed, Inside};
use super::route::Route;
use super::{Find, LONGEST_HEAD, MOST_HEADERS};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode, Uri, Version};
use http_body_util::Either;
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use nine::patience::Arrivals;
use parking_lot::Mutex;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use task::Group;

/// How long an answer may take until it begins: a development server may compile first.
const PATIENCE: Duration = Duration::from_secs(300);
/// Connections to ports that one client's connection keeps.
const KEPT: usize = 16;

/// What is between a client and a gateway, or a gateway and a port, and no further (RFC 9110, 7.6.1).
const HOP: [HeaderName; 7] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    HeaderName::from_static("proxy-connection"),
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// One client's connection.
pub struct Relay {
    find: Find,
    /// The client's address, as the port gets it.
    client: HeaderValue,
    /// What it spoke: http or https.
    scheme: &'static str,
    admission: Option<Arc<Admission>>,
    arrivals: Arc<Arrivals>,
    kept: Mutex<Vec<Kept>>,
}

struct Kept {
    group: Arc<Group>,
    port: u16,
    sender: SendRequest<Incoming>,
}

impl Relay {
    pub fn new(
        find: Find,
        client: SocketAddr,
        scheme: &'static str,
        admission: Option<Arc<Admission>>,
        arrivals: Arc<Arrivals>,
    ) -> Relay {
        let client = client.ip().to_string();
        let client = HeaderValue::try_from(client).expect("an address is letters, digits, dots and colons");
        Relay { find, client, scheme, admission, arrivals, kept: Mutex::default() }
    }

    pub async fn answer(self: Arc<Relay>, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
        let head_only = request.method() == Method::HEAD;
        let mut response = self.pass(request).await.unwrap_or_else(|refused| *refused);
        if head_only && let Either::Right(_) = response.body() {
            *response.body_mut() = Either::Right(Default::default());
        }
        Ok(response)
    }

    async fn pass(&self, mut request: Request<Incoming>) -> Result<Response<Body>, Box<Response<Body>>> {
        let refuse = |status, line: &str| Box::new(say(status, line));
        let host = match request.uri().authority() {
            Some(authority) => authority.as_str().to_owned(),
            None => {
                let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
                host.unwrap_or_default().to_owned()
            }
        };
        if request.method() == Method::CONNECT {
            return Err(refuse(StatusCode::METHOD_NOT_ALLOWED, "CONNECT: this is no proxy"));
        }
        if let Some(admission) = &self.admission {
            admission.admit(&mut request)?;
        }
        // Who knows the token was not led here by a name that was made to mean this machine.
        let named = self.admission.is_some();
        let route = Route::of(&host, request.uri(), named).map_err(|lost| Box::new(answer::lost(&lost)))?;
        let Some(group) = (self.find)(route.container) else {
            return Err(refuse(StatusCode::NOT_FOUND, &format!("there is no container {}", route.container)));
        };
        let upgrade = upgrade_of(&request);
        let client = upgrade.is_some().then(|| hyper::upgrade::on(&mut request));
        self.prepare(&mut request, &route, &host, upgrade.clone())
            .map_err(|line| refuse(StatusCode::BAD_REQUEST, &line))?;

        let sent = self.send(&group, &route, request);
        let (mut response, sender) = match tokio::time::timeout(PATIENCE, sent).await {
            Ok(sent) => sent?,
            Err(_) => {
                let line = format!("{} does not answer", shown(&route));
                return Err(refuse(StatusCode::GATEWAY_TIMEOUT, &line));
            }
        };
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            let (Some(client), Some(upgrade)) = (client, upgrade) else {
                let line = format!("{} changes to a protocol that nobody asked for", shown(&route));
                return Err(refuse(StatusCode::BAD_GATEWAY, &line));
            };
            let chosen = response.headers().get(header::UPGRADE).cloned().unwrap_or(upgrade);
            let port = hyper::upgrade::on(&mut response);
            tokio::spawn(tunnel(client, port));
            strip(response.headers_mut());
            response.headers_mut().insert(header::UPGRADE, chosen);
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        } else {
            self.keep(Kept { group, port: route.port, sender });
            strip(response.headers_mut());
            lead_back(response.headers_mut(), &route);
        }
        *response.version_mut() = Version::default();
        Ok(response.map(Either::Left))
    }

    /// The request as the port gets it.
    fn prepare(
        &self,
        request: &mut Request<Incoming>,
        route: &Route,
        host: &str,
        upgrade: Option<HeaderValue>,
    ) -> Result<(), String> {
        let bad = |_| format!("path {:?}", route.path);
        *request.uri_mut() = Uri::try_from(&route.path).map_err(bad)?;
        *request.version_mut() = Version::HTTP_11;
        let headers = request.headers_mut();
        strip(headers);
        // The gateway has said by now that the body may come.
        headers.remove(header::EXPECT);
        if let Some(upgrade) = upgrade {
            headers.insert(header::UPGRADE, upgrade);
            headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        }
        let value = |text: &str| HeaderValue::try_from(text).map_err(|_| format!("host {host:?}"));
        headers.insert("x-forwarded-host", value(host)?);
        headers.insert("x-forwarded-proto", HeaderValue::from_static(self.scheme));
        headers.insert("x-forwarded-for", self.client.clone());
        match route.prefix.as_str() {
            "" => headers.insert(header::HOST, value(host)?),
            prefix => {
                headers.insert("x-forwarded-prefix", value(prefix)?);
                headers.insert(header::HOST, value(&format!("localhost:{}", route.port))?)
            }
        };
        Ok(())
    }

    /// Over a connection that was kept, else over a new one; also where the kept one turns out to be closed.
    async fn send(
        &self,
        group: &Arc<Group>,
        route: &Route,
        mut request: Request<Incoming>,
    ) -> Result<(Response<Incoming>, SendRequest<Incoming>), Box<Response<Body>>> {
        let failed = |error: hyper::Error| {
            let line = format!("{} broke off: {}", shown(route), root(&error));
            Box::new(say(StatusCode::BAD_GATEWAY, &line))
        };
        while let Some(mut sender) = self.take(group, route.port).await {
            match sender.try_send_request(request).await {
                Ok(response) => return Ok((response, sender)),
                Err(mut error) => match error.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(failed(error.into_error())),
                },
            }
        }
        let arrivals = self.arrivals.clone();
        let io = Inside::connect(group.clone(), route.port, arrivals).await.map_err(|closed| {
            let line = match closed {
                Closed::Nobody => {
                    format!("nobody listens at port {} of container {}", route.port, route.container)
                }
                Closed::Full => format!("{} takes no connection", shown(route)),
                Closed::Failed(error) => format!("{}: {error}", shown(route)),
            };
            Box::new(say(StatusCode::BAD_GATEWAY, &line))
        })?;
        let mut client = http1::Builder::new();
        client.max_buf_size(LONGEST_HEAD).max_headers(MOST_HEADERS).preserve_header_case(false);
        let (mut sender, connection) = client.handshake(io).await.map_err(failed)?;
        tokio::spawn(async move {
            // Whoever waits for an answer is told.
            let _told = connection.with_upgrades().await;
        });
        let response = sender.send_request(request).await.map_err(failed)?;
        Ok((response, sender))
    }

    /// A kept connection that is, or is about to be, free.
    async fn take(&self, group: &Arc<Group>, port: u16) -> Option<SendRequest<Incoming>> {
        loop {
            let mut sender = {
                let mut kept = self.kept.lock();
                kept.retain(|kept| !kept.sender.is_closed());
                let fits = |kept: &Kept| kept.port == port && Arc::ptr_eq(&kept.group, group);
                let at = kept.iter().position(|kept| fits(kept) && kept.sender.is_ready())?;
                kept.swap_remove(at).sender
            };
            if sender.ready().await.is_ok() {
                return Some(sender);
            }
        }
    }

    fn keep(&self, connection: Kept) {
        let mut kept = self.kept.lock();
        if kept.len() == KEPT {
            kept.remove(0);
        }
        kept.push(connection);
    }
}

fn shown(route: &Route) -> String {
    format!("port {} of container {}", route.port, route.container)
}

/// What an error came from, in the system's words where they are.
fn root(error: &dyn std::error::Error) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}

/// The protocol that a client wants to go on with.
fn upgrade_of(request: &Request<Incoming>) -> Option<HeaderValue> {
    let asks = |value: &HeaderValue| {
        value
            .to_str()
            .is_ok_and(|text| text.split(',').any(|word| word.trim().eq_ignore_ascii_case("upgrade")))
    };
    let asked = request.headers().get_all(header::CONNECTION).iter().any(asks);
    request.headers().get(header::UPGRADE).filter(|_| asked && request.version() == Version::HTTP_11).cloned()
}

/// Takes out what is for the next hop alone, and what Connection says is.
fn strip(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named.iter().chain(&HOP) {
        headers.remove(name);
    }
}

/// A redirect to a path of the port's is one to where that is here.
fn lead_back(headers: &mut HeaderMap, route: &Route) {
    let Some(location) = headers.get(header::LOCATION).and_then(|value| value.to_str().ok()) else { return };
    let origin = format!("http://localhost:{}", route.port);
    let path = location.strip_prefix(&origin).unwrap_or(location);
    if !route.prefix.is_empty()
        && path.starts_with('/')
        && !path.starts_with("//")
        && let Ok(there) = HeaderValue::try_from(format!("{}{path}", route.prefix))
    {
        headers.insert(header::LOCATION, there);
    }
}

/// Carries bytes both ways until both sides have said their last.
async fn tunnel(client: hyper::upgrade::OnUpgrade, port: hyper::upgrade::OnUpgrade) {
    let (Ok(client), Ok(port)) = tokio::join!(client, port) else { return };
    let (mut client, mut port) = (TokioIo::new(client), TokioIo::new(port));
    // A side that breaks off takes the other along.
    let _broken = tokio::io::copy_bidirectional(&mut client, &mut port).await;
}
