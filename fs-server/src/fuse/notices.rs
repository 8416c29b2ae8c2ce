//! Word to the kernel of what has changed without it: by guests, 9P clients, other mounts.
//!
//! Changes are queued by whoever makes them, and told by one thread, in order; what then waits for it is `gate`'s. Before a
//! notice goes out, those answers that were composed before the change are out: else the kernel would believe what it was
//! told last.
//!
//! The queue is bounded. Where changes come faster than a kernel takes word of them, what is queued becomes one word: all that
//! the kernel knows is to be asked for anew. Nobody who makes a change waits for it here.

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
    /// Nothing that the kernel knows is to be believed any more.
    Everything,
}

/// So many changes are told one by one; a megabyte or two of them.
#[cfg(not(test))]
const BOUND: usize = 16 << 10;
/// The tests of coherence come across it.
#[cfg(test)]
const BOUND: usize = 8;

/// The inode whose lock (of its entries, of its pages) the kernel takes for what it is told.
#[derive(Clone, Copy)]
enum Locks {
    Of(u64),
    Any,
}

#[derive(Default)]
struct Waiting {
    notices: VecDeque<Notice>,
    /// How many changes [`Notice::Everything`] stands for, where that is what is queued, alone.
    collapsed: u64,
    /// What the kernel is being told, as far as it needs a lock for it.
    now: Option<Locks>,
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
        if waiting.collapsed > 0 {
            waiting.collapsed += 1;
            return;
        }
        waiting.notices.push_back(notice);
        if waiting.notices.len() > BOUND {
            waiting.collapsed = waiting.notices.len() as u64;
            waiting.notices.clear();
            waiting.notices.push_back(Notice::Everything);
        }
        if waiting.notices.len() == 1 {
            self.news.notify_one();
        }
    }

    /// As long as this is held, no notice goes out that was queued since.
    pub(super) fn say(&self) -> RwLockReadGuard<'_, ()> {
        self.saying.read()
    }

    /// Tells `kernel` from now on, by a thread that lives until [`Notices::stop`]. `everything` says what the kernel knows.
    pub(super) fn start(
        self: &Arc<Notices>,
        kernel: Notifier,
        everything: impl Fn() -> Vec<Notice> + Send + 'static,
    ) -> std::io::Result<()> {
        let notices = self.clone();
        let thread = std::thread::Builder::new().name("fuse-notices".into());
        thread.spawn(move || notices.tell(|notice| one(&kernel, notice), everything)).map(drop)
    }

    /// Nothing is told any more, and nobody waits for it.
    pub(super) fn stop(&self) {
        let mut waiting = self.waiting.lock();
        waiting.stopped = true;
        let queued = waiting.notices.drain(..).count() as u64;
        let dropped = match std::mem::take(&mut waiting.collapsed) {
            0 => queued,
            collapsed => collapsed,
        };
        drop(waiting);
        self.gate.told(dropped);
        self.news.notify_one();
    }

    /// Is there a notice for which the kernel needs a lock of one of `inodes`?
    pub(super) fn concern(&self, inodes: [u64; 2]) -> bool {
        let waiting = self.waiting.lock();
        let locked = waiting.notices.iter().filter_map(Notice::locks);
        waiting.now.into_iter().chain(locked).any(|locks| match locks {
            Locks::Of(ino) => inodes.contains(&ino),
            Locks::Any => true,
        })
    }

    fn tell(
        &self,
        mut kernel: impl FnMut(&Notice) -> std::io::Result<()>,
        everything: impl Fn() -> Vec<Notice>,
    ) {
        loop {
            let (notice, changes) = {
                let mut waiting = self.waiting.lock();
                loop {
                    if waiting.stopped {
                        return;
                    }
                    match waiting.notices.pop_front() {
                        Some(notice) => {
                            waiting.now = notice.locks();
                            break (notice, std::mem::take(&mut waiting.collapsed).max(1));
                        }
                        None => waiting.now = None,
                    }
                    self.news.wait(&mut waiting);
                }
            };
            // Whoever was about to say what has changed meanwhile has said it now.
            drop(self.saying.write());
            let said = match notice {
                Notice::Everything => everything(),
                notice => vec![notice],
            };
            for notice in said {
                trace!(?notice, "to the kernel");
                if let Err(error) = kernel(&notice) {
                    // Unmounted, or out of memory: there is nothing to be done about either.
                    debug!(?notice, %error, "the kernel did not take a notice");
                }
            }
            self.gate.told(changes);
        }
    }
}

impl Notice {
    fn locks(&self) -> Option<Locks> {
        match self {
            Notice::Status(_) => None,
            Notice::Content(ino) | Notice::Entry(ino, _) => Some(Locks::Of(*ino)),
            Notice::Everything => Some(Locks::Any),
        }
    }
}

fn one(kernel: &Notifier, notice: &Notice) -> std::io::Result<()> {
    match notice {
        // A negative offset: only the attributes.
        Notice::Status(ino) => kernel.inval_inode(INodeNo(*ino), -1, 0),
        Notice::Content(ino) => kernel.inval_inode(INodeNo(*ino), 0, 0),
        Notice::Entry(dir, name) => kernel.inval_entry(INodeNo(*dir), OsStr::from_bytes(name)),
        Notice::Everything => unreachable!("it is told as what it stands for"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parking_lot::Mutex;

    fn name(number: usize) -> NameBuf {
        vfs::Name::new(format!("n{number}").as_bytes()).unwrap().to_owned()
    }

    #[test]
    fn more_changes_than_are_kept_become_one_word_and_whoever_waits_for_them_waits_for_that() {
        let notices = Notices::new();
        for number in 0..1000 {
            notices.push(Notice::Entry(7, name(number)));
            assert!(notices.waiting.lock().notices.len() <= BOUND);
        }
        assert!(notices.concern([99, 99]), "it may need any lock");
        let said = Mutex::new(Vec::new());
        let heard = notices.gate.clone();
        assert!(heard.is_untold());
        notices.tell(
            |notice| {
                assert!(heard.is_untold(), "nobody goes on before all of it is said");
                let Notice::Entry(dir, _) = notice else { panic!("{notice:?}") };
                said.lock().push(*dir);
                if *dir == 3 {
                    // What changes meanwhile comes after, by itself.
                    notices.push(Notice::Entry(9, name(0)));
                }
                if *dir == 9 {
                    notices.waiting.lock().stopped = true;
                }
                Ok(())
            },
            || (1..=3).map(|dir| Notice::Entry(dir, name(0))).collect(),
        );
        assert_eq!(*said.lock(), [1, 2, 3, 9]);
        assert!(!heard.is_untold());
    }

    #[test]
    fn a_mount_that_ends_lets_all_go_who_wait_for_it() {
        let notices = Notices::new();
        (0..1000).for_each(|number| notices.push(Notice::Entry(7, name(number))));
        notices.stop();
        assert!(!notices.gate.is_untold());
    }
}
