//! Signals: what a script has set for them, and what came.

use crate::shell::{Outcome, Shell};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use task::{Exit, Signal};
use tokio::sync::Notify;

/// signal(7), as Linux numbers them on x86-64 and arm64.
pub(crate) const SIGNALS: [&str; 31] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE",
    "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ",
    "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
];

/// A signal by name (with SIG or without) or number; 0 is EXIT.
pub(crate) fn signal(word: &[u8]) -> Option<i32> {
    let text = std::str::from_utf8(word).ok()?.to_ascii_uppercase();
    if let Ok(number) = text.parse::<i32>() {
        return (0..=64).contains(&number).then_some(number);
    }
    let name = text.strip_prefix("SIG").unwrap_or(&text);
    if name == "EXIT" {
        return Some(0);
    }
    SIGNALS.iter().position(|known| *known == name).map(|at| at as i32 + 1)
}

pub(crate) fn name(signal: i32) -> &'static str {
    match signal {
        0 => "EXIT",
        _ => SIGNALS.get(signal as usize - 1).copied().unwrap_or("?"),
    }
}

/// What signals do that nothing was set for.
fn own_action(signal: i32) -> Answer {
    match signal {
        libc::SIGCHLD | libc::SIGCONT | libc::SIGURG | libc::SIGWINCH => Answer::Taken,
        libc::SIGTSTP | libc::SIGTTIN | libc::SIGTTOU => Answer::Stop,
        _ => Answer::End,
    }
}

/// Whether a signal ends what does nothing about it. 0 is none.
pub(crate) fn ends(signal: i32) -> bool {
    signal != 0 && signal != libc::SIGSTOP && matches!(own_action(signal), Answer::End)
}

/// The end of a task by any signal.
pub(crate) fn end_by(signal: i32) -> Exit {
    let unknown = || Exit::killed(128 + signal, format!("killed by signal {signal}"));
    Signal::numbered(signal).map_or_else(unknown, Signal::exit)
}

/// Signals on their way from outside to the shell.
#[derive(Default)]
pub(crate) struct Signals {
    pending: AtomicU64,
    caught: AtomicU64,
    ignored: AtomicU64,
    came: Notify,
}

/// What is to be done with a signal that came.
#[derive(PartialEq, Eq)]
pub(crate) enum Answer {
    /// It is seen to.
    Taken,
    /// Its default action: the task stops.
    Stop,
    /// Its default action: the end.
    End,
}

impl Signals {
    pub fn take(&self, signal: i32) -> Answer {
        let bit = 1u64 << (signal & 63);
        if self.ignored.load(Ordering::SeqCst) & bit != 0 {
            return Answer::Taken;
        }
        if self.caught.load(Ordering::SeqCst) & bit != 0 {
            self.pending.fetch_or(bit, Ordering::SeqCst);
            self.came.notify_waiters();
            return Answer::Taken;
        }
        own_action(signal)
    }
    pub fn set(&self, signal: i32, caught: bool, ignored: bool) {
        let bit = 1u64 << (signal & 63);
        let put = |mask: &AtomicU64, on: bool| match on {
            true => mask.fetch_or(bit, Ordering::SeqCst),
            false => mask.fetch_and(!bit, Ordering::SeqCst),
        };
        put(&self.caught, caught);
        put(&self.ignored, ignored);
    }
    /// Ignores all of `signals`, a bit each.
    pub fn ignore(&self, signals: u64) {
        self.ignored.fetch_or(signals, Ordering::SeqCst);
    }
    pub fn any(&self) -> bool {
        self.pending.load(Ordering::Relaxed) != 0
    }
    /// The next signal that came.
    fn next(&self) -> Option<i32> {
        let pending = self.pending.load(Ordering::SeqCst);
        if pending == 0 {
            return None;
        }
        let signal = pending.trailing_zeros();
        self.pending.fetch_and(!(1 << signal), Ordering::SeqCst);
        Some(signal as i32)
    }
    /// It was seen to.
    pub fn forget(&self, signal: i32) {
        self.pending.fetch_and(!(1u64 << (signal & 63)), Ordering::SeqCst);
    }
    /// The signal that interrupts a wait.
    pub async fn came(&self) -> i32 {
        loop {
            let came = self.came.notified();
            tokio::pin!(came);
            came.as_mut().enable();
            let pending = self.pending.load(Ordering::SeqCst);
            if pending != 0 {
                return pending.trailing_zeros() as i32;
            }
            came.await;
        }
    }
}

/// What `trap` has set: by the signal's number, 0 for the shell's end. No text ignores it.
#[derive(Clone, Default)]
pub(crate) struct Traps(BTreeMap<i32, Vec<u8>>);

impl Traps {
    /// What a subshell has of them: what is ignored stays so.
    pub fn fork(&self) -> Traps {
        let ignored = self.0.iter().filter(|(signal, action)| **signal != 0 && action.is_empty());
        Traps(ignored.map(|(signal, action)| (*signal, action.clone())).collect())
    }
    pub fn iter(&self) -> impl Iterator<Item = (i32, &[u8])> {
        self.0.iter().map(|(signal, action)| (*signal, action.as_slice()))
    }
    pub fn take_exit(&mut self) -> Option<Vec<u8>> {
        self.0.remove(&0).filter(|action| !action.is_empty())
    }
}

impl Shell {
    /// Sets what happens at `signal`: a text that is run, nothing for an empty one, or what happens by default.
    pub fn set_trap(&mut self, signal: i32, action: Option<Vec<u8>>) {
        let (caught, ignored) = match &action {
            None => (false, false),
            Some(action) => (!action.is_empty(), action.is_empty()),
        };
        match action {
            Some(action) => self.traps.0.insert(signal, action),
            None => self.traps.0.remove(&signal),
        };
        let kept = self.setting.ignored >> signal & 1 != 0 && !self.interactive;
        if !self.is_subshell && signal != 0 && !kept {
            self.process().signals.set(signal, caught, ignored);
        }
    }

    /// Signals that what it starts ignores, a bit each: those that it ignores.
    pub fn ignored(&self) -> u64 {
        let own = self.traps.iter().filter(|(signal, action)| *signal != 0 && action.is_empty());
        own.fold(self.setting.ignored, |signals, (signal, _)| signals | 1 << (signal & 63))
    }

    /// Runs what is set for a signal or the shell's end; `$?` is then what it was before.
    pub async fn run_trap(&mut self, action: &[u8]) -> Outcome {
        let status = self.status;
        let outer = self.before_trap.replace(status);
        let outcome = self.run_text(action).await;
        self.before_trap = outer;
        if outcome.is_ok() {
            self.status = status;
        }
        outcome
    }

    /// Runs what is set for the signals that came.
    pub async fn act_on_signals(&mut self) -> Outcome {
        while let Some(signal) = self.process().signals.next() {
            if let Some(action) = self.traps.0.get(&signal).cloned() {
                self.run_trap(&action).await?;
            } else if self.interactive && signal == libc::SIGINT {
                return Err(crate::shell::Stop::Interrupted);
            }
        }
        Ok(())
    }
}
