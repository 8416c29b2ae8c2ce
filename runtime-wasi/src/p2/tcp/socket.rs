//! One TCP socket of a guest, from made to connected or listening.
//!
//! ```text
//!           bind              listen
//!   Unused ─────► Unused ────────────────► Listening ──accept──► another that is Connected
//!        └────────────┴──connect──► Connecting ──► Connected
//!                                        └───────► Failed
//! ```

use super::options;
use super::streams::{Incoming, Outgoing, TcpInput, TcpOutput};
use crate::p2::net::{Sockets, Way};
use futures_util::FutureExt;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SocketFlags, SocketType, accept_with, bind, connect, getsockname, ipproto, listen,
    socket_with, sockopt,
};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::net::TcpStream;
use wasmtime_wasi::p2::SocketResult;
use wasmtime_wasi::p2::bindings::sockets::network::{ErrorCode, IpAddressFamily};
use wasmtime_wasi::p2::bindings::sockets::tcp::ShutdownType;
use wasmtime_wasi_io::async_trait;
use wasmtime_wasi_io::poll::Pollable;
use wasmtime_wasi_io::streams::{DynInputStream, DynOutputStream};

/// Connections that wait to be accepted, where the guest does not say.
const BACKLOG: i32 = 128;

pub(crate) struct Tcp {
    pub(super) family: IpAddressFamily,
    state: State,
    /// What was begun, and is to be finished by a call of its own.
    begun: Option<Begun>,
    backlog: i32,
    sockets: Arc<Sockets>,
}

enum State {
    /// Bound or not.
    Unused(OwnedFd),
    Connecting(TcpStream),
    Connected(Connected),
    Listening(AsyncFd<OwnedFd>),
    Failed(ErrorCode),
}

struct Connected {
    stream: Arc<TcpStream>,
    /// Its directions, once the guest has them.
    ways: Option<(Incoming, Outgoing)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Begun {
    Bind,
    Connect,
    Listen,
}

fn connected(stream: TcpStream) -> State {
    State::Connected(Connected { stream: Arc::new(stream), ways: None })
}

/// A socket of the machine's, which the guest's task may be given in the end.
fn machines(family: AddressFamily) -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    Ok(socket_with(family, SocketType::STREAM, flags, Some(ipproto::TCP))?)
}

impl Tcp {
    pub(super) fn new(family: IpAddressFamily, sockets: &Arc<Sockets>) -> SocketResult<Tcp> {
        let state = State::Unused(machines(family_of(family))?);
        let made = Tcp { family, state, begun: None, backlog: BACKLOG, sockets: sockets.clone() };
        made.only_its_family()?;
        Ok(made)
    }

    fn only_its_family(&self) -> SocketResult<()> {
        if matches!(self.family, IpAddressFamily::Ipv6) {
            sockopt::set_ipv6_v6only(self.fd()?, true)?;
        }
        Ok(())
    }

    pub(super) fn fd(&self) -> SocketResult<BorrowedFd<'_>> {
        match &self.state {
            State::Unused(fd) => Ok(fd.as_fd()),
            State::Connected(Connected { stream, .. }) => Ok(stream.as_fd()),
            State::Listening(fd) => Ok(fd.as_fd()),
            State::Connecting(_) => Err(ErrorCode::InvalidState.into()),
            State::Failed(error) => Err((*error).into()),
        }
    }

    /// Fails while another operation has been begun and not finished.
    pub(super) fn may_begin(&self) -> SocketResult<()> {
        if self.begun.is_some() { Err(ErrorCode::ConcurrencyConflict.into()) } else { Ok(()) }
    }
    fn finish(&mut self, what: Begun) -> SocketResult<()> {
        if self.begun != Some(what) {
            return Err(ErrorCode::NotInProgress.into());
        }
        self.begun = None;
        Ok(())
    }

    /// Where it is bound; an error where it is not.
    pub(super) fn bound_to(&self) -> SocketResult<SocketAddr> {
        let address = SocketAddr::try_from(getsockname(self.fd()?)?).map_err(|_| ErrorCode::InvalidState)?;
        if address.port() == 0 { Err(ErrorCode::InvalidState.into()) } else { Ok(address) }
    }
    pub(super) fn peer(&self) -> SocketResult<SocketAddr> {
        match &self.state {
            State::Connected(Connected { stream, .. }) => Ok(stream.peer_addr()?),
            State::Failed(error) => Err((*error).into()),
            _ => Err(ErrorCode::InvalidState.into()),
        }
    }

    /// Puts a socket of the right network in the place of one that nothing was done with yet.
    fn take_way(&mut self, way: &Way) -> SocketResult<()> {
        let State::Unused(old) = &self.state else { return Err(ErrorCode::InvalidState.into()) };
        let family = family_of(self.family);
        let new = match way {
            Way::Inside(loopback) => loopback.socket(family, SocketType::STREAM)?,
            Way::Machine => machines(family)?,
        };
        options::copy(old.as_fd(), &new, self.family)?;
        self.state = State::Unused(new);
        self.only_its_family()
    }

    pub(super) fn bind(&mut self, way: Way, local: SocketAddr) -> SocketResult<()> {
        if self.bound_to().is_ok() {
            return Err(ErrorCode::InvalidState.into());
        }
        self.take_way(&way)?;
        // Connections that a listener had a moment ago are nobody's hindrance.
        sockopt::set_socket_reuseaddr(self.fd()?, true)?;
        bind(self.fd()?, &local).map_err(|error| match error {
            Errno::AFNOSUPPORT => ErrorCode::InvalidArgument,
            error => error.into(),
        })?;
        self.begun = Some(Begun::Bind);
        Ok(())
    }
    pub(super) fn finish_bind(&mut self) -> SocketResult<()> {
        self.finish(Begun::Bind)
    }

    /// What is refused is told by [`Tcp::finish_connect`], as what nobody answers to is.
    pub(super) fn connect(&mut self, way: vfs::Result<Way>, peer: SocketAddr) -> SocketResult<()> {
        if !matches!(self.state, State::Unused(_)) {
            return Err(ErrorCode::InvalidState.into());
        }
        self.state = match way.map_err(|_told_in_the_trace| ErrorCode::AccessDenied) {
            Ok(way) => self.start(&way, peer)?,
            Err(refused) => State::Failed(refused),
        };
        self.begun = Some(Begun::Connect);
        Ok(())
    }

    fn start(&mut self, way: &Way, peer: SocketAddr) -> SocketResult<State> {
        let is_inside = matches!(way, Way::Inside(_));
        // One that is bound keeps its address, unless that is on the loopback and the way leads out.
        if self.bound_to().is_err() || !is_inside {
            self.take_way(way)?;
        }
        match connect(self.fd()?, &peer) {
            Ok(()) | Err(Errno::INPROGRESS) => {}
            Err(error) => return Ok(State::Failed(error.into())),
        }
        let State::Unused(fd) = std::mem::replace(&mut self.state, State::Failed(ErrorCode::Unknown)) else {
            return Err(ErrorCode::InvalidState.into());
        };
        Ok(State::Connecting(TcpStream::from_std(fd.into())?))
    }

    pub(super) fn finish_connect(&mut self) -> SocketResult<()> {
        if self.begun != Some(Begun::Connect) {
            return Err(ErrorCode::NotInProgress.into());
        }
        match std::mem::replace(&mut self.state, State::Failed(ErrorCode::Unknown)) {
            State::Connecting(stream) => {
                if stream.writable().now_or_never().is_none() {
                    self.state = State::Connecting(stream);
                    return Err(ErrorCode::WouldBlock.into());
                }
                self.begun = None;
                self.state = match stream.take_error() {
                    Ok(None) => connected(stream),
                    Ok(Some(error)) | Err(error) => State::Failed(error.into()),
                };
            }
            other => {
                self.begun = None;
                self.state = other;
            }
        }
        match &self.state {
            State::Failed(error) => Err((*error).into()),
            _ => Ok(()),
        }
    }

    pub(super) fn listen(&mut self) -> SocketResult<()> {
        if !matches!(self.state, State::Unused(_)) {
            return Err(ErrorCode::InvalidState.into());
        }
        let State::Unused(fd) = std::mem::replace(&mut self.state, State::Failed(ErrorCode::Unknown)) else {
            return Err(ErrorCode::InvalidState.into());
        };
        if let Err(error) = listen(&fd, self.backlog) {
            self.state = State::Unused(fd);
            return Err(error.into());
        }
        // SAFETY: the descriptor is owned, and stays the same socket until the state is dropped.
        let listener = unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) };
        self.state = State::Listening(listener.map_err(io::Error::from)?);
        self.begun = Some(Begun::Listen);
        Ok(())
    }
    pub(super) fn finish_listen(&mut self) -> SocketResult<()> {
        self.finish(Begun::Listen)
    }
    pub(super) fn listens(&self) -> bool {
        matches!(self.state, State::Listening(_))
    }

    pub(super) fn set_backlog(&mut self, value: u64) -> SocketResult<()> {
        if value == 0 {
            return Err(ErrorCode::InvalidArgument.into());
        }
        let backlog = i32::try_from(value).unwrap_or(i32::MAX);
        match &self.state {
            State::Unused(_) => {}
            State::Listening(fd) => listen(fd, backlog).map_err(|_| ErrorCode::NotSupported)?,
            State::Failed(error) => return Err((*error).into()),
            _ => return Err(ErrorCode::InvalidState.into()),
        }
        self.backlog = backlog;
        Ok(())
    }

    pub(super) fn accept(&mut self) -> SocketResult<Tcp> {
        let State::Listening(listener) = &self.state else { return Err(ErrorCode::InvalidState.into()) };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let accepted = listener.try_io(Interest::READABLE, |fd| Ok(accept_with(fd, flags)?));
        // A peer that is gone again is the next one's turn.
        let fd = accepted.map_err(|error| match ErrorCode::from(&error) {
            ErrorCode::ConnectionReset | ErrorCode::RemoteUnreachable => ErrorCode::ConnectionAborted,
            code => code,
        })?;
        let state = connected(TcpStream::from_std(fd.into())?);
        Ok(Tcp { family: self.family, state, begun: None, backlog: BACKLOG, sockets: self.sockets.clone() })
    }

    /// Its two directions, given once.
    pub(super) fn streams(&mut self) -> SocketResult<(DynInputStream, DynOutputStream)> {
        match &mut self.state {
            State::Connected(Connected { stream, ways: ways @ None }) => {
                let (incoming, outgoing) =
                    ways.insert((Incoming::new(stream), Outgoing::new(stream, &self.sockets)));
                Ok((Box::new(TcpInput::of(incoming)), Box::new(TcpOutput::of(outgoing))))
            }
            State::Failed(error) => Err((*error).into()),
            _ => Err(ErrorCode::InvalidState.into()),
        }
    }

    pub(super) fn shutdown(&mut self, how: ShutdownType) -> SocketResult<()> {
        let State::Connected(Connected { ways: Some((incoming, outgoing)), .. }) = &self.state else {
            return Err(ErrorCode::InvalidState.into());
        };
        if matches!(how, ShutdownType::Receive | ShutdownType::Both) {
            incoming.close();
        }
        if matches!(how, ShutdownType::Send | ShutdownType::Both) {
            outgoing.close();
        }
        Ok(())
    }
}

fn family_of(family: IpAddressFamily) -> AddressFamily {
    match family {
        IpAddressFamily::Ipv4 => AddressFamily::INET,
        IpAddressFamily::Ipv6 => AddressFamily::INET6,
    }
}

#[async_trait]
impl Pollable for Tcp {
    async fn ready(&mut self) {
        // Errors are told by the call that follows.
        match &self.state {
            State::Connecting(stream) => drop(stream.writable().await),
            State::Listening(fd) => {
                // Tokio takes it for ready until an accept has found nothing.
                while let Ok(mut ready) = fd.readable().await {
                    if has_something(fd) {
                        return;
                    }
                    ready.clear_ready();
                }
            }
            _ => {}
        }
    }
}

/// Whether there is something to be had of the socket now: bytes, an end, an error, or a connection that waits (poll(2)).
pub(super) fn has_something(socket: impl AsFd) -> bool {
    let mut polled = [PollFd::new(&socket, PollFlags::IN)];
    // What cannot be asked is asked by the call that follows.
    poll(&mut polled, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).map_or(true, |ready| ready > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasmtime_wasi_io::streams::OutputStream;

    async fn is_ready(pollable: &mut impl Pollable) -> bool {
        tokio::time::timeout(std::time::Duration::from_millis(50), pollable.ready()).await.is_ok()
    }

    /// One that listens on the loopback, and a client that waits to be accepted.
    fn listening() -> (Tcp, std::net::TcpStream) {
        let mut tcp = Tcp::new(IpAddressFamily::Ipv4, &Arc::new(Sockets::new())).expect("a socket");
        tcp.bind(Way::Machine, "127.0.0.1:0".parse().expect("an address")).expect("bound");
        tcp.finish_bind().expect("bound");
        tcp.listen().expect("listens");
        tcp.finish_listen().expect("listens");
        let client = std::net::TcpStream::connect(tcp.bound_to().expect("bound")).expect("connected");
        (tcp, client)
    }

    #[tokio::test]
    async fn a_listener_is_ready_only_while_someone_waits() {
        let (mut tcp, _client) = listening();
        assert!(is_ready(&mut tcp).await);
        tcp.accept().expect("the one");
        assert!(!is_ready(&mut tcp).await);
        let _another = std::net::TcpStream::connect(tcp.bound_to().expect("bound")).expect("connected");
        assert!(is_ready(&mut tcp).await);
    }

    #[tokio::test]
    async fn a_connection_is_ready_only_while_there_is_something_to_read() {
        let (mut tcp, mut client) = listening();
        assert!(is_ready(&mut tcp).await);
        let (mut input, _output) = tcp.accept().expect("the one").streams().expect("streams");
        assert!(!is_ready(&mut input).await);
        io::Write::write_all(&mut client, b"hello").expect("sent");
        assert!(is_ready(&mut input).await);
        assert_eq!(&input.read(5).expect("read")[..], b"hello");
        assert!(!is_ready(&mut input).await);
        drop(client);
        assert!(is_ready(&mut input).await, "its end can be read");
    }

    #[tokio::test]
    async fn what_was_written_before_a_close_is_waited_for() {
        let sockets = Arc::new(Sockets::new());
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a loopback port");
        let client = TcpStream::connect(listener.local_addr().expect("bound")).await.expect("connected");
        let (mut peer, _) = listener.accept().expect("the client");
        let mut output = TcpOutput::of(&Outgoing::new(&Arc::new(client), &sockets));
        let mut written = 0;
        while output.check_write().expect("open") > 0 {
            output.write(bytes::Bytes::from_static(&[1; 4096])).expect("written");
            written += 4096;
        }
        drop(output);
        let reader = std::thread::spawn(move || {
            std::thread::sleep(std::time::Duration::from_millis(100));
            io::copy(&mut peer, &mut io::sink()).expect("read")
        });
        sockets.settle().await;
        // The tasks that send end with the runtime: nothing is left to them.
        assert_eq!(tokio::runtime::Handle::current().metrics().num_alive_tasks(), 0);
        assert_eq!(reader.join().expect("read"), written);
    }

    #[tokio::test]
    async fn to_listen_again_is_refused_and_changes_nothing() {
        let (mut tcp, _client) = listening();
        assert!(tcp.listen().is_err());
        assert!(tcp.listens() && tcp.bound_to().is_ok() && is_ready(&mut tcp).await);
        tcp.accept().expect("the one that waits");
    }
}
