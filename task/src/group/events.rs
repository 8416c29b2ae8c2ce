//! The stream of a group's events: every reader gets every event from when it opened, at its own pace.
//!
//! A line that somebody has not read yet is kept, and nothing where nobody reads. Should a reader sleep while megabytes
//! happen, it finds `lost N` in place of the oldest lines that it has not read.

use super::Event;
use parking_lot::Mutex;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use tokio::sync::Notify;
use vfs::{Op, Time};

/// Kept for the slowest reader, in bytes.
const BOUND: usize = 4 << 20;

#[derive(Default)]
pub struct Events(Arc<Shared>);

#[derive(Default)]
struct Shared {
    kept: Mutex<Kept>,
    grown: Notify,
}

#[derive(Default)]
struct Kept {
    lines: VecDeque<Arc<[u8]>>,
    bytes: usize,
    /// The number of the first line that is kept.
    first: u64,
    /// The next line of each reader.
    readers: BTreeMap<u64, u64>,
    next_reader: u64,
    closed: bool,
    /// Bytes since somebody reads, and when the last of them came.
    said: u64,
    changed: Option<Time>,
}

impl Kept {
    fn end(&self) -> u64 {
        self.first + self.lines.len() as u64
    }
    fn forget(&mut self) {
        let needed = self.readers.values().min().copied().unwrap_or(self.end());
        while (self.first < needed || self.bytes > BOUND)
            && let Some(line) = self.lines.pop_front()
        {
            self.bytes -= line.len();
            self.first += 1;
        }
    }
}

impl Events {
    pub(super) fn new() -> Events {
        Events::default()
    }

    pub(super) fn say(&self, event: &Event) {
        let mut kept = self.0.kept.lock();
        if kept.readers.is_empty() || kept.closed {
            return;
        }
        let line: Arc<[u8]> = event.line().into();
        kept.bytes += line.len();
        kept.said += line.len() as u64;
        kept.changed = Some(Time::now());
        kept.lines.push_back(line);
        kept.forget();
        drop(kept);
        self.0.grown.notify_waiters();
    }

    /// There will be no more: readers find the end behind what they have not read.
    pub fn close(&self) {
        self.0.kept.lock().closed = true;
        self.0.grown.notify_waiters();
    }

    /// The length that a file of this shows to whom nobody knows as a reader, and since when: that of the reader who has been there
    /// longest. See [`Reader::len`].
    pub fn len(&self) -> (u64, Option<Time>) {
        let kept = self.0.kept.lock();
        (kept.said.max(1), kept.changed)
    }

    /// A reader of all that happens from now on.
    pub fn reader(&self) -> Reader {
        let mut kept = self.0.kept.lock();
        if kept.readers.is_empty() {
            kept.said = 0;
        }
        let id = kept.next_reader;
        kept.next_reader += 1;
        let (end, before) = (kept.end(), kept.said);
        kept.readers.insert(id, end);
        drop(kept);
        Reader { shared: self.0.clone(), id, before, rest: Mutex::default() }
    }
}

/// One who reads.
pub struct Reader {
    shared: Arc<Shared>,
    id: u64,
    /// Bytes that were said before it came, to others.
    before: u64,
    /// What is left of a line that did not fit into a read.
    rest: Mutex<VecDeque<u8>>,
}

impl Reader {
    /// The length of its own file, and since when: all that was said since it came. tail(1) goes on where both grow; one byte is for
    /// those who would read an empty file to its end first.
    pub fn len(&self) -> (u64, Option<Time>) {
        let kept = self.shared.kept.lock();
        let said = kept.said.saturating_sub(self.before);
        (said.max(1), kept.changed.filter(|_| said > 0))
    }

    /// As many whole lines as fit, or the piece of one; waits where there is none, gives 0 at the end.
    pub fn read<'a>(&'a self, buf: &'a mut [u8]) -> Op<'a, usize> {
        match self.try_read(buf) {
            Some(count) => Op::ok(count),
            None => Op::later(async move {
                loop {
                    let grown = self.shared.grown.notified();
                    tokio::pin!(grown);
                    grown.as_mut().enable();
                    if let Some(count) = self.try_read(buf) {
                        return Ok(count);
                    }
                    grown.await;
                }
            }),
        }
    }

    /// Done when a read would not wait.
    pub fn readable(&self) -> Op<'_, ()> {
        crate::stdio::log::wait_until(&self.shared.grown, || self.has_some())
    }

    fn has_some(&self) -> bool {
        let kept = self.shared.kept.lock();
        let next = kept.readers.get(&self.id).copied().unwrap_or(0);
        kept.closed || next < kept.end() || !self.rest.lock().is_empty()
    }

    fn try_read(&self, buf: &mut [u8]) -> Option<usize> {
        if buf.is_empty() {
            return Some(0);
        }
        let mut rest = self.rest.lock();
        if rest.is_empty() {
            let mut kept = self.shared.kept.lock();
            let mut next = kept.readers.get(&self.id).copied().unwrap_or(0);
            if next < kept.first {
                rest.extend(format!("lost {}\n", kept.first - next).as_bytes());
                next = kept.first;
            }
            while next < kept.end() {
                let line = &kept.lines[(next - kept.first) as usize];
                if !rest.is_empty() && rest.len() + line.len() > buf.len() {
                    break;
                }
                rest.extend(line.iter());
                next += 1;
            }
            kept.readers.insert(self.id, next);
            kept.forget();
            if rest.is_empty() {
                return kept.closed.then_some(0);
            }
        }
        let count = rest.len().min(buf.len());
        for (to, from) in buf.iter_mut().zip(rest.drain(..count)) {
            *to = from;
        }
        Some(count)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut kept = self.shared.kept.lock();
        kept.readers.remove(&self.id);
        kept.forget();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closed(port: u16) -> Event {
        Event::PortClosed { port }
    }

    fn read(reader: &Reader, size: usize) -> Option<String> {
        let mut buf = vec![0; size];
        let count = reader.read(&mut buf).now()?.expect("events never fail");
        Some(String::from_utf8_lossy(&buf[..count]).into_owned())
    }

    #[test]
    fn every_reader_gets_every_event_from_when_it_opened() {
        let events = Events::new();
        events.say(&closed(1));
        let early = events.reader();
        events.say(&closed(2));
        let late = events.reader();
        events.say(&closed(3));
        assert_eq!(read(&early, 100).as_deref(), Some("port 2 closed\nport 3 closed\n"));
        assert_eq!(read(&late, 100).as_deref(), Some("port 3 closed\n"));
        assert_eq!(read(&late, 100), None);
        drop((early, late));
        assert_eq!(events.0.kept.lock().bytes, 0, "nothing is kept for nobody");
    }

    #[test]
    fn the_length_grows_while_somebody_reads() {
        let events = Events::new();
        events.say(&closed(1));
        assert_eq!(events.len(), (1, None));
        let reader = events.reader();
        events.say(&closed(1));
        events.say(&closed(2));
        assert_eq!(events.len().0, 2 * "port 1 closed\n".len() as u64);
        let late = events.reader();
        assert_eq!(late.len(), (1, None), "each reader has a length of its own");
        events.say(&closed(3));
        assert_eq!(late.len().0, "port 3 closed\n".len() as u64);
        assert_eq!(reader.len(), events.len());
        drop((reader, late));
        let _reader = events.reader();
        assert_eq!(events.len().0, 1);
    }

    #[test]
    fn a_short_buffer_gets_a_line_in_pieces() {
        let events = Events::new();
        let reader = events.reader();
        events.say(&closed(1));
        events.say(&closed(2));
        let pieces: String = std::iter::from_fn(|| read(&reader, 4)).collect();
        assert_eq!(pieces, "port 1 closed\nport 2 closed\n");
    }

    #[test]
    fn who_sleeps_too_long_is_told_how_much_is_lost() {
        let events = Events::new();
        let reader = events.reader();
        let long = Event::Error { what: "x".into(), message: "y".repeat(BOUND / 4) };
        (0..6).for_each(|_| events.say(&long));
        assert!(
            read(&reader, 100).is_some_and(|text| text.starts_with("lost 3\nerror") || text == "lost 3\n")
        );
    }

    #[test]
    fn the_end_comes_behind_what_was_not_read() {
        let events = Events::new();
        let reader = events.reader();
        events.say(&closed(1));
        events.close();
        assert_eq!(read(&reader, 100).as_deref(), Some("port 1 closed\n"));
        assert_eq!(read(&reader, 100).as_deref(), Some(""));
    }

    #[tokio::test]
    async fn a_waiting_reader_is_woken() {
        let events = Events::new();
        let reader = events.reader();
        let waiting = tokio::spawn(async move {
            let mut buf = [0; 64];
            let count = reader.read(&mut buf).await.expect("events never fail");
            buf[..count].to_vec()
        });
        tokio::task::yield_now().await;
        events.say(&closed(7));
        assert_eq!(waiting.await.expect("joined"), b"port 7 closed\n");
    }
}
