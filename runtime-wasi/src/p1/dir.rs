//! Directories: listing, making and removing them.

use super::Call;
use super::abi::{self, DIRENT, Rights};
use crate::memory::write_words;
use crate::paths;
use vfs::{DirEntry, Kind, OpenFlags, Place, Result};

/// The cookies of `.` and `..`, which no tree lists; a tree's own come behind them.
const AFTER_DOT: u64 = 1;
const AFTER_DOT_DOT: u64 = 2;

/// Fills a buffer with entries, the last of them cut where the buffer ends: a buffer that is not full is the end.
pub(super) struct Listing<'b> {
    buf: &'b mut [u8],
    pub used: usize,
}

impl<'b> Listing<'b> {
    pub fn new(buf: &'b mut [u8]) -> Listing<'b> {
        Listing { buf, used: 0 }
    }

    /// `.` and `..` of `place`, as far as they are behind `cookie`. Gives the cookie by which its tree goes on; none where the
    /// buffer is full.
    pub fn begin(&mut self, place: &Place, cookie: u64) -> Option<u64> {
        let fits = (cookie >= AFTER_DOT || self.push(AFTER_DOT, b".", Kind::Dir, place.qid().path))
            && (cookie >= AFTER_DOT_DOT
                || self.push(AFTER_DOT_DOT, b"..", Kind::Dir, place.parent().qid().path));
        fits.then(|| cookie.saturating_sub(AFTER_DOT_DOT))
    }

    /// What takes the entries of `place`.
    pub fn sink(&mut self, place: &Place) -> impl FnMut(DirEntry<'_>) -> bool + Send {
        let identity = place.entry_paths();
        move |entry| {
            let next = entry.cookie.saturating_add(AFTER_DOT_DOT);
            self.push(next, entry.name.as_bytes(), entry.qid.kind, identity(entry.qid.path))
        }
    }

    /// False when the buffer is full, whether or not that entry fitted.
    #[inline(always)]
    fn push(&mut self, next: u64, name: &[u8], kind: Kind, identity: u64) -> bool {
        let words = abi::dirent(next, identity, name.len(), abi::filetype(kind));
        let rest = &mut self.buf[self.used..];
        if let Some((head, rest)) = rest.split_first_chunk_mut::<DIRENT>()
            && let Some(whole) = rest.get_mut(..name.len())
        {
            write_words(head, words);
            whole.copy_from_slice(name);
            self.used += DIRENT + name.len();
            return true;
        }
        let mut head = [0; DIRENT];
        write_words(&mut head, words);
        self.copy(&head) && self.copy(name)
    }
    fn copy(&mut self, bytes: &[u8]) -> bool {
        let n = bytes.len().min(self.buf.len() - self.used);
        self.buf[self.used..self.used + n].copy_from_slice(&bytes[..n]);
        self.used += n;
        n == bytes.len()
    }
}

pub(super) async fn fd_readdir(
    call: &mut Call<'_>,
    fd: u32,
    buf: u32,
    len: u32,
    cookie: u64,
    out: u32,
) -> Result<()> {
    let who = call.guest.who.clone();
    let descriptor = call.guest.fds.get_mut(fd)?;
    let place = descriptor.dir(Rights::FD_READDIR)?.clone();
    let file = match &descriptor.open.file {
        Some(file) => file.clone(),
        None => {
            let file = place.open(&who, OpenFlags::READ | OpenFlags::DIRECTORY).await?;
            descriptor.open.open_as(file).clone()
        }
    };
    let mut listing = Listing::new(call.memory.bytes_mut(buf, len as usize)?);
    if let Some(cookie) = listing.begin(&place, cookie) {
        file.readdir(cookie, &mut listing.sink(&place)).await?;
    }
    let used = listing.used as u32;
    call.memory.put_u32(out, used)
}

pub(super) async fn path_create_directory(call: &mut Call<'_>, fd: u32, path: u32, len: u32) -> Result<()> {
    let dir = call.guest.fds.get(fd)?.dir(Rights::PATH_CREATE_DIRECTORY)?;
    let who = &call.guest.who;
    paths::mkdir(who, dir, call.memory.path(path, len)?).await
}

pub(super) async fn path_remove_directory(call: &mut Call<'_>, fd: u32, path: u32, len: u32) -> Result<()> {
    let dir = call.guest.fds.get(fd)?.dir(Rights::PATH_REMOVE_DIRECTORY)?;
    let who = &call.guest.who;
    paths::rmdir(who, dir, call.memory.path(path, len)?).await
}
