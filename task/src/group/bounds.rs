//! What the tasks of a group may use together at most, as text in the way of [`crate::Limits`]: `memory=1G cpu=1m share=50%
//! tasks=64 files=1024 disk=1G inodes=100000 network=100M wall=1h idle=10m`.
//!
//! | limit | what happens beyond it |
//! |---|---|
//! | memory | the task that uses most is killed; one task alone is held to it by its runtime |
//! | cpu, wall, idle | all tasks are killed |
//! | share | all tasks rest until they are within it; 100% is one processor |
//! | tasks, files | what asks for one more fails: EAGAIN, EMFILE |
//! | disk, inodes | writes fail: ENOSPC |
//! | network | connections break, new ones fail: EACCES |

use crate::Limits;
use crate::limits::{parse_size, parse_time, show_size, show_time};
use std::fmt;
use std::time::Duration;
use vfs::{Errno, Error, Result};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    pub memory: Option<u64>,
    pub cpu: Option<Duration>,
    /// Hundredths of one processor.
    pub share: Option<u32>,
    pub tasks: Option<u32>,
    pub files: Option<u32>,
    /// Bytes in files of its own.
    pub disk: Option<u64>,
    pub inodes: Option<u64>,
    /// Bytes to and from outside.
    pub network: Option<u64>,
    /// Since the first task started.
    pub wall: Option<Duration>,
    /// Without a sign of use: no cpu time to speak of, no output, no traffic, no start.
    pub idle: Option<Duration>,
}

impl Bounds {
    pub const NAMES: [&str; 10] =
        ["memory", "cpu", "share", "tasks", "files", "disk", "inodes", "network", "wall", "idle"];

    /// Sets the one limit that `word` (`memory=64M`, `memory 64M`) names. An error changes nothing.
    pub fn set(&mut self, word: &str) -> Result<()> {
        let bad = |why: String| Error::new(Errno::EINVAL, format!("bad limit {word:?}: {why}"));
        let (name, value) = word.split_once(['=', ' ']).ok_or_else(|| bad("want name=value".into()))?;
        let value = if value == "none" { None } else { Some(value) };
        fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
            text.parse().map_err(|_| "not a number".to_owned())
        }
        match name {
            "memory" => self.memory = value.map(parse_size).transpose().map_err(bad)?,
            "cpu" => self.cpu = value.map(parse_time).transpose().map_err(bad)?,
            "share" => self.share = value.map(parse_share).transpose().map_err(bad)?,
            "tasks" => self.tasks = value.map(number).transpose().map_err(bad)?,
            "files" => self.files = value.map(number).transpose().map_err(bad)?,
            "disk" => self.disk = value.map(parse_size).transpose().map_err(bad)?,
            "inodes" => self.inodes = value.map(number).transpose().map_err(bad)?,
            "network" => self.network = value.map(parse_size).transpose().map_err(bad)?,
            "wall" => self.wall = value.map(parse_time).transpose().map_err(bad)?,
            "idle" => self.idle = value.map(parse_time).transpose().map_err(bad)?,
            _ => return Err(bad(format!("the limits are {}", Bounds::NAMES.join(", ")))),
        }
        Ok(())
    }

    /// What is left of a task's own `limits` under these: alone it may use no more than all together.
    pub(crate) fn of_one(&self, limits: Limits) -> Limits {
        fn less<T: Ord>(a: Option<T>, b: Option<T>) -> Option<T> {
            match (a, b) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            }
        }
        Limits {
            memory: less(limits.memory, self.memory),
            cpu: less(limits.cpu, self.cpu),
            files: less(limits.files, self.files),
            ..limits
        }
    }

    /// Whether somebody has to look at a clock or at what is used now and then.
    pub(super) fn want_watching(&self) -> bool {
        self.memory.is_some()
            || self.cpu.is_some()
            || self.share.is_some()
            || self.wall.is_some()
            || self.idle.is_some()
    }
}

fn parse_share(text: &str) -> Result<u32, String> {
    let digits = text.strip_suffix('%').ok_or("want hundredths of a processor: 50%, 200%")?;
    digits.parse().ok().filter(|share| *share > 0).ok_or_else(|| "not a number above 0".to_owned())
}

/// `name value` lines, each of which can be written back.
impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let none = || "none".to_owned();
        let number = |n: Option<u32>| n.map_or_else(none, |n| n.to_string());
        writeln!(f, "memory {}", self.memory.map_or_else(none, show_size))?;
        writeln!(f, "cpu {}", self.cpu.map_or_else(none, show_time))?;
        writeln!(f, "share {}", self.share.map_or_else(none, |n| format!("{n}%")))?;
        writeln!(f, "tasks {}", number(self.tasks))?;
        writeln!(f, "files {}", number(self.files))?;
        writeln!(f, "disk {}", self.disk.map_or_else(none, show_size))?;
        writeln!(f, "inodes {}", self.inodes.map_or_else(none, |n| n.to_string()))?;
        writeln!(f, "network {}", self.network.map_or_else(none, show_size))?;
        writeln!(f, "wall {}", self.wall.map_or_else(none, show_time))?;
        writeln!(f, "idle {}", self.idle.map_or_else(none, show_time))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_read_back() {
        let mut bounds = Bounds::default();
        let words = ["memory=1G", "cpu=1m", "share=50%", "tasks=64", "files=9", "disk=1G", "inodes=7"];
        for word in words.into_iter().chain(["network=100M", "wall=1h", "idle=10m"]) {
            bounds.set(word).expect(word);
        }
        let mut back = Bounds::default();
        bounds.to_string().lines().for_each(|line| back.set(line).expect("a printed limit"));
        assert_eq!(back, bounds);
        assert_eq!(bounds.share, Some(50));
    }

    #[test]
    fn a_bad_limit_names_the_word_and_changes_nothing() {
        let mut bounds = Bounds::default();
        for word in ["memory", "share=50", "share=0%", "frob=1", "inodes=1K", "idle=x", "output=1M"] {
            let error = bounds.set(word).expect_err(word);
            assert!(error.text().contains(word), "{error}");
        }
        assert_eq!(bounds, Bounds::default());
    }
}
