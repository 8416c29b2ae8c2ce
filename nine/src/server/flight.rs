//! Requests that have not ended: those that run, those that wait for them, and the order between them.
//!
//! Two requests that name the same fid take effect in the order they came, as far as that can be told apart:
//!
//! | earlier \ later | look | read | write | change |
//! |---|---|---|---|---|
//! | look (getattr, walk from it)            |       |       |       |       |
//! | read                                    |       |       | waits | waits |
//! | write (and setattr, mkdir, unlinkat …)  | waits | waits | waits | waits |
//! | change (walk to it, open, clunk …)      | waits | waits | waits | waits |
//!
//! On stream files, where a read may last for ever, reads and writes do not wait for each other, and a clunk ends
//! the reads instead of waiting for them.

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use futures_util::task::AtomicWaker;
use parking_lot::Mutex;
use tracing::Span;

use super::input::Input;
use crate::wire::{Fid, Tag};

/// What a request does to a fid.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Effect {
    Look,
    Read,
    Write,
    Change,
}

/// A fid that a request names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Claim {
    pub(super) fid: Fid,
    pub(super) effect: Effect,
    /// The fid is an open stream, or the request may wait for ever: it gives way.
    pub(super) stream: bool,
}

/// No request names more than two fids.
pub(super) type Claims = [Option<Claim>; 2];

/// Whether `later` has to wait until `earlier` has ended.
fn waits(earlier: &Claim, later: &Claim) -> bool {
    earlier.fid == later.fid
        && match (earlier.effect, later.effect) {
            (Effect::Look, _) | (Effect::Read, Effect::Look | Effect::Read) => false,
            (Effect::Read, Effect::Write | Effect::Change) => !earlier.stream,
            (Effect::Write, Effect::Look | Effect::Read) => !later.stream,
            (Effect::Write, Effect::Write | Effect::Change) | (Effect::Change, _) => true,
        }
}

/// Which request: they are numbered as they come.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Serial(u64);

/// When a request came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn {
    /// Its place in the order, if it had to wait.
    pub(super) serial: Option<Serial>,
    pub(super) since: Instant,
}

pub(super) type Work<D> = Pin<Box<dyn Future<Output = D> + Send>>;

enum Stage<D> {
    Running(Arc<Running<D>>),
    /// The frame, to be looked at again when its turn has come.
    Waiting(Arc<Input>, Range<usize>),
}

/// A request that has not ended.
struct Flight<D> {
    tag: Tag,
    claims: Claims,
    /// When it came.
    since: Instant,
    /// Bytes of buffers that it keeps from being used.
    pinned: usize,
    stage: Stage<D>,
}

/// A running future, in a place from which a flush can take it away.
struct Running<D> {
    work: Mutex<Option<Work<D>>>,
    /// Wakes the place itself when it is emptied, so that it is cleared away.
    emptied: AtomicWaker,
    span: Span,
}

struct Run<D> {
    serial: Serial,
    running: Arc<Running<D>>,
}

impl<D> Future for Run<D> {
    type Output = Option<(Serial, D)>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.running.emptied.register(cx.waker());
        let mut work = self.running.work.lock();
        let Some(future) = work.as_mut() else { return Poll::Ready(None) };
        let _entered = self.running.span.enter();
        let Poll::Ready(done) = future.as_mut().poll(cx) else { return Poll::Pending };
        let finished = work.take();
        drop(work);
        drop(finished);
        Poll::Ready(Some((self.serial, done)))
    }
}

/// What ended: which request, and which fids it no longer claims.
pub(super) struct Landed {
    pub(super) tag: Tag,
    pub(super) claims: Claims,
    pub(super) since: Instant,
}

impl Landed {
    /// Whether it may have waited for something to happen, and not for the server.
    pub(super) fn awaited(&self) -> bool {
        self.claims.iter().flatten().any(|claim| claim.stream)
    }
}

/// All requests of a connection that have not ended.
pub(super) struct Flights<D> {
    flights: BTreeMap<Serial, Flight<D>>,
    tags: HashMap<Tag, Serial>,
    runs: FuturesUnordered<Run<D>>,
    next: u64,
    waiting: usize,
    pinned: usize,
}

impl<D> Flights<D> {
    pub(super) fn new() -> Self {
        Self {
            flights: BTreeMap::new(),
            tags: HashMap::new(),
            runs: FuturesUnordered::new(),
            next: 0,
            waiting: 0,
            pinned: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.flights.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.flights.is_empty()
    }

    /// Bytes of buffers that unfinished requests keep.
    pub(super) fn pinned(&self) -> usize {
        self.pinned
    }

    pub(super) fn has_tag(&self, tag: Tag) -> bool {
        self.tags.contains_key(&tag)
    }

    pub(super) fn serial_of(&self, tag: Tag) -> Option<Serial> {
        self.tags.get(&tag).copied()
    }

    /// Whether a request with these claims, coming before `serial` or (`None`) now, has to wait.
    pub(super) fn blocked(&self, claims: &Claims, before: Option<Serial>) -> bool {
        let later = claims.iter().flatten();
        self.flights.iter().take_while(|(serial, _)| before.is_none_or(|before| **serial < before)).any(
            |(_, flight)| {
                flight.claims.iter().flatten().any(|earlier| later.clone().any(|later| waits(earlier, later)))
            },
        )
    }

    fn add(&mut self, serial: Option<Serial>, flight: Flight<D>) -> Serial {
        let serial = serial.unwrap_or_else(|| {
            self.next += 1;
            Serial(self.next)
        });
        self.tags.insert(flight.tag, serial);
        self.pinned += flight.pinned;
        self.flights.insert(serial, flight);
        serial
    }

    /// A request whose future is pending. One that waited before keeps its serial, and so its place in the order.
    pub(super) fn run(
        &mut self,
        Turn { serial, since }: Turn,
        tag: Tag,
        claims: Claims,
        pinned: usize,
        span: Span,
        work: Work<D>,
    ) {
        let running = Arc::new(Running { work: Mutex::new(Some(work)), emptied: AtomicWaker::new(), span });
        let stage = Stage::Running(running.clone());
        let serial = self.add(serial, Flight { tag, claims, since, pinned, stage });
        self.runs.push(Run { serial, running });
    }

    /// A request that has to wait for others.
    pub(super) fn wait(
        &mut self,
        tag: Tag,
        claims: Claims,
        since: Instant,
        frame: Arc<Input>,
        part: Range<usize>,
    ) {
        let pinned = frame.bytes().len();
        self.waiting += 1;
        self.add(None, Flight { tag, claims, since, pinned, stage: Stage::Waiting(frame, part) });
    }

    /// Takes a request out; its future, if it had one, is dropped before this returns.
    pub(super) fn end(&mut self, serial: Serial) -> Option<Landed> {
        let flight = self.flights.remove(&serial)?;
        self.pinned -= flight.pinned;
        self.tags.remove(&flight.tag);
        match flight.stage {
            Stage::Running(running) => {
                let work = running.work.lock().take();
                drop(work);
                running.emptied.wake();
            }
            Stage::Waiting(..) => self.waiting -= 1,
        }
        Some(Landed { tag: flight.tag, claims: flight.claims, since: flight.since })
    }

    /// Takes the first waiting request out whose turn has come.
    pub(super) fn next_turn(&mut self) -> Option<(Serial, Landed, Arc<Input>, Range<usize>)> {
        if self.waiting == 0 {
            return None;
        }
        let (serial, frame, part) = self.flights.iter().find_map(|(serial, flight)| match &flight.stage {
            Stage::Waiting(frame, part) if !self.blocked(&flight.claims, Some(*serial)) => {
                Some((*serial, frame.clone(), part.clone()))
            }
            _ => None,
        })?;
        let landed = self.end(serial)?;
        Some((serial, landed, frame, part))
    }

    /// The requests that a clunk of `fid` interrupts.
    pub(super) fn interruptible(&self, fid: Fid) -> Vec<Serial> {
        let reads = |claim: &Claim| claim.fid == fid && claim.effect == Effect::Read && claim.stream;
        self.flights
            .iter()
            .filter(|(_, flight)| flight.claims.iter().flatten().any(reads))
            .map(|(serial, _)| *serial)
            .collect()
    }

    /// The next request whose future is done; it still has to be [ended](Flights::end).
    pub(super) fn poll_done(&mut self, cx: &mut Context<'_>) -> Poll<(Serial, D)> {
        loop {
            match self.runs.poll_next_unpin(cx) {
                Poll::Ready(Some(Some(done))) => return Poll::Ready(done),
                // Its future was taken away.
                Poll::Ready(Some(None)) => {}
                Poll::Ready(None) | Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Drops everything.
    pub(super) fn clear(&mut self) {
        let serials: Vec<Serial> = self.flights.keys().copied().collect();
        for serial in serials {
            self.end(serial);
        }
        self.runs.clear();
    }
}
