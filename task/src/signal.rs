//! Signals by name and number, as kill(1) knows them.

use crate::{Exit, Task};
use vfs::{Errno, Error, Result};

/// Those of POSIX that a task can be sent (signal(7), Linux numbers).
const NAMES: [(&str, i32); 18] = [
    ("HUP", 1),
    ("INT", 2),
    ("QUIT", 3),
    ("ABRT", 6),
    ("KILL", 9),
    ("USR1", 10),
    ("USR2", 12),
    ("PIPE", 13),
    ("ALRM", 14),
    ("TERM", 15),
    ("CHLD", 17),
    ("CONT", 18),
    ("STOP", 19),
    ("TSTP", 20),
    ("TTIN", 21),
    ("TTOU", 22),
    ("URG", 23),
    ("WINCH", 28),
];

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Signal(i32);

/// What a signal does to a program that does nothing about it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    End,
    Stop,
    Continue,
    Nothing,
}

impl Signal {
    pub const KILL: Signal = Signal(9);
    pub const CONT: Signal = Signal(18);
    pub const STOP: Signal = Signal(19);
    pub const WINCH: Signal = Signal(28);

    /// `TERM`, `SIGTERM`, `term` or `15`.
    pub fn parse(word: &str) -> Result<Signal> {
        let upper = word.to_ascii_uppercase();
        let name = upper.strip_prefix("SIG").unwrap_or(&upper);
        NAMES
            .iter()
            .find(|(known, number)| *known == name || Ok(*number) == word.parse())
            .map(|(_, number)| Signal(*number))
            .ok_or_else(|| Error::new(Errno::EINVAL, format!("unknown signal {word:?}")))
    }

    pub fn numbered(number: i32) -> Option<Signal> {
        NAMES.iter().any(|(_, known)| *known == number).then_some(Signal(number))
    }

    pub fn action(self) -> Action {
        match self.name() {
            "STOP" | "TSTP" | "TTIN" | "TTOU" => Action::Stop,
            "CONT" => Action::Continue,
            "CHLD" | "URG" | "WINCH" => Action::Nothing,
            _ => Action::End,
        }
    }

    pub fn number(self) -> i32 {
        self.0
    }

    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(_, number)| *number == self.0).map_or("?", |(name, _)| name)
    }

    /// The end of a task that this signal ended.
    pub fn exit(self) -> Exit {
        Exit::killed(128 + self.0, format!("killed by SIG{}", self.name()))
    }
}

impl Task {
    /// Sends it a signal: its program sees to that, or the signal's own action is done. Says whether that is its end. One that is being
    /// started gets it when it runs.
    ///
    /// # Errors
    /// It is not running.
    pub fn signal(&self, signal: Signal) -> Result<bool> {
        if signal != Signal::KILL {
            if self.life.keep(signal) {
                return Ok(false);
            }
            let Some(running) = self.life.running() else {
                return Err(Error::new(Errno::EBUSY, format!("kill: task {} is not running", self.id)));
            };
            let own = signal == Signal::STOP || signal == Signal::CONT;
            if !own && running.signal(signal.number()) {
                return Ok(false);
            }
        }
        match signal.action() {
            Action::End => self.life.kill(signal.exit())?,
            // One that is stopped already stays so, and one that runs goes on.
            Action::Stop => drop(self.life.stop()),
            Action::Continue => drop(self.life.cont()),
            Action::Nothing => {}
        }
        Ok(signal.action() == Action::End)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_go_by_name_and_by_number() {
        for word in ["TERM", "term", "SIGTERM", "15"] {
            assert_eq!(Signal::parse(word).map(Signal::number), Ok(15), "{word}");
        }
        assert_eq!(Signal::parse("FOO").expect_err("no signal").text(), "unknown signal \"FOO\"");
        assert!(Signal::parse("0").is_err());
        assert_eq!(Signal::numbered(15), Signal::parse("TERM").ok());
        assert_eq!(Signal::numbered(0), None);
    }
}
