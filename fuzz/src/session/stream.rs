//! A served connection without threads or sockets: bytes are put in, the session is polled until it sleeps, frames are
//! taken out.

use super::server::Server;
use nine::server::{Config, ServeError, serve};
use parking_lot::Mutex;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

thread_local! {
    /// For its clock, which the end of a connection asks for.
    static RUNTIME: tokio::runtime::Runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
}

#[derive(Default)]
struct Pipe {
    sent: Vec<u8>,
    at: usize,
    /// As much is read at once.
    piece: usize,
    ended: bool,
    reader: Option<Waker>,
    replies: Vec<u8>,
}

#[derive(Clone, Default)]
struct Stream(Arc<Mutex<Pipe>>);

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut pipe = self.0.lock();
        let left = pipe.sent.len() - pipe.at;
        if left == 0 && !pipe.ended {
            pipe.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let end = pipe.at + left.min(pipe.piece).min(buf.remaining());
        buf.put_slice(&pipe.sent[pipe.at..end]);
        pipe.at = end;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.0.lock().replies.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

type Serving = Pin<Box<dyn Future<Output = Result<(), ServeError>>>>;

pub struct Served {
    stream: Stream,
    serving: Option<Serving>,
    woken: Arc<Flag>,
}

impl Served {
    pub fn new(server: Arc<Server>, config: Config) -> Served {
        let stream = Stream::default();
        let serving: Serving = Box::pin(serve(server, Arc::new(()), stream.clone(), config));
        Served { stream, serving: Some(serving), woken: Arc::new(Flag(AtomicBool::new(true))) }
    }

    pub fn send(&self, bytes: &[u8], piece: usize) {
        let mut pipe = self.stream.0.lock();
        pipe.sent.extend_from_slice(bytes);
        pipe.piece = piece;
        if let Some(reader) = pipe.reader.take() {
            reader.wake();
        }
    }

    /// Until there is nothing left to do.
    pub fn run(&mut self) {
        let waker = Waker::from(self.woken.clone());
        let mut rounds = 0;
        while self.woken.0.swap(false, Ordering::SeqCst) {
            rounds += 1;
            assert!(rounds < 10_000, "the session wakes itself for ever");
            let Some(serving) = &mut self.serving else { return };
            let ended = RUNTIME.with(|runtime| {
                let _clock = runtime.enter();
                serving.as_mut().poll(&mut Context::from_waker(&waker))
            });
            if ended.is_ready() {
                self.serving = None;
            }
        }
    }

    pub fn has_ended(&self) -> bool {
        self.serving.is_none()
    }

    pub fn take_frames(&self) -> Vec<Vec<u8>> {
        let bytes = std::mem::take(&mut self.stream.0.lock().replies);
        let mut frames = Vec::new();
        let mut rest = &bytes[..];
        while let Some(size) = rest.first_chunk::<4>() {
            let (frame, behind) = rest.split_at(u32::from_le_bytes(*size) as usize);
            frames.push(frame.to_vec());
            rest = behind;
        }
        assert!(rest.is_empty(), "replies are whole frames");
        frames
    }

    /// The client has gone: the session ends.
    pub fn hang_up(mut self) {
        {
            let mut pipe = self.stream.0.lock();
            pipe.ended = true;
            if let Some(reader) = pipe.reader.take() {
                reader.wake();
            }
        }
        self.run();
        assert!(self.has_ended(), "the session ends with its connection");
    }
}
