//! `spawn`: a process from a command line.

use super::Verb;
use crate::Container;
use std::sync::Arc;
use task::ctl::language::{Command, Wrong};
use vfs::{Caller, Op};

pub(super) const SPAWN: Verb = Verb {
    name: "spawn",
    takes: "program [arg…] | 'line'",
    does: "start a process; one quoted line is for sh",
    parse: |words| match words {
        [] | [""] => Err(Wrong::Arguments),
        words => Ok(Box::new(Spawn(words.iter().map(|word| (*word).to_owned()).collect()))),
    },
};

struct Spawn(Vec<String>);

impl Command<Container> for Spawn {
    fn apply<'a>(&'a self, container: &'a Arc<Container>, who: &'a Caller) -> Op<'a, ()> {
        Op::started(async move { container.spawn(who, &self.0).await.map(|_| ()) })
    }
}
