//! `kill`: ends a task, or sends it a signal that it may handle.

use super::{Command, Parsed, Verb, Wrong};
use crate::Task;
use crate::signal::Signal;
use std::sync::Arc;
use vfs::{Caller, Errno, Error, Op};

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
        match self.0 {
            Signal::STOP => return task.life.stop().into(),
            Signal::CONT => return task.life.cont().into(),
            Signal::KILL => {}
            signal => {
                let Some(running) = task.life.running() else {
                    let text = format!("kill: task {} is not running", task.id);
                    return Op::err(Error::new(Errno::EBUSY, text));
                };
                // A runtime that can deliver no signals: the default action of nearly all is the end.
                if running.signal(signal.number()) {
                    return Op::ok(());
                }
            }
        }
        if let Err(error) = task.life.kill(self.0.exit()) {
            return Op::err(error);
        }
        // A task that kills itself does not live to see it done.
        if who.task == Some(task.id) || task.life.running().is_none() {
            return Op::ok(());
        }
        // Done is ended, so that `remove` may follow at once; a program that does not end is given up in time.
        Op::started(async move {
            task.life.ended().await;
            Ok(())
        })
    }
}
