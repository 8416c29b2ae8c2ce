//! Between the two ways to say what a file is: stat(5)'s and POSIX's.

use super::answer::Error;
use super::files::FileServer;
use crate::wire::{Attr, Dialect, Extension, Mode, Name, OwnedStat, Perm, QidKind, Stat, Time};

/// Where .u keeps the bits above rwxrwxrwx.
const SPECIAL: [(Perm, u32); 3] = [(Perm::SETUID, 0o4000), (Perm::SETGID, 0o2000), (Perm::SETVTX, 0o1000)];

/// The mode that a stat(5) mode means.
pub(super) fn mode_of(perm: Perm, dialect: Dialect) -> Mode {
    let mut mode = perm.bits() & 0o777;
    mode |= if perm.contains(Perm::DIR) { Mode::DIRECTORY } else { Mode::REGULAR };
    if dialect == Dialect::P9P2000U {
        for (flag, bit) in SPECIAL {
            if perm.contains(flag) {
                mode |= bit;
            }
        }
    }
    Mode(mode)
}

/// The stat(5) mode of a file.
fn perm_of(attr: &Attr, dialect: Dialect) -> Perm {
    // stat(5): the mode's upper byte is the qid's.
    let kind = attr.qid.kind - (QidKind::SYMLINK | QidKind::LINK);
    let mut perm = Perm::from_bits_retain(u32::from(kind.bits()) << 24 | (attr.mode.0 & 0o777));
    if dialect == Dialect::P9P2000U {
        perm |= match attr.mode.kind() {
            Mode::SYMLINK => Perm::SYMLINK,
            Mode::CHARACTER | Mode::BLOCK => Perm::DEVICE,
            Mode::FIFO => Perm::NAMEDPIPE,
            Mode::SOCKET => Perm::SOCKET,
            _ => Perm::empty(),
        };
        for (flag, bit) in SPECIAL {
            perm.set(flag, attr.mode.0 & bit != 0);
        }
    }
    perm
}

/// The kind and numbers of a device that .u's Tcreate asks for: `c 1 3`, `b 8 0`.
pub(super) fn device_numbers(perm: Perm, extension: &[u8]) -> Result<(u32, (u32, u32)), Error> {
    if perm.contains(Perm::NAMEDPIPE) {
        return Ok((Mode::FIFO, (0, 0)));
    }
    if perm.contains(Perm::SOCKET) {
        return Ok((Mode::SOCKET, (0, 0)));
    }
    let text = String::from_utf8_lossy(extension);
    let mut words = text.split_whitespace();
    let kind = match words.next() {
        Some("c") => Some(Mode::CHARACTER),
        Some("b") => Some(Mode::BLOCK),
        _ => None,
    };
    let mut number = || words.next().and_then(|word| word.parse().ok());
    match (kind, number(), number()) {
        (Some(kind), Some(major), Some(minor)) => Ok((kind, (major, minor))),
        _ => Err(Error::new(22, format!("not a device: '{text}'"))),
    }
}

/// Linux's `new_encode_dev`, taken apart.
fn split_device(rdev: u64) -> (u64, u64) {
    ((rdev >> 8) & 0xfff, (rdev & 0xff) | ((rdev >> 12) & 0xfff00))
}

/// stat(5) has 32 bits of seconds, and the last value means "leave it".
fn seconds(time: Time) -> u32 {
    u32::try_from(time.sec).map_or(0, |sec| sec.min(u32::MAX - 1))
}

/// What a file is, in stat(5)'s words.
pub(super) async fn stat_of<F: FileServer>(
    files: &F,
    node: &F::Node,
    attr: &Attr,
    name: &[u8],
    dialect: Dialect,
) -> Result<OwnedStat, Error> {
    let unix = dialect == Dialect::P9P2000U;
    let extension = match attr.mode.kind() {
        Mode::SYMLINK if unix => files.readlink(node).get().await?,
        kind @ (Mode::CHARACTER | Mode::BLOCK) if unix => {
            let (major, minor) = split_device(attr.rdev);
            let letter = if kind == Mode::CHARACTER { 'c' } else { 'b' };
            format!("{letter} {major} {minor}").into_bytes()
        }
        _ => Vec::new(),
    };
    let (user, group) = (files.user_name(attr.uid), files.group_name(attr.gid));
    let stat = Stat {
        kind: 0,
        dev: 0,
        qid: attr.qid,
        mode: perm_of(attr, dialect),
        atime: seconds(attr.atime),
        mtime: seconds(attr.mtime),
        length: if attr.mode.is_dir() { 0 } else { attr.size },
        name: Name(name),
        uid: Name(user.as_bytes()),
        gid: Name(group.as_bytes()),
        muid: Name(user.as_bytes()),
        extension: Extension(unix.then_some(Name(&extension))),
        n_uid: Extension(unix.then_some(attr.uid)),
        n_gid: Extension(unix.then_some(attr.gid)),
        n_muid: Extension(unix.then_some(attr.uid)),
    };
    Ok(stat.to_owned())
}

/// The default of [`FileServer::user_name`] and its like: numbers are their own names.
pub(super) fn number_of(name: &[u8]) -> Option<u32> {
    std::str::from_utf8(name).ok()?.parse().ok()
}
