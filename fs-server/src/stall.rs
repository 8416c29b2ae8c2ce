//! A disk that hangs stops those who use it and nobody else.
//!
//! Host directories are read and written where the request is taken (docs/architecture.md): handing the work to another
//! thread would cost more than the page cache takes to answer. So a disk, or a network file system, that does not answer
//! holds a worker thread of the runtime, and could hold them all. What is done against that costs a request nothing while disks
//! answer:
//!
//! ```text
//! each poll of a connection   notes in its thread's slot since when it lasts          a few loads and stores
//! the watchdog                looks at the slots every TICK; one that has not moved for STUCK ticks, and whose thread sleeps
//!                             in the kernel, is stuck: a spare worker takes its place, and the server is wary for a while
//! while it is wary            a poll gives its worker away first (block_in_place), so that whoever is stuck next holds
//!                             only himself
//! ```
//!
//! The spare workers are ordinary workers of the runtime that are kept busy with waiting until they are wanted. When nothing
//! happens the watchdog sleeps.

use crate::fuse::readers;
use parking_lot::{Condvar, Mutex};
use std::cell::OnceCell;
use std::fs;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::task::{Context, Poll};
use std::thread::Thread;
use std::time::Duration;
use tokio::runtime::Handle;

/// How often the watchdog looks.
const TICK: Duration = Duration::from_millis(20);
/// So many ticks in one poll are too many.
const STUCK: u64 = 3;
/// So many ticks after the last that was stuck the server is wary.
const WARY: u64 = 250;
/// So many ticks without any work, and the watchdog sleeps.
const IDLE: u64 = 50;
/// The most workers that are kept in reserve.
const SPARE: usize = 8;

/// What a thread is doing for us. Slots are never given back: one of a thread that has ended serves the next.
struct Slot {
    /// The kernel's number of the thread.
    thread: AtomicU32,
    /// The tick in which what it does began; 0 while it does nothing.
    since: AtomicU64,
    /// It has given its worker away already.
    gave_way: AtomicBool,
}

/// One for the process: threads are the process's.
struct Watch {
    tick: AtomicU64,
    /// Up to which tick the server is wary.
    wary: AtomicU64,
    awake: AtomicBool,
    watchdog: Mutex<Option<Thread>>,
    slots: Mutex<Vec<&'static Slot>>,
    free: Mutex<Vec<&'static Slot>>,
    stuck: AtomicU64,
    reserve: Reserve,
}

static WATCH: Watch = Watch {
    tick: AtomicU64::new(1),
    wary: AtomicU64::new(0),
    // Where there is no watchdog nobody is to look for it.
    awake: AtomicBool::new(true),
    watchdog: Mutex::new(None),
    slots: Mutex::new(Vec::new()),
    free: Mutex::new(Vec::new()),
    stuck: AtomicU64::new(0),
    reserve: Reserve { wanted: Mutex::new(0), changed: Condvar::new(), leaving: Mutex::new(()) },
};

/// The spare workers: how many of them are to work.
struct Reserve {
    wanted: Mutex<usize>,
    changed: Condvar,
    /// One worker at a time goes there.
    leaving: Mutex<()>,
}

impl Reserve {
    /// Gives what this worker was about to do to the others, and says whether they have taken it.
    ///
    /// Whoever was woken last stands in a slot of its own, where no other worker looks. One task drives him from there into the
    /// queue that others take from, and another the first, which wakes one of them. But only who sleeps is woken: one that is
    /// about to has looked into our queue already, and does not look again where others were looking too. So the first task,
    /// behind which nobody stands in the queue, says when it is run: elsewhere, since we wait here.
    ///
    /// Whoever gave way (yield_now, or all that he may do at once) stands in a list of this thread's until it has nothing else to do.
    /// Who is about to block is made to call them, but also gives his worker to another thread, if that comes in time. Where it
    /// did, the other task is run, too: on a worker it would stay in the slot.
    fn leaves_nothing_behind(&self, runtime: &Handle) -> bool {
        // Two who wait for each other's workers would both wait in vain.
        let Some(_alone) = self.leaving.try_lock() else { return false };
        tokio::task::block_in_place(|| {});
        let (last, is_run) = mpsc::channel();
        let (other, is_run_too) = mpsc::channel();
        for done in [last, other] {
            runtime.spawn(async move {
                // Nobody listens any more where it comes late.
                let _ = done.send(());
            });
        }
        is_run.recv_timeout(TAKEN).is_ok() && is_run_too.recv_timeout(SEEN) == Err(RecvTimeoutError::Timeout)
    }

    /// Holds a worker back until it is wanted.
    fn hold(&self) {
        let mut wanted = self.wanted.lock();
        while *wanted == 0 {
            self.changed.wait(&mut wanted);
        }
        *wanted -= 1;
    }
    fn want(&self, workers: usize) {
        *self.wanted.lock() += workers;
        self.changed.notify_all();
    }
}

/// A thread that does something, until this is dropped.
struct Inside(&'static Slot);

impl Inside {
    fn enter(gave_way: bool) -> Inside {
        thread_local!(static MINE: OnceCell<Registered> = const { OnceCell::new() });
        let slot = MINE.with(|mine| mine.get_or_init(Registered::new).0);
        slot.gave_way.store(gave_way, Relaxed);
        slot.since.store(WATCH.tick.load(Relaxed), Relaxed);
        if !WATCH.awake.load(Relaxed) {
            WATCH.wake();
        }
        Inside(slot)
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.since.store(0, Relaxed);
    }
}

/// A thread's slot, known to the watchdog while the thread lives.
struct Registered(&'static Slot);

impl Registered {
    fn new() -> Registered {
        let slot = WATCH.free.lock().pop().unwrap_or_else(|| {
            let slot: &'static Slot = Box::leak(Box::new(Slot {
                thread: AtomicU32::new(0),
                since: AtomicU64::new(0),
                gave_way: AtomicBool::new(false),
            }));
            WATCH.slots.lock().push(slot);
            slot
        });
        slot.thread.store(rustix::thread::gettid().as_raw_nonzero().get().unsigned_abs(), Relaxed);
        Registered(slot)
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        WATCH.free.lock().push(self.0);
    }
}

impl Watch {
    fn is_wary(&self) -> bool {
        self.wary.load(Relaxed) > self.tick.load(Relaxed)
    }

    fn wake(&self) {
        if let Some(thread) = &*self.watchdog.lock() {
            self.awake.store(true, Relaxed);
            thread.unpark();
        }
    }

    /// The watchdog's life.
    fn run(&self, runtime: &Handle) {
        let (mut quiet, mut replaced) = (0, Vec::<&'static Slot>::new());
        loop {
            std::thread::sleep(TICK);
            let now = self.tick.fetch_add(1, Relaxed) + 1;
            let slots = self.slots.lock().clone();
            let is_busy = slots.iter().any(|slot| slot.since.load(Relaxed) != 0);
            let stuck = |slot: &&'static Slot| {
                let since = slot.since.load(Relaxed);
                since != 0 && now.saturating_sub(since) > STUCK && sleeps(slot.thread.load(Relaxed))
            };
            let stuck: Vec<&'static Slot> = slots.iter().copied().filter(stuck).collect();
            self.stuck.store(stuck.len() as u64, Relaxed);
            if !stuck.is_empty() {
                // It may be the only one that reads a mount's requests.
                readers::call_all();
                if !self.is_wary() {
                    tracing::warn!("a file of the host has not answered for {:?}", TICK * STUCK as u32);
                }
                // Before any spare worker comes, which might take the same road.
                self.wary.store(now + WARY, Relaxed);
            }
            for slot in stuck {
                if !slot.gave_way.load(Relaxed) && !replaced.iter().any(|other| std::ptr::eq(*other, slot)) {
                    self.reserve.want(1);
                    replaced.push(slot);
                }
            }
            // Those that go on: a worker goes back into the reserve for each.
            let waits = |slot: &&'static Slot| {
                let since = slot.since.load(Relaxed);
                since != 0 && now.saturating_sub(since) > STUCK
            };
            let before = replaced.len();
            replaced.retain(waits);
            for _ in replaced.len()..before {
                keep_spare(runtime);
            }
            quiet = if is_busy || self.is_wary() { 0 } else { quiet + 1 };
            if quiet > IDLE {
                quiet = 0;
                self.awake.store(false, Relaxed);
                // Whoever begins now and still sees it awake is met by the next who begins: until then nobody waits for him.
                std::thread::park();
                self.awake.store(true, Relaxed);
            }
        }
    }
}

/// Whether a thread sleeps in the kernel; one that computes, or waits for a processor, is not stuck.
fn sleeps(thread: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/self/task/{thread}/stat")).unwrap_or_default();
    let state = stat.rsplit(')').next().unwrap_or_default().trim_start().chars().next();
    matches!(state, Some('S' | 'D'))
}

fn keep_spare(runtime: &Handle) {
    keep(runtime, &WATCH.reserve);
}

/// Keeps a worker of `runtime` in `reserve`.
fn keep(runtime: &Handle, reserve: &'static Reserve) {
    let at = runtime.clone();
    runtime.spawn(async move {
        while !reserve.leaves_nothing_behind(&at) {
            // The others have work of their own: this worker does what it has, and tries again.
            tokio::time::sleep(TAKEN).await;
        }
        reserve.hold();
    });
}

/// How long the others have to take what a worker leaves.
const TAKEN: Duration = Duration::from_millis(1);
/// How long they have, who have just taken one task, for the next.
const SEEN: Duration = Duration::from_millis(5);

/// A runtime whose workers are watched.
///
/// # Errors
/// The machine has no threads for it.
pub fn runtime(mut builder: tokio::runtime::Builder) -> std::io::Result<tokio::runtime::Runtime> {
    let workers = std::thread::available_parallelism().map_or(2, usize::from);
    let spare = workers.min(SPARE);
    let runtime = builder.worker_threads(workers + spare).build()?;
    (0..spare).for_each(|_| keep_spare(runtime.handle()));
    let handle = runtime.handle().clone();
    let watchdog = std::thread::Builder::new().name("watchdog".into()).spawn(move || WATCH.run(&handle))?;
    *WATCH.watchdog.lock() = Some(watchdog.thread().clone());
    Ok(runtime)
}

/// Lets the spare workers go, so that the runtime can end.
pub fn dismiss() {
    WATCH.reserve.want(usize::from(u16::MAX));
}

/// How many threads are stuck in the host's files now.
pub fn stuck() -> u64 {
    WATCH.stuck.load(Relaxed)
}

/// Whether something has been stuck lately.
pub fn is_wary() -> bool {
    WATCH.is_wary()
}

/// Does `work`, which may be stuck, on a thread that is no worker of the runtime.
pub fn noted<T>(work: impl FnOnce() -> T) -> T {
    let _inside = Inside::enter(true);
    work()
}

/// Does `work`, which may be stuck: on a worker, where the server is wary, the worker is given away first.
fn guarded<T>(work: impl FnOnce() -> T) -> T {
    if !WATCH.is_wary() {
        let _inside = Inside::enter(false);
        return work();
    }
    tokio::task::block_in_place(|| {
        let _inside = Inside::enter(true);
        work()
    })
}

/// A future whose polls are watched; to be spawned on the [`runtime`].
pub struct Watched<F>(Option<Pin<Box<F>>>);

impl<F> Watched<F> {
    pub fn new(future: F) -> Watched<F> {
        Watched(Some(Box::pin(future)))
    }
}

impl<F: Future> Future for Watched<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let future = self.0.as_mut().expect("it is there until it is dropped");
        guarded(|| future.as_mut().poll(cx))
    }
}

impl<F> Drop for Watched<F> {
    fn drop(&mut self) {
        // What it has open is closed, and a close may wait for a disk too.
        if let Some(future) = self.0.take() {
            guarded(|| drop(future));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;
    use std::time::Instant;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    /// A runtime, and a reserve that may keep one of its workers.
    fn of_two_workers() -> (tokio::runtime::Runtime, &'static Reserve) {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        // Each time a worker looks for work it looks first where spare workers come from.
        let runtime = builder.worker_threads(2).global_queue_interval(1).enable_all().build().unwrap();
        let (wanted, changed, leaving) = (Mutex::new(0), Condvar::new(), Mutex::new(()));
        (runtime, Box::leak(Box::new(Reserve { wanted, changed, leaving })))
    }

    /// A connection that was woken on a worker which then went into the reserve waited there for ever.
    #[test]
    fn who_was_woken_on_a_worker_that_goes_into_the_reserve_is_served_by_another() {
        let (runtime, reserve) = of_two_workers();
        let (mut client, server) = UnixStream::pair().unwrap();
        client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        server.set_nonblocking(true).unwrap();
        runtime.spawn(async move {
            let mut server = tokio::net::UnixStream::from_std(server).unwrap();
            let mut byte = [0];
            while server.read_exact(&mut byte).await.is_ok() {
                server.write_all(&byte).await.unwrap();
            }
        });
        for round in 0..2000 {
            client.write_all(&[1]).unwrap();
            keep(runtime.handle(), reserve);
            let answered = client.read_exact(&mut [0]);
            reserve.want(1);
            answered.unwrap_or_else(|error| panic!("round {round}: {error}"));
        }
        runtime.shutdown_background();
    }

    /// A task that had given way to others (yield_now, or all that it may do at once) on a worker which then went into the reserve
    /// waited there for ever: it stands in no queue.
    #[test]
    fn who_gave_way_on_a_worker_that_goes_into_the_reserve_goes_on() {
        let (runtime, reserve) = of_two_workers();
        for round in 0..50 {
            let (done, is_done) = mpsc::channel();
            let end = Instant::now() + Duration::from_millis(20);
            for _ in 0..4 {
                let done = done.clone();
                runtime.spawn(async move {
                    while Instant::now() < end {
                        tokio::task::yield_now().await;
                    }
                    // Nobody listens any more where this test has failed.
                    let _ = done.send(());
                });
            }
            keep(runtime.handle(), reserve);
            let went_on: Vec<_> = (0..4).map(|_| is_done.recv_timeout(Duration::from_secs(20))).collect();
            reserve.want(1);
            assert!(went_on.iter().all(Result::is_ok), "round {round}: {went_on:?}");
            // Nobody is wanted in the next round before he is kept.
            while *reserve.wanted.lock() > 0 {
                std::thread::sleep(TAKEN);
            }
        }
        runtime.shutdown_background();
    }
}
