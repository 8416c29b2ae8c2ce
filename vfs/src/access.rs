//! Who may do what: the mode bits, as path_resolution(7) and inode(7) have them.

use crate::*;
use bitflags::bitflags;

bitflags! {
    /// What is asked of a node, as one rwx digit.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Access: u32 {
        const READ = 4;
        const WRITE = 2;
        const EXEC = 1;
    }
}

impl Access {
    pub fn of(flags: OpenFlags) -> Access {
        let mut want = Access::empty();
        if flags.contains(OpenFlags::READ) {
            want |= Access::READ;
        }
        if flags.intersects(OpenFlags::WRITE | OpenFlags::TRUNCATE) {
            want |= Access::WRITE;
        }
        if flags.contains(OpenFlags::EXEC) {
            want |= Access::EXEC;
        }
        want
    }
}

/// Fails with EACCES where the mode bits do not give `who` all of `want`. The superuser is refused only the execution of
/// a file that nobody may execute.
pub fn check(who: &Caller, stat: &Stat, want: Access) -> Result<()> {
    let mode = stat.mode.bits();
    if who.is_root() {
        let nobody_executes = mode & 0o111 == 0 && !stat.kind().is_dir();
        return if want.contains(Access::EXEC) && nobody_executes { Errno::EACCES.into() } else { Ok(()) };
    }
    let digit = if who.uid == stat.uid {
        mode >> 6
    } else if who.in_group(stat.gid) {
        mode >> 3
    } else {
        mode
    };
    if digit & want.bits() == want.bits() { Ok(()) } else { Errno::EACCES.into() }
}

/// Fails with EPERM where a sticky directory keeps `who` from removing or renaming an entry of another's.
pub(crate) fn check_sticky(who: &Caller, dir: &Stat, entry: &Stat) -> Result<()> {
    let sticky = dir.mode.bits() & libc::S_ISVTX != 0;
    if sticky && !who.is_root() && who.uid != dir.uid && who.uid != entry.uid {
        return Errno::EPERM.into();
    }
    Ok(())
}

/// Checks what chmod(2), chown(2), truncate(2) and utimensat(2) ask of the caller, and gives what is to be set: the set-id
/// bits go where a mere user changes the owner.
pub(crate) fn check_setstat(who: &Caller, stat: &Stat, mut set: SetStat) -> Result<SetStat> {
    if who.is_root() {
        return Ok(set);
    }
    let owner = who.uid == stat.uid;
    if let Some(mode) = set.mode {
        if !owner {
            return Errno::EPERM.into();
        }
        if mode.bits() & libc::S_ISGID != 0
            && !stat.kind().is_dir()
            && !who.in_group(set.gid.unwrap_or(stat.gid))
        {
            set.mode = Some(Mode::new(mode.bits() & !libc::S_ISGID));
        }
    }
    if set.uid.is_some_and(|uid| !owner || uid != stat.uid) {
        return Errno::EPERM.into();
    }
    if set.gid.is_some_and(|gid| !owner || !(who.in_group(gid) || gid == stat.gid)) {
        return Errno::EPERM.into();
    }
    if (set.uid.is_some() || set.gid.is_some()) && set.mode.is_none() && !stat.kind().is_dir() {
        let mode = stat.mode.bits();
        let keep_sgid = mode & 0o010 == 0;
        let cleared = mode & !libc::S_ISUID & !(if keep_sgid { 0 } else { libc::S_ISGID });
        if cleared != mode {
            set.mode = Some(Mode::new(cleared));
        }
    }
    if set.size.is_some() {
        check(who, stat, Access::WRITE)?;
    }
    let exact = [set.atime, set.mtime].iter().flatten().any(|t| *t != SetTime::Now);
    if exact && !owner {
        return Errno::EPERM.into();
    }
    if !exact && (set.atime.is_some() || set.mtime.is_some()) && !owner {
        check(who, stat, Access::WRITE)?;
    }
    Ok(set)
}
