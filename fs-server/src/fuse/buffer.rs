//! Buffers for what is read and written: each thread keeps a few, so that a read neither allocates nor clears memory.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};

/// The most that the kernel reads or writes in one request.
pub(super) const LARGEST: usize = 1 << 20;
/// The most that a read which had to wait takes at once: what a pipe holds (pipe(7)).
const WAITING: usize = 64 << 10;
/// How many a thread keeps.
const KEPT: usize = 4;

thread_local! {
    static FREE: RefCell<Vec<Box<[u8]>>> = const { RefCell::new(Vec::new()) };
}

/// `len` bytes that hold whatever was in them before. Goes back to the thread that drops it.
pub(super) struct Buffer {
    bytes: Box<[u8]>,
    len: usize,
}

impl Buffer {
    /// A buffer of `len` bytes, at most [`LARGEST`].
    pub(super) fn take(len: usize) -> Buffer {
        let free = FREE.with_borrow_mut(Vec::pop);
        // The kernel gives zeroed pages as they are touched: a new buffer is not cleared either.
        let bytes = free.unwrap_or_else(|| vec![0; LARGEST].into_boxed_slice());
        Buffer { bytes, len: len.min(LARGEST) }
    }

    /// A buffer for a read that will wait for long: its memory is the kernel's zero pages until something comes.
    pub(super) fn waiting(len: usize) -> Buffer {
        let len = len.min(WAITING);
        Buffer { bytes: vec![0; len].into_boxed_slice(), len }
    }

    pub(super) fn of(data: &[u8]) -> Buffer {
        let mut buffer = Buffer::take(data.len());
        let len = buffer.len;
        buffer.copy_from_slice(&data[..len]);
        buffer
    }

    pub(super) fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }
}

impl Deref for Buffer {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[..self.len]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        if bytes.len() != LARGEST {
            return;
        }
        // A thread that ends has no list any more; the buffer goes the ordinary way then.
        let _ = FREE.try_with(|free| {
            let mut free = free.borrow_mut();
            if free.len() < KEPT {
                free.push(bytes);
            }
        });
    }
}
