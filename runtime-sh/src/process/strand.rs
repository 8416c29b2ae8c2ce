//! One strand of a task: a future that is polled only while the task runs, and whose time on a cpu is counted.
//!
//! ```text
//! poll ─► the task has ended? ──► end, and all that it holds goes
//!      ─► stopped? ──► nothing runs
//!      ─► it used up its time before? ──► it waits in line: as many compute at once as there are cores
//!      ─► it runs, and gives way when its slice is over
//! ```

use super::Process;
use futures_util::task::AtomicWaker;
use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use task::Usage;
use tokio::sync::{AcquireError, OwnedSemaphorePermit};

/// What a strand computes before others get their turn, in nanoseconds.
const SLICE: u64 = 2_000_000;
/// How often the clock is asked: it costs more than a step of most scripts.
const STEPS: u32 = 64;

thread_local! {
    /// The thread's cpu clock when the strand that it runs got to run; and steps since the clock was asked.
    static BEGAN: Cell<(u64, u32)> = const { Cell::new((0, 0)) };
}

/// The calling thread's time on a cpu.
fn thread_cpu_ns() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// Whether the strand that runs has used its slice: then it should let others run. Cheap.
pub(crate) fn used_up() -> bool {
    let (began, steps) = BEGAN.get();
    if steps < STEPS {
        BEGAN.set((began, steps + 1));
        return false;
    }
    BEGAN.set((began, 0));
    thread_cpu_ns().saturating_sub(began) >= SLICE
}

type Turn = Pin<Box<dyn Future<Output = Result<OwnedSemaphorePermit, AcquireError>> + Send>>;

/// See the module.
pub(crate) struct Strand<F: Future> {
    life: Option<Pin<Box<F>>>,
    process: Arc<Process>,
    number: usize,
    waker: Arc<AtomicWaker>,
    /// It used up its slice and stands in line.
    turn: Option<Turn>,
}

impl<F: Future> Strand<F> {
    pub fn new(life: F, process: Arc<Process>, number: usize, waker: Arc<AtomicWaker>) -> Strand<F> {
        Strand { life: Some(Box::pin(life)), process, number, waker, turn: None }
    }
}

impl<F: Future> Drop for Strand<F> {
    fn drop(&mut self) {
        // Its files are closed before anyone hears that it is gone.
        self.life = None;
        self.process.gone(self.number);
    }
}

impl<F: Future> Future for Strand<F> {
    /// None where the task ended first.
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        this.waker.register(cx.waker());
        if this.process.end().is_some() {
            this.life = None;
            return Poll::Ready(None);
        }
        if this.process.is_stopped() {
            return Poll::Pending;
        }
        let mut permit = None;
        if let Some(turn) = &mut this.turn {
            match turn.as_mut().poll(cx) {
                Poll::Pending => return Poll::Pending,
                // The semaphore is never closed; were it, nobody would have to wait.
                Poll::Ready(mine) => permit = mine.ok(),
            }
            this.turn = None;
        }
        let Some(life) = &mut this.life else { return Poll::Ready(None) };
        let began = thread_cpu_ns();
        BEGAN.set((began, 0));
        let polled = life.as_mut().poll(cx);
        let used = thread_cpu_ns().saturating_sub(began);
        drop(permit);
        Usage::add(&this.process.usage.user_ns, used);
        match polled {
            Poll::Ready(value) => {
                this.life = None;
                return Poll::Ready(Some(value));
            }
            Poll::Pending if used >= SLICE => {
                this.turn = Some(Box::pin(this.process.turns.clone().acquire_owned()));
                cx.waker().wake_by_ref();
            }
            Poll::Pending => {}
        }
        if let Some(exit) = this.process.over_cpu() {
            this.process.finish(exit);
        }
        if this.process.end.get().is_some() {
            this.life = None;
            return Poll::Ready(None);
        }
        Poll::Pending
    }
}
