//! Input: a bounded pipe. What is written comes out in order, once; write boundaries may merge.
//!
//! A write to a full pipe waits, and takes nothing before it is done: a cancelled write has written nothing. `eof` ends
//! the input for good; with `hangup` set a writer's last close does.

use crate::stdio::log::wait_until;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::fmt;
use tokio::sync::Notify;
use vfs::{Errno, Op, Result};

/// Bytes that a pipe holds (pipe(7)).
const CAPACITY: usize = 64 << 10;
/// Writes of up to this many bytes go in whole (PIPE_BUF).
pub(super) const ATOMIC: usize = 4096;

pub struct Pipe {
    // Held for the copy of one read or write, never across an await.
    inner: Mutex<Inner>,
    /// More to read, or the end.
    filled: Notify,
    /// Room to write, or nobody to read any more.
    drained: Notify,
}

#[derive(Default)]
struct Inner {
    bytes: VecDeque<u8>,
    writers: usize,
    readers: usize,
    /// Somebody has read: when the last such has closed, writing is in vain.
    was_read: bool,
    hangup: bool,
    ended: bool,
    /// So many reads at the end of what is there find the end, and the next wait again (a terminal's ^D).
    ends: usize,
    finished: bool,
}

impl Inner {
    fn broken(&self) -> bool {
        self.ended || self.finished || (self.was_read && self.readers == 0)
    }
    fn room(&self) -> usize {
        CAPACITY - self.bytes.len()
    }
}

impl Pipe {
    pub fn new() -> Pipe {
        Pipe { inner: Mutex::default(), filled: Notify::new(), drained: Notify::new() }
    }

    pub fn add_reader(&self) {
        let mut inner = self.inner.lock();
        inner.readers += 1;
        inner.was_read = true;
    }
    pub fn remove_reader(&self) {
        self.inner.lock().readers -= 1;
        self.drained.notify_waiters();
    }
    pub fn add_writer(&self) {
        self.inner.lock().writers += 1;
    }
    pub fn remove_writer(&self) {
        let mut inner = self.inner.lock();
        inner.writers -= 1;
        inner.ended |= inner.hangup && inner.writers == 0;
        drop(inner);
        self.filled.notify_waiters();
    }

    /// Whether a writer's last close ends the input.
    pub fn set_hangup(&self, hangup: bool) {
        self.inner.lock().hangup = hangup;
    }
    /// No more comes: readers get what is left, and then the end.
    pub fn end(&self) {
        self.inner.lock().ended = true;
        self.filled.notify_waiters();
        self.drained.notify_waiters();
    }
    /// The next read that finds nothing finds the end; those behind it wait again.
    pub fn end_once(&self) {
        self.inner.lock().ends += 1;
        self.filled.notify_waiters();
    }
    /// Takes what there is room for; the rest is lost (a terminal's input).
    pub fn put(&self, data: &[u8]) {
        let mut inner = self.inner.lock();
        let room = inner.room();
        inner.bytes.extend(&data[..data.len().min(room)]);
        drop(inner);
        self.filled.notify_waiters();
    }
    /// The task has ended: nobody reads any more.
    pub fn finish(&self) {
        let mut inner = self.inner.lock();
        inner.finished = true;
        inner.bytes = VecDeque::new();
        drop(inner);
        self.filled.notify_waiters();
        self.drained.notify_waiters();
    }

    pub fn write<'a>(&'a self, data: &'a [u8]) -> Op<'a, usize> {
        match self.try_write(data) {
            Some(result) => result.into(),
            None => Op::later(async move {
                loop {
                    let drained = self.drained.notified();
                    tokio::pin!(drained);
                    drained.as_mut().enable();
                    if let Some(result) = self.try_write(data) {
                        return result;
                    }
                    drained.await;
                }
            }),
        }
    }

    fn try_write(&self, data: &[u8]) -> Option<Result<usize>> {
        let mut inner = self.inner.lock();
        if inner.broken() {
            return Some(Errno::EPIPE.into());
        }
        let room = inner.room();
        let taken = data.len().min(room);
        if taken < data.len() && (taken == 0 || data.len() <= ATOMIC) {
            return None;
        }
        inner.bytes.extend(&data[..taken]);
        drop(inner);
        self.filled.notify_waiters();
        Some(Ok(taken))
    }

    pub fn read<'a>(&'a self, buf: &'a mut [u8]) -> Op<'a, usize> {
        match self.try_read(buf) {
            Some(count) => Op::ok(count),
            None => Op::later(async move {
                loop {
                    let filled = self.filled.notified();
                    tokio::pin!(filled);
                    filled.as_mut().enable();
                    if let Some(count) = self.try_read(buf) {
                        return Ok(count);
                    }
                    filled.await;
                }
            }),
        }
    }

    fn try_read(&self, buf: &mut [u8]) -> Option<usize> {
        let mut inner = self.inner.lock();
        if inner.bytes.is_empty() {
            if inner.ends > 0 && !buf.is_empty() {
                inner.ends -= 1;
                return Some(0);
            }
            return (inner.ended || inner.finished || buf.is_empty()).then_some(0);
        }
        let count = buf.len().min(inner.bytes.len());
        let (front, back) = inner.bytes.as_slices();
        let from_front = count.min(front.len());
        buf[..from_front].copy_from_slice(&front[..from_front]);
        buf[from_front..count].copy_from_slice(&back[..count - from_front]);
        inner.bytes.drain(..count);
        drop(inner);
        self.drained.notify_waiters();
        Some(count)
    }

    pub fn readable(&self) -> Op<'_, ()> {
        wait_until(&self.filled, || {
            let inner = self.inner.lock();
            !inner.bytes.is_empty() || inner.ends > 0 || inner.ended || inner.finished
        })
    }
    pub fn writable(&self) -> Op<'_, ()> {
        wait_until(&self.drained, || {
            let inner = self.inner.lock();
            inner.broken() || inner.room() >= ATOMIC
        })
    }
}

impl Default for Pipe {
    fn default() -> Pipe {
        Pipe::new()
    }
}

impl fmt::Debug for Pipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = self.inner.lock();
        write!(f, "Pipe({} bytes, {} writers)", inner.bytes.len(), inner.writers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pipe: &Pipe) -> Option<Vec<u8>> {
        let mut buf = [0; 64];
        let count = pipe.read(&mut buf).now()?.expect("a pipe read never fails");
        Some(buf[..count].to_vec())
    }

    #[test]
    fn what_is_written_comes_out_in_order_and_once() {
        let pipe = Pipe::new();
        assert_eq!(pipe.write(b"one ").now(), Some(Ok(4)));
        assert_eq!(pipe.write(b"two").now(), Some(Ok(3)));
        assert_eq!(read(&pipe), Some(b"one two".to_vec()));
        assert_eq!(read(&pipe), None, "an empty pipe waits");
    }

    #[test]
    fn eof_lets_the_rest_be_read_and_refuses_more() {
        let pipe = Pipe::new();
        assert_eq!(pipe.write(b"last").now(), Some(Ok(4)));
        pipe.end();
        assert_eq!(read(&pipe), Some(b"last".to_vec()));
        assert_eq!(read(&pipe), Some(Vec::new()));
        let error = pipe.write(b"more").now().expect("at once").expect_err("hung up");
        assert_eq!(error.text(), "i/o on hungup channel");
    }

    #[test]
    fn a_last_close_is_the_end_only_where_hangup_is_set() {
        let pipe = Pipe::new();
        pipe.add_writer();
        pipe.remove_writer();
        assert_eq!(read(&pipe), None);
        pipe.set_hangup(true);
        pipe.add_writer();
        pipe.add_writer();
        pipe.remove_writer();
        assert_eq!(read(&pipe), None);
        pipe.remove_writer();
        assert_eq!(read(&pipe), Some(Vec::new()));
    }

    #[test]
    fn a_full_pipe_waits_and_a_cancelled_write_has_written_nothing() {
        let pipe = Pipe::new();
        assert_eq!(pipe.write(&[1; CAPACITY - 10]).now(), Some(Ok(CAPACITY - 10)));
        assert_eq!(pipe.write(&[2; 11]).now(), None, "small writes go in whole");
        assert_eq!(pipe.write(&[2; ATOMIC + 1]).now(), Some(Ok(10)), "large ones as far as there is room");
        assert_eq!(pipe.write(&[3; 5000]).now(), None);
        let mut all = vec![0; CAPACITY + 1];
        assert_eq!(pipe.read(&mut all).now(), Some(Ok(CAPACITY)));
    }

    #[test]
    fn a_pipe_that_its_reader_closed_is_broken() {
        let pipe = Pipe::new();
        pipe.add_reader();
        pipe.remove_reader();
        assert_eq!(pipe.write(b"x").now(), Some(Err(Errno::EPIPE.into())));
    }
}
