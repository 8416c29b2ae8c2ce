//! Signals by name and number, as kill(1) knows them.

use crate::Exit;
use vfs::{Errno, Error, Result};

/// Those of POSIX that a task can be sent (signal(7), Linux numbers).
const NAMES: [(&str, i32); 14] = [
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
    ("CONT", 18),
    ("STOP", 19),
    ("TSTP", 20),
    ("WINCH", 28),
];

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Signal(i32);

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
    }
}
