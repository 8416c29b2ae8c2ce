//! A file of the host, used by who holds it open without asking its [`OpenFile`](crate::OpenFile) for each read or write. A
//! guest's read of what is in memory takes a few hundred nanoseconds; the way through three objects to a descriptor is some
//! of them, and so is each return from a system call through a function that was called for it.

use super::fd::Fd;
use super::file::pread;
use super::nodeless::NodelessFile;
use crate::{Result, Stat, Time};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// A regular file that is open. Nobody else need know that it is read; who is to hear of its writes does.
pub struct Direct {
    fd: Arc<Fd>,
    /// Its tree's count of nodes.
    nodes: Arc<AtomicU64>,
    file: Arc<NodelessFile>,
}

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
    pub(super) fn new(fd: Arc<Fd>, nodes: Arc<AtomicU64>, file: Arc<NodelessFile>) -> Direct {
        Direct { fd, nodes, file }
    }

    /// As [`OpenFile::read`](crate::OpenFile::read).
    #[inline(always)]
    pub fn read(&self, offset: u64, buf: &mut [u8]) -> Result<usize> {
        pread(&self.fd, offset, buf)
    }

    /// As [`OpenFile::write`](crate::OpenFile::write). None where there is more to a write than its bytes.
    #[inline(always)]
    pub fn write(&self, offset: u64, data: &[u8]) -> Option<Result<usize>> {
        self.file.write_bytes(&self.fd, &self.nodes, offset, data)
    }

    /// As [`OpenFile::stat`](crate::OpenFile::stat). None where there is a node, which takes notice of what is seen.
    #[inline(always)]
    pub fn measure(&self) -> Option<Result<Measure>> {
        if !self.file.is_nodeless() {
            return None;
        }
        let stat = rustix::fs::fstat(&*self.fd);
        // Looked at where it lies.
        let stat = match &stat {
            Ok(stat) => stat,
            Err(error) => return Some(Err((*error).into())),
        };
        Some(Ok(Measure {
            #[allow(clippy::unnecessary_cast)] // Half as wide on some machines.
            nlink: stat.st_nlink as u64,
            size: stat.st_size as u64,
            atime: Time { secs: stat.st_atime, nanos: stat.st_atime_nsec as u32 },
            mtime: Time { secs: stat.st_mtime, nanos: stat.st_mtime_nsec as u32 },
            ctime: Time { secs: stat.st_ctime, nanos: stat.st_ctime_nsec as u32 },
        }))
    }
}

impl From<&Stat> for Measure {
    #[inline(always)]
    fn from(stat: &Stat) -> Measure {
        let Stat { nlink, size, atime, mtime, ctime, .. } = *stat;
        Measure { nlink, size, atime, mtime, ctime }
    }
}
