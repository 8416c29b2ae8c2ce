//! The threads that serve the gateway's connections: lanes, each with a runtime of its own, and a client with all that is done
//! for him on one of them.
//!
//! What a request takes here beside the work is being woken for it twice, once for the question and once for the answer. The
//! server's runtime has many threads, whose sleep one of them breaks and hands on; a lane is told at once, and looks for the
//! next of the two for a moment before it sleeps, where that has been of use ([`Arrivals`]). There is one for two processors: the
//! client and the program need some too.

use nine::patience::Arrivals;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// All lanes; dropping this ends them, and what they serve.
pub struct Lanes(Vec<Lane>);

struct Lane {
    runtime: Handle,
    arrivals: Arc<Arrivals>,
    clients: Arc<AtomicUsize>,
    /// Dropped to end it.
    _end: oneshot::Sender<()>,
}

/// A client's place on a lane.
pub struct Place {
    runtime: Handle,
    arrivals: Arc<Arrivals>,
    clients: Arc<AtomicUsize>,
}

impl Lanes {
    /// As many as there is use for; the error is the system's that gives not a single thread.
    pub fn start() -> io::Result<Lanes> {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let mut lanes = vec![Lane::start()?];
        lanes.extend((1..processors / 2).map_while(|_| Lane::start().ok()));
        Ok(Lanes(lanes))
    }

    /// On the lane that has the fewest clients.
    pub fn place(&self) -> Place {
        let lane = self.0.iter().min_by_key(|lane| lane.clients.load(Ordering::Relaxed));
        let Lane { runtime, arrivals, clients, .. } = lane.expect("one is started, or none of this is");
        clients.fetch_add(1, Ordering::Relaxed);
        Place { runtime: runtime.clone(), arrivals: arrivals.clone(), clients: clients.clone() }
    }
}

impl Lane {
    fn start() -> io::Result<Lane> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let arrivals = Arc::new(Arrivals::default());
        let (end, ended) = oneshot::channel();
        let lane = Lane {
            runtime: runtime.handle().clone(),
            arrivals: arrivals.clone(),
            clients: Arc::default(),
            _end: end,
        };
        std::thread::Builder::new().name("gateway".to_owned()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = ended => {}
                    () = arrivals.look_for_more() => {}
                }
            });
        })?;
        Ok(lane)
    }
}

impl Place {
    /// Where the client's future is to run.
    pub fn runtime(&self) -> &Handle {
        &self.runtime
    }
    pub fn arrivals(&self) -> &Arc<Arrivals> {
        &self.arrivals
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.clients.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A connection whose lane is told of what it brings.
pub struct Line {
    stream: TcpStream,
    arrivals: Arc<Arrivals>,
}

impl Line {
    pub fn new(stream: TcpStream, arrivals: Arc<Arrivals>) -> Line {
        Line { stream, arrivals }
    }
}

impl AsyncRead for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        self.arrivals.tell();
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Line {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, data)
    }
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, parts)
    }
    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
