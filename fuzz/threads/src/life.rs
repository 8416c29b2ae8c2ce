//! A task's start, its end, and those who ask for either at once.

use crate::{in_many_schedules, join, thread};
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use std::sync::Arc;
use task::{Exit, Life, Limits, Running, State};
use tokio::sync::Notify;
use vfs::TaskId;

/// A program that ends when it is killed.
#[derive(Default)]
struct Program {
    killed: Mutex<Vec<Exit>>,
    stopped: Mutex<bool>,
    end: Notify,
}

impl Running for Program {
    fn stop(&self) {
        *self.stopped.lock() = true;
    }
    fn cont(&self) {
        *self.stopped.lock() = false;
    }
    fn kill(&self, exit: Exit) {
        self.killed.lock().push(exit);
        self.end.notify_one();
    }
    fn set_limits(&self, _: Limits) {}
    fn wait(&self) -> BoxFuture<'static, Exit> {
        unreachable!("the scene waits for it itself")
    }
}

fn line(exit: &Exit) -> Vec<u8> {
    format!("{exit:?}").into_bytes()
}

#[test]
fn a_kill_that_is_accepted_ends_the_program_or_its_start_and_everybody_hears_of_the_same_end() {
    in_many_schedules(|| {
        let life = Arc::new(Life::new(TaskId(1)));
        let starter = life.clone();
        let starts = thread(async move {
            let starting = starter.begin().expect("nobody else starts it");
            let program = Arc::new(Program::default());
            starting.started(program.clone());
            program.end.notified().await;
            let exit = program.killed.lock()[0].clone();
            starter.finish(exit, |exit, _| line(exit));
        });
        let ends = Arc::new(Mutex::new(Vec::new()));
        let waiting = (0..2).map(|_| {
            let (life, ends) = (life.clone(), ends.clone());
            thread(async move {
                let end = life.ended().await;
                ends.lock().push(end.line.clone());
            })
        });
        let mut threads: Vec<_> = waiting.collect();
        threads.push(starts);
        let killers = [137, 143].map(|status| {
            let life = life.clone();
            thread(async move {
                let mut changes = life.watch();
                // A new task refuses: it is asked again with each change.
                while life.kill(Exit::killed(status, "killed")).is_err() && life.state() != State::Exited {
                    let _ = changes.changed().await;
                }
            })
        });
        threads.extend(killers);
        join(threads);
        let ends = ends.lock();
        assert_eq!(ends.len(), 2);
        assert_eq!(ends[0], ends[1]);
        assert_eq!(life.state(), State::Exited);
    });
}

#[test]
fn one_of_two_starts_begins_and_the_other_is_refused() {
    in_many_schedules(|| {
        let life = Arc::new(Life::new(TaskId(1)));
        let started = Arc::new(Mutex::new(0));
        let starts = (0..2).map(|_| {
            let (life, started) = (life.clone(), started.clone());
            thread(async move {
                if let Ok(starting) = life.begin() {
                    starting.started(Arc::new(Program::default()));
                    *started.lock() += 1;
                }
            })
        });
        join(starts.collect());
        assert_eq!((*started.lock(), life.state()), (1, State::Running));
    });
}

#[test]
fn stops_and_conts_leave_a_program_as_its_state_says() {
    in_many_schedules(|| {
        let life = Arc::new(Life::new(TaskId(1)));
        let program = Arc::new(Program::default());
        life.begin().expect("new").started(program.clone());
        let turns = (0..2).flat_map(|_| {
            let [stops, conts] = [life.clone(), life.clone()];
            [thread(async move { drop(stops.stop()) }), thread(async move { drop(conts.cont()) })]
        });
        join(turns.collect());
        assert_eq!(*program.stopped.lock(), life.state() == State::Stopped);
    });
}
