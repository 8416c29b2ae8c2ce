//! What the host keeps for one component: the data of its wasmtime store.

use super::descriptor::{Descriptor, Handle};
use super::http::Hooks;
use super::looked::Looked;
use super::lowered::Rooms;
use super::net::{Net, Sockets};
use super::passing::Passing;
use super::sockets::Held;
use crate::budget::Budget;
use crate::control::Control;
use crate::guest::Given;
use crate::limits::{MemoryLimiter, Parts};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;
use task::{OpenFiles, Reach, Start, Trace, Usage};
use vfs::{Caller, Errno, Error, FileRef, Place, Recall, Result};
use wasmtime::Memory;
use wasmtime::component::{ResourceTable, ResourceTableError};
use wasmtime_wasi::sockets::WasiSocketsCtx;
use wasmtime_wasi_http::WasiHttpCtx;

/// Handles of all kinds together (descriptors, streams, pollables …): each costs the server some hundred bytes. A guest
/// that wants more traps.
pub(super) const MAX_HANDLES: usize = 100_000;

pub(crate) struct Guest {
    pub table: ResourceTable,
    pub args: Vec<String>,
    pub env: Vec<(String, String)>,
    pub cwd: String,
    /// The directories that it finds, and the names it is told.
    pub given: Arc<[(Place, String)]>,
    pub stdio: [FileRef; 3],
    pub who: Caller,
    /// Where its paths lead.
    pub(super) recall: Recall,
    pub(super) looked: Looked,
    pub(super) passing: Passing,
    /// The memory of a guest whose calls are lowered here.
    pub memory: Option<Memory>,
    pub(super) rooms: Rooms,
    pub control: Arc<Control>,
    pub usage: Arc<Usage>,
    pub trace: Trace,
    pub limiter: MemoryLimiter,
    /// What the monotonic clock counts from.
    pub began: Instant,
    /// Open files, stdio included.
    files: usize,
    /// Those of its container.
    together: OpenFiles,
    pub(super) net: Arc<Net>,
    /// What wasmtime-wasi knows of the guest's network, once it asked for a socket.
    pub(super) sockets: Option<WasiSocketsCtx>,
    pub(super) held: Held,
    pub(super) http: WasiHttpCtx,
    pub(super) hooks: Hooks,
}

/// Components know no other strings than UTF-8; what is none is shown as it is to people.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl Guest {
    /// The guest as it is before its first instruction.
    pub fn new(
        start: Start,
        given: Vec<Given>,
        control: Arc<Control>,
        budget: Arc<Budget>,
        sockets: Arc<Sockets>,
    ) -> Guest {
        let cwd = text(&start.cwd.path());
        let mut env: Vec<(String, String)> =
            start.env.iter().map(|(name, value)| (text(name), text(value))).collect();
        if cwd != "/" && !env.iter().any(|(name, _)| name == "PWD") {
            env.push(("PWD".to_owned(), cwd.clone()));
        }
        let mut table = ResourceTable::new();
        table.set_max_capacity(MAX_HANDLES);
        let parts = Parts::OF_COMPONENT;
        let limiter = MemoryLimiter::new(control.limits.clone(), start.usage.clone(), budget, parts);
        let reach = Reach::new(start.caps, start.who.task, start.trace.clone()).of_group(start.group.clone());
        let net = Arc::new(Net::new(reach, sockets));
        let guest = Guest {
            table,
            args: start.argv.iter().map(|word| text(word)).collect(),
            env,
            cwd,
            given: given.into_iter().map(|given| (given.place, text(&given.name))).collect(),
            stdio: start.stdio,
            who: start.who,
            recall: Recall::default(),
            looked: Looked::default(),
            passing: Passing::default(),
            memory: None,
            rooms: Rooms::default(),
            control,
            usage: start.usage,
            trace: start.trace,
            limiter,
            began: Instant::now(),
            files: 3,
            together: OpenFiles::of(start.group),
            hooks: Hooks(net.clone()),
            net,
            sockets: None,
            held: Held::default(),
            http: WasiHttpCtx::new(),
        };
        guest.count_files();
        guest
    }

    /// The calls of `wasi:filesystem` that it has made.
    pub(super) fn calls(&self) -> u64 {
        self.usage.calls.load(Ordering::Relaxed)
    }

    /// A tick of the clock found it computing.
    pub fn ticked(&mut self) {
        self.looked.forget();
    }

    fn count_files(&self) {
        self.usage.files.store(self.files as u64, Ordering::Relaxed);
        self.together.set(self.files as u64);
    }

    /// Fails where as many files and sockets are open as may be.
    pub fn room(&mut self) -> Result<()> {
        let limit = self.control.limits.files();
        // Which sockets were closed is looked up only where it matters.
        if self.files + self.held.most() < limit || self.files + self.held.still(&self.table) < limit {
            return self.together.room();
        }
        Err(Error::new(Errno::EMFILE, format!("files limit {limit} reached")))
    }

    /// Gives what was opened a handle; there must be [`Guest::room`].
    pub(super) fn open(&mut self, descriptor: Descriptor) -> Result<Handle, ResourceTableError> {
        let handle = self.table.push(descriptor)?;
        self.files += 1;
        self.count_files();
        Ok(handle)
    }

    pub(super) fn close(&mut self, handle: Handle) -> Result<Descriptor, ResourceTableError> {
        let descriptor = self.table.delete(handle)?;
        self.files -= 1;
        self.count_files();
        Ok(descriptor)
    }

    /// Shows that the descriptor of this number is dropped.
    pub(super) fn say_dropped(&self, number: u32) {
        if self.trace.is_on() {
            self.trace.say(format_args!("drop({number}) = 0"));
        }
    }

    /// What `handle` stands for.
    pub(super) fn descriptor(&self, handle: &Handle) -> Result<Descriptor, ResourceTableError> {
        self.table.get(handle).cloned()
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.usage.files.store(0, Ordering::Relaxed);
        self.usage.memory.store(0, Ordering::Relaxed);
    }
}
