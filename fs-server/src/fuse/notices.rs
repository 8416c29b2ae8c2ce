//! Word to the kernel of what has changed without it: by guests, 9P clients, other mounts.
//!
//! Changes are queued by whoever makes them, and told by one thread, in order; what then waits for it is `gate`'s. Before a
//! notice goes out, those answers that were composed before the change are out: else the kernel would believe what it was
//! told last.

use super::gate::Gate;
use fuser::{INodeNo, Notifier};
use parking_lot::{Condvar, Mutex, RwLock, RwLockReadGuard};
use std::collections::VecDeque;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;
use tracing::{debug, trace};
use vfs::NameBuf;

#[derive(PartialEq, Eq, Debug)]
pub(super) enum Notice {
    /// The attributes are others.
    Status(u64),
    /// The pages are, and with them the attributes.
    Content(u64),
    /// The directory's entry leads elsewhere.
    Entry(u64, NameBuf),
}

#[derive(Default)]
struct Waiting {
    notices: VecDeque<Notice>,
    /// The inode whose lock the kernel needs for what it is being told.
    now: Option<u64>,
    stopped: bool,
}

pub(super) struct Notices {
    pub(super) gate: Arc<Gate>,
    waiting: Mutex<Waiting>,
    news: Condvar,
    /// Read by whoever says something to the kernel that it is to believe, from the moment he made sure that it is so.
    saying: RwLock<()>,
}

impl Notices {
    pub(super) fn new() -> Arc<Notices> {
        let (waiting, news) = (Mutex::default(), Condvar::new());
        Arc::new(Notices { gate: Gate::new(), waiting, news, saying: RwLock::new(()) })
    }

    pub(super) fn push(&self, notice: Notice) {
        let mut waiting = self.waiting.lock();
        if waiting.stopped || waiting.notices.back() == Some(&notice) {
            return;
        }
        self.gate.queued();
        waiting.notices.push_back(notice);
        if waiting.notices.len() == 1 {
            self.news.notify_one();
        }
    }

    /// As long as this is held, no notice goes out that was queued since.
    pub(super) fn say(&self) -> RwLockReadGuard<'_, ()> {
        self.saying.read()
    }

    /// Tells `kernel` from now on, by a thread that lives until [`Notices::stop`].
    pub(super) fn start(self: &Arc<Notices>, kernel: Notifier) -> std::io::Result<()> {
        let notices = self.clone();
        let thread = std::thread::Builder::new().name("fuse-notices".into());
        thread.spawn(move || notices.tell(&kernel)).map(drop)
    }

    /// Nothing is told any more, and nobody waits for it.
    pub(super) fn stop(&self) {
        let mut waiting = self.waiting.lock();
        waiting.stopped = true;
        let dropped = waiting.notices.drain(..).count();
        drop(waiting);
        self.gate.told(dropped as u64);
        self.news.notify_one();
    }

    /// Is there a notice for which the kernel needs a lock of one of `inodes`?
    pub(super) fn concern(&self, inodes: [u64; 2]) -> bool {
        let waiting = self.waiting.lock();
        let locked = waiting.notices.iter().filter_map(Notice::locks);
        waiting.now.into_iter().chain(locked).any(|ino| inodes.contains(&ino))
    }

    fn tell(&self, kernel: &Notifier) {
        loop {
            let notice = {
                let mut waiting = self.waiting.lock();
                loop {
                    if waiting.stopped {
                        return;
                    }
                    match waiting.notices.pop_front() {
                        Some(notice) => {
                            waiting.now = notice.locks();
                            break notice;
                        }
                        None => waiting.now = None,
                    }
                    self.news.wait(&mut waiting);
                }
            };
            // Whoever was about to say what has changed meanwhile has said it now.
            drop(self.saying.write());
            trace!(?notice, "to the kernel");
            if let Err(error) = one(kernel, &notice) {
                // Unmounted, or out of memory: there is nothing to be done about either.
                debug!(?notice, %error, "the kernel did not take a notice");
            }
            self.gate.told(1);
        }
    }
}

impl Notice {
    /// The inode whose lock (of its entries, of its pages) the kernel takes for this.
    fn locks(&self) -> Option<u64> {
        match self {
            Notice::Status(_) => None,
            Notice::Content(ino) | Notice::Entry(ino, _) => Some(*ino),
        }
    }
}

fn one(kernel: &Notifier, notice: &Notice) -> std::io::Result<()> {
    match notice {
        // A negative offset: only the attributes.
        Notice::Status(ino) => kernel.inval_inode(INodeNo(*ino), -1, 0),
        Notice::Content(ino) => kernel.inval_inode(INodeNo(*ino), 0, 0),
        Notice::Entry(dir, name) => kernel.inval_entry(INodeNo(*dir), OsStr::from_bytes(name)),
    }
}
