//! The hold on a running guest: stop, cont, kill, limits and cpu time, all in force at the one place where a guest gets to
//! run, [`Driver::poll`].
//!
//! ```text
//! poll ─► killed? wall time up? ──► end         wasmtime's epoch brings a guest that computes back here every tick;
//!      ─► stopped? ──► nothing runs             one that waits is not here at all
//!      ─► cpu time up? ──► end
//!      ─► not its turn? ──► it waits in line
//!      ─► the guest runs, its cpu time is counted
//! ```

use crate::limits::LiveLimits;
use crate::ticker::{TICK, Ticker};
use crate::turns::Turn;
use futures_util::task::AtomicWaker;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;
use task::{Exit, Limits, Usage, show_time};
use tokio::time::{Instant, Sleep};

/// Exit codes of limits, by the signals that a Unix sends for them: SIGXCPU, SIGALRM.
const EXIT_CPU: i32 = 128 + 24;
const EXIT_WALL: i32 = 128 + 14;

/// What the owner of a task and the guest's own thread share.
pub(crate) struct Control {
    stopped: AtomicBool,
    /// Set once: the end that was decided from outside or by a limit.
    end: OnceLock<Exit>,
    waker: AtomicWaker,
    pub limits: Arc<LiveLimits>,
    pub usage: Arc<Usage>,
    /// The thread's cpu clock when the guest got to run last.
    slice: AtomicU64,
    /// How many ticks it has stayed on its thread since.
    stayed: AtomicU32,
}

impl Control {
    pub fn new(limits: Limits, usage: Arc<Usage>) -> Control {
        Control {
            stopped: AtomicBool::new(false),
            end: OnceLock::new(),
            waker: AtomicWaker::new(),
            limits: Arc::new(LiveLimits::new(limits)),
            usage,
            slice: AtomicU64::new(0),
            stayed: AtomicU32::new(0),
        }
    }

    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
    }
    pub fn cont(&self) {
        self.stopped.store(false, Ordering::Release);
        self.waker.wake();
    }
    /// Ends the guest; the first end counts.
    pub fn kill(&self, exit: Exit) {
        // A later end changes nothing: that is what an error of `set` says.
        let _ = self.end.set(exit);
        self.waker.wake();
    }
    pub fn set_limits(&self, limits: Limits) {
        self.limits.set(limits);
        self.waker.wake();
    }

    /// Cpu time since the guest got to run last. Only meaningful on the thread that runs it.
    pub fn slice_ns(&self) -> u64 {
        thread_cpu_ns().saturating_sub(self.slice.load(Ordering::Relaxed))
    }
    /// Whether the guest has run for so long that others should.
    pub fn used_up(&self) -> bool {
        u128::from(self.slice_ns()) >= TURN.as_nanos()
    }
    /// For a guest that has used up its time and that nobody waits for: whether it may go on where it is. Giving way would wake
    /// another thread, which takes the guest to another core as often as not. Only asked on the thread that runs it.
    pub fn stays(&self) -> bool {
        let limits = self.limits.get();
        let limited = limits.cpu.is_some() || limits.wall.is_some();
        let wanted = self.end.get().is_some() || self.stopped.load(Ordering::Acquire);
        if limited || wanted || self.stayed.load(Ordering::Relaxed) >= STAY {
            return false;
        }
        self.stayed.fetch_add(1, Ordering::Relaxed);
        Usage::add(&self.usage.user_ns, self.slice_ns());
        self.slice.store(thread_cpu_ns(), Ordering::Relaxed);
        true
    }
    /// All cpu time so far, the running slice included.
    pub fn cpu_ns(&self) -> u64 {
        self.usage.user_ns.load(Ordering::Relaxed) + self.slice_ns()
    }
}

/// What a guest has for sure: the epoch moves on for all at once, also for those who have just got to run.
const TURN: Duration = Duration::from_nanos(TICK.as_nanos() as u64 / 2);

/// At most so many ticks on one thread, whatever is believed about others.
const STAY: u32 = 10;

/// The calling thread's time on a cpu.
fn thread_cpu_ns() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// Runs a guest's life to its end, under its control.
pub(crate) struct Driver<F> {
    life: Pin<Box<F>>,
    control: Arc<Control>,
    ticker: Arc<Ticker>,
    turn: Turn,
    started: Instant,
    wall: Option<(Pin<Box<Sleep>>, Exit)>,
    cpu: Option<Duration>,
}

impl<F: Future<Output = Exit>> Driver<F> {
    pub fn new(life: F, control: Arc<Control>, ticker: Arc<Ticker>, turn: Turn) -> Driver<F> {
        let life = Box::pin(life);
        Driver { life, control, ticker, turn, started: Instant::now(), wall: None, cpu: None }
    }

    fn see_limits(&mut self) {
        let Some(limits) = self.control.limits.changed() else { return };
        self.cpu = limits.cpu;
        self.wall = limits.wall.map(|wall| {
            let exit = Exit::killed(EXIT_WALL, format!("wall limit {} reached", show_time(wall)));
            // A limit beyond what the clock can count is none that strikes in this machine's life.
            let end = self.started.checked_add(wall).unwrap_or(self.started + FOREVER);
            (Box::pin(tokio::time::sleep_until(end)), exit)
        });
    }

    fn over_cpu(&self) -> Option<Exit> {
        let limit = self.cpu?;
        let used = self.control.usage.user_ns.load(Ordering::Relaxed);
        (u128::from(used) >= limit.as_nanos())
            .then(|| Exit::killed(EXIT_CPU, format!("cpu limit {} reached", show_time(limit))))
    }
}

const FOREVER: Duration = Duration::from_secs(100 * 365 * 86_400);

impl<F: Future<Output = Exit>> Future for Driver<F> {
    type Output = Exit;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Exit> {
        let this = &mut *self;
        this.control.waker.register(cx.waker());
        if let Some(exit) = this.control.end.get() {
            return Poll::Ready(exit.clone());
        }
        this.see_limits();
        if let Some((timer, exit)) = &mut this.wall
            && timer.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(exit.clone());
        }
        if this.control.stopped.load(Ordering::Acquire) {
            return Poll::Pending;
        }
        if let Some(exit) = this.over_cpu() {
            return Poll::Ready(exit);
        }
        if this.turn.poll(cx).is_pending() {
            return Poll::Pending;
        }
        let running = this.ticker.running();
        this.control.slice.store(thread_cpu_ns(), Ordering::Relaxed);
        this.control.stayed.store(0, Ordering::Relaxed);
        let life = this.life.as_mut().poll(cx);
        let used = this.control.slice_ns();
        drop(running);
        this.turn.over(u128::from(used) >= TURN.as_nanos());
        Usage::add(&this.control.usage.user_ns, used);
        match (life, this.control.end.get()) {
            (Poll::Ready(exit), _) => Poll::Ready(exit),
            // A limit that struck while the guest ran: nobody else may wake it.
            (Poll::Pending, Some(exit)) => Poll::Ready(exit.clone()),
            (Poll::Pending, None) => this.over_cpu().map_or(Poll::Pending, Poll::Ready),
        }
    }
}
