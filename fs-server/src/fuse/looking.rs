//! Looking for the next request instead of sleeping until it comes, where that makes requests come faster.
//!
//! Who sleeps has to be woken, by a program that goes to sleep itself then: on a machine that is not busy that is half of what
//! a request takes. On a busy one the two may take turns on one processor, which is faster than either. Nobody says which of
//! the two it is. So a session thread tries: a window of requests for which it looks, beside one for which it sleeps, and goes on
//! with what was faster, longer each time that it turns out the same. Within a window in which it looks, it sleeps all the same
//! where nothing comes soon ([`Patience`]).

use nine::patience::Patience;
use std::time::Duration;

/// So many requests make a window, or fewer that have taken so long.
pub(super) const WINDOW: u32 = 64;
pub(super) const FEWEST: u32 = 8;
pub(super) const FULL: Duration = Duration::from_millis(5);
/// The most windows until the other way is tried again: who looks may lose much where he tries to sleep, who sleeps little.
const LONGEST: u32 = 256;
const LONGEST_ASLEEP: u32 = 16;
/// After so many windows it forgets that it looked in vain, which takes about a hundredth of them to learn again: who asks may
/// ask for something else by now.
const AFRESH: u32 = 8;
/// A mount that is asked more seldom than this remembers.
const BRISK: Duration = Duration::from_micros(500);
/// How long it looks for one request: in less than that a program puts 128 KiB into the kernel's pages.
const LOOKS: Duration = Duration::from_micros(100);
/// Looking takes a processor: so much of its time is worth a time that requests come earlier.
const WORTH: u32 = 4;

/// What a request of a window took, and how much of that was spent with looking.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Window {
    pub(super) took: Duration,
    pub(super) looked: Duration,
}

/// A session thread's own.
#[derive(Default)]
pub(super) struct Looking {
    /// What was better.
    favours: bool,
    /// It tries the other.
    trial: bool,
    /// The window before a trial.
    before: Window,
    /// The last trial was better: one more, and it is what is done from then on.
    doubts: bool,
    /// Windows until the next trial, and how many they were last time.
    left: u32,
    stay: u32,
    patience: Patience,
    /// For how many windows it has known what its patience knows.
    known: u32,
}

impl Looking {
    /// Whether it is to look, in this window.
    pub(super) fn looks(&self) -> bool {
        self.favours != self.trial
    }

    /// Looks until `ready`, or for as long as that may be of use.
    pub(super) fn look(&mut self, mut ready: impl FnMut() -> bool) {
        // Whatever came of it, the kernel is asked for a request now, and waits for one.
        let _there = self.patience.look_for(LOOKS, || ready().then_some(()));
    }

    /// A window is over.
    pub(super) fn learn(&mut self, window: Window) {
        self.known += 1;
        if self.known >= AFRESH && window.took < BRISK {
            (self.patience, self.known) = (Patience::default(), 0);
        }
        if !self.trial {
            // The last before a trial is what that is held against.
            (self.trial, self.before) = (self.left == 0, window);
            self.left = self.left.saturating_sub(1);
            return;
        }
        let (looked, slept) = if self.favours { (self.before, window) } else { (window, self.before) };
        let look = slept.took.saturating_sub(looked.took) * WORTH > looked.looked;
        self.trial = false;
        if look == self.favours {
            self.stay = (self.stay * 2).clamp(1, if look { LONGEST } else { LONGEST_ASLEEP });
            (self.left, self.doubts) = (self.stay, false);
        } else if self.doubts {
            (self.favours, self.doubts) = (look, false);
            (self.left, self.stay) = (1, 1);
        } else {
            self.doubts = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A window that took so many microseconds, of which it looked for so many.
    fn window(took: u64, looked: u64) -> Window {
        Window { took: Duration::from_micros(took), looked: Duration::from_micros(looked) }
    }

    /// In how many of so many windows it looked.
    fn windows(looking: &mut Looking, count: usize, looked: Window, slept: Window) -> usize {
        let looks = (0..count).filter(|_| {
            let looks = looking.looks();
            looking.learn(if looks { looked } else { slept });
            looks
        });
        looks.count()
    }

    #[test]
    fn it_looks_where_that_is_faster_and_tries_seldom_to_sleep() {
        let mut looking = Looking::default();
        assert!(!looking.looks(), "nobody has asked for anything yet");
        assert!(windows(&mut looking, 1000, window(500, 250), window(700, 0)) > 970);
    }

    #[test]
    fn it_sleeps_where_looking_takes_more_than_it_gains() {
        let mut looking = Looking::default();
        assert!(windows(&mut looking, 1000, window(5000, 2500), window(5200, 0)) < 70);
    }

    #[test]
    fn what_it_learned_of_one_program_it_forgets_before_long() {
        let mut looking = Looking::default();
        let look = |looking: &mut Looking, comes: bool| {
            let mut asked = false;
            looking.look(|| {
                asked = true;
                comes
            });
            asked
        };
        // Nothing ever comes while it looks, until it does not look any more.
        while (0..100).any(|_| look(&mut looking, false)) {}
        assert!(!(0..100).any(|_| look(&mut looking, true)));
        (0..AFRESH).for_each(|_| looking.learn(window(140, 0)));
        assert!(look(&mut looking, true));
    }

    #[test]
    fn who_is_asked_seldom_looks_seldom() {
        let (mut looking, mut looked) = (Looking::default(), 0);
        for _ in 0..1000 {
            if looking.looks() {
                let looks = |looking: &mut Looking| {
                    let mut at_all = false;
                    looking.look(|| {
                        at_all = true;
                        false
                    });
                    u32::from(at_all)
                };
                looked += (0..WINDOW).map(|_| looks(&mut looking)).sum::<u32>();
            }
            looking.learn(window(60_000, 0));
        }
        assert!(looked < 10, "in vain {looked} times");
    }

    #[test]
    fn one_window_that_was_held_up_changes_nothing() {
        let mut looking = Looking::default();
        windows(&mut looking, 50, window(500, 250), window(700, 0));
        for _ in 0..100 {
            // Whichever it was: something else had the processor.
            looking.learn(window(9000, if looking.looks() { 250 } else { 0 }));
            assert!(windows(&mut looking, 9, window(500, 250), window(700, 0)) >= 7);
        }
    }

    #[test]
    fn what_was_better_once_is_tried_again() {
        let mut looking = Looking::default();
        windows(&mut looking, 1000, window(500, 250), window(700, 0));
        windows(&mut looking, 400, window(900, 400), window(500, 0));
        assert!(windows(&mut looking, 1000, window(900, 400), window(500, 0)) < 70);
    }
}
