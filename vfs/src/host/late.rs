//! Errors that a file system tells when a file is closed: of writes that it took and could not keep (close(2): NFS, SMB, FUSE).
//!
//! A descriptor is shared by what still reads and writes through it, so what is closed, for the error's sake, is a duplicate. The
//! file systems of local disks and of memory tell nothing then, and are not asked.

use super::fd::Fd;
use super::tree::Tree;
use crate::*;
use parking_lot::Mutex;
use rustix::fd::{IntoRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Which devices of a tree's files are of such a file system; there are few.
pub(super) struct Telling {
    known: Mutex<Vec<(u64, bool)>>,
    /// The last one that was found to tell nothing: mostly there is but one.
    silent: AtomicU64,
}

/// The number of no device: the kernel's have 32 bits.
const NO_DEVICE: u64 = u64::MAX;

impl Default for Telling {
    fn default() -> Telling {
        Telling { known: Mutex::default(), silent: AtomicU64::new(NO_DEVICE) }
    }
}

/// statfs(2)'s numbers of ext2 to ext4, XFS, Btrfs, F2FS, tmpfs, ramfs and EROFS.
const TELLS_NOTHING: [u32; 7] =
    [0xef53, 0x5846_5342, 0x9123_683e, 0xf2f5_2010, 0x0102_1994, 0x8584_58f6, 0xe0f5_e1e2];

impl Telling {
    fn is_of(&self, device: u64, fd: &OwnedFd) -> Result<bool> {
        if self.silent.load(Ordering::Relaxed) == device {
            return Ok(false);
        }
        let mut known = self.known.lock();
        let tells = match known.iter().find(|(there, _)| *there == device) {
            Some((_, tells)) => *tells,
            None => {
                let tells = !TELLS_NOTHING.contains(&(rustix::fs::fstatfs(fd)?.f_type as u32));
                known.push((device, tells));
                tells
            }
        };
        if !tells {
            self.silent.store(device, Ordering::Relaxed);
        }
        Ok(tells)
    }
}

/// Tells of late errors of the open file `fd`, on a thread that may wait, where there is a runtime that has some.
pub(super) fn tell<'a>(tree: &Tree, device: u64, fd: &Arc<Fd>) -> Op<'a, ()> {
    match tree.telling.is_of(device, fd) {
        Ok(true) => {}
        Ok(false) => return Op::ok(()),
        Err(error) => return Op::err(error),
    }
    let fd = fd.clone();
    super::file::waiting(move || close(rustix::io::fcntl_dupfd_cloexec(&*fd, 0)?))
}

fn close(fd: OwnedFd) -> Result<()> {
    // SAFETY: the number is nobody else's, and not used behind this, whatever close(2) says.
    match unsafe { libc::close(fd.into_raw_fd()) } {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error().into()),
    }
}
