//! `alias`: a name for people.

use super::{Command, Parsed, Verb, Wrong};
use crate::Task;
use std::sync::Arc;
use vfs::{Caller, Errno, Error, Op};

pub(super) const ALIAS: Verb = Verb { name: "alias", takes: "name", does: "name it, for people", parse };

struct Alias(String);

fn parse(words: &[&str]) -> Parsed {
    match words {
        [name] if name.contains('\n') => Err(Error::new(Errno::EINVAL, "an alias is one line").into()),
        [name] => Ok(Box::new(Alias((*name).to_owned()))),
        _ => Err(Wrong::Arguments),
    }
}

impl Command<Task> for Alias {
    fn apply<'a>(&'a self, task: &'a Arc<Task>, _who: &'a Caller) -> Op<'a, ()> {
        task.set_alias(&self.0);
        Op::ok(())
    }
}
