//! `start` and `exec`.

use super::{Command, Parsed, Verb, Wrong};
use crate::Task;
use std::sync::Arc;
use vfs::{Caller, Op};

pub(super) const START: Verb = Verb {
    name: "start",
    takes: "",
    does: "run cmd; done means started",
    parse: |words| if words.is_empty() { Ok(Box::new(Start)) } else { Err(Wrong::Arguments) },
};

pub(super) const EXEC: Verb =
    Verb { name: "exec", takes: "program [arg…]", does: "set cmd and start", parse: parse_exec };

struct Start;

impl Command<Task> for Start {
    fn apply<'a>(&'a self, task: &'a Arc<Task>, who: &'a Caller) -> Op<'a, ()> {
        task.start(who)
    }
}

/// As cmd(3) has it.
struct Exec {
    argv: Vec<Vec<u8>>,
}

fn parse_exec(words: &[&str]) -> Parsed {
    if words.is_empty() {
        return Err(Wrong::Arguments);
    }
    Ok(Box::new(Exec { argv: words.iter().map(|w| w.as_bytes().to_vec()).collect() }))
}

impl Command<Task> for Exec {
    fn apply<'a>(&'a self, task: &'a Arc<Task>, who: &'a Caller) -> Op<'a, ()> {
        let mut before = Vec::new();
        let set = task.change_spec("exec", |spec| {
            before = std::mem::replace(&mut spec.argv, self.argv.clone());
            Ok(())
        });
        Op::from(set).and_then(|()| task.start(who)).map_err(|error| {
            // What could not be started changes nothing, unless somebody has set another command since.
            let _started_since = task.change_spec("exec", |spec| {
                if spec.argv == self.argv {
                    spec.argv = before;
                }
                Ok(())
            });
            error
        })
    }
}
