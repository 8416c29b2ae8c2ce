//! Answering: a request is worked on as far as it goes on the session thread that read it, and answered there; what has to
//! wait moves to a task of its own, with its reply, and holds no thread.

use super::counts::Counts;
use super::gate::{self, Locked};
use super::interrupt::{Patience, Watcher};
use super::notices::Notices;
use super::origin::{OnBehalf, Origin, on_behalf};
use super::readers::Readers;
use crate::stall::{self, Watched};
use futures_util::task::noop_waker_ref;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::runtime::Handle;
use tracing::{Instrument, Span, error, trace};
use vfs::{Errno, Result};

/// A reply that can say no; fuser has one type for each shape of yes.
pub(super) trait Refuse: Send + 'static {
    fn refuse(self, errno: Errno);
}

macro_rules! refuse {
    ($($reply:ident)*) => {
        $(impl Refuse for fuser::$reply {
            fn refuse(self, errno: Errno) {
                self.error(fuser::Errno::from_i32(errno.raw()));
            }
        })*
    };
}

refuse! {
    ReplyAttr ReplyCreate ReplyData ReplyDirectory ReplyDirectoryPlus ReplyEmpty ReplyEntry ReplyLock ReplyLseek ReplyOpen ReplyPoll
    ReplyStatfs ReplyWrite ReplyXattr
}

/// One request on its way through us.
pub(super) struct Pending<'a> {
    pub(super) span: Span,
    /// The thread that asks.
    pub(super) thread: u32,
    pub(super) patience: Patience,
    pub(super) origin: Origin,
    pub(super) notices: Arc<Notices>,
    pub(super) waits: Waits,
    pub(super) counts: &'a Arc<Counts>,
    pub(super) readers: &'a Readers,
}

/// Whether an answer waits until kernels were told of changes: see `gate`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Waits {
    /// No kernel holds a lock for it.
    ForAll,
    /// Its kernel may hold locks for it, and it changes something.
    InTurn,
    /// Its kernel may hold locks for it, and it only looks.
    Never,
}

/// How far a request came on the session thread.
enum Begun<T, W> {
    Done(Result<T>, Origin),
    Waits(OnBehalf<W>),
}

impl Pending<'_> {
    /// Does the work and answers with what came of it: `at_once` where that gives something, which may borrow from the request
    /// and makes no future; else `work`, here where it does not wait, and otherwise in a task that a signal to the asking thread
    /// ends. Whoever could learn from the answer of something that other kernels are still to be told of gets it when they were.
    pub(super) fn serve<R: Refuse, T: Send + 'static, W: Future<Output = Result<T>> + Send + 'static>(
        self,
        runtime: &Handle,
        watcher: &Watcher,
        reply: R,
        at_once: impl FnOnce() -> Option<Result<T>>,
        work: impl FnOnce() -> W,
        answer: impl FnOnce(R, T) + Send + 'static,
    ) {
        let Pending { span, thread, patience, mut origin, notices, waits, counts, readers } = self;
        // The trees' futures may use the runtime's clock and threads.
        let _runtime = runtime.enter();
        let inside = (waits == Waits::InTurn).then(|| notices.gate.enter());
        // A disk has not answered, or might not: session threads, of which there are few, are no place to wait for it.
        let others_are_left = readers.may_be_held();
        let wary = others_are_left.is_none() || stall::is_wary();
        let begin = || {
            if !wary && let Some(result) = on_behalf(&mut origin, at_once) {
                return Begun::Done(result, origin);
            }
            let mut work = OnBehalf::of(origin, work());
            if wary {
                return Begun::Waits(work);
            }
            // Whoever goes on with the work polls again before he sleeps, with a waker of his own.
            match Pin::new(&mut work).poll(&mut Context::from_waker(noop_waker_ref())) {
                Poll::Ready(result) => Begun::Done(result, work.origin),
                Poll::Pending => Begun::Waits(work),
            }
        };
        let begun = catch_unwind(AssertUnwindSafe(|| stall::noted(|| span.in_scope(begin))));
        drop(others_are_left);
        let mut work = match begun {
            Ok(Begun::Done(result, origin)) => {
                let Some(heard) = heard(&notices, origin, waits) else {
                    drop(inside);
                    return span.in_scope(|| finish(&notices, counts, reply, result, answer));
                };
                let counted = counts.wait();
                let waiting = async move {
                    heard.await;
                    // Before the answer, behind which the next request may come.
                    drop(inside);
                    finish(&notices, counted.counts(), reply, result, answer);
                };
                runtime.spawn(waiting.instrument(span));
                return;
            }
            Ok(Begun::Waits(work)) => work,
            Err(_) => {
                // The message went to stderr. The session thread must live on for everyone else; the half-done work is
                // dropped and not polled again.
                error!(parent: &span, "a request made the server panic");
                return reply.refuse(Errno::EIO);
            }
        };
        let counted = counts.wait();
        let mut watch = watcher.watch(thread, patience);
        let waiting = async move {
            trace!("waits");
            let result = tokio::select! {
                biased;
                result = &mut work => result,
                errno = watch.ended() => Err(errno.into()),
            };
            // The operation is cancelled before its end is told.
            let origin = work.origin;
            drop(work);
            if let Some(heard) = heard(&notices, origin, waits) {
                heard.await;
            }
            drop(inside);
            finish(&notices, counted.counts(), reply, result, answer);
        };
        runtime.spawn(Watched::new(waiting.instrument(span)));
    }
}

/// What the answer has to wait for.
fn heard(notices: &Notices, origin: Origin, waits: Waits) -> Option<impl Future<Output = ()> + Send + use<>> {
    let from = match waits {
        Waits::Never => return None,
        Waits::ForAll => None,
        Waits::InTurn => {
            let told_of_itself = origin.told && !notices.concern(origin.inodes);
            Some(Locked { mount: &notices.gate, told_of_itself })
        }
    };
    gate::wait(from)
}

fn finish<R: Refuse, T>(
    notices: &Notices,
    counts: &Counts,
    reply: R,
    result: Result<T>,
    answer: impl FnOnce(R, T),
) {
    match result {
        Ok(value) => {
            let _saying = notices.say();
            answer(reply, value);
        }
        Err(error) => {
            trace!(%error, errno = ?error.errno(), "refused");
            counts.refused();
            reply.refuse(error.errno());
        }
    }
}
