//! Compiled programs, kept: in memory for the next start in microseconds, on disk for the next server.
//!
//! ```text
//! file ─(identity, version, times)─► content's hash ─► in memory ─► on disk ─► compile
//! ```
//! The first arrow spares a warm start reading its program. Both caches are bounded in bytes and forget what was not used
//! for longest. Whoever asks for a program that is being compiled waits for that compilation.

mod disk;

use crate::engine::Linkers;
use crate::inner;
use crate::p1::shortcut::{self, Shortcut};
use crate::p2::lowered::Linked;
use crate::program::{self, Between, Code, Layer, Program};
use disk::DiskCache;
use lru::LruCache;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use vfs::{Errno, Error, Result, Stat, Time};
use wasmtime::{Engine, Module};

/// The hash of a program's bytes, its kind, and of the engine that compiles it.
pub(crate) type Key = blake3::Hash;

/// A file's content as far as it is known without reading it: whoever changes the content changes one of these.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Identity {
    path: u64,
    version: u32,
    size: u64,
    mtime: Moment,
    ctime: Moment,
}
/// Seconds and nanoseconds.
type Moment = (i64, u32);

impl Identity {
    pub fn of(stat: &Stat) -> Identity {
        let time = |t: Time| (t.secs, t.nanos);
        Identity {
            path: stat.qid.path,
            version: stat.qid.version,
            size: stat.size,
            mtime: time(stat.mtime),
            ctime: time(stat.ctime),
        }
    }
}

/// Files whose hash is remembered: some 100 bytes each.
const IDENTITIES: NonZeroUsize = NonZeroUsize::new(16_384).expect("not zero");

/// What came of the starts so far.
#[derive(Default)]
struct Counts {
    hits: AtomicU64,
    disk_hits: AtomicU64,
    compiled: AtomicU64,
    compile_ms: AtomicU64,
}

struct Memory {
    programs: LruCache<Key, Program>,
    bytes: u64,
}

/// The caches, and the compiler behind them.
pub(crate) struct Cache {
    engine: Engine,
    linkers: Linkers,
    /// The hash that every key starts with: the engine's version and settings.
    engine_key: blake3::Hash,
    identities: Mutex<LruCache<Identity, Key>>,
    memory: Mutex<Memory>,
    memory_bytes: u64,
    disk: Option<Arc<DiskCache>>,
    /// Keys being compiled, each with the lock that its compiler holds.
    pending: Mutex<HashMap<Key, Arc<tokio::sync::Mutex<()>>>>,
    compilers: Arc<Semaphore>,
    counts: Counts,
    /// The modules' shorter way into the host, once one could take it.
    shortcut: OnceLock<Option<Arc<Shortcut>>>,
    /// What stands before preview 2's calls, once a module made them itself.
    lowered: OnceLock<std::result::Result<Arc<Linked>, String>>,
}

/// How much the caches may hold.
pub(crate) struct Bounds {
    pub memory_bytes: u64,
    pub disk_bytes: u64,
    pub compilers: usize,
}

/// Feeds what wasmtime hashes of an engine into blake3, whose result is the same in the next process.
struct EngineHasher(blake3::Hasher);

impl Hasher for EngineHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }
    fn finish(&self) -> u64 {
        let hash = self.0.finalize();
        u64::from_le_bytes(hash.as_bytes()[..8].try_into().expect("eight bytes"))
    }
}

impl Cache {
    pub fn new(engine: Engine, linkers: Linkers, dir: Option<PathBuf>, bounds: &Bounds) -> Result<Cache> {
        let mut hasher = EngineHasher(blake3::Hasher::new());
        engine.precompile_compatibility_hash().hash(&mut hasher);
        let disk = match dir {
            Some(dir) => Some(Arc::new(DiskCache::open(&dir, bounds.disk_bytes)?)),
            None => None,
        };
        Ok(Cache {
            engine,
            linkers,
            engine_key: hasher.0.finalize(),
            identities: Mutex::new(LruCache::new(IDENTITIES)),
            memory: Mutex::new(Memory { programs: LruCache::unbounded(), bytes: 0 }),
            memory_bytes: bounds.memory_bytes,
            disk,
            pending: Mutex::default(),
            compilers: Arc::new(Semaphore::new(bounds.compilers)),
            counts: Counts::default(),
            shortcut: OnceLock::new(),
            lowered: OnceLock::new(),
        })
    }

    /// The program in the file of this identity, where it is in memory.
    pub fn remembered(&self, identity: &Identity) -> Option<Program> {
        let key = *self.identities.lock().get(identity)?;
        self.hit(&key)
    }

    fn hit(&self, key: &Key) -> Option<Program> {
        let program = self.memory.lock().programs.get(key).cloned()?;
        self.counts.hits.fetch_add(1, Ordering::Relaxed);
        Some(program)
    }

    /// The program that `bytes`, the content of the file called `name`, is. What takes time is done on `threads` that may
    /// block, and is finished even where nobody waits for it any more.
    pub async fn load(
        self: &Arc<Self>,
        threads: &Handle,
        name: String,
        bytes: Vec<u8>,
        identity: Option<Identity>,
    ) -> Result<Program> {
        program::check_header(&name, &bytes)?;
        let cache = self.clone();
        let text = name.ends_with(".wat");
        let (key, bytes) = blocking(threads, move || {
            let bytes = inner::unwrapped(bytes, &cache.linkers.lowered);
            Ok((cache.key(&bytes, text), bytes))
        })
        .await?;
        if let Some(identity) = identity {
            self.identities.lock().put(identity, key);
        }
        if let Some(program) = self.hit(&key) {
            return Ok(program);
        }
        let turn = self.pending.lock().entry(key).or_default().clone();
        let turn = turn.lock_owned().await;
        if let Some(program) = self.hit(&key) {
            return Ok(program);
        }
        let permit = self.compilers.clone().acquire_owned().await.map_err(|_| Errno::ECANCELED)?;
        let cache = self.clone();
        blocking(threads, move || {
            let program = cache.make(&key, &name, &bytes).inspect(|program| cache.keep(key, program.clone()));
            cache.pending.lock().remove(&key);
            drop((turn, permit));
            program
        })
        .await
    }

    fn key(&self, bytes: &[u8], text: bool) -> Key {
        let mut hasher = blake3::Hasher::new();
        hasher.update(self.engine_key.as_bytes()).update(&[u8::from(text)]).update(bytes);
        hasher.finalize()
    }

    /// The shorter way for the calls of the module in `bytes`, where it can take that. Without it, it runs more slowly.
    fn shortcut(&self, bytes: &[u8]) -> Option<&Arc<Shortcut>> {
        if !shortcut::has_no_start(bytes) {
            return None;
        }
        let made = self.shortcut.get_or_init(|| {
            let made = self.make_shortcut();
            made.inspect_err(|error| tracing::warn!(%error, "guests run without a shortcut"))
                .ok()
                .map(Arc::new)
        });
        made.as_ref()
    }

    fn make_shortcut(&self) -> wasmtime::Result<Shortcut> {
        Shortcut::link(&self.linkers.modules, &self.own_module(&shortcut::source())?)
    }

    /// What modules that call preview 2 are linked to.
    fn lowered(&self) -> Result<&Arc<Linked>> {
        let made = self.lowered.get_or_init(|| {
            let lowered = self.linkers.lowered.clone();
            let made = self.own_module(&lowered.source()).and_then(|between| Linked::new(lowered, between));
            made.map(Arc::new).map_err(|error| format!("{error:#}"))
        });
        made.as_ref().map_err(|why| Error::new(Errno::EIO, format!("wasmtime: {why}")))
    }

    /// A module of this server's own, whose text this is: from disk or by compiling.
    fn own_module(&self, text: &str) -> wasmtime::Result<Module> {
        let key = self.key(text.as_bytes(), true);
        let stored = self.disk.as_ref().and_then(|disk| disk.load(&key, Layer::Module, &self.engine));
        if let Some(Code::Module(module)) = stored {
            return Ok(module);
        }
        let module = Module::new(&self.engine, text)?;
        if let Some(disk) = &self.disk {
            disk.store(&key, &Code::Module(module.clone()));
        }
        Ok(module)
    }

    fn link(&self, name: &str, bytes: &[u8], code: &Code) -> Result<Program> {
        let between = match code {
            Code::Module(module) if program::is_lowered(module) => Between::Lowered(self.lowered()?),
            _ => Between::Shortcut(self.shortcut(bytes)),
        };
        program::link(&self.linkers, name, code, &between)
    }

    /// From disk or by compiling.
    fn make(&self, key: &Key, name: &str, bytes: &[u8]) -> Result<Program> {
        if let Some(disk) = &self.disk
            && let Some(code) = disk.load(key, program::layer(bytes), &self.engine)
        {
            self.counts.disk_hits.fetch_add(1, Ordering::Relaxed);
            return self.link(name, bytes, &code);
        }
        let began = std::time::Instant::now();
        let code = program::compile(&self.engine, name, bytes)?;
        let millis = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.counts.compiled.fetch_add(1, Ordering::Relaxed);
        self.counts.compile_ms.fetch_add(millis, Ordering::Relaxed);
        tracing::debug!(name, millis, "compiled");
        let program = self.link(name, bytes, &code)?;
        if let Some(disk) = &self.disk {
            disk.store(key, &code);
        }
        Ok(program)
    }

    fn keep(&self, key: Key, program: Program) {
        let mut memory = self.memory.lock();
        memory.bytes += program.size;
        if let Some(old) = memory.programs.put(key, program) {
            memory.bytes -= old.size;
        }
        // The newest stays even where it alone is too big: it is about to run.
        while memory.bytes > self.memory_bytes && memory.programs.len() > 1 {
            let Some((_, oldest)) = memory.programs.pop_lru() else { break };
            memory.bytes -= oldest.size;
        }
    }

    /// `key value` lines.
    pub fn describe(&self) -> String {
        let (programs, bytes) = {
            let memory = self.memory.lock();
            (memory.programs.len(), memory.bytes)
        };
        let count = |n: &AtomicU64| n.load(Ordering::Relaxed);
        let mut lines = format!(
            "programs {programs}\nbytes {bytes}\nmaxbytes {}\nhits {}\ndiskhits {}\ncompiled {}\ncompilems {}\n",
            self.memory_bytes,
            count(&self.counts.hits),
            count(&self.counts.disk_hits),
            count(&self.counts.compiled),
            count(&self.counts.compile_ms),
        );
        if let Some(disk) = &self.disk {
            lines.push_str(&disk.describe());
        }
        lines
    }
}

/// Runs `work` on one of the threads that may block.
async fn blocking<T: Send + 'static>(
    threads: &Handle,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match threads.spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(Error::new(Errno::EIO, format!("while compiling: {error}"))),
    }
}
