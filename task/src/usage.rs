//! What a task has used, live: counters that a runtime adds to and /task/<id>/usage reads.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters; all only grow, but for `memory` and `files`, which are what is in use now.
#[derive(Debug, Default)]
pub struct Usage {
    /// Bytes of guest memory now, and at most so far.
    pub memory: AtomicU64,
    pub memory_peak: AtomicU64,
    /// Nanoseconds on a cpu, in the guest and in the server on its behalf.
    pub user_ns: AtomicU64,
    pub sys_ns: AtomicU64,
    /// Open files now.
    pub files: AtomicU64,
    /// File-system calls.
    pub calls: AtomicU64,
    pub read_bytes: AtomicU64,
    pub written_bytes: AtomicU64,
    /// How often the program waited for the server's answer, where that is another process: what its calls cost it in time.
    pub round_trips: AtomicU64,
    /// Bytes written to stdio/1 and 2.
    pub output: AtomicU64,
}

impl Usage {
    pub fn add(counter: &AtomicU64, n: u64) {
        counter.fetch_add(n, Ordering::Relaxed);
    }
    pub fn set_memory(&self, bytes: u64) {
        self.memory.store(bytes, Ordering::Relaxed);
        self.memory_peak.fetch_max(bytes, Ordering::Relaxed);
    }
}
