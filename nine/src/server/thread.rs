//! A connection with a thread of its own, for the first so many connections: where the future of [`super::serve`] can run.
//!
//! What a request takes beside the work itself is being woken for it. A worker of the runtime that waits for many
//! connections is woken through epoll(7), tells its other workers, and looks what there is; a thread that waits in poll(2)
//! for one socket is woken by the very call that wrote to it, mostly on the processor where its cache is warm. Many threads
//! that are woken for a request each cost more than a worker that finds many requests, so only so many connections have one,
//! those that came first; all others are the runtime's.
//!
//! Before it sleeps a thread looks for the next request for a moment, where that has been of use ([`Patience`]) and not too
//! many others do ([`Turn`]).
//!
//! A thread that hangs on a disk holds its own connection and nobody else: it needs no watching.

use self::ahead::Ahead;
use crate::patience::{Patience, Turn};
use crate::shm;
use parking_lot::{Condvar, Mutex};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use std::future::Future;
use std::io::{self, ErrorKind, IoSlice, Write};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

mod ahead;
#[allow(unsafe_code)]
mod read;

/// How long the end of a connection is waited for where the server stops.
const LINGER: Duration = Duration::from_secs(1);

/// What a connection's bytes go through, by reference, with a descriptor to sleep on.
pub trait Socket: AsFd + Sized + Send + Sync + 'static {
    /// Receives what is there, as far as `buf` has room; says how much that was. Nothing is the end.
    fn receive(&self, buf: &mut ReadBuf<'_>) -> io::Result<usize>;
    fn send(&self, parts: &[IoSlice<'_>]) -> io::Result<usize>;
    fn shut(&self) -> io::Result<()>;

    /// Whether there is something to receive. It may go `ahead`, where that is given: looking by receiving spares asking first.
    fn has_come(&self, ahead: Option<&Ahead>) -> bool {
        match ahead {
            Some(ahead) => ahead.receive(self),
            None => poll(&mut [PollFd::new(self, PollFlags::IN)], Some(&Timespec::default())) != Ok(0),
        }
    }
    /// Somebody is about to sleep until `events`: what the descriptor is to be waited for, none where they are there.
    fn sleeps(&self, events: PollFlags) -> Option<PollFlags> {
        Some(events)
    }
    /// The descriptor has something to say.
    fn wakes(&self) {}
}

/// A socket that the runtime can have as well.
pub trait OnRuntime: Socket {
    /// As the runtime has it.
    type Stream: AsyncRead + AsyncWrite + Send + 'static;

    fn on_runtime(self) -> io::Result<Self::Stream>;
}

macro_rules! socket {
    ($stream:ty, $on_runtime:ty) => {
        impl OnRuntime for $stream {
            type Stream = $on_runtime;

            fn on_runtime(self) -> io::Result<$on_runtime> {
                <$on_runtime>::from_std(self)
            }
        }

        impl Socket for $stream {
            fn receive(&self, buf: &mut ReadBuf<'_>) -> io::Result<usize> {
                read::read(self, buf)
            }
            fn send(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
                let mut stream = self;
                stream.write_vectored(parts)
            }
            fn shut(&self) -> io::Result<()> {
                self.shutdown(std::net::Shutdown::Write)
            }
        }
    };
}

socket!(std::net::TcpStream, tokio::net::TcpStream);
socket!(std::os::unix::net::UnixStream, tokio::net::UnixStream);

impl AsFd for shm::End {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket().as_fd()
    }
}

impl Socket for shm::End {
    fn receive(&self, buf: &mut ReadBuf<'_>) -> io::Result<usize> {
        let read = self.receive(buf.initialize_unfilled())?;
        buf.advance(read);
        Ok(read)
    }
    fn send(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        self.send(parts)
    }
    fn shut(&self) -> io::Result<()> {
        self.shut()
    }
    fn has_come(&self, _: Option<&Ahead>) -> bool {
        self.can_receive()
    }
    fn sleeps(&self, events: PollFlags) -> Option<PollFlags> {
        let asleep = self.sleeps(events.contains(PollFlags::IN), events.contains(PollFlags::OUT));
        // All bells come in.
        asleep.then_some(if events.is_empty() { events } else { PollFlags::IN })
    }
    fn wakes(&self) {
        self.wakes();
    }
}

/// What a thread shares with those who wake it.
struct Bell {
    event: OwnedFd,
    rung: AtomicBool,
    /// The thread is in poll(2), or about to be.
    sleeps: AtomicBool,
    /// It is to end.
    stop: AtomicBool,
    ended: Mutex<bool>,
    end: Condvar,
}

impl Bell {
    fn ring(&self) {
        if !self.rung.swap(true, Ordering::SeqCst) && self.sleeps.load(Ordering::SeqCst) {
            // A full counter wakes as well.
            let _full = rustix::io::write(&self.event, &1u64.to_ne_bytes());
        }
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.ring();
    }
    fn wake_by_ref(self: &Arc<Self>) {
        self.ring();
    }
}

/// What the session waits for, for the thread to wait for; and what that has received meanwhile.
#[derive(Default)]
struct Wanted {
    read: AtomicBool,
    write: AtomicBool,
    ahead: Ahead,
    /// What came last was large: more of it is better received where it is to lie.
    much: AtomicBool,
}

/// The socket as the session sees it: what would block is noted.
pub struct Stream<S> {
    socket: Arc<S>,
    wanted: Arc<Wanted>,
    /// The last read took all that there was: poll(2) says when there is more.
    drained: bool,
}

fn tried<T>(wanted: &AtomicBool, mut attempt: impl FnMut() -> io::Result<T>) -> Poll<io::Result<T>> {
    loop {
        match attempt() {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                wanted.store(true, Ordering::Relaxed);
                return Poll::Pending;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            done => return Poll::Ready(done),
        }
    }
}

impl<S: Socket> AsyncRead for Stream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(read) = self.wanted.ahead.read(buf) {
            self.drained = read?;
            return Poll::Ready(Ok(()));
        }
        if std::mem::take(&mut self.drained) {
            self.wanted.read.store(true, Ordering::Relaxed);
            return Poll::Pending;
        }
        let len = buf.remaining();
        let read = ready!(tried(&self.wanted.read, || self.socket.receive(buf)))?;
        self.drained = 0 < read && read < len;
        self.wanted.much.store(read > ahead::MOST, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }
}

impl<S: Socket> AsyncWrite for Stream<S> {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        tried(&self.wanted.write, || self.socket.send(&[IoSlice::new(data)]))
    }
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        tried(&self.wanted.write, || self.socket.send(parts))
    }
    fn is_write_vectored(&self) -> bool {
        true
    }
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.socket.shut())
    }
}

/// The threads that there may be.
#[derive(Clone)]
pub struct Threads(Arc<Semaphore>);

/// One of them.
pub struct Thread {
    _turn: OwnedSemaphorePermit,
}

impl Threads {
    /// One for each processor.
    pub fn of_machine() -> Threads {
        Threads::new(std::thread::available_parallelism().map_or(1, usize::from))
    }

    pub fn new(most: usize) -> Threads {
        Threads(Arc::new(Semaphore::new(most)))
    }

    /// None where all are taken.
    pub fn take(&self) -> Option<Thread> {
        self.0.clone().try_acquire_owned().ok().map(|turn| Thread { _turn: turn })
    }
}

impl Thread {
    /// Serves `socket`, which does not block, by what `serve` makes of it, on this thread; gives its result. Dropping what is
    /// awaited ends it. None where the system gave no thread, or took it.
    pub async fn serve<S, T, F>(self, socket: S, serve: impl FnOnce(Stream<S>) -> F) -> Option<T>
    where
        S: Socket,
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let bell = Arc::new(Bell {
            event: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).ok()?,
            rung: AtomicBool::new(false),
            sleeps: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            ended: Mutex::new(false),
            end: Condvar::new(),
        });
        let (socket, wanted) = (Arc::new(socket), Arc::new(Wanted::default()));
        let future = serve(Stream { socket: socket.clone(), wanted: wanted.clone(), drained: false });
        let (tell, told) = tokio::sync::oneshot::channel();
        let runtime = tokio::runtime::Handle::current();
        let mut guard = Guard(Some(bell.clone()));
        let spawned = std::thread::Builder::new().name("connection".to_owned()).spawn(move || {
            let _context = runtime.enter();
            let ended = Ended(&bell);
            let result = run(future, &*socket, &wanted, &bell);
            drop(ended);
            drop(self);
            if let Some(result) = result {
                // Nobody is told where the server stops.
                let _untold = tell.send(result);
            }
        });
        spawned.ok()?;
        let result = told.await.ok();
        guard.0 = None;
        result
    }
}

/// Says that the thread is done with the connection, however that came.
struct Ended<'b>(&'b Bell);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        *self.0.ended.lock() = true;
        self.0.end.notify_all();
    }
}

/// Ends the thread where it is not waited for any more.
struct Guard(Option<Arc<Bell>>);

impl Drop for Guard {
    fn drop(&mut self) {
        let Some(bell) = self.0.take() else { return };
        bell.stop.store(true, Ordering::SeqCst);
        bell.ring();
        // What it had open is closed when this is over; one that hangs on a disk is left to itself.
        let mut ended = bell.ended.lock();
        bell.end.wait_while_for(&mut ended, |ended| !*ended, LINGER);
    }
}

/// Runs `future` to its end, or until it is to stop.
fn run<T>(
    future: impl Future<Output = T>,
    socket: &impl Socket,
    wanted: &Wanted,
    bell: &Arc<Bell>,
) -> Option<T> {
    let mut future = pin!(future);
    let waker = Waker::from(bell.clone());
    let mut context = Context::from_waker(&waker);
    let mut patience = Patience::default();
    while !bell.stop.load(Ordering::SeqCst) {
        if let Poll::Ready(result) = future.as_mut().poll(&mut context) {
            return Some(result);
        }
        wait(socket, wanted, bell, &mut patience);
    }
    None
}

/// Waits for the socket, as far as that is wanted, or the bell.
fn wait(socket: &impl Socket, wanted: &Wanted, bell: &Bell, patience: &mut Patience) {
    let mut events = PollFlags::empty();
    events.set(PollFlags::IN, wanted.read.swap(false, Ordering::Relaxed));
    events.set(PollFlags::OUT, wanted.write.swap(false, Ordering::Relaxed));
    if events == PollFlags::IN
        && let Some(_turn) = Turn::take()
    {
        let ahead = (!wanted.much.load(Ordering::Relaxed)).then_some(&wanted.ahead);
        let came = patience.look(|| {
            let there = bell.rung.load(Ordering::SeqCst) || socket.has_come(ahead);
            there.then_some(())
        });
        if came.is_some() {
            bell.rung.store(false, Ordering::SeqCst);
            return;
        }
    }
    bell.sleeps.store(true, Ordering::SeqCst);
    if !bell.rung.load(Ordering::SeqCst)
        && let Some(events) = socket.sleeps(events)
    {
        let mut both = [PollFd::new(socket, events), PollFd::new(&bell.event, PollFlags::IN)];
        // Interrupted, it looks again.
        let _interrupted = poll(&mut both, None);
        if !both[0].revents().is_empty() {
            socket.wakes();
        }
        if !both[1].revents().is_empty() {
            let _empty = rustix::io::read(&bell.event, &mut [0; 8]);
        }
    }
    bell.sleeps.store(false, Ordering::SeqCst);
    bell.rung.store(false, Ordering::SeqCst);
}

#[cfg(test)]
mod tests;
