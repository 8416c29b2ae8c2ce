//! A task's life: its states, who may change them, and who is told.
//!
//! ```text
//!                    stop
//!   new ──start──► running ◄────────► stopped
//!    │               │       cont        │
//!    │ remove        └───── its end ─────┘        kill, a limit, or the program itself
//!    ▼                         ▼
//!  exited ◄──────────────── exited                for ever: wait, exitcode and the output stay until it is removed
//! ```
//!
//! This module changes the state and nothing else does; every change is told to all who wait. While a start is under way
//! the state is still `new`, a second start is refused, and a kill cancels it.

use crate::{Exit, Limits, Running, Signal};
use parking_lot::Mutex;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::{Notify, watch};
use vfs::{Errno, Error, Result, TaskId};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    New,
    Running,
    Stopped,
    Exited,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            State::New => "new",
            State::Running => "running",
            State::Stopped => "stopped",
            State::Exited => "exited",
        })
    }
}

/// How it ended, and the line that wait gives: `pid user-ms sys-ms real-ms 'message'`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct End {
    pub exit: Exit,
    pub line: Vec<u8>,
}

enum Phase {
    New,
    /// `killed` was asked for in the meantime: the start is cancelled, or the program ends as soon as it counts as running.
    /// Then it gets what it was `sent`.
    Starting {
        cancel: Arc<Notify>,
        killed: Option<Exit>,
        sent: Vec<Signal>,
    },
    Alive {
        running: Arc<dyn Running>,
        since: Instant,
        killed: Option<Exit>,
    },
    Exited {
        end: Arc<End>,
        real: std::time::Duration,
    },
}

pub struct Life {
    id: TaskId,
    phase: Mutex<Phase>,
    state: watch::Sender<State>,
}

/// What a verb that does not fit the state fails with.
fn unfit(id: TaskId, verb: &str, state: &str) -> Error {
    Error::new(Errno::EBUSY, format!("{verb}: task {id} {state}"))
}

impl Life {
    pub fn new(id: TaskId) -> Life {
        Life { id, phase: Mutex::new(Phase::New), state: watch::Sender::new(State::New) }
    }

    pub fn state(&self) -> State {
        *self.state.borrow()
    }
    /// Told of every change from now on.
    pub fn watch(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }
    pub fn end(&self) -> Option<Arc<End>> {
        match &*self.phase.lock() {
            Phase::Exited { end, .. } => Some(end.clone()),
            _ => None,
        }
    }
    /// The end, when it comes.
    pub async fn ended(&self) -> Arc<End> {
        let mut changes = self.watch();
        loop {
            if let Some(end) = self.end() {
                return end;
            }
            // The sender lives as long as we do, so this cannot fail; were it to, the loop asks again.
            let _ = changes.changed().await;
        }
    }
    /// Time since start, until the end.
    pub fn real(&self) -> std::time::Duration {
        match &*self.phase.lock() {
            Phase::Alive { since, .. } => since.elapsed(),
            Phase::Exited { real, .. } => *real,
            Phase::New | Phase::Starting { .. } => std::time::Duration::ZERO,
        }
    }
    pub fn running(&self) -> Option<Arc<dyn Running>> {
        match &*self.phase.lock() {
            Phase::Alive { running, .. } => Some(running.clone()),
            _ => None,
        }
    }

    /// Whether nobody has begun to start it.
    pub fn is_new(&self) -> bool {
        matches!(&*self.phase.lock(), Phase::New)
    }
    /// Fails, naming `what`, unless the task is new: its program is decided at start.
    pub fn must_be_new(&self, what: &str) -> Result<()> {
        match &*self.phase.lock() {
            Phase::New => Ok(()),
            Phase::Starting { .. } => Err(unfit(self.id, what, "is starting")),
            Phase::Alive { .. } => Err(unfit(self.id, what, "is running")),
            Phase::Exited { .. } => Err(unfit(self.id, what, "has exited")),
        }
    }
    pub fn must_not_be_over(&self, what: &str) -> Result<()> {
        match &*self.phase.lock() {
            Phase::Exited { .. } => Err(unfit(self.id, what, "has exited")),
            _ => Ok(()),
        }
    }

    /// Begins a start. The task is new again when what is given is dropped before [`Starting::started`].
    pub fn begin(&self) -> Result<Starting<'_>> {
        self.must_be_new("start")?;
        let cancel = Arc::new(Notify::new());
        let mut phase = self.phase.lock();
        if !matches!(*phase, Phase::New) {
            return Err(unfit(self.id, "start", "is starting"));
        }
        *phase = Phase::Starting { cancel: cancel.clone(), killed: None, sent: Vec::new() };
        Ok(Starting { life: self, cancel })
    }

    pub fn stop(&self) -> Result<()> {
        self.turn("stop", State::Running, State::Stopped, "is not running", |running| running.stop())
    }
    pub fn cont(&self) -> Result<()> {
        self.turn("cont", State::Stopped, State::Running, "is not stopped", |running| running.cont())
    }

    fn turn(
        &self,
        verb: &str,
        from: State,
        to: State,
        otherwise: &str,
        act: impl FnOnce(&dyn Running),
    ) -> Result<()> {
        let phase = self.phase.lock();
        let Phase::Alive { running, .. } = &*phase else { return Err(unfit(self.id, verb, otherwise)) };
        if self.state() != from {
            return Err(unfit(self.id, verb, otherwise));
        }
        act(&**running);
        self.state.send_replace(to);
        Ok(())
    }

    /// Asks for the end. A start under way is cancelled; the first end that was asked for counts.
    pub fn kill(&self, exit: Exit) -> Result<()> {
        let mut phase = self.phase.lock();
        match &mut *phase {
            Phase::New => Err(unfit(self.id, "kill", "is not running")),
            Phase::Exited { .. } => Err(unfit(self.id, "kill", "has exited")),
            Phase::Starting { cancel, killed, .. } => {
                killed.get_or_insert(exit);
                cancel.notify_one();
                Ok(())
            }
            Phase::Alive { running, killed, .. } => {
                let exit = killed.get_or_insert(exit).clone();
                let running = running.clone();
                drop(phase);
                running.kill(exit);
                // Whoever sees to it that a kill strikes is told by a change that is none.
                self.state.send_modify(|_| ());
                Ok(())
            }
        }
    }
    /// Keeps a signal until the start that is under way is done: the program may run before its start is known to be done, and send
    /// itself one. False where no start is under way.
    pub fn keep(&self, signal: Signal) -> bool {
        let mut phase = self.phase.lock();
        let Phase::Starting { sent, .. } = &mut *phase else { return false };
        if !sent.contains(&signal) {
            sent.push(signal);
        }
        true
    }
    /// The end that was asked for, where one was.
    pub fn killed(&self) -> Option<Exit> {
        match &*self.phase.lock() {
            Phase::Alive { killed, .. } => killed.clone(),
            _ => None,
        }
    }

    /// Tells a running program its new limits.
    pub fn tell_limits(&self, limits: Limits) {
        if let Some(running) = self.running() {
            running.set_limits(limits);
            self.state.send_modify(|_| ());
        }
    }

    /// Makes sure that it neither runs nor ever will: a new task ends, one that runs is refused.
    pub fn retire(&self, line: impl FnOnce(&Exit) -> Vec<u8>) -> Result<()> {
        let mut phase = self.phase.lock();
        match &*phase {
            Phase::Exited { .. } => Ok(()),
            Phase::Starting { .. } => Err(unfit(self.id, "remove", "is starting: kill it first")),
            Phase::Alive { .. } => {
                let text = format!("is {}: kill it first", self.state());
                Err(unfit(self.id, "remove", &text))
            }
            Phase::New => {
                let exit = Exit::killed(128 + 9, "removed before it was started");
                let end = Arc::new(End { line: line(&exit), exit });
                *phase = Phase::Exited { end, real: std::time::Duration::ZERO };
                self.state.send_replace(State::Exited);
                Ok(())
            }
        }
    }

    /// The end. `line` makes the wait line from the time since start.
    pub fn finish(&self, exit: Exit, line: impl FnOnce(&Exit, std::time::Duration) -> Vec<u8>) {
        let mut phase = self.phase.lock();
        let real = match &*phase {
            Phase::Exited { .. } => return,
            Phase::Alive { since, .. } => since.elapsed(),
            Phase::New | Phase::Starting { .. } => std::time::Duration::ZERO,
        };
        let end = Arc::new(End { line: line(&exit, real), exit });
        let over = std::mem::replace(&mut *phase, Phase::Exited { end, real });
        self.state.send_replace(State::Exited);
        drop(phase);
        // What ran is dropped outside of the lock: its files close.
        drop(over);
    }
}

/// A start under way.
pub struct Starting<'a> {
    life: &'a Life,
    cancel: Arc<Notify>,
}

impl Starting<'_> {
    /// Done when a kill cancels the start.
    pub async fn cancelled(&self) {
        self.cancel.notified().await;
    }
    /// It runs. Gives the signals that it is to get now.
    pub fn started(self, running: Arc<dyn Running>) -> Vec<Signal> {
        let mut phase = self.life.phase.lock();
        // A program may reach a limit, or be killed by another, before its start is done.
        let (killed, sent) = match &mut *phase {
            Phase::Starting { killed, sent, .. } => (killed.take(), std::mem::take(sent)),
            _ => (None, Vec::new()),
        };
        *phase = Phase::Alive { running: running.clone(), since: Instant::now(), killed: killed.clone() };
        self.life.state.send_replace(State::Running);
        drop(phase);
        if let Some(exit) = killed {
            running.kill(exit);
        }
        sent
    }
}

impl Drop for Starting<'_> {
    fn drop(&mut self) {
        let mut phase = self.life.phase.lock();
        if matches!(*phase, Phase::Starting { .. }) {
            *phase = Phase::New;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::future::BoxFuture;

    /// Remembers how it was killed.
    #[derive(Default)]
    struct Fake(Mutex<Option<Exit>>);

    impl Running for Fake {
        fn stop(&self) {}
        fn cont(&self) {}
        fn kill(&self, exit: Exit) {
            *self.0.lock() = Some(exit);
        }
        fn set_limits(&self, _limits: Limits) {}
        fn wait(&self) -> BoxFuture<'static, Exit> {
            Box::pin(std::future::pending())
        }
    }

    #[test]
    fn a_limit_that_strikes_before_the_start_is_done_still_ends_the_program() {
        let life = Life::new(TaskId(1));
        let starting = life.begin().expect("new");
        let exit = Exit::killed(153, "output limit 1M reached");
        assert_eq!(life.kill(exit.clone()), Ok(()));
        let fake = Arc::new(Fake::default());
        starting.started(fake.clone());
        assert_eq!(*fake.0.lock(), Some(exit.clone()));
        assert_eq!(life.killed(), Some(exit), "it is given up, should it not end");
    }

    #[test]
    fn signals_that_come_before_the_start_is_done_are_kept_until_then_each_once() {
        let life = Life::new(TaskId(1));
        let (term, hup) = (Signal::parse("TERM").expect("one"), Signal::parse("HUP").expect("one"));
        assert!(!life.keep(term), "nobody starts it");
        let starting = life.begin().expect("new");
        assert!(life.keep(term) && life.keep(hup) && life.keep(term));
        assert_eq!(starting.started(Arc::new(Fake::default())), [term, hup]);
        assert!(!life.keep(hup), "it runs");
    }
}
