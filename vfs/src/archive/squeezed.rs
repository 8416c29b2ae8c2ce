//! What an archive was compressed with, and how much it grows.

use super::Bounds;
use crate::{Errno, Error, Result};
use async_compression::tokio::bufread::{GzipDecoder, ZstdDecoder};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader, ReadBuf};

/// What may come of next to nothing: small archives of zeroes are no bombs.
const HARMLESS: u64 = 64 << 20;

/// Counts what goes through.
struct Counted<R> {
    inner: R,
    count: Arc<AtomicU64>,
}

impl<R: AsyncRead + Unpin> AsyncRead for Counted<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(cx, buf))?;
        self.count.fetch_add((buf.filled().len() - before) as u64, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }
}

/// The archive as it was before it was compressed. Reading fails where that is more than it may be.
pub(super) struct Plain<'a> {
    inner: Pin<Box<dyn AsyncRead + Send + 'a>>,
    squeezed: Arc<AtomicU64>,
    out: u64,
    ratio: Option<u64>,
}

impl<'a> Plain<'a> {
    /// Finds out how `from` is compressed, by its first bytes.
    pub(super) async fn of(from: impl AsyncRead + Unpin + Send + 'a, bounds: &Bounds) -> Result<Plain<'a>> {
        let squeezed = Arc::new(AtomicU64::new(0));
        let mut from = BufReader::with_capacity(64 << 10, Counted { inner: from, count: squeezed.clone() });
        let start = from.fill_buf().await?;
        let (inner, compressed): (Pin<Box<dyn AsyncRead + Send>>, _) = match start {
            // The magic of gzip may come in two pieces, but then the second byte says no more than the first: tar's first byte is
            // of a name, and no name begins with either.
            [0x1f, ..] => {
                let mut decoder = GzipDecoder::new(from);
                decoder.multiple_members(true);
                (Box::pin(decoder), true)
            }
            [0x28, 0xb5, ..] => {
                let mut decoder = ZstdDecoder::new(from);
                decoder.multiple_members(true);
                (Box::pin(decoder), true)
            }
            _ => (Box::pin(from), false),
        };
        Ok(Plain { inner, squeezed, out: 0, ratio: compressed.then_some(bounds.ratio) })
    }

    /// Reads up to the length of `buf`; less only at the end.
    pub(super) async fn fill(&mut self, buf: &mut [u8]) -> Result<usize> {
        let mut done = 0;
        while done < buf.len() {
            let read = std::future::poll_fn(|cx| {
                let mut rest = ReadBuf::new(&mut buf[done..]);
                ready!(self.inner.as_mut().poll_read(cx, &mut rest))?;
                Poll::Ready(std::io::Result::Ok(rest.filled().len()))
            });
            let read = read.await.map_err(|error| match error.raw_os_error() {
                Some(_) => Error::from(error),
                None => Error::new(Errno::EIO, format!("the archive is damaged: {error}")),
            })?;
            if read == 0 {
                break;
            }
            done += read;
        }
        self.out += done as u64;
        let squeezed = self.squeezed.load(Ordering::Relaxed);
        match self.ratio {
            Some(ratio) if self.out > HARMLESS && self.out > squeezed.saturating_mul(ratio) => {
                let what = format!("a bomb: it is more than {ratio} times as large as it came");
                Err(Error::new(Errno::EFBIG, what))
            }
            _ => Ok(done),
        }
    }
}
