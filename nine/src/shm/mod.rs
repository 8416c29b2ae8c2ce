//! A connection through memory that two processes share, beside a socket between them: a frame that is looked for is there
//! without a system call.
//!
//! Each direction is a ring of bytes. The socket carries no data: a byte on it, of any value, is a bell for who sleeps, and
//! its end is the connection's. Who wants to sleep says so in the memory, looks once more, and waits for the
//! socket; who has written or read something rings where that was said. The other process is not believed: it can break its own
//! connection, and no more. A server whose clients are on the same machine and look for answers ([`crate::patience`]) has
//! use for this; two that sleep after each word are woken through the socket all the same.

#[allow(unsafe_code)]
mod map;

pub use map::RING;

use map::{Map, Number};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::net::{RecvFlags, SendFlags, recv, send};
use std::io::{self, ErrorKind, IoSlice};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering, fence};

/// Bells that are taken off the socket at once.
const BELLS: usize = 64;

/// One end of a connection. One thread at a time may send, one receive, one wait.
pub struct End {
    map: Map,
    socket: UnixStream,
    /// The direction that is written to: 0 for who made the memory. The other is read.
    out: usize,
    /// So many bytes have been written and read here; what the memory says of that is for the other process.
    written: AtomicU32,
    read: AtomicU32,
    /// The socket has ended.
    over: AtomicBool,
}

/// Memory for a new connection.
pub struct Memory(OwnedFd);

impl Memory {
    /// # Errors
    /// The system's.
    pub fn new() -> io::Result<Memory> {
        Map::memory().map(Memory)
    }
}

impl AsFd for Memory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn broken() -> io::Error {
    io::Error::new(ErrorKind::InvalidData, "the other process says that there are more bytes than can be")
}

impl End {
    /// The end of who made the memory.
    ///
    /// # Errors
    /// The system's.
    pub fn of_maker(memory: &Memory, socket: UnixStream) -> io::Result<End> {
        End::new(Map::new(memory)?, socket, 0)
    }

    /// The end of who was given the memory.
    ///
    /// # Errors
    /// The system's; memory that is none for this.
    pub fn of_guest(memory: impl AsFd, socket: UnixStream) -> io::Result<End> {
        End::new(Map::new(memory)?, socket, 1)
    }

    fn new(map: Map, socket: UnixStream, out: usize) -> io::Result<End> {
        let (written, read, over) = (AtomicU32::new(0), AtomicU32::new(0), AtomicBool::new(false));
        Ok(End { map, socket, out, written, read, over })
    }

    /// What to wait for, to become readable, when [`End::sleeps`] has said so.
    pub fn socket(&self) -> &UnixStream {
        &self.socket
    }

    /// How many bytes can be sent.
    fn room(&self) -> io::Result<usize> {
        let tail = self.map.number(self.out, Number::Tail).load(Ordering::Acquire);
        let under_way = self.written.load(Ordering::Relaxed).wrapping_sub(tail) as usize;
        RING.checked_sub(under_way).ok_or_else(broken)
    }

    /// How many bytes there are to be received.
    fn there(&self) -> io::Result<usize> {
        let head = self.map.number(1 - self.out, Number::Head).load(Ordering::Acquire);
        let there = head.wrapping_sub(self.read.load(Ordering::Relaxed)) as usize;
        if there <= RING { Ok(there) } else { Err(broken()) }
    }

    /// Whether [`End::send`] would do anything but block.
    pub fn can_send(&self) -> bool {
        self.over.load(Ordering::Relaxed) || !matches!(self.room(), Ok(0))
    }
    /// Whether [`End::receive`] would do anything but block.
    pub fn can_receive(&self) -> bool {
        self.over.load(Ordering::Relaxed) || !matches!(self.there(), Ok(0))
    }

    /// Sends what there is room for.
    ///
    /// # Errors
    /// `WouldBlock` where there is none; an end that is gone; one that breaks the rules.
    pub fn send(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        if self.over.load(Ordering::Relaxed) {
            return Err(ErrorKind::BrokenPipe.into());
        }
        let room = self.room()?;
        let written = self.written.load(Ordering::Relaxed);
        let mut sent = 0;
        for part in parts {
            let now = part.len().min(room - sent);
            self.map.put(self.out, written.wrapping_add(sent as u32), &part[..now]);
            sent += now;
        }
        if sent == 0 && parts.iter().any(|part| !part.is_empty()) {
            return Err(ErrorKind::WouldBlock.into());
        }
        let written = written.wrapping_add(sent as u32);
        self.written.store(written, Ordering::Relaxed);
        self.map.number(self.out, Number::Head).store(written, Ordering::Release);
        self.ring_if(self.out, Number::ReaderSleeps);
        Ok(sent)
    }

    /// Receives what is there; nothing at the end.
    ///
    /// # Errors
    /// `WouldBlock` where nothing is; a process at the other end that breaks the rules.
    pub fn receive(&self, buf: &mut [u8]) -> io::Result<usize> {
        let now = self.come()?.min(buf.len());
        self.map.take(1 - self.out, self.read.load(Ordering::Relaxed), &mut buf[..now]);
        self.received(now);
        Ok(now)
    }

    /// The same, all that there is, behind what `buf` holds.
    ///
    /// # Errors
    /// As for [`End::receive`].
    pub fn receive_all(&self, buf: &mut Vec<u8>) -> io::Result<usize> {
        let now = self.come()?;
        self.map.append(1 - self.out, self.read.load(Ordering::Relaxed), now, buf);
        self.received(now);
        Ok(now)
    }

    fn come(&self) -> io::Result<usize> {
        // Before what it said last is looked for.
        let over = self.over.load(Ordering::Relaxed);
        match self.there()? {
            0 if !over => Err(ErrorKind::WouldBlock.into()),
            there => Ok(there),
        }
    }

    fn received(&self, now: usize) {
        let read = self.read.load(Ordering::Relaxed).wrapping_add(now as u32);
        self.read.store(read, Ordering::Relaxed);
        self.map.number(1 - self.out, Number::Tail).store(read, Ordering::Release);
        self.ring_if(1 - self.out, Number::WriterSleeps);
    }

    /// Wakes who has said that it sleeps. What was written before is seen by who says so after.
    fn ring_if(&self, way: usize, sleeps: Number) {
        fence(Ordering::SeqCst);
        let sleeps = self.map.number(way, sleeps);
        if sleeps.load(Ordering::Relaxed) != 0 && sleeps.swap(0, Ordering::Relaxed) != 0 {
            // A full socket has bells enough in it, and that it has ended is seen by who waits for it.
            let _heard = send(&self.socket, &[0], SendFlags::DONTWAIT | SendFlags::NOSIGNAL);
        }
    }

    /// Says that this end is about to sleep until it can receive, or send. False where it need not.
    pub fn sleeps(&self, to_receive: bool, to_send: bool) -> bool {
        let (input, output) = (
            self.map.number(1 - self.out, Number::ReaderSleeps),
            self.map.number(self.out, Number::WriterSleeps),
        );
        // What another thread wants to be woken for is left as it is: a bell too many is heard and forgotten.
        for (sleeps, wanted) in [(input, to_receive), (output, to_send)] {
            if wanted {
                sleeps.store(1, Ordering::Relaxed);
            }
        }
        fence(Ordering::SeqCst);
        !(to_receive && self.can_receive() || to_send && self.can_send())
    }

    /// Takes the bells off the socket, and notices its end. To be called when it was waited for.
    pub fn wakes(&self) {
        let mut bells = [0; BELLS];
        loop {
            match recv(&self.socket, &mut bells, RecvFlags::DONTWAIT) {
                Ok((_, BELLS)) | Err(rustix::io::Errno::INTR) => {}
                Ok((_, 0)) => return self.over.store(true, Ordering::Relaxed),
                Ok(_) | Err(rustix::io::Errno::AGAIN) => return,
                Err(_) => return self.over.store(true, Ordering::Relaxed),
            }
        }
    }

    /// Nothing more will be sent.
    ///
    /// # Errors
    /// The socket's.
    pub fn shut(&self) -> io::Result<()> {
        self.socket.shutdown(std::net::Shutdown::Write)
    }
}

#[cfg(test)]
mod tests;
