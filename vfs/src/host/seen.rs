//! What the kernel says of a file, and what follows from it: which file it is, its kind, its version.

use crate::{Device, Errno, Error, Gid, Kind, Mode, Qid, Result, Stat, Time, Uid};
use rustix::fd::AsFd;
use rustix::fs::{AtFlags, Statx, StatxFlags, StatxTimestamp, statx};
use std::hash::Hasher;

/// Which file: unique on the machine while the file exists.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct FileId {
    pub dev: u64,
    pub ino: u64,
}

/// Hashes a [`FileId`] in a few instructions: inode numbers are the file system's choice, and no client's to make collide.
#[derive(Clone, Copy, Default)]
pub(super) struct FileIdHasher(u64);

impl Hasher for FileIdHasher {
    fn write_u64(&mut self, number: u64) {
        let mixed = (self.0 ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        // The table takes its buckets from the low bits and its tags from the high ones.
        self.0 = mixed ^ (mixed >> 32);
    }
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }
    fn finish(&self) -> u64 {
        self.0
    }
}

/// One answer of statx(2).
pub(super) struct Seen {
    x: Statx,
    kind: Kind,
}

/// When a file was made, where its file system tells: an inode number that is used again has another one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Born(i64, u32);

/// How to tell that a name still means the file that it meant, changed by nobody in a way that could forbid to open it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    id: FileId,
    born: Born,
    /// Of a file; a directory's changes with every entry.
    access: (u32, u32, u32, i64, u32),
}

const WANTED: StatxFlags = StatxFlags::BASIC_STATS.union(StatxFlags::BTIME);

impl Seen {
    /// The file of the descriptor itself; O_PATH will do.
    pub fn of(fd: impl AsFd) -> Result<Seen> {
        Seen::checked(statx(fd, c"", AtFlags::EMPTY_PATH | AtFlags::NO_AUTOMOUNT, WANTED)?)
    }
    /// The entry `name` of `dir`, without following it.
    pub fn entry(dir: impl AsFd, name: &[u8]) -> Result<Seen> {
        Seen::checked(statx(dir, name, AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT, WANTED)?)
    }
    fn checked(x: Statx) -> Result<Seen> {
        match Kind::from_bits(u32::from(x.stx_mode)) {
            Some(kind) => Ok(Seen { x, kind }),
            None => Err(Error::new(Errno::EIO, format!("unknown kind of file: mode {:o}", x.stx_mode))),
        }
    }

    pub fn id(&self) -> FileId {
        let dev = rustix::fs::makedev(self.x.stx_dev_major, self.x.stx_dev_minor);
        FileId { dev, ino: self.x.stx_ino }
    }
    pub fn kind(&self) -> Kind {
        self.kind
    }
    pub fn born(&self) -> Born {
        if self.x.stx_mask & StatxFlags::BTIME.bits() == 0 {
            return Born(0, 0);
        }
        Born(self.x.stx_btime.tv_sec, self.x.stx_btime.tv_nsec)
    }
    pub fn mark(&self) -> Mark {
        let x = &self.x;
        let access = match self.kind {
            Kind::Dir => Default::default(),
            _ => (u32::from(x.stx_mode), x.stx_uid, x.stx_gid, x.stx_ctime.tv_sec, x.stx_ctime.tv_nsec),
        };
        Mark { id: self.id(), born: self.born(), access }
    }
    pub fn is_marked(&self, mark: &Mark) -> bool {
        self.mark() == *mark
    }
    pub fn size(&self) -> u64 {
        self.x.stx_size
    }
    pub fn uid(&self) -> Uid {
        Uid(self.x.stx_uid)
    }
    pub fn gid(&self) -> Gid {
        Gid(self.x.stx_gid)
    }
    pub fn mode(&self) -> Mode {
        Mode::new(u32::from(self.x.stx_mode))
    }
    /// Whether a write by another than root takes a set-id bit away.
    pub fn is_set_id(&self) -> bool {
        self.mode().bits() & (libc::S_ISUID | libc::S_ISGID) != 0
    }

    /// Changes when the content of a regular file does, as far as its times tell; 0 for all else.
    pub fn version(&self) -> u32 {
        if self.kind != Kind::File {
            return 0;
        }
        let times = [self.x.stx_mtime, self.x.stx_ctime];
        let mixed = times.iter().fold(0u64, |sum, t| {
            let nanos = (t.tv_sec as u64).wrapping_mul(1_000_000_000).wrapping_add(u64::from(t.tv_nsec));
            (sum ^ nanos).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29)
        });
        ((mixed >> 32) as u32).max(1)
    }

    /// All of it, for a node that is numbered `path`.
    pub fn stat(&self, path: u64) -> Stat {
        let x = &self.x;
        Stat {
            qid: Qid { kind: self.kind, version: self.version(), path },
            mode: self.mode(),
            uid: self.uid(),
            gid: self.gid(),
            nlink: u64::from(x.stx_nlink),
            size: x.stx_size,
            blocks: x.stx_blocks,
            blksize: x.stx_blksize,
            rdev: Device { major: x.stx_rdev_major, minor: x.stx_rdev_minor },
            atime: time(x.stx_atime),
            mtime: time(x.stx_mtime),
            ctime: time(x.stx_ctime),
            btime: time(x.stx_btime),
        }
    }
}

fn time(t: StatxTimestamp) -> Time {
    Time { secs: t.tv_sec, nanos: t.tv_nsec }
}
