//! Advisory locks: what fcntl(2) and flock(2) ask for, as trees and transports say it to each other, and the table in which
//! a tree keeps them.
//!
//! Record locks are POSIX's: a new one replaces what its owner had on those bytes, ranges split and merge, and one owner
//! is never in his own way. A transport says flock(2) as a lock on the whole file whose owner is the open file.

mod ranges;
mod table;

pub use table::LockTable;

/// Who holds a lock: the client (a connection, a mount, a task) and its own number for the process or descriptor.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct LockOwner {
    pub client: u64,
    pub owner: u64,
    /// What F_GETLK reports as l_pid; two owners are the same whatever it is.
    pub pid: u32,
}

impl LockOwner {
    fn key(self) -> (u64, u64) {
        (self.client, self.owner)
    }
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
