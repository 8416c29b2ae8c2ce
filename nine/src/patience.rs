//! Looking for what will be there in a moment, instead of sleeping until somebody says that it is there.
//!
//! Who sleeps has to be woken: where another processor does that, it takes longer than most answers do. Looking costs a
//! processor that others may want, and while they have it nothing comes. So whoever waits learns from what became of it: each
//! time that it looked in vain it sleeps at once for a longer while, and only where looking is nearly always of use it goes on.
//! Who waits for one thing asks for it himself ([`Patience::look`]); a runtime, which waits for all that its tasks do, is kept
//! from sleeping ([`Arrivals`]).

use parking_lot::Mutex;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// How long it looks. A conversation with a program that computes little between two requests has shorter pauses.
const WINDOW: Duration = Duration::from_micros(50);
/// Who has found something only after this long was kept from looking: the processor is others', too.
const KEPT: Duration = Duration::from_micros(200);
/// In so many of a runtime's rounds comes what its own tasks had begun: it would not have slept.
const AT_ONCE: u32 = 2;
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
    pub fn look<T>(&mut self, look: impl FnMut() -> Option<T>) -> Option<T> {
        self.look_for(WINDOW, look)
    }

    /// The same for another while than is of use as a rule.
    pub fn look_for<T>(&mut self, most: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
        let began = self.begin()?;
        loop {
            let found = look();
            let took = began.elapsed();
            if found.is_some() || took >= most {
                self.learn(found.is_some() && took < KEPT);
                return found;
            }
            std::hint::spin_loop();
        }
    }

    fn begin(&mut self) -> Option<Instant> {
        if self.left > 0 {
            self.left -= 1;
            return None;
        }
        Some(Instant::now())
    }

    /// Looking in vain costs several times what finding something spares.
    fn learn(&mut self, was_of_use: bool) {
        self.pause = if was_of_use { self.pause / 2 } else { (self.pause * 8 + 1).min(MOST) };
        self.left = self.pause;
    }
}

/// Threads of this process that look at this moment.
static LOOKING: AtomicUsize = AtomicUsize::new(0);

/// The right to look: half of the processors may have a thread that does, since whoever is to be found needs another.
pub struct Turn(());

impl Turn {
    /// None where enough others look.
    pub fn take() -> Option<Turn> {
        static MOST: OnceLock<usize> = OnceLock::new();
        let most = *MOST.get_or_init(|| std::thread::available_parallelism().map_or(1, usize::from) / 2);
        let may = LOOKING.fetch_add(1, Ordering::Relaxed) < most;
        // Dropped at once where there are enough.
        let turn = Turn(());
        may.then_some(turn)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        LOOKING.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What comes to a runtime of one thread, as far as somebody says so: where one thing came the next is often near, and then
/// the runtime looks for it instead of sleeping.
#[derive(Default)]
pub struct Arrivals {
    bell: Notify,
    look: Mutex<Option<Look>>,
}

/// A look under way, and after how long something came.
struct Look {
    began: Instant,
    came: Option<Duration>,
}

impl Arrivals {
    /// Something has come, and is about to be dealt with.
    pub fn tell(&self) {
        if let Some(look) = &mut *self.look.lock() {
            let began = look.began;
            look.came.get_or_insert_with(|| began.elapsed());
        }
        self.bell.notify_one();
    }

    /// Looks for what comes next, each time that something has come. Never ends; to be polled by the runtime in question,
    /// whose other tasks go on meanwhile.
    pub async fn look_for_more(&self) {
        let mut patience = Patience::default();
        loop {
            self.bell.notified().await;
            while let Some(_turn) = Turn::take()
                && self.look(&mut patience).await
            {}
        }
    }

    /// Whether something came.
    async fn look(&self, patience: &mut Patience) -> bool {
        let Some(began) = patience.begin() else { return false };
        *self.look.lock() = Some(Look { began, came: None });
        let mut rounds = 0;
        loop {
            // The runtime asks the system what there is, does that, and comes back at once.
            tokio::task::yield_now().await;
            rounds += 1;
            let mut look = self.look.lock();
            let came = look.as_ref().and_then(|look| look.came);
            if came.is_some() || began.elapsed() >= WINDOW {
                *look = None;
                if came.is_none() || rounds > AT_ONCE {
                    patience.learn(came.is_some_and(|after| after < KEPT));
                }
                return came.is_some();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

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
    /// How often a runtime that does nothing but this has slept until `done`.
    fn sleeps(arrivals: &Arrivals, done: impl Future<Output = ()>) -> usize {
        let slept = Arc::new(AtomicUsize::new(0));
        let count = slept.clone();
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.on_thread_park(move || {
            count.fetch_add(1, Ordering::Relaxed);
        });
        runtime.enable_all().build().expect("a runtime").block_on(async {
            tokio::select! {
                () = arrivals.look_for_more() => unreachable!(),
                () = done => {}
            }
        });
        slept.load(Ordering::Relaxed)
    }

    #[test]
    fn a_runtime_to_which_nothing_comes_sleeps() {
        let arrivals = Arrivals::default();
        let slept = sleeps(&arrivals, async { tokio::time::sleep(Duration::from_millis(30)).await });
        // Its timer may wake it on the way.
        assert!((1..10).contains(&slept), "slept {slept} times");
    }

    #[test]
    fn a_runtime_to_which_something_came_looks_for_more_and_sleeps_where_nothing_comes() {
        let arrivals = Arrivals::default();
        let slept = sleeps(&arrivals, async {
            for _ in 0..300 {
                arrivals.tell();
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        });
        // It looked in vain a few times, and slept the others.
        assert!(slept > 270, "slept {slept} times");
        assert!(arrivals.look.lock().is_none(), "no look is under way when it sleeps");
    }

    /// What somebody has learned who looked where something came after so many rounds, and whether he found it.
    fn learned(pause: u32, rounds: usize) -> (u32, bool) {
        let (arrivals, mut patience) = (Arrivals::default(), Patience { left: 0, pause });
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let (found, ()) = runtime.block_on(async {
            tokio::join!(arrivals.look(&mut patience), async {
                for _ in 0..rounds {
                    tokio::task::yield_now().await;
                }
                arrivals.tell();
            })
        });
        (patience.pause, found)
    }

    #[test]
    fn what_comes_while_a_runtime_looks_is_found_and_encourages_it() {
        // Where the processor was taken away meanwhile it comes too late.
        assert!((0..1000).any(|_| learned(8, 5) == (4, true)));
    }

    #[test]
    fn what_a_runtime_does_to_itself_teaches_nothing() {
        assert_eq!(learned(8, 1), (8, true));
    }
}
