//! Answering: a request is worked on as far as it goes on the session thread that read it, and answered there; what has to
//! wait moves to a task of its own, with its reply, and holds no thread.

use super::interrupt::{Patience, Watcher};
use futures_util::task::noop_waker_ref;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
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
pub(super) struct Pending {
    pub(super) span: Span,
    /// The thread that asks.
    pub(super) thread: u32,
    pub(super) patience: Patience,
}

impl Pending {
    /// Does `work` and answers with what came of it: here where it does not wait, else in a task that a signal to the
    /// asking thread ends.
    pub(super) fn serve<R: Refuse, T: Send + 'static>(
        self,
        runtime: &Handle,
        watcher: &Watcher,
        reply: R,
        work: impl Future<Output = Result<T>> + Send + 'static,
        answer: impl FnOnce(R, T) + Send + 'static,
    ) {
        let Pending { span, thread, patience } = self;
        // The trees' futures may use the runtime's clock and threads.
        let _runtime = runtime.enter();
        let mut work = Box::pin(work);
        // Whoever goes on with the work polls again before he sleeps, with a waker of his own.
        let mut context = Context::from_waker(noop_waker_ref());
        let first = catch_unwind(AssertUnwindSafe(|| span.in_scope(|| work.as_mut().poll(&mut context))));
        match first {
            Ok(Poll::Ready(result)) => return span.in_scope(|| finish(reply, result, answer)),
            Ok(Poll::Pending) => {}
            Err(_) => {
                // The message went to stderr. The session thread must live on for everyone else; the half-done work is
                // dropped and not polled again.
                error!(parent: &span, "a request made the server panic");
                return reply.refuse(Errno::EIO);
            }
        }
        let mut watch = watcher.watch(thread, patience);
        let waiting = async move {
            trace!("waits");
            let result = tokio::select! {
                biased;
                result = &mut work => result,
                errno = watch.ended() => Err(errno.into()),
            };
            // The operation is cancelled before its end is told.
            drop(work);
            finish(reply, result, answer);
        };
        runtime.spawn(waiting.instrument(span));
    }
}

fn finish<R: Refuse, T>(reply: R, result: Result<T>, answer: impl FnOnce(R, T)) {
    match result {
        Ok(value) => answer(reply, value),
        Err(error) => {
            trace!(%error, errno = ?error.errno(), "refused");
            reply.refuse(error.errno());
        }
    }
}
