//! What a connection has read: frames, found in a buffer that is used again and again, unless a request that waits
//! still borrows from it; then it gets another. A large write into a file that keeps buffers gets buffers of its own
//! (`large.rs`).

use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};

use super::files::FileServer;
use super::large::{HEADER, LargeWrite};
use super::session::Session;
use crate::wire::{DecodeError, frame_size};

/// The size of a buffer for small frames.
const USUAL: usize = 64 << 10;
/// How many buffers that requests have given back are kept for reuse.
const SPARE: usize = 4;

/// A buffer. Behind an `Arc`, so that requests can hold on to the frame they were made from.
pub(super) struct Input(Box<[u8]>);

impl Input {
    fn new(len: usize) -> Arc<Self> {
        Arc::new(Self(vec![0; len].into_boxed_slice()))
    }

    /// A buffer that holds just these bytes.
    pub(super) fn copy_of(bytes: &[u8]) -> Arc<Self> {
        Arc::new(Self(bytes.into()))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// A frame: a buffer, and which part of it.
pub(super) type Frame = (Arc<Input>, Range<usize>);

/// The read side of a connection.
pub(super) struct Inbox {
    buffer: Arc<Input>,
    /// What is read and not yet taken.
    unread: Range<usize>,
    /// Whole frames that were taken.
    frames: u64,
    lent: Vec<Arc<Input>>,
    /// A large write that has begun.
    large: Option<LargeWrite>,
    /// The last frame was a large write, so the next may be one: its header is read apart from its data.
    expects_large: bool,
}

impl Inbox {
    pub(super) fn new() -> Self {
        Self {
            buffer: Input::new(USUAL),
            unread: 0..0,
            frames: 0,
            lent: Vec::new(),
            large: None,
            expects_large: false,
        }
    }

    /// How many whole frames there have been.
    pub(super) fn frames(&self) -> u64 {
        self.frames
    }

    /// Whether a frame has begun whose end is not there.
    pub(super) fn has_begun(&self) -> bool {
        !self.unread.is_empty() || self.large.is_some()
    }

    /// The large write that has come as a whole, if one has. It comes before the next frame.
    pub(super) fn next_large(&mut self) -> Option<LargeWrite> {
        let write = self.large.take_if(|write| write.is_whole())?;
        self.frames += 1;
        self.expects_large = true;
        Some(write)
    }

    /// Whether what is unread is the start of a large write into a file that keeps buffers; then it is taken for one.
    fn begin_large<F: FileServer>(&mut self, session: &Session<F>) {
        let unread = &self.buffer.0[self.unread.clone()];
        let Ok(Some(size)) = frame_size(unread, session.msize()) else { return };
        let Some(mut write) = LargeWrite::begin(unread, size, |fid| session.keeps_buffers(fid)) else {
            return;
        };
        let taken = write.take(&unread[HEADER..], || session.files.buffer());
        self.unread.start += HEADER + taken;
        self.large = Some(write);
    }

    /// The next whole frame, if there is one.
    pub(super) fn next_frame(&mut self, msize: u32) -> Result<Option<Frame>, DecodeError> {
        let unread = &self.buffer.0[self.unread.clone()];
        match frame_size(unread, msize)? {
            Some(size) if size <= unread.len() => {
                let frame = self.unread.start..self.unread.start + size;
                self.unread.start = frame.end;
                self.frames += 1;
                self.expects_large = false;
                Ok(Some((self.buffer.clone(), frame)))
            }
            _ => Ok(None),
        }
    }

    /// Reads more; 0 is the end. Call it when [`Inbox::next_frame`] has no more.
    pub(super) fn poll_read<F: FileServer, S: AsyncRead>(
        &mut self,
        cx: &mut Context<'_>,
        stream: Pin<&mut S>,
        session: &Session<F>,
    ) -> Poll<std::io::Result<usize>> {
        if self.large.is_none() {
            self.begin_large(session);
        }
        if let Some(write) = &mut self.large {
            return write.poll_read(cx, stream, || session.files.buffer());
        }
        let unread = &self.buffer.0[self.unread.clone()];
        let wanted = frame_size(unread, session.msize()).ok().flatten().unwrap_or(0);
        self.make_room(wanted);
        let buffer = Arc::get_mut(&mut self.buffer).expect("make_room leaves a buffer that nobody else has");
        let mut space = &mut buffer.0[self.unread.end..];
        if self.expects_large && self.unread.len() < HEADER {
            space = &mut space[..HEADER - self.unread.len()];
        }
        let mut space = ReadBuf::new(space);
        ready!(stream.poll_read(cx, &mut space))?;
        let read = space.filled().len();
        self.unread.end += read;
        Poll::Ready(Ok(read))
    }

    /// Sees to it that the buffer is ours alone, has a free byte, and room for a frame of `wanted` bytes.
    fn make_room(&mut self, wanted: usize) {
        let len = self.unread.len();
        let need = wanted.max(len + 1);
        let capacity = self.buffer.0.len();
        let large_enough = need <= capacity;
        if let Some(buffer) = Arc::get_mut(&mut self.buffer)
            && large_enough
        {
            if self.unread.is_empty() {
                self.unread = 0..0;
            } else if self.unread.start + need > capacity {
                buffer.0.copy_within(self.unread.clone(), 0);
                self.unread = 0..len;
            }
            return;
        }
        let mut fresh = self.free_buffer(need).unwrap_or_else(|| Input::new(need.max(USUAL)));
        let target = Arc::get_mut(&mut fresh).expect("a free buffer is nobody else's");
        target.0[..len].copy_from_slice(&self.buffer.0[self.unread.clone()]);
        self.unread = 0..len;
        let old = std::mem::replace(&mut self.buffer, fresh);
        if self.lent.len() < SPARE && Arc::strong_count(&old) > 1 {
            self.lent.push(old);
        }
    }

    /// A buffer that requests borrowed and have given back.
    fn free_buffer(&mut self, need: usize) -> Option<Arc<Input>> {
        let free = self
            .lent
            .iter_mut()
            .position(|buffer| buffer.0.len() >= need && Arc::get_mut(buffer).is_some())?;
        Some(self.lent.swap_remove(free))
    }
}
