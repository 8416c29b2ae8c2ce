//! What peers make the server say, at a rate that they do not set: a few lines of a kind at once, then one now and again
//! that says how many were left out.

use parking_lot::Mutex;
use std::fmt;
use std::time::{Duration, Instant};

/// Lines of one kind within [`EVERY`].
const FEW: u32 = 10;
const EVERY: Duration = Duration::from_secs(10);

/// Warnings of one kind.
pub struct Warnings(Mutex<Window>);

struct Window {
    start: Instant,
    said: u32,
    left_out: u64,
}

impl Warnings {
    pub fn new() -> Warnings {
        Warnings(Mutex::new(Window { start: Instant::now(), said: 0, left_out: 0 }))
    }

    pub fn warn(&self, text: impl fmt::Display) {
        match self.0.lock().admit(Instant::now()) {
            None => {}
            Some(0) => tracing::warn!("{text}"),
            Some(left_out) => tracing::warn!("{text} ({left_out} like it were not shown)"),
        }
    }
}

impl Window {
    /// Whether a line may be said at `now`, and how many have not been since the last.
    fn admit(&mut self, now: Instant) -> Option<u64> {
        if now.duration_since(self.start) >= EVERY {
            (self.start, self.said) = (now, 0);
        }
        if self.said == FEW {
            self.left_out += 1;
            return None;
        }
        self.said += 1;
        Some(std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_faults_is_a_few_lines_and_their_number() {
        let start = Instant::now();
        let mut window = Window { start, said: 0, left_out: 0 };
        let said = (0..1000).filter(|_| window.admit(start).is_some()).count();
        assert_eq!(said, FEW as usize);
        assert_eq!(window.admit(start + EVERY), Some(990));
        assert_eq!(window.admit(start + EVERY), Some(0));
    }
}
