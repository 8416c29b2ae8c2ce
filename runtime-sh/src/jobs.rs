//! Background jobs: what `&` set going, how it ended, and how it is reached by `kill`, `wait` and `$!`.

use crate::traps;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Weak};
use task::{Signal, Task};
use tokio::sync::watch;

/// Numbers of jobs that are no task of their own begin here: no task's number comes this far.
const OWN: u32 = 1 << 30;

static NEXT: AtomicU32 = AtomicU32::new(OWN);

/// One job.
pub(crate) struct Job {
    /// `%1` …
    pub number: u32,
    pub text: Vec<u8>,
    /// What `$!` gives where it turns out to be no task.
    own: u32,
    pid: watch::Sender<Option<u32>>,
    done: watch::Sender<Option<u8>>,
    killed: watch::Sender<Option<i32>>,
    stopped: watch::Sender<bool>,
    /// Programs that it has started.
    tasks: Mutex<Vec<Weak<Task>>>,
}

impl Job {
    pub fn new(number: u32, text: Vec<u8>) -> Arc<Job> {
        let own = NEXT.fetch_add(1, Ordering::Relaxed);
        Arc::new(Job {
            number,
            text,
            own,
            pid: watch::Sender::new(None),
            done: watch::Sender::new(None),
            killed: watch::Sender::new(None),
            stopped: watch::Sender::new(false),
            tasks: Mutex::default(),
        })
    }
    /// Decides what `$!` gives: the number of the task that the job is, or one of its own. The first word counts.
    pub fn settle(&self, task: Option<u32>) {
        self.pid.send_if_modified(|pid| {
            let first = pid.is_none();
            if first {
                *pid = Some(task.unwrap_or(self.own));
            }
            first
        });
    }
    /// What `$!` gives, once that is known.
    pub async fn pid(&self) -> u32 {
        let mut pid = self.pid.subscribe();
        // The sender lives as long as we do.
        let known = pid.wait_for(Option::is_some).await.ok().and_then(|pid| *pid);
        known.unwrap_or(self.own)
    }
    pub fn known_pid(&self) -> u32 {
        self.pid.borrow().unwrap_or(self.own)
    }
    pub fn finish(&self, status: u8) {
        self.settle(None);
        self.done.send_replace(Some(status));
    }
    pub fn status(&self) -> Option<u8> {
        *self.done.borrow()
    }
    pub async fn ended(&self) -> u8 {
        let mut done = self.done.subscribe();
        done.wait_for(Option::is_some).await.ok().and_then(|status| *status).unwrap_or(0)
    }
    /// Done when it is to end, by a signal.
    pub async fn killed(&self) -> i32 {
        let mut killed = self.killed.subscribe();
        match killed.wait_for(Option::is_some).await.map(|signal| *signal) {
            Ok(Some(signal)) => signal,
            _ => std::future::pending().await,
        }
    }
    pub fn add_task(&self, task: &Arc<Task>) {
        let mut tasks = self.tasks.lock();
        tasks.retain(|task| task.upgrade().is_some_and(|task| task.life.end().is_none()));
        tasks.push(Arc::downgrade(task));
    }
    pub fn set_stopped(&self) {
        self.stopped.send_replace(true);
    }
    pub fn is_stopped(&self) -> bool {
        *self.stopped.borrow()
    }

    /// Sends it a signal: to the programs that it runs, and to itself where it is more than one program.
    pub fn signal(&self, signal: i32) {
        let tasks: Vec<Arc<Task>> = self.tasks.lock().iter().filter_map(Weak::upgrade).collect();
        let alive: Vec<&Arc<Task>> = tasks.iter().filter(|task| task.life.end().is_none()).collect();
        for task in &alive {
            match signal {
                // What is typed for a job stops it, whatever it would do about it.
                libc::SIGTSTP => drop(task.stop_together()),
                _ => deliver_together(task, signal),
            }
        }
        match signal {
            libc::SIGSTOP | libc::SIGTSTP => {
                self.stopped.send_replace(true);
            }
            libc::SIGCONT => {
                self.stopped.send_replace(false);
            }
            _ if alive.is_empty() || self.known_pid() == self.own => {
                self.killed.send_replace(Some(signal));
            }
            _ => {}
        }
    }
}

/// Sends a task a signal, as `kill` of its ctl does; 0 only asks. False where it has ended.
pub(crate) fn deliver(task: &Arc<Task>, signal: i32) -> bool {
    let Some(running) = task.life.running() else { return false };
    match Signal::numbered(signal) {
        _ if signal == 0 => true,
        Some(signal) => task.signal(signal).is_ok(),
        None => running.signal(signal) || task.life.kill(traps::end_by(signal)).is_ok(),
    }
}

/// Sends it to a task and to the others of its process group, who hear of it first: their maker's end is theirs.
pub(crate) fn deliver_together(task: &Arc<Task>, signal: i32) {
    for other in task.together() {
        deliver(&other, signal);
    }
    deliver(task, signal);
}

/// The jobs of one shell.
#[derive(Default)]
pub(crate) struct Jobs(Vec<Arc<Job>>);

impl Jobs {
    pub fn add(&mut self, text: Vec<u8>) -> Arc<Job> {
        let number = self.0.iter().map(|job| job.number).max().unwrap_or(0) + 1;
        let job = Job::new(number, text);
        // Of those that have ended and were not asked for, some are remembered.
        if self.0.len() > 1000 {
            self.0.retain(|job| job.status().is_none());
        }
        self.0.push(job.clone());
        job
    }
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Arc<Job>> {
        self.0.iter()
    }
    pub fn forget(&mut self, job: &Arc<Job>) {
        self.0.retain(|known| !Arc::ptr_eq(known, job));
    }
    /// `%1`, `%%`, `%+`, `%-`, `%text`, or what `$!` gave.
    pub fn find(&self, word: &[u8]) -> Option<Arc<Job>> {
        let text = std::str::from_utf8(word).ok()?;
        let Some(name) = text.strip_prefix('%') else {
            let pid: u32 = text.parse().ok()?;
            return self.0.iter().rev().find(|job| job.known_pid() == pid).cloned();
        };
        match name {
            "" | "%" | "+" => self.0.last().cloned(),
            "-" => self.0.iter().rev().nth(1).or(self.0.last()).cloned(),
            _ => match name.parse::<u32>() {
                Ok(number) => self.0.iter().find(|job| job.number == number).cloned(),
                Err(_) => self.0.iter().rev().find(|job| job.text.starts_with(name.as_bytes())).cloned(),
            },
        }
    }
}
