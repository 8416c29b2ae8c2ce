//! strace for tasks: where the lines of /task/<id>/trace come from. Opt-in, and nearly free while nobody reads.

use parking_lot::RwLock;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

type Listener = Arc<dyn Fn(&str) + Send + Sync>;

/// A task's trace: runtimes say lines, the trace file listens.
#[derive(Clone, Default)]
pub struct Trace(Arc<Inner>);

#[derive(Default)]
struct Inner {
    on: AtomicBool,
    listener: RwLock<Option<Listener>>,
}

impl Trace {
    /// Whether anyone listens: ask before a line is made.
    #[inline]
    pub fn is_on(&self) -> bool {
        self.0.on.load(Ordering::Relaxed)
    }
    /// One call: its name and arguments as strace(1) shows them, and what came of it.
    pub fn say(&self, line: fmt::Arguments<'_>) {
        let listener = self.0.listener.read().clone();
        if let Some(listener) = listener {
            listener(&line.to_string());
        }
    }
    pub fn listen(&self, listener: Option<Listener>) {
        self.0.on.store(listener.is_some(), Ordering::Relaxed);
        *self.0.listener.write() = listener;
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Trace(on: {})", self.is_on())
    }
}
