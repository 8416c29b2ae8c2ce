//! Advisory locks: what fcntl(2) and flock(2) ask for, as trees and transports say it to each other.

/// Who holds a lock: the client (a connection, a mount, a task) and its own number for the process or descriptor.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct LockOwner {
    pub client: u64,
    pub owner: u64,
    /// What F_GETLK reports as l_pid.
    pub pid: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LockKind {
    Read,
    Write,
    Unlock,
}

/// A lock on bytes `start..end`; `end` is `u64::MAX` for "to the end, wherever that will be".
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lock {
    pub kind: LockKind,
    pub start: u64,
    pub end: u64,
}
