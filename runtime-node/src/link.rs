//! What a worker's control tree and the server's side of the worker share: the task that it is given, the signals that it is
//! sent, the end that it tells.

use crate::children::Children;
use crate::ipc::{Channel, Exchange};
use crate::net::Neighbour;
use crate::overseen::Files;
use crate::refusals::Refusals;
use crate::terminal::Screen;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use task::{Exit, Group, Reach, Signal, TaskTable, Trace};
use tokio::sync::{Notify, Semaphore, watch};
use vfs::{Caller, FileRef, Place, TaskId, WatchRoom};

/// Signals that are kept for a worker that does not read them; then the oldest goes.
const SIGNALS: usize = 64;

/// The task of a worker.
pub(crate) struct Given {
    pub id: TaskId,
    /// The JSON document.
    pub spec: Vec<u8>,
    pub stdio: [FileRef; 3],
    /// Where its children are.
    pub tasks: Weak<TaskTable>,
    /// Its namespace's root, and who it is there.
    pub root: Place,
    pub who: Arc<Caller>,
    pub trace: Trace,
    /// Its way to the network, and how many names it may look up at a time.
    pub reach: Reach,
    pub lookups: Semaphore,
    /// Those whose loopback is its own.
    pub group: Option<Arc<Group>>,
    /// How many files it may watch.
    pub watches: WatchRoom,
    /// Whom it finds on its loopback besides.
    pub neighbour: Option<Neighbour>,
    /// The terminal that it is at.
    pub screen: Option<Screen>,
    /// Its channel to the program that forked it.
    pub ipc: Option<Arc<Channel>>,
}

pub(crate) struct Link {
    /// Of the connection; unique in the process.
    pub number: u64,
    pub children: Children,
    /// Where channels to children are handed over.
    pub exchange: Arc<Exchange>,
    ready: watch::Sender<bool>,
    given: watch::Sender<Option<Arc<Given>>>,
    signals: Mutex<VecDeque<Signal>>,
    signalled: Notify,
    listeners: AtomicUsize,
    /// What its program was refused.
    pub refusals: Arc<Refusals>,
    pub files: Files,
    /// How often the program waited for the server, as the worker says at the end.
    pub round_trips: AtomicU64,
    /// Set once: by the worker, who says that it is done, or by whoever ends it.
    end: OnceLock<Exit>,
    ended: Notify,
}

impl Link {
    pub fn new(number: u64, exchange: Arc<Exchange>) -> Link {
        Link {
            number,
            children: Children::default(),
            exchange,
            ready: watch::Sender::new(false),
            given: watch::Sender::new(None),
            signals: Mutex::default(),
            signalled: Notify::new(),
            listeners: AtomicUsize::new(0),
            refusals: Arc::default(),
            files: Files::default(),
            round_trips: AtomicU64::new(0),
            end: OnceLock::new(),
            ended: Notify::new(),
        }
    }

    pub fn set_ready(&self) {
        self.ready.send_replace(true);
    }
    /// Done when it is warm.
    pub async fn ready(&self) {
        // The sender lives as long as we do.
        let mut changes = self.ready.subscribe();
        let _never_closed = changes.wait_for(|ready| *ready).await;
    }

    pub fn give(&self, task: Given) {
        self.given.send_replace(Some(Arc::new(task)));
    }
    pub fn given(&self) -> Option<Arc<Given>> {
        self.given.borrow().clone()
    }
    /// The task, when there is one.
    pub async fn task(&self) -> Arc<Given> {
        let mut changes = self.given.subscribe();
        loop {
            if let Some(given) = changes.borrow_and_update().clone() {
                return given;
            }
            let _never_closed = changes.changed().await;
        }
    }

    pub fn add_listener(&self) {
        self.listeners.fetch_add(1, Ordering::Relaxed);
    }
    pub fn remove_listener(&self) {
        self.listeners.fetch_sub(1, Ordering::Relaxed);
    }
    /// Sends a signal; false where nobody listens for any.
    pub fn signal(&self, signal: Signal) -> bool {
        if self.listeners.load(Ordering::Relaxed) == 0 {
            return false;
        }
        let mut signals = self.signals.lock();
        if signals.len() == SIGNALS {
            signals.pop_front();
        }
        signals.push_back(signal);
        drop(signals);
        self.signalled.notify_waiters();
        true
    }
    /// The signals so far that nobody has read, a line each, as far as `most` bytes go; none where there are none.
    pub fn take_signals(&self, most: usize) -> Option<String> {
        let mut signals = self.signals.lock();
        let mut text = String::new();
        while let Some(signal) = signals.front() {
            let line = format!("SIG{}\n", signal.name());
            if text.len() + line.len() > most {
                break;
            }
            text.push_str(&line);
            signals.pop_front();
        }
        (!text.is_empty()).then_some(text)
    }
    pub async fn signals(&self, most: usize) -> String {
        loop {
            let signalled = self.signalled.notified();
            tokio::pin!(signalled);
            signalled.as_mut().enable();
            if let Some(text) = self.take_signals(most) {
                return text;
            }
            signalled.await;
        }
    }

    /// Keeps what was refused, for the program's error message.
    pub fn refuse(&self, why: String) {
        self.refusals.add(why);
    }

    /// The end is `exit`, unless there is one already.
    pub fn end(&self, exit: Exit) {
        if self.end.set(exit).is_ok() {
            self.ended.notify_waiters();
        }
    }
    pub fn how_it_ended(&self) -> Option<&Exit> {
        self.end.get()
    }
    pub async fn ended(&self) {
        loop {
            let ended = self.ended.notified();
            tokio::pin!(ended);
            ended.as_mut().enable();
            if self.end.get().is_some() {
                return;
            }
            ended.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_that_nobody_listens_for_is_not_delivered() {
        let link = Link::new(1, Arc::default());
        let signal = Signal::parse("INT").expect("a signal");
        assert!(!link.signal(signal));
        link.add_listener();
        assert!(link.signal(signal) && link.signal(Signal::parse("TERM").expect("a signal")));
        assert_eq!(link.take_signals(8).as_deref(), Some("SIGINT\n"), "whole lines");
        assert_eq!(link.take_signals(64).as_deref(), Some("SIGTERM\n"));
        assert_eq!(link.take_signals(64), None);
    }

    #[tokio::test]
    async fn the_first_end_counts() {
        let link = Link::new(1, Arc::default());
        link.end(Exit::with_code(3));
        link.end(Exit::success());
        link.ended().await;
        assert_eq!(link.how_it_ended(), Some(&Exit::with_code(3)));
    }
}
