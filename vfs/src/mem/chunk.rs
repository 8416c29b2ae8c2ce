//! Buffers of file data: a vector whose largest kind is kept when it is freed, and which readers may hold on to. What is
//! written while they do goes to a copy.
//!
//! Fresh memory costs a page fault for each 4 KiB, which is more than all else that a write does. So a buffer of the full
//! size is faulted in by one call, and when it is freed it goes to a small pool that all memory trees share.

use super::space::PAGE;
use crate::{Errno, Result};
use bytes::Bytes;
use parking_lot::Mutex;
use std::ops::{Deref, DerefMut, Range};
use std::sync::Arc;

/// The most that one chunk holds.
pub(crate) const CHUNK: usize = 64 << 10;
/// Full-sized buffers that are kept: 32 MiB of them.
const KEPT: usize = 512;

static POOL: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

pub(crate) struct Chunk(Held);

enum Held {
    Alone(Buffer),
    /// Readers have it too, or had.
    Shared(Arc<Buffer>),
}

/// A vector that goes to the pool when it is freed.
#[derive(Default)]
struct Buffer(Vec<u8>);

/// A part of a buffer, which stays as it is for as long as this exists.
struct Part(Arc<Buffer>, Range<usize>);

impl AsRef<[u8]> for Part {
    fn as_ref(&self) -> &[u8] {
        &self.0.0[self.1.clone()]
    }
}

impl Default for Chunk {
    fn default() -> Chunk {
        Chunk(Held::Alone(Buffer::default()))
    }
}

impl Chunk {
    /// From now on its parts can be [lent](Chunk::lend).
    pub(crate) fn share(&mut self) {
        if let Held::Alone(buffer) = &mut self.0 {
            self.0 = Held::Shared(Arc::new(std::mem::take(buffer)));
        }
    }

    /// Another with the same content, which is copied when one of the two is written to.
    pub(crate) fn fork(&mut self) -> Chunk {
        if self.is_empty() {
            return Chunk::default();
        }
        self.share();
        match &self.0 {
            Held::Shared(buffer) => Chunk(Held::Shared(buffer.clone())),
            Held::Alone(_) => Chunk::default(),
        }
    }

    /// A part of what it holds, as it is now, without a copy; nothing where it is not [shared](Chunk::share).
    pub(crate) fn lend(&self, part: Range<usize>) -> Option<Bytes> {
        match &self.0 {
            Held::Alone(_) => None,
            Held::Shared(buffer) => Some(Bytes::from_owner(Part(buffer.clone(), part))),
        }
    }

    /// A full chunk's content, where it fills its buffer: else it is given back.
    pub(crate) fn adopt(content: Vec<u8>) -> std::result::Result<Chunk, Vec<u8>> {
        let fits = content.len() == CHUNK && content.capacity() == CHUNK;
        if fits { Ok(Chunk(Held::Alone(Buffer(content)))) } else { Err(content) }
    }

    /// Its vector, which nobody else has.
    fn alone(&mut self) -> &mut Vec<u8> {
        if let Held::Shared(buffer) = &mut self.0
            && Arc::get_mut(buffer).is_none()
        {
            let mut copy = Vec::with_capacity(buffer.0.capacity());
            copy.extend_from_slice(&buffer.0);
            self.0 = Held::Alone(Buffer(copy));
        }
        match &mut self.0 {
            Held::Alone(buffer) => &mut buffer.0,
            Held::Shared(buffer) => &mut Arc::get_mut(buffer).expect("nobody else has it, as just seen").0,
        }
    }

    /// Makes room for `end` bytes in all; for a full chunk's where `whole` is set.
    pub(crate) fn make_room(&mut self, end: usize, whole: bool) -> Result<()> {
        if end <= self.capacity() {
            return Ok(());
        }
        let wanted = if whole { CHUNK } else { end.max((2 * self.capacity()).min(CHUNK)) };
        if wanted < CHUNK {
            let buffer = self.alone();
            return buffer.try_reserve_exact(wanted - buffer.len()).map_err(|_| Errno::ENOSPC.into());
        }
        let mut larger = buffer();
        if larger.capacity() < CHUNK {
            return Errno::ENOSPC.into();
        }
        larger.extend_from_slice(self);
        *self = Chunk(Held::Alone(Buffer(larger)));
        Ok(())
    }
}

/// An empty buffer for a full chunk, from the pool or new; of no capacity where there is no memory.
pub(crate) fn buffer() -> Vec<u8> {
    let pooled = POOL.lock().pop();
    pooled.unwrap_or_else(|| {
        let mut fresh = Vec::new();
        if fresh.try_reserve_exact(CHUNK).is_ok() {
            fault_in(&mut fresh);
        }
        fresh
    })
}

/// Has the kernel back the buffer with memory at once. Where it cannot, the first touch of each page does.
fn fault_in(buffer: &mut Vec<u8>) {
    let page = PAGE as usize;
    let start = buffer.as_mut_ptr();
    let (skipped, len) = (start.addr() % page, buffer.capacity());
    // SAFETY: MADV_POPULATE_WRITE changes no content and no mapping: it touches pages as a write of what they hold would.
    // The range lies in the pages of the buffer's own allocation, from the one that it begins in.
    unsafe {
        libc::madvise(
            start.byte_sub(skipped).cast(),
            (skipped + len) / page * page,
            libc::MADV_POPULATE_WRITE,
        );
    }
}

/// Gives the buffer's memory back to the kernel. The allocator would keep it wherever something lies above it.
fn give_back(mut buffer: Vec<u8>) {
    let page = PAGE as usize;
    buffer.clear();
    let start = buffer.as_mut_ptr();
    let skipped = start.align_offset(page).min(buffer.capacity());
    // SAFETY: the range is of whole pages within the buffer's own allocation, nothing of which is initialised any more.
    unsafe {
        libc::madvise(
            start.add(skipped).cast(),
            (buffer.capacity() - skipped) / page * page,
            libc::MADV_DONTNEED,
        );
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if self.0.capacity() == CHUNK {
            let mut buffer = std::mem::take(&mut self.0);
            buffer.clear();
            let mut pool = POOL.lock();
            if pool.len() < KEPT {
                pool.push(buffer);
            } else {
                drop(pool);
                give_back(buffer);
            }
        }
    }
}

impl Deref for Chunk {
    type Target = Vec<u8>;
    fn deref(&self) -> &Vec<u8> {
        match &self.0 {
            Held::Alone(buffer) => &buffer.0,
            Held::Shared(buffer) => &buffer.0,
        }
    }
}

impl DerefMut for Chunk {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        self.alone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resident_mib() -> u64 {
        let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
        (statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * PAGE) >> 20
    }

    #[test]
    fn what_is_lent_stays_as_it_was_while_the_chunk_changes() {
        let mut chunk = Chunk::default();
        chunk.extend_from_slice(b"before");
        assert!(chunk.lend(0..6).is_none(), "it is copied until somebody asks for large parts");
        chunk.share();
        let lent = chunk.lend(0..6).unwrap();
        chunk[..3].copy_from_slice(b"AFT");
        chunk.truncate(3);
        assert_eq!((&lent[..], &chunk[..]), (&b"before"[..], &b"AFT"[..]));
    }

    #[test]
    fn what_a_large_file_held_goes_back_to_the_kernel_but_for_the_pool() {
        let before = resident_mib();
        let mut chunks: Vec<Chunk> = (0..2048).map(|_| Chunk::default()).collect();
        for chunk in &mut chunks {
            chunk.make_room(1, true).unwrap();
            chunk.resize(CHUNK, 1);
        }
        // Something above them all, that keeps the allocator from giving back what is below.
        let pin = vec![1u8; 1000];
        assert!(resident_mib() - before > 110);
        drop(chunks);
        assert!(resident_mib() - before < 64, "{} MiB stay", resident_mib() - before);
        drop(pin);
    }
}
