//! A task's limits on its worker: who computes, grows or lasts too long is ended, with a message that names the limit.
//!
//! The worker's own warmth is not the task's: time and memory count from what it had when it was given its task. They are looked
//! at as often as they could strike: the nearer to a limit, the sooner; a program that does nothing is hardly looked at.

use crate::process::{Process, Used};
use parking_lot::Mutex;
use std::time::Duration;
use task::{Exit, Limits, show_size, show_time};
use tokio::sync::watch;
use tokio::time::Instant;

/// Exit statuses of limits, by the signals that a Unix sends for them: SIGABRT of an engine out of memory, SIGALRM, SIGXCPU.
const EXIT_MEMORY: i32 = 128 + 6;
const EXIT_WALL: i32 = 128 + 14;
const EXIT_CPU: i32 = 128 + 24;

/// No program grows faster than so many bytes in a second.
const FASTEST: f64 = 2e9;
/// The shortest and the longest that it is not looked at.
const SOON: Duration = Duration::from_millis(5);
const SELDOM: Duration = Duration::from_millis(200);

/// The kernel tells a program's time from the system's by looking who runs at each tick of its clock: of less than this that
/// says nothing, and all of it is told as the program's.
const TELLING: Duration = Duration::from_millis(100);

pub(crate) struct Bounds {
    limits: watch::Sender<Limits>,
    /// When the task was given, and what the worker had used until then.
    begun: Mutex<Option<(Instant, Used)>>,
}

impl Bounds {
    pub fn new() -> Bounds {
        Bounds { limits: watch::Sender::new(Limits::default()), begun: Mutex::new(None) }
    }

    pub fn begin(&self, process: &Process, limits: Limits) {
        *self.begun.lock() = Some((Instant::now(), process.used().unwrap_or_default()));
        self.limits.send_replace(limits);
    }
    pub fn set(&self, limits: Limits) {
        self.limits.send_replace(limits);
    }

    /// What the worker had used when it was given its task.
    fn before(&self) -> Used {
        self.begun.lock().map(|(_, used)| used).unwrap_or_default()
    }
    /// What of `used` is the task's.
    pub fn tasks_part(&self, used: Used) -> Used {
        let before = self.before();
        let both = (used.user + used.system).saturating_sub(before.user + before.system);
        let system = used.system.saturating_sub(before.system).min(both.saturating_sub(TELLING));
        Used { user: both - system, system, memory: used.memory.saturating_sub(before.memory) }
    }

    /// The end of who was faster than a look, and met the kernel's bound.
    pub fn out_of_memory(&self) -> Exit {
        out_of_memory(self.limits.borrow().memory.unwrap_or_default())
    }

    /// Done when a limit strikes, with the end that it means.
    pub async fn strike(&self, process: &Process) -> Exit {
        let mut changes = self.limits.subscribe();
        let mut last = Duration::MAX;
        loop {
            let limits = *changes.borrow_and_update();
            let begun = self.begun.lock().map(|(at, _)| at);
            let next = match begun {
                None => None,
                Some(at) => match self.look(process, &limits, at.elapsed(), &mut last) {
                    Err(exit) => return exit,
                    Ok(next) => next,
                },
            };
            tokio::select! {
                () = tokio::time::sleep(next.unwrap_or_default()), if next.is_some() => {}
                // Lives as long as we do.
                _ = changes.changed() => {}
            }
        }
    }

    /// How long nothing can strike; none is for ever.
    fn look(
        &self,
        process: &Process,
        limits: &Limits,
        real: Duration,
        last: &mut Duration,
    ) -> Result<Option<Duration>, Exit> {
        let mut next: Option<Duration> = None;
        let mut within = |time: Duration| next = Some(next.map_or(time, |n| n.min(time)));
        if let Some(wall) = limits.wall {
            if real >= wall {
                return Err(Exit::killed(EXIT_WALL, format!("wall limit {} reached", show_time(wall))));
            }
            within(wall - real);
        }
        if limits.cpu.is_none() && limits.memory.is_none() {
            return Ok(next);
        }
        // A process that has ended is waited for elsewhere.
        let (Some(cpu), Some(memory)) = (process.cpu(), process.memory()) else { return Ok(next) };
        let before = self.before();
        if let Some(limit) = limits.cpu {
            let used = cpu.saturating_sub(before.user + before.system);
            if used >= limit {
                return Err(Exit::killed(EXIT_CPU, format!("cpu limit {} reached", show_time(limit))));
            }
            // All of its threads may compute at once.
            let cores = std::thread::available_parallelism().map_or(1, |n| n.get() as u32);
            within(((limit - used) / cores).max(SOON));
        }
        if let Some(limit) = limits.memory {
            let used = memory.saturating_sub(before.memory);
            if used > limit {
                return Err(out_of_memory(limit));
            }
            let growth = Duration::from_secs_f64((limit - used) as f64 / FASTEST);
            // Who has not computed has not grown, and most likely goes on so.
            let patience = if *last == cpu { 4 } else { 1 };
            within((growth * patience).clamp(SOON, SELDOM));
        }
        *last = cpu;
        Ok(next)
    }
}

fn out_of_memory(limit: u64) -> Exit {
    Exit::killed(EXIT_MEMORY, format!("memory limit {} reached", show_size(limit)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_programs_time_is_its_own_whatever_the_kernels_ticks_say() {
        let ms = Duration::from_millis;
        let used = |user, system| Used { user: ms(user), system: ms(system), memory: 0 };
        let bounds = Bounds::new();
        *bounds.begun.lock() = Some((Instant::now(), used(30, 10)));
        assert_eq!(bounds.tasks_part(used(0, 47)), used(7, 0), "the ticks all fell into the system's time");
        assert_eq!(bounds.tasks_part(used(330, 110)), used(300, 100));
        assert_eq!(bounds.tasks_part(used(30, 160)), used(100, 50), "of which the first are the program's");
        assert_eq!(bounds.tasks_part(used(0, 0)), used(0, 0));
    }
}
