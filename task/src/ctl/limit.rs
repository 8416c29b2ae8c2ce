//! `limit`: what the task may use at most, also while it runs.

use super::{Command, Parsed, Verb, Wrong};
use crate::{Limits, Task};
use std::sync::Arc;
use vfs::{Caller, Op};

pub(super) const LIMIT: Verb = Verb {
    name: "limit",
    takes: "name=value…",
    does: "memory=64M cpu=2s wall=500ms files=64 output=1M tasks=8",
    parse,
};

struct Limit(Vec<String>);

fn parse(words: &[&str]) -> Parsed {
    if words.is_empty() {
        return Err(Wrong::Arguments);
    }
    let mut checked = Limits::default();
    words.iter().try_for_each(|word| checked.set(word))?;
    Ok(Box::new(Limit(words.iter().map(|w| (*w).to_owned()).collect())))
}

impl Command<Task> for Limit {
    fn apply<'a>(&'a self, task: &'a Arc<Task>, who: &'a Caller) -> Op<'a, ()> {
        let words: Vec<&str> = self.0.iter().map(String::as_str).collect();
        task.set_limits(who, &words).into()
    }
}
