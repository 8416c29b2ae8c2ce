//! `wasi:http/outgoing-handler`: requests go where the task's capabilities say `net:connect`, over wasmtime-wasi-http's own
//! client (HTTP/1.1; TLS with the authorities of crate webpki-roots). Those of a container's tasks for localhost go to the
//! container's loopback.

use super::Guest;
use super::net::{Net, SocketSlot};
use http::Request;
use http_body_util::BodyExt;
use hyper::client::conn::http1;
use loopback::Loopback;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;
use wasmtime::component::Linker;
use wasmtime_wasi_http::io::TokioIo;
use wasmtime_wasi_http::{
    Error, RequestOptions, WasiBody, WasiHttpCtxView, WasiHttpHooks, WasiHttpView, default_send_request,
};

/// Asked by wasmtime-wasi-http before a request leaves.
pub(super) struct Hooks(pub Arc<Net>);

/// The response, and what has to run until its body has come.
type Exchange = (http::Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>);

impl WasiHttpHooks for Hooks {
    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _body: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Result<Exchange, Error>> + Send> {
        let net = self.0.clone();
        Box::new(async move {
            if let Some((loopback, port)) = inside(&net, &request)? {
                let slot = net.sockets.take().ok_or(Error::ConnectionLimitReached)?;
                return send_inside(&loopback, port, request, options, slot).await;
            }
            admit(&net, &request)?;
            let slot = net.sockets.take().ok_or(Error::ConnectionLimitReached)?;
            let (response, connection) = default_send_request(request, options).await?;
            let connection = async move {
                let end = connection.await;
                drop(slot);
                end
            };
            Ok((response.map(BodyExt::boxed_unsync), Box::new(connection) as _))
        })
    }
}

/// The loopback and the port that a request of a container's task goes to, where its host means that.
fn inside<T>(net: &Net, request: &Request<T>) -> Result<Option<(Arc<Loopback>, u16)>, Error> {
    let authority = request.uri().authority().ok_or(Error::HttpRequestUriInvalid)?;
    if request.uri().scheme_str() == Some("https") {
        return Ok(None);
    }
    let what = format_args!("{} {}", request.method(), request.uri());
    let loopback = net.inside(what, authority.host());
    let loopback = loopback.map_err(|error| Error::Connect(std::io::Error::other(error.to_string())))?;
    Ok(loopback.map(|loopback| (loopback, authority.port_u16().unwrap_or(80))))
}

/// How long each step takes at most, where the guest says nothing: as wasmtime-wasi-http has it.
const PATIENCE: Duration = Duration::from_secs(600);

async fn send_inside(
    loopback: &Loopback,
    port: u16,
    mut request: Request<WasiBody>,
    options: Option<RequestOptions>,
    slot: SocketSlot,
) -> Result<Exchange, Error> {
    let connecting = options.and_then(|options| options.connect_timeout).unwrap_or(PATIENCE);
    let first_byte = options.and_then(|options| options.first_byte_timeout).unwrap_or(PATIENCE);
    let stream = timeout(connecting, loopback.connect(port)).await.map_err(|_| Error::ConnectionTimeout)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream.map_err(Error::Connect)?)).await?;
    let connection = tokio::spawn(connection);
    // The rest is for a proxy.
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    *request.uri_mut() = path.parse().map_err(|_| Error::HttpRequestUriInvalid)?;
    let response = timeout(first_byte, sender.send_request(request)).await;
    let response = response.map_err(|_| Error::ConnectionReadTimeout)??;
    // It ends with the answer: there is no other request.
    drop(sender);
    let connection = async move {
        // Whoever reads the body is told how it ended.
        let _told = connection.await;
        drop(slot);
        Ok(())
    };
    Ok((response.map(|body| body.map_err(Error::from).boxed_unsync()), Box::new(connection) as _))
}

/// Fails where the request's host and port are not the task's to connect to.
fn admit<T>(net: &Net, request: &Request<T>) -> Result<(), Error> {
    let authority = request.uri().authority().ok_or(Error::HttpRequestUriInvalid)?;
    let default = if request.uri().scheme_str() == Some("https") { 443 } else { 80 };
    let port = authority.port_u16().unwrap_or(default);
    let what = format_args!("{} {}", request.method(), request.uri());
    if net.request(what, authority.host(), port) { Ok(()) } else { Err(Error::HttpRequestDenied) }
}

impl WasiHttpView for Guest {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.hooks, table: &mut self.table, ctx: &mut self.http }
    }
}

pub(super) fn define(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(linker)
}

#[cfg(test)]
mod tests {
    use super::super::net::Sockets;
    use super::*;
    use http_body_util::Empty;
    use rustix::net::{AddressFamily, SocketType, bind, listen};
    use std::net::SocketAddr;
    use task::{Caps, Group, Reach, Trace};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    async fn get(hooks: &mut Hooks, uri: &str) -> Result<String, Error> {
        let body = Empty::new().map_err(|never| match never {}).boxed_unsync();
        let request = Request::get(uri).header("host", "localhost").body(body).expect("a request");
        let exchange = hooks.send_request(request, None, Box::new(async { Ok(()) }));
        let (response, connection) = Box::into_pin(exchange).await?;
        let text = response.into_body().collect().await?.to_bytes();
        Box::into_pin(connection).await?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    #[tokio::test]
    async fn in_a_container_localhost_is_the_containers() {
        let group = Group::new(1);
        let loopback = group.loopback().expect("a loopback");
        let socket = loopback.socket(AddressFamily::INET, SocketType::STREAM).expect("a socket");
        let address: SocketAddr = "0.0.0.0:8000".parse().expect("an address");
        bind(&socket, &address).and_then(|()| listen(&socket, 8)).expect("the port is free");
        let listener = TcpListener::from_std(socket.into()).expect("a listener");
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await.expect("a request"));
                }
                let first = String::from_utf8_lossy(&head).lines().next().unwrap_or_default().to_owned();
                let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{first}", first.len());
                stream.write_all(answer.as_bytes()).await.expect("it listens");
            }
        });
        let reach = Reach::new(Arc::new(Caps::everything()), None, Trace::default()).of_group(Some(group));
        let mut hooks = Hooks(Arc::new(Net::new(reach, Arc::new(Sockets::new()))));
        for host in ["localhost:8000", "127.0.0.1:8000", "a.LOCALHOST.:8000"] {
            let said = get(&mut hooks, &format!("http://{host}/a?b")).await.expect(host);
            assert_eq!(said, "GET /a?b HTTP/1.1");
        }
        assert!(matches!(get(&mut hooks, "http://localhost:8001/").await, Err(Error::Connect(_))));
        assert!(matches!(get(&mut hooks, "https://localhost:8000/").await, Err(Error::HttpRequestDenied)));
        assert!(matches!(get(&mut hooks, "http://example.org/").await, Err(Error::HttpRequestDenied)));
    }
}
