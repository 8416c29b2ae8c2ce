//! The session: what a connection has agreed on, and the road of a request through it, without any I/O.
//!
//! A frame is decoded; its tag and its place among the unfinished requests are checked; the operation is called;
//! its answer is encoded at once, or when its future is done. The operations themselves are in [`super::ops`].

use std::fmt;
use std::future::Future;
use std::ops::Range;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use thiserror::Error;
use tracing::{Span, debug, trace, trace_span};

use super::answer::Error;
use super::config::Config;
use super::fid::{FidEntry, Fids};
use super::files::{FileServer, HeldLock, Listing};
use super::flight::{Claims, Flights, Landed, Turn};
use super::held::{Called, Lent};
use super::input::Input;
use super::linux::Linux;
use super::observed::{Observed, Way};
use super::ops;
use super::output::{Output, Segment};
use crate::wire::{
    Data, DecodeError, Dialect, DotlError, EncodeError, Extension, Fid, LockedRange, Msize, Name, OwnedStat,
    READ_OVERHEAD, Rmessage, Tag, Tmessage, UnixErrno,
};

/// What a peer is thrown out for.
#[derive(Debug, Error)]
pub enum Fault {
    /// It sent what is no message.
    #[error(transparent)]
    Frame(#[from] DecodeError),
    /// It did not begin with Tversion.
    #[error("{0} before Tversion")]
    NoVersion(&'static str),
    /// It did not say Tversion in time.
    #[error("no Tversion within {0:?}")]
    NoHandshake(Duration),
    /// It began a frame and did not send the rest in time.
    #[error("the rest of a frame did not come within {0:?}")]
    HalfFrame(Duration),
    /// It took none of its replies for too long.
    #[error("replies were not read for {0:?}")]
    Unread(Duration),
    /// It asked nothing for too long.
    #[error("nothing was asked for {0:?}")]
    Idle(Duration),
}

/// What a request comes to, before it is encoded.
pub(super) struct Done<F: FileServer> {
    pub(super) body: Body,
    pub(super) change: Change<F>,
}

/// A reply that owns what it says.
pub(super) enum Body {
    Message(Rmessage<'static>),
    Readlink(Vec<u8>),
    Getlock(HeldLock),
    Stat(OwnedStat),
    Entries(Lent<Listing>),
    /// A read's data in the frame that is to carry it: so many bytes, in a segment of its own.
    Data(Segment, usize),
    Bytes(Vec<u8>),
}

/// What a request does to the fids.
pub(super) enum Change<F: FileServer> {
    Nothing,
    Bind(Fid, Arc<FidEntry<F>>),
}

impl<F: FileServer> Done<F> {
    pub(super) fn message(message: Rmessage<'static>) -> Self {
        Body::Message(message).into()
    }

    pub(super) fn binding(message: Rmessage<'static>, fid: Fid, entry: Arc<FidEntry<F>>) -> Self {
        Self { body: Body::Message(message), change: Change::Bind(fid, entry) }
    }
}

impl<F: FileServer> From<Body> for Done<F> {
    fn from(body: Body) -> Self {
        Self { body, change: Change::Nothing }
    }
}

pub(super) type Outcome<F> = Result<Done<F>, Error>;

/// A request on its way: which, and where it stands.
#[derive(Clone)]
pub(super) struct Request {
    pub(super) tag: Tag,
    turn: Turn,
    claims: Claims,
    span: Span,
}

pub(super) struct Session<F: FileServer> {
    pub(super) files: Arc<F>,
    pub(super) context: Arc<F::Context>,
    pub(super) config: Config,
    /// Not known before Tversion.
    agreed: Option<Dialect>,
    msize: Msize,
    linux: Linux,
    pub(super) fids: Fids<F>,
    flights: Flights<Outcome<F>>,
    pub(super) out: Output,
    /// A listing that no request uses.
    pub(super) listing: Option<Lent<Listing>>,
    /// Files opened with ORCLOSE whose fids nobody clunked: the connection's end is their clunk.
    pub(super) to_remove: Vec<F::Node>,
    pub(super) observed: Arc<Observed>,
    /// When the requests came that are being taken, and how many of them were answered at once.
    arrival: Instant,
    at_once: u64,
    /// Tags of requests that are not shown to those who watch, and so neither are their answers.
    unshown: Vec<Tag>,
    /// What [`Config::shared`] has been told that this connection keeps.
    kept: usize,
}

impl<F: FileServer> Session<F> {
    pub(super) fn new(
        files: Arc<F>,
        context: Arc<F::Context>,
        config: Config,
        observed: Arc<Observed>,
    ) -> Self {
        let msize = Msize(config.msize.0.clamp(Config::MIN_MSIZE, Config::MAX_MSIZE));
        Self {
            files,
            context,
            agreed: None,
            msize,
            linux: Linux::default(),
            fids: Fids::new(config.fids),
            flights: Flights::new(),
            out: Output::default(),
            listing: None,
            to_remove: Vec::new(),
            observed,
            arrival: Instant::now(),
            at_once: 0,
            unshown: Vec::new(),
            kept: 0,
            config,
        }
    }

    /// The largest frame.
    pub(super) fn msize(&self) -> u32 {
        self.msize.0
    }

    pub(super) fn dialect(&self) -> Dialect {
        self.agreed.unwrap_or(Dialect::P9P2000)
    }

    /// Whether the client is Linux's own.
    pub(super) fn is_linux(&self) -> bool {
        self.linux == Linux::Yes
    }

    /// Whether another request may be taken.
    pub(super) fn accepts(&self) -> bool {
        let queued = self.out.queued();
        queued == 0 || (queued < self.config.unread && self.may_keep(self.flights.pinned() + queued))
    }

    /// Whether all connections together leave room for this one to keep so many bytes.
    fn may_keep(&self, bytes: usize) -> bool {
        self.config.shared.as_ref().is_none_or(|shared| shared.allow(self.kept, bytes))
    }

    /// Tells the others what this connection keeps.
    pub(super) fn account(&mut self) {
        let Some(shared) = &self.config.shared else { return };
        let now = self.flights.pinned() + self.out.queued();
        if now != self.kept {
            shared.change(self.kept, now);
            self.kept = now;
        }
    }

    pub(super) fn has_version(&self) -> bool {
        self.agreed.is_some()
    }

    /// Whether a request has not been answered.
    pub(super) fn has_pending(&self) -> bool {
        !self.flights.is_empty()
    }

    /// The most data that a reply holds.
    pub(super) fn data_limit(&self) -> usize {
        self.msize.0 as usize - READ_OVERHEAD
    }

    /// The connection has ended: cancels and clunks everything.
    pub(super) fn end(&mut self) {
        self.flights.clear();
        self.to_remove.extend(self.fids.clear());
    }

    /// So many bytes came, with requests that are to be taken now.
    pub(super) fn arrived(&mut self, bytes: usize) {
        self.observed.received(bytes);
        self.arrival = Instant::now();
    }

    /// Counts the answers to requests that were taken together: one look at the clock is enough for all.
    pub(super) fn count_answers(&mut self) {
        if self.at_once > 0 {
            self.observed.answered(std::mem::take(&mut self.at_once), self.arrival.elapsed());
        }
    }

    /// Says what the connection holds now.
    pub(super) fn count_held(&self) {
        self.observed.sent(self.out.written());
        let buffered = self.flights.pinned() + self.out.queued();
        self.observed.holds(self.fids.len(), self.flights.len(), buffered);
    }

    fn show_request(&mut self, tag: Tag, message: &Tmessage<'_>) {
        trace!(target: "nine::trace", "{} {}", Way::In, message.with_tag(tag));
        if !self.observed.is_watched() {
            return;
        }
        let shows = |fid: &Fid| {
            let entry = self.fids.get(*fid).ok();
            entry.and_then(|entry| entry.file()).is_some_and(|file| self.files.shows_messages(file))
        };
        let unshown = match message {
            Tmessage::Read { fid, .. } => shows(fid),
            Tmessage::Flush { oldtag } => self.unshown.contains(oldtag),
            _ => false,
        };
        self.unshown.retain(|other| *other != tag);
        if unshown {
            self.unshown.push(tag);
        } else {
            self.observed.say(Way::In, format_args!("{}", message.with_tag(tag)));
        }
    }

    fn show_answer(&mut self, tag: Tag, words: fmt::Arguments<'_>) {
        trace!(target: "nine::trace", "{} {words}", Way::Out);
        if !self.observed.is_watched() {
            // What was not shown while somebody watched is over, or will be told from its request.
            self.unshown.clear();
        } else if let Some(at) = self.unshown.iter().position(|unshown| *unshown == tag) {
            self.unshown.swap_remove(at);
        } else {
            self.observed.say(Way::Out, words);
        }
    }

    /// Takes one frame.
    pub(super) fn request(
        &mut self,
        cx: &mut Context<'_>,
        frame: &Arc<Input>,
        part: Range<usize>,
    ) -> Result<(), Fault> {
        let bytes = &frame.bytes()[part.clone()];
        let (tag, message) = match Tmessage::decode(self.dialect(), bytes) {
            Ok(decoded) => decoded,
            Err(fault) => return self.undecodable(fault, bytes),
        };
        self.observed.requested(bytes[4]);
        self.show_request(tag, &message);
        match message {
            Tmessage::Version { msize, version } => {
                self.version(tag, msize, version);
                return Ok(());
            }
            _ if self.agreed.is_none() => {
                self.error(tag, &Error::new(71, "Tversion must come first"));
                return Err(Fault::NoVersion(message.name()));
            }
            Tmessage::Flush { oldtag } => {
                self.flush(cx, tag, oldtag);
                return Ok(());
            }
            _ if self.linux.is_open() => self.linux.note(tag, &message),
            _ => {}
        }
        if !self.flights.is_empty() && self.flights.has_tag(tag) {
            self.error(tag, &Error::new(22, "tag is in use by a request that has not been answered"));
            return Ok(());
        }
        let claims = ops::claims(&message, &self.fids);
        if !self.flights.is_empty() {
            if let Tmessage::Clunk { fid } | Tmessage::Remove { fid } = message {
                self.interrupt(cx, fid);
            }
            let shared = claims.iter().flatten().any(|claim| self.fids.is_claimed(claim.fid));
            if shared && self.flights.blocked(&claims, None) {
                self.wait(tag, claims, bytes, frame, part);
                return Ok(());
            }
        }
        self.at_once += 1;
        let turn = Turn { serial: None, since: self.arrival };
        self.start(cx, tag, turn, claims, message, frame);
        Ok(())
    }

    /// Whether a request can be taken as it comes: none is under way, and nobody looks at what it says.
    pub(super) fn is_quiet(&self) -> bool {
        let shown =
            self.observed.is_watched() || tracing::enabled!(target: "nine::trace", tracing::Level::TRACE);
        self.agreed.is_some() && self.flights.is_empty() && !self.linux.is_open() && !shown
    }

    /// Takes a request whose frame was never one, where all [is quiet](Self::is_quiet).
    pub(super) fn request_at_once(
        &mut self,
        tag: Tag,
        kind: u8,
        message: &Tmessage<'_>,
        perform: impl FnOnce(&mut Self, Request) -> Result<(), Error>,
    ) {
        self.observed.requested(kind);
        self.at_once += 1;
        let claims = ops::claims(message, &self.fids);
        let request =
            Request { tag, turn: Turn { serial: None, since: self.arrival }, claims, span: Span::none() };
        if let Err(error) = perform(self, request) {
            self.error(tag, &error);
        }
    }

    /// What cannot be decoded is answered, if there is anything to answer, and ends the connection; except for
    /// requests that another dialect or a later one has, which clients try to see whether they are there.
    fn undecodable(&mut self, fault: DecodeError, bytes: &[u8]) -> Result<(), Fault> {
        let tag = Tag(u16::from_le_bytes([bytes[5], bytes[6]]));
        match fault {
            DecodeError::NotInDialect { .. } | DecodeError::UnknownType { .. } if self.agreed.is_some() => {
                debug!(%fault, "refused");
                self.error(tag, &Error::NOT_SUPPORTED);
                Ok(())
            }
            DecodeError::NotInDialect { message, .. } => Err(Fault::NoVersion(message)),
            fault => {
                // EPROTO.
                self.error(tag, &Error::new(71, fault.to_string()));
                Err(fault.into())
            }
        }
    }

    /// version(5): ends whatever went before, and agrees on a dialect and a frame size.
    fn version(&mut self, tag: Tag, msize: Msize, version: Name<'_>) {
        self.end();
        let ours = Msize(self.config.msize.0.clamp(Config::MIN_MSIZE, Config::MAX_MSIZE));
        let dialect = Dialect::for_version(version.0).filter(|_| msize.0 >= Config::MIN_MSIZE);
        self.agreed = dialect;
        self.linux = Linux::default();
        self.msize = if dialect.is_some() { msize.min(ours) } else { ours };
        debug!(client = %msize, msize = %self.msize, wanted = %version, dialect = dialect.map(Dialect::version));
        // A client whose frames are too small to be of use is told so in the only way that version(5) has.
        let version = Name(dialect.map_or("unknown", Dialect::version).as_bytes());
        let msize = msize.min(self.msize);
        self.send(tag, &Rmessage::Version { msize, version });
    }

    /// flush(5): the old request is dropped, if it is still there, and this is answered after its answer.
    fn flush(&mut self, cx: &mut Context<'_>, tag: Tag, oldtag: Tag) {
        if let Some(old) = self.flights.serial_of(oldtag)
            && let Some(landed) = self.flights.end(old)
        {
            self.release(&landed);
        }
        self.send(tag, &Rmessage::Flush {});
        self.next_turns(cx);
    }

    /// Ends the reads that wait on a stream which is about to be clunked.
    fn interrupt(&mut self, cx: &mut Context<'_>, fid: Fid) {
        if !self.fids.is_claimed(fid) {
            return;
        }
        for serial in self.flights.interruptible(fid) {
            if let Some(landed) = self.flights.end(serial) {
                self.release(&landed);
                self.error(landed.tag, &Error::INTERRUPTED);
            }
        }
        self.next_turns(cx);
    }

    fn wait(&mut self, tag: Tag, claims: Claims, bytes: &[u8], frame: &Arc<Input>, part: Range<usize>) {
        /// Frames up to this are copied, so that they do not keep a whole buffer.
        const SMALL: usize = 4 << 10;
        if self.too_busy(bytes.len()) {
            self.error(tag, &Error::TOO_BUSY);
            return;
        }
        for claim in claims.iter().flatten() {
            self.fids.claim(claim.fid);
        }
        if bytes.len() <= SMALL {
            self.flights.wait(tag, claims, self.arrival, Input::copy_of(bytes), 0..bytes.len());
        } else {
            self.flights.wait(tag, claims, self.arrival, frame.clone(), part);
        }
    }

    fn too_busy(&self, bytes: usize) -> bool {
        let pinned = self.flights.pinned();
        self.flights.len() >= self.config.in_flight
            || pinned + bytes > self.config.buffered
            || !self.may_keep(pinned + bytes)
    }

    fn start(
        &mut self,
        cx: &mut Context<'_>,
        tag: Tag,
        turn: Turn,
        claims: Claims,
        message: Tmessage<'_>,
        frame: &Arc<Input>,
    ) {
        let fid = claims[0].map(|claim| claim.fid);
        let span = trace_span!("9p", message = message.name(), %tag, fid = fid.map(|fid| fid.0));
        let request = Request { tag, turn, claims, span };
        // A clone of a disabled span is nothing; the guard borrows it while the request moves on.
        let span = request.span.clone();
        let _entered = span.enter();
        ops::perform(self, cx, request, message, frame);
    }

    /// Requests that waited for what has ended.
    fn next_turns(&mut self, cx: &mut Context<'_>) {
        while let Some((serial, landed, frame, part)) = self.flights.next_turn() {
            self.release(&landed);
            let bytes = &frame.bytes()[part];
            let (tag, message) = match Tmessage::decode(self.dialect(), bytes) {
                Ok(decoded) => decoded,
                Err(fault) => {
                    // It could be decoded when it came, and a Tversion would have dropped it.
                    self.error(landed.tag, &Error::new(71, fault.to_string()));
                    continue;
                }
            };
            // What it names may be another kind of file by now.
            let claims = ops::claims(&message, &self.fids);
            let turn = Turn { serial: Some(serial), since: landed.since };
            self.start(cx, tag, turn, claims, message, &frame);
            if !self.flights.has_tag(tag) && !landed.awaited() {
                self.observed.answered(1, landed.since.elapsed());
            }
        }
    }

    fn release(&mut self, landed: &Landed) {
        for claim in landed.claims.iter().flatten() {
            self.fids.release(claim.fid);
        }
    }

    /// Polls what is pending, and sends the answers that are there.
    pub(super) fn poll_done(&mut self, cx: &mut Context<'_>) {
        while let Poll::Ready((serial, outcome)) = self.flights.poll_done(cx) {
            let Some(landed) = self.flights.end(serial) else { continue };
            self.release(&landed);
            self.reply(landed.tag, outcome);
            if !landed.awaited() {
                self.observed.answered(1, landed.since.elapsed());
            }
            self.next_turns(cx);
        }
    }

    /// Answers a request with what an operation gave, now or when it is there.
    pub(super) fn answer<T: Send + 'static, K: Send + 'static>(
        &mut self,
        request: Request,
        pinned: usize,
        called: Called<T, K>,
        finish: impl FnOnce(T) -> Outcome<F> + Send + 'static,
    ) {
        match called {
            Called::Now(result) => self.reply(request.tag, result.and_then(finish)),
            Called::Later(held) => {
                let work = async move { held.await.0.and_then(finish) };
                self.pend(request, pinned, work);
            }
        }
    }

    /// Answers a request with what a future gives, which has not been polled.
    pub(super) fn run(
        &mut self,
        cx: &mut Context<'_>,
        request: Request,
        pinned: usize,
        work: impl Future<Output = Outcome<F>> + Send + 'static,
    ) {
        let mut work = Box::pin(work);
        match work.as_mut().poll(cx) {
            Poll::Ready(outcome) => self.reply(request.tag, outcome),
            Poll::Pending => self.pend_boxed(request, pinned, work),
        }
    }

    pub(super) fn pend(
        &mut self,
        request: Request,
        pinned: usize,
        work: impl Future<Output = Outcome<F>> + Send + 'static,
    ) {
        self.pend_boxed(request, pinned, Box::pin(work));
    }

    fn pend_boxed(
        &mut self,
        request: Request,
        pinned: usize,
        work: std::pin::Pin<Box<dyn Future<Output = Outcome<F>> + Send>>,
    ) {
        if self.too_busy(pinned) {
            drop(work);
            self.error(request.tag, &Error::TOO_BUSY);
            return;
        }
        for claim in request.claims.iter().flatten() {
            self.fids.claim(claim.fid);
        }
        if request.turn.serial.is_none() {
            // It is not answered at once after all.
            self.at_once -= 1;
        }
        let Request { tag, turn, claims, span } = request;
        self.flights.run(turn, tag, claims, pinned, span, work);
    }

    /// Sends an outcome, and lets it change the fids.
    pub(super) fn reply(&mut self, tag: Tag, outcome: Outcome<F>) {
        let done = match outcome {
            Ok(done) => done,
            Err(error) => return self.error(tag, &error),
        };
        match done.body {
            Body::Message(message) => self.send(tag, &message),
            Body::Readlink(target) => self.send(tag, &Rmessage::Readlink { target: Name(&target) }),
            Body::Bytes(data) => self.send(tag, &Rmessage::Read { data: Data(&data) }),
            Body::Stat(stat) => self.send(tag, &Rmessage::Stat { stat: stat.as_stat() }),
            Body::Getlock(held) => {
                let HeldLock { kind, start, length, proc_id, client_id } = &held;
                let range = LockedRange { start: *start, length: *length, proc_id: *proc_id, client_id };
                self.send(tag, &Rmessage::Getlock { kind: *kind, range });
            }
            Body::Entries(listing) => {
                self.send(tag, &Rmessage::Readdir { data: Data(listing.as_bytes()) });
                self.listing = Some(listing);
            }
            Body::Data(segment, len) => self.send_data(tag, segment, len),
        }
        match done.change {
            Change::Nothing => {}
            Change::Bind(fid, entry) => self.fids.bind(fid, entry),
        }
    }

    fn send(&mut self, tag: Tag, message: &Rmessage<'_>) {
        self.show_answer(tag, format_args!("{}", message.with_tag(tag)));
        self.encode(tag, message);
    }

    fn encode(&mut self, tag: Tag, message: &Rmessage<'_>) {
        self.out.prepare();
        if let Err(fault) = message.encode(self.dialect(), tag, &mut self.out) {
            self.unsayable(tag, &fault);
        }
    }

    /// What no frame can hold is the file server's mistake; the client is told that there was one.
    fn unsayable(&mut self, tag: Tag, fault: &EncodeError) {
        tracing::error!(%fault, "a reply that cannot be said");
        self.error(tag, &Error::new(75, "the answer does not fit a message"));
    }

    /// The header of an Rread, in front of data that is already in its place behind the segment's end.
    pub(super) fn send_data(&mut self, tag: Tag, mut segment: Segment, len: usize) {
        read_header(&mut segment, tag, len);
        self.show_answer(tag, format_args!("Rread tag {tag} data ({len} bytes)"));
        segment.end += READ_OVERHEAD + len;
        self.out.put_back(segment);
    }

    /// An Rread whose data goes out from where the file has it.
    pub(super) fn send_shared(&mut self, tag: Tag, parts: Vec<Bytes>) {
        let len: usize = parts.iter().map(Bytes::len).sum();
        let mut segment = self.out.take_room(READ_OVERHEAD);
        read_header(&mut segment, tag, len);
        self.show_answer(tag, format_args!("Rread tag {tag} data ({len} bytes)"));
        segment.end += READ_OVERHEAD;
        self.out.put_back(segment);
        parts.into_iter().for_each(|part| self.out.share(part));
    }

    pub(super) fn error(&mut self, tag: Tag, error: &Error) {
        self.observed.failed(error.errno);
        if self.dialect() == Dialect::P9P2000L {
            let message = Rmessage::Lerror { ecode: DotlError(error.errno) };
            // The words do not go over the wire, but those who watch may have them.
            self.show_answer(tag, format_args!("{} ({})", message.with_tag(tag), error.text));
            self.encode(tag, &message);
        } else {
            // ERRMAX would be 128; what a control file has to say may be longer, but has to fit the frame.
            let text =
                &error.text.as_bytes()[..error.text.floor_char_boundary(self.data_limit().min(4096) / 2)];
            let errno = Extension(Some(UnixErrno(error.errno)));
            self.send(tag, &Rmessage::Error { ename: Name(text), errno });
        }
    }
}

/// The header of an Rread of `len` bytes, behind the segment's end.
fn read_header(segment: &mut Segment, tag: Tag, len: usize) {
    let size = (READ_OVERHEAD + len) as u32;
    let [low, high] = tag.0.to_le_bytes();
    let header = &mut segment.bytes[segment.end..segment.end + READ_OVERHEAD];
    header[..4].copy_from_slice(&size.to_le_bytes());
    header[4..7].copy_from_slice(&[117, low, high]);
    header[7..].copy_from_slice(&(len as u32).to_le_bytes());
}

impl<F: FileServer> Drop for Session<F> {
    fn drop(&mut self) {
        if let Some(shared) = &self.config.shared {
            shared.change(self.kept, 0);
        }
    }
}

impl<F: FileServer> fmt::Debug for Session<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("dialect", &self.agreed)
            .field("msize", &self.msize)
            .finish_non_exhaustive()
    }
}
