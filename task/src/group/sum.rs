//! What the tasks of a group use together.

use crate::{Task, Usage};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What is in use now is that of tasks that have not ended; the rest counts those that have, too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    pub user: Duration,
    pub sys: Duration,
    /// Bytes of memory now.
    pub memory: u64,
    /// Open files now.
    pub files: u64,
    pub calls: u64,
    pub read: u64,
    pub written: u64,
    pub output: u64,
    /// Bytes to and from outside.
    pub network: u64,
    /// Tasks that have not ended.
    pub tasks: u64,
}

impl Sum {
    pub fn cpu(&self) -> Duration {
        self.user + self.sys
    }

    pub(super) fn add_living(&mut self, task: &Task) {
        if let Some(running) = task.life.running() {
            running.measure();
        }
        self.tasks += 1;
        self.memory += now(&task.usage.memory);
        self.files += now(&task.usage.files);
        self.add(&task.usage);
    }
    pub(super) fn add_ended(&mut self, task: &Task) {
        self.add(&task.usage);
    }
    fn add(&mut self, usage: &Usage) {
        self.user += Duration::from_nanos(now(&usage.user_ns));
        self.sys += Duration::from_nanos(now(&usage.sys_ns));
        self.calls += now(&usage.calls);
        self.read += now(&usage.read_bytes);
        self.written += now(&usage.written_bytes);
        self.output += now(&usage.output);
    }
}

fn now(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}
