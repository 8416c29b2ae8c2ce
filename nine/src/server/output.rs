//! Replies on their way out, collected so that what is answered together is written together.
//!
//! Replies are appended to segments. A read lends its file the free end of the last segment, so data goes from the
//! file straight into the frame; if the file has to wait, the segment stays with it until then. Segments are used
//! again, and their bytes are initialised once.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::AsyncWrite;

use super::held::Lent;
use crate::wire::Sink;

/// The usual size of a segment.
const USUAL: usize = 64 << 10;
/// How many written segments are kept.
const SPARE: usize = 2;
/// How many segments one system call is given.
const VECTORS: usize = 16;

/// A buffer, and which part of it is to be written.
pub(super) struct Segment {
    pub(super) bytes: Lent<[u8]>,
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Segment {
    fn room(&self) -> usize {
        self.bytes.len() - self.end
    }

    fn pending(&self) -> usize {
        self.end - self.start
    }
}

/// The write side of a connection.
#[derive(Default)]
pub(super) struct Output {
    /// The last takes more replies while it has room.
    queue: VecDeque<Segment>,
    spare: Vec<Lent<[u8]>>,
    /// Written, but not flushed through the stream's own buffers.
    unflushed: bool,
}

impl Output {
    /// How many bytes wait to be written.
    pub(super) fn queued(&self) -> usize {
        self.queue.iter().map(Segment::pending).sum()
    }

    /// The last segment, taken out, with at least `need` bytes free; [`Output::put_back`] returns it.
    pub(super) fn take_room(&mut self, need: usize) -> Segment {
        match self.queue.pop_back() {
            Some(last) if last.room() >= need => return last,
            Some(last) if last.pending() == 0 => self.recycle(last.bytes),
            Some(last) => self.queue.push_back(last),
            None => {}
        }
        let bytes = match self.spare.iter().position(|bytes| bytes.len() >= need) {
            Some(at) => self.spare.swap_remove(at),
            None => Lent::new(vec![0; need.max(USUAL)].into_boxed_slice()),
        };
        Segment { bytes, start: 0, end: 0 }
    }

    /// Queues a segment at the end.
    pub(super) fn put_back(&mut self, segment: Segment) {
        self.queue.push_back(segment);
    }

    /// Keeps a buffer for later.
    pub(super) fn recycle(&mut self, bytes: Lent<[u8]>) {
        if self.spare.len() < SPARE {
            self.spare.push(bytes);
        } else if let Some(smallest) = self.spare.iter_mut().min_by_key(|spare| spare.len())
            && smallest.len() < bytes.len()
        {
            *smallest = bytes;
        }
    }

    /// Makes sure that the last segment has room for a usual reply, so that its frame stays in one piece.
    pub(super) fn prepare(&mut self) {
        const REPLY: usize = 512;
        let segment = self.take_room(REPLY);
        self.put_back(segment);
    }

    /// Writes until all is written and flushed, or the stream takes no more.
    pub(super) fn poll_write<S: AsyncWrite>(
        &mut self,
        cx: &mut Context<'_>,
        mut stream: Pin<&mut S>,
    ) -> Poll<io::Result<()>> {
        loop {
            while self.queue.front().is_some_and(|first| first.pending() == 0) {
                let mut first = self.queue.pop_front().expect("there is a first");
                if self.queue.is_empty() {
                    // The only one stays in place, to be filled again.
                    first.start = 0;
                    first.end = 0;
                    self.queue.push_back(first);
                    break;
                }
                self.recycle(first.bytes);
            }
            let Some(first) = self.queue.front().filter(|first| first.pending() > 0) else { break };
            let wrote = if self.queue.len() > 1 && stream.is_write_vectored() {
                let mut slices = [io::IoSlice::new(&[]); VECTORS];
                let mut used = 0;
                for (slice, segment) in slices.iter_mut().zip(&self.queue) {
                    *slice = io::IoSlice::new(&segment.bytes[segment.start..segment.end]);
                    used += 1;
                }
                ready!(stream.as_mut().poll_write_vectored(cx, &slices[..used]))?
            } else {
                ready!(stream.as_mut().poll_write(cx, &first.bytes[first.start..first.end]))?
            };
            if wrote == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.unflushed = true;
            self.advance(wrote);
        }
        if self.unflushed {
            ready!(stream.poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    fn advance(&mut self, mut wrote: usize) {
        for segment in &mut self.queue {
            let here = wrote.min(segment.pending());
            segment.start += here;
            wrote -= here;
            if wrote == 0 {
                break;
            }
        }
    }
}

/// Replies are encoded into the last segment. One that does not fit moves, with what is before it, to a larger one.
impl Sink for Output {
    fn put(&mut self, bytes: &[u8]) {
        let fits = self.queue.back().is_some_and(|last| last.room() >= bytes.len());
        if !fits {
            let (waiting, start) = match self.queue.pop_back() {
                Some(last) => (last.end, Some(last)),
                None => (0, None),
            };
            let mut larger = Lent::new(vec![0; (waiting + bytes.len()).max(USUAL) * 2].into_boxed_slice());
            let mut at = 0;
            if let Some(last) = start {
                larger[..last.end].copy_from_slice(&last.bytes[..last.end]);
                at = last.start;
                self.recycle(last.bytes);
            }
            self.queue.push_back(Segment { bytes: larger, start: at, end: waiting });
        }
        let last = self.queue.back_mut().expect("a segment was just made");
        last.bytes[last.end..last.end + bytes.len()].copy_from_slice(bytes);
        last.end += bytes.len();
    }

    fn position(&self) -> usize {
        self.queue.back().map_or(0, |last| last.end)
    }

    fn patch(&mut self, at: usize, bytes: &[u8]) {
        if let Some(last) = self.queue.back_mut() {
            last.bytes[at..at + bytes.len()].copy_from_slice(bytes);
        }
    }

    fn rewind(&mut self, at: usize) {
        if let Some(last) = self.queue.back_mut() {
            last.end = at;
        }
    }
}
