//! The runtime itself: what the registry of runtimes sees.
//!
//! Guests run on threads of their own, a little less favoured by the system than the server's, so that guests that compute
//! slow down each other but not the server. As many of them compute at once as there are cores (see [`crate::turns`]); a
//! guest that waits holds no thread.

use crate::budget::Budget;
use crate::cache::{Bounds, Cache, Identity};
use crate::control::{Control, Driver};
use crate::guest::{Given, Guest};
use crate::life::{Hosted, Runs};
use crate::program::{Entry, MAGIC, Program};
use crate::slots::{Slot, Slots};
use crate::ticker::Ticker;
use crate::turns::Turns;
use crate::{engine, life, p2};
use futures_util::future::BoxFuture;
use std::path::PathBuf;
use std::sync::Arc;
use task::{Capability, Exit, Fit, Limits, Running, Runtime, Start, show_size};
use tokio::runtime::{Builder, Handle};
use tokio::sync::watch;
use vfs::{Caller, Errno, Error, FileRef, Nature, Op, OpenFlags, Place, Result};
use wasmtime::{Engine, Store, UpdateDeadline};

/// How a [`WasiRuntime`] is set up.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where compiled programs are kept between servers; made where it is missing, and this user's alone.
    pub cache_dir: Option<PathBuf>,
    /// Bytes of compiled programs on disk.
    pub cache_bytes: u64,
    /// Bytes of compiled programs in memory.
    pub memory_cache_bytes: u64,
    /// Bytes of memory of all guests together; by default three quarters of the machine's.
    pub guest_bytes: Option<u64>,
    /// Guests at once; by default as many as the kernel's limit on mappings takes.
    pub max_instances: Option<usize>,
    /// Guests that compute at once; by default one for each core.
    pub threads: Option<usize>,
    /// Programs compiled at once. Each uses all cores.
    pub compilers: usize,
    /// Programs larger than this are refused.
    pub max_program_bytes: u64,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            cache_dir: None,
            cache_bytes: 1 << 30,
            memory_cache_bytes: 512 << 20,
            guest_bytes: None,
            max_instances: None,
            threads: None,
            compilers: 2,
            max_program_bytes: 256 << 20,
        }
    }
}

/// Runs WASI preview 1 modules and preview 2 command components.
pub struct WasiRuntime {
    engine: Engine,
    cache: Arc<Cache>,
    ticker: Arc<Ticker>,
    slots: Arc<Slots>,
    budget: Arc<Budget>,
    sockets: Arc<p2::Sockets>,
    turns: Turns,
    max_program_bytes: u64,
    threads: usize,
    /// Taken when dropped: a tokio runtime must not be waited for inside another.
    guests: Option<tokio::runtime::Runtime>,
}

/// How much less favoured the guests' threads are than the server's (nice(2)).
const NICENESS: i32 = 5;

fn broken(error: wasmtime::Error) -> Error {
    Error::new(Errno::EIO, format!("wasmtime: {error:#}"))
}

impl WasiRuntime {
    /// Fails where the cache directory is not this user's alone, or the machine refuses threads or executable memory.
    pub fn new(config: Config) -> Result<WasiRuntime> {
        let engine = engine::engine().map_err(broken)?;
        let linkers = engine::linkers(&engine).map_err(broken)?;
        let bounds = Bounds {
            memory_bytes: config.memory_cache_bytes,
            disk_bytes: config.cache_bytes,
            compilers: config.compilers.max(1),
        };
        let cache = Arc::new(Cache::new(engine.clone(), linkers, config.cache_dir, &bounds)?);
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        let threads = config.threads.unwrap_or_else(cores).max(1);
        let guests = Builder::new_multi_thread()
            .worker_threads(threads + 1)
            .thread_name("wasi-guest")
            // A turn may take a whole tick: tokio's own settings, made for turns of microseconds, would let a new guest or
            // a timer wait for seconds behind guests that compute.
            .global_queue_interval(2)
            .event_interval(4)
            .on_thread_start(|| {
                // Where the system does not let go of favour, guests keep theirs.
                let _ = rustix::process::nice(NICENESS);
            })
            .enable_all()
            .build()?;
        Ok(WasiRuntime {
            ticker: Arc::new(Ticker::start(engine.clone())?),
            slots: Arc::new(Slots::new(config.max_instances)),
            budget: Arc::new(Budget::new(config.guest_bytes)),
            sockets: Arc::new(p2::Sockets::new()),
            turns: Turns::new(threads),
            engine,
            cache,
            max_program_bytes: config.max_program_bytes,
            threads,
            guests: Some(guests),
        })
    }

    fn handle(&self) -> &Handle {
        self.guests.as_ref().expect("taken only when dropped").handle()
    }

    /// From the caches, or from the program's file.
    async fn program(&self, place: &Place, who: &Caller) -> Result<Program> {
        let name = place.shown();
        let file = place.open(who, OpenFlags::READ).await.map_err(|e| e.context(&name))?;
        let stat = file.node().stat().await.map_err(|e| e.context(&name))?;
        // Only what a storage tree says of a file changes with its content.
        let identity = (file.nature() == Nature::Storage).then(|| Identity::of(&stat));
        if let Some(program) = identity.as_ref().and_then(|identity| self.cache.remembered(identity)) {
            return Ok(program);
        }
        let bytes = self.read(&name, file, stat.size).await?;
        self.cache.load(self.handle(), name, bytes, identity).await
    }

    async fn read(&self, name: &str, file: FileRef, size: u64) -> Result<Vec<u8>> {
        let limit = self.max_program_bytes;
        let too_big =
            || Error::new(Errno::EFBIG, format!("{name}: more than {limit} bytes: too big a program"));
        if size > limit {
            return Err(too_big());
        }
        const CHUNK: usize = 1 << 20;
        let mut bytes = Vec::with_capacity(size as usize);
        loop {
            let have = bytes.len();
            let want = (size as usize).saturating_sub(have).clamp(64, CHUNK);
            bytes.resize(have + want, 0);
            let n = file.read(have as u64, &mut bytes[have..]).await.map_err(|e| e.context(name))?;
            bytes.truncate(have + n);
            if n == 0 {
                return Ok(bytes);
            }
            if bytes.len() as u64 > limit {
                return Err(too_big());
            }
        }
    }

    fn launch(
        &self,
        start: Start,
        program: Program,
        given: Vec<Given>,
        mut slot: Slot,
    ) -> Result<Arc<dyn Running>> {
        slot.hold(program.memories)?;
        let name = start.program.name().map_or_else(|| "/".to_owned(), ToString::to_string);
        if let Some(limit) = start.limits.memory
            && program.memory > limit
        {
            let (limit, needed) = (show_size(limit), show_size(program.memory));
            return Err(Error::new(
                Errno::ENOMEM,
                format!("{name}: memory limit {limit}: the program needs {needed} to start"),
            ));
        }
        let control = Arc::new(Control::new(start.limits, start.usage.clone()));
        let budget = self.budget.clone();
        Ok(match program.entry {
            Entry::Module(instance) => {
                let stderr = start.stdio[2].clone();
                let guest = Guest::new(start, given, control.clone(), budget);
                self.set_going(guest, instance, name, stderr, control, slot)
            }
            Entry::Component(command) => {
                let stderr = start.stdio[2].clone();
                let guest = p2::Guest::new(start, given, control.clone(), budget, self.sockets.clone());
                self.set_going(guest, command, name, stderr, control, slot)
            }
            Entry::Lowered(command) => {
                let stderr = start.stdio[2].clone();
                let guest = p2::Guest::new(start, given, control.clone(), budget, self.sockets.clone());
                self.set_going(guest, command, name, stderr, control, slot)
            }
        })
    }

    fn set_going<G: Hosted>(
        &self,
        guest: G,
        program: impl Runs<G> + 'static,
        name: String,
        stderr: FileRef,
        control: Arc<Control>,
        slot: Slot,
    ) -> Arc<dyn Running> {
        let mut store = Store::new(&self.engine, guest);
        store.limiter(|guest| guest.limiter());
        store.set_epoch_deadline(1);
        let (ticker, turns, threads) = (self.ticker.clone(), self.turns.clone(), self.threads);
        store.epoch_deadline_callback(move |mut context| {
            let guest = context.data_mut();
            guest.ticked();
            // Nobody waits for a thread, of which there is one more, nor for a turn, nor for what this guest has done.
            let alone = || !guest.is_heard() && ticker.guests() <= threads && turns.none_wait();
            if !guest.control().used_up() || (alone() && guest.control().stays()) {
                return Ok(UpdateDeadline::Continue(1));
            }
            guest.gives_way();
            Ok(UpdateDeadline::Yield(1))
        });
        let (tell, exit) = watch::channel(None);
        let end = End { tell, slot: Some(slot) };
        let life = life::live(store, program, name, stderr);
        let driver = Driver::new(life, control.clone(), self.ticker.clone(), self.turns.guest());
        self.handle().spawn(async move {
            let mut end = end;
            let mut driver = driver;
            let exit = (&mut driver).await;
            // Its files are closed and its memory is given back before anyone hears of its end.
            drop(driver);
            end.tell(exit);
        });
        Arc::new(RunningGuest { control, exit })
    }
}

/// Tells the end of a guest, whatever happens to the task that runs it.
struct End {
    tell: watch::Sender<Option<Exit>>,
    slot: Option<Slot>,
}

impl End {
    fn tell(&mut self, exit: Exit) {
        self.slot = None;
        self.tell.send_replace(Some(exit));
    }
}

impl Drop for End {
    fn drop(&mut self) {
        if self.tell.borrow().is_none() {
            self.tell(Exit::killed(128 + libc::SIGKILL, "the runtime was shut down or failed while it ran"));
        }
    }
}

struct RunningGuest {
    control: Arc<Control>,
    exit: watch::Receiver<Option<Exit>>,
}

impl Running for RunningGuest {
    fn stop(&self) {
        self.control.stop();
    }
    fn cont(&self) {
        self.control.cont();
    }
    fn kill(&self, exit: Exit) {
        self.control.kill(exit);
    }
    fn set_limits(&self, limits: Limits) {
        self.control.set_limits(limits);
    }
    fn wait(&self) -> BoxFuture<'static, Exit> {
        let mut exit = self.exit.clone();
        Box::pin(async move {
            match exit.wait_for(Option::is_some).await.map(|exit| exit.clone()) {
                Ok(Some(exit)) => exit,
                // `End` always tells before it goes.
                _ => Exit::killed(128 + libc::SIGKILL, "the runtime was shut down while it ran"),
            }
        })
    }
}

impl Runtime for WasiRuntime {
    fn name(&self) -> &'static str {
        "wasi"
    }

    fn version(&self) -> String {
        "wasmtime 48".to_owned()
    }

    fn capabilities(&self) -> Vec<Capability> {
        let line = |name, value: &str| Capability { name, value: value.to_owned() };
        vec![
            line("runs", "wasi_snapshot_preview1 wasi_unstable wasi:cli/command@0.2"),
            line("network", "wasi:sockets and wasi:http outgoing, under net: capabilities (preview 2)"),
            line("detects", "magic \\0asm; extensions .wasm .wat"),
            line("limits", "memory cpu wall files output"),
            line("isolation", "wasmtime (in the server), the task's namespace as its only files"),
            line("signals", "stop cont kill"),
            Capability { name: "maxinstances", value: self.slots.max().to_string() },
            Capability { name: "threads", value: self.threads.to_string() },
        ]
    }

    fn detect(&self, program: task::Program<'_>) -> Fit {
        if program.head.starts_with(MAGIC) {
            return Fit::ByMagic;
        }
        let by_name = program.path.ends_with(b".wasm") || program.path.ends_with(b".wat");
        if by_name { Fit::ByName } else { Fit::No }
    }

    fn start(&self, start: Start) -> Op<'_, Arc<dyn Running>> {
        Op::started(async move {
            let slot = self.slots.take()?;
            let program = self.program(&start.program, &start.who).await?;
            let given = Given::find(&start).await?;
            self.launch(start, program, given, slot)
        })
    }

    fn settle(&self) -> Op<'_, ()> {
        Op::started(async {
            self.sockets.settle().await;
            Ok(())
        })
    }

    fn stats(&self) -> String {
        format!(
            "instances {}\nmaxinstances {}\nmemory {}\nmaxmemory {}\nthreads {}\n",
            self.slots.taken(),
            self.slots.max(),
            self.budget.taken(),
            self.budget.max(),
            self.threads
        )
    }

    fn cache(&self) -> String {
        self.cache.describe()
    }
}

impl Drop for WasiRuntime {
    fn drop(&mut self) {
        if let Some(guests) = self.guests.take() {
            guests.shutdown_background();
        }
    }
}
