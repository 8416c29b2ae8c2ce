//! The messages of the server's 9P connections on their way to those who watch them: kept until everyone has read them or
//! fallen behind by more than a bound, a line each, made only while anybody watches. Where they come from is left to the
//! server ([`Messages::say`]), how they are shown to `trace9.rs`.

use parking_lot::Mutex;
use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::Notify;

/// Kept of what somebody has not read yet, in bytes.
const KEPT: usize = 1 << 20;

/// Called when the first watcher comes (true) and when the last has gone (false).
type Wanted = Box<dyn Fn(bool) + Send + Sync>;

/// The lines that those who watch have not read yet.
pub struct Messages {
    kept: Mutex<Kept>,
    grown: Notify,
    wanted: Wanted,
}

#[derive(Default)]
struct Kept {
    /// Whole lines.
    lines: VecDeque<u8>,
    /// How many bytes there were before the first that is kept.
    start: u64,
    watchers: usize,
}

impl Kept {
    fn end(&self) -> u64 {
        self.start + self.lines.len() as u64
    }

    fn push(&mut self, line: &[u8]) {
        self.lines.extend(line);
        while self.lines.len() > KEPT {
            let first =
                self.lines.iter().position(|byte| *byte == b'\n').map_or(self.lines.len(), |at| at + 1);
            self.lines.drain(..first);
            self.start += first as u64;
        }
    }

    fn copy(&self, position: u64, buf: &mut [u8]) -> usize {
        let at = position.saturating_sub(self.start).min(self.lines.len() as u64) as usize;
        let (front, back) = self.lines.as_slices();
        let parts = [&front[at.min(front.len())..], &back[at.saturating_sub(front.len())..]];
        let mut copied = 0;
        for part in parts {
            let count = part.len().min(buf.len() - copied);
            buf[copied..copied + count].copy_from_slice(&part[..count]);
            copied += count;
        }
        copied
    }
}

impl Messages {
    /// `wanted` is told when the first watcher comes (true) and when the last has gone (false): only in between are lines to
    /// be said.
    pub fn new(wanted: impl Fn(bool) + Send + Sync + 'static) -> Messages {
        Messages { kept: Mutex::default(), grown: Notify::new(), wanted: Box::new(wanted) }
    }

    /// Gives a message to all who watch. Never waits for them.
    pub fn say(&self, message: impl fmt::Display) {
        let line = format!("{} {message}\n", Clock(SystemTime::now()));
        let mut kept = self.kept.lock();
        if kept.watchers == 0 {
            return;
        }
        kept.push(line.as_bytes());
        drop(kept);
        self.grown.notify_waiters();
    }

    /// Watches from now on.
    pub fn watch(self: &Arc<Messages>) -> Watch {
        let mut kept = self.kept.lock();
        kept.watchers += 1;
        if kept.watchers == 1 {
            (self.wanted)(true);
        }
        Watch { messages: self.clone(), position: Mutex::new(kept.end()) }
    }
}

/// One who watches.
pub struct Watch {
    messages: Arc<Messages>,
    /// How far he has read.
    position: Mutex<u64>,
}

impl Watch {
    /// The next lines, or parts of them; waits where there is nothing yet. Cancelling it loses nothing.
    pub async fn read(&self, buf: &mut [u8]) -> usize {
        loop {
            // Before the look, so that what comes in between is not missed.
            let mut grown = std::pin::pin!(self.messages.grown.notified());
            grown.as_mut().enable();
            if let Some(count) = self.read_now(buf) {
                return count;
            }
            grown.await;
        }
    }

    /// What is there; none where nothing is.
    pub fn read_now(&self, buf: &mut [u8]) -> Option<usize> {
        let kept = self.messages.kept.lock();
        let mut position = self.position.lock();
        if let missed @ 1.. = kept.start.saturating_sub(*position) {
            *position = kept.start;
            let note = format!("… {missed} bytes were not read in time\n");
            let count = note.len().min(buf.len());
            buf[..count].copy_from_slice(&note.as_bytes()[..count]);
            return Some(count);
        }
        let count = kept.copy(*position, buf);
        *position += count as u64;
        (count > 0 || buf.is_empty()).then_some(count)
    }

    pub(crate) fn has_more(&self) -> bool {
        self.messages.kept.lock().end() > *self.position.lock()
    }

    /// Waits until there is something to read.
    pub async fn more(&self) {
        loop {
            let mut grown = std::pin::pin!(self.messages.grown.notified());
            grown.as_mut().enable();
            if self.has_more() {
                return;
            }
            grown.await;
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut kept = self.messages.kept.lock();
        kept.watchers -= 1;
        if kept.watchers == 0 {
            (self.messages.wanted)(false);
            kept.start = kept.end();
            kept.lines = VecDeque::new();
        }
    }
}

/// The time of day in UTC, to the microsecond.
struct Clock(SystemTime);

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let now = self.0.duration_since(UNIX_EPOCH).unwrap_or_default();
        let second = now.as_secs() % 86400;
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(f, "{hour:02}:{minute:02}:{second:02}.{:06}", now.subsec_micros())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn next(watch: &Watch) -> String {
        let mut buf = [0; 4096];
        let count = watch.read_now(&mut buf).expect("something to read");
        String::from_utf8_lossy(&buf[..count]).into_owned()
    }

    #[test]
    fn each_reads_from_when_he_came_and_lines_are_wanted_while_anyone_watches() {
        let turns = Arc::new(AtomicUsize::new(0));
        let counted = turns.clone();
        let messages = Arc::new(Messages::new(move |on| {
            counted.fetch_add(if on { 1 } else { 10 }, Ordering::Relaxed);
        }));
        messages.say("nobody hears this");
        let first = messages.watch();
        messages.say("one");
        let second = messages.watch();
        messages.say("two");
        let (both, last) = (next(&first), next(&second));
        assert!(both.contains(" one\n") && both.ends_with(" two\n") && both.lines().count() == 2, "{both}");
        assert!(last.ends_with(" two\n") && last.lines().count() == 1, "{last}");
        assert!(second.read_now(&mut [0; 9]).is_none());
        drop(first);
        assert_eq!(turns.load(Ordering::Relaxed), 1);
        drop(second);
        assert_eq!(turns.load(Ordering::Relaxed), 11);
        assert_eq!(messages.kept.lock().lines.capacity(), 0, "nothing is kept for nobody");
    }

    #[test]
    fn a_reader_who_falls_behind_is_told_what_he_missed_and_goes_on_at_a_line() {
        let messages = Arc::new(Messages::new(|_| ()));
        let watch = messages.watch();
        let long = "x".repeat(1000);
        (0..3000).for_each(|n| messages.say(format_args!("{n} {long}")));
        assert!(messages.kept.lock().lines.len() <= KEPT);
        let note = next(&watch);
        assert!(note.starts_with("… ") && note.ends_with(" bytes were not read in time\n"), "{note}");
        let line = next(&watch);
        assert_eq!(line.as_bytes()[2], b':', "a line from its start: {line}");
    }

    #[tokio::test]
    async fn a_reader_waits_for_the_next_message() {
        let messages = Arc::new(Messages::new(|_| ()));
        let watch = messages.watch();
        let said = messages.clone();
        let mut buf = [0; 100];
        let (count, ()) = tokio::join!(watch.read(&mut buf), async move {
            tokio::task::yield_now().await;
            said.say("late");
        });
        assert!(buf[..count].ends_with(b" late\n"));
    }
}
