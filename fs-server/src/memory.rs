//! The allocator of those programs that serve.
//!
//! A server's memory comes and goes in bursts, on whichever threads the work falls: glibc keeps what a burst took in an arena
//! for each, jemalloc gives it back. It does so a while after the memory was freed, by a thread of its own, for a server that
//! nobody uses allocates nothing, by which it would come to do it otherwise.

use tikv_jemalloc_ctl::{background_thread, max_background_threads};

/// To be named as the `global_allocator` of a program.
pub const ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

pub type Allocator = tikv_jemallocator::Jemalloc;

/// From now on, unused memory goes back to the machine also where nothing is allocated any more.
pub(crate) fn give_back_when_idle() {
    let started = max_background_threads::write(1).and_then(|()| background_thread::write(true));
    if let Err(error) = started {
        tracing::debug!(%error, "unused memory goes back to the machine only while some is used");
    }
}
