//! What a worker's program was refused, in words: 9P2000.L and system calls say no more than EACCES, and a program's error message
//! is to name the capability that is missing.

use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;
use vfs::{Access, Guard, Result};

/// Refusals that are kept for a worker that does not ask for them; then the oldest go.
const KEPT: usize = 64;

/// Refusals since they were last asked for.
#[derive(Default, Debug)]
pub(crate) struct Refusals(Mutex<VecDeque<String>>);

impl Refusals {
    pub fn add(&self, what: String) {
        let what = what.replace('\n', "\\n");
        let mut kept = self.0.lock();
        // A program that tries again and again is refused the same.
        if kept.back() == Some(&what) {
            return;
        }
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back(what);
    }

    /// All of them, a line each, the newest last.
    pub fn text(&self) -> String {
        let kept = self.0.lock();
        kept.iter().map(|line| format!("{line}\n")).collect()
    }
}

/// A guard whose refusals are kept.
#[derive(Debug)]
pub(crate) struct Told {
    pub guard: Arc<dyn Guard>,
    pub refusals: Arc<Refusals>,
}

impl Guard for Told {
    fn allow(&self, path: &[u8], want: Access) -> Result<()> {
        self.guard
            .allow(path, want)
            .inspect_err(|error| self.refusals.add(format!("{}: {error}", String::from_utf8_lossy(path))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_refusals_are_kept_a_line_each() {
        let refusals = Refusals::default();
        for n in 0..KEPT + 2 {
            refusals.add(format!("a\n{n}"));
            refusals.add(format!("a\n{n}"));
        }
        let text = refusals.text();
        assert_eq!(text.lines().count(), KEPT);
        assert_eq!((text.lines().next(), text.lines().last()), (Some("a\\n2"), Some("a\\n65")));
    }
}
