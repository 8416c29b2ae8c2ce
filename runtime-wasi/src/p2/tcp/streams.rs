//! What comes from a connection, and what goes to it, as `input-stream` and `output-stream`. A guest that closes its socket, or its
//! output, has sent what it wrote: a write that the kernel has no room for goes on by itself.

use super::socket::has_something;
use crate::p2::net::Sockets;
use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;
use std::io;
use std::net::Shutdown;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use wasmtime_wasi_io::async_trait;
use wasmtime_wasi_io::poll::Pollable;
use wasmtime_wasi_io::streams::{InputStream, OutputStream, StreamError, StreamResult};

/// Bytes read or written at once.
const PIECE: usize = 64 << 10;
/// How long a peer may take with what was written before a guest closed its way out.
const LINGER: Duration = Duration::from_secs(60);

fn failed(error: io::Error) -> StreamError {
    match error.kind() {
        // The reader is gone, and with it the stream.
        io::ErrorKind::BrokenPipe => StreamError::Closed,
        _ => StreamError::LastOperationFailed(wasmtime::Error::new(error)),
    }
}

fn shut(stream: &TcpStream, how: Shutdown) {
    // A peer that has broken off knows.
    let _ = match how {
        Shutdown::Read => rustix::net::shutdown(stream, rustix::net::Shutdown::Read),
        _ => rustix::net::shutdown(stream, rustix::net::Shutdown::Write),
    };
}

/// The way in, which the socket and its stream both hold.
#[derive(Clone)]
pub(super) struct Incoming(Arc<Mutex<Option<Arc<TcpStream>>>>);

impl Incoming {
    pub fn new(stream: &Arc<TcpStream>) -> Incoming {
        Incoming(Arc::new(Mutex::new(Some(stream.clone()))))
    }
    pub fn close(&self) {
        if let Some(stream) = self.0.lock().take() {
            shut(&stream, Shutdown::Read);
        }
    }
}

pub(super) struct TcpInput(Incoming);

impl TcpInput {
    pub fn of(incoming: &Incoming) -> TcpInput {
        TcpInput(incoming.clone())
    }
}

impl Drop for TcpInput {
    fn drop(&mut self) {
        self.0.close();
    }
}

#[async_trait]
impl Pollable for TcpInput {
    async fn ready(&mut self) {
        let stream = self.0.0.lock().clone();
        if let Some(stream) = stream {
            // The read that follows tells what is wrong.
            while stream.readable().await.is_ok() && !has_something(&stream) {
                // Tokio takes it for ready until a read has found nothing.
                let nothing = || Err::<(), _>(io::ErrorKind::WouldBlock.into());
                let _not_ready = stream.try_io(Interest::READABLE, nothing);
            }
        }
    }
}

#[async_trait]
impl InputStream for TcpInput {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        let Some(stream) = self.0.0.lock().clone() else { return Err(StreamError::Closed) };
        if size == 0 {
            return Ok(Bytes::new());
        }
        let mut data = BytesMut::zeroed(size.min(PIECE));
        match stream.try_read(&mut data) {
            Ok(0) => {
                self.0.close();
                Err(StreamError::Closed)
            }
            Ok(count) => {
                data.truncate(count);
                Ok(data.freeze())
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Bytes::new()),
            Err(error) => {
                self.0.close();
                Err(failed(error))
            }
        }
    }
}

/// How the way out is.
enum Out {
    Open(Arc<TcpStream>),
    /// What was written is still being sent; told of its end.
    Sending(watch::Receiver<Sending>, Arc<TcpStream>, AbortHandle),
    Closed(Option<io::Error>),
}

#[derive(Clone)]
enum Sending {
    Goes,
    Done,
    Failed(io::ErrorKind, Option<i32>),
}

/// The way out, which the socket and its stream both hold.
#[derive(Clone)]
pub(super) struct Outgoing(Arc<Mutex<Out>>, Arc<Sockets>);

impl Outgoing {
    pub fn new(stream: &Arc<TcpStream>, sockets: &Arc<Sockets>) -> Outgoing {
        Outgoing(Arc::new(Mutex::new(Out::Open(stream.clone()))), sockets.clone())
    }

    /// Says to the peer that no more is sent, once what was written is.
    pub fn close(&self) {
        match std::mem::replace(&mut *self.0.lock(), Out::Closed(None)) {
            Out::Open(stream) => shut(&stream, Shutdown::Write),
            Out::Sending(mut sending, stream, sender) => {
                let lingering = self.1.linger();
                let last = async move {
                    let _lingering = lingering;
                    let ended = sending.wait_for(|sending| !matches!(sending, Sending::Goes));
                    // An end without a word is one too.
                    let _ = tokio::time::timeout(LINGER, ended).await;
                    sender.abort();
                    shut(&stream, Shutdown::Write);
                };
                // Without a runtime the server is at its end.
                if let Ok(handle) = Handle::try_current() {
                    handle.spawn(last);
                }
            }
            Out::Closed(_) => {}
        }
    }
}

impl Out {
    /// Looks at what became of a write.
    fn look(&mut self) {
        let Out::Sending(sending, stream, _) = self else { return };
        let now = sending.borrow().clone();
        *self = match now {
            Sending::Goes => return,
            Sending::Done => Out::Open(stream.clone()),
            Sending::Failed(kind, code) => {
                Out::Closed(Some(code.map_or_else(|| kind.into(), io::Error::from_raw_os_error)))
            }
        };
    }

    fn told(&mut self) -> StreamResult<()> {
        self.look();
        match self {
            Out::Closed(error) => Err(error.take().map_or(StreamError::Closed, failed)),
            _ => Ok(()),
        }
    }
}

async fn send(stream: &TcpStream, mut data: Bytes) -> io::Result<()> {
    while !data.is_empty() {
        stream.writable().await?;
        match stream.try_write(&data) {
            Ok(count) => drop(data.split_to(count)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

pub(super) struct TcpOutput(Outgoing);

impl TcpOutput {
    pub fn of(outgoing: &Outgoing) -> TcpOutput {
        TcpOutput(outgoing.clone())
    }
}

impl Drop for TcpOutput {
    fn drop(&mut self) {
        self.0.close();
    }
}

#[async_trait]
impl Pollable for TcpOutput {
    async fn ready(&mut self) {
        let (sending, stream) = match &*self.0.0.lock() {
            Out::Open(stream) => (None, stream.clone()),
            Out::Sending(sending, stream, _) => (Some(sending.clone()), stream.clone()),
            Out::Closed(_) => return,
        };
        if let Some(mut sending) = sending {
            let _ = sending.wait_for(|sending| !matches!(sending, Sending::Goes)).await;
        }
        // The write that follows tells what is wrong.
        let _ = stream.writable().await;
    }
}

#[async_trait]
impl OutputStream for TcpOutput {
    fn check_write(&mut self) -> StreamResult<usize> {
        let mut out = self.0.0.lock();
        out.told()?;
        Ok(if matches!(*out, Out::Open(_)) { PIECE } else { 0 })
    }

    fn write(&mut self, mut data: Bytes) -> StreamResult<()> {
        let mut out = self.0.0.lock();
        out.told()?;
        let Out::Open(stream) = &*out else {
            return Err(StreamError::trap("written without the permit of check-write"));
        };
        if data.len() > PIECE {
            return Err(StreamError::trap("written beyond the permit of check-write"));
        }
        while !data.is_empty() {
            match stream.try_write(&data) {
                Ok(count) => drop(data.split_to(count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let (tell, sending) = watch::channel(Sending::Goes);
                    let (stream, sent) = (stream.clone(), stream.clone());
                    let sender = tokio::spawn(async move {
                        let sent = send(&sent, data).await;
                        tell.send_replace(match sent {
                            Ok(()) => Sending::Done,
                            Err(error) => Sending::Failed(error.kind(), error.raw_os_error()),
                        });
                    });
                    *out = Out::Sending(sending, stream, sender.abort_handle());
                    return Ok(());
                }
                Err(error) => {
                    *out = Out::Closed(None);
                    return Err(failed(error));
                }
            }
        }
        Ok(())
    }

    /// What was written is on its way.
    fn flush(&mut self) -> StreamResult<()> {
        self.0.0.lock().told()
    }
}
