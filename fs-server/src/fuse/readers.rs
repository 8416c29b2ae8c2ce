//! How many of a mount's session threads take requests off the kernel: one, for as long as it keeps up.
//!
//! The kernel gives a request to the thread that has waited longest. Threads that take turns like that are woken each on
//! another processor, with a cold cache, and a program that asks for one thing after the other waits several times as long
//! as for one thread. So the others rest here, at the end of the last request that they answered, and not in the kernel.
//! All of them are called where one does not keep up: it has computed without a pause while requests queued, or had to sleep
//! in one (a disk), or does not come back from one at all ([`Readers::call`]). After a second without any of that they rest again.
//! The one looks for the next request before it sleeps, where that is of use (`looking`).

use super::device::Device;
use super::looking::{FEWEST, FULL, Looking, WINDOW, Window};
use nine::patience;
use parking_lot::{Condvar, Mutex};
use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

/// How long all threads are kept at it.
const CALLED: Duration = Duration::from_secs(1);
/// The percentage of a window's time from which on it computed all the time.
const BUSY: u32 = 90;
/// Behind more than this part of such a window's requests the next one was there already: else who asks is one who waits for
/// large answers.
const QUEUED: u32 = 4;
/// A request that took longer may have slept in its work, or have been kept from its processor.
const LONG: Duration = Duration::from_micros(200);
/// Without a request for so long, what comes next has nothing to do with what was before.
const GAP: Duration = Duration::from_millis(2);
/// So many requests after a long one a thread's sleeps are counted, which costs a system call each.
const WATCHED: u32 = 256;

/// The session threads of one mount.
pub(super) struct Readers {
    device: Arc<Device>,
    began: Instant,
    threads: usize,
    /// Up to when all are wanted, in nanoseconds since `began`.
    until: AtomicU64,
    /// Those that do not rest.
    active: AtomicUsize,
    /// Those whose work a disk may hold just now.
    held: AtomicUsize,
    /// The session ends.
    over: AtomicBool,
    resting: Mutex<usize>,
    called: Condvar,
}

/// Mounts whose threads may rest.
struct Mounts(Mutex<Vec<Weak<Readers>>>);

static ALL: Mounts = Mounts(Mutex::new(Vec::new()));

impl Mounts {
    fn add(&self, readers: &Arc<Readers>) {
        let mut all = self.0.lock();
        all.retain(|readers| readers.strong_count() > 0);
        all.push(Arc::downgrade(readers));
    }

    fn call(&self) {
        let now = Instant::now();
        let all: Vec<_> = self.0.lock().iter().filter_map(Weak::upgrade).collect();
        all.iter().for_each(|readers| readers.call(now));
    }
}

/// A session thread's own.
#[derive(Default)]
struct Mine {
    /// When its window began, on the clock and of the processor's time that it had; and its requests since.
    window: Cell<Option<(Instant, Duration)>>,
    requests: Cell<u32>,
    /// When the last one ended.
    last: Cell<Option<Instant>>,
    /// For how long it has looked in it for the next request.
    looked: Cell<Duration>,
    /// It computed all the time in the window before, and behind how many requests since the next one was there already.
    busy: Cell<bool>,
    queued: Cell<u32>,
    looking: RefCell<Looking>,
    /// For how many requests more its sleeps are counted.
    watched: Cell<u32>,
    /// Whose it is. When it ends, so do the others.
    leaving: RefCell<Option<Leaving>>,
}

impl Mine {
    fn is_full(&self, now: Instant) -> bool {
        let requests = self.requests.get();
        let long = || self.window.get().is_some_and(|(began, _)| now - began >= FULL);
        requests >= WINDOW || (requests >= FEWEST && long())
    }

    /// What was of the window so far does not count.
    fn restart(&self, now: Instant) {
        self.window.set(Some((now, processor_time())));
        self.requests.set(0);
        self.looked.take();
        self.queued.take();
        self.busy.set(false);
    }
}

struct Leaving(Arc<Readers>);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.end();
    }
}

thread_local!(static MINE: Mine = Mine::default());

/// A session thread whose work a disk may hold.
pub(super) struct MayBeHeld<'r>(&'r Readers);

impl Drop for MayBeHeld<'_> {
    fn drop(&mut self) {
        self.0.held.fetch_sub(1, Relaxed);
    }
}

/// A request that a session thread is at.
pub(super) struct Turn<'r> {
    readers: &'r Arc<Readers>,
    began: Instant,
    /// How often the thread had slept, where that is counted.
    slept: Option<i64>,
}

/// How often this thread has slept by its own doing.
fn sleeps() -> i64 {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the kernel writes a whole `struct rusage` or fails and leaves zeroes, which are one too.
    unsafe {
        libc::getrusage(libc::RUSAGE_THREAD, usage.as_mut_ptr());
        usage.assume_init().ru_nvcsw
    }
}

/// The processor's time that this thread has had.
fn processor_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

impl Readers {
    pub(super) fn of_a_mount(device: Arc<Device>, threads: usize) -> Arc<Readers> {
        let readers = Readers::new(device, threads);
        ALL.add(&readers);
        readers
    }

    fn new(device: Arc<Device>, threads: usize) -> Arc<Readers> {
        Arc::new(Readers {
            device,
            began: Instant::now(),
            threads,
            until: AtomicU64::new(0),
            active: AtomicUsize::new(threads),
            held: AtomicUsize::new(0),
            over: AtomicBool::new(false),
            resting: Mutex::new(0),
            called: Condvar::new(),
        })
    }

    /// A session thread takes up a request.
    pub(super) fn begin(self: &Arc<Self>) -> Turn<'_> {
        let began = Instant::now();
        MINE.with(|mine| {
            if mine.leaving.borrow().is_none() {
                *mine.leaving.borrow_mut() = Some(Leaving(self.clone()));
            }
            mine.requests.set(mine.requests.get() + 1);
            if mine.last.get().is_none_or(|last| began - last > GAP) {
                mine.restart(began);
            } else if mine.is_full(began) {
                let requests = mine.requests.take();
                let computed = processor_time();
                let before = mine.window.replace(Some((began, computed)));
                // Who looked had nothing to do.
                let looked = mine.looked.take();
                let queued = mine.queued.take();
                if let Some((then, before)) = before {
                    let (computed, took) = (computed - before, began - then);
                    mine.busy.set(computed.saturating_sub(looked) * 100 > took * BUSY);
                    if mine.busy.get() && queued > requests / QUEUED {
                        self.call(began);
                    }
                    let each = Window { took: took / requests, looked: looked / requests };
                    mine.looking.borrow_mut().learn(each);
                }
            }
        });
        let watched = MINE.with(|mine| mine.watched.replace(mine.watched.get().saturating_sub(1)) > 0);
        Turn { readers: self, began, slept: watched.then(sleeps) }
    }

    /// To be asked, and kept, by a session thread that does what a disk may hold: none where all others are at such a thing,
    /// and nobody would be left to take what has nothing to do with a disk. A lone thread has no others.
    pub(super) fn may_be_held(&self) -> Option<MayBeHeld<'_>> {
        let held = MayBeHeld(self);
        let others = self.held.fetch_add(1, Relaxed);
        (others + 1 < self.threads || self.threads == 1).then_some(held)
    }

    /// All threads are wanted for a while.
    fn call(&self, now: Instant) {
        let until = (now + CALLED).saturating_duration_since(self.began);
        self.until.store(u64::try_from(until.as_nanos()).unwrap_or(u64::MAX), Relaxed);
        if self.active.load(Relaxed) < self.threads {
            self.wake();
        }
    }

    fn wake(&self) {
        // Whoever goes to rest looks once more under the lock.
        let resting = self.resting.lock();
        if *resting > 0 {
            self.called.notify_all();
        }
    }

    /// No thread rests any more: the session ends.
    pub(super) fn end(&self) {
        self.over.store(true, Relaxed);
        self.wake();
    }

    fn are_wanted(&self) -> bool {
        let until = Duration::from_nanos(self.until.load(Relaxed));
        self.over.load(Relaxed) || (until > Duration::ZERO && self.began.elapsed() < until)
    }

    /// Rests, unless this is the only one that does not.
    fn rest(&self) {
        if self.active.load(Relaxed) <= 1 || self.are_wanted() {
            return;
        }
        let mut resting = self.resting.lock();
        if self.active.load(Relaxed) <= 1 || self.are_wanted() {
            return;
        }
        self.active.fetch_sub(1, Relaxed);
        *resting += 1;
        while !self.are_wanted() {
            self.called.wait(&mut resting);
        }
        *resting -= 1;
        self.active.fetch_add(1, Relaxed);
    }

    /// Looks for the next request, where this is the only one that would take it.
    fn look(&self, mine: &Mine) {
        if mine.busy.get() && self.device.is_ready() {
            return mine.queued.set(mine.queued.get() + 1);
        }
        let mut looking = mine.looking.borrow_mut();
        if looking.looks()
            && self.active.load(Relaxed) == 1
            && let Some(_others_may_work) = patience::Turn::take()
        {
            let began = Instant::now();
            looking.look(|| self.device.is_ready());
            mine.looked.set(mine.looked.get() + began.elapsed());
        }
    }
}

/// Calls the threads of every mount: one is held by a disk.
pub(crate) fn call_all() {
    ALL.call();
}

impl Turn<'_> {
    /// The request is answered, or on its way.
    pub(super) fn end(self) {
        let now = Instant::now();
        MINE.with(|mine| {
            mine.last.set(Some(now));
            if now - self.began > LONG {
                mine.watched.set(WATCHED);
                if self.slept.is_some_and(|before| sleeps() > before) {
                    self.readers.call(now);
                }
            }
        });
        self.readers.rest();
        MINE.with(|mine| self.readers.look(mine));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fd::AsFd;
    use std::io::Write;

    /// A thread that takes up a request and ends it, as often as `go` says.
    fn reader(readers: &Arc<Readers>, rounds: u32) -> std::thread::JoinHandle<()> {
        let readers = readers.clone();
        std::thread::spawn(move || {
            for _ in 0..rounds {
                readers.begin().end();
                std::thread::sleep(Duration::from_micros(40));
            }
        })
    }

    fn until(mut done: impl FnMut() -> bool) {
        let began = Instant::now();
        while !done() {
            assert!(began.elapsed() < Duration::from_secs(20), "in vain");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn all_but_one_rest_until_they_are_called_or_one_ends() {
        let readers = Readers::new(Arc::default(), 3);
        let resting: Vec<_> = (0..2).map(|_| reader(&readers, 1)).collect();
        until(|| readers.active.load(Relaxed) == 1);
        assert!(resting.iter().all(|thread| !thread.is_finished()));
        // The last one does not rest, whatever it does.
        let last = readers.clone();
        let last = std::thread::spawn(move || (0..10).for_each(|_| last.begin().end()));
        last.join().unwrap();
        // It has ended, and a session with it.
        until(|| resting.iter().all(std::thread::JoinHandle::is_finished));
        assert_eq!(readers.active.load(Relaxed), 3);
    }

    #[test]
    fn a_disk_never_holds_the_last_one() {
        let readers = Readers::new(Arc::default(), 3);
        let held = [readers.may_be_held(), readers.may_be_held()];
        assert!(held.iter().all(Option::is_some));
        assert!(readers.may_be_held().is_none());
        assert!(readers.may_be_held().is_none(), "who was refused is not counted");
        drop(held);
        assert!(readers.may_be_held().is_some());
        let lone = Readers::new(Arc::default(), 1);
        assert!(lone.may_be_held().is_some());
    }

    #[test]
    fn a_disk_that_holds_one_calls_the_others() {
        let mounts = Mounts(Mutex::default());
        let readers = Readers::new(Arc::default(), 2);
        mounts.add(&readers);
        let resting = reader(&readers, 1);
        until(|| readers.active.load(Relaxed) == 1);
        mounts.call();
        until(|| resting.is_finished());
    }

    /// A device that has a request, or has none.
    fn device(has_request: bool) -> (Arc<Device>, std::io::PipeWriter) {
        let (kernel, mut requests) = std::io::pipe().unwrap();
        if has_request {
            requests.write_all(b"a request").unwrap();
        }
        let device = Arc::new(Device::default());
        device.is(kernel.as_fd()).unwrap();
        (device, requests)
    }

    #[test]
    fn one_that_computes_without_a_pause_calls_the_others_where_somebody_waits_for_it() {
        let (device, _requests) = device(true);
        let readers = Readers::new(device, 2);
        let resting = reader(&readers, 1);
        until(|| readers.active.load(Relaxed) == 1);
        until(|| {
            (0..WINDOW * 3).for_each(|_| readers.begin().end());
            resting.is_finished()
        });
    }

    #[test]
    fn a_window_is_full_after_many_requests_or_after_a_few_that_took_long() {
        let (mine, now) = (Mine::default(), Instant::now());
        mine.restart(now);
        for (requests, took, full) in [
            (WINDOW - 1, FULL / 2, false),
            (WINDOW, FULL / 2, true),
            (FEWEST, FULL, true),
            (FEWEST - 1, FULL * 9, false),
        ] {
            mine.requests.set(requests);
            assert_eq!(mine.is_full(now + took), full, "{requests} in {took:?}");
        }
    }

    #[test]
    fn one_who_waits_for_large_answers_is_answered_by_one_thread() {
        let (device, _requests) = device(false);
        let readers = Readers::new(device, 2);
        let resting = reader(&readers, 1);
        until(|| readers.active.load(Relaxed) == 1);
        (0..WINDOW * 100).for_each(|_| readers.begin().end());
        assert_eq!(readers.active.load(Relaxed), 1);
        readers.end();
        resting.join().unwrap();
    }
}
