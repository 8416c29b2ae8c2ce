//! What the kernel says of a file, and what follows from it: which file it is, its kind, its version.

use super::cname::{Space, c_name};
use crate::{Device, Errno, Error, Gid, Kind, Mode, Name, Op, Qid, Result, Stat, Time, Uid};
use rustix::fd::{AsFd, AsRawFd, BorrowedFd};
use rustix::fs::{AtFlags, Stat as FsStat};
use std::ffi::CStr;
use std::hash::Hasher;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicBool, Ordering};

/// Which file: unique on the machine while the file exists.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct FileId {
    pub dev: u64,
    pub ino: u64,
}

impl FileId {
    fn of(stat: &FsStat) -> FileId {
        FileId { dev: stat.st_dev, ino: stat.st_ino }
    }
}

/// A regular file, as far as opening it asks.
pub(super) struct Glimpse {
    pub id: FileId,
    pub mark: Mark,
    pub size: u64,
    pub is_set_id: bool,
}

impl Glimpse {
    /// Of the file of the descriptor; none where it is no regular file.
    pub fn of(fd: impl AsFd) -> Result<Option<Glimpse>> {
        let stat = rustix::fs::fstat(fd)?;
        let is_file = stat.st_mode & libc::S_IFMT == libc::S_IFREG;
        let glimpse = || Glimpse {
            id: FileId::of(&stat),
            mark: Mark::of(&stat),
            size: stat.st_size as u64,
            is_set_id: Mode::new(stat.st_mode).is_set_id(),
        };
        Ok(is_file.then(glimpse))
    }
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
    id: FileId,
    /// But for the path of its qid, which the tree numbers.
    stat: Stat,
    has_birth: bool,
}

/// When a file was made, where its file system tells: an inode number that is used again has another one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Born(i64, u32);

/// How to tell that a name still means the file that it meant, not changed since: as long as that is open, no other has its
/// number.
#[derive(Clone, Copy)]
pub(super) struct Mark {
    id: FileId,
    /// Of a file; a directory's changes with every entry, and it stays a directory.
    access: Option<(Mode, Uid, Gid, Time)>,
}

impl Mark {
    /// Of a regular file.
    fn of(stat: &FsStat) -> Mark {
        let access = (Mode::new(stat.st_mode), Uid(stat.st_uid), Gid(stat.st_gid), changed(stat));
        Mark { id: FileId::of(stat), access: Some(access) }
    }
    pub fn is_of_dir(&self) -> bool {
        self.access.is_none()
    }
    pub fn device(&self) -> u64 {
        self.id.dev
    }

    /// Whether the entry `name` of `dir` is the file that has this mark.
    #[inline]
    pub fn is_on(&self, dir: impl AsFd, name: Name<'_>) -> bool {
        let mut space = Space::uninit();
        let Ok(name) = c_name(name, &mut space) else { return false };
        let stat = rustix::fs::statat(dir, name, ENTRY);
        let Ok(stat) = &stat else { return false };
        let same = self.id == FileId::of(stat);
        match self.access {
            None => same && stat.st_mode & libc::S_IFMT == libc::S_IFDIR,
            Some((mode, uid, gid, changed)) => {
                same && stat.st_mode & libc::S_IFMT == libc::S_IFREG
                    && (Mode::new(stat.st_mode), Uid(stat.st_uid), Gid(stat.st_gid)) == (mode, uid, gid)
                    && (stat.st_ctime, stat.st_ctime_nsec as u32) == (changed.secs, changed.nanos)
            }
        }
    }
}

/// The entry itself, whatever it is.
const ENTRY: AtFlags = AtFlags::SYMLINK_NOFOLLOW.union(AtFlags::NO_AUTOMOUNT);

const WANTED: u32 = libc::STATX_BASIC_STATS | libc::STATX_BTIME;

/// Whether statx(2) takes no name at all for the file of a descriptor (Linux 6.11), which spares it to read one.
static NAMELESS: AtomicBool = AtomicBool::new(true);

/// statx(2), into the caller's buffer: what it gives is large, and looked at for every call of a guest. Without a name it tells of
/// the descriptor's own file.
fn statx(dir: BorrowedFd<'_>, name: Option<&CStr>) -> Result<Seen> {
    let mut buf = MaybeUninit::<libc::statx>::uninit();
    let (name, flags) = match name {
        Some(name) => (name.as_ptr(), libc::AT_SYMLINK_NOFOLLOW | libc::AT_NO_AUTOMOUNT),
        None if NAMELESS.load(Ordering::Relaxed) => (std::ptr::null(), libc::AT_EMPTY_PATH),
        None => (c"".as_ptr(), libc::AT_EMPTY_PATH),
    };
    // SAFETY: a name ends in NUL, and the kernel writes a whole `struct statx` or fails.
    let x = unsafe {
        if libc::statx(dir.as_raw_fd(), name, flags, WANTED, buf.as_mut_ptr()) != 0 {
            let error = std::io::Error::last_os_error();
            if name.is_null() && error.raw_os_error() == Some(libc::EFAULT) {
                NAMELESS.store(false, Ordering::Relaxed);
                return statx(dir, None);
            }
            return Err(error.into());
        }
        buf.assume_init_ref()
    };
    let Some(kind) = Kind::from_bits(u32::from(x.stx_mode)) else {
        return unknown(u32::from(x.stx_mode));
    };
    let id = FileId { dev: rustix::fs::makedev(x.stx_dev_major, x.stx_dev_minor), ino: x.stx_ino };
    let (mtime, ctime) = (time(&x.stx_mtime), time(&x.stx_ctime));
    let stat = Stat {
        qid: Qid { kind, version: version(kind, mtime, ctime), path: 0 },
        mode: Mode::new(u32::from(x.stx_mode)),
        uid: Uid(x.stx_uid),
        gid: Gid(x.stx_gid),
        nlink: u64::from(x.stx_nlink),
        size: x.stx_size,
        blocks: x.stx_blocks,
        blksize: x.stx_blksize,
        rdev: Device { major: x.stx_rdev_major, minor: x.stx_rdev_minor },
        atime: time(&x.stx_atime),
        mtime,
        ctime,
        btime: time(&x.stx_btime),
    };
    Ok(Seen { id, stat, has_birth: x.stx_mask & libc::STATX_BTIME != 0 })
}

/// The kind and version of what a call tells that knows of no birth, and costs less: what it gives is a third as large.
#[inline(always)]
fn kind_of(stat: &FsStat) -> Result<(Kind, u32)> {
    match Kind::from_bits(stat.st_mode) {
        Some(kind) => Ok((kind, version(kind, modified(stat), changed(stat)))),
        None => unknown(stat.st_mode),
    }
}

fn modified(stat: &FsStat) -> Time {
    Time { secs: stat.st_mtime, nanos: stat.st_mtime_nsec as u32 }
}

fn changed(stat: &FsStat) -> Time {
    Time { secs: stat.st_ctime, nanos: stat.st_ctime_nsec as u32 }
}

/// All of it, for a node that is numbered `path`. To be put together where it is wanted: copying it takes as long.
#[inline(always)]
fn told(stat: &FsStat, (kind, version): (Kind, u32), born: Born, path: u64) -> Stat {
    let device = |number| Device { major: rustix::fs::major(number), minor: rustix::fs::minor(number) };
    let Born(secs, nanos) = born;
    Stat {
        qid: Qid { kind, version, path },
        mode: Mode::new(stat.st_mode),
        uid: Uid(stat.st_uid),
        gid: Gid(stat.st_gid),
        #[allow(clippy::unnecessary_cast)] // Half as wide on some machines.
        nlink: stat.st_nlink as u64,
        size: stat.st_size as u64,
        blocks: stat.st_blocks as u64,
        blksize: stat.st_blksize as u32,
        rdev: device(stat.st_rdev),
        atime: Time { secs: stat.st_atime, nanos: stat.st_atime_nsec as u32 },
        mtime: modified(stat),
        ctime: changed(stat),
        btime: Time { secs, nanos },
    }
}

#[cold]
fn unknown<T>(mode: u32) -> Result<T> {
    Err(Error::new(Errno::EIO, format!("unknown kind of file: mode {mode:o}")))
}

impl Born {
    const UNKNOWN: Born = Born(0, 0);
}

impl Seen {
    /// The file of the descriptor of a node, which was born then and stays so.
    #[inline]
    pub fn again(fd: impl AsFd, born: Born) -> Result<Seen> {
        let stat = rustix::fs::fstat(fd)?;
        let id = FileId::of(&stat);
        Ok(Seen { id, stat: told(&stat, kind_of(&stat)?, born, 0), has_birth: born != Born::UNKNOWN })
    }
    /// The stat of the same, whose node is of that `kind` and numbered `path`; `notice` gets its version and mode.
    #[inline(always)]
    pub fn stat_again<'a>(
        fd: impl AsFd,
        kind: Kind,
        born: Born,
        path: u64,
        notice: impl FnOnce(u32, Mode),
    ) -> Op<'a, Stat> {
        let stat = rustix::fs::fstat(fd);
        // Looked at where it lies.
        let stat = match &stat {
            Ok(stat) => stat,
            Err(error) => return Op::err(*error),
        };
        let version = version(kind, modified(stat), changed(stat));
        notice(version, Mode::new(stat.st_mode));
        Op::ok(told(stat, (kind, version), born, path))
    }
    /// Tells `to` the stat of the entry `name` of `dir`, without following it and without its birth, of a node that `number`
    /// numbers; none where it does not.
    #[inline(always)]
    pub fn glance(
        dir: impl AsFd,
        name: Name<'_>,
        to: &mut Option<Stat>,
        number: impl FnOnce(FileId) -> Option<u64>,
    ) -> Option<Result<()>> {
        let mut space = Space::uninit();
        let name = match c_name(name, &mut space) {
            Ok(name) => name,
            Err(error) => return Some(Err(error.into())),
        };
        let stat = rustix::fs::statat(dir, name, ENTRY);
        // Looked at where it lies.
        let stat = match &stat {
            Ok(stat) => stat,
            Err(error) => return Some(Err((*error).into())),
        };
        let path = number(FileId::of(stat))?;
        let kind = kind_of(stat);
        Some(kind.map(|kind| *to = Some(told(stat, kind, Born::UNKNOWN, path))))
    }
    /// Of a regular file of which nothing is known.
    pub fn nothing() -> Seen {
        let never = Time::default();
        let stat = Stat {
            qid: Qid { kind: Kind::File, version: 0, path: 0 },
            mode: Mode::new(libc::S_IFREG),
            uid: Uid(0),
            gid: Gid(0),
            nlink: 0,
            size: 0,
            blocks: 0,
            blksize: 0,
            rdev: Device::default(),
            atime: never,
            mtime: never,
            ctime: never,
            btime: never,
        };
        Seen { id: FileId { dev: 0, ino: 0 }, stat, has_birth: false }
    }
    /// The file of the descriptor itself; O_PATH will do.
    pub fn of(fd: impl AsFd) -> Result<Seen> {
        statx(fd.as_fd(), None)
    }
    /// The entry `name` of `dir`, without following it.
    pub fn entry(dir: impl AsFd, name: Name<'_>) -> Result<Seen> {
        statx(dir.as_fd(), Some(c_name(name, &mut Space::uninit())?))
    }

    pub fn id(&self) -> FileId {
        self.id
    }
    pub fn kind(&self) -> Kind {
        self.stat.qid.kind
    }
    pub fn born(&self) -> Born {
        if self.has_birth { Born(self.stat.btime.secs, self.stat.btime.nanos) } else { Born::UNKNOWN }
    }
    pub fn mark(&self) -> Mark {
        let stat = &self.stat;
        let access = match self.kind() {
            Kind::Dir => None,
            _ => Some((stat.mode, stat.uid, stat.gid, stat.ctime)),
        };
        Mark { id: self.id, access }
    }
    pub fn size(&self) -> u64 {
        self.stat.size
    }
    pub fn uid(&self) -> Uid {
        self.stat.uid
    }
    pub fn gid(&self) -> Gid {
        self.stat.gid
    }
    pub fn mode(&self) -> Mode {
        self.stat.mode
    }
    /// Whether it has a name left.
    pub fn is_linked(&self) -> bool {
        self.stat.nlink > 0
    }
    pub fn version(&self) -> u32 {
        self.stat.qid.version
    }

    /// All of it, for a node that is numbered `path`.
    #[inline]
    pub fn stat(self, path: u64) -> Stat {
        let mut stat = self.stat;
        stat.qid.path = path;
        stat
    }
}

/// Changes when the content of a regular file does, as far as its times tell; 0 for all else.
fn version(kind: Kind, mtime: Time, ctime: Time) -> u32 {
    if kind != Kind::File {
        return 0;
    }
    let mixed = [mtime, ctime].iter().fold(0u64, |sum, t| {
        let nanos = (t.secs as u64).wrapping_mul(1_000_000_000).wrapping_add(u64::from(t.nanos));
        (sum ^ nanos).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29)
    });
    ((mixed >> 32) as u32).max(1)
}

fn time(t: &libc::statx_timestamp) -> Time {
    Time { secs: t.tv_sec, nanos: t.tv_nsec }
}
