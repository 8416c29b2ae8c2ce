//! Named pipes (fifo(7), pipe(7)).
//!
//! An open waits for the other side, a read for bytes or the last writer's close, a write for room. A write of up to
//! PIPE_BUF bytes goes in whole; a longer one takes what there is room for, so that one that is cancelled has done nothing.

use crate::*;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;
use tokio::sync::Notify;

/// What a pipe holds, and what goes in whole (pipe(7)).
const CAPACITY: usize = 64 << 10;
const PIPE_BUF: usize = 4096;

#[derive(Default)]
pub(crate) struct Fifo {
    pipe: Mutex<Pipe>,
    /// Whatever somebody may wait for has changed.
    changed: Notify,
}

#[derive(Default)]
struct Pipe {
    bytes: VecDeque<u8>,
    readers: u32,
    writers: u32,
    /// Opens so far: who waits for a writer has seen one though it is gone again.
    reader_opens: u64,
    writer_opens: u64,
}

impl Fifo {
    /// Tries again whenever something has changed.
    async fn until<T>(&self, mut ready: impl FnMut(&mut Pipe) -> Option<T>) -> T {
        loop {
            let mut changed = pin!(self.changed.notified());
            // From here on no change is missed.
            changed.as_mut().enable();
            if let Some(value) = ready(&mut self.pipe.lock()) {
                return value;
            }
            changed.await;
        }
    }

    /// Does it now, or when it can be done.
    fn when<'a, T: Send + 'a>(
        &'a self,
        mut ready: impl FnMut(&mut Pipe) -> Option<Result<T>> + Send + 'a,
    ) -> Op<'a, T> {
        let at_once = ready(&mut self.pipe.lock());
        match at_once {
            Some(result) => result.into(),
            None => Op::later(self.until(ready)),
        }
    }
}

impl Pipe {
    fn read(&mut self, buf: &mut [u8]) -> Option<Result<usize>> {
        if self.bytes.is_empty() && self.writers > 0 && !buf.is_empty() {
            return None;
        }
        let len = self.bytes.len().min(buf.len());
        let (front, back) = self.bytes.as_slices();
        let split = front.len().min(len);
        buf[..split].copy_from_slice(&front[..split]);
        buf[split..len].copy_from_slice(&back[..len - split]);
        self.bytes.drain(..len);
        Some(Ok(len))
    }

    fn write(&mut self, data: &[u8]) -> Option<Result<usize>> {
        if self.readers == 0 {
            return Some(Errno::EPIPE.into());
        }
        let room = CAPACITY - self.bytes.len();
        if room < data.len().min(PIPE_BUF) {
            return None;
        }
        let len = room.min(data.len());
        self.bytes.extend(&data[..len]);
        Some(Ok(len))
    }
}

/// The inode of a pipe, which notes when it was used.
pub(crate) trait PipeNode: Node {
    fn read_from(&self);
    fn written_to(&self);
}

/// One who has the pipe open, or waits to have.
struct FifoFile<N> {
    inode: Arc<N>,
    node: NodeRef,
    fifo: Arc<Fifo>,
    reads: bool,
    writes: bool,
}

impl Fifo {
    /// Opens the pipe, whose inode is `inode`.
    pub(crate) fn open<'a, N: PipeNode>(self: Arc<Self>, inode: Arc<N>, flags: OpenFlags) -> Op<'a, FileRef> {
        let fifo = self;
        let writes = flags.contains(OpenFlags::WRITE);
        let reads = flags.contains(OpenFlags::READ) || !writes;
        let no_wait = flags.contains(OpenFlags::NONBLOCK);
        let (met, met_at_once);
        {
            let mut pipe = fifo.pipe.lock();
            if writes && !reads && no_wait && pipe.readers == 0 {
                return Op::err(Errno::ENXIO);
            }
            let (reader_opens, writer_opens) = (pipe.reader_opens, pipe.writer_opens);
            met = move |pipe: &Pipe| {
                no_wait
                    || (!reads || pipe.writers > 0 || pipe.writer_opens > writer_opens)
                        && (!writes || pipe.readers > 0 || pipe.reader_opens > reader_opens)
            };
            pipe.readers += u32::from(reads);
            pipe.writers += u32::from(writes);
            pipe.reader_opens += u64::from(reads);
            pipe.writer_opens += u64::from(writes);
            // Whoever waited for this one may have done all he came for before the lock is taken again.
            met_at_once = met(&pipe);
        }
        fifo.changed.notify_waiters();
        let file = FifoFile { node: inode.clone(), inode, fifo, reads, writes };
        if met_at_once {
            return Op::ok(Arc::new(file));
        }
        // Dropped while it waits, the file is closed again.
        Op::later(async move {
            file.fifo.until(|pipe| met(pipe).then_some(())).await;
            Ok(Arc::new(file) as FileRef)
        })
    }
}

impl<N: PipeNode> FifoFile<N> {
    fn read_to(&self) {
        self.inode.read_from();
        self.fifo.changed.notify_waiters();
    }

    fn written(&self) {
        self.inode.written_to();
        self.fifo.changed.notify_waiters();
    }
}

impl<N> Drop for FifoFile<N> {
    fn drop(&mut self) {
        let mut pipe = self.fifo.pipe.lock();
        pipe.readers -= u32::from(self.reads);
        pipe.writers -= u32::from(self.writes);
        if pipe.readers == 0 && pipe.writers == 0 {
            // What nobody has read is gone with the last that had the pipe open.
            pipe.bytes = VecDeque::new();
        }
        drop(pipe);
        self.fifo.changed.notify_waiters();
    }
}

impl<N: PipeNode> OpenFile for FifoFile<N> {
    fn node(&self) -> &NodeRef {
        &self.node
    }

    fn read<'a>(&'a self, _offset: u64, buf: &'a mut [u8]) -> Op<'a, usize> {
        if !self.reads {
            return Op::err(Errno::EBADF);
        }
        self.fifo.when(|pipe| pipe.read(buf)).map(|len| {
            self.read_to();
            len
        })
    }

    fn write<'a>(&'a self, _offset: u64, data: &'a [u8]) -> Op<'a, usize> {
        if !self.writes {
            return Op::err(Errno::EBADF);
        }
        self.fifo.when(|pipe| pipe.write(data)).map(|len| {
            self.written();
            len
        })
    }

    fn ready(&self, interest: Interest) -> Op<'_, ()> {
        self.fifo.when(move |pipe| {
            let ready = match interest {
                Interest::Read => !pipe.bytes.is_empty() || pipe.writers == 0,
                Interest::Write => CAPACITY - pipe.bytes.len() >= PIPE_BUF || pipe.readers == 0,
            };
            ready.then_some(Ok(()))
        })
    }
}
