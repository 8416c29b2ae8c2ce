//! Large writes into files that keep the buffers they are given: the data is read from the connection into buffers that fit
//! the file, and never copied.
//!
//! That is decided when the header of a Twrite is there and its data is not, which is before the request has its turn. Where it
//! turns out otherwise when all of it is there (something the fid names is under way, or it names another file by now), the
//! buffers are put together to the frame that they were, and taken as any other.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::BufMut;
use tokio::io::{AsyncRead, AsyncReadExt};

use super::answer::Error;
use super::fid::State;
use super::files::FileServer;
use super::held::call;
use super::input::Input;
use super::ops::check_offset;
use super::session::{Done, Fault, Session};
use crate::wire::{Data, Fid, Rmessage, Tag, Tmessage};

/// A Twrite without its data: size, type, tag, fid, offset, count.
pub(super) const HEADER: usize = 4 + 1 + 2 + 4 + 8 + 4;

/// Writes from this size on are worth the bookkeeping.
const WORTH_KEEPING: usize = 128 << 10;

const TWRITE: u8 = 118;

/// A Twrite whose data goes into buffers of its own, as far as it has come.
pub(super) struct LargeWrite {
    header: [u8; HEADER],
    parts: Vec<Vec<u8>>,
    /// The longest part. All but the first and the last are as long, and end at a multiple of it in the file.
    part: usize,
    /// Bytes that have not come.
    left: usize,
}

impl LargeWrite {
    /// The start of a frame of `size` bytes, where it is the start of a large write that says its length right.
    pub(super) fn begin(start: &[u8], size: usize, keeps: impl FnOnce(Fid) -> Option<usize>) -> Option<Self> {
        let header = *start.first_chunk::<HEADER>()?;
        let len = size.checked_sub(HEADER)?;
        if header[4] != TWRITE || len < WORTH_KEEPING {
            return None;
        }
        let write = Self { header, parts: Vec::new(), part: 1, left: len };
        if write.count() as usize != len {
            return None;
        }
        let part = keeps(write.fid())?.max(1);
        Some(Self { part, ..write })
    }

    fn word<const N: usize>(&self, at: usize) -> [u8; N] {
        *self.header[at..].first_chunk().expect("a field of the header")
    }
    fn tag(&self) -> Tag {
        Tag(u16::from_le_bytes(self.word(5)))
    }
    fn fid(&self) -> Fid {
        Fid(u32::from_le_bytes(self.word(7)))
    }
    fn offset(&self) -> u64 {
        u64::from_le_bytes(self.word(11))
    }
    fn count(&self) -> u32 {
        u32::from_le_bytes(self.word(19))
    }

    pub(super) fn is_whole(&self) -> bool {
        self.left == 0
    }

    /// The part that data goes to next, and how much of it that takes. `buffer` makes a new one.
    fn space(&mut self, buffer: impl FnOnce() -> Vec<u8>) -> (&mut Vec<u8>, usize) {
        // Where the first part starts in its place in the file.
        let skipped = (self.offset() % self.part as u64) as usize;
        let longest = |parts: &[Vec<u8>]| if parts.len() == 1 { self.part - skipped } else { self.part };
        if self.parts.last().is_none_or(|last| last.len() == longest(&self.parts)) {
            self.parts.push(buffer());
        }
        let room = longest(&self.parts);
        let last = self.parts.last_mut().expect("just looked after");
        let room = (room - last.len()).min(self.left);
        (last, room)
    }

    /// Takes data that was read already; says how much of it.
    pub(super) fn take(&mut self, mut data: &[u8], buffer: impl Fn() -> Vec<u8>) -> usize {
        let before = data.len();
        while !data.is_empty() && self.left > 0 {
            let (part, room) = self.space(&buffer);
            let (now, later) = data.split_at(room.min(data.len()));
            part.extend_from_slice(now);
            self.left -= now.len();
            data = later;
        }
        before - data.len()
    }

    /// Reads more; 0 is the connection's end.
    pub(super) fn poll_read<S: AsyncRead>(
        &mut self,
        cx: &mut Context<'_>,
        mut stream: Pin<&mut S>,
        buffer: impl FnOnce() -> Vec<u8>,
    ) -> Poll<std::io::Result<usize>> {
        let (part, room) = self.space(buffer);
        let mut space = part.limit(room);
        let read = ready!(pin!(stream.read_buf(&mut space)).poll(cx))?;
        self.left -= read;
        Poll::Ready(Ok(read))
    }

    /// The frame that it was.
    fn whole_frame(&self) -> Arc<Input> {
        let parts = std::iter::once(&self.header[..]).chain(self.parts.iter().map(Vec::as_slice));
        Input::copy_of(&parts.collect::<Vec<_>>().concat())
    }
}

impl<F: FileServer> Session<F> {
    /// How long the buffers are that the file of `fid` keeps, if it keeps any.
    pub(super) fn keeps_buffers(&self, fid: Fid) -> Option<usize> {
        let entry = self.fids.get(fid).ok()?;
        match &entry.state {
            State::Open(open) if !open.is_dir && !open.is_stream && open.flags.writes() => {
                self.files.keeps_buffers(entry.file()?)
            }
            _ => None,
        }
    }

    /// Takes a large write that has come as a whole.
    pub(super) fn large_write(&mut self, cx: &mut Context<'_>, write: LargeWrite) -> Result<(), Fault> {
        let (tag, fid) = (write.tag(), write.fid());
        let as_usual = !self.is_quiet() || self.keeps_buffers(fid) != Some(write.part);
        if as_usual {
            let frame = write.whole_frame();
            let len = frame.bytes().len();
            return self.request(cx, &frame, 0..len);
        }
        let offset = write.offset();
        let message = Tmessage::Write { fid, offset, data: Data(&[]) };
        self.request_at_once(tag, TWRITE, &message, |session, request| {
            check_offset(offset)?;
            check_offset(offset.saturating_add(u64::from(write.count())))?;
            let (len, parts) = (write.count() as usize, write.parts);
            let nothing = Input::copy_of(&[]);
            let entry = session.fids.get(fid)?;
            let called = call(&session.files, entry, &nothing, &[], |files, entry, _| match entry.file() {
                Some(file) => files.write_buffers(file, offset, parts),
                None => Error::NOT_OPEN.into(),
            });
            session.answer(request, len, called, move |wrote| {
                Ok(Done::message(Rmessage::Write { count: wrote.min(len) as u32 }))
            });
            Ok(())
        });
        Ok(())
    }
}
