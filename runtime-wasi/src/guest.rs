//! What the host keeps for one guest: the data of its wasmtime store. The calls of `p1` work on it.

use crate::control::Control;
use crate::descriptor::{Descriptor, Descriptors};
use crate::limits::MemoryLimiter;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;
use task::{Start, Trace, Usage};
use vfs::{Caller, Result};
use wasmtime::Memory;

pub(crate) struct Guest {
    /// The export `memory`, once a call has needed it.
    pub memory: Option<Memory>,
    pub fds: Descriptors,
    pub args: Vec<Vec<u8>>,
    /// `KEY=value` each.
    pub env: Vec<Vec<u8>>,
    pub who: Caller,
    pub control: Arc<Control>,
    pub usage: Arc<Usage>,
    pub trace: Trace,
    pub limiter: MemoryLimiter,
    /// What the monotonic clock counts from.
    pub began: Instant,
}

impl Guest {
    /// The guest as it is before its first instruction: stdio, the directory `/`, and its environment. WASI has no current
    /// directory: where the task's is not `/`, PWD tells those who ask. Go does; wasi-libc (C, Rust, CPython) starts at `/`
    /// and cannot be told, as it does not tell `/x` and `x` apart.
    pub fn new(start: Start, control: Arc<Control>) -> Guest {
        let mut fds = Descriptors::default();
        let [stdin, stdout, stderr] = start.stdio;
        fds.insert(Descriptor::stdio(stdin, false));
        fds.insert(Descriptor::stdio(stdout, true));
        fds.insert(Descriptor::stdio(stderr, true));
        fds.insert(Descriptor::preopen(start.ns.root(), "/"));
        let mut env: Vec<Vec<u8>> =
            start.env.into_iter().map(|(key, value)| [&key[..], b"=", &value[..]].concat()).collect();
        let cwd = start.cwd.path();
        if cwd != b"/" && !env.iter().any(|entry| entry.starts_with(b"PWD=")) {
            env.push([b"PWD=", &cwd[..]].concat());
        }
        let limiter = MemoryLimiter::new(control.limits.clone(), start.usage.clone());
        let guest = Guest {
            memory: None,
            fds,
            args: start.argv,
            env,
            who: start.who,
            control,
            usage: start.usage,
            trace: start.trace,
            limiter,
            began: Instant::now(),
        };
        guest.count_files();
        guest
    }

    pub fn count_files(&self) {
        self.usage.files.store(self.fds.open() as u64, Ordering::Relaxed);
    }

    /// Gives what was opened the lowest free number; EMFILE at the limit.
    pub fn insert(&mut self, descriptor: Descriptor) -> Result<u32> {
        self.fds.room(self.control.limits.files())?;
        let fd = self.fds.insert(descriptor);
        self.count_files();
        Ok(fd)
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.usage.files.store(0, Ordering::Relaxed);
        self.usage.memory.store(0, Ordering::Relaxed);
    }
}
