//! What the frames go through: memory that is shared with the server where it gave some, else the socket itself.
//!
//! With shared memory the socket brings bells ([`nine::shm`]). Several may wait for one: a thread that reads blocked, one that
//! writes and finds no room, the runtime. So that none misses a bell that another takes, only who reads takes bells, which is
//! one at a time ([`super::Link`] sees to that), and he looks at the memory after he has begun to.

use nine::shm;
use std::io::{self, IoSlice};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;

pub enum Wire {
    Socket(UnixStream),
    Memory(shm::End),
}

fn done(result: isize) -> io::Result<usize> {
    usize::try_from(result).map_err(|_negative| io::Error::last_os_error())
}

impl Wire {
    pub fn new(socket: OwnedFd, memory: Option<OwnedFd>) -> io::Result<Wire> {
        let socket = UnixStream::from(socket);
        Ok(match memory {
            Some(memory) => Wire::Memory(shm::End::of_guest(memory, socket)?),
            None => Wire::Socket(socket),
        })
    }

    /// What becomes readable where something comes.
    pub fn socket(&self) -> &UnixStream {
        match self {
            Wire::Socket(socket) => socket,
            Wire::Memory(end) => end.socket(),
        }
    }

    /// Sends what there is room for.
    pub fn send(&self, data: &[u8]) -> io::Result<usize> {
        match self {
            Wire::Socket(socket) => {
                let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
                // SAFETY: the pointer and length are those of a live slice.
                done(unsafe { libc::send(socket.as_raw_fd(), data.as_ptr().cast(), data.len(), flags) })
            }
            Wire::Memory(end) => end.send(&[IoSlice::new(data)]),
        }
    }

    /// Appends what is there to `input`, as many bytes as `room` where it may be more; nothing at the end.
    pub fn look(&self, input: &mut Vec<u8>, room: usize) -> io::Result<usize> {
        match self {
            Wire::Socket(socket) => receive(socket, input, room, libc::MSG_DONTWAIT),
            Wire::Memory(end) => end.receive_all(input),
        }
    }

    /// The same. For who reads: notices the end.
    pub fn receive(&self, input: &mut Vec<u8>, room: usize) -> io::Result<usize> {
        self.look(input, room).or_else(|error| match self {
            Wire::Memory(end) if error.kind() == io::ErrorKind::WouldBlock => {
                end.wakes();
                self.look(input, room)
            }
            _ => Err(error),
        })
    }

    /// The same, and waits for it: `WouldBlock` where it was woken for something else.
    pub fn receive_blocked(&self, input: &mut Vec<u8>, room: usize) -> io::Result<usize> {
        match self {
            Wire::Socket(socket) => receive(socket, input, room, 0),
            Wire::Memory(end) => {
                if end.sleeps(true, false) {
                    comes(end.socket(), libc::POLLIN, -1);
                }
                self.receive(input, room)
            }
        }
    }

    /// Whether there is something to be received, or the wire has ended.
    pub fn is_ready(&self) -> bool {
        match self {
            Wire::Socket(socket) => comes(socket, libc::POLLIN, 0) != 0,
            Wire::Memory(end) => end.can_receive() || comes(end.socket(), libc::POLLIN, 0) != 0,
        }
    }

    /// The runtime is about to sleep until the socket is readable. False where it need not.
    pub fn sleeps(&self) -> bool {
        match self {
            Wire::Socket(_) => true,
            Wire::Memory(end) => end.sleeps(true, false),
        }
    }
}

fn receive(socket: &UnixStream, input: &mut Vec<u8>, room: usize, flags: libc::c_int) -> io::Result<usize> {
    input.reserve(room);
    let spare = input.spare_capacity_mut();
    // SAFETY: the pointer and length are those of the vector's spare room.
    let got = unsafe { libc::recv(socket.as_raw_fd(), spare.as_mut_ptr().cast(), spare.len(), flags) };
    let got = done(got)?;
    // SAFETY: so many bytes of the spare room have been written.
    unsafe { input.set_len(input.len() + got) };
    Ok(got)
}

/// Which of `events` came within so many milliseconds; -1 is for ever.
pub fn comes(socket: &UnixStream, events: libc::c_short, most: libc::c_int) -> libc::c_short {
    let mut poll = libc::pollfd { fd: socket.as_raw_fd(), events, revents: 0 };
    // SAFETY: one live pollfd.
    unsafe { libc::poll(&mut poll, 1, most) };
    poll.revents
}
