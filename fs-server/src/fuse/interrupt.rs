//! Signals for those who wait: Ctrl-C and kill -9 on a program that is blocked in a request of ours.
//!
//! The kernel sends FUSE_INTERRUPT, but fuser answers it with ENOSYS, and from then on the kernel waits for the answer to
//! the request itself, whatever happens to the program. So one thread looks at the programs that wait: each request names
//! the thread it comes from, and /proc tells which signals that thread has pending. A signal that it would take ends the
//! wait with EINTR; so does the end of the thread.
//!
//! A thread's signals cost some microseconds to read, and thousands may wait. So most rounds only ask whether a thread has
//! run since the last: one that is to die was woken to learn of it, and only of such is more asked. A signal that has a
//! handler wakes nobody here; the thorough rounds find it. Both kinds come as often as a few hundredths of one processor
//! allow.

use parking_lot::{Condvar, Mutex};
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use vfs::Errno;

const SHORTEST_PAUSE: Duration = Duration::from_millis(20);
/// Programs that are killed are gone within 0.2 s, whatever it costs.
const LONGEST_QUICK_PAUSE: Duration = Duration::from_millis(120);
const LONGEST_THOROUGH_PAUSE: Duration = Duration::from_secs(1);
/// A pause is this many times as long as the round before it.
const PAUSE_PER_COST: u32 = 50;

/// Which signals end a wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Patience {
    /// Any that the thread would take, as on a pipe or a terminal.
    None,
    /// Only one that kills: programs do not expect EINTR from a disk.
    UntilKilled,
}

struct Waiter {
    thread: u32,
    patience: Patience,
    /// Taken when the wait is over.
    end: Option<oneshot::Sender<Errno>>,
    /// How long the thread had run when it was last looked at.
    had_run: Option<u64>,
    /// Nothing can be known of it: a request of the kernel's own, or of a user whom /proc hides from us (hidepid).
    hidden: bool,
}

#[derive(Default)]
struct State {
    next: u64,
    waiters: HashMap<u64, Waiter>,
    stopped: bool,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

/// The thread that looks, and those it looks at. Dropping it ends every wait with ENODEV, and the thread.
pub(super) struct Watcher {
    shared: Arc<Shared>,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// One request that waits; dropping it ends the watch.
pub(super) struct Watch {
    shared: Arc<Shared>,
    key: u64,
    end: oneshot::Receiver<Errno>,
}

impl Watcher {
    pub(super) fn start() -> std::io::Result<Watcher> {
        let shared = Arc::new(Shared { state: Mutex::default(), changed: Condvar::new() });
        let looked_at = shared.clone();
        let thread =
            std::thread::Builder::new().name("fuse-signals".into()).spawn(move || looked_at.look())?;
        Ok(Watcher { shared, thread: Some(thread) })
    }

    /// Watches the thread `thread` (as /proc numbers it) from now on.
    pub(super) fn watch(&self, thread: u32, patience: Patience) -> Watch {
        let (sender, end) = oneshot::channel();
        let mut state = self.shared.state.lock();
        let key = state.next;
        state.next += 1;
        if state.stopped {
            // The receiver is still in our hands: this cannot fail.
            let _ = sender.send(Errno::ENODEV);
        } else {
            // A request that the kernel makes on its own account comes from no thread.
            let waiter = Waiter { thread, patience, end: Some(sender), had_run: None, hidden: thread == 0 };
            state.waiters.insert(key, waiter);
            if state.waiters.len() == 1 {
                self.shared.changed.notify_one();
            }
        }
        drop(state);
        Watch { shared: self.shared.clone(), key, end }
    }

    /// Ends every wait, now and from now on.
    pub(super) fn stop(&self) {
        let mut state = self.shared.state.lock();
        state.stopped = true;
        for (_, mut waiter) in state.waiters.drain() {
            waiter.end(Errno::ENODEV);
        }
        self.shared.changed.notify_one();
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.stop();
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != std::thread::current().id()
        {
            // It panics on nothing; and if it did, there is nobody left to tell.
            let _ = thread.join();
        }
    }
}

impl Watch {
    /// Done when the wait must end, with the error to end it with.
    pub(super) async fn ended(&mut self) -> Errno {
        // The sender goes only with the whole watcher.
        (&mut self.end).await.unwrap_or(Errno::ENODEV)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.shared.state.lock().waiters.remove(&self.key);
    }
}

impl Waiter {
    fn end(&mut self, errno: Errno) {
        if let Some(end) = self.end.take() {
            // Whoever dropped the receiver has his result already.
            let _ = end.send(errno);
        }
    }

    /// Looks whether this wait must end; quickly, where the thread has slept since the last look.
    fn look(&mut self, quickly: bool) {
        if self.hidden || self.end.is_none() {
            return;
        }
        if quickly {
            let runs = run_time(self.thread);
            if runs.is_some() && runs == self.had_run {
                return;
            }
            self.had_run = runs;
        }
        match Signals::of(self.thread) {
            Ok(signals) if signals.end_a_wait(self.patience) => self.end(Errno::EINTR),
            Ok(_) => {}
            Err(_) if lives(self.thread) => self.hidden = true,
            Err(_) => self.end(Errno::EINTR),
        }
    }
}

impl Shared {
    fn look(&self) {
        let mut pause = SHORTEST_PAUSE;
        let mut thorough_at = Instant::now();
        loop {
            let mut state = self.state.lock();
            while state.waiters.is_empty() && !state.stopped {
                self.changed.wait(&mut state);
            }
            if state.stopped {
                return;
            }
            // Most waits are short: nobody is looked at in the first moments.
            self.changed.wait_for(&mut state, pause);
            let keys: Vec<u64> = state.waiters.keys().copied().collect();
            drop(state);
            let begun = Instant::now();
            let quickly = begun < thorough_at;
            // A few at a time: whoever begins or ends a wait does not queue behind a whole round.
            for some in keys.chunks(16) {
                let mut state = self.state.lock();
                for key in some {
                    if let Some(waiter) = state.waiters.get_mut(key) {
                        waiter.look(quickly);
                    }
                }
            }
            let earned = begun.elapsed() * PAUSE_PER_COST;
            if quickly {
                pause = earned.clamp(SHORTEST_PAUSE, LONGEST_QUICK_PAUSE);
            } else {
                thorough_at = begun + earned.min(LONGEST_THOROUGH_PAUSE);
                pause = pause.min(earned.max(SHORTEST_PAUSE));
            }
        }
    }
}

/// A thread's signals, bit n-1 for signal n (proc_pid_status(5)).
#[derive(Default, Clone, Copy, PartialEq, Eq, Debug)]
struct Signals {
    own: u64,
    process: u64,
    blocked: u64,
    ignored: u64,
}

impl Signals {
    fn of(thread: u32) -> io::Result<Signals> {
        // The signals come behind the groups, of which there may be many.
        read_proc(thread, "status", &mut [0; 4096], Signals::parse)
    }

    fn parse(status: &[u8]) -> Signals {
        let mut signals = Signals::default();
        for line in status.split(|byte| *byte == b'\n') {
            let field = match line.get(..7) {
                Some(b"SigPnd:") => &mut signals.own,
                Some(b"ShdPnd:") => &mut signals.process,
                Some(b"SigBlk:") => &mut signals.blocked,
                Some(b"SigIgn:") => &mut signals.ignored,
                _ => continue,
            };
            let mask = std::str::from_utf8(&line[7..]).unwrap_or_default().trim();
            *field = u64::from_str_radix(mask, 16).unwrap_or_default();
        }
        signals
    }

    fn end_a_wait(self, patience: Patience) -> bool {
        // When a process dies, of whatever cause, each of its threads has SIGKILL pending.
        let killed = (self.own | self.process) & (1 << (libc::SIGKILL - 1)) != 0;
        killed
            || (patience == Patience::None && (self.own | self.process) & !self.blocked & !self.ignored != 0)
    }
}

/// How long `thread` has run, in nanoseconds; unknown to a kernel without scheduler statistics.
fn run_time(thread: u32) -> Option<u64> {
    let parse = |text: &[u8]| {
        let first = text.split(|byte| *byte == b' ').next()?;
        std::str::from_utf8(first).ok()?.parse().ok()
    };
    read_proc(thread, "schedstat", &mut [0; 128], parse).ok().flatten()
}

fn read_proc<T>(thread: u32, file: &str, buffer: &mut [u8], parse: impl FnOnce(&[u8]) -> T) -> io::Result<T> {
    let length = File::open(format!("/proc/{thread}/{file}"))?.read(buffer)?;
    Ok(parse(&buffer[..length]))
}

fn lives(thread: u32) -> bool {
    rustix::process::Pid::from_raw(thread as i32)
        .is_some_and(|pid| rustix::process::test_kill_process(pid) != Err(rustix::io::Errno::SRCH))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocked_and_ignored_signals_end_no_wait_but_kill_does() {
        let text =
            b"Name:\tcat\nSigPnd:\t0000000000000002\nShdPnd:\t0000000000000004\nSigBlk:\t0000000000000006\n\
            SigIgn:\t0000000000000000\n";
        let blocked = Signals::parse(text);
        assert_eq!(blocked, Signals { own: 2, process: 4, blocked: 6, ignored: 0 });
        assert!(!blocked.end_a_wait(Patience::None));
        assert!(!Signals { blocked: 2, ignored: 4, ..blocked }.end_a_wait(Patience::None));
        let taken = Signals { blocked: 2, ..blocked };
        assert!(taken.end_a_wait(Patience::None));
        assert!(!taken.end_a_wait(Patience::UntilKilled));
        let killed = Signals { own: 1 << 8, ..blocked };
        assert!(killed.end_a_wait(Patience::UntilKilled));
    }

    #[test]
    fn a_thread_that_has_ended_ends_its_wait() {
        let watcher = Watcher::start().unwrap();
        let gone =
            std::thread::spawn(|| rustix::thread::gettid().as_raw_nonzero().get() as u32).join().unwrap();
        let here = rustix::thread::gettid().as_raw_nonzero().get() as u32;
        let mut lives = watcher.watch(here, Patience::None);
        let mut ended = watcher.watch(gone, Patience::None);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            assert_eq!(ended.ended().await, Errno::EINTR);
            let still = tokio::time::timeout(Duration::from_millis(100), lives.ended()).await;
            assert!(still.is_err(), "ended the wait of a living thread");
            watcher.stop();
            assert_eq!(lives.ended().await, Errno::ENODEV);
        });
    }
}
