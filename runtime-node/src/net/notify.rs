//! seccomp's notices of a worker's network calls (seccomp_unotify(2)): received, answered, and sockets put in their place.
//!
//! What a call points at is copied from the worker's memory once, and only the copy is used: the worker may change its memory
//! at any time. A call is never let through to the kernel with its own arguments.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// `struct seccomp_notif`.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct Notice {
    pub id: u64,
    /// The thread that calls, as we number it.
    pub pid: u32,
    flags: u32,
    pub data: libc::seccomp_data,
}

/// `struct seccomp_notif_resp`.
#[repr(C)]
struct Response {
    id: u64,
    val: i64,
    error: i32,
    flags: u32,
}

/// `struct seccomp_notif_addfd`.
#[repr(C)]
struct AddFd {
    id: u64,
    flags: u32,
    srcfd: u32,
    newfd: u32,
    newfd_flags: u32,
}

/// `_IOWR` and `_IOW` of `'!'` (ioctl(2)): direction, size, type and number.
const fn request(direction: u32, number: u32, size: usize) -> libc::Ioctl {
    (direction << 30 | (size as u32) << 16 | (b'!' as u32) << 8 | number) as libc::Ioctl
}
const WRITE: u32 = 1;
const BOTH: u32 = 3;
const RECEIVE: libc::Ioctl = request(BOTH, 0, size_of::<Notice>());
const SEND: libc::Ioctl = request(BOTH, 1, size_of::<Response>());
const IS_VALID: libc::Ioctl = request(WRITE, 2, size_of::<u64>());
const ADD_FD: libc::Ioctl = request(WRITE, 3, size_of::<AddFd>());
/// The descriptor takes the place of the one that has the number.
const ADD_FD_SET: u32 = 1;

/// Where a worker's calls come in.
pub(super) struct Listener(AsyncFd<OwnedFd>);

impl Listener {
    /// To be called within a tokio runtime.
    pub fn new(fd: OwnedFd) -> io::Result<Listener> {
        // SAFETY: the descriptor is owned by what registers it, and stays the same until that is dropped.
        let fd = unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) };
        Ok(Listener(fd.map_err(io::Error::from)?))
    }

    fn ioctl<T>(&self, request: libc::Ioctl, argument: &mut T) -> io::Result<i32> {
        // SAFETY: each request is called with the struct that it was made from.
        let done =
            unsafe { libc::ioctl(self.0.get_ref().as_raw_fd(), request, std::ptr::from_mut(argument)) };
        if done < 0 { Err(io::Error::last_os_error()) } else { Ok(done) }
    }

    /// The next call; an error once nobody is left who could make one.
    pub async fn receive(&self) -> io::Result<Notice> {
        loop {
            let mut ready = self.0.readable().await?;
            let revents = self.poll();
            // To receive where there is nothing would wait for it, and hold the thread.
            if revents & libc::POLLIN == 0 {
                if revents & libc::POLLHUP != 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                ready.clear_ready();
                continue;
            }
            // SAFETY: all zeroes is what the kernel wants to be given.
            let mut notice: Notice = unsafe { MaybeUninit::zeroed().assume_init() };
            match self.ioctl(RECEIVE, &mut notice) {
                Ok(_) => return Ok(notice),
                // Who called was ended meanwhile, or a signal came.
                Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::EINTR)) => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn poll(&self) -> libc::c_short {
        let mut poll = libc::pollfd { fd: self.0.get_ref().as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one entry, a local.
        unsafe { libc::poll(&raw mut poll, 1, 0) };
        poll.revents
    }

    /// Whether who called still waits: what was read of its memory was its own, and nobody else's who has its number since.
    pub fn is_valid(&self, notice: &Notice) -> bool {
        let mut id = notice.id;
        self.ioctl(IS_VALID, &mut id).is_ok()
    }

    /// Ends the call: its value, or the errno that it fails with.
    pub fn answer(&self, notice: &Notice, result: Result<i64, i32>) {
        let (val, error) = match result {
            Ok(value) => (value, 0),
            Err(errno) => (0, -errno),
        };
        let mut response = Response { id: notice.id, val, error, flags: 0 };
        // Who called may have been ended.
        let _gone = self.ioctl(SEND, &mut response);
    }

    /// Puts `socket` in the place of the caller's descriptor `fd`.
    pub fn swap(&self, notice: &Notice, fd: RawFd, socket: BorrowedFd<'_>) -> io::Result<()> {
        let mut add = AddFd {
            id: notice.id,
            flags: ADD_FD_SET,
            srcfd: socket.as_raw_fd() as u32,
            newfd: fd as u32,
            newfd_flags: libc::O_CLOEXEC as u32,
        };
        self.ioctl(ADD_FD, &mut add).map(drop)
    }

    /// Copies `length` bytes of the caller's memory.
    pub fn copy(&self, notice: &Notice, from: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0u8; length];
        let here = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: length };
        let there = libc::iovec { iov_base: from as *mut libc::c_void, iov_len: length };
        // SAFETY: writes to `bytes` alone; the other address is another process's.
        let count = unsafe {
            libc::process_vm_readv(notice.pid as libc::pid_t, &raw const here, 1, &raw const there, 1, 0)
        };
        match usize::try_from(count) {
            Ok(count) if count == length && self.is_valid(notice) => Ok(bytes),
            Err(_) => Err(io::Error::last_os_error()),
            Ok(_) => Err(io::Error::from_raw_os_error(libc::EFAULT)),
        }
    }
}
