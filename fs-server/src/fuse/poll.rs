//! poll(2): which of reading and writing would not wait, and word to the kernel when that changes.

use super::handles::Open;
use fuser::{PollEvents, PollNotifier};
use tokio::runtime::Handle;
use vfs::{FileRef, Interest};

/// What can be done now. Where `notifier` is given the kernel waits for the rest, and is told of it.
pub(super) fn ready(open: &Open, notifier: Option<PollNotifier>, runtime: &Handle) -> PollEvents {
    let _runtime = runtime.enter();
    // An error counts as ready: the read or write will tell it.
    let readable = open.file.ready(Interest::Read).now().is_some();
    let writable = open.file.ready(Interest::Write).now().is_some();
    if let Some(notifier) = notifier
        && !(readable && writable)
    {
        let waiter = runtime.spawn(tell(open.file.clone(), readable, writable, notifier));
        open.set_poll(waiter.abort_handle());
    }
    let mut events = PollEvents::empty();
    if readable {
        events |= PollEvents::POLLIN | PollEvents::POLLRDNORM;
    }
    if writable {
        events |= PollEvents::POLLOUT | PollEvents::POLLWRNORM;
    }
    events
}

/// Tells the kernel of the first thing that becomes possible; it then asks again. What is possible already is no news.
async fn tell(file: FileRef, readable: bool, writable: bool, notifier: PollNotifier) {
    let read =
        async { if readable { std::future::pending().await } else { file.ready(Interest::Read).await } };
    let write =
        async { if writable { std::future::pending().await } else { file.ready(Interest::Write).await } };
    // Ready by an error is ready.
    let _ = tokio::select! { news = read => news, news = write => news };
    // Refused where the kernel knows nothing of the file any more: then nobody polls it.
    let _ = notifier.notify();
}
