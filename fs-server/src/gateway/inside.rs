//! Connections into containers, and what goes over them: counted, as bytes to and from outside.

use super::lanes::Line;
use hyper_util::rt::TokioIo;
use nine::patience::Arrivals;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use task::Group;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How long a listener may take that has no room for one more.
const PATIENCE: Duration = Duration::from_secs(10);

/// A connection to a port of a group's loopback.
pub struct Inside {
    stream: Line,
    group: Arc<Group>,
}

/// What is wrong with a port.
pub enum Closed {
    /// Nobody listens there.
    Nobody,
    /// Somebody does, and takes no connection.
    Full,
    Failed(io::Error),
}

impl Inside {
    /// Tells `arrivals` of what it brings.
    pub async fn connect(
        group: Arc<Group>,
        port: u16,
        arrivals: Arc<Arrivals>,
    ) -> Result<TokioIo<Inside>, Closed> {
        let Some(loopback) = group.has_loopback() else { return Err(Closed::Nobody) };
        match tokio::time::timeout(PATIENCE, loopback.connect(port)).await {
            Ok(Ok(stream)) => Ok(TokioIo::new(Inside { stream: Line::new(stream, arrivals), group })),
            Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => Err(Closed::Nobody),
            Ok(Err(error)) => Err(Closed::Failed(error)),
            Err(_) => Err(Closed::Full),
        }
    }

    /// Beyond the limit a connection breaks.
    fn count(&self, bytes: usize) -> io::Result<()> {
        if bytes == 0 {
            return Ok(());
        }
        let beyond = |error: vfs::Error| io::Error::other(error.to_string());
        self.group.charge_network(bytes as u64).map_err(beyond)
    }
}

impl AsyncRead for Inside {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        Poll::Ready(self.count(buf.filled().len() - before))
    }
}

impl AsyncWrite for Inside {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let count = ready!(Pin::new(&mut self.stream).poll_write(cx, data))?;
        Poll::Ready(self.count(count).map(|()| count))
    }
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let count = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, parts))?;
        Poll::Ready(self.count(count).map(|()| count))
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
