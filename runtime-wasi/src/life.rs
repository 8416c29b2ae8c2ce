//! A guest's life, from its first instruction to the words that say how it ended.

use crate::control::Control;
use crate::guest::Guest;
use crate::limits::MemoryLimiter;
use crate::p1::ProcExit;
use crate::p1::shortcut::Shortened;
use crate::p2;
use task::Exit;
use vfs::FileRef;
use wasmtime::{Error, FrameInfo, InstancePre, Store, Trap, WasmBacktrace};

/// The exit code of a trap: SIGABRT's.
const EXIT_TRAP: i32 = 128 + 6;
/// The exit code of a guest that the host could not run.
const EXIT_HOST: i32 = 126;

/// What the store of every guest holds, module or component.
pub(crate) trait Hosted: Send + 'static {
    fn control(&self) -> &Control;
    fn limiter(&mut self) -> &mut MemoryLimiter;
    /// A tick of the clock found it computing.
    fn ticked(&mut self) {}
    /// Whether it has done something since it gave way that others may wait for: whom a guest wakes may have to run on its thread.
    fn is_heard(&self) -> bool {
        true
    }
    fn gives_way(&mut self) {}
}

impl Hosted for Guest {
    fn control(&self) -> &Control {
        &self.control
    }
    fn limiter(&mut self) -> &mut MemoryLimiter {
        &mut self.limiter
    }
    fn ticked(&mut self) {
        self.tell_tally();
    }
    fn is_heard(&self) -> bool {
        self.heard
    }
    fn gives_way(&mut self) {
        self.heard = false;
    }
}

impl Hosted for p2::Guest {
    fn control(&self) -> &Control {
        &self.control
    }
    fn limiter(&mut self) -> &mut MemoryLimiter {
        &mut self.limiter
    }
    fn ticked(&mut self) {
        p2::Guest::ticked(self);
    }
}

/// A program's way from a store to its own end, which may come as the error [`ProcExit`].
pub(crate) trait Runs<G>: Send {
    fn run(&self, store: &mut Store<G>) -> impl Future<Output = wasmtime::Result<()>> + Send;
}

/// A module, linked: by itself, and by the shorter way for its calls where it can take that.
#[derive(Clone)]
pub(crate) struct Command {
    pub whole: InstancePre<Guest>,
    pub shortened: Option<Shortened>,
}

impl Runs<Guest> for Command {
    async fn run(&self, store: &mut Store<Guest>) -> wasmtime::Result<()> {
        let instance = match &self.shortened {
            Some(shortened) => shortened.instantiate(&mut *store).await?,
            None => self.whole.instantiate_async(&mut *store).await?,
        };
        store.data_mut().memory = instance.get_memory(&mut *store, "memory");
        let start = instance.get_typed_func::<(), ()>(&mut *store, "_start")?;
        start.call_async(&mut *store, ()).await
    }
}

impl Runs<p2::Guest> for p2::Command {
    async fn run(&self, store: &mut Store<p2::Guest>) -> wasmtime::Result<()> {
        p2::run(store, self).await
    }
}

impl Runs<p2::Guest> for p2::lowered::Command {
    async fn run(&self, store: &mut Store<p2::Guest>) -> wasmtime::Result<()> {
        p2::lowered::Command::run(self, store).await
    }
}

/// Runs the program named `name` to its end. What a trap has to say goes to `stderr`.
pub(crate) async fn live<G: Hosted>(
    mut store: Store<G>,
    program: impl Runs<G>,
    name: String,
    stderr: FileRef,
) -> Exit {
    let result = program.run(&mut store).await;
    let refused = store.data_mut().limiter().refused().map(str::to_owned);
    let exit = match result {
        Ok(()) => Exit::success(),
        Err(error) => match error.downcast_ref::<ProcExit>() {
            Some(ProcExit(exit)) => exit.clone(),
            None => {
                let (exit, report) = fault(&error, &name);
                report_to(&stderr, &report).await;
                exit
            }
        },
    };
    match refused {
        // It asked for more memory than it may have, and did not cope.
        Some(limit) if exit.code != 0 => {
            let message = format!("{limit} ({})", exit.message);
            Exit::killed(exit.code, message)
        }
        _ => exit,
    }
}

/// The exit of a guest that ended by a fault, and the report that goes to its standard error.
fn fault(error: &Error, name: &str) -> (Exit, String) {
    let backtrace = error.downcast_ref::<WasmBacktrace>();
    let at = backtrace.and_then(calls).map_or_else(String::new, |calls| format!(" at {calls}"));
    let (code, what) = match error.downcast_ref::<Trap>() {
        Some(trap) => {
            let text = trap.to_string();
            let text = text.strip_prefix("wasm trap: ").unwrap_or(&text);
            (EXIT_TRAP, format!("trap: {text}{at} ({name})"))
        }
        // What it did wrong in a call of the host's is its own trap.
        None if backtrace.is_some_and(|backtrace| !backtrace.frames().is_empty()) => {
            (EXIT_TRAP, format!("trap: {}{at} ({name})", error.root_cause()))
        }
        // It could not be instantiated.
        None => (EXIT_HOST, format!("{name}: {}", error.root_cause())),
    };
    let report = match backtrace {
        Some(backtrace) if !backtrace.frames().is_empty() => format!("{what}\n{backtrace}\n"),
        _ => format!("{what}\n"),
    };
    (Exit::killed(code, what), report)
}

/// The calls that led to a trap, the innermost first: `trap < caller < main`. The report has them all, with their lines.
fn calls(backtrace: &WasmBacktrace) -> Option<String> {
    const SHOWN: usize = 6;
    let frames = backtrace.frames();
    let names: Vec<String> = frames.iter().take(SHOWN).map(function).collect();
    let more = if frames.len() > SHOWN { " < …" } else { "" };
    (!names.is_empty()).then(|| names.join(" < ") + more)
}

/// A frame's function: as debugging sections name it, as the name section does, or by its number.
fn function(frame: &FrameInfo) -> String {
    let symbol = frame.symbols().iter().find_map(|symbol| symbol.name());
    let name = symbol.or(frame.func_name());
    name.map_or_else(|| format!("function {}", frame.func_index()), ToOwned::to_owned)
}

/// Writes a report; nobody is left to hear of an error.
async fn report_to(stderr: &FileRef, report: &str) {
    let mut rest = report.as_bytes();
    while !rest.is_empty() {
        match stderr.append(rest).await {
            Ok((n, _)) if n > 0 => rest = &rest[n.min(rest.len())..],
            _ => break,
        }
    }
}
