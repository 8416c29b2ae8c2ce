//! Threads of a program (node:worker_threads): each an engine of its own in a runtime of its own, over the process's one link
//! to the server. What they share with each other is [`Shared`]; what they say to each other goes through ports, which
//! JavaScript holds.
//!
//! ```text
//! Request::start ── a thread: Warm ── Worker::start ── the script, its event loop ──► End
//!     └─► Reins: ends it from outside, waits for its end
//! ```

use super::Seed;
use super::run::{Birth, Main, Warm, Worker};
use crate::files::Tree;
use crate::ops::Task;
use deno_core::{CompiledWasmModuleStore, DetachedBuffer, SharedArrayBufferStore, v8};
use deno_node::ops::worker_threads::{DEFAULT_STACK_SIZE_MB, ResolvedResourceLimits};
use deno_web::{BlobStore, InMemoryBroadcastChannel, Transferable};
use serde::{Deserialize, Serialize};
use std::io;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::{Notify, watch};

/// What all engines of a process have in common.
#[derive(Clone)]
pub struct Shared {
    pub(super) seed: Seed,
    /// SharedArrayBuffers on their way from one to another.
    pub(super) memories: SharedArrayBufferStore,
    /// WebAssembly modules likewise.
    pub(super) compiled: CompiledWasmModuleStore,
    pub(super) blobs: Arc<BlobStore>,
    pub(super) broadcast: InMemoryBroadcastChannel,
}

impl Shared {
    pub fn new(seed: Seed) -> Shared {
        Shared {
            seed,
            memories: SharedArrayBufferStore::default(),
            compiled: CompiledWasmModuleStore::default(),
            blobs: Arc::default(),
            broadcast: InMemoryBroadcastChannel::default(),
        }
    }
}

/// Node's `resourceLimits`, in MiB.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    max_young_generation_size_mb: Option<f64>,
    max_old_generation_size_mb: Option<f64>,
    code_range_size_mb: Option<f64>,
    stack_size_mb: Option<f64>,
}

impl Limits {
    fn megabytes(value: Option<f64>) -> Option<usize> {
        value.filter(|mb| *mb >= 1.0).map(|mb| mb as usize)
    }

    fn stack(&self) -> usize {
        Limits::megabytes(self.stack_size_mb).unwrap_or(DEFAULT_STACK_SIZE_MB).min(512)
    }

    /// For a new engine.
    fn bounds(&self) -> v8::CreateParams {
        let bounds = v8::CreateParams::default();
        match Limits::megabytes(self.max_old_generation_size_mb) {
            Some(old) => {
                let young = Limits::megabytes(self.max_young_generation_size_mb).unwrap_or_default();
                bounds.heap_limits(0, (old + young) << 20)
            }
            None => bounds,
        }
    }

    /// As they are, once there is an engine: `heap` is the bytes it may have.
    fn resolved(&self, heap: usize) -> ResolvedResourceLimits {
        let young = Limits::megabytes(self.max_young_generation_size_mb).unwrap_or(48);
        let old = Limits::megabytes(self.max_old_generation_size_mb);
        ResolvedResourceLimits {
            max_young_generation_size_mb: young,
            max_old_generation_size_mb: old.unwrap_or(heap >> 20),
            code_range_size_mb: Limits::megabytes(self.code_range_size_mb).unwrap_or_default(),
            stack_size_mb: self.stack(),
        }
    }
}

/// How a thread ended.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct End {
    pub code: i32,
    pub is_out_of_memory: bool,
    /// Why it could not go on, where that was no error of its program.
    pub message: Option<String>,
}

/// A thread as others hold it.
pub struct Reins {
    state: Mutex<State>,
    bell: Notify,
    over: watch::Sender<Option<End>>,
    clock: AtomicI32,
}

#[derive(Default)]
struct State {
    engine: Option<v8::IsolateHandle>,
    /// How it is to end, once that is decided.
    end: Option<End>,
}

/// No thread has written its clock yet.
const NO_CLOCK: i32 = 0;

impl Reins {
    fn new() -> Reins {
        Reins {
            state: Mutex::default(),
            bell: Notify::new(),
            over: watch::Sender::new(None),
            clock: AtomicI32::new(NO_CLOCK),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of the lock panics")
    }

    /// Ends the thread at once; the first to say so decides how.
    pub fn end(&self, end: End) {
        let mut state = self.lock();
        state.end.get_or_insert(end);
        if let Some(engine) = &state.engine {
            engine.terminate_execution();
        }
        drop(state);
        self.bell.notify_one();
    }

    /// Whether it is to end.
    pub fn is_ending(&self) -> bool {
        self.lock().end.is_some()
    }

    /// Waits for its end.
    pub async fn over(&self) -> End {
        let mut over = self.over.subscribe();
        match over.wait_for(Option::is_some).await {
            Ok(end) => end.clone().unwrap_or_default(),
            Err(_) => End::default(),
        }
    }

    /// The processor time that it has used, in nanoseconds; none where it has ended or not begun.
    pub fn cpu_time(&self) -> Option<u64> {
        let clock = self.clock.load(Ordering::Relaxed);
        if clock == NO_CLOCK || self.over.borrow().is_some() {
            return None;
        }
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: a live timespec. A clock whose thread is gone is an error, not a fault.
        let done = unsafe { libc::clock_gettime(clock, &mut time) };
        (done == 0).then_some(time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64)
    }

    fn has_begun(&self, engine: v8::IsolateHandle) -> Result<(), End> {
        let mut clock = 0;
        // SAFETY: of the calling thread, into a live integer.
        if unsafe { libc::pthread_getcpuclockid(libc::pthread_self(), &mut clock) } == 0 {
            self.clock.store(clock, Ordering::Relaxed);
        }
        let mut state = self.lock();
        state.engine = Some(engine);
        state.end.clone().map_or(Ok(()), Err)
    }
}

/// A thread that is wanted.
pub struct Request {
    pub task: Task,
    pub tree: Tree,
    pub main: Main,
    pub limits: Limits,
    pub data: (DetachedBuffer, Vec<Transferable>),
}

static NUMBERS: AtomicU32 = AtomicU32::new(1);

impl Request {
    /// Makes the thread; its number.
    ///
    /// # Errors
    /// Those of making a thread: the process may have so many.
    pub fn start(self) -> io::Result<(u32, Arc<Reins>)> {
        let id = NUMBERS.fetch_add(1, Ordering::Relaxed);
        let reins = Arc::new(Reins::new());
        let ours = reins.clone();
        self.task.desk.lead();
        std::thread::Builder::new()
            .name(format!("worker {id}"))
            .stack_size(self.limits.stack() << 20)
            .spawn(move || {
                let end = self.run(id, &ours);
                // Nothing of it is left when its maker hears of its end.
                ours.over.send_replace(Some(end));
            })?;
        Ok((id, reins))
    }

    fn run(self, id: u32, reins: &Arc<Reins>) -> End {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(e) => return End { code: 1, message: Some(e.to_string()), ..End::default() },
        };
        let local = tokio::task::LocalSet::new();
        local.block_on(&runtime, self.live(id, reins))
    }

    async fn live(self, id: u32, reins: &Arc<Reins>) -> End {
        let mut warm = Warm::within(&self.task.shared, Some(self.limits.bounds()));
        if let Err(end) = reins.has_begun(warm.handle()) {
            return end;
        }
        end_before_the_heap_does(&mut warm, reins);
        let heap = warm.js().v8_isolate().get_heap_statistics().heap_size_limit();
        let birth = Birth { reins: reins.clone(), id, data: self.data, limits: self.limits.resolved(heap) };
        let outcome = match Worker::start(warm, &self.tree, &self.task, Some(birth)) {
            Ok(mut worker) => {
                tokio::select! {
                    biased;
                    () = reins.bell.notified() => Ok(1),
                    done = worker.run(&self.main) => done.map(|()| worker.exit_code()),
                }
            }
            Err(message) => Err(message),
        };
        // Whoever ended it knows better.
        let decided = reins.lock().end.clone();
        match (decided, outcome) {
            (Some(end), _) => end,
            (None, Ok(code)) => End { code, ..End::default() },
            (None, Err(message)) => End { code: 1, message: Some(message), ..End::default() },
        }
    }
}

/// A thread whose heap is full ends alone. QuickJS throws, and has no such limit.
fn end_before_the_heap_does(warm: &mut Warm, reins: &Arc<Reins>) {
    if cfg!(feature = "quickjs") {
        return;
    }
    let reins = reins.clone();
    warm.js().add_near_heap_limit_callback(move |limit, _| {
        reins.end(End { code: 1, is_out_of_memory: true, ..End::default() });
        // Room to come to its end in.
        limit * 2
    });
}
