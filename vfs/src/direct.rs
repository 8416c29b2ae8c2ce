//! A file of this machine, used by who holds it open without asking its [`OpenFile`](crate::OpenFile) for each read. A guest's read
//! of a file that is in memory costs a few hundred nanoseconds; finding a way through three objects to a descriptor is some
//! of them.

use crate::{Result, Stat, Time};
use rustix::fd::OwnedFd;
use rustix::io::retry_on_intr;
use std::sync::Arc;

/// A regular file that is open. What reads it is told what the file would tell, and nobody else need know of it.
pub struct Direct(Arc<OwnedFd>);

/// What of a regular file's stat changes with its bytes and names.
#[derive(Clone, Copy, Debug, Default)]
pub struct Measure {
    pub nlink: u64,
    pub size: u64,
    pub atime: Time,
    pub mtime: Time,
    pub ctime: Time,
}

impl Direct {
    pub(crate) fn new(fd: Arc<OwnedFd>) -> Direct {
        Direct(fd)
    }

    /// As [`OpenFile::read`](crate::OpenFile::read).
    #[inline(always)]
    pub fn read(&self, offset: u64, buf: &mut [u8]) -> Result<usize> {
        Ok(retry_on_intr(|| rustix::io::pread(&*self.0, &mut *buf, offset))?)
    }

    /// As [`OpenFile::stat`](crate::OpenFile::stat).
    #[inline(always)]
    pub fn measure(&self) -> Result<Measure> {
        let stat = rustix::fs::fstat(&*self.0);
        // Looked at where it lies.
        let stat = match &stat {
            Ok(stat) => stat,
            Err(error) => return Err((*error).into()),
        };
        Ok(Measure {
            #[allow(clippy::unnecessary_cast)] // Half as wide on some machines.
            nlink: stat.st_nlink as u64,
            size: stat.st_size as u64,
            atime: Time { secs: stat.st_atime, nanos: stat.st_atime_nsec as u32 },
            mtime: Time { secs: stat.st_mtime, nanos: stat.st_mtime_nsec as u32 },
            ctime: Time { secs: stat.st_ctime, nanos: stat.st_ctime_nsec as u32 },
        })
    }
}

impl From<&Stat> for Measure {
    #[inline(always)]
    fn from(stat: &Stat) -> Measure {
        let Stat { nlink, size, atime, mtime, ctime, .. } = *stat;
        Measure { nlink, size, atime, mtime, ctime }
    }
}
