//! `stop`, `cont` and `waitstop` (proc(3)).

use super::{Command, Verb, Wrong};
use crate::{State, Task};
use std::sync::Arc;
use vfs::{Caller, Errno, Error, Op};

pub(super) const STOP: Verb = Verb {
    name: "stop",
    takes: "",
    does: "freeze it (SIGSTOP)",
    parse: |words| if words.is_empty() { Ok(Box::new(Stop)) } else { Err(Wrong::Arguments) },
};

pub(super) const CONT: Verb = Verb {
    name: "cont",
    takes: "",
    does: "let it go on",
    parse: |words| if words.is_empty() { Ok(Box::new(Cont)) } else { Err(Wrong::Arguments) },
};

pub(super) const WAITSTOP: Verb = Verb {
    name: "waitstop",
    takes: "",
    does: "done once it is stopped; an error when it ends before",
    parse: |words| if words.is_empty() { Ok(Box::new(WaitStop)) } else { Err(Wrong::Arguments) },
};

struct Stop;

impl Command<Task> for Stop {
    fn apply<'a>(&'a self, task: &'a Arc<Task>, _who: &'a Caller) -> Op<'a, ()> {
        task.life.stop().into()
    }
}

struct Cont;

impl Command<Task> for Cont {
    fn apply<'a>(&'a self, task: &'a Arc<Task>, _who: &'a Caller) -> Op<'a, ()> {
        // What is typed at a terminal stops its whole group.
        if task.tty.is_on() { task.cont_together().into() } else { task.life.cont().into() }
    }
}

struct WaitStop;

impl Command<Task> for WaitStop {
    fn apply<'a>(&'a self, task: &'a Arc<Task>, _who: &'a Caller) -> Op<'a, ()> {
        Op::started(async move {
            let mut state = task.life.watch();
            let reached = state.wait_for(|state| matches!(state, State::Stopped | State::Exited)).await;
            match reached.map(|state| *state) {
                Ok(State::Stopped) => Ok(()),
                _ => Err(Error::new(Errno::ESRCH, format!("waitstop: task {} has exited", task.id))),
            }
        })
    }
}
