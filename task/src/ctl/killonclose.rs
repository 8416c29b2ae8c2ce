//! `killonclose`: the last close of ctl ends the task.

use super::{Command, Verb, Wrong};
use crate::Task;
use std::sync::Arc;
use vfs::{Caller, Op};

pub(super) const KILLONCLOSE: Verb = Verb {
    name: "killonclose",
    takes: "",
    does: "the last close of ctl ends the task (cmd(3))",
    parse: |words| if words.is_empty() { Ok(Box::new(KillOnClose)) } else { Err(Wrong::Arguments) },
};

struct KillOnClose;

impl Command<Task> for KillOnClose {
    fn apply<'a>(&'a self, task: &'a Arc<Task>, _who: &'a Caller) -> Op<'a, ()> {
        task.set_killonclose();
        Op::ok(())
    }
}
