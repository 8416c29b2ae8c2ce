//! Looks at what a group uses while it has limits that nobody else sees to, and strikes: memory, cpu, share, wall, idle.
//!
//! One warden a group, from the first start of a task under such a limit until no task runs. It looks as often as the limits
//! ask for: the nearer one is, the sooner again.

use super::{Bounds, Group, Hold};
use crate::limits::{show_size, show_time};
use crate::{Exit, State, Task};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;

const SOON: Duration = Duration::from_millis(10);
const OFTEN: Duration = Duration::from_millis(50);
const SELDOM: Duration = Duration::from_secs(1);
/// Where there is nothing to look at: a change wakes the warden.
const NEVER: Duration = Duration::from_secs(1 << 20);
/// Of cpu time in a second, what a program that only waits may use.
const IDLING: f64 = 0.01;

impl Group {
    /// Sees to it that a warden looks, where one is needed.
    pub(super) fn guard(self: &Arc<Group>, handle: &Handle) {
        if !self.guarded.swap(true, Ordering::SeqCst) {
            handle.spawn(watch_over(Arc::downgrade(self)));
        }
    }

    /// Everything of it ends for a limit.
    fn strike(&self, name: &str, text: String) {
        self.tell_struck(name, &text);
        self.shut(&Exit::killed(128 + 9, text));
    }

    fn runs(&self) -> bool {
        self.alive().iter().any(|task| task.life.must_be_new("run").is_err())
    }
}

async fn watch_over(group: Weak<Group>) {
    let mut watch = Watch::new();
    loop {
        let Some(strong) = group.upgrade() else { return };
        let mut changes = strong.watch();
        if !strong.runs() {
            strong.guarded.store(false, Ordering::SeqCst);
            // One that started in between found a warden.
            if !strong.runs() || strong.guarded.swap(true, Ordering::SeqCst) {
                return;
            }
        }
        let again = watch.look(&strong);
        drop(strong);
        tokio::select! {
            () = tokio::time::sleep(again) => {}
            // Limits that are set, and tasks that are continued, are looked at at once.
            _ = changes.changed() => {}
        }
    }
}

/// What a warden remembers from one look to the next.
struct Watch {
    activity: u64,
    output: u64,
    cpu: Duration,
    looked: Instant,
    used_last: Instant,
    /// The cpu time that may be used until the next look, under a share; negative is a debt.
    credit: f64,
    resting: bool,
    /// That it had to rest is told once.
    told_share: bool,
}

impl Watch {
    fn new() -> Watch {
        let now = Instant::now();
        Watch {
            activity: 0,
            output: 0,
            cpu: Duration::ZERO,
            looked: now,
            used_last: now,
            credit: 0.0,
            resting: false,
            told_share: false,
        }
    }

    /// Strikes where a limit is reached; gives when to look again.
    fn look(&mut self, group: &Arc<Group>) -> Duration {
        let bounds = group.limits();
        if !bounds.want_watching() {
            self.rest(group, false);
            return NEVER;
        }
        let sum = group.usage();
        let now = Instant::now();
        let passed = now.duration_since(self.looked);
        let worked = sum.cpu().saturating_sub(self.cpu);
        let mut again = SELDOM;

        let activity = group.activity.load(Ordering::Relaxed);
        let busy = worked.as_secs_f64() > passed.as_secs_f64() * IDLING && !worked.is_zero();
        if busy || activity != self.activity || sum.output != self.output || group.hold() == Hold::Frozen {
            self.used_last = now;
        }
        (self.activity, self.output, self.cpu, self.looked) = (activity, sum.output, sum.cpu(), now);

        if let Some(idle) = bounds.idle {
            let waited = now.duration_since(self.used_last);
            if waited >= idle {
                group.strike("idle", reached(group, "idle", &show_time(idle)));
                return SOON;
            }
            again = again.min(idle - waited);
        }
        if let Some(wall) = bounds.wall {
            let since = group.since.lock().map_or(Duration::ZERO, |since| now.duration_since(since));
            if since >= wall {
                group.strike("wall", reached(group, "wall", &show_time(wall)));
                return SOON;
            }
            again = again.min(wall - since);
        }
        if let Some(cpu) = bounds.cpu {
            if sum.cpu() >= cpu {
                group.strike("cpu", reached(group, "cpu", &show_time(cpu)));
                return SOON;
            }
            // Several processors may use it up at once.
            again = again.min((cpu - sum.cpu()) / 4);
        }
        if let Some(memory) = bounds.memory {
            if sum.memory > memory {
                kill_largest(group, memory, reached(group, "memory", &show_size(memory)));
                return SOON;
            }
            again = again.min(if sum.memory > memory / 2 { OFTEN } else { 4 * OFTEN });
        }
        if let Some(share) = self.share(group, &bounds, passed, worked) {
            again = again.min(share);
        }
        again.max(SOON)
    }

    /// Lets the group rest, or go on, so that over time it gets its share.
    fn share(
        &mut self,
        group: &Group,
        bounds: &Bounds,
        passed: Duration,
        worked: Duration,
    ) -> Option<Duration> {
        let Some(share) = bounds.share else {
            self.rest(group, false);
            return None;
        };
        let rate = f64::from(share) / 100.0;
        self.credit = (self.credit + passed.as_secs_f64() * rate - worked.as_secs_f64()).min(rate * 0.1);
        self.rest(group, self.credit < 0.0);
        if self.resting && !std::mem::replace(&mut self.told_share, true) {
            group.tell_struck("share", &reached(group, "share", &format!("{share}%")));
        }
        Some(if self.resting {
            Duration::from_secs_f64((-self.credit / rate).clamp(0.0, 1.0))
        } else {
            OFTEN
        })
    }

    /// Nobody sees it in a task's state: it is not stopped, it only waits for a processor.
    fn rest(&mut self, group: &Group, rest: bool) {
        if rest == self.resting && !rest {
            return;
        }
        self.resting = rest;
        for task in group.alive() {
            if let Some(running) = task.life.running().filter(|_| task.life.state() == State::Running) {
                if rest { running.stop() } else { running.cont() }
            }
        }
    }
}

fn reached(group: &Group, name: &str, value: &str) -> String {
    format!("limit {name}={value} of container {} reached", group.id)
}

fn kill_largest(group: &Group, limit: u64, text: String) {
    let memory = |task: &Arc<Task>| task.usage.memory.load(Ordering::Relaxed);
    let running: Vec<_> = group.alive().into_iter().filter(|task| task.life.running().is_some()).collect();
    let used: Vec<_> = running.iter().map(|task| (memory(task), task.life.killed().is_some())).collect();
    let Some(largest) = too_large(&used, limit) else { return };
    group.tell_struck("memory", &text);
    // It may have ended meanwhile: the next look tells.
    let _ = running[largest].life.kill(Exit::killed(128 + 9, text));
}

/// Which of these is to go so that the others fit: bytes, and whether it was killed. None where those that were killed and have not
/// given back theirs yet are all that is too much.
fn too_large(used: &[(u64, bool)], limit: u64) -> Option<usize> {
    let living = || used.iter().enumerate().filter(|(_, (_, killed))| !killed);
    let sum = living().fold(0, |sum: u64, (_, (bytes, _))| sum.saturating_add(*bytes));
    let (largest, _) = living().max_by_key(|(_, (bytes, _))| *bytes)?;
    (sum > limit).then_some(largest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_are_killed_than_it_takes() {
        assert_eq!(too_large(&[(30, false), (50, false), (10, false)], 70), Some(1));
        // It dies: what it still has is nobody's fault.
        assert_eq!(too_large(&[(30, false), (50, true), (10, false)], 70), None);
        assert_eq!(too_large(&[(40, false), (50, true), (35, false)], 70), Some(0));
        assert_eq!(too_large(&[(30, false), (40, false)], 70), None);
        assert_eq!(too_large(&[], 0), None);
    }
}
