//! The only ways from one descriptor to another: down by one name, and again to the same file.
//!
//! A step goes through openat2(2), one component at a time, beneath the directory, through no symlink, no magic link and
//! (where asked) no mount point. What it gives is an O_PATH descriptor, which cannot block and cannot do anything to a
//! device. No path is ever kept or put together: a directory that is renamed or replaced while it is used changes what a
//! name means, never where a descriptor points.

use super::cname::{Space, c_name};
use crate::{Errno, Error, Name, Result};
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use rustix::fs::{CWD, Mode, OFlags, PROC_SUPER_MAGIC, ResolveFlags, fstatfs, openat, openat2};
use rustix::io::retry_on_intr;
use rustix::path::DecInt;
use std::path::Path;

pub(super) const BENEATH: ResolveFlags =
    ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS).union(ResolveFlags::NO_MAGICLINKS);

const LOOK: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// How names are followed in one tree.
pub(super) struct Confinement {
    resolve: ResolveFlags,
    /// /proc/self/fd, through which a descriptor is opened again without a name; none where /proc is not mounted.
    fds: Option<OwnedFd>,
}

impl Confinement {
    pub fn new(stay_on_device: bool) -> Confinement {
        let resolve = if stay_on_device { BENEATH | ResolveFlags::NO_XDEV } else { BENEATH };
        Confinement { resolve, fds: own_descriptors() }
    }

    /// The directory that a tree is to serve: the only path that is ever followed, links and all.
    pub fn root(&self, dir: &Path) -> Result<OwnedFd> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = retry_on_intr(|| openat(CWD, dir, flags, Mode::empty()))
            .map_err(|e| Error::from(e).context(dir.display()))?;
        match openat2(&fd, c".", LOOK | OFlags::DIRECTORY, Mode::empty(), self.resolve) {
            Ok(_) => Ok(fd),
            Err(rustix::io::Errno::NOSYS) => Err(Error::new(
                Errno::ENOSYS,
                "a host directory needs openat2(2): Linux 5.6 or newer, and a seccomp filter that lets it pass",
            )),
            Err(error) => Err(Error::from(error).context(dir.display())),
        }
    }

    /// The entry `name` of `dir`, whatever it is, as an O_PATH descriptor.
    pub fn step(&self, dir: impl AsFd, name: Name<'_>) -> rustix::io::Result<OwnedFd> {
        let (dir, mut space) = (dir.as_fd(), Space::uninit());
        let name = c_name(name, &mut space)?;
        retry_on_intr(|| openat2(dir, name, LOOK, Mode::empty(), self.resolve))
    }

    /// Opens the entry `name` of `dir` for use: one that is made by this very call (O_CREAT and O_EXCL) or, where there is no
    /// /proc for [`Confinement::again`], one that the caller has just seen to be neither a device nor a fifo. What is put in its
    /// place meanwhile is not waited for.
    pub fn open(
        &self,
        dir: impl AsFd,
        name: Name<'_>,
        flags: OFlags,
        mode: Mode,
    ) -> rustix::io::Result<OwnedFd> {
        let (dir, mut space) = (dir.as_fd(), Space::uninit());
        let name = c_name(name, &mut space)?;
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK;
        retry_on_intr(|| openat2(dir, name, flags, mode, self.resolve))
    }

    /// The file of the descriptor `fd`, opened again with `flags`: no name is involved, so no race is. ENOSYS without /proc.
    pub fn again(&self, fd: impl AsFd, flags: OFlags) -> rustix::io::Result<OwnedFd> {
        let flags = flags | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK;
        let (fds, number) = self.link(fd.as_fd())?;
        retry_on_intr(|| openat(fds, number.as_c_str(), flags, Mode::empty()))
    }

    /// The magic link to `fd`, as a directory and a name, for the calls that know no AT_EMPTY_PATH. ENOSYS without /proc.
    pub fn link(&self, fd: BorrowedFd<'_>) -> rustix::io::Result<(BorrowedFd<'_>, DecInt)> {
        let fds = self.fds.as_ref().ok_or(rustix::io::Errno::NOSYS)?;
        Ok((fds.as_fd(), DecInt::from_fd(fd)))
    }

    /// The same as a path, for the calls that take no directory either (getxattr(2) and its like).
    pub fn link_path(&self, fd: BorrowedFd<'_>) -> Option<String> {
        self.fds.as_ref().map(|_| format!("/proc/self/fd/{}", fd.as_raw_fd()))
    }
}

/// The directory of the descriptor `fd`, opened again for listing: its "." is itself, so no name is involved.
pub(super) fn again_dir(fd: impl AsFd) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    retry_on_intr(|| openat(fd.as_fd(), c".", flags, Mode::empty()))
}

/// /proc/self/fd, if that is what it is.
fn own_descriptors() -> Option<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let fds = openat(CWD, c"/proc/self/fd", flags, Mode::empty()).ok()?;
    let is_proc = fstatfs(&fds).is_ok_and(|fs| fs.f_type == PROC_SUPER_MAGIC);
    is_proc.then_some(fds)
}
