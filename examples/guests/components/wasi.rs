//! As much of wasi:io, wasi:sockets and wasi:http 0.2 as guest.rs calls: a type for each resource, a method for each function, and
//! the names of the standard.

use crate::abi::{done, Bytes, Maybe, Outcome};
use std::fmt;

/// An error, by its name in the standard.
#[derive(Debug)]
pub struct Code(pub &'static str);

pub type Result<T> = std::result::Result<T, Code>;

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Code {}

// wasi:io

resource!(Pollable, "wasi:io/poll@0.2.12", "[resource-drop]pollable");
resource!(IoError, "wasi:io/error@0.2.12", "[resource-drop]error");
resource!(InputStream, "wasi:io/streams@0.2.12", "[resource-drop]input-stream");
resource!(OutputStream, "wasi:io/streams@0.2.12", "[resource-drop]output-stream");

impl Pollable {
    pub fn block(&self) {
        import!("wasi:io/poll@0.2.12", "[method]pollable.block", block(this: u32));
        block(self.0);
    }
}

#[repr(C, u8)]
#[allow(dead_code)]
enum StreamError {
    LastOperationFailed(IoError),
    Closed,
}

impl From<StreamError> for Code {
    fn from(error: StreamError) -> Code {
        match error {
            StreamError::LastOperationFailed(_) => Code("last-operation-failed"),
            StreamError::Closed => Code("closed"),
        }
    }
}

impl InputStream {
    pub fn blocking_read(&self, most: u64) -> Result<Vec<u8>> {
        import!("wasi:io/streams@0.2.12", "[method]input-stream.blocking-read",
            read(this: u32, most: u64) => Outcome<Bytes, StreamError>);
        read(self.0, most).get().map(Vec::from)
    }
}

impl OutputStream {
    pub fn blocking_write_and_flush(&self, bytes: &[u8]) -> Result<()> {
        import!("wasi:io/streams@0.2.12", "[method]output-stream.blocking-write-and-flush",
            write(this: u32, at: *const u8, length: usize) => Outcome<(), StreamError>);
        write(self.0, bytes.as_ptr(), bytes.len()).get()
    }
}

// wasi:sockets

resource!(Network, "wasi:sockets/network@0.2.12", "[resource-drop]network");
resource!(
    ResolveAddressStream,
    "wasi:sockets/ip-name-lookup@0.2.12",
    "[resource-drop]resolve-address-stream"
);
resource!(TcpSocket, "wasi:sockets/tcp@0.2.12", "[resource-drop]tcp-socket");

/// wasi:sockets/network.error-code
#[repr(transparent)]
struct SocketError(u8);

#[rustfmt::skip]
const SOCKET_ERRORS: [&str; 21] = [
    "unknown", "access-denied", "not-supported", "invalid-argument", "out-of-memory", "timeout", "concurrency-conflict",
    "not-in-progress", "would-block", "invalid-state", "new-socket-limit", "address-not-bindable", "address-in-use",
    "remote-unreachable", "connection-refused", "connection-reset", "connection-aborted", "datagram-too-large",
    "name-unresolvable", "temporary-resolver-failure", "permanent-resolver-failure",
];

impl From<SocketError> for Code {
    fn from(error: SocketError) -> Code {
        Code(SOCKET_ERRORS[usize::from(error.0)])
    }
}

#[repr(C, u8)]
#[allow(dead_code)]
pub enum IpAddress {
    V4([u8; 4]),
    V6([u16; 8]),
}

impl Network {
    pub fn instance() -> Network {
        import!("wasi:sockets/instance-network@0.2.12", "instance-network", instance_network() -> u32);
        Network(instance_network())
    }

    pub fn resolve_addresses(&self, name: &str) -> Result<ResolveAddressStream> {
        import!("wasi:sockets/ip-name-lookup@0.2.12", "resolve-addresses",
            resolve(network: u32, at: *const u8, length: usize) => Outcome<ResolveAddressStream, SocketError>);
        resolve(self.0, name.as_ptr(), name.len()).get()
    }
}

impl ResolveAddressStream {
    pub fn resolve_next_address(&self) -> Result<Option<IpAddress>> {
        import!("wasi:sockets/ip-name-lookup@0.2.12", "[method]resolve-address-stream.resolve-next-address",
            next(this: u32) => Outcome<Maybe<IpAddress>, SocketError>);
        next(self.0).get().map(Maybe::get)
    }

    pub fn subscribe(&self) -> Pollable {
        import!("wasi:sockets/ip-name-lookup@0.2.12", "[method]resolve-address-stream.subscribe",
            subscribe(this: u32) -> u32);
        Pollable(subscribe(self.0))
    }
}

impl TcpSocket {
    /// A socket of the address's family.
    pub fn new(address: &IpAddress) -> Result<TcpSocket> {
        import!("wasi:sockets/tcp-create-socket@0.2.12", "create-tcp-socket",
            create(family: u32) => Outcome<TcpSocket, SocketError>);
        create(matches!(address, IpAddress::V6(_)).into()).get()
    }

    pub fn start_connect(&self, network: &Network, address: IpAddress, port: u16) -> Result<()> {
        // The numbers of an address for IPv6 are as many as any has: port, flow, the address's eight, scope.
        import!("wasi:sockets/tcp@0.2.12", "[method]tcp-socket.start-connect",
            start(this: u32, network: u32, case: u32, a: u32, b: u32, c: u32, d: u32, e: u32, f: u32, g: u32, h: u32,
                i: u32, j: u32, k: u32) => Outcome<(), SocketError>);
        let (this, network, port) = (self.0, network.0, port.into());
        match address {
            IpAddress::V4(ip) => {
                let [a, b, c, d] = ip.map(u32::from);
                start(this, network, 0, port, a, b, c, d, 0, 0, 0, 0, 0, 0)
            }
            IpAddress::V6(ip) => {
                let [a, b, c, d, e, f, g, h] = ip.map(u32::from);
                start(this, network, 1, port, 0, a, b, c, d, e, f, g, h, 0)
            }
        }
        .get()
    }

    pub fn finish_connect(&self) -> Result<(InputStream, OutputStream)> {
        #[repr(C)]
        struct Streams(InputStream, OutputStream);
        import!("wasi:sockets/tcp@0.2.12", "[method]tcp-socket.finish-connect",
            finish(this: u32) => Outcome<Streams, SocketError>);
        finish(self.0).get().map(|Streams(input, output)| (input, output))
    }

    pub fn subscribe(&self) -> Pollable {
        import!("wasi:sockets/tcp@0.2.12", "[method]tcp-socket.subscribe", subscribe(this: u32) -> u32);
        Pollable(subscribe(self.0))
    }
}

// wasi:http

resource!(Fields, "wasi:http/types@0.2.12", "[resource-drop]fields");
resource!(OutgoingRequest, "wasi:http/types@0.2.12", "[resource-drop]outgoing-request");
resource!(FutureIncomingResponse, "wasi:http/types@0.2.12", "[resource-drop]future-incoming-response");
resource!(IncomingResponse, "wasi:http/types@0.2.12", "[resource-drop]incoming-response");
resource!(IncomingBody, "wasi:http/types@0.2.12", "[resource-drop]incoming-body");

/// wasi:http/types.error-code, whose largest case holds 24 bytes.
#[repr(C)]
struct HttpError {
    case: u8,
    held: [u64; 3],
}

#[rustfmt::skip]
const HTTP_ERRORS: [&str; 39] = [
    "DNS-timeout", "DNS-error", "destination-not-found", "destination-unavailable", "destination-IP-prohibited",
    "destination-IP-unroutable", "connection-refused", "connection-terminated", "connection-timeout",
    "connection-read-timeout", "connection-write-timeout", "connection-limit-reached", "TLS-protocol-error",
    "TLS-certificate-error", "TLS-alert-received", "HTTP-request-denied", "HTTP-request-length-required",
    "HTTP-request-body-size", "HTTP-request-method-invalid", "HTTP-request-URI-invalid", "HTTP-request-URI-too-long",
    "HTTP-request-header-section-size", "HTTP-request-header-size", "HTTP-request-trailer-section-size",
    "HTTP-request-trailer-size", "HTTP-response-incomplete", "HTTP-response-header-section-size",
    "HTTP-response-header-size", "HTTP-response-body-size", "HTTP-response-trailer-section-size",
    "HTTP-response-trailer-size", "HTTP-response-transfer-coding", "HTTP-response-content-coding",
    "HTTP-response-timeout", "HTTP-upgrade-failed", "HTTP-protocol-error", "loop-detected", "configuration-error",
    "internal-error",
];

impl From<HttpError> for Code {
    fn from(error: HttpError) -> Code {
        Code(HTTP_ERRORS[usize::from(error.case)])
    }
}

impl Fields {
    pub fn new() -> Fields {
        import!("wasi:http/types@0.2.12", "[constructor]fields", new() -> u32);
        Fields(new())
    }
}

impl OutgoingRequest {
    pub fn new(headers: Fields) -> OutgoingRequest {
        import!("wasi:http/types@0.2.12", "[constructor]outgoing-request", new(headers: u32) -> u32);
        OutgoingRequest(new(give!(headers)))
    }

    /// `http:`, and not `https:`, which it is by default.
    pub fn set_scheme_http(&self) -> Result<()> {
        import!("wasi:http/types@0.2.12", "[method]outgoing-request.set-scheme",
            set(this: u32, is_some: u32, case: u32, at: *const u8, length: usize) -> u32);
        done(set(self.0, 1, 0, std::ptr::null(), 0))
    }

    pub fn set_authority(&self, authority: &str) -> Result<()> {
        import!("wasi:http/types@0.2.12", "[method]outgoing-request.set-authority",
            set(this: u32, is_some: u32, at: *const u8, length: usize) -> u32);
        done(set(self.0, 1, authority.as_ptr(), authority.len()))
    }

    pub fn set_path_with_query(&self, path: &str) -> Result<()> {
        import!("wasi:http/types@0.2.12", "[method]outgoing-request.set-path-with-query",
            set(this: u32, is_some: u32, at: *const u8, length: usize) -> u32);
        done(set(self.0, 1, path.as_ptr(), path.len()))
    }

    /// Sends it, without options.
    pub fn handle(self) -> Result<FutureIncomingResponse> {
        import!("wasi:http/outgoing-handler@0.2.12", "handle",
            handle(request: u32, is_some: u32, options: u32) => Outcome<FutureIncomingResponse, HttpError>);
        handle(give!(self), 0, 0).get()
    }
}

impl FutureIncomingResponse {
    pub fn subscribe(&self) -> Pollable {
        import!("wasi:http/types@0.2.12", "[method]future-incoming-response.subscribe", subscribe(this: u32) -> u32);
        Pollable(subscribe(self.0))
    }

    /// The response, once; none before it is there.
    pub fn get(&self) -> Option<Result<IncomingResponse>> {
        import!("wasi:http/types@0.2.12", "[method]future-incoming-response.get",
            get(this: u32) => Maybe<Outcome<Outcome<IncomingResponse, HttpError>, ()>>);
        get(self.0).get().map(|once| once.get().and_then(Outcome::get))
    }
}

impl IncomingResponse {
    pub fn status(&self) -> u32 {
        import!("wasi:http/types@0.2.12", "[method]incoming-response.status", status(this: u32) -> u32);
        status(self.0)
    }

    pub fn consume(&self) -> Result<IncomingBody> {
        import!("wasi:http/types@0.2.12", "[method]incoming-response.consume",
            consume(this: u32) => Outcome<IncomingBody, ()>);
        consume(self.0).get()
    }
}

impl IncomingBody {
    pub fn stream(&self) -> Result<InputStream> {
        import!("wasi:http/types@0.2.12", "[method]incoming-body.stream",
            stream(this: u32) => Outcome<InputStream, ()>);
        stream(self.0).get()
    }
}
