//! What can only be seen: status, wait, exitcode, pid, ppid, container, usage.

use crate::synth::{Show, Text};
use crate::task::{Shown, attr, file};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use task::Task;
use vfs::{Kind, Nature, NodeRef, Op};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Report {
    /// One word: new, running, stopped, exited.
    Status,
    /// Blocks until the end; then, for everyone and for ever, `pid user-ms sys-ms real-ms 'message'`.
    Wait,
    /// Empty until the end, then the number.
    ExitCode,
    Pid,
    /// The task that made it; empty where it was made from outside.
    Ppid,
    /// The container that it is of; empty where it is of none.
    Container,
    /// `name value` lines, live.
    Usage,
}

impl Report {
    pub fn number(self) -> u64 {
        file::REPORTS + self as u64
    }

    fn make(self, task: &Task) -> Op<'_, Vec<u8>> {
        let line = |text: &dyn std::fmt::Display| format!("{text}\n").into_bytes();
        Op::ok(match self {
            Report::Wait => match task.life.end() {
                Some(end) => end.line.clone(),
                None => return Op::later(async { Ok(task.life.ended().await.line.clone()) }),
            },
            Report::Status => line(&task.life.state()),
            Report::ExitCode => task.life.end().map(|end| line(&end.exit.code)).unwrap_or_default(),
            Report::Pid => line(&task.id),
            Report::Ppid => task.ppid().map(|id| line(&id)).unwrap_or_default(),
            Report::Container => task.group().map(|group| line(&group.id)).unwrap_or_default(),
            Report::Usage => usage(task).into_bytes(),
        })
    }
}

fn usage(task: &Task) -> String {
    if let Some(running) = task.life.running() {
        running.measure();
    }
    let usage = &task.usage;
    let now = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let ms = |nanos: u64| nanos / 1_000_000;
    let lines = [
        ("user-ms", ms(now(&usage.user_ns))),
        ("sys-ms", ms(now(&usage.sys_ns))),
        ("real-ms", task.life.real().as_millis() as u64),
        ("memory", now(&usage.memory)),
        ("memory-peak", now(&usage.memory_peak)),
        ("files", now(&usage.files)),
        ("calls", now(&usage.calls)),
        ("round-trips", now(&usage.round_trips)),
        ("read", now(&usage.read_bytes)),
        ("written", now(&usage.written_bytes)),
        ("output", now(&usage.output)),
        ("tasks", u64::from(task.tasks_below())),
    ];
    lines.iter().map(|(name, value)| format!("{name} {value}\n")).collect()
}

/// A report on one task.
struct ReportOn {
    task: Arc<Task>,
    report: Report,
}

pub(super) fn node(task: Shown, report: Report) -> NodeRef {
    Text::node(attr(&task, Kind::File, report.number(), 0o444), ReportOn { task: task.task, report })
}

impl Show for ReportOn {
    fn show(&self) -> Op<'_, Vec<u8>> {
        self.report.make(&self.task)
    }
    fn nature(&self) -> Nature {
        if self.report == Report::Wait { Nature::Stream } else { Nature::Device }
    }
    fn ready(&self) -> Op<'_, ()> {
        if self.report != Report::Wait || self.task.life.end().is_some() {
            return Op::ok(());
        }
        Op::later(async {
            self.task.life.ended().await;
            Ok(())
        })
    }
}
