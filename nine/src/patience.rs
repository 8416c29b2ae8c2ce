//! Looking for what will be there in a moment, instead of sleeping until somebody says that it is there.
//!
//! Who sleeps has to be woken: where another processor does that, it takes longer than most answers do. Looking costs a
//! processor that others may want, and while they have it nothing comes. So whoever waits learns from what became of it: each
//! time that it looked in vain it sleeps at once for a longer while, and only where looking is nearly always of use it goes on.

use std::time::{Duration, Instant};

/// How long it looks. A conversation with a program that computes little between two requests has shorter pauses.
const WINDOW: Duration = Duration::from_micros(50);
/// Who has found something only after this long was kept from looking: the processor is others', too.
const KEPT: Duration = Duration::from_micros(200);
/// So often it sleeps at once, at most, before it tries again.
const MOST: u32 = 2047;

/// What one waiter has learned.
#[derive(Clone, Copy, Debug, Default)]
pub struct Patience {
    /// So often it sleeps at once before it looks again.
    left: u32,
    /// How many times that were when it looked last.
    pause: u32,
}

impl Patience {
    /// Asks `look` until that gives something. None where it is time to sleep.
    pub fn look<T>(&mut self, mut look: impl FnMut() -> Option<T>) -> Option<T> {
        if self.left > 0 {
            self.left -= 1;
            return None;
        }
        let began = Instant::now();
        loop {
            let found = look();
            let took = began.elapsed();
            if found.is_some() || took >= WINDOW {
                self.learn(found.is_some() && took < KEPT);
                return found;
            }
            std::hint::spin_loop();
        }
    }

    /// Looking in vain costs several times what finding something spares.
    fn learn(&mut self, was_of_use: bool) {
        self.pause = if was_of_use { self.pause / 2 } else { (self.pause * 8 + 1).min(MOST) };
        self.left = self.pause;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How often it looked, asked `times` times, where there is nothing.
    fn looks_in_vain(patience: &mut Patience, times: usize) -> usize {
        let mut looked = 0;
        for _ in 0..times {
            let mut asked = false;
            let found: Option<()> = patience.look(|| {
                asked = true;
                None
            });
            assert_eq!(found, None);
            looked += usize::from(asked);
        }
        looked
    }

    #[test]
    fn what_is_there_is_found_at_the_first_look() {
        assert_eq!(Patience::default().look(|| Some(7)), Some(7));
    }

    #[test]
    fn who_looks_in_vain_hardly_looks_any_more() {
        assert!(looks_in_vain(&mut Patience::default(), 10_000) < 12);
    }

    #[test]
    fn it_takes_more_finds_than_failures_to_look_every_time_again() {
        let mut patience = Patience::default();
        patience.learn(false);
        patience.learn(false);
        assert_eq!(patience.pause, 9);
        for pause in [4, 2, 1, 0, 0] {
            patience.learn(true);
            assert_eq!((patience.pause, patience.left), (pause, pause));
        }
        for _ in 0..10 {
            patience.learn(false);
        }
        assert_eq!(patience.pause, MOST);
    }
}
