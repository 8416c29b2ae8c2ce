//! When this process began.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

static START: OnceLock<Instant> = OnceLock::new();

/// Called first thing.
pub fn start() {
    START.get_or_init(Instant::now);
}

/// How long ago that was.
pub fn uptime() -> Duration {
    START.get_or_init(Instant::now).elapsed()
}
