//! The two crates' words for the same things: the namespace's and 9P's. Translation only.

use crate::{Device, Gid, Kind, Mode, OpenFlags, Qid, SetStat, SetTime, SetXattr, Stat, StatFs, Time, Uid};
use nine::wire::{self, AttrMask, QidKind, SetAttrFields, SetAttrMask, XattrFlags};

/// What a stat needs.
pub(super) const WANTED: AttrMask = AttrMask::BASIC.union(AttrMask::BTIME);

/// What a mode says that a file is or, where it says nothing, its qid.
pub(super) fn kind(mode: wire::Mode, qid: wire::Qid) -> Kind {
    Kind::from_bits(mode.kind()).unwrap_or_else(|| {
        if qid.is_dir() {
            Kind::Dir
        } else if qid.kind.contains(QidKind::SYMLINK) {
            Kind::Symlink
        } else {
            Kind::File
        }
    })
}

/// The version of a file's content. Servers that count none say 0; then it follows from the times and the size.
pub(super) fn version(attr: &wire::Attr) -> u32 {
    if attr.qid.version != 0 {
        return attr.qid.version;
    }
    let seen = [attr.mtime.sec, attr.mtime.nsec, attr.ctime.sec, attr.ctime.nsec, attr.size];
    let mixed =
        seen.iter().fold(0u64, |sum, n| (sum ^ n).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29));
    ((mixed >> 32) as u32).max(1)
}

fn time(t: wire::Time) -> Time {
    Time { secs: t.sec.cast_signed(), nanos: t.nsec.min(999_999_999) as u32 }
}

/// As the kernel's new_encode_dev packs it.
fn device(packed: u64) -> Device {
    let major = (packed >> 8 & 0xfff) as u32;
    let minor = (packed & 0xff | packed >> 12 & 0xf_ff00) as u32;
    Device { major, minor }
}

/// Attributes of the file that has identity `qid` here.
pub(super) fn stat(attr: &wire::Attr, qid: Qid) -> Stat {
    Stat {
        qid,
        mode: Mode::new(attr.mode.0),
        uid: Uid(attr.uid.0),
        gid: Gid(attr.gid.0),
        nlink: attr.nlink,
        size: attr.size,
        blocks: attr.blocks,
        blksize: u32::try_from(attr.blksize).unwrap_or(0).max(512),
        rdev: device(attr.rdev),
        atime: time(attr.atime),
        mtime: time(attr.mtime),
        ctime: time(attr.ctime),
        btime: time(attr.btime),
    }
}

pub(super) fn set_attr(set: &SetStat) -> SetAttrFields {
    use SetAttrMask as Set;
    let mut fields = SetAttrFields::default();
    if let Some(mode) = set.mode {
        fields.valid |= Set::MODE;
        fields.mode = wire::Mode(mode.bits());
    }
    if let Some(uid) = set.uid {
        fields.valid |= Set::UID;
        fields.uid = wire::Uid(uid.0);
    }
    if let Some(gid) = set.gid {
        fields.valid |= Set::GID;
        fields.gid = wire::Gid(gid.0);
    }
    if let Some(size) = set.size {
        fields.valid |= Set::SIZE;
        fields.size = size;
    }
    let mut time = |when: Option<SetTime>, set: Set, given: Set| match when {
        None => wire::Time::default(),
        Some(SetTime::Now) => {
            fields.valid |= set;
            wire::Time::default()
        }
        Some(SetTime::To(t)) => {
            fields.valid |= set | given;
            wire::Time { sec: t.secs.cast_unsigned(), nsec: t.nanos.into() }
        }
    };
    let atime = time(set.atime, Set::ATIME, Set::ATIME_SET);
    let mtime = time(set.mtime, Set::MTIME, Set::MTIME_SET);
    SetAttrFields { atime, mtime, ..fields }
}

pub(super) fn open_flags(flags: OpenFlags) -> wire::OpenFlags {
    use OpenFlags as V;
    use wire::OpenFlags as W;
    let reads = flags.intersects(V::READ | V::EXEC);
    let mut out = match (reads, flags.contains(V::WRITE)) {
        (true, true) => W::RDWR,
        (false, true) => W::WRONLY,
        (_, false) => W::empty(),
    };
    let same = [
        (V::APPEND, W::APPEND),
        (V::TRUNCATE, W::TRUNC),
        (V::EXCLUSIVE, W::EXCL),
        (V::DIRECTORY, W::DIRECTORY),
        (V::NONBLOCK, W::NONBLOCK),
        (V::NOFOLLOW, W::NOFOLLOW),
        (V::SYNC, W::SYNC | W::DSYNC),
    ];
    for (ours, theirs) in same {
        out.set(theirs, flags.contains(ours));
    }
    out
}

pub(super) fn xattr_flags(how: SetXattr) -> XattrFlags {
    let mut flags = XattrFlags::empty();
    flags.set(XattrFlags::CREATE, how.contains(SetXattr::CREATE));
    flags.set(XattrFlags::REPLACE, how.contains(SetXattr::REPLACE));
    flags
}

pub(super) fn stat_fs(s: wire::StatFs) -> StatFs {
    StatFs {
        kind: s.kind,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_numbers_come_out_of_the_kernels_packing() {
        for (major, minor) in [(1, 3), (0xfff, 0xf_ffff), (8, 0x100)] {
            let packed = u64::from(minor & 0xffu32 | major << 8) | u64::from(minor & !0xff) << 12;
            assert_eq!(device(packed), Device { major, minor });
        }
    }

    #[test]
    fn a_file_to_write_is_not_opened_for_reading() {
        let flags = open_flags(OpenFlags::WRITE | OpenFlags::TRUNCATE);
        assert_eq!(flags, wire::OpenFlags::WRONLY | wire::OpenFlags::TRUNC);
        assert_eq!(open_flags(OpenFlags::EXEC), wire::OpenFlags::empty());
        assert_eq!(open_flags(OpenFlags::READ | OpenFlags::WRITE), wire::OpenFlags::RDWR);
    }

    #[test]
    fn a_time_is_given_or_the_servers_now() {
        let given = SetTime::To(Time { secs: -1, nanos: 5 });
        let set = set_attr(&SetStat { atime: Some(SetTime::Now), mtime: Some(given), ..SetStat::default() });
        assert_eq!(set.valid, SetAttrMask::ATIME | SetAttrMask::MTIME | SetAttrMask::MTIME_SET);
        assert_eq!(set.mtime, wire::Time { sec: u64::MAX, nsec: 5 });
    }
}
