//! `stop` and `cont`.

use super::{Command, Verb, Wrong};
use crate::Task;
use std::sync::Arc;
use vfs::{Caller, Op};

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

struct Stop;

impl Command<Task> for Stop {
    fn apply<'a>(&'a self, task: &'a Arc<Task>, _who: &'a Caller) -> Op<'a, ()> {
        task.life.stop().into()
    }
}

struct Cont;

impl Command<Task> for Cont {
    fn apply<'a>(&'a self, task: &'a Arc<Task>, _who: &'a Caller) -> Op<'a, ()> {
        task.life.cont().into()
    }
}
