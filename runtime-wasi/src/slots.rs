//! How many guests fit: each takes some of the memory mappings that the kernel lets a process have (vm.max_map_count), and
//! a process that has used them up fails in places that have nothing to do with guests. So one guest too many is refused.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use vfs::{Errno, Error, Result};

/// Mappings of one guest: its memory (what is in use, its image, what is reserved) and its stack with the guard below.
const MAPS_PER_GUEST: usize = 6;
/// Mappings left for the rest of the server: its own code, its threads, compiled programs.
const MAPS_OF_SERVER: usize = 5_000;
/// Memories that the address space holds: 4 GiB and its guards each, of the 128 TiB that a process has, with room to spare.
const ADDRESS_SPACE: usize = 24_000;
/// What Linux has where nobody changed it.
const DEFAULT_MAX_MAP_COUNT: usize = 65_530;

pub(crate) struct Slots {
    taken: AtomicUsize,
    max: usize,
    /// Why no more.
    reason: &'static str,
}

fn max_map_count() -> usize {
    std::fs::read_to_string("/proc/sys/vm/max_map_count")
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(DEFAULT_MAX_MAP_COUNT)
}

impl Slots {
    /// As many as asked for, but no more than fit.
    pub fn new(wanted: Option<usize>) -> Slots {
        let by_maps = (max_map_count().saturating_sub(MAPS_OF_SERVER) / MAPS_PER_GUEST).max(1);
        let wanted = wanted.unwrap_or(usize::MAX);
        let max = wanted.min(by_maps).min(ADDRESS_SPACE);
        let reason = match max {
            max if max == wanted => "",
            max if max == by_maps => ": vm.max_map_count allows no more",
            _ => ": the address space holds no more",
        };
        Slots { taken: AtomicUsize::new(0), max, reason }
    }
    pub fn max(&self) -> usize {
        self.max
    }
    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    pub fn take(self: &Arc<Self>) -> Result<Slot> {
        self.take_more(1)?;
        Ok(Slot { slots: self.clone(), count: 1 })
    }

    fn take_more(&self, count: usize) -> Result<()> {
        let more = |taken: usize| (taken + count <= self.max).then_some(taken + count);
        match self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more) {
            Ok(_) => Ok(()),
            Err(taken) => {
                let reason = self.reason;
                Err(Error::new(Errno::EAGAIN, format!("too many running wasi tasks ({taken}){reason}")))
            }
        }
    }
}

/// A guest's place among those that fit, until it is dropped.
pub(crate) struct Slot {
    slots: Arc<Slots>,
    count: usize,
}

impl Slot {
    /// A guest of several memories takes the room of as many guests.
    pub fn hold(&mut self, memories: usize) -> Result<()> {
        let more = memories.saturating_sub(self.count);
        self.slots.take_more(more)?;
        self.count += more;
        Ok(())
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.slots.taken.fetch_sub(self.count, Ordering::Relaxed);
    }
}
