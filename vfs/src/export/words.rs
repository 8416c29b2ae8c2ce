//! The two crates' words for the same things: 9P's and the namespace's. Translation only.

use crate::{Kind, Nature, Stat};
use nine::server::{Error, SetAttr, SetTime};
use nine::wire;

pub(super) fn error(error: crate::Error) -> Error {
    Error::new(error.errno().raw() as u32, error.text().to_owned())
}

pub(super) fn qid(qid: crate::Qid, nature: Nature) -> wire::Qid {
    let kind = match qid.kind {
        Kind::Dir => wire::QidKind::DIR,
        Kind::Symlink => wire::QidKind::SYMLINK,
        _ => wire::QidKind::empty(),
    };
    let version = if nature == Nature::Storage { qid.version } else { 0 };
    wire::Qid { kind, version, path: qid.path }
}

fn time(t: crate::Time) -> wire::Time {
    wire::Time { sec: t.secs as u64, nsec: u64::from(t.nanos) }
}

/// A device number as the kernel's new_encode_dev packs it.
fn device(d: crate::Device) -> u64 {
    let (major, minor) = (u64::from(d.major), u64::from(d.minor));
    (minor & 0xff) | (major << 8) | ((minor & !0xff) << 12)
}

pub(super) fn attr(stat: &Stat, nature: Nature) -> wire::Attr {
    // A log has its true length: `tail -f` starts at it and polls it. Linux (cache=none) reads on beyond what it was told,
    // so that `cat` follows what comes. Files that are made as they are read have 0.
    wire::Attr {
        valid: wire::AttrMask::BASIC | wire::AttrMask::BTIME,
        qid: qid(stat.qid, nature),
        mode: wire::Mode(stat.st_mode()),
        uid: wire::Uid(stat.uid.0),
        gid: wire::Gid(stat.gid.0),
        nlink: stat.nlink,
        rdev: device(stat.rdev),
        size: stat.size,
        blksize: u64::from(stat.blksize),
        blocks: stat.blocks,
        atime: time(stat.atime),
        mtime: time(stat.mtime),
        ctime: time(stat.ctime),
        btime: time(stat.btime),
        generation: 0,
        data_version: 0,
    }
}

pub(super) fn set_stat(set: SetAttr) -> crate::SetStat {
    let when = |t| match t {
        SetTime::Now => crate::SetTime::Now,
        SetTime::To(t) => {
            crate::SetTime::To(crate::Time { secs: t.sec as i64, nanos: t.nsec.min(999_999_999) as u32 })
        }
    };
    crate::SetStat {
        mode: set.mode.map(|m| crate::Mode::new(m.permissions())),
        uid: set.uid.map(|u| crate::Uid(u.0)),
        gid: set.gid.map(|g| crate::Gid(g.0)),
        size: set.size,
        atime: set.atime.map(when),
        mtime: set.mtime.map(when),
    }
}

pub(super) fn open_flags(flags: wire::OpenFlags) -> crate::OpenFlags {
    use crate::OpenFlags as V;
    use wire::OpenFlags as W;
    let mut out = V::empty();
    out.set(V::READ, flags.reads());
    out.set(V::WRITE, flags.writes());
    let same = [
        (W::APPEND, V::APPEND),
        (W::TRUNC, V::TRUNCATE),
        (W::EXCL, V::EXCLUSIVE),
        (W::DIRECTORY, V::DIRECTORY),
        (W::NONBLOCK, V::NONBLOCK),
        (W::NOFOLLOW, V::NOFOLLOW),
        (W::DSYNC, V::SYNC),
    ];
    for (theirs, ours) in same {
        out.set(ours, flags.contains(theirs));
    }
    out
}

pub(super) fn stat_fs(s: crate::StatFs) -> wire::StatFs {
    // Linux passes the type on to statfs(2), and programs that know which are local trust inotify there, which knows nothing
    // of what guests and other clients write (`tail -f` would wait for ever, on v9fs's own type as well). FUSE's counts as
    // remote, and is what the other way in shows.
    const FUSE_SUPER_MAGIC: u32 = 0x6573_5546;
    wire::StatFs {
        kind: FUSE_SUPER_MAGIC,
        bsize: s.bsize,
        blocks: s.blocks,
        bfree: s.bfree,
        bavail: s.bavail,
        files: s.files,
        ffree: s.ffree,
        fsid: s.fsid,
        namelen: s.namelen,
    }
}
