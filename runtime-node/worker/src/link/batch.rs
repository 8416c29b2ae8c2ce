//! Several requests in one write, and waiting for their answers: blocked, or in a runtime.
//!
//! Operations on files are written once, as futures. [`now`] runs such a future on the spot: whatever it waits for, it
//! waits for blocked. So `readFileSync` and `readFile` share every line, and a blocked one needs no runtime.

use super::{DIALECT, Link, Wait};
use nine::wire::{DotlError, Rmessage, Tag, Tmessage};
use std::cell::Cell;
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Wake, Waker};

thread_local! {
    static IS_BLOCKED: Cell<bool> = const { Cell::new(false) };
}

/// Runs an operation to its end on this thread.
pub fn now<F: Future>(operation: F) -> F::Output {
    struct Unblocked(bool);
    impl Drop for Unblocked {
        fn drop(&mut self) {
            IS_BLOCKED.set(self.0);
        }
    }
    let _unblocked = Unblocked(IS_BLOCKED.replace(true));
    let mut operation = pin!(operation);
    if let Poll::Ready(output) = operation.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        return output;
    }
    // Beside answers, which block, there is one thing to wait for: Deno looks for the exports of a CommonJS module in
    // another thread.
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    loop {
        match operation.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::park(),
        }
    }
}

struct Unpark(std::thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Requests that have not been sent.
pub struct Batch {
    link: Arc<Link>,
    frames: Vec<u8>,
    tags: Vec<Tag>,
    fault: Option<io::Error>,
}

/// A whole reply.
pub struct Frame(Vec<u8>);

impl Frame {
    /// What it says.
    ///
    /// # Errors
    /// The errno of an Rlerror; a reply that is none.
    pub fn reply(&self) -> io::Result<Rmessage<'_>> {
        match Rmessage::decode(DIALECT, &self.0).map_err(io::Error::other)?.1 {
            Rmessage::Lerror { ecode: DotlError(errno) } => Err(io::Error::from_raw_os_error(errno as i32)),
            reply => Ok(reply),
        }
    }

    /// That it says the request was done.
    ///
    /// # Errors
    /// As for [`Frame::reply`].
    pub fn done(&self) -> io::Result<()> {
        self.reply().map(drop)
    }
}

/// A reply of another kind than the request's.
pub fn unexpected(reply: &Rmessage<'_>) -> io::Error {
    io::Error::other(format!("unexpected {}", reply.name()))
}

impl Link {
    /// Nothing to send yet.
    pub fn batch(self: &Arc<Link>) -> Batch {
        Batch { link: self.clone(), frames: Vec::new(), tags: Vec::new(), fault: None }
    }

    /// Sends a request whose answer is of no interest.
    pub fn tell(&self, request: &Tmessage<'_>) {
        let Some(tag) = self.lock().slots.forget() else { return };
        let mut frame = Vec::new();
        if request.encode(DIALECT, tag, &mut frame).is_ok() {
            // A server that is gone is noticed by who reads.
            let _ = self.write(&frame);
        }
    }

    /// Sends it with whatever is sent next.
    pub fn tell_later(&self, request: &Tmessage<'_>) {
        let Some(tag) = self.lock().slots.forget() else { return };
        let mut late = self.late.lock().expect("no holder of the lock panics");
        request.encode(DIALECT, tag, &mut *late).expect("a clunk has no names");
    }

    /// One request and its answer.
    ///
    /// # Errors
    /// Those of the connection.
    pub async fn ask(self: &Arc<Link>, request: &Tmessage<'_>) -> io::Result<Frame> {
        let mut batch = self.batch();
        batch.push(request);
        let mut answers = batch.send()?.await;
        answers.pop().ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }
}

impl Batch {
    pub fn link(&self) -> &Link {
        &self.link
    }

    /// How many requests it has.
    pub fn len(&self) -> usize {
        self.tags.len()
    }

    /// Adds a request; its answer comes at the same place.
    pub fn push(&mut self, request: &Tmessage<'_>) {
        let Some(tag) = self.link.lock().slots.wait() else {
            self.fault = Some(io::Error::from_raw_os_error(libc::EAGAIN));
            return;
        };
        self.tags.push(tag);
        if let Err(e) = request.encode(DIALECT, tag, &mut self.frames) {
            // The only fault that a caller can make: a name longer than any may be.
            self.fault.get_or_insert(match e {
                nine::wire::EncodeError::StringTooLong { .. } => {
                    io::Error::from_raw_os_error(libc::ENAMETOOLONG)
                }
                other => io::Error::other(other),
            });
        }
    }

    /// Sends them all.
    ///
    /// # Errors
    /// A request that no frame can hold; then none is sent. Those of the socket.
    pub fn send(mut self) -> io::Result<Sent> {
        let tags = std::mem::take(&mut self.tags);
        if let Some(fault) = self.fault.take() {
            let mut state = self.link.lock();
            for tag in tags {
                state.slots.cancel(tag);
            }
            return Err(fault);
        }
        let mut late = std::mem::take(&mut *self.link.late.lock().expect("no holder of the lock panics"));
        if late.is_empty() {
            self.link.write(&self.frames)?;
        } else {
            late.extend_from_slice(&self.frames);
            self.link.write(&late)?;
        }
        self.link.trips.fetch_add(1, Ordering::Relaxed);
        Ok(Sent { link: self.link.clone(), tags })
    }
}

/// Requests in flight; awaiting gives their answers in order, dropping flushes them.
pub struct Sent {
    link: Arc<Link>,
    tags: Vec<Tag>,
}

impl Sent {
    fn take(&mut self, slots: &mut super::Slots) -> Vec<Frame> {
        self.tags.drain(..).map(|tag| Frame(slots.take(tag).expect("every one is answered"))).collect()
    }

    fn block(&mut self) -> Vec<Frame> {
        let link = self.link.clone();
        loop {
            let mut state = link.lock();
            if state.slots.are_answered(&self.tags, None) {
                return self.take(&mut state.slots);
            }
            if state.is_led {
                state.followers += 1;
                let mut state = link.turn.wait(state).expect("no holder of the lock panics");
                state.followers -= 1;
            } else {
                drop(state);
                if link.lead(Wait::UntilSomething).is_err() {
                    // Bytes that are no frame: there is nobody to talk to any more.
                    std::process::exit(crate::status::SERVER_GONE);
                }
            }
        }
    }
}

impl Sent {
    /// The answers if they are there; else the waker is told of them. For who may be called while something else waits blocked.
    pub fn look(&mut self, cx: &mut Context<'_>) -> Poll<Vec<Frame>> {
        let link = self.link.clone();
        let mut state = link.lock();
        if state.slots.are_answered(&self.tags, Some(cx.waker())) {
            return Poll::Ready(self.take(&mut state.slots));
        }
        Poll::Pending
    }

    /// Takes the requests back: gives those answers that came nevertheless.
    ///
    /// # Errors
    /// Those of the connection.
    pub async fn withdraw(mut self) -> io::Result<Vec<Frame>> {
        let tags = std::mem::take(&mut self.tags);
        let mut flushes = self.link.batch();
        for tag in &tags {
            flushes.push(&Tmessage::Flush { oldtag: *tag });
        }
        // Behind the answer to its flush none to a request comes.
        flushes.send()?.await;
        let mut state = self.link.lock();
        Ok(tags.into_iter().filter_map(|tag| state.slots.take(tag)).map(Frame).collect())
    }
}

impl Future for Sent {
    type Output = Vec<Frame>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Vec<Frame>> {
        if IS_BLOCKED.get() { Poll::Ready(self.block()) } else { self.look(cx) }
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        for tag in std::mem::take(&mut self.tags) {
            let flush = self.link.lock().slots.abandon(tag);
            let mut frame = Vec::new();
            if let Some(flush) = flush
                && (Tmessage::Flush { oldtag: tag }).encode(DIALECT, flush, &mut frame).is_ok()
            {
                let _ = self.link.write(&frame);
            }
        }
    }
}
