//! What threads do to each other, as shuttle schedules them: at every lock, every notice and every atomic of the types that
//! are tried, another thread may come in between, and a thread that nobody wakes any more is a failure.
//!
//! The scenes are tests, a module each for streams, trees, a task's life and a 9P connection. They run in a copy of the tree
//! whose locks, notices and atomics are shuttle's, which `run` makes; a schedule that fails is printed, and played again with
//! [`shuttle::replay`]. What polls in every order of one thread is fuzz/tests/interleave.rs.

#![cfg(test)]

mod connection;
mod life;
mod overlays;
mod streams;
mod tasks;
mod trees;

use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::{Config, Runner};
use std::future::Future;
use tokio::sync::oneshot;

/// Schedules of each kind that a scene is played in, where SCHEDULES says nothing.
const SCHEDULES: usize = 5000;
/// Preemptions that a bug may need, for the scheduler that looks for those of few.
const PREEMPTIONS: usize = 3;

/// Plays a scene in many schedules: at random, and with few preemptions at unlikely places.
fn in_many_schedules(scene: impl Fn() + Send + Sync + Clone + 'static) {
    let said = std::env::var("SCHEDULES").ok().and_then(|said| said.parse().ok());
    let schedules = said.unwrap_or(SCHEDULES);
    let schedulers: [Box<dyn Scheduler + Send>; 2] =
        [Box::new(RandomScheduler::new(schedules)), Box::new(PctScheduler::new(PREEMPTIONS, schedules))];
    for scheduler in schedulers {
        let mut config = Config::new();
        config.stack_size = 1 << 20;
        Runner::new(scheduler, config).run(scene.clone());
    }
}

/// A thread that drives a future to its end.
fn thread(body: impl Future<Output = ()> + Send + 'static) -> shuttle::thread::JoinHandle<()> {
    shuttle::thread::spawn(|| shuttle::future::block_on(body))
}

/// Whoever may lose patience: his thread, and how to end it.
struct Fickle {
    thread: shuttle::thread::JoinHandle<()>,
    leave: oneshot::Sender<()>,
}

/// A thread whose future is dropped where it waits when it is told to leave: a request that is flushed, a task that is killed.
fn fickle(body: impl Future<Output = ()> + Send + 'static) -> Fickle {
    let (leave, left) = oneshot::channel();
    let thread = thread(async move {
        tokio::select! {
            _ = left => {}
            () = body => {}
        }
    });
    Fickle { thread, leave }
}

impl Fickle {
    fn leave(self) {
        let _gone = self.leave.send(());
        self.thread.join().expect("it did not panic");
    }
}

fn join(threads: Vec<shuttle::thread::JoinHandle<()>>) {
    for thread in threads {
        thread.join().expect("it did not panic");
    }
}
