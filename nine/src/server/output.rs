//! Replies on their way out, collected so that what is answered together is written together.
//!
//! Replies are appended to segments. A read lends its file the free end of the last segment, so data goes from the
//! file straight into the frame; if the file has to wait, the segment stays with it until then. Segments are used
//! again, and their bytes are initialised once. A file that shares its data instead has it queued as it is.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::AsyncWrite;

use super::held::Lent;
use crate::wire::Sink;

/// The usual size of a segment.
const USUAL: usize = 64 << 10;
/// How many written segments are kept.
const SPARE: usize = 2;
/// How many segments one system call is given.
const VECTORS: usize = 32;

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

/// What is to be written.
enum Piece {
    Own(Segment),
    Shared(Bytes),
}

impl Piece {
    fn pending(&self) -> &[u8] {
        match self {
            Piece::Own(segment) => &segment.bytes[segment.start..segment.end],
            Piece::Shared(bytes) => bytes,
        }
    }

    fn advance(&mut self, wrote: usize) {
        match self {
            Piece::Own(segment) => segment.start += wrote,
            Piece::Shared(bytes) => bytes.advance(wrote),
        }
    }
}

/// The write side of a connection.
#[derive(Default)]
pub(super) struct Output {
    /// The last takes more replies while it has room, if it is our own.
    queue: VecDeque<Piece>,
    spare: Vec<Lent<[u8]>>,
    /// Written, but not flushed through the stream's own buffers.
    unflushed: bool,
    /// How many bytes the stream has taken so far.
    written: u64,
}

impl Output {
    /// How many bytes wait to be written.
    pub(super) fn queued(&self) -> usize {
        self.queue.iter().map(|piece| piece.pending().len()).sum()
    }

    /// How many bytes the stream has taken.
    pub(super) fn written(&self) -> u64 {
        self.written
    }

    /// The last segment, taken out, with at least `need` bytes free; [`Output::put_back`] returns it.
    pub(super) fn take_room(&mut self, need: usize) -> Segment {
        match self.queue.pop_back() {
            Some(Piece::Own(last)) if last.room() >= need => return last,
            Some(Piece::Own(last)) if last.pending() == 0 => self.recycle(last.bytes),
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
        self.queue.push_back(Piece::Own(segment));
    }

    /// Queues bytes as they are.
    pub(super) fn share(&mut self, bytes: Bytes) {
        self.queue.push_back(Piece::Shared(bytes));
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
            while self.queue.front().is_some_and(|first| first.pending().is_empty()) {
                let Some(Piece::Own(mut first)) = self.queue.pop_front() else { continue };
                if self.queue.is_empty() {
                    // The only one stays in place, to be filled again.
                    first.start = 0;
                    first.end = 0;
                    self.queue.push_back(Piece::Own(first));
                    break;
                }
                self.recycle(first.bytes);
            }
            let Some(first) = self.queue.front() else { break };
            if first.pending().is_empty() {
                break;
            }
            let wrote = if self.queue.len() > 1 && stream.is_write_vectored() {
                let mut slices = [io::IoSlice::new(&[]); VECTORS];
                let mut used = 0;
                for (slice, piece) in slices.iter_mut().zip(&self.queue) {
                    *slice = io::IoSlice::new(piece.pending());
                    used += 1;
                }
                ready!(stream.as_mut().poll_write_vectored(cx, &slices[..used]))?
            } else {
                ready!(stream.as_mut().poll_write(cx, first.pending()))?
            };
            if wrote == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.unflushed = true;
            self.written += wrote as u64;
            self.advance(wrote);
        }
        if self.unflushed {
            ready!(stream.poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    fn advance(&mut self, mut wrote: usize) {
        for piece in &mut self.queue {
            let here = wrote.min(piece.pending().len());
            piece.advance(here);
            wrote -= here;
            if wrote == 0 {
                break;
            }
        }
    }
}

impl Output {
    /// The last piece, where replies may be encoded into it.
    fn last(&mut self) -> Option<&mut Segment> {
        match self.queue.back_mut() {
            Some(Piece::Own(segment)) => Some(segment),
            Some(Piece::Shared(_)) | None => None,
        }
    }

    /// The last segment with at least `need` bytes free: one that does not fit moves, with what is before it, to a larger
    /// one, so that a frame stays in one piece.
    fn enlarged(&mut self, need: usize) -> &mut Segment {
        if self.last().is_none_or(|last| last.room() < need) {
            let old = match self.queue.pop_back() {
                Some(Piece::Own(last)) => Some(last),
                shared => {
                    self.queue.extend(shared);
                    None
                }
            };
            let waiting = old.as_ref().map_or(0, |last| last.end);
            let mut bytes = Lent::new(vec![0; (waiting + need).max(USUAL) * 2].into_boxed_slice());
            let mut start = 0;
            if let Some(last) = old {
                bytes[..last.end].copy_from_slice(&last.bytes[..last.end]);
                start = last.start;
                self.recycle(last.bytes);
            }
            self.put_back(Segment { bytes, start, end: waiting });
        }
        self.last().expect("a segment of ours was just put there")
    }
}

impl Sink for Output {
    fn put(&mut self, bytes: &[u8]) {
        let last = self.enlarged(bytes.len());
        last.bytes[last.end..last.end + bytes.len()].copy_from_slice(bytes);
        last.end += bytes.len();
    }

    fn position(&self) -> usize {
        match self.queue.back() {
            Some(Piece::Own(last)) => last.end,
            Some(Piece::Shared(_)) | None => 0,
        }
    }

    fn patch(&mut self, at: usize, bytes: &[u8]) {
        if let Some(last) = self.last() {
            last.bytes[at..at + bytes.len()].copy_from_slice(bytes);
        }
    }

    fn rewind(&mut self, at: usize) {
        if let Some(last) = self.last() {
            last.end = at;
        }
    }
}
