//! What a task may use at most. A limit that strikes ends the task with a message that names it (or fails the call, where
//! POSIX has an errno for it: open files).

use std::time::Duration;

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
