//! Signals: names that come from the server, for a listener of the program or with the end that POSIX gives them.
//!
//! They are taken by whichever thread reads the socket. While the program computes, nobody does; so a watch looks now and
//! then, and a signal that nobody listens for ends even an endless loop. While the program's runtime waits, which reads the
//! socket itself, the watch sleeps. Where a program has several threads, the watch is who reads, for none of them may wait
//! for another to have time.

use crate::control::{Control, Exit};
use crate::link::{Handle, Link, Sent};
use nine::wire::{OpenFlags, Rmessage, Tmessage};
use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;
use tokio::sync::watch;

/// How often the watch looks.
const TICK: Duration = Duration::from_millis(100);

/// What a signal does where nobody listens for it; the others end the task.
const HARMLESS: [&str; 4] = ["SIGCHLD", "SIGCONT", "SIGURG", "SIGWINCH"];

/// These stop it.
const STOPS: [&str; 3] = ["SIGTSTP", "SIGTTIN", "SIGTTOU"];

/// The main thread waits in its runtime.
static RESTS: AtomicBool = AtomicBool::new(false);
/// The watch sleeps until that has an end.
static SLEEPS: AtomicBool = AtomicBool::new(false);
static WATCH: OnceLock<Thread> = OnceLock::new();

/// The main thread's runtime is about to wait.
pub fn rests() {
    RESTS.store(true, Ordering::SeqCst);
}

/// The main thread's runtime has something to do.
pub fn goes_on() {
    RESTS.store(false, Ordering::SeqCst);
    if SLEEPS.swap(false, Ordering::SeqCst) {
        wake_watch();
    }
}

fn wake_watch() {
    if let Some(watch) = WATCH.get() {
        watch.unpark();
    }
}

/// Where signals arrive.
pub struct Desk {
    /// The watch is to read whatever comes.
    leads: AtomicBool,
    control: Control,
    link: Arc<Link>,
    file: Handle,
    pending: Mutex<Option<Sent>>,
    listeners: Mutex<HashMap<String, Vec<Weak<watch::Sender<u64>>>>>,
}

impl Desk {
    /// Begins to listen.
    ///
    /// # Errors
    /// The server's.
    pub fn open(control: &Control, link: &Arc<Link>) -> io::Result<Arc<Desk>> {
        let desk = Arc::new(Desk {
            leads: AtomicBool::new(false),
            control: control.clone(),
            link: link.clone(),
            file: control.open(&["signals"], OpenFlags::empty())?,
            pending: Mutex::default(),
            listeners: Mutex::default(),
        });
        desk.take()?;
        let watch = desk.clone();
        let watch = std::thread::Builder::new()
            .name("signals".into())
            .stack_size(256 << 10)
            .spawn(move || watch.watch())?;
        // One a process.
        let _ = WATCH.set(watch.thread().clone());
        Ok(desk)
    }

    /// The program has several threads from now on.
    pub fn lead(&self) {
        if !self.leads.swap(true, Ordering::SeqCst) {
            wake_watch();
        }
    }

    /// Somebody wants to know of `signal`, as long as he holds what is returned.
    pub fn listen(&self, signal: &str) -> Arc<watch::Sender<u64>> {
        let bell = Arc::new(watch::Sender::new(0));
        let mut listeners = self.listeners.lock().expect("no holder of the lock panics");
        listeners.entry(signal.to_owned()).or_default().push(Arc::downgrade(&bell));
        bell
    }

    /// The program sends itself a signal.
    pub fn raise(&self, signal: &str) {
        let mut listeners = self.listeners.lock().expect("no holder of the lock panics");
        let heard = listeners.get_mut(signal).is_some_and(|all| {
            all.retain(|bell| match bell.upgrade() {
                Some(bell) => {
                    bell.send_modify(|count| *count += 1);
                    true
                }
                None => false,
            });
            !all.is_empty()
        });
        drop(listeners);
        if heard || HARMLESS.contains(&signal) {
            return;
        }
        if STOPS.contains(&signal) {
            // Where it is stopped already, there is nothing to do.
            if let Err(e) = self.control.write(&["signals"], signal.as_bytes()) {
                crate::log::say(format_args!("{signal}: {e}"));
            }
        } else {
            self.control.exit(Exit { signal: Some(signal.to_owned()), ..Exit::default() });
        }
    }

    /// Takes what has come, and asks for more.
    fn take(self: &Arc<Self>) -> io::Result<()> {
        let waker = Waker::from(self.clone());
        loop {
            let mut pending = self.pending.lock().expect("no holder of the lock panics");
            if pending.is_none() {
                let mut batch = self.link.batch();
                batch.push(&Tmessage::Read { fid: self.file.fid(), offset: 0, count: 4096 });
                *pending = Some(batch.send()?);
            }
            let sent = pending.as_mut().expect("just filled");
            let Poll::Ready(answers) = sent.look(&mut Context::from_waker(&waker)) else {
                return Ok(());
            };
            *pending = None;
            drop(pending);
            for answer in answers {
                match answer.reply()? {
                    // The end of the file: no signal will ever come.
                    Rmessage::Read { data } if data.0.is_empty() => return Ok(()),
                    Rmessage::Read { data } => {
                        String::from_utf8_lossy(data.0).lines().for_each(|signal| self.raise(signal));
                    }
                    other => return Err(crate::link::unexpected(&other)),
                }
            }
        }
    }

    fn watch(&self) {
        while !self.leads.load(Ordering::SeqCst) {
            SLEEPS.store(true, Ordering::SeqCst);
            if RESTS.load(Ordering::SeqCst) {
                std::thread::park();
            }
            SLEEPS.store(false, Ordering::SeqCst);
            std::thread::park_timeout(TICK);
            self.link.read_what_lies_there();
        }
        loop {
            self.link.read_for_all();
        }
    }
}

impl Wake for Desk {
    fn wake(self: Arc<Self>) {
        if let Err(e) = self.take() {
            crate::log::say(format_args!("signals: {e}"));
        }
    }
}
