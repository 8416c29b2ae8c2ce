//! A client's requests in flight: tags and fids given out, replies matched, what is abandoned flushed.
//!
//! A request that is dropped before its answer is flushed: its tag stays taken until Rflush, for only then will no
//! late answer come for it (flush(5)). If it made a fid all the same, that is clunked.

use std::collections::HashMap;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::{Arc, OnceLock, Weak};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::task::AtomicWaker;
use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};

use super::error::ClientError;
use super::mover::WriteNow;
use crate::patience::Arrivals;
use crate::wire::{Dialect, Fid, Rmessage, Tag, Tmessage};

/// What happens when the answer to a tag comes.
enum Asked {
    /// Somebody waits for it.
    Call { answer: oneshot::Sender<Result<Bytes, ClientError>> },
    /// Somebody did; `made` is the fid that it would have made, `answered` says that the answer came.
    Abandoned { made: Option<Fid>, answered: bool },
    /// The flush of an abandoned request.
    Flush { of: Tag },
    /// A clunk: whatever the answer, the fid can be used again.
    Clunk { fid: Fid, answer: Option<oneshot::Sender<Result<Bytes, ClientError>>> },
}

#[derive(Default)]
struct State {
    /// Requests that have not been written.
    out: Vec<u8>,
    asked: HashMap<Tag, Asked>,
    free_tags: Vec<Tag>,
    next_tag: u16,
    free_fids: Vec<Fid>,
    next_fid: u32,
    /// Why nothing can be asked any more.
    ended: Option<ClientError>,
}

/// What all handles of a connection share with the task that moves its bytes.
pub(super) struct Link {
    state: Mutex<State>,
    pub(super) dialect: Dialect,
    pub(super) msize: u32,
    /// Wakes the task when there is something to write.
    pub(super) mover: AtomicWaker,
    /// Writes without waking it.
    writer: OnceLock<Weak<dyn WriteNow>>,
    /// Wakes those who wait for the end.
    over: Notify,
    /// Who is told of what comes.
    arrivals: OnceLock<Arc<Arrivals>>,
}

/// Requests in flight up to which one is written at once; more are better written together.
const FEW: usize = 2;

impl State {
    fn take_tag(&mut self) -> Result<Tag, ClientError> {
        if let Some(tag) = self.free_tags.pop() {
            return Ok(tag);
        }
        if self.next_tag == Tag::NONE.0 {
            return Err(ClientError::Busy);
        }
        self.next_tag += 1;
        Ok(Tag(self.next_tag - 1))
    }

    fn ask(&mut self, dialect: Dialect, message: &Tmessage<'_>, asked: Asked) -> Result<Tag, ClientError> {
        if let Some(ended) = &self.ended {
            return Err(ended.clone());
        }
        let tag = self.take_tag()?;
        if let Err(fault) = message.encode(dialect, tag, &mut self.out) {
            self.free_tags.push(tag);
            return Err(fault.into());
        }
        tracing::trace!(target: "nine::trace", "<- {}", message.with_tag(tag));
        self.asked.insert(tag, asked);
        Ok(tag)
    }

    fn clunk(&mut self, dialect: Dialect, fid: Fid) {
        let asked = Asked::Clunk { fid, answer: None };
        if self.ask(dialect, &Tmessage::Clunk { fid }, asked).is_err() {
            // Without a tag to say so, the fid stays with the server until the connection ends.
            tracing::debug!(%fid, "could not be clunked");
        }
    }
}

impl Link {
    pub(super) fn new(dialect: Dialect, msize: u32) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::default(),
            dialect,
            msize,
            mover: AtomicWaker::new(),
            writer: OnceLock::new(),
            over: Notify::new(),
            arrivals: OnceLock::new(),
        })
    }

    /// Who is told of what comes: the first that is named.
    pub(super) fn tell_arrivals(&self, arrivals: Arc<Arrivals>) {
        let _others_know_already = self.arrivals.set(arrivals);
    }

    /// Something has come.
    pub(super) fn has_come(&self) {
        if let Some(arrivals) = self.arrivals.get() {
            arrivals.tell();
        }
    }

    /// Who can write on the spot.
    pub(super) fn set_writer(&self, writer: Weak<dyn WriteNow>) {
        // There is one for each connection, set once where it is made.
        let _first = self.writer.set(writer);
    }

    /// Sees to it that what is queued is written.
    fn write(&self, few: bool) {
        let writer = if few { self.writer.get().and_then(Weak::upgrade) } else { None };
        if !writer.is_some_and(|writer| writer.write_now()) {
            self.mover.wake();
        }
    }

    /// A fid that nobody uses.
    pub(super) fn take_fid(&self) -> Fid {
        let mut state = self.state.lock();
        state.free_fids.pop().unwrap_or_else(|| {
            state.next_fid += 1;
            Fid(state.next_fid - 1)
        })
    }

    /// A fid that the server does not know (any more).
    pub(super) fn give_fid(&self, fid: Fid) {
        self.state.lock().free_fids.push(fid);
    }

    /// Sends a request. `made` is the fid that it makes if it succeeds.
    pub(super) fn call(
        self: &Arc<Self>,
        message: &Tmessage<'_>,
        made: Option<Fid>,
    ) -> Result<Call, ClientError> {
        let (call, few) = self.queue(message, made)?;
        self.write(few);
        Ok(call)
    }

    /// Queues a request that is sent with the next one. Says too whether few are in flight.
    pub(super) fn queue(
        self: &Arc<Self>,
        message: &Tmessage<'_>,
        made: Option<Fid>,
    ) -> Result<(Call, bool), ClientError> {
        let (answer, answered) = oneshot::channel();
        let mut state = self.state.lock();
        let tag = state.ask(self.dialect, message, Asked::Call { answer })?;
        let call = Call { link: self.clone(), tag: Some(tag), made, answered, asked: message.name() };
        Ok((call, state.asked.len() <= FEW))
    }

    /// Sends a request that ends a fid (Tclunk, Tremove), and what was queued before it. It is not flushed when it
    /// is dropped.
    pub(super) fn call_ending(
        self: &Arc<Self>,
        message: &Tmessage<'_>,
        fid: Fid,
    ) -> Result<Call, ClientError> {
        let (answer, answered) = oneshot::channel();
        let asked = Asked::Clunk { fid, answer: Some(answer) };
        let mut state = self.state.lock();
        let asked = state.ask(self.dialect, message, asked);
        // Three more may have been queued to go with it.
        let few = state.asked.len() <= FEW + 3;
        drop(state);
        self.write(few);
        asked?;
        Ok(Call { link: self.clone(), tag: None, made: None, answered, asked: message.name() })
    }

    /// Clunks a fid, or removes its file, without waiting.
    pub(super) fn end_fid(&self, fid: Fid, remove: bool) {
        let mut state = self.state.lock();
        if !remove
            || state.ask(self.dialect, &Tmessage::Remove { fid }, Asked::Clunk { fid, answer: None }).is_err()
        {
            state.clunk(self.dialect, fid);
        }
        drop(state);
        self.mover.wake();
    }

    /// Sends a request whose answer nobody waits for.
    pub(super) fn tell(&self, message: &Tmessage<'_>) {
        let (answer, _nobody_waits) = oneshot::channel();
        if let Err(error) = self.state.lock().ask(self.dialect, message, Asked::Call { answer }) {
            tracing::debug!("{} could not be sent: {error}", message.name());
        }
        self.mover.wake();
    }

    /// Done when the connection is over; says why.
    pub(super) async fn ended(self: Arc<Self>) -> ClientError {
        loop {
            let mut over = pin!(self.over.notified());
            // From here on the end is not missed.
            over.as_mut().enable();
            if let Some(why) = self.state.lock().ended.clone() {
                return why;
            }
            over.await;
        }
    }

    /// What is to be written, in exchange for an empty buffer.
    pub(super) fn take_out(&self, empty: &mut Vec<u8>) {
        std::mem::swap(&mut self.state.lock().out, empty);
    }

    /// A reply has come.
    pub(super) fn answered(&self, frame: Bytes) -> Result<(), ClientError> {
        let tag = Tag(u16::from_le_bytes([frame[5], frame[6]]));
        let mut state = self.state.lock();
        let Some(asked) = state.asked.remove(&tag) else {
            tracing::debug!(%tag, "a reply that nobody asked for");
            return Ok(());
        };
        match asked {
            Asked::Call { answer } => {
                state.free_tags.push(tag);
                // If the receiver has just gone, its drop sees that the answer was sent: see Call's.
                let _gone = answer.send(Ok(frame));
            }
            Asked::Abandoned { made, answered: _ } => {
                state.asked.insert(tag, Asked::Abandoned { made, answered: true });
            }
            Asked::Flush { of } => {
                state.free_tags.push(tag);
                if let Some(Asked::Abandoned { made, answered }) = state.asked.remove(&of) {
                    state.free_tags.push(of);
                    match made {
                        Some(fid) if answered => {
                            state.clunk(self.dialect, fid);
                            self.mover.wake();
                        }
                        Some(fid) => state.free_fids.push(fid),
                        None => {}
                    }
                }
            }
            Asked::Clunk { fid, answer } => {
                state.free_tags.push(tag);
                state.free_fids.push(fid);
                if let Some(answer) = answer {
                    let _nobody_waits = answer.send(Ok(frame));
                }
            }
        }
        Ok(())
    }

    /// The connection is over: everybody who waits is told why.
    pub(super) fn end(&self, why: &ClientError) {
        let mut state = self.state.lock();
        state.ended.get_or_insert_with(|| why.clone());
        for (_, asked) in state.asked.drain() {
            if let Asked::Call { answer } | Asked::Clunk { answer: Some(answer), .. } = asked {
                let _nobody_waits = answer.send(Err(why.clone()));
            }
        }
        drop(state);
        self.over.notify_waiters();
    }

    fn abandon(&self, call: &mut Call, tag: Tag) {
        let mut state = self.state.lock();
        if state.ended.is_some() {
            return;
        }
        if let Ok(answer) = call.answered.try_recv() {
            // It came, unseen: its tag is free already.
            if let (Ok(_), Some(fid)) = (answer, call.made) {
                state.clunk(self.dialect, fid);
                self.mover.wake();
            }
            return;
        }
        state.asked.insert(tag, Asked::Abandoned { made: call.made, answered: false });
        if state.ask(self.dialect, &Tmessage::Flush { oldtag: tag }, Asked::Flush { of: tag }).is_err() {
            // All tags are taken: this one stays so, which a later answer does not change.
            tracing::debug!(%tag, "could not be flushed");
        }
        self.mover.wake();
    }
}

/// A request in flight. Dropping it flushes it.
pub(super) struct Call {
    link: Arc<Link>,
    /// `None` once the answer is seen, and for what is not to be flushed.
    tag: Option<Tag>,
    made: Option<Fid>,
    answered: oneshot::Receiver<Result<Bytes, ClientError>>,
    asked: &'static str,
}

impl Future for Call {
    type Output = Result<Reply, ClientError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Poll::Ready(answer) = Pin::new(&mut self.answered).poll(cx) else { return Poll::Pending };
        self.tag = None;
        let frame = answer.unwrap_or(Err(ClientError::Closed))?;
        Poll::Ready(Ok(Reply { frame, dialect: self.link.dialect, asked: self.asked }))
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if let Some(tag) = self.tag.take() {
            let link = self.link.clone();
            link.abandon(self, tag);
        }
    }
}

/// A reply's frame.
pub(super) struct Reply {
    frame: Bytes,
    dialect: Dialect,
    asked: &'static str,
}

impl Reply {
    /// The reply, unless it says that the request was refused.
    pub(super) fn message(&self) -> Result<Rmessage<'_>, ClientError> {
        let (tag, message) = Rmessage::decode(self.dialect, &self.frame)?;
        tracing::trace!(target: "nine::trace", "-> {}", message.with_tag(tag));
        ClientError::refusal(&message).map_or(Ok(message), Err)
    }

    /// The part of the frame that `slice`, which the message borrowed from it, is; without copying.
    pub(super) fn share(&self, slice: &[u8]) -> Bytes {
        self.frame.slice_ref(slice)
    }

    pub(super) fn unexpected(&self, message: &Rmessage<'_>) -> ClientError {
        ClientError::Unexpected { asked: self.asked, answered: message.name() }
    }
}
