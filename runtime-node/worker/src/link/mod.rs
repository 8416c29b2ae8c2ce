//! The worker's end of its one socket: 9P2000.L requests in batches, answered to whoever waits for them.
//!
//! Requests that depend on each other (walk, open, read, clunk) go out in one write, which the protocol allows because
//! fids are the client's to choose and requests of one fid take effect in order. Somebody who waits blocked reads the
//! socket himself and hands out what is not his (leader and followers); for those who wait in a runtime, [`Link::drive`]
//! reads whenever nobody else does. Who reads blocked looks for a moment before he sleeps, where that has been of use. What the messages mean is left to [`crate::files`] and [`crate::control`].

mod batch;
mod fids;
mod slots;
mod wire;

pub use batch::{Batch, Frame, Sent, now, unexpected};
pub use fids::{CONTROL, Fids, Handle, TASK};

use nine::patience::Patience;
use nine::wire::{Dialect, Fid, HEADER, Msize, Name, Rmessage, Tag, Tmessage, Uid, frame_size};
use slots::Slots;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::task::Waker;
use std::time::Duration;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use wire::Wire;

/// The only dialect spoken here.
pub const DIALECT: Dialect = Dialect::P9P2000L;
/// What is asked for as the largest frame: a megabyte of data and its header.
const WANTED_MSIZE: u32 = (1 << 20) + nine::wire::IO_HEADER;
/// How long an answer that another thread leads for is not noticed by who wants to write, at most.
const UNNOTICED: Duration = Duration::from_millis(100);
/// How much is read from the socket at once where no longer frame is known to be under way.
const READ_AHEAD: usize = 64 << 10;

/// A connection to the server.
pub struct Link {
    wire: Wire,
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

/// What somebody who reads waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wait {
    No,
    /// As [`Link::drive`] does: not at all, and it is told of the others' turns.
    ByRuntime,
    UntilSomething,
    /// Until there is something, or something can be written, but not for ever.
    UntilRoom,
}

impl Link {
    /// Takes over a connected socket, with what the server shares of its memory for it, and agrees on the protocol.
    ///
    /// # Errors
    /// Those of the socket, and a server that does not speak 9P2000.L.
    pub fn connect(socket: OwnedFd, memory: Option<OwnedFd>) -> io::Result<Arc<Link>> {
        let mut link = Link {
            wire: Wire::new(socket, memory)?,
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
            link.fill_blocked(&mut input, &mut Patience::default())?;
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
            match self.wire.send(frames) {
                Ok(sent) => frames = &frames[sent..],
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => self.wait_writable(woken)?,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    fn wait_writable(&self, woken: &mut Vec<Waker>) -> io::Result<()> {
        match &self.wire {
            Wire::Socket(socket) => {
                let most = UNNOTICED.as_millis() as libc::c_int;
                if wire::comes(socket, libc::POLLOUT | libc::POLLIN, most) & libc::POLLIN != 0 {
                    self.lead_for(Wait::No, woken)?;
                }
            }
            Wire::Memory(end) => {
                let mut state = self.lock();
                if !state.is_led {
                    drop(state);
                    self.lead_for(Wait::UntilRoom, woken)?;
                } else if end.sleeps(false, true) {
                    // Who reads is woken, too, and says so.
                    state.followers += 1;
                    let waited = self.turn.wait_timeout(state, UNNOTICED);
                    waited.expect("no holder of the lock panics").0.followers -= 1;
                }
            }
        }
        Ok(())
    }

    /// Appends what comes to `input`, by whatever of the wire's ways.
    fn fill(
        &self,
        input: &mut Vec<u8>,
        mut way: impl FnMut(&Wire, &mut Vec<u8>, usize) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let missing = match frame_size(input, self.msize).map_err(io::Error::other)? {
            Some(size) => size.saturating_sub(input.len()),
            None => HEADER,
        };
        loop {
            match way(&self.wire, input, missing.max(READ_AHEAD)) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                done => return done,
            }
        }
    }

    fn fill_blocked(&self, input: &mut Vec<u8>, patience: &mut Patience) -> io::Result<usize> {
        let come = patience.look(|| match self.fill(input, Wire::look) {
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => None,
            come => Some(come),
        });
        come.unwrap_or_else(|| self.fill(input, Wire::receive_blocked))
    }

    fn fill_or_room(&self, input: &mut Vec<u8>) -> io::Result<usize> {
        if let Wire::Memory(end) = &self.wire
            && end.sleeps(true, true)
        {
            wire::comes(end.socket(), libc::POLLIN, UNNOTICED.as_millis() as libc::c_int);
        }
        self.fill(input, Wire::receive)
    }

    /// Reads once, blocked or not, and hands out every whole frame. `false`: somebody else is reading, or there was nothing.
    fn lead(&self, wait: Wait) -> io::Result<bool> {
        let mut woken = Vec::new();
        let led = self.lead_for(wait, &mut woken);
        woken.into_iter().for_each(Waker::wake);
        led
    }

    fn lead_for(&self, wait: Wait, woken: &mut Vec<Waker>) -> io::Result<bool> {
        let mut state = self.lock();
        if state.is_led {
            return Ok(false);
        }
        state.is_led = true;
        let mut input = std::mem::take(&mut state.input);
        let mut patience = state.patience;
        drop(state);
        let got = match wait {
            Wait::No | Wait::ByRuntime => self.fill(&mut input, Wire::receive),
            Wait::UntilSomething => self.fill_blocked(&mut input, &mut patience),
            Wait::UntilRoom => self.fill_or_room(&mut input),
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
        if wait != Wait::ByRuntime {
            // The runtime's turn may have come while this thread read, and its bell been taken.
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
        if self.wire.is_ready() && self.lead(Wait::No).is_err() {
            std::process::exit(crate::status::SERVER_GONE);
        }
    }

    /// Reads once for everybody, blocked; where somebody else reads, waits for that to end.
    pub fn read_for_all(&self) {
        match self.lead(Wait::UntilSomething) {
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
        let socket = self.wire.socket().try_clone()?;
        // SAFETY: the descriptor is a socket's own, and lives as long as what it is registered with.
        let socket = unsafe { AsyncFd::register_with_interest(socket, Interest::READABLE) }
            .map_err(|e| e.into_parts().1)?;
        loop {
            if !self.wire.sleeps() {
                // Who reads it by now gives the turn back.
                if !self.lead(Wait::ByRuntime)? && self.lock().is_led {
                    self.poke.notified().await;
                }
                tokio::task::yield_now().await;
                continue;
            }
            tokio::select! {
                ready = socket.readable() => {
                    let mut ready = ready?;
                    // Not cleared before there is nothing left: the event comes once.
                    if !self.lead(Wait::ByRuntime)? {
                        if self.lock().is_led {
                            self.poke.notified().await;
                        } else {
                            ready.clear_ready();
                        }
                    }
                }
                () = self.poke.notified() => while self.lead(Wait::ByRuntime)? {},
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
