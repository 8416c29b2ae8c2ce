//! Who may do what: the mode bits, as path_resolution(7) and inode(7) have them, and where a file has an access control
//! list, that.

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

/// Fails with EACCES where neither the mode bits of `node`, which has the attributes `stat`, nor its access control list give
/// `who` all of `want`. The superuser is refused only the execution of a file that nobody may execute.
pub(crate) fn check<'a, N: Node + ?Sized>(
    node: &'a N,
    who: &'a Caller,
    stat: &Stat,
    want: Access,
) -> Op<'a, ()> {
    let mode = stat.mode.bits();
    if want.is_empty() {
        return Op::ok(());
    }
    if who.is_root() {
        let nobody_executes = mode & 0o111 == 0 && !stat.kind().is_dir();
        let refused = want.contains(Access::EXEC) && nobody_executes;
        return allowed(!refused).into();
    }
    let (uid, gid) = (stat.uid, stat.gid);
    if who.uid == uid {
        return allowed(gives(mode >> 6, want)).into();
    }
    let by_mode = gives(if who.in_group(gid) { mode >> 3 } else { mode }, want);
    // Linux looks for a list only where the group's bits, which are its mask then, give anything.
    if mode & 0o070 == 0 {
        return allowed(by_mode).into();
    }
    node.acl(AclKind::Access)
        .and_then(move |acl| allowed(acl.map_or(by_mode, |acl| acl.allows(who, uid, gid, want))).into())
}

fn gives(digit: u32, want: Access) -> bool {
    digit & want.bits() == want.bits()
}

fn allowed(allowed: bool) -> Result<()> {
    if allowed { Ok(()) } else { Errno::EACCES.into() }
}

/// Fails with EPERM where a sticky directory keeps `who` from removing or renaming an entry of another's.
pub(crate) fn check_sticky(who: &Caller, dir: &Stat, entry: &Stat) -> Result<()> {
    let sticky = dir.mode.bits() & libc::S_ISVTX != 0;
    if sticky && !who.is_root() && who.uid != dir.uid && who.uid != entry.uid {
        return Errno::EPERM.into();
    }
    Ok(())
}

/// Checks what chmod(2), chown(2), truncate(2) and utimensat(2) ask of the caller but for his access to the content, and gives
/// what is to be set, and the access that it takes: the set-id bits go where a mere user changes the owner.
pub(crate) fn check_setstat(who: &Caller, stat: &Stat, mut set: SetStat) -> Result<(SetStat, Access)> {
    let mut access = Access::empty();
    if who.is_root() {
        return Ok((set, access));
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
        let cleared = Writer::new(who).gives_away(stat.mode, stat.gid);
        set.mode = (cleared != stat.mode).then_some(cleared);
    }
    if set.size.is_some() {
        access |= Access::WRITE;
    }
    let exact = [set.atime, set.mtime].iter().flatten().any(|t| *t != SetTime::Now);
    if exact && !owner {
        return Errno::EPERM.into();
    }
    if !exact && (set.atime.is_some() || set.mtime.is_some()) && !owner {
        access |= Access::WRITE;
    }
    Ok((set, access))
}
