//! Moving a connection's bytes: requests out as they come, replies in and to whom they belong.
//!
//! A task does it; but a request that is alone is written by whoever makes it, which saves waking the task.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};

use bytes::BytesMut;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};

use super::Handle;
use super::error::ClientError;
use super::link::Link;
use crate::wire::frame_size;

/// How much is read at once.
const READ: usize = 64 << 10;

pub(super) struct Mover<S> {
    stream: Pin<Box<S>>,
    link: Arc<Link>,
    /// Gone when nobody has a handle any more.
    handle: Weak<Handle>,
    input: BytesMut,
    output: Vec<u8>,
    written: usize,
    unflushed: bool,
    /// The task's: what it waits for may also be found out by somebody else's write.
    waker: Option<Waker>,
}

/// Writes what is queued on the spot.
pub(super) trait WriteNow: Send + Sync {
    /// `false` says that the task is at it, or has to go on with it.
    fn write_now(&self) -> bool;
}

impl<S: AsyncRead + AsyncWrite + Send> WriteNow for Mutex<Mover<S>> {
    fn write_now(&self) -> bool {
        let Some(mut mover) = self.try_lock() else { return false };
        let Some(waker) = mover.waker.clone() else { return false };
        // An error is met again by the task, which tells everybody.
        matches!(mover.poll_write(&mut Context::from_waker(&waker)), Poll::Ready(Ok(())))
    }
}

/// Moves bytes until the connection ends or nobody uses it any more.
pub(super) async fn run<S: AsyncRead + AsyncWrite>(mover: Arc<Mutex<Mover<S>>>) {
    let why = poll_fn(|cx| mover.lock().poll(cx)).await;
    mover.lock().link.end(&why);
    let _gone = poll_fn(|cx| mover.lock().stream.as_mut().poll_shutdown(cx)).await;
}

impl<S: AsyncRead + AsyncWrite> Mover<S> {
    pub(super) fn new(stream: Pin<Box<S>>, link: Arc<Link>, handle: Weak<Handle>) -> Self {
        Self {
            stream,
            link,
            handle,
            input: BytesMut::new(),
            output: Vec::new(),
            written: 0,
            unflushed: false,
            waker: None,
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ClientError> {
        self.link.mover.register(cx.waker());
        if self.waker.as_ref().is_none_or(|waker| !waker.will_wake(cx.waker())) {
            self.waker = Some(cx.waker().clone());
        }
        // Before looking for what to write: the last handle queues its clunks, then goes.
        let unused = self.handle.strong_count() == 0;
        loop {
            let wrote = match self.poll_write(cx) {
                Poll::Ready(Ok(())) => true,
                Poll::Ready(Err(error)) => return Poll::Ready(error.into()),
                Poll::Pending => false,
            };
            if unused && wrote {
                return Poll::Ready(ClientError::Closed);
            }
            match self.poll_read(cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(error),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        loop {
            if self.written == self.output.len() {
                self.output.clear();
                self.written = 0;
                self.link.take_out(&mut self.output);
                if self.output.is_empty() {
                    break;
                }
            }
            let left = &self.output[self.written..];
            match self.stream.as_mut().poll_write(cx, left) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(std::io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(wrote)) => self.written += wrote,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
            self.unflushed = true;
        }
        if self.unflushed {
            std::task::ready!(self.stream.as_mut().poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    /// One read, and the replies that it completes.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ClientError>> {
        let missing = match frame_size(&self.input, self.link.msize)? {
            Some(size) => size.saturating_sub(self.input.len()),
            None => 0,
        };
        self.input.reserve(missing.max(READ));
        let read = std::task::ready!(pin!(self.stream.read_buf(&mut self.input)).poll(cx))?;
        if read == 0 {
            return Poll::Ready(Err(ClientError::Closed));
        }
        self.link.has_come();
        while let Some(size) = frame_size(&self.input, self.link.msize)? {
            if self.input.len() < size {
                break;
            }
            self.link.answered(self.input.split_to(size).freeze())?;
        }
        Poll::Ready(Ok(()))
    }
}
