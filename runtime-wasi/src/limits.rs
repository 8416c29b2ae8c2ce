//! A running guest's limits: they can be changed while it runs, and the one on memory is asked by wasmtime at every growth.

use crate::budget::Budget;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use task::{Limits, Usage, show_size};
use wasmtime::ResourceLimiter;

/// Open files where a task has no limit of its own: each costs the server memory.
const DEFAULT_FILES: usize = 65_536;
/// Bytes of memory where a task has no limit of its own: all that a 32-bit memory can have.
const DEFAULT_MEMORY: u64 = 1 << 32;
/// Elements of all tables together. Each is a pointer of the server's, and counts as memory.
const MAX_TABLE_ELEMENTS: usize = 10_000_000;

/// The limits as they are now.
pub(crate) struct LiveLimits {
    now: Mutex<Limits>,
    /// That on open files, which every open asks for.
    files: AtomicUsize,
    /// Set by a change until the guest's driver has seen it.
    changed: AtomicBool,
}

impl LiveLimits {
    pub fn new(limits: Limits) -> LiveLimits {
        let files = AtomicUsize::new(LiveLimits::files_of(&limits));
        LiveLimits { now: Mutex::new(limits), files, changed: AtomicBool::new(true) }
    }
    fn files_of(limits: &Limits) -> usize {
        limits.files.map_or(DEFAULT_FILES, |files| files as usize)
    }
    pub fn get(&self) -> Limits {
        *self.now.lock()
    }
    pub fn set(&self, limits: Limits) {
        let mut now = self.now.lock();
        *now = limits;
        self.files.store(LiveLimits::files_of(&limits), Ordering::Relaxed);
        self.changed.store(true, Ordering::Release);
    }
    /// The limits, where they changed since this was asked last.
    pub fn changed(&self) -> Option<Limits> {
        self.changed.swap(false, Ordering::Acquire).then(|| self.get())
    }
    pub fn files(&self) -> usize {
        self.files.load(Ordering::Relaxed)
    }
}

/// Counts a guest's memory and refuses what is beyond the limit. The guest sees an allocation that failed; should it end
/// badly after that, the limit is named as the cause.
pub(crate) struct MemoryLimiter {
    limits: Arc<LiveLimits>,
    usage: Arc<Usage>,
    /// What all guests share.
    budget: Arc<Budget>,
    bytes: u64,
    elements: usize,
    parts: Parts,
    /// The limit that refused something last, in words.
    refused: Option<String>,
}

/// What a guest may consist of: each instance and memory costs the server mappings and memory of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parts {
    pub instances: usize,
    pub memories: usize,
    pub tables: usize,
}

impl Parts {
    pub const OF_MODULE: Parts = Parts { instances: 2, memories: 1, tables: 16 };
    /// A component is put together from modules: CPython's are some dozens.
    pub const OF_COMPONENT: Parts = Parts { instances: 256, memories: 8, tables: 64 };
}

impl MemoryLimiter {
    pub fn new(
        limits: Arc<LiveLimits>,
        usage: Arc<Usage>,
        budget: Arc<Budget>,
        parts: Parts,
    ) -> MemoryLimiter {
        MemoryLimiter { limits, usage, budget, bytes: 0, elements: 0, parts, refused: None }
    }
    pub fn refused(&self) -> Option<&str> {
        self.refused.as_deref()
    }

    /// Whether something may go from `current` to `desired` bytes.
    fn admit(&mut self, current: u64, desired: u64) -> bool {
        let bytes = self.bytes - current + desired;
        let limit = self.limits.get().memory.unwrap_or(DEFAULT_MEMORY);
        if bytes > limit {
            self.refused = Some(format!("memory limit {} reached", show_size(limit)));
            return false;
        }
        if !self.budget.change(self.bytes, bytes) {
            let max = show_size(self.budget.max());
            self.refused = Some(format!("memory of all tasks together: limit {max} reached"));
            return false;
        }
        self.bytes = bytes;
        self.usage.set_memory(bytes);
        true
    }
}

impl Drop for MemoryLimiter {
    fn drop(&mut self) {
        self.budget.change(self.bytes, 0);
    }
}

impl ResourceLimiter for MemoryLimiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let possible = maximum.is_none_or(|maximum| desired <= maximum);
        Ok(possible && self.admit(current as u64, desired as u64))
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let elements = self.elements - current + desired;
        if elements > MAX_TABLE_ELEMENTS || maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let bytes = |elements: usize| (elements * size_of::<usize>()) as u64;
        if !self.admit(bytes(current), bytes(desired)) {
            return Ok(false);
        }
        self.elements = elements;
        Ok(true)
    }

    fn instances(&self) -> usize {
        self.parts.instances
    }
    fn memories(&self) -> usize {
        self.parts.memories
    }
    fn tables(&self) -> usize {
        self.parts.tables
    }
}
