//! What is known of a node: stat(2), statfs(2), and what may be set.

use crate::{Gid, Kind, Qid, Uid};
use std::time::{SystemTime, UNIX_EPOCH};

/// The twelve permission bits of st_mode (07777), without the kind.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Mode(u32);

impl Mode {
    pub const fn new(bits: u32) -> Mode {
        Mode(bits & 0o7777)
    }
    pub const fn bits(self) -> u32 {
        self.0
    }
    /// Whether a write by another than root takes a set-id bit away.
    pub const fn is_set_id(self) -> bool {
        self.0 & (libc::S_ISUID | libc::S_ISGID) != 0
    }
}

impl std::fmt::Debug for Mode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:04o}", self.0)
    }
}

/// Seconds since the epoch, before it too, and the nanoseconds on top (0 to 999 999 999).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Time {
    pub secs: i64,
    pub nanos: u32,
}

impl Time {
    pub const EPOCH: Time = Time { secs: 0, nanos: 0 };

    pub fn now() -> Time {
        SystemTime::now().into()
    }
    /// Nanoseconds since the epoch, as WASI counts; what does not fit is clamped.
    #[inline]
    pub fn as_nanos(self) -> u64 {
        let secs = u64::try_from(self.secs).unwrap_or(0);
        let nanos = if self.secs < 0 { 0 } else { u64::from(self.nanos) };
        secs.saturating_mul(1_000_000_000).saturating_add(nanos)
    }
    pub fn from_nanos(nanos: u64) -> Time {
        Time { secs: (nanos / 1_000_000_000) as i64, nanos: (nanos % 1_000_000_000) as u32 }
    }
}

impl From<SystemTime> for Time {
    fn from(t: SystemTime) -> Time {
        match t.duration_since(UNIX_EPOCH) {
            Ok(d) => Time { secs: d.as_secs() as i64, nanos: d.subsec_nanos() },
            Err(before) => {
                let d = before.duration();
                match d.subsec_nanos() {
                    0 => Time { secs: -(d.as_secs() as i64), nanos: 0 },
                    n => Time { secs: -(d.as_secs() as i64) - 1, nanos: 1_000_000_000 - n },
                }
            }
        }
    }
}

/// A device's numbers (makedev(3)).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Device {
    pub major: u32,
    pub minor: u32,
}

/// stat(2). `size` is in bytes, `blocks` in units of 512.
#[derive(Clone, Debug)]
pub struct Stat {
    pub qid: Qid,
    pub mode: Mode,
    pub uid: Uid,
    pub gid: Gid,
    pub nlink: u64,
    pub size: u64,
    pub blocks: u64,
    pub blksize: u32,
    pub rdev: Device,
    pub atime: Time,
    pub mtime: Time,
    pub ctime: Time,
    pub btime: Time,
}

impl Stat {
    pub fn kind(&self) -> Kind {
        self.qid.kind
    }
    /// The whole of st_mode: kind and permissions.
    pub fn st_mode(&self) -> u32 {
        self.qid.kind.bits() | self.mode.bits()
    }
}

/// A time to set: the server's now, or a given one (utimensat(2)).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SetTime {
    Now,
    To(Time),
}

/// What to change; everything or nothing of it is done. With nothing set it is a sync (stat(5)).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SetStat {
    pub mode: Option<Mode>,
    pub uid: Option<Uid>,
    pub gid: Option<Gid>,
    pub size: Option<u64>,
    pub atime: Option<SetTime>,
    pub mtime: Option<SetTime>,
}

/// statfs(2), in blocks of `bsize` bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StatFs {
    pub kind: u32,
    pub bsize: u32,
    pub blocks: u64,
    pub bfree: u64,
    pub bavail: u64,
    pub files: u64,
    pub ffree: u64,
    pub fsid: u64,
    pub namelen: u32,
}
