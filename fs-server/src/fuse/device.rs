//! The kernel's end of a mount, as far as crate fuser does not go: whether a request is there, without waiting for one, and
//! answers that lie in several places.

use fuser::{ReplyData, RequestId};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use std::io::{self, IoSlice};
use std::sync::OnceLock;

/// A descriptor of the session's own device: an answer counts only where its request was read.
#[derive(Default)]
pub(super) struct Device(OnceLock<OwnedFd>);

impl Device {
    /// To be said once, before the first request is read.
    pub(super) fn is(&self, session: BorrowedFd<'_>) -> io::Result<()> {
        let device = session.try_clone_to_owned()?;
        // Whoever says it again is told by the first.
        let _known = self.0.set(device);
        Ok(())
    }

    /// Whether who reads now would not wait: for a request, or for the word that there will be none.
    pub(super) fn is_ready(&self) -> bool {
        let Some(device) = self.0.get() else { return false };
        let mut device = [PollFd::new(device, PollFlags::IN)];
        poll(&mut device, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok_and(|ready| ready > 0)
    }

    /// Answers a read with the bytes of `parts`, one after the other. fuser sends what lies in one piece; several are sent
    /// here, and what it sends then, since it does not let go of an answer unsent, is a second answer to the same request,
    /// which the kernel knows no more (ENOENT): the number of a request comes never again.
    pub(super) fn answer(&self, request: RequestId, reply: ReplyData, parts: &[impl AsRef<[u8]>]) {
        match parts {
            [] => reply.data(&[]),
            [whole] => reply.data(whole.as_ref()),
            _ if self.send(request, parts).is_ok() => reply.data(&[]),
            // Without memory for it, say; or nobody wants the answer any more, and it is not taken this way either.
            _ => reply.data(&parts.iter().map(AsRef::as_ref).collect::<Vec<_>>().concat()),
        }
    }

    fn send(&self, request: RequestId, parts: &[impl AsRef<[u8]>]) -> io::Result<()> {
        let device = self.0.get().ok_or(io::ErrorKind::NotConnected)?;
        let length: usize = parts.iter().map(|part| part.as_ref().len()).sum();
        let header = header(length, request).ok_or(io::ErrorKind::InvalidInput)?;
        let mut slices = Vec::with_capacity(1 + parts.len());
        slices.push(IoSlice::new(&header));
        slices.extend(parts.iter().map(|part| IoSlice::new(part.as_ref())));
        // The kernel takes an answer as a whole.
        rustix::io::writev(device.as_fd(), &slices)?;
        Ok(())
    }
}

/// `struct fuse_out_header` of an answer that is no error: its length, itself included, 0 for the error, and the request.
fn header(length: usize, request: RequestId) -> Option<[u8; 16]> {
    let mut header = [0; 16];
    header[..4].copy_from_slice(&u32::try_from(length + 16).ok()?.to_ne_bytes());
    header[8..].copy_from_slice(&request.0.to_ne_bytes());
    Some(header)
}
