//! HTTP for the mirror's clients: GET and HEAD, and errors as npm shows them.

use crate::PORT;
use crate::mirror::{Form, Found, Mirror, Refusal};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Connections at once; more wait in the listener's queue.
const CLIENTS: usize = 1024;
/// How long a client may take to say what it wants.
const HEAD: Duration = Duration::from_secs(60);

pub async fn serve(mirror: Arc<Mirror>, listener: TcpListener) {
    let clients = Arc::new(Semaphore::new(CLIENTS));
    let mut connections = JoinSet::new();
    loop {
        let Ok(place) = clients.clone().acquire_owned().await else { return };
        let accepted = loop {
            tokio::select! {
                accepted = listener.accept() => break accepted,
                Some(_) = connections.join_next() => {}
            }
        };
        match accepted {
            Ok((stream, _)) => {
                let mirror = mirror.clone();
                connections.spawn(async move {
                    converse(mirror, stream).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!("npm: accept: {error}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn converse(mirror: Arc<Mirror>, stream: TcpStream) {
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let service = service_fn(move |request| {
        let mirror = mirror.clone();
        async move { Ok::<_, Infallible>(answer(&mirror, &request).await) }
    });
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(HEAD);
    if let Err(error) = server.serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!("npm: {error}");
    }
}

async fn answer(mirror: &Arc<Mirror>, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let why = format!("{}: this mirror is only read", request.method());
        return refuse(&Refusal { status: StatusCode::METHOD_NOT_ALLOWED, why });
    }
    let has = |name, word: &str| text(request.headers(), name).contains(word);
    let form =
        if has(header::ACCEPT, "application/vnd.npm.install-v1+json") { Form::Install } else { Form::Full };
    let is_npm = text(request.headers(), header::USER_AGENT).starts_with("npm/");
    let found = match mirror.get(request.uri().path(), form).await {
        Ok(found) => found,
        Err(refusal) => return refuse(&refusal),
    };
    let (body, etag) = found.body(is_npm, &format!("http://127.0.0.1:{PORT}/"));
    let etag = etag.and_then(|etag| HeaderValue::from_str(etag).ok());
    let known = request.headers().get(header::IF_NONE_MATCH);
    let mut response = Response::new(Full::new(body));
    if etag.is_some() && known == etag.as_ref() {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        *response.body_mut() = Full::default();
    }
    let headers = response.headers_mut();
    let kind = match (&found, form) {
        (Found::Tarball(_), _) => "application/octet-stream",
        (Found::Packument(_), Form::Install) => "application/vnd.npm.install-v1+json",
        _ => "application/json",
    };
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    let keep = match &found {
        // Its own cache would be as far away as this one: writing to it is half of what npm does with files, and takes memory.
        _ if is_npm => "no-store",
        Found::Tarball(_) => "public, immutable, max-age=31557600",
        _ => "public, max-age=300",
    };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(keep));
    headers.insert(header::VARY, HeaderValue::from_static("accept, user-agent"));
    if let Some(etag) = etag {
        headers.insert(header::ETAG, etag);
    }
    response
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> &str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn refuse(refusal: &Refusal) -> Response<Full<Bytes>> {
    let body = serde_json::json!({ "error": refusal.why }).to_string();
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = refusal.status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
