//! What a file is: 9P's attributes in the words of Deno's two traits.

use super::Tree;
use super::walk::{Follow, Keep, Step};
use crate::link::{Frame, unexpected};
use deno_io::fs::{FsStat, FsStatFs};
use nine::wire::{Attr, AttrMask, Fid, Mode, Rmessage, SetAttrFields, SetAttrMask, Time, Tmessage};
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A file's attributes.
#[derive(Clone, Debug)]
pub struct Meta(pub Attr);

pub(super) fn ask(fid: Fid) -> Tmessage<'static> {
    Tmessage::Getattr { fid, mask: AttrMask::BASIC | AttrMask::BTIME }
}

pub(super) fn said(frame: &Frame) -> io::Result<Meta> {
    match frame.reply()? {
        Rmessage::Getattr { attr } => Ok(Meta(attr)),
        other => Err(unexpected(&other)),
    }
}

fn millis(time: Time) -> Option<i64> {
    Some(time.sec as i64 * 1000 + (time.nsec / 1_000_000) as i64)
}

pub(super) fn system_time(time: Time) -> SystemTime {
    let sec = time.sec as i64;
    let whole = Duration::from_secs(sec.unsigned_abs());
    let start = if sec < 0 { UNIX_EPOCH - whole } else { UNIX_EPOCH + whole };
    start + Duration::from_nanos(time.nsec.min(999_999_999))
}

impl Meta {
    pub fn kind(&self) -> u32 {
        self.0.mode.kind()
    }

    pub fn is_dir(&self) -> bool {
        self.0.mode.is_dir()
    }

    fn birth(&self) -> Time {
        if self.0.valid.contains(AttrMask::BTIME) { self.0.btime } else { self.0.ctime }
    }

    /// dev, mode, nlink, uid, gid, rdev, blksize, ino, size, blocks, and the times of access, of change of the data and of the
    /// attributes, and of birth in milliseconds.
    pub fn figures(&self) -> [f64; 14] {
        let attr = &self.0;
        let millis = |time: Time| time.sec as i64 as f64 * 1e3 + time.nsec as f64 / 1e6;
        [
            1.0,
            attr.mode.0.into(),
            attr.nlink as f64,
            attr.uid.0.into(),
            attr.gid.0.into(),
            attr.rdev as f64,
            attr.blksize as f64,
            attr.qid.path as f64,
            attr.size as f64,
            attr.blocks as f64,
            millis(attr.atime),
            millis(attr.mtime),
            millis(attr.ctime),
            millis(self.birth()),
        ]
    }

    /// The same in whole numbers, the times in nanoseconds.
    pub fn whole_figures(&self) -> [i64; 14] {
        let attr = &self.0;
        let nanos = |time: Time| (time.sec as i64).wrapping_mul(1_000_000_000).wrapping_add(time.nsec as i64);
        [
            1,
            attr.mode.0.into(),
            attr.nlink as i64,
            attr.uid.0.into(),
            attr.gid.0.into(),
            attr.rdev as i64,
            attr.blksize as i64,
            attr.qid.path as i64,
            attr.size as i64,
            attr.blocks as i64,
            nanos(attr.atime),
            nanos(attr.mtime),
            nanos(attr.ctime),
            nanos(self.birth()),
        ]
    }

    pub fn stat(&self) -> FsStat {
        let attr = &self.0;
        let kind = self.kind();
        FsStat {
            is_file: kind == Mode::REGULAR,
            is_directory: kind == Mode::DIRECTORY,
            is_symlink: kind == Mode::SYMLINK,
            size: attr.size,
            mtime: millis(attr.mtime),
            atime: millis(attr.atime),
            birthtime: millis(self.birth()),
            ctime: millis(attr.ctime),
            dev: 1,
            ino: Some(attr.qid.path),
            mode: attr.mode.0,
            nlink: Some(attr.nlink),
            uid: attr.uid.0,
            gid: attr.gid.0,
            rdev: attr.rdev,
            blksize: attr.blksize,
            blocks: Some(attr.blocks),
            is_block_device: kind == Mode::BLOCK,
            is_char_device: kind == Mode::CHARACTER,
            is_fifo: kind == Mode::FIFO,
            is_socket: kind == Mode::SOCKET,
        }
    }
}

/// Which attributes a Tsetattr is to change.
#[derive(Clone, Copy, Default)]
pub struct Change(pub SetAttrFields);

fn time(secs: i64, nanos: u32) -> Time {
    Time { sec: secs as u64, nsec: nanos.into() }
}

impl Change {
    pub fn mode(mode: u32) -> Change {
        let valid = SetAttrMask::MODE;
        Change(SetAttrFields { valid, mode: Mode(mode & 0o7777), ..Default::default() })
    }

    pub fn owner(uid: Option<u32>, gid: Option<u32>) -> Change {
        let mut fields = SetAttrFields::default();
        for (bit, id) in [(SetAttrMask::UID, uid), (SetAttrMask::GID, gid)] {
            fields.valid.set(bit, id.is_some_and(|id| id != u32::MAX));
        }
        fields.uid.0 = uid.unwrap_or_default();
        fields.gid.0 = gid.unwrap_or_default();
        Change(fields)
    }

    pub fn size(size: u64) -> Change {
        Change(SetAttrFields { valid: SetAttrMask::SIZE, size, ..Default::default() })
    }

    pub fn times(atime: (i64, u32), mtime: (i64, u32)) -> Change {
        let valid = SetAttrMask::ATIME | SetAttrMask::ATIME_SET | SetAttrMask::MTIME | SetAttrMask::MTIME_SET;
        let (atime, mtime) = (time(atime.0, atime.1), time(mtime.0, mtime.1));
        Change(SetAttrFields { valid, atime, mtime, ..Default::default() })
    }
}

impl Tree {
    pub async fn stat(&self, path: &Path, follow: Follow) -> io::Result<Meta> {
        let reached =
            self.at_by(Step::Along, path, follow, Keep::No, &|batch, fid| batch.push(&ask(fid))).await?;
        said(&reached.replies[0])
    }

    pub async fn exists(&self, path: &Path) -> bool {
        self.at_by(Step::Along, path, Follow::Yes, Keep::No, &|_, _| {}).await.is_ok()
    }

    pub async fn set(&self, path: &Path, follow: Follow, change: Change) -> io::Result<()> {
        self.must_lead_there(path).await?;
        let reached = self
            .at(path, follow, Keep::No, &|batch, fid| batch.push(&Tmessage::Setattr { fid, attr: change.0 }))
            .await?;
        reached.replies[0].done()
    }

    pub async fn statfs(&self, path: &Path) -> io::Result<FsStatFs> {
        let reached =
            self.at(path, Follow::Yes, Keep::No, &|batch, fid| batch.push(&Tmessage::Statfs { fid })).await?;
        match reached.reply()? {
            Rmessage::Statfs { statfs } => Ok(FsStatFs {
                typ: statfs.kind.into(),
                bsize: statfs.bsize.into(),
                blocks: statfs.blocks,
                bfree: statfs.bfree,
                bavail: statfs.bavail,
                files: statfs.files,
                ffree: statfs.ffree,
            }),
            other => Err(unexpected(&other)),
        }
    }
}
