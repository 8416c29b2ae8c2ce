//! One connection: bytes in, bytes out, and the session between them, all in one task.
//!
//! Requests that arrived together are handled together, and their replies written together; a request that has to
//! wait is a future that the same task polls. Nothing is spawned and nothing is sent between tasks, so a request
//! that does not block costs a read, a call and a write.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tracing::{Instrument, debug, debug_span};

use super::config::Config;
use super::files::FileServer;
use super::input::Inbox;
use super::observed::Observed;
use super::session::{Fault, Session};
use super::watch::Watch;

/// How long a peer that has closed its side, or is thrown out, may take to read its last replies.
const LINGER: Duration = Duration::from_secs(2);
/// Replies are handed to the system in steps of this size, even while more requests are at hand.
const STEP: usize = 256 << 10;

/// Why a connection ended, if not by the peer's closing it.
#[derive(Debug, Error)]
pub enum ServeError {
    /// The stream broke.
    #[error("the connection broke: {0}")]
    Io(#[from] io::Error),
    /// The peer sent what is no 9P.
    #[error("the peer was thrown out: {0}")]
    Protocol(#[from] Fault),
}

/// Serves one connection until the peer closes it. Dropping this future ends the connection: all that is pending is
/// cancelled, all fids are clunked.
///
/// # Errors
/// The stream's, or the fault that the peer was thrown out for: the caller logs it as often as it likes.
pub async fn serve<F, S>(
    files: Arc<F>,
    context: Arc<F::Context>,
    stream: S,
    config: Config,
) -> Result<(), ServeError>
where
    F: FileServer,
    S: AsyncRead + AsyncWrite,
{
    serve_observed(files, context, stream, config, Arc::default()).await
}

/// As [`serve`]; `observed` shows what the connection does.
///
/// # Errors
/// As [`serve`].
pub async fn serve_observed<F, S>(
    files: Arc<F>,
    context: Arc<F::Context>,
    stream: S,
    config: Config,
    observed: Arc<Observed>,
) -> Result<(), ServeError>
where
    F: FileServer,
    S: AsyncRead + AsyncWrite,
{
    let span = debug_span!("9p connection");
    async move {
        let mut stream = pin!(stream);
        let mut session = Session::new(files, context, config, observed);
        let mut inbox = Inbox::new();
        let mut watch = Watch::new(&session.config);
        let ended = poll_fn(|cx| {
            let ended = poll(cx, &mut session, &mut inbox, stream.as_mut());
            session.account();
            session.count_held();
            match ended {
                Poll::Pending => watch.poll(cx, &session, &inbox).map(|fault| Err(fault.into())),
                ready => ready,
            }
        })
        .await;
        if let Err(ServeError::Protocol(fault)) = &ended {
            debug!(%fault, "a 9P peer is thrown out");
        }
        session.end();
        for node in std::mem::take(&mut session.to_remove) {
            let removed = session.files.remove(&node).get();
            // Nobody is there to be told.
            let _untold = tokio::time::timeout(LINGER, removed).await;
        }
        if ended.as_ref().is_err_and(hung_up) {
            return Ok(());
        }
        if !matches!(ended, Err(ServeError::Io(_))) {
            let last = poll_fn(|cx| session.out.poll_write(cx, stream.as_mut()));
            // A peer that has gone does not read them; that is no error of the connection's.
            let _unread = tokio::time::timeout(LINGER, last).await;
            let shut = poll_fn(|cx| stream.as_mut().poll_shutdown(cx));
            let _gone = tokio::time::timeout(LINGER, shut).await;
        }
        ended
    }
    .instrument(span)
    .await
}

/// Whether the peer has gone without waiting for its last replies: that is its right.
fn hung_up(error: &ServeError) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
    matches!(error, ServeError::Io(error) if matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset))
}

fn poll<F: FileServer, S: AsyncRead + AsyncWrite>(
    cx: &mut Context<'_>,
    session: &mut Session<F>,
    inbox: &mut Inbox,
    mut stream: Pin<&mut S>,
) -> Poll<Result<(), ServeError>> {
    loop {
        // What is at hand, as far as its replies may be kept.
        let more = loop {
            if !session.accepts() {
                break true;
            }
            if let Some(write) = inbox.next_large() {
                session.large_write(cx, write)?;
                continue;
            }
            let Some((frame, part)) = inbox.next_frame(session.msize()).map_err(Fault::from)? else {
                break false;
            };
            session.request(cx, &frame, part)?;
            if session.out.queued() > STEP {
                break true;
            }
        };
        session.count_answers();
        session.poll_done(cx);
        let wrote = session.out.poll_write(cx, stream.as_mut())?;
        if more && wrote.is_ready() {
            continue;
        }
        if !session.accepts() {
            // A peer that does not read its replies is not listened to.
            if wrote.is_ready() {
                continue;
            }
            return Poll::Pending;
        }
        if more {
            continue;
        }
        match inbox.poll_read(cx, stream.as_mut(), session)? {
            Poll::Ready(0) => return Poll::Ready(Ok(())),
            Poll::Ready(bytes) => session.arrived(bytes),
            Poll::Pending => return Poll::Pending,
        }
    }
}
