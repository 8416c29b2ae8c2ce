//! A descriptor of the host's, and what the kernel said of its file when it was asked.

use super::seen::Seen;
use crate::Result;
use rustix::fd::{AsFd, BorrowedFd, IntoRawFd, OwnedFd};
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::sync::OnceLock;

pub(super) struct Fd {
    fd: ManuallyDrop<OwnedFd>,
    seen: OnceLock<Box<Seen>>,
}

impl Fd {
    /// Of a file that the kernel was asked about.
    pub fn seen_as(fd: OwnedFd, seen: Seen) -> Fd {
        Fd { fd: ManuallyDrop::new(fd), seen: Box::new(seen).into() }
    }

    /// What the kernel says of it, the first time that anybody asks.
    pub fn seen(&self) -> Result<&Seen> {
        if let Some(seen) = self.seen.get() {
            return Ok(seen);
        }
        let seen = Seen::of(self)?;
        Ok(self.seen.get_or_init(|| Box::new(seen)))
    }
}

impl From<OwnedFd> for Fd {
    fn from(fd: OwnedFd) -> Fd {
        Fd { fd: ManuallyDrop::new(fd), seen: OnceLock::new() }
    }
}

impl Deref for Fd {
    type Target = OwnedFd;
    fn deref(&self) -> &OwnedFd {
        &self.fd
    }
}

impl AsFd for Fd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Drop for Fd {
    /// close(2) itself: that of glibc is a point where threads may be cancelled, and prepares for that first.
    fn drop(&mut self) {
        // SAFETY: taken here only, and closed once.
        unsafe { rustix::io::close(ManuallyDrop::take(&mut self.fd).into_raw_fd()) }
    }
}
