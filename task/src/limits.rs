//! What a task may use at most. A limit that strikes ends the task with a message that names it (or fails the call, where
//! POSIX has an errno for it: open files).
//!
//! As text: `memory=64M cpu=2s wall=500ms files=64 output=1M tasks=8`, or a line each with a space for the `=`; sizes in bytes or with K, M, G (of 1024), times
//! with ms, s, m or h, and `none` for no limit.

use std::fmt;
use std::time::Duration;
use vfs::{Errno, Error, Result};

/// None is no limit of the task's own; the server's defaults are filled in when a task is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of guest memory.
    pub memory: Option<u64>,
    /// Time on a cpu.
    pub cpu: Option<Duration>,
    /// Time since start.
    pub wall: Option<Duration>,
    /// Open files at once, stdio included.
    pub files: Option<u32>,
    /// Bytes written to stdio/1 and 2 together.
    pub output: Option<u64>,
    /// Tasks below this one.
    pub tasks: Option<u32>,
}

impl Limits {
    pub const NAMES: [&str; 6] = ["memory", "cpu", "wall", "files", "output", "tasks"];

    /// Sets the one limit that `word` (`memory=64M`, `memory 64M`) names. An error changes nothing.
    pub fn set(&mut self, word: &str) -> Result<()> {
        let bad = |why: String| Error::new(Errno::EINVAL, format!("bad limit {word:?}: {why}"));
        let (name, value) = word.split_once(['=', ' ']).ok_or_else(|| bad("want name=value".into()))?;
        let value = if value == "none" { None } else { Some(value) };
        match name {
            "memory" => self.memory = value.map(parse_size).transpose().map_err(bad)?,
            "output" => self.output = value.map(parse_size).transpose().map_err(bad)?,
            "cpu" => self.cpu = value.map(parse_time).transpose().map_err(bad)?,
            "wall" => self.wall = value.map(parse_time).transpose().map_err(bad)?,
            "files" => self.files = value.map(parse_count).transpose().map_err(bad)?,
            "tasks" => self.tasks = value.map(parse_count).transpose().map_err(bad)?,
            _ => return Err(bad(format!("the limits are {}", Limits::NAMES.join(", ")))),
        }
        Ok(())
    }

    /// Fails, naming the limit, where this allows more than `outer` does.
    pub fn within(&self, outer: &Limits) -> Result<()> {
        fn over<T: PartialOrd>(mine: &Option<T>, outer: &Option<T>) -> bool {
            match (mine, outer) {
                (_, None) => false,
                (None, Some(_)) => true,
                (Some(mine), Some(outer)) => mine > outer,
            }
        }
        let wrong = [
            ("memory", over(&self.memory, &outer.memory)),
            ("cpu", over(&self.cpu, &outer.cpu)),
            ("wall", over(&self.wall, &outer.wall)),
            ("files", over(&self.files, &outer.files)),
            ("output", over(&self.output, &outer.output)),
            ("tasks", over(&self.tasks, &outer.tasks)),
        ];
        match wrong.iter().find(|(_, over)| *over) {
            None => Ok(()),
            Some((name, _)) => {
                Err(Error::new(Errno::EPERM, format!("limit {name}: more than its maker has")))
            }
        }
    }
}

/// A number of bytes: `4096`, `64K`, `1G`.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let (digits, unit) = split_unit(text);
    let shift = match unit {
        "" | "B" => 0,
        "K" | "k" | "KiB" => 10,
        "M" | "MiB" => 20,
        "G" | "GiB" => 30,
        "T" | "TiB" => 40,
        _ => return Err(format!("unknown unit {unit:?}: want K, M or G")),
    };
    let number: u64 = digits.parse().map_err(|_| "not a number of bytes".to_owned())?;
    number.checked_mul(1 << shift).ok_or_else(|| "too large".to_owned())
}

/// A time: `2s`, `500ms`, `5m`; seconds where nothing is said.
pub fn parse_time(text: &str) -> Result<Duration, String> {
    let (digits, unit) = split_unit(text);
    let nanos: u64 = match unit {
        "ns" => 1,
        "us" => 1_000,
        "ms" => 1_000_000,
        "" | "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return Err(format!("unknown unit {unit:?}: want ms, s, m or h")),
    };
    let number: u64 = digits.parse().map_err(|_| "not a time".to_owned())?;
    number.checked_mul(nanos).map(Duration::from_nanos).ok_or_else(|| "too large".to_owned())
}

fn parse_count(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| "not a number".to_owned())
}

fn split_unit(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

/// A size as [`parse_size`] reads it back, in the largest unit that it is a whole number of.
pub fn show_size(bytes: u64) -> String {
    for (shift, unit) in [(30, 'G'), (20, 'M'), (10, 'K')] {
        if bytes != 0 && bytes.is_multiple_of(1 << shift) {
            return format!("{}{unit}", bytes >> shift);
        }
    }
    bytes.to_string()
}

/// A time as it is read back, in the largest of h, m, s, ms, us, ns that it is a whole number of.
pub fn show_time(time: Duration) -> String {
    let nanos = time.as_nanos();
    for (unit, name) in [
        (3_600_000_000_000, "h"),
        (60_000_000_000, "m"),
        (1_000_000_000, "s"),
        (1_000_000, "ms"),
        (1_000, "us"),
    ] {
        if nanos != 0 && nanos.is_multiple_of(unit) {
            return format!("{}{name}", nanos / unit);
        }
    }
    format!("{nanos}ns")
}

/// `name value` lines, each of which can be written back.
impl fmt::Display for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let none = || "none".to_owned();
        writeln!(f, "memory {}", self.memory.map_or_else(none, show_size))?;
        writeln!(f, "cpu {}", self.cpu.map_or_else(none, show_time))?;
        writeln!(f, "wall {}", self.wall.map_or_else(none, show_time))?;
        writeln!(f, "files {}", self.files.map_or_else(none, |n| n.to_string()))?;
        writeln!(f, "output {}", self.output.map_or_else(none, show_size))?;
        writeln!(f, "tasks {}", self.tasks.map_or_else(none, |n| n.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sizes_and_times_take_the_usual_units() {
        let mut limits = Limits::default();
        for word in ["memory=64M", "cpu=2s", "wall=500ms", "files=64", "output=1K", "tasks=8"] {
            limits.set(word).expect(word);
        }
        assert_eq!(limits.memory, Some(64 << 20));
        assert_eq!(limits.wall, Some(Duration::from_millis(500)));
        assert_eq!(limits.output, Some(1024));
        limits.set("memory=none").expect("none");
        assert_eq!(limits.memory, None);
    }

    #[test]
    fn a_bad_limit_names_the_word_and_changes_nothing() {
        let mut limits = Limits::default();
        for word in ["memory", "memory=", "memory=-1", "memory=1X", "frob=1", "files=1K", "cpu=99999999999h"]
        {
            let error = limits.set(word).expect_err(word);
            assert!(error.text().contains(word), "{error}");
        }
        assert_eq!(limits, Limits::default());
    }

    #[test]
    fn none_is_not_within_a_limit_but_less_is() {
        let outer = Limits { memory: Some(10), ..Limits::default() };
        assert!(Limits { memory: Some(10), ..outer }.within(&outer).is_ok());
        assert!(Limits { memory: Some(11), ..outer }.within(&outer).is_err());
        assert!(Limits::default().within(&outer).is_err());
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(memory in any::<Option<u64>>(), cpu in any::<Option<u32>>(), files in any::<Option<u32>>()) {
            let limits = Limits {
                memory, files, cpu: cpu.map(|n| Duration::from_micros(n.into())), ..Limits::default()
            };
            let mut back = Limits::default();
            for line in limits.to_string().lines() {
                back.set(line).expect("a printed limit");
            }
            prop_assert_eq!(back, limits);
        }
    }
}
