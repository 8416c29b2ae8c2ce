//! `eof` and `hangup`: when the input ends.

use super::{Command, Verb, Wrong};
use crate::Task;
use std::sync::Arc;
use vfs::{Caller, Op};

pub(super) const EOF: Verb = Verb {
    name: "eof",
    takes: "",
    does: "end stdio/0",
    parse: |words| if words.is_empty() { Ok(Box::new(Eof)) } else { Err(Wrong::Arguments) },
};

pub(super) const HANGUP: Verb = Verb {
    name: "hangup",
    takes: "[on|off]",
    does: "a writer's last close ends stdio/0",
    parse: |words| match words {
        [] | ["on"] => Ok(Box::new(Hangup(true))),
        ["off"] => Ok(Box::new(Hangup(false))),
        _ => Err(Wrong::Arguments),
    },
};

struct Eof;

impl Command<Task> for Eof {
    fn apply<'a>(&'a self, task: &'a Arc<Task>, _who: &'a Caller) -> Op<'a, ()> {
        task.stdio.stdin.end();
        Op::ok(())
    }
}

struct Hangup(bool);

impl Command<Task> for Hangup {
    fn apply<'a>(&'a self, task: &'a Arc<Task>, _who: &'a Caller) -> Op<'a, ()> {
        task.stdio.stdin.set_hangup(self.0);
        Op::ok(())
    }
}
