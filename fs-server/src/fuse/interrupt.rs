//! Signals for those who wait: Ctrl-C and kill -9 on a program that is blocked in a request of ours.
//!
//! The kernel sends FUSE_INTERRUPT, but fuser answers it with ENOSYS, and from then on the kernel waits for the answer to
//! the request itself, whatever happens to the program. So one thread looks at the programs that wait: each request names
//! the thread it comes from, and /proc tells which signals that thread has pending. A signal that it would take ends the
//! wait with EINTR; so does the end of the thread.
//!
//! Looking costs a few microseconds a thread. The pause between two rounds grows with their cost, so that the watch takes
//! about a fiftieth of one processor.

use parking_lot::{Condvar, Mutex};
use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use vfs::Errno;

const SHORTEST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
/// A pause is this many times as long as the round before it.
const PAUSE_PER_COST: u32 = 50;
/// Descriptors kept open on /proc: reading one again is several times cheaper than opening it.
const KEPT_OPEN: usize = 256;

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
    status: Status,
}

enum Status {
    NotOpened,
    Open(File),
    /// Too many are open already: open it each time.
    Closed,
    /// The thread lives, but /proc hides it from us (hidepid): its signals cannot be seen.
    Hidden,
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
            let status = if thread == 0 { Status::Hidden } else { Status::NotOpened };
            state.waiters.insert(key, Waiter { thread, patience, end: Some(sender), status });
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

    /// Must this wait end? Opens the thread's status where `may_keep` says there is room.
    fn is_over(&mut self, may_keep: bool) -> bool {
        if self.end.is_none() {
            return false;
        }
        match &self.status {
            Status::Hidden => false,
            Status::Open(file) => self.says_over(read(file)),
            Status::NotOpened | Status::Closed => {
                let path = format!("/proc/{}/status", self.thread);
                match File::open(path) {
                    Ok(file) => {
                        let over = self.says_over(read(&file));
                        self.status = if may_keep { Status::Open(file) } else { Status::Closed };
                        over
                    }
                    Err(_) if lives(self.thread) => {
                        self.status = Status::Hidden;
                        false
                    }
                    Err(_) => true,
                }
            }
        }
    }

    fn says_over(&self, status: std::io::Result<Signals>) -> bool {
        match status {
            Ok(signals) => signals.end_a_wait(self.patience),
            Err(error) => error.raw_os_error() == Some(libc::ESRCH),
        }
    }
}

impl Shared {
    fn look(&self) {
        let mut pause = SHORTEST_PAUSE;
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
            let mut kept = state.waiters.values().filter(|w| matches!(w.status, Status::Open(_))).count();
            drop(state);
            let begun = Instant::now();
            // A few at a time: whoever begins or ends a wait does not queue behind a whole round.
            for some in keys.chunks(16) {
                let mut state = self.state.lock();
                for key in some {
                    let Some(waiter) = state.waiters.get_mut(key) else { continue };
                    let was_open = matches!(waiter.status, Status::Open(_));
                    if waiter.is_over(kept < KEPT_OPEN) {
                        waiter.end(Errno::EINTR);
                    }
                    kept += usize::from(!was_open && matches!(waiter.status, Status::Open(_)));
                }
            }
            pause = (begun.elapsed() * PAUSE_PER_COST).clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
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
    fn parse(status: &str) -> Signals {
        let mut signals = Signals::default();
        for line in status.lines() {
            let Some((name, value)) = line.split_once(':') else { continue };
            let field = match name {
                "SigPnd" => &mut signals.own,
                "ShdPnd" => &mut signals.process,
                "SigBlk" => &mut signals.blocked,
                "SigIgn" => &mut signals.ignored,
                _ => continue,
            };
            *field = u64::from_str_radix(value.trim(), 16).unwrap_or(0);
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

fn read(status: &File) -> std::io::Result<Signals> {
    // The signals come behind the groups, of which there may be many.
    let mut text = [0; 4096];
    let length = status.read_at(&mut text, 0)?;
    Ok(Signals::parse(&String::from_utf8_lossy(&text[..length])))
}

fn lives(thread: u32) -> bool {
    rustix::process::Pid::from_raw(thread as i32)
        .is_some_and(|pid| rustix::process::test_kill_process(pid) != Err(rustix::io::Errno::SRCH))
}
