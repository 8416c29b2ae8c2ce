//! An open directory of the host, listed by the kernel's own cookies.
//!
//! Any number of readers may list one open directory from cookies of their own. The descriptor has one position, so a
//! reader who goes on where the last one stopped gets what was left over, and any other seeks.

use super::fd::Fd;
use super::node::HostNode;
use super::seen::{FileId, Seen};
use crate::*;
use parking_lot::Mutex;
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::fs::SeekFrom;
use rustix::io::{Errno as E, retry_on_intr};
use std::sync::Arc;

pub(super) struct HostDir {
    node: NodeRef,
    host: Arc<HostNode>,
    dev: u64,
    fd: Arc<Fd>,
    listing: Mutex<Listing>,
}

/// As many bytes of entries as one system call asks for.
const SPACE: usize = 32 * 1024;

/// Where the last reader stopped.
#[derive(Default)]
struct Listing {
    /// Behind the entry with this cookie.
    at: u64,
    begun: bool,
    /// What the kernel gave last, of which the entries from `next` to `end` were not taken yet.
    buf: Vec<u8>,
    next: usize,
    end: usize,
}

impl HostDir {
    pub fn new(host: Arc<HostNode>, fd: OwnedFd) -> HostDir {
        HostDir {
            node: host.clone(),
            dev: host.device(),
            host,
            fd: Arc::new(fd.into()),
            listing: Mutex::default(),
        }
    }

    /// The qid as far as the listing tells. A mount point shows the directory under it until it is walked to.
    fn entry_qid(&self, name: Name<'_>, ino: u64, kind: u8) -> Option<Qid> {
        let id = FileId { dev: self.dev, ino };
        let kind = match kind {
            libc::DT_REG => Kind::File,
            libc::DT_DIR => Kind::Dir,
            libc::DT_LNK => Kind::Symlink,
            libc::DT_FIFO => Kind::Fifo,
            libc::DT_SOCK => Kind::Socket,
            libc::DT_CHR => Kind::CharDevice,
            libc::DT_BLK => Kind::BlockDevice,
            // The file system does not say; an entry that is gone by now is left out.
            _ => Seen::entry(&self.fd, name).ok()?.kind(),
        };
        Some(Qid { kind, version: 0, path: self.host.tree.path(id) })
    }

    fn list(&self, cookie: u64, sink: &mut Sink<'_>) -> Result<()> {
        let mut listing = self.listing.lock();
        // From the start means as the directory is now, not what was left over.
        if cookie != listing.at || (cookie == 0 && listing.begun) {
            match rustix::fs::seek(&self.fd, SeekFrom::Start(cookie)) {
                // Nothing is behind a cookie that was never given.
                Err(E::INVAL) => return Ok(()),
                sought => sought?,
            };
            listing.restart(cookie);
        }
        listing.begun = true;
        loop {
            while let Some(entry) = entry_at(&listing.buf[listing.next..listing.end]) {
                // `.` and `..` are passed over, and what nobody could ask for. The kernel lets no file system give an empty name, or
                // one with a slash in it.
                let named = match entry.name {
                    b"." | b".." => None,
                    name if name.len() > Name::MAX => None,
                    name => Some(Name::known(name)),
                };
                let qid = named.and_then(|name| self.entry_qid(name, entry.ino, entry.kind));
                if let (Some(name), Some(qid)) = (named, qid)
                    && !sink(DirEntry { name, qid, cookie: entry.cookie })
                {
                    return Ok(());
                }
                let (cookie, len) = (entry.cookie, entry.len);
                listing.at = cookie;
                listing.next += len;
            }
            if !listing.fill(&self.fd)? {
                return Ok(());
            }
        }
    }
}

impl Listing {
    fn restart(&mut self, at: u64) {
        self.at = at;
        (self.next, self.end) = (0, 0);
    }

    /// Asks the kernel for more; false at the end.
    fn fill(&mut self, dir: &OwnedFd) -> Result<bool> {
        self.buf.resize(SPACE, 0);
        self.restart(self.at);
        self.end = match getdents(dir, &mut self.buf) {
            // A directory that was removed is empty.
            Err(rustix::io::Errno::NOENT) => 0,
            len => len?,
        };
        Ok(self.end > 0)
    }
}

/// What is before the name in an entry.
const HEAD: usize = 19;

/// One `struct linux_dirent64` (getdents64(2)).
struct Raw<'a> {
    ino: u64,
    cookie: u64,
    len: usize,
    /// `DT_REG` and so on.
    kind: u8,
    name: &'a [u8],
}

/// The entry at the start of `buf`; none where there is no whole one.
fn entry_at(buf: &[u8]) -> Option<Raw<'_>> {
    let (ino, rest) = buf.split_first_chunk::<8>()?;
    let (cookie, rest) = rest.split_first_chunk::<8>()?;
    let (len, rest) = rest.split_first_chunk::<2>()?;
    let len = usize::from(u16::from_ne_bytes(*len));
    let (kind, rest) = rest.split_first()?;
    let name = rest.get(..len.checked_sub(HEAD)?)?;
    Some(Raw {
        ino: u64::from_ne_bytes(*ino),
        cookie: u64::from_ne_bytes(*cookie),
        len,
        kind: *kind,
        name: &name[..end_of_name(name)?],
    })
}

/// Where the NUL is in the end of an entry, from its name on: the kernel rounds up to words, so that it is mostly in the last.
fn end_of_name(name: &[u8]) -> Option<usize> {
    const LOW: u64 = u64::from_le_bytes([0x01; 8]);
    const HIGH: u64 = u64::from_le_bytes([0x80; 8]);
    if let Some(last) = name.last_chunk::<8>() {
        let last = u64::from_le_bytes(*last);
        // The lowest bit that is left is of the first zero byte.
        let zero = last.wrapping_sub(LOW) & !last & HIGH;
        if zero != 0 {
            return Some(name.len() - 8 + zero.trailing_zeros() as usize / 8);
        }
    }
    name.iter().position(|byte| *byte == 0)
}

fn getdents(dir: &OwnedFd, buf: &mut [u8]) -> rustix::io::Result<usize> {
    retry_on_intr(|| {
        // SAFETY: the kernel writes no more than the buffer's length.
        let len =
            unsafe { libc::syscall(libc::SYS_getdents64, dir.as_raw_fd(), buf.as_mut_ptr(), buf.len()) };
        usize::try_from(len).map_err(|_| {
            let error = std::io::Error::last_os_error();
            rustix::io::Errno::from_io_error(&error).expect("a system call fails with an errno")
        })
    })
}

impl OpenFile for HostDir {
    fn node(&self) -> &NodeRef {
        &self.node
    }
    fn nature(&self) -> Nature {
        Nature::Storage
    }
    fn readdir<'a>(&'a self, cookie: u64, sink: &'a mut Sink<'a>) -> Op<'a, ()> {
        self.list(cookie, sink).into()
    }
    fn fsync(&self, data_only: bool) -> Op<'_, ()> {
        super::file::sync(self.fd.clone(), data_only)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_any_length_is_the_name_that_the_file_has() {
        let dir = tempfile::tempdir().unwrap();
        let mut names: Vec<String> = (1..=Name::MAX).map(|len| "n".repeat(len)).collect();
        for name in &names {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        let root = crate::HostTree::open(dir.path()).unwrap().root();
        let open = root.open(&Caller::me(), OpenFlags::READ).now().unwrap().unwrap();
        let mut listed = Vec::new();
        let mut sink = |entry: DirEntry<'_>| {
            listed.push(String::from_utf8(entry.name.as_bytes().to_vec()).unwrap());
            true
        };
        open.readdir(0, &mut sink).now().unwrap().unwrap();
        listed.sort();
        names.sort();
        assert_eq!(listed, names);
    }
}
