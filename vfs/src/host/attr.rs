//! Setting attributes, and asking for those of the file system.

use super::node::HostNode;
use super::seen::Seen;
use crate::*;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{AtFlags, Mode as FsMode, OFlags, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT};
use rustix::io::Errno as E;

impl HostNode {
    /// The kernel has no call that sets everything or nothing, so what can be known to fail is asked first, the file is
    /// opened for truncation before anything is changed, and of several changes those that were made are taken back when
    /// a later one fails: owner, then mode (changing the owner clears set-id bits), then size, then times.
    pub(super) fn set(&self, set: SetStat) -> Result<()> {
        if set == SetStat::default() {
            return self.sync();
        }
        self.tree.writable()?;
        self.could_be(&set)?;
        let fd = self.fd()?;
        let resized = match set.size {
            Some(_) => Some(self.open_as(OFlags::WRONLY)?),
            None => None,
        };
        let steps = [
            set.uid.is_some() || set.gid.is_some(),
            set.mode.is_some(),
            set.size.is_some(),
            set.atime.is_some() || set.mtime.is_some(),
        ];
        let several = steps.iter().filter(|step| **step).count() > 1;
        let before = if several { Some(Seen::of(&fd)?) } else { None };
        let result = self.set_each(&fd, resized.as_ref(), &set);
        if result.is_err()
            && let Some(before) = before
        {
            let (uid, gid) = (set.uid.map(|_| before.uid()), set.gid.map(|_| before.gid()));
            // What cannot be taken back was not changed either, mostly; the first error is the one to tell.
            let _ = self.set_owner(&fd, uid, gid);
            let _ = self.set_mode(&fd, before.mode());
        }
        self.seen()?;
        result
    }

    /// The same, and what the kernel does for a user who truncates, where the server is root and he is not.
    pub(super) fn set_for(&self, who: &Caller, set: SetStat) -> Result<()> {
        self.set(set)?;
        let cuts = set.size.is_some() && set.mode.is_none();
        if cuts && self.tree.own.is_root() && self.is_set_id() {
            self.clear_set_id(&Writer::new(who))?;
        }
        Ok(())
    }

    /// Takes away the set-id bits that a write takes away.
    pub(super) fn clear_set_id(&self, writer: &Writer) -> Result<()> {
        let seen = self.seen()?;
        let cleared = writer.leaves(seen.mode(), seen.gid());
        if cleared != seen.mode() {
            self.set_mode(&*self.fd()?, cleared)?;
            self.seen()?;
        }
        Ok(())
    }

    /// Fails where the kind of the file or a number rules it out.
    fn could_be(&self, set: &SetStat) -> Result<()> {
        let kind = self.kind();
        if let Some(size) = set.size {
            if kind != Kind::File {
                return if kind.is_dir() { Errno::EISDIR } else { Errno::EINVAL }.into();
            }
            if size > i64::MAX as u64 {
                return Errno::EFBIG.into();
            }
        }
        if set.mode.is_some() && kind == Kind::Symlink {
            return Errno::EOPNOTSUPP.into();
        }
        let times = [set.atime, set.mtime];
        if times.iter().any(|t| matches!(t, Some(SetTime::To(t)) if t.nanos >= 1_000_000_000)) {
            return Errno::EINVAL.into();
        }
        // uid and gid -1 mean "leave it" to the kernel.
        if set.uid == Some(Uid(u32::MAX)) || set.gid == Some(Gid(u32::MAX)) {
            return Errno::EINVAL.into();
        }
        Ok(())
    }

    fn set_each(&self, fd: &OwnedFd, resized: Option<&OwnedFd>, set: &SetStat) -> Result<()> {
        self.set_owner(fd, set.uid, set.gid)?;
        if let Some(mode) = set.mode {
            self.set_mode(fd, mode)?;
        }
        if let (Some(file), Some(size)) = (resized, set.size) {
            rustix::io::retry_on_intr(|| rustix::fs::ftruncate(file, size))?;
        }
        if set.atime.is_some() || set.mtime.is_some() {
            let times =
                Timestamps { last_access: time_spec(set.atime), last_modification: time_spec(set.mtime) };
            match rustix::fs::utimensat(fd, c"", &times, AtFlags::EMPTY_PATH) {
                // Before Linux 5.8, utimensat(2) knew no AT_EMPTY_PATH.
                Err(E::INVAL | E::NOENT) => {
                    let (fds, number) = self.tree.confinement.link(fd.as_fd())?;
                    rustix::fs::utimensat(fds, number, &times, AtFlags::empty())?;
                }
                done => done?,
            }
        }
        Ok(())
    }

    fn set_owner(&self, fd: &OwnedFd, uid: Option<Uid>, gid: Option<Gid>) -> Result<()> {
        if uid.is_none() && gid.is_none() {
            return Ok(());
        }
        let uid = uid.map(|uid| rustix::fs::Uid::from_raw(uid.0));
        let gid = gid.map(|gid| rustix::fs::Gid::from_raw(gid.0));
        Ok(rustix::fs::chownat(fd, c"", uid, gid, AtFlags::EMPTY_PATH)?)
    }

    /// chmod(2) takes no O_PATH descriptor: through its magic link, or without /proc through one that is open for reading.
    pub(super) fn set_mode(&self, fd: &OwnedFd, mode: Mode) -> Result<()> {
        let mode = FsMode::from_raw_mode(mode.bits());
        match self.tree.confinement.link(fd.as_fd()) {
            Ok((fds, number)) => rustix::fs::chmodat(fds, number, mode, AtFlags::empty())?,
            Err(_) => rustix::fs::fchmod(self.open_as(OFlags::RDONLY)?, mode)?,
        }
        Ok(())
    }

    /// A setstat that sets nothing asks for what was written to be kept (stat(5)).
    fn sync(&self) -> Result<()> {
        if matches!(self.kind(), Kind::File | Kind::Dir) {
            rustix::fs::fsync(self.open_as(OFlags::RDONLY)?)?;
        }
        Ok(())
    }

    pub(super) fn file_system(&self) -> Result<StatFs> {
        let fs = rustix::fs::fstatfs(&*self.fd()?)?;
        Ok(StatFs {
            kind: fs.f_type as u32,
            bsize: fs.f_bsize as u32,
            blocks: fs.f_blocks,
            bfree: fs.f_bfree,
            bavail: fs.f_bavail,
            files: fs.f_files,
            ffree: fs.f_ffree,
            // The device number tells file systems apart as well as f_fsid, which some leave at 0.
            fsid: self.device(),
            namelen: fs.f_namelen as u32,
        })
    }
}

fn time_spec(time: Option<SetTime>) -> Timespec {
    match time {
        None => Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
        Some(SetTime::Now) => Timespec { tv_sec: 0, tv_nsec: UTIME_NOW },
        Some(SetTime::To(time)) => Timespec { tv_sec: time.secs, tv_nsec: i64::from(time.nanos) },
    }
}
