//! The end of large things, on a thread of its own: freeing the cells of 50 000 files takes longer than who drops the last
//! reference to them should have to wait.

use std::any::Any;
use std::sync::LazyLock;
use std::sync::mpsc::{Sender, channel};
use std::thread::Builder;

type Remains = Box<dyn Any + Send>;

static REAPER: LazyLock<Option<Sender<Remains>>> = LazyLock::new(|| {
    let (sender, remains) = channel::<Remains>();
    let reaper =
        Builder::new().name("overlay-reaper".into()).spawn(move || remains.into_iter().for_each(drop));
    reaper.is_ok().then_some(sender)
});

/// Drops `remains`, some time soon.
pub(super) fn reap(remains: impl Any + Send) {
    if let Some(reaper) = &*REAPER {
        // Where there is no thread to be had, they come back in the error and are dropped here.
        let _ = reaper.send(Box::new(remains));
    }
}
