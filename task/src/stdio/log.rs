//! Output: a log that any number of readers read from the start, each at its own pace, live, until the task is removed.
//!
//! ```text
//! start ········ slowest reader ········ end          positions count from the first byte ever written
//!   └─ the oldest kept                    └─ a read here waits, or gives the end once nobody writes any more
//! ```
//!
//! The log is bounded. What happens at the bound is [`Full`]'s to say.

use super::pipe::ATOMIC;
use parking_lot::Mutex;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use tokio::sync::Notify;
use vfs::{Errno, Error, Op, Result, Time};

/// What happens to a write at the bound.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Full {
    /// It waits for the slowest of those who have the log open; what nobody has open loses its oldest bytes. The default:
    /// a pipeline loses nothing, and a task that nobody listens to is not held up.
    Auto,
    /// It waits until a reader has read the oldest bytes, also where nobody reads yet: nothing is ever lost.
    Wait,
    /// It never waits: the oldest bytes go, read or not.
    Drop,
}

impl Full {
    pub fn parse(word: &str) -> Option<Full> {
        [Full::Auto, Full::Wait, Full::Drop].into_iter().find(|full| full.name() == word)
    }
    pub fn name(self) -> &'static str {
        match self {
            Full::Auto => "auto",
            Full::Wait => "wait",
            Full::Drop => "drop",
        }
    }
}

/// A bounded log of bytes.
pub struct Log {
    // Held for the copy of one read or write, never across an await.
    inner: Mutex<Inner>,
    /// Readers wait here for more, writers for room: apart, for a log may have thousands of readers.
    grown: Notify,
    room: Notify,
}

struct Inner {
    bytes: VecDeque<u8>,
    start: u64,
    bound: usize,
    full: Full,
    /// How far each open reader has read.
    readers: BTreeMap<u64, u64>,
    next_reader: u64,
    /// Writers other than the task itself, whose end ends its own.
    others: usize,
    finished: bool,
    /// Only who has it open reads it still.
    removed: bool,
    changed: Time,
}

impl Inner {
    fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }
    fn ended(&self) -> bool {
        self.finished && self.others == 0
    }
    /// Bytes that have been read by all who read.
    fn read_by_all(&self) -> usize {
        let slowest = self.readers.values().min().copied().unwrap_or(self.start);
        (slowest.min(self.end()).saturating_sub(self.start)) as usize
    }
    fn room(&self) -> usize {
        (self.bound + self.read_by_all()).saturating_sub(self.bytes.len())
    }
    /// Whether any write that goes in whole finds room.
    fn has_room(&self) -> bool {
        self.room() >= ATOMIC.min(self.bound)
    }
    fn drops(&self) -> bool {
        self.full == Full::Drop || (self.full == Full::Auto && self.readers.is_empty())
    }
    /// Can nobody read any of it any more?
    fn is_lost(&self) -> bool {
        self.removed && self.readers.is_empty()
    }
    fn give_up_if_lost(&mut self) {
        if self.is_lost() {
            self.start = self.end();
            self.bytes = VecDeque::new();
        }
    }
    fn forget(&mut self, count: usize) {
        self.bytes.drain(..count);
        self.start += count as u64;
    }

    /// Takes what there is room for, of what is short all or nothing, so that writers beside each other do not tear it; none where
    /// there is no room.
    fn take(&mut self, data: &[u8]) -> Option<usize> {
        if self.is_lost() {
            self.start += data.len() as u64;
            return Some(data.len());
        }
        let taken = if self.drops() { data.len() } else { data.len().min(self.room()) };
        if taken < data.len() && (taken == 0 || data.len() <= ATOMIC.min(self.bound)) {
            return None;
        }
        let data = &data[..taken];
        let over = (self.bytes.len() + taken).saturating_sub(self.bound);
        // A bound that was made smaller is come down to as what is there is read.
        let may_go = if self.drops() { self.bytes.len() } else { self.read_by_all() };
        self.forget(over.min(may_go));
        let skipped = taken.saturating_sub(self.bound);
        self.start += skipped as u64;
        self.bytes.extend(&data[skipped..]);
        self.changed = Time::now();
        Some(taken)
    }

    fn copy(&self, position: u64, buf: &mut [u8]) -> usize {
        let at = position.saturating_sub(self.start).min(self.bytes.len() as u64) as usize;
        let (front, back) = self.bytes.as_slices();
        let mut copied = 0;
        for part in [&front[at.min(front.len())..], &back[at.saturating_sub(front.len())..]] {
            let count = part.len().min(buf.len() - copied);
            buf[copied..copied + count].copy_from_slice(&part[..count]);
            copied += count;
        }
        copied
    }
}

impl Log {
    /// Kept of a stream unless set otherwise.
    pub const BOUND: usize = 1 << 20;

    pub fn new(bound: usize, full: Full) -> Log {
        let inner = Inner {
            bytes: VecDeque::new(),
            start: 0,
            bound: bound.max(1),
            full,
            readers: BTreeMap::new(),
            next_reader: 0,
            others: 0,
            finished: false,
            removed: false,
            changed: Time::now(),
        };
        Log { inner: Mutex::new(inner), grown: Notify::new(), room: Notify::new() }
    }

    /// All that was ever written, in bytes (1 where nothing was yet, but may still be); and when last.
    pub fn len(&self) -> (u64, Time) {
        let inner = self.inner.lock();
        // tail(1) reads a regular file of length 0 to its end before it shows anything, which here is the end of the task. More
        // than a byte would not do: since 6.8 Linux's 9P client asks again, and waits, where a read ends before the length
        // that it knows, and the first read is rarely shorter than this.
        let length = if inner.end() == 0 && !inner.ended() { 1 } else { inner.end() };
        (length, inner.changed)
    }

    pub fn set(&self, full: Full, bound: Option<usize>) {
        let mut inner = self.inner.lock();
        inner.full = full;
        if let Some(bound) = bound {
            inner.bound = bound.max(1);
            let over = inner.bytes.len().saturating_sub(inner.bound);
            if inner.drops() {
                inner.forget(over);
            }
        }
        drop(inner);
        self.room.notify_waiters();
    }

    pub fn setting(&self) -> (Full, usize) {
        let inner = self.inner.lock();
        (inner.full, inner.bound)
    }

    pub fn add_reader(&self) -> u64 {
        let mut inner = self.inner.lock();
        let id = inner.next_reader;
        inner.next_reader += 1;
        let start = inner.start;
        inner.readers.insert(id, start);
        id
    }
    pub fn remove_reader(&self, id: u64) {
        let mut inner = self.inner.lock();
        inner.readers.remove(&id);
        inner.give_up_if_lost();
        drop(inner);
        self.room.notify_waiters();
    }
    /// How far `reader` has read.
    pub fn position(&self, reader: u64) -> u64 {
        self.inner.lock().readers.get(&reader).copied().unwrap_or(0)
    }
    pub fn readers(&self) -> usize {
        self.inner.lock().readers.len()
    }

    /// A task other than the log's own writes too (its output was bound here): the end waits for it.
    pub fn add_foreign_writer(&self) {
        self.inner.lock().others += 1;
    }
    pub fn remove_foreign_writer(&self) {
        self.inner.lock().others -= 1;
        self.grown.notify_waiters();
    }

    /// The task has ended: its own writers count no more.
    pub fn finish(&self) {
        self.inner.lock().finished = true;
        self.grown.notify_waiters();
        self.room.notify_waiters();
    }

    /// The task is gone: its own writers count no more, and with the last who has it open goes what is left.
    pub fn remove(&self) {
        let mut inner = self.inner.lock();
        inner.finished = true;
        inner.removed = true;
        inner.give_up_if_lost();
        drop(inner);
        self.grown.notify_waiters();
        self.room.notify_waiters();
    }

    /// Adds `data`, or as much of it as there is room for.
    pub fn append<'a>(&'a self, data: &'a [u8], own: bool) -> Op<'a, usize> {
        match self.try_append(data, own) {
            Some(result) => result.into(),
            None => Op::later(async move {
                loop {
                    let room = self.room.notified();
                    tokio::pin!(room);
                    room.as_mut().enable();
                    if let Some(result) = self.try_append(data, own) {
                        return result;
                    }
                    room.await;
                }
            }),
        }
    }

    fn try_append(&self, data: &[u8], own: bool) -> Option<Result<usize>> {
        let mut inner = self.inner.lock();
        if inner.finished && own {
            return Some(Err(Error::from(Errno::EPIPE)));
        }
        let taken = inner.take(data)?;
        drop(inner);
        self.grown.notify_waiters();
        Some(Ok(taken))
    }

    /// Reads for `reader` at `position`, or at the oldest kept where that is behind it; gives the position read at and the
    /// bytes read, 0 at the end.
    pub fn read<'a>(&'a self, reader: u64, position: u64, buf: &'a mut [u8]) -> Op<'a, (u64, usize)> {
        match self.try_read(reader, position, buf) {
            Some(read) => Op::ok(read),
            None => Op::later(async move {
                loop {
                    let grown = self.grown.notified();
                    tokio::pin!(grown);
                    grown.as_mut().enable();
                    if let Some(read) = self.try_read(reader, position, buf) {
                        return Ok(read);
                    }
                    grown.await;
                }
            }),
        }
    }

    fn try_read(&self, reader: u64, position: u64, buf: &mut [u8]) -> Option<(u64, usize)> {
        let mut inner = self.inner.lock();
        let position = position.max(inner.start);
        if position >= inner.end() {
            if let Some(read) = inner.readers.get_mut(&reader) {
                *read = (*read).max(position);
            }
            return (inner.ended() || buf.is_empty()).then_some((position, 0));
        }
        let count = inner.copy(position, buf);
        let had_room = inner.has_room();
        if let Some(read) = inner.readers.get_mut(&reader) {
            *read = (*read).max(position + count as u64);
        }
        drop(inner);
        if !had_room {
            self.room.notify_waiters();
        }
        Some((position, count))
    }

    /// Done when a read at `position` would not wait.
    pub fn readable(&self, position: u64) -> Op<'_, ()> {
        let ready = move || {
            let inner = self.inner.lock();
            position < inner.end() || inner.ended()
        };
        wait_until(&self.grown, ready)
    }

    /// Done when a write would not wait.
    pub fn writable(&self, own: bool) -> Op<'_, ()> {
        let ready = move || {
            let inner = self.inner.lock();
            (inner.finished && own) || inner.drops() || inner.has_room()
        };
        wait_until(&self.room, ready)
    }
}

/// Done when `ready` says so; asked again whenever `changed` is told.
pub(crate) fn wait_until<'a>(changed: &'a Notify, ready: impl Fn() -> bool + Send + 'a) -> Op<'a, ()> {
    if ready() {
        return Op::ok(());
    }
    Op::later(async move {
        loop {
            let again = changed.notified();
            tokio::pin!(again);
            again.as_mut().enable();
            if ready() {
                return Ok(());
            }
            again.await;
        }
    })
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = self.inner.lock();
        write!(f, "Log({}..{}, {} readers)", inner.start, inner.end(), inner.readers.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(log: &Log, reader: u64, position: u64) -> Option<(u64, Vec<u8>)> {
        let mut buf = [0; 64];
        let (at, count) = log.read(reader, position, &mut buf).now()?.expect("a log read never fails");
        Some((at, buf[..count].to_vec()))
    }

    #[test]
    fn every_reader_reads_from_the_start_at_its_own_pace() {
        let log = Log::new(100, Full::Auto);
        let (a, b) = (log.add_reader(), log.add_reader());
        assert_eq!(log.append(b"hello ", true).now(), Some(Ok(6)));
        assert_eq!(read(&log, a, 0), Some((0, b"hello ".to_vec())));
        assert_eq!(log.append(b"world", true).now(), Some(Ok(5)));
        assert_eq!(read(&log, a, 6), Some((6, b"world".to_vec())));
        assert_eq!(read(&log, b, 0), Some((0, b"hello world".to_vec())));
    }

    #[test]
    fn a_read_at_the_end_waits_until_the_task_and_whoever_else_writes_have_ended() {
        let log = Log::new(100, Full::Auto);
        let reader = log.add_reader();
        log.add_foreign_writer();
        assert_eq!(read(&log, reader, 0), None);
        log.finish();
        assert_eq!(read(&log, reader, 0), None);
        log.remove_foreign_writer();
        assert_eq!(read(&log, reader, 0), Some((0, Vec::new())));
    }

    #[test]
    fn dropping_keeps_the_newest_and_a_late_reader_starts_at_the_oldest_kept() {
        let log = Log::new(4, Full::Drop);
        let reader = log.add_reader();
        assert_eq!(log.append(b"abcdef", true).now(), Some(Ok(6)));
        assert_eq!(log.append(b"g", true).now(), Some(Ok(1)));
        assert_eq!(read(&log, reader, 0), Some((3, b"defg".to_vec())));
        assert_eq!(log.len().0, 7);
    }

    #[test]
    fn a_bound_that_is_made_smaller_costs_who_reads_nothing() {
        for full in [Full::Auto, Full::Wait] {
            let log = Log::new(8, full);
            let reader = log.add_reader();
            assert_eq!(log.append(b"abcdefgh", true).now(), Some(Ok(8)));
            log.set(full, Some(4));
            assert_eq!(log.append(b"i", true).now(), None);
            let mut three = [0; 3];
            assert_eq!(log.read(reader, 0, &mut three).now(), Some(Ok((0, 3))));
            assert_eq!(log.append(b"i", true).now(), None, "{full:?}: five are unread, of four");
            let mut two = [0; 2];
            assert_eq!(log.read(reader, 3, &mut two).now(), Some(Ok((3, 2))));
            assert_eq!(log.append(b"ij", true).now(), None, "two have no room where one has");
            assert_eq!(log.append(b"i", true).now(), Some(Ok(1)));
            assert_eq!(read(&log, reader, 5), Some((5, b"fghi".to_vec())), "{full:?}");
        }
    }

    #[test]
    fn waiting_takes_what_fits_and_then_waits_for_the_slowest_reader() {
        let log = Log::new(4, Full::Wait);
        assert_eq!(log.append(b"abcdef", true).now(), Some(Ok(4)));
        assert_eq!(log.append(b"ef", true).now(), None, "nobody has read");
        let reader = log.add_reader();
        let mut two = [0; 2];
        assert_eq!(log.read(reader, 0, &mut two).now(), Some(Ok((0, 2))));
        assert_eq!(log.append(b"efghi", true).now(), Some(Ok(2)), "more than it ever holds is torn");
        assert_eq!(read(&log, reader, 2), Some((2, b"cdef".to_vec())));
    }

    #[test]
    fn by_default_a_log_that_nobody_has_open_loses_its_oldest_and_one_that_is_open_loses_nothing() {
        let log = Log::new(4, Full::Auto);
        assert_eq!(log.append(b"abcdef", true).now(), Some(Ok(6)));
        let reader = log.add_reader();
        assert_eq!(log.append(b"gh", true).now(), None);
        log.remove_reader(reader);
        assert_eq!(log.append(b"gh", true).now(), Some(Ok(2)));
    }

    #[test]
    fn what_a_removed_task_wrote_goes_with_the_last_who_has_it_open() {
        let log = Log::new(1 << 20, Full::Wait);
        let reader = log.add_reader();
        log.add_foreign_writer();
        assert_eq!(log.append(&[b'x'; 1 << 20], true).now(), Some(Ok(1 << 20)));
        log.remove();
        assert_eq!(read(&log, reader, 0), Some((0, vec![b'x'; 64])), "it is open still");
        log.remove_reader(reader);
        assert_eq!(log.inner.lock().bytes.capacity(), 0);
        let late = log.add_reader();
        assert_eq!(read(&log, late, 0), None, "another task writes still");
        log.remove_reader(late);
        assert_eq!(log.append(b"to nobody", false).now(), Some(Ok(9)), "and is not held up");
        assert_eq!(log.inner.lock().bytes.capacity(), 0);
    }

    #[tokio::test]
    async fn short_writes_of_many_are_not_torn_where_a_reader_is_slow() {
        let log = std::sync::Arc::new(Log::new(100, Full::Wait));
        let reader = log.add_reader();
        let writers = (0..4).map(|n: u8| {
            let log = log.clone();
            tokio::spawn(async move {
                for _ in 0..50 {
                    assert_eq!(log.append(&[n; 30], false).await, Ok(30));
                }
            })
        });
        let writers: Vec<_> = writers.collect();
        let (mut all, mut buf) = (Vec::new(), [0; 7]);
        while all.len() < 4 * 50 * 30 {
            let (_, count) = log.read(reader, all.len() as u64, &mut buf).await.expect("read");
            all.extend_from_slice(&buf[..count]);
        }
        for writer in writers {
            writer.await.expect("it ends");
        }
        assert!(all.chunks(30).all(|write| write.iter().all(|byte| *byte == write[0])));
    }

    #[tokio::test]
    async fn a_waiting_reader_is_woken_by_a_write_and_by_the_end() {
        let log = std::sync::Arc::new(Log::new(4, Full::Auto));
        let reader = log.add_reader();
        let waiting = tokio::spawn({
            let log = log.clone();
            async move {
                let mut buf = [0; 8];
                let first = log.read(reader, 0, &mut buf).await.expect("read");
                let second = log.read(reader, 2, &mut buf).await.expect("read");
                (first, second)
            }
        });
        tokio::task::yield_now().await;
        assert_eq!(log.append(b"hi", true).now(), Some(Ok(2)));
        tokio::task::yield_now().await;
        log.finish();
        assert_eq!(waiting.await.expect("joined"), ((0, 2), (2, 0)));
        assert_eq!(log.append(b"late", true).now(), Some(Err(Errno::EPIPE.into())));
    }
}
