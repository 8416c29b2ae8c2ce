//! `wasi:http/outgoing-handler`: requests go where the task's capabilities say `net:connect`, over wasmtime-wasi-http's own
//! client (HTTP/1.1; TLS with the authorities of crate webpki-roots).

use super::Guest;
use super::net::Net;
use http::Request;
use http_body_util::BodyExt;
use std::future::Future;
use std::sync::Arc;
use wasmtime::component::Linker;
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
