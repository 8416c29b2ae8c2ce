//! What a task keeps in the server's memory: variables, functions, texts under way, what commands gather. Counted in bytes of
//! content, and bounded.

use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use task::{Usage, show_size};
use vfs::{Errno, Error, Result};

/// Bytes that a task may keep where it has no limit of its own: enough for any script, and a hundred of them hurt no server.
const DEFAULT: u64 = 256 << 20;

/// The memory of one task. Clones are the same memory.
#[derive(Clone)]
pub struct Memory(Arc<Inner>);

struct Inner {
    used: Mutex<u64>,
    limit: AtomicU64,
    usage: Arc<Usage>,
}

impl Memory {
    pub(crate) fn new(usage: Arc<Usage>) -> Memory {
        Memory(Arc::new(Inner { used: Mutex::new(0), limit: AtomicU64::new(DEFAULT), usage }))
    }
    pub(crate) fn set_limit(&self, limit: Option<u64>) {
        self.0.limit.store(limit.unwrap_or(DEFAULT), Ordering::Relaxed);
    }

    fn change(&self, from: u64, to: u64) -> Result<()> {
        let mut used = self.0.used.lock();
        let wanted = *used - from + to;
        let limit = self.0.limit.load(Ordering::Relaxed);
        if to > from && wanted > limit {
            return Err(Error::new(Errno::ENOMEM, format!("memory limit {} reached", show_size(limit))));
        }
        *used = wanted;
        self.0.usage.set_memory(wanted);
        Ok(())
    }

    /// Room for `bytes`, as long as what is given is kept. ENOMEM, naming the limit, where there is none.
    pub fn hold(&self, bytes: usize) -> Result<Held> {
        let mut held = Held { memory: self.clone(), bytes: 0 };
        held.set(bytes)?;
        Ok(held)
    }
}

/// A part of a task's memory; given back when dropped.
pub struct Held {
    memory: Memory,
    bytes: u64,
}

impl Held {
    /// Makes it `bytes` in all. After an error it is what it was.
    pub fn set(&mut self, bytes: usize) -> Result<()> {
        self.memory.change(self.bytes, bytes as u64)?;
        self.bytes = bytes as u64;
        Ok(())
    }
    /// Adds `bytes`.
    pub fn grow(&mut self, bytes: usize) -> Result<()> {
        self.set((self.bytes as usize).saturating_add(bytes))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // Less is always granted.
        let _ = self.memory.change(self.bytes, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_beyond_the_limit_is_refused_by_name_and_what_is_dropped_comes_back() {
        let memory = Memory::new(Arc::default());
        memory.set_limit(Some(1024));
        let mut held = memory.hold(1000).expect("room");
        let error = held.grow(25).expect_err("over");
        assert_eq!((error.errno(), error.text()), (Errno::ENOMEM, "memory limit 1K reached"));
        assert!(held.grow(24).is_ok(), "an error changed nothing");
        drop(held);
        assert!(memory.hold(1024).is_ok());
    }
}
