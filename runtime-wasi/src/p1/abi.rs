//! How WASI preview 1 lays its types out in a guest's memory: numbers, flags and structures, little-endian, as the
//! standard's `wasi_snapshot_preview1.witx` has them.
//!
//! Preview 0 (`wasi_unstable`) has the same calls; where a layout or a number differs, [`Version`] chooses.

use bitflags::bitflags;
use vfs::{Kind, Measure};

/// Which of the two snapshots a module was built for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Version {
    Preview0,
    Preview1,
}

impl Version {
    pub const ALL: [Version; 2] = [Version::Preview0, Version::Preview1];

    /// The name that modules import from.
    pub fn module(self) -> &'static str {
        match self {
            Version::Preview0 => "wasi_unstable",
            Version::Preview1 => "wasi_snapshot_preview1",
        }
    }
}

bitflags! {
    /// What a descriptor may be used for.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub(crate) struct Rights: u64 {
        const FD_DATASYNC = 1;
        const FD_READ = 1 << 1;
        const FD_SEEK = 1 << 2;
        const FD_FDSTAT_SET_FLAGS = 1 << 3;
        const FD_SYNC = 1 << 4;
        const FD_TELL = 1 << 5;
        const FD_WRITE = 1 << 6;
        const FD_ADVISE = 1 << 7;
        const FD_ALLOCATE = 1 << 8;
        const PATH_CREATE_DIRECTORY = 1 << 9;
        const PATH_CREATE_FILE = 1 << 10;
        const PATH_LINK_SOURCE = 1 << 11;
        const PATH_LINK_TARGET = 1 << 12;
        const PATH_OPEN = 1 << 13;
        const FD_READDIR = 1 << 14;
        const PATH_READLINK = 1 << 15;
        const PATH_RENAME_SOURCE = 1 << 16;
        const PATH_RENAME_TARGET = 1 << 17;
        const PATH_FILESTAT_GET = 1 << 18;
        const PATH_FILESTAT_SET_SIZE = 1 << 19;
        const PATH_FILESTAT_SET_TIMES = 1 << 20;
        const FD_FILESTAT_GET = 1 << 21;
        const FD_FILESTAT_SET_SIZE = 1 << 22;
        const FD_FILESTAT_SET_TIMES = 1 << 23;
        const PATH_SYMLINK = 1 << 24;
        const PATH_REMOVE_DIRECTORY = 1 << 25;
        const PATH_UNLINK_FILE = 1 << 26;
        const POLL_FD_READWRITE = 1 << 27;
        const SOCK_SHUTDOWN = 1 << 28;
        const SOCK_ACCEPT = 1 << 29;
    }

    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub(crate) struct FdFlags: u16 {
        const APPEND = 1;
        const DSYNC = 2;
        const NONBLOCK = 4;
        const RSYNC = 8;
        const SYNC = 16;
    }

    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub(crate) struct Oflags: u16 {
        const CREAT = 1;
        const DIRECTORY = 2;
        const EXCL = 4;
        const TRUNC = 8;
    }

    /// Which times `*_filestat_set_times` sets, and to what.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub(crate) struct FstFlags: u16 {
        const ATIM = 1;
        const ATIM_NOW = 2;
        const MTIM = 4;
        const MTIM_NOW = 8;
    }
}

/// `lookupflags`: follow a link in the last component.
pub(crate) const SYMLINK_FOLLOW: u32 = 1;
/// `subclockflags`: the timeout is a moment, not a duration.
pub(crate) const SUBSCRIPTION_CLOCK_ABSTIME: u16 = 1;

/// `filetype`.
pub(crate) const fn filetype(kind: Kind) -> u8 {
    match kind {
        Kind::BlockDevice => 1,
        Kind::CharDevice => 2,
        Kind::Dir => 3,
        Kind::File => 4,
        Kind::Socket => 6,
        Kind::Symlink => 7,
        // WASI has no type for a pipe; wasi-libc takes "unknown" for neither terminal nor file.
        Kind::Fifo => 0,
    }
}

/// `whence`, in the order of the snapshot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Whence {
    Set,
    Current,
    End,
}

impl Whence {
    pub fn decode(version: Version, n: u32) -> Option<Whence> {
        match (version, n) {
            (Version::Preview1, 0) | (Version::Preview0, 2) => Some(Whence::Set),
            (Version::Preview1, 1) | (Version::Preview0, 0) => Some(Whence::Current),
            (Version::Preview1, 2) | (Version::Preview0, 1) => Some(Whence::End),
            _ => None,
        }
    }
}

/// `clockid`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Clock {
    Realtime,
    Monotonic,
    ProcessCpu,
    ThreadCpu,
}

impl Clock {
    pub fn decode(n: u32) -> Option<Clock> {
        Some(match n {
            0 => Clock::Realtime,
            1 => Clock::Monotonic,
            2 => Clock::ProcessCpu,
            3 => Clock::ThreadCpu,
            _ => return None,
        })
    }
}

// What guests are given, as the words of 8 bytes that it takes in their memory, little-endian: each is written where it belongs.
// Put together byte by byte elsewhere and copied, it takes a processor several times as long.

/// `fdstat`: type, flags, rights, and the rights of what is opened below.
pub(crate) fn fdstat(filetype: u8, flags: FdFlags, base: Rights, inheriting: Rights) -> [u64; 3] {
    [u64::from(filetype) | u64::from(flags.bits()) << 16, base.bits(), inheriting.bits()]
}

/// `filestat` of preview 1.
#[inline(always)]
pub(crate) fn filestat(device: u64, inode: u64, filetype: u8, measure: &Measure) -> [u64; 8] {
    let Measure { nlink, size, atime, mtime, ctime } = measure;
    [device, inode, filetype.into(), *nlink, *size, atime.as_nanos(), mtime.as_nanos(), ctime.as_nanos()]
}

/// That of preview 0, whose link count has 32 bits.
pub(crate) fn old_filestat(device: u64, inode: u64, filetype: u8, measure: &Measure) -> [u64; 7] {
    let [_, _, filetype, nlink, size, accessed, modified, changed] =
        filestat(device, inode, filetype, measure);
    let nlink = u64::from(u32::try_from(nlink).unwrap_or(u32::MAX));
    [device, inode, filetype | nlink << 32, size, accessed, modified, changed]
}

pub(crate) const DIRENT: usize = 24;

/// `dirent`, which the name follows.
#[inline]
pub(crate) fn dirent(next: u64, inode: u64, name_len: usize, filetype: u8) -> [u64; DIRENT / 8] {
    [next, inode, u64::from(name_len as u32) | u64::from(filetype) << 32]
}

/// `prestat`: a directory whose name has that many bytes.
pub(crate) fn prestat(name_len: usize) -> [u64; 1] {
    [u64::from(name_len as u32) << 32]
}

/// What a guest waits for in `poll_oneoff`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Awaited {
    Clock { id: u32, timeout: u64, absolute: bool },
    Read(u32),
    Write(u32),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Subscription {
    pub userdata: u64,
    pub awaited: Awaited,
}

pub(crate) fn subscription_size(version: Version) -> usize {
    match version {
        Version::Preview0 => 56,
        Version::Preview1 => 48,
    }
}

fn u64_of(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

fn u32_of(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

/// Reads a `subscription`; none where its tag is unknown. `bytes` has [`subscription_size`] bytes.
pub(crate) fn subscription(version: Version, bytes: &[u8]) -> Option<Subscription> {
    let awaited = match bytes[8] {
        0 => {
            // Preview 0 has an identifier in front that nothing uses.
            let clock = &bytes[if version == Version::Preview0 { 24 } else { 16 }..];
            let flags = u16::from_le_bytes([clock[24], clock[25]]);
            let absolute = flags & SUBSCRIPTION_CLOCK_ABSTIME != 0;
            Awaited::Clock { id: u32_of(clock, 0), timeout: u64_of(clock, 8), absolute }
        }
        1 => Awaited::Read(u32_of(bytes, 16)),
        2 => Awaited::Write(u32_of(bytes, 16)),
        _ => return None,
    };
    Some(Subscription { userdata: u64_of(bytes, 0), awaited })
}

pub(crate) const EVENT: usize = 32;

/// `event`: what came of a subscription.
pub(crate) fn event(of: &Subscription, errno: u16, nbytes: u64) -> [u64; EVENT / 8] {
    let tag = match of.awaited {
        Awaited::Clock { .. } => 0,
        Awaited::Read(_) => 1,
        Awaited::Write(_) => 2,
    };
    // No flag: the only one there is says that the other end hung up, which nobody waits for here.
    [of.userdata, u64::from(errno) | tag << 16, nbytes, 0]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A subscription to the monotonic clock in 7 ns, at a moment, as preview 1 lays it out.
    fn clock_subscription(clock_at: usize, size: usize) -> Vec<u8> {
        let mut bytes = vec![0; size];
        bytes[0] = 5;
        bytes[clock_at] = 1;
        bytes[clock_at + 8] = 7;
        bytes[clock_at + 24] = 1;
        bytes
    }

    #[test]
    fn a_clock_is_read_where_each_snapshot_has_it() {
        let wanted =
            Subscription { userdata: 5, awaited: Awaited::Clock { id: 1, timeout: 7, absolute: true } };
        for (version, clock_at) in [(Version::Preview1, 16), (Version::Preview0, 24)] {
            let bytes = clock_subscription(clock_at, subscription_size(version));
            assert_eq!(subscription(version, &bytes), Some(wanted), "{version:?}");
        }
    }

    #[test]
    fn descriptors_are_read_and_unknown_tags_are_none() {
        for version in Version::ALL {
            let mut bytes = vec![0; subscription_size(version)];
            bytes[16] = 3;
            for (tag, awaited) in [(1, Some(Awaited::Read(3))), (2, Some(Awaited::Write(3))), (3, None)] {
                bytes[8] = tag;
                assert_eq!(subscription(version, &bytes).map(|s| s.awaited), awaited);
            }
        }
    }

    #[test]
    fn a_stat_of_preview_0_has_its_links_beside_its_type() {
        let stat = Measure { nlink: 1 << 40, size: 5, ..Measure::default() };
        assert_eq!(filestat(1, 2, 4, &stat)[..5], [1, 2, 4, 1 << 40, 5]);
        assert_eq!(old_filestat(1, 2, 4, &stat)[..4], [1, 2, 4 | u64::from(u32::MAX) << 32, 5]);
        let few = Measure { nlink: 3, ..stat };
        assert_eq!(old_filestat(1, 2, 4, &few)[2].to_le_bytes(), [4, 0, 0, 0, 3, 0, 0, 0]);
    }

    #[test]
    fn an_event_has_its_fields_at_the_standards_offsets() {
        let of = Subscription { userdata: 9, awaited: Awaited::Write(1) };
        let words = event(&of, 29, 300).map(u64::to_le_bytes);
        let bytes = words.as_flattened();
        assert_eq!((bytes[0], bytes[8], bytes[10], bytes[16], bytes[17], bytes[24]), (9, 29, 2, 44, 1, 0));
    }
}
