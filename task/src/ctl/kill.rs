//! `kill`: ends a task, or sends it a signal that it may handle.

use super::{Command, Parsed, Verb, Wrong};
use crate::Task;
use crate::signal::Signal;
use std::sync::Arc;
use vfs::{Caller, Op};

pub(super) const KILL: Verb =
    Verb { name: "kill", takes: "[signal]", does: "end it; with a signal (TERM, 15 …), send that", parse };

struct Kill(Signal);

fn parse(words: &[&str]) -> Parsed {
    match words {
        [] => Ok(Box::new(Kill(Signal::KILL))),
        [word] => Ok(Box::new(Kill(Signal::parse(word)?))),
        _ => Err(Wrong::Arguments),
    }
}

impl Command<Task> for Kill {
    fn apply<'a>(&'a self, task: &'a Arc<Task>, who: &'a Caller) -> Op<'a, ()> {
        let ends = match task.signal(self.0) {
            Ok(ends) => ends,
            Err(error) => return Op::err(error),
        };
        // A task that kills itself does not live to see it done.
        if !ends || who.task == Some(task.id) || task.life.running().is_none() {
            return Op::ok(());
        }
        // Done is ended, so that `remove` may follow at once; a program that does not end is given up in time.
        Op::started(async move {
            task.life.ended().await;
            Ok(())
        })
    }
}
