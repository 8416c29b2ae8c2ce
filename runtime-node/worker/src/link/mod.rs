//! The worker's end of its one socket: 9P2000.L requests in batches, answered to whoever waits for them.
//!
//! Requests that depend on each other (walk, open, read, clunk) go out in one write, which the protocol allows because
//! fids are the client's to choose and requests of one fid take effect in order. Somebody who waits blocked reads the
//! socket himself and hands out what is not his (leader and followers); for those who wait in a runtime, [`Link::drive`]
//! reads whenever nobody else does. Who reads blocked looks for a moment before he sleeps, where that has been of use. What the messages mean is left to [`crate::files`] and [`crate::control`].

mod batch;
mod fids;
mod slots;

pub use batch::{Batch, Frame, Sent, now, unexpected};
pub use fids::{CONTROL, Fids, Handle, TASK};

use nine::patience::Patience;
use nine::wire::{Dialect, Fid, HEADER, Msize, Name, Rmessage, Tag, Tmessage, Uid, frame_size};
use slots::Slots;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::task::Waker;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// The only dialect spoken here.
pub const DIALECT: Dialect = Dialect::P9P2000L;
/// What is asked for as the largest frame: a megabyte of data and its header.
const WANTED_MSIZE: u32 = (1 << 20) + nine::wire::IO_HEADER;
/// How much is read from the socket at once where no longer frame is known to be under way.
const READ_AHEAD: usize = 64 << 10;

/// A connection to the server.
pub struct Link {
    socket: UnixStream,
    msize: u32,
    /// Held while frames are written, so that a batch stays together.
    writing: Mutex<()>,
    state: Mutex<State>,
    /// Told when frames were handed out, or when nobody reads any more.
    turn: Condvar,
    /// The same for [`Link::drive`].
    poke: tokio::sync::Notify,
    pub fids: Fids,
    trips: AtomicU64,
    /// Clunks of files that nobody waits for; they leave with the next batch.
    late: Mutex<Vec<u8>>,
}

struct State {
    slots: Slots,
    /// Whether somebody reads the socket at this moment, with the input below taken out.
    is_led: bool,
    input: Vec<u8>,
    /// Blocked waiters that do not read.
    followers: usize,
    /// Of who reads blocked.
    patience: Patience,
}

impl Link {
    /// Takes over a connected socket and agrees on the protocol.
    ///
    /// # Errors
    /// Those of the socket, and a server that does not speak 9P2000.L.
    pub fn connect(socket: OwnedFd) -> io::Result<Arc<Link>> {
        let socket = UnixStream::from(socket);
        let mut link = Link {
            socket,
            msize: u32::MAX,
            writing: Mutex::default(),
            state: Mutex::new(State {
                slots: Slots::default(),
                is_led: false,
                input: Vec::new(),
                followers: 0,
                patience: Patience::default(),
            }),
            turn: Condvar::new(),
            poke: tokio::sync::Notify::new(),
            fids: Fids::default(),
            trips: AtomicU64::new(0),
            late: Mutex::default(),
        };
        let version =
            Tmessage::Version { msize: Msize(WANTED_MSIZE), version: Name(DIALECT.version().as_bytes()) };
        let mut frame = Vec::new();
        version.encode(DIALECT, Tag::NONE, &mut frame).map_err(io::Error::other)?;
        link.write(&frame)?;
        let mut input = Vec::new();
        let size = loop {
            link.fill(&mut input, 0)?;
            match frame_size(&input, WANTED_MSIZE).map_err(io::Error::other)? {
                Some(size) if input.len() >= size => break size,
                _ => {}
            }
        };
        match Rmessage::decode(DIALECT, &input[..size]).map_err(io::Error::other)?.1 {
            Rmessage::Version { msize, version } if version.0 == DIALECT.version().as_bytes() => {
                link.msize = msize.0;
            }
            other => return Err(io::Error::other(format!("the server does not speak 9P2000.L: {other:?}"))),
        }
        Ok(Arc::new(link))
    }

    /// The largest data of one read or write.
    pub fn chunk(&self) -> usize {
        (self.msize - nine::wire::IO_HEADER) as usize
    }

    /// How often somebody waited for the server.
    pub fn trips(&self) -> u64 {
        self.trips.load(Ordering::Relaxed)
    }

    /// A fid for a tree's root. The caller chooses the fid and sends what depends on it without waiting.
    pub fn attach<'a>(fid: Fid, uname: &'a str, aname: &'a str) -> Tmessage<'a> {
        Tmessage::Attach {
            fid,
            afid: Fid::NONE,
            uname: Name(uname.as_bytes()),
            aname: Name(aname.as_bytes()),
            n_uname: nine::wire::Extension(Some(Uid::NONE)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of the lock panics")
    }

    /// Writes whole frames. While the server does not read, what it says is read, so that neither waits for the other.
    fn write(&self, frames: &[u8]) -> io::Result<()> {
        // Who is woken may write in turn.
        let mut woken = Vec::new();
        let written = self.write_together(frames, &mut woken);
        woken.into_iter().for_each(Waker::wake);
        written
    }

    fn write_together(&self, mut frames: &[u8], woken: &mut Vec<Waker>) -> io::Result<()> {
        let _together = self.writing.lock().expect("no holder of the lock panics");
        while !frames.is_empty() {
            // SAFETY: the pointer and length are those of a live slice.
            let sent = unsafe {
                let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
                libc::send(self.socket.as_raw_fd(), frames.as_ptr().cast(), frames.len(), flags)
            };
            if sent >= 0 {
                frames = &frames[sent as usize..];
                continue;
            }
            match io::Error::last_os_error() {
                e if e.kind() == io::ErrorKind::WouldBlock => self.wait_writable(woken)?,
                e if e.kind() == io::ErrorKind::Interrupted => {}
                e => return Err(e),
            }
        }
        Ok(())
    }

    fn wait_writable(&self, woken: &mut Vec<Waker>) -> io::Result<()> {
        let mut poll =
            libc::pollfd { fd: self.socket.as_raw_fd(), events: libc::POLLOUT | libc::POLLIN, revents: 0 };
        // SAFETY: one live pollfd. The time bounds how long an answer that another thread leads for is not noticed.
        unsafe { libc::poll(&mut poll, 1, 100) };
        if poll.revents & libc::POLLIN != 0 {
            self.lead_for(false, woken)?;
        }
        Ok(())
    }

    /// One recv into `input`.
    fn fill(&self, input: &mut Vec<u8>, flags: libc::c_int) -> io::Result<usize> {
        let missing = match frame_size(input, self.msize).map_err(io::Error::other)? {
            Some(size) => size.saturating_sub(input.len()),
            None => HEADER,
        };
        input.reserve(missing.max(READ_AHEAD));
        let spare = input.spare_capacity_mut();
        loop {
            // SAFETY: the pointer and length are those of the vector's spare room.
            let got =
                unsafe { libc::recv(self.socket.as_raw_fd(), spare.as_mut_ptr().cast(), spare.len(), flags) };
            if got > 0 {
                // SAFETY: so many bytes of the spare room have been written.
                unsafe { input.set_len(input.len() + got as usize) };
                return Ok(got as usize);
            }
            if got == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error);
            }
        }
    }

    fn fill_blocked(&self, input: &mut Vec<u8>, patience: &mut Patience) -> io::Result<usize> {
        let come = patience.look(|| match self.fill(input, libc::MSG_DONTWAIT) {
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => None,
            come => Some(come),
        });
        come.unwrap_or_else(|| self.fill(input, 0))
    }

    /// Reads once, blocked or not, and hands out every whole frame. `false`: somebody else is reading, or there was nothing.
    fn lead(&self, blocked: bool) -> io::Result<bool> {
        let mut woken = Vec::new();
        let led = self.lead_for(blocked, &mut woken);
        woken.into_iter().for_each(Waker::wake);
        led
    }

    fn lead_for(&self, blocked: bool, woken: &mut Vec<Waker>) -> io::Result<bool> {
        let mut state = self.lock();
        if state.is_led {
            return Ok(false);
        }
        state.is_led = true;
        let mut input = std::mem::take(&mut state.input);
        let mut patience = state.patience;
        drop(state);
        let got = if blocked {
            self.fill_blocked(&mut input, &mut patience)
        } else {
            self.fill(&mut input, libc::MSG_DONTWAIT)
        };
        let mut state = self.lock();
        state.patience = patience;
        let handed = hand_out(&mut state.slots, &mut input, self.msize, woken);
        state.input = input;
        state.is_led = false;
        if state.followers > 0 {
            self.turn.notify_all();
        }
        drop(state);
        if blocked {
            // The runtime's turn may have come while this thread read.
            self.poke.notify_one();
        }
        match got {
            Ok(_) => handed.map(|()| true),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(false),
            // The server is gone, and with it everything that this process is for.
            Err(_) => std::process::exit(crate::status::SERVER_GONE),
        }
    }

    /// Reads if something has been lying there for a while and nobody reads.
    pub fn read_what_lies_there(&self) {
        let mut poll = libc::pollfd { fd: self.socket.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one live pollfd, and no time to wait.
        if unsafe { libc::poll(&mut poll, 1, 0) } > 0 && self.lead(false).is_err() {
            std::process::exit(crate::status::SERVER_GONE);
        }
    }

    /// Reads once for everybody, blocked; where somebody else reads, waits for that to end.
    pub fn read_for_all(&self) {
        match self.lead(true) {
            Ok(true) => {}
            Ok(false) => {
                let mut state = self.lock();
                if state.is_led {
                    state.followers += 1;
                    let mut state = self.turn.wait(state).expect("no holder of the lock panics");
                    state.followers -= 1;
                }
            }
            Err(_) => std::process::exit(crate::status::SERVER_GONE),
        }
    }

    /// Reads for those who wait in a runtime, for as long as it is polled.
    ///
    /// # Errors
    /// Those of registering the socket with the runtime, and a server that breaks the protocol.
    pub async fn drive(self: Arc<Link>) -> io::Result<()> {
        let socket = self.socket.try_clone()?;
        // SAFETY: the descriptor is a socket's own, and lives as long as what it is registered with.
        let socket = unsafe { AsyncFd::register_with_interest(socket, Interest::READABLE) }
            .map_err(|e| e.into_parts().1)?;
        loop {
            tokio::select! {
                ready = socket.readable() => {
                    let mut ready = ready?;
                    // Not cleared before there is nothing left: the event comes once.
                    if !self.lead(false)? {
                        if self.lock().is_led {
                            self.poke.notified().await;
                        } else {
                            ready.clear_ready();
                        }
                    }
                }
                () = self.poke.notified() => while self.lead(false)? {},
            }
            tokio::task::yield_now().await;
        }
    }
}

/// Takes every whole frame out of `input`.
fn hand_out(slots: &mut Slots, input: &mut Vec<u8>, msize: u32, wakers: &mut Vec<Waker>) -> io::Result<()> {
    let mut at = 0;
    while let Some(size) = frame_size(&input[at..], msize).map_err(io::Error::other)? {
        let Some(frame) = input.get(at..at + size) else { break };
        let tag = Tag(u16::from_le_bytes([frame[5], frame[6]]));
        slots.answer(tag, frame, wakers);
        at += size;
    }
    input.drain(..at);
    Ok(())
}
