//! The clock that brings guests that compute back to their driver: wasmtime's epoch, moved on every few milliseconds while
//! any guest runs. With none running it sleeps.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use wasmtime::Engine;

/// A guest that computes holds a thread at most about this long at a time.
pub(crate) const TICK: Duration = Duration::from_millis(2);
/// Ticks without a guest before the clock sleeps: waking it costs a system call.
const IDLE_TICKS: u32 = 20;

pub(crate) struct Ticker {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    running: AtomicUsize,
    asleep: AtomicBool,
    closing: AtomicBool,
}

impl Ticker {
    pub fn start(engine: Engine) -> std::io::Result<Ticker> {
        let shared = Arc::new(Shared::default());
        let seen = shared.clone();
        let thread = thread::Builder::new().name("wasi-epoch".into()).spawn(move || seen.tick(&engine))?;
        Ok(Ticker { shared, thread: Some(thread) })
    }

    /// How many guests run at this moment.
    pub fn guests(&self) -> usize {
        self.shared.running.load(Ordering::Relaxed)
    }

    /// A guest runs until what is given back is dropped.
    pub fn running(&self) -> RunningGuest<'_> {
        // Sequentially consistent with the clock's own look before it sleeps: one of the two sees the other.
        self.shared.running.fetch_add(1, Ordering::SeqCst);
        if self.shared.asleep.swap(false, Ordering::SeqCst)
            && let Some(thread) = &self.thread
        {
            thread.thread().unpark();
        }
        RunningGuest(&self.shared)
    }
}

impl Shared {
    fn tick(&self, engine: &Engine) {
        let mut idle = 0;
        while !self.closing.load(Ordering::SeqCst) {
            thread::sleep(TICK);
            engine.increment_epoch();
            idle = if self.running.load(Ordering::SeqCst) == 0 { idle + 1 } else { 0 };
            if idle < IDLE_TICKS {
                continue;
            }
            self.asleep.store(true, Ordering::SeqCst);
            while self.asleep.load(Ordering::SeqCst)
                && self.running.load(Ordering::SeqCst) == 0
                && !self.closing.load(Ordering::SeqCst)
            {
                thread::park();
            }
            self.asleep.store(false, Ordering::SeqCst);
            idle = 0;
        }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            // It ends within a tick; nobody needs to wait for that.
            thread.thread().unpark();
        }
    }
}

pub(crate) struct RunningGuest<'t>(&'t Shared);

impl Drop for RunningGuest<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}
