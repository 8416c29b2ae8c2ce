//! Workers made ahead of time: a task takes a warm one, and another is made in its place behind the scenes.
//!
//! ```text
//! spawner ──► booting ──ready──► warm ──take──► one task, one end
//!    ▲                             │
//!    └────────── one more ◄────────┘   never two at once: tasks that run have the machine
//! ```

use crate::cgroup::Cgroups;
use crate::door::Door;
use crate::engine::Engine;
use crate::ipc::Exchange;
use crate::spawn::Spawner;
use crate::worker::Worker;
use nine::server::thread::Threads;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore};
use vfs::{Errno, Error, Export, Result};

/// How long an engine may take until it is warm, on a machine that is busy.
const BOOT: Duration = Duration::from_secs(60);
/// So many workers for each processor are served by a thread of their own; those beyond are the runtime's.
const THREADS: usize = 8;
/// How long the pool leaves the machine to a task that has just started.
const HOLD: Duration = Duration::from_millis(50);
/// How long a server that has just started has the machine to itself, unless a task wants a worker.
const FIRST: Duration = Duration::from_millis(500);
/// After a worker that did not come up, the pool waits before it tries again by itself.
const PAUSE: Duration = Duration::from_secs(2);

pub(crate) struct Pool {
    pub engine: Engine,
    handle: Handle,
    spawner: Spawner,
    export: Arc<Export<Door>>,
    pub exchange: Arc<Exchange>,
    /// Those that serve workers.
    threads: Threads,
    cgroups: Option<Arc<Cgroups>>,
    /// Workers kept warm.
    size: usize,
    weak_walls: bool,
    warm: Mutex<VecDeque<Arc<Worker>>>,
    /// A worker was taken, or died: the pool may want another.
    wanted: Notify,
    /// Workers booted for tasks that found the pool empty: so many at once.
    boots: Semaphore,
    taken: AtomicUsize,
    made: AtomicU64,
    failed: AtomicU64,
    /// Tasks that found no warm worker.
    missed: AtomicU64,
}

impl Pool {
    /// To be called within a tokio runtime, on which the pool lives as long as it is held.
    pub fn start(
        engine: Engine,
        door: Door,
        exchange: Arc<Exchange>,
        size: usize,
        weak_walls: bool,
        cgroups: Option<Arc<Cgroups>>,
    ) -> std::io::Result<Arc<Pool>> {
        let spawner = Spawner::start(&engine)?;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let pool = Arc::new(Pool {
            engine,
            handle: Handle::current(),
            spawner,
            export: Arc::new(Export::new(door)),
            exchange,
            threads: Threads::new(cores * THREADS),
            cgroups,
            size,
            weak_walls,
            warm: Mutex::default(),
            wanted: Notify::new(),
            boots: Semaphore::new(cores),
            taken: AtomicUsize::new(0),
            made: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            missed: AtomicU64::new(0),
        });
        let weak = Arc::downgrade(&pool);
        pool.handle.spawn(async move {
            if let Some(pool) = weak.upgrade() {
                let _either_way = tokio::time::timeout(FIRST, pool.wanted.notified()).await;
            }
            loop {
                let Some(pool) = weak.upgrade() else { return };
                if pool.has_enough() {
                    // Looked at again before the wait, so that no word is missed.
                    let wanted = pool.wanted.notified();
                    tokio::pin!(wanted);
                    wanted.as_mut().enable();
                    if pool.has_enough() {
                        // The pool must not be held while there is nothing to do.
                        let _again = tokio::time::timeout(BOOT, wanted).await;
                    }
                    continue;
                }
                match pool.boot().await {
                    Ok(worker) => pool.warm.lock().push_back(worker),
                    Err(error) => {
                        tracing::warn!("a worker for Node programs: {error}");
                        drop(pool);
                        tokio::time::sleep(PAUSE).await;
                    }
                }
            }
        });
        Ok(pool)
    }

    /// Those that died in the pool are sorted out.
    fn has_enough(&self) -> bool {
        let mut warm = self.warm.lock();
        warm.retain(|worker| !worker.has_ended());
        warm.len() >= self.size
    }

    /// A warm worker, for one task.
    pub async fn take(&self) -> Result<Arc<Worker>> {
        let found = {
            let mut warm = self.warm.lock();
            std::iter::from_fn(|| warm.pop_front()).find(|worker| !worker.has_ended())
        };
        let worker = match found {
            Some(worker) => worker,
            None => {
                self.missed.fetch_add(1, Ordering::Relaxed);
                let _turn = self.boots.acquire().await.map_err(|_| Errno::ECANCELED)?;
                self.boot().await?
            }
        };
        self.taken.fetch_add(1, Ordering::Relaxed);
        Ok(worker)
    }

    /// The task of a worker that was taken has ended.
    pub fn give_back(&self) {
        self.taken.fetch_sub(1, Ordering::Relaxed);
    }

    /// Lets the pool fill up again, a moment from now.
    pub fn refill(self: &Arc<Self>) {
        let weak = Arc::downgrade(self);
        self.handle.spawn(async move {
            tokio::time::sleep(HOLD).await;
            if let Some(pool) = weak.upgrade() {
                pool.wanted.notify_one();
            }
        });
    }

    async fn boot(&self) -> Result<Arc<Worker>> {
        let failed = |error: Error| {
            self.failed.fetch_add(1, Ordering::Relaxed);
            error.context(self.engine.executable.display())
        };
        let spawned = self.spawner.spawn().await.map_err(|e| failed(e.into()))?;
        let missing = spawned.hello.report.missing();
        if !missing.is_empty() && !self.weak_walls {
            let text = format!(
                "the wall has holes on this machine: {} (--weak-walls runs it so)",
                missing.join(", ")
            );
            return Err(failed(Error::new(Errno::EPERM, text)));
        }
        let worker = Worker::keep(
            spawned,
            self.export.clone(),
            self.exchange.clone(),
            self.threads.clone(),
            self.cgroups.as_deref(),
        )
        .map_err(|e| failed(e.into()))?;
        let wait = worker.wait();
        tokio::select! {
            () = worker.link.ready() => {}
            exit = wait => return Err(failed(Error::new(Errno::EIO, exit.message))),
            () = tokio::time::sleep(BOOT) => {
                worker.kill(task::Exit::killed(128 + 9, "it did not come up"));
                let text = format!("it was not ready within {}s", BOOT.as_secs());
                return Err(failed(Error::new(Errno::ETIMEDOUT, text)));
            }
        }
        self.made.fetch_add(1, Ordering::Relaxed);
        Ok(worker)
    }

    pub fn describe(&self) -> String {
        format!(
            "warm {}\nwanted {}\ntasks {}\nmade {}\nfailed {}\nmissed {}\n",
            self.warm.lock().len(),
            self.size,
            self.taken.load(Ordering::Relaxed),
            self.made.load(Ordering::Relaxed),
            self.failed.load(Ordering::Relaxed),
            self.missed.load(Ordering::Relaxed),
        )
    }

    /// What is missing of the walls here; none where that is not known yet.
    pub fn wall(&self) -> Option<wall::Report> {
        self.warm.lock().front().map(|worker| worker.report.clone())
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        for worker in self.warm.get_mut().drain(..) {
            worker.kill(task::Exit::killed(128 + 9, "the server stops"));
        }
    }
}
