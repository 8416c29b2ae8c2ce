//! `bind`, `mount`, `unmount` and `cd`: changes of the task's namespace, also while it runs.

use super::{Command, Parsed, Verb, Wrong};
use crate::Task;
use crate::ns_text::{self, Change};
use std::sync::Arc;
use vfs::{Caller, Op};

pub(super) const BIND: Verb = Verb {
    name: "bind",
    takes: "[-abc] new old",
    does: "make new appear at old (after, before, create)",
    parse: |words| parse("bind", words),
};
pub(super) const MOUNT: Verb = Verb {
    name: "mount",
    takes: "[-abc] spec old",
    does: "mount a tree",
    parse: |words| parse("mount", words),
};
pub(super) const UNMOUNT: Verb = Verb {
    name: "unmount",
    takes: "[new] old",
    does: "undo what was bound or mounted",
    parse: |words| parse("unmount", words),
};
pub(super) const CD: Verb =
    Verb { name: "cd", takes: "dir", does: "set cwd", parse: |words| parse("cd", words) };

fn parse(verb: &str, words: &[&str]) -> Parsed {
    let all: Vec<&str> = std::iter::once(verb).chain(words.iter().copied()).collect();
    Change::parse(&all)
        .map(|change| Box::new(change) as Box<dyn Command<Task>>)
        .map_err(|ns_text::Wrong| Wrong::Arguments)
}

impl Command<Task> for Change {
    fn apply<'a>(&'a self, task: &'a Arc<Task>, who: &'a Caller) -> Op<'a, ()> {
        Op::started(task.change_ns(who, self))
    }
}
