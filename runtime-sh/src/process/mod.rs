//! What holds for a whole task of type sh, however many strands run in it: its end, its limits, its signals, its cpu time and
//! memory.
//!
//! ```text
//! Sh ── Process ─┬─ Strand   the shell itself           each polled under the Process's hold (strand.rs):
//!                ├─ Strand   a stage of a pipeline       killed? stopped? over its cpu time? not its turn?
//!                └─ Strand   …
//! ```

mod files;
mod memory;
mod strand;

pub(crate) use files::Counted;
pub use memory::{Held, Memory};
pub(crate) use strand::{Strand, used_up};

use crate::traps::{self, Answer, Signals};
use futures_util::task::AtomicWaker;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use task::{Exit, Limits, OpenFiles, Usage, show_time};
use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;
use vfs::{Errno, Error, Result};

/// Strands of one task at once, where its limit on tasks does not say less.
const MAX_STRANDS: usize = 256;
/// The exit code of a task over its cpu time: SIGXCPU's.
const EXIT_CPU: i32 = 128 + 24;
/// The exit code of a task over its wall time: SIGALRM's.
const EXIT_WALL: i32 = 128 + 14;

async fn until(end: Option<Instant>) {
    match end {
        Some(end) => tokio::time::sleep_until(end).await,
        None => std::future::pending().await,
    }
}

/// See the module. Other runtimes of the server's own run what they do in one, too ([`crate::Sh::process`]).
pub struct Process {
    pub usage: Arc<Usage>,
    pub memory: Memory,
    pub(crate) signals: Signals,
    limits: Mutex<Limits>,
    files: files::Files,
    /// The limit on cpu time in nanoseconds, for who asks at every poll; u64::MAX is none.
    cpu: AtomicU64,
    stopped: AtomicBool,
    /// Set once: the end that was decided from outside, by a limit, or by the shell itself.
    end: OnceLock<Exit>,
    /// The end was decided, the last strand has gone, or the limits are others.
    changed: Notify,
    began: Instant,
    /// Of all strands, by their numbers.
    wakers: Mutex<HashMap<usize, Arc<AtomicWaker>>>,
    next: AtomicUsize,
    /// Strands that compute at once, of all tasks.
    turns: Arc<Semaphore>,
    handle: Handle,
}

impl Process {
    pub(crate) fn new(
        limits: Limits,
        usage: Arc<Usage>,
        together: OpenFiles,
        turns: Arc<Semaphore>,
        handle: Handle,
    ) -> Arc<Process> {
        let process = Process {
            memory: Memory::new(usage.clone()),
            signals: Signals::default(),
            usage,
            limits: Mutex::new(limits),
            files: files::Files::new(together),
            cpu: AtomicU64::new(0),
            stopped: AtomicBool::new(false),
            end: OnceLock::new(),
            changed: Notify::new(),
            began: Instant::now(),
            wakers: Mutex::default(),
            next: AtomicUsize::new(0),
            turns,
            handle,
        };
        process.set_limits(limits);
        Arc::new(process)
    }

    pub fn handle(&self) -> &Handle {
        &self.handle
    }
    pub fn limits(&self) -> Limits {
        *self.limits.lock()
    }
    pub fn set_limits(&self, limits: Limits) {
        *self.limits.lock() = limits;
        let cpu = limits.cpu.map_or(u64::MAX, |cpu| u64::try_from(cpu.as_nanos()).unwrap_or(u64::MAX));
        self.cpu.store(cpu, Ordering::Relaxed);
        self.memory.set_limit(limits.memory);
        self.changed.notify_waiters();
        self.wake();
    }

    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
    }
    pub fn cont(&self) {
        self.stopped.store(false, Ordering::Release);
        self.wake();
    }
    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }
    /// Ends the task; the first end counts.
    pub fn finish(&self, exit: Exit) {
        // A later end changes nothing: that is what an error of `set` says.
        let _ = self.end.set(exit);
        self.changed.notify_waiters();
        self.wake();
    }
    /// Ends the task as a signal does.
    pub fn end_by(&self, signal: i32) {
        self.finish(traps::end_by(signal));
    }
    /// A signal came from outside. False where its own action is to stop the task.
    pub fn signal(&self, signal: i32) -> bool {
        match self.signals.take(signal) {
            Answer::Taken => true,
            Answer::Stop => false,
            Answer::End => {
                self.end_by(signal);
                true
            }
        }
    }
    pub fn end(&self) -> Option<&Exit> {
        self.end.get()
    }
    /// Done at once, but never where the end was decided: the strand that asks goes no further.
    pub(crate) async fn unless_over(&self) {
        if self.end().is_some() {
            std::future::pending().await
        }
    }
    /// The end, once all strands are gone and their files closed. Whoever waits sees to the limit on wall time.
    pub async fn over(&self) -> Exit {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            match self.end.get() {
                Some(exit) if self.wakers.lock().is_empty() => return exit.clone(),
                Some(_) => changed.await,
                None => {
                    let wall = self.limits().wall;
                    let end = wall.and_then(|wall| self.began.checked_add(wall));
                    tokio::select! {
                        () = changed => {}
                        () = until(end) => {
                            let shown = show_time(wall.unwrap_or_default());
                            self.finish(Exit::killed(EXIT_WALL, format!("wall limit {shown} reached")));
                        }
                    }
                }
            }
        }
    }

    fn wake(&self) {
        let wakers: Vec<Arc<AtomicWaker>> = self.wakers.lock().values().cloned().collect();
        wakers.iter().for_each(|waker| waker.wake());
    }

    fn over_cpu(&self) -> Option<Exit> {
        let limit = self.cpu.load(Ordering::Relaxed);
        (self.usage.user_ns.load(Ordering::Relaxed) >= limit).then(|| {
            Exit::killed(EXIT_CPU, format!("cpu limit {} reached", show_time(Duration::from_nanos(limit))))
        })
    }

    /// Sets a strand going: EAGAIN where there are too many. What it gives is gone with the task's end.
    pub fn spawn<T: Send + 'static>(
        self: &Arc<Process>,
        life: impl Future<Output = T> + Send + 'static,
    ) -> Result<tokio::task::JoinHandle<Option<T>>> {
        let most = self.limits().tasks.map_or(MAX_STRANDS, |tasks| MAX_STRANDS.min(tasks as usize + 1));
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let waker = Arc::new(AtomicWaker::new());
        let mut wakers = self.wakers.lock();
        if wakers.len() >= most {
            return Err(Error::new(Errno::EAGAIN, format!("more than {most} strands at once")));
        }
        wakers.insert(number, waker.clone());
        drop(wakers);
        let strand = Strand::new(life, self.clone(), number, waker);
        Ok(self.handle.spawn(strand))
    }

    fn gone(&self, number: usize) {
        let mut wakers = self.wakers.lock();
        wakers.remove(&number);
        let last = wakers.is_empty();
        drop(wakers);
        if last {
            self.changed.notify_waiters();
        }
    }
}
