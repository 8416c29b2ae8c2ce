//! Advisory locks: what fcntl(2) and flock(2) ask for, as trees and transports say it to each other, and the table in which
//! a tree keeps them.
//!
//! Record locks are POSIX's: a new one replaces what its owner had on those bytes, ranges split and merge, and one owner
//! is never in his own way. A transport says flock(2) as a lock on the whole file whose owner is the open file. The two
//! sorts do not see each other, as in Linux; a transport that does not know which of them it was asked for says so, and
//! such a lock stands beside neither.

mod ranges;
mod table;

pub use table::LockTable;

/// Who holds a lock: the client (a connection, a mount, a task) and its own number for the process or descriptor.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct LockOwner {
    pub client: u64,
    pub owner: u64,
    pub sort: LockSort,
    /// What F_GETLK reports as l_pid; two owners are the same whatever it is.
    pub pid: u32,
}

impl LockOwner {
    fn key(self) -> (u64, u64, LockSort) {
        (self.client, self.owner, self.sort)
    }
    /// Whether the locks of the two can be in each other's way.
    fn meets(self, other: LockOwner) -> bool {
        let known_apart = self.sort != LockSort::Unknown && other.sort != LockSort::Unknown;
        self.key() != other.key() && (self.sort == other.sort || !known_apart)
    }
}

/// Which system call asked for a lock. An owner has the locks of one sort.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum LockSort {
    /// fcntl(2): bytes of the file; whoever waits in a circle is told (EDEADLK).
    Record,
    /// flock(2): the file as a whole; nobody looks for circles.
    Whole,
    /// 9P has one message for both.
    Unknown,
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
