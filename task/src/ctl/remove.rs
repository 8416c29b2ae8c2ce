//! `remove`: the task goes from the table; one that runs is refused.

use super::{Command, Verb, Wrong};
use crate::Task;
use std::sync::Arc;
use vfs::{Caller, Op};

pub(super) const REMOVE: Verb = Verb {
    name: "remove",
    takes: "",
    does: "forget it, unless it runs (as rmdir does)",
    parse: |words| if words.is_empty() { Ok(Box::new(Remove)) } else { Err(Wrong::Arguments) },
};

struct Remove;

impl Command<Task> for Remove {
    fn apply<'a>(&'a self, task: &'a Arc<Task>, _who: &'a Caller) -> Op<'a, ()> {
        task.table().and_then(|table| table.remove(task.id)).into()
    }
}
