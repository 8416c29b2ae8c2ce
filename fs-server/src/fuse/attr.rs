//! Between the namespace's words for files and the kernel's: attributes, flags, callers, and how long to believe them.
//!
//! # What the kernel may cache
//!
//! Guests and 9P clients change the same files: after `echo start > ctl; cat wait` a shell must see what the guest wrote,
//! however fast that was. A tree that tells of its changes ([`vfs::Watch`]: the memory tree) is believed, names, attributes
//! and pages, until it does; then the kernel is told (`notices`), before anyone is answered who could know of the change
//! (`gate`). What does not tell is asked each time, or once in a time that the user chooses (a host directory); its pages stay cached while a file's version does, and a change of size
//! or time drops them (FUSE_AUTO_INVAL_DATA). Synthetic files are never cached.

use fuser::{FileAttr, FileType, INodeNo, Request, TimeOrNow};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use vfs::{Caller, Gid, Kind, OpenFlags, SetTime, Stat, Time, Uid};

/// Who asks. The kernel has checked the mode bits (default_permissions), and tells no supplementary groups.
pub(super) fn caller(request: &Request) -> Caller {
    Caller { pid: Some(request.pid()), checked: true, ..Caller::new(Uid(request.uid()), Gid(request.gid())) }
}

/// Who makes something with the permission bits `mode`. Only who asks for set-group-id needs to be known with all his groups.
pub(super) fn maker(request: &Request, mode: u32, umask: u32) -> Caller {
    let who = caller(request);
    let who = if mode & libc::S_ISGID != 0 { with_groups(&who) } else { who };
    Caller { umask: umask & 0o777, ..who }
}

/// The caller with his supplementary groups (proc_pid_status(5)), which take longer to find out than most requests. To be asked
/// while he waits.
pub(super) fn with_groups(who: &Caller) -> Caller {
    let (false, Some(pid)) = (who.is_root(), who.pid) else { return who.clone() };
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let groups = status.lines().find_map(|line| line.strip_prefix("Groups:")).unwrap_or_default();
    let groups = groups.split_ascii_whitespace().filter_map(|group| group.parse().ok().map(Gid));
    Caller { groups: groups.collect(), ..who.clone() }
}

/// The kernel sees to devices, fifos and sockets by itself: a fifo connects programs of this machine, and guests with
/// guests, but not one with the other.
pub(super) fn listed_type(kind: Kind) -> FileType {
    match kind {
        Kind::Dir => FileType::Directory,
        Kind::Symlink => FileType::Symlink,
        Kind::File => FileType::RegularFile,
        Kind::Fifo => FileType::NamedPipe,
        Kind::Socket => FileType::Socket,
        Kind::CharDevice => FileType::CharDevice,
        Kind::BlockDevice => FileType::BlockDevice,
    }
}

pub(super) fn attributes(ino: INodeNo, stat: &Stat) -> FileAttr {
    FileAttr {
        ino,
        // With one that is no off_t the kernel drops an entry without giving it back.
        size: stat.size.min(i64::MAX as u64),
        blocks: stat.blocks,
        atime: system_time(stat.atime),
        mtime: system_time(stat.mtime),
        ctime: system_time(stat.ctime),
        crtime: system_time(stat.btime),
        kind: listed_type(stat.kind()),
        perm: stat.mode.bits() as u16,
        nlink: u32::try_from(stat.nlink).unwrap_or(u32::MAX),
        uid: stat.uid.0,
        gid: stat.gid.0,
        rdev: rdev(stat.rdev),
        blksize: stat.blksize,
        flags: 0,
    }
}

/// The kernel's 32-bit form of a device number (new_encode_dev).
fn rdev(device: vfs::Device) -> u32 {
    (device.minor & 0xff) | ((device.major & 0xfff) << 8) | ((device.minor & !0xff) << 12)
}

pub(super) fn device(rdev: u32) -> vfs::Device {
    vfs::Device { major: (rdev >> 8) & 0xfff, minor: (rdev & 0xff) | ((rdev >> 12) & !0xff) }
}

fn system_time(time: Time) -> SystemTime {
    let whole = Duration::from_secs(time.secs.unsigned_abs());
    let second = if time.secs < 0 { UNIX_EPOCH.checked_sub(whole) } else { UNIX_EPOCH.checked_add(whole) };
    second
        .and_then(|second| second.checked_add(Duration::from_nanos(time.nanos.into())))
        .unwrap_or(UNIX_EPOCH)
}

/// A time that the kernel sent. fuser takes the nanoseconds of a time before the epoch for a part of the way back from
/// it, though they count forward (utimensat(2)): seconds and nanoseconds are as sent, only together they are wrong.
pub(super) fn set_time(time: TimeOrNow) -> SetTime {
    match time {
        TimeOrNow::Now => SetTime::Now,
        TimeOrNow::SpecificTime(time) => SetTime::To(match time.duration_since(UNIX_EPOCH) {
            Ok(after) => Time { secs: after.as_secs() as i64, nanos: after.subsec_nanos() },
            Err(before) => {
                let before = before.duration();
                Time { secs: (before.as_secs() as i64).wrapping_neg(), nanos: before.subsec_nanos() }
            }
        }),
    }
}

/// open(2)'s flags as far as they reach a file system.
pub(super) fn open_flags(flags: i32) -> OpenFlags {
    let mut open = match flags & libc::O_ACCMODE {
        libc::O_WRONLY => OpenFlags::WRITE,
        libc::O_RDWR => OpenFlags::READ | OpenFlags::WRITE,
        _ => OpenFlags::READ,
    };
    for (bit, flag) in [
        (libc::O_APPEND, OpenFlags::APPEND),
        (libc::O_TRUNC, OpenFlags::TRUNCATE),
        (libc::O_EXCL, OpenFlags::EXCLUSIVE),
        (libc::O_NONBLOCK, OpenFlags::NONBLOCK),
        (libc::O_DSYNC, OpenFlags::SYNC),
        (libc::O_DIRECTORY, OpenFlags::DIRECTORY),
    ] {
        if flags & bit != 0 {
            open |= flag;
        }
    }
    open
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_before_the_epoch_survive_the_way_in_and_out() {
        let time = Time { secs: -2, nanos: 800_000_000 };
        assert_eq!(system_time(time), UNIX_EPOCH - Duration::from_millis(1200));
        // What fuser makes of the pair (-2, 800 000 000).
        let mangled = UNIX_EPOCH - Duration::new(2, 800_000_000);
        assert_eq!(set_time(TimeOrNow::SpecificTime(mangled)), SetTime::To(time));
    }

    #[test]
    fn device_numbers_survive_the_way_in_and_out() {
        let numbers = vfs::Device { major: 0x123, minor: 0x4_5678 };
        assert_eq!(device(rdev(numbers)), numbers);
    }
}
