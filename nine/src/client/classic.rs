//! .L's words in stat(5)'s and open(5)'s, for servers that speak 9P2000 or .u.

use crate::wire::{
    Attr, AttrMask, Dialect, Extension, Gid, Mode, Name, OpenFlags, OpenMode, Perm, SetAttrFields,
    SetAttrMask, Stat, Time, Uid,
};

const SPECIAL: [(Perm, u32); 3] = [(Perm::SETUID, 0o4000), (Perm::SETGID, 0o2000), (Perm::SETVTX, 0o1000)];

const KINDS: [(Perm, u32); 4] = [
    (Perm::DIR, Mode::DIRECTORY),
    (Perm::SYMLINK, Mode::SYMLINK),
    (Perm::NAMEDPIPE, Mode::FIFO),
    (Perm::SOCKET, Mode::SOCKET),
];

pub(super) fn mode_of(flags: OpenFlags, dialect: Dialect) -> OpenMode {
    let mut mode = OpenMode::from_bits_retain((flags.bits() & 3) as u8);
    mode.set(OpenMode::TRUNC, flags.contains(OpenFlags::TRUNC));
    // A server that does not know it writes where it is told.
    mode.set(OpenMode::APPEND, flags.contains(OpenFlags::APPEND) && dialect == Dialect::P9P2000U);
    mode
}

pub(super) fn perm_of(mode: Mode) -> Perm {
    let mut perm = Perm::from_bits_retain(mode.0 & 0o777);
    perm.set(Perm::DIR, mode.is_dir());
    for (flag, bit) in SPECIAL {
        perm.set(flag, mode.0 & bit != 0);
    }
    perm
}

/// What a stat says, as attributes.
pub(super) fn attr_of(stat: &Stat<'_>) -> Attr {
    let time = |sec: u32| Time { sec: sec.into(), nsec: 0 };
    let kind =
        KINDS.iter().find(|(flag, _)| stat.mode.contains(*flag)).map_or(Mode::REGULAR, |(_, kind)| *kind);
    let special =
        SPECIAL.iter().filter(|(flag, _)| stat.mode.contains(*flag)).fold(0, |bits, (_, bit)| bits | bit);
    let number = |name: Name<'_>| std::str::from_utf8(name.0).ok().and_then(|text| text.parse().ok());
    Attr {
        valid: AttrMask::MODE
            | AttrMask::UID
            | AttrMask::GID
            | AttrMask::ATIME
            | AttrMask::MTIME
            | AttrMask::SIZE,
        qid: stat.qid,
        mode: Mode(kind | special | stat.mode.bits() & 0o777),
        uid: stat.n_uid.0.or(number(stat.uid).map(Uid)).unwrap_or(Uid::NONE),
        gid: stat.n_gid.0.or(number(stat.gid).map(Gid)).unwrap_or(Gid::NONE),
        nlink: 1,
        size: stat.length,
        atime: time(stat.atime),
        mtime: time(stat.mtime),
        ..Attr::default()
    }
}

/// A change of attributes as a wstat. Setting a time to the server's now needs a clock, and takes ours.
pub(super) fn wstat_of(change: &SetAttrFields, is_dir: bool) -> Stat<'static> {
    let has = |bit| change.valid.contains(bit);
    let now = || {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        now.map_or(0, |since| since.as_secs())
    };
    let time = |set, given, time: Time| match (has(set), has(given)) {
        (false, _) => u32::MAX,
        (true, true) => time.sec as u32,
        (true, false) => now() as u32,
    };
    let mut stat = Stat::UNCHANGED;
    if has(SetAttrMask::MODE) {
        stat.mode = perm_of(change.mode);
        stat.mode.set(Perm::DIR, is_dir);
    }
    if has(SetAttrMask::SIZE) {
        stat.length = change.size;
    }
    stat.atime = time(SetAttrMask::ATIME, SetAttrMask::ATIME_SET, change.atime);
    stat.mtime = time(SetAttrMask::MTIME, SetAttrMask::MTIME_SET, change.mtime);
    stat.n_uid = Extension(has(SetAttrMask::UID).then_some(change.uid));
    stat.n_gid = Extension(has(SetAttrMask::GID).then_some(change.gid));
    stat
}
