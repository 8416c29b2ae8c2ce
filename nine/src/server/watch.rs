//! Peers that keep a connection without using it: who never says Tversion, who stops in the middle of a frame, who does
//! not read, who asks nothing. Where the configuration gives them no limit there is no clock either.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use super::config::Config;
use super::files::FileServer;
use super::input::Inbox;
use super::session::{Fault, Session};

/// How far a connection has come: what does not change is not used.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Progress {
    has_version: bool,
    /// Whole frames read.
    frames: u64,
    /// Bytes of replies that were taken.
    taken: u64,
    /// Whether a frame is begun, replies wait to be taken, requests are pending.
    begun: bool,
    unread: bool,
    pending: bool,
}

/// Since when each of them has stood still.
pub(super) struct Watch {
    limits: [(Option<Duration>, Instant); 4],
    seen: Progress,
    clock: Option<Pin<Box<Sleep>>>,
}

/// The places of [`Watch::limits`].
const HANDSHAKE: usize = 0;
const FRAME: usize = 1;
const REPLIES: usize = 2;
const IDLE: usize = 3;

impl Watch {
    pub(super) fn new(config: &Config) -> Self {
        let now = Instant::now();
        let limits =
            [config.handshake, config.stalled, config.stalled, config.idle].map(|limit| (limit, now));
        let seen =
            Progress { has_version: false, frames: 0, taken: 0, begun: false, unread: false, pending: false };
        let mut watch = Self { limits, seen, clock: None };
        watch.set_clock(now);
        watch
    }

    /// The next look: a quarter of the shortest limit from now, so that none is overrun by more.
    fn set_clock(&mut self, now: Instant) {
        let shortest = self.limits.iter().filter_map(|(limit, _)| *limit).min();
        self.clock =
            shortest.map(|limit| Box::pin(sleep_until(now + (limit / 4).max(Duration::from_millis(5)))));
    }

    /// Ready with what the peer is thrown out for. Call it when the connection has nothing else to do.
    pub(super) fn poll<F: FileServer>(
        &mut self,
        cx: &mut Context<'_>,
        session: &Session<F>,
        inbox: &Inbox,
    ) -> Poll<Fault> {
        while let Some(clock) = &mut self.clock {
            if clock.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            if let Some(fault) = self.look(session.progress(inbox)) {
                return Poll::Ready(fault);
            }
        }
        Poll::Pending
    }

    fn look(&mut self, now: Progress) -> Option<Fault> {
        let moment = Instant::now();
        let before = std::mem::replace(&mut self.seen, now);
        let asked = now.frames != before.frames;
        let moves = [
            false,
            !now.begun || !before.begun || asked,
            !now.unread || now.taken != before.taken,
            asked || now.pending,
        ];
        if now.has_version {
            self.limits[HANDSHAKE].0 = None;
        }
        let mut fault = None;
        for (which, moves) in moves.into_iter().enumerate() {
            let (limit, since) = &mut self.limits[which];
            if moves {
                *since = moment;
            }
            if let Some(limit) = *limit
                && moment - *since >= limit
            {
                fault = Some(match which {
                    HANDSHAKE => Fault::NoHandshake(limit),
                    FRAME => Fault::HalfFrame(limit),
                    REPLIES => Fault::Unread(limit),
                    IDLE => Fault::Idle(limit),
                    _ => continue,
                });
            }
        }
        self.set_clock(moment);
        fault
    }
}

impl<F: FileServer> Session<F> {
    fn progress(&self, inbox: &Inbox) -> Progress {
        Progress {
            has_version: self.has_version(),
            frames: inbox.frames(),
            taken: self.out.written(),
            begun: inbox.has_begun(),
            unread: self.out.queued() > 0,
            pending: self.has_pending(),
        }
    }
}
