//! `ns`: the namespace as text. What was read can be written back, here or to another task: a text that begins with the
//! mount of `/` rebuilds the namespace of a new task, other lines are added to it.

use crate::synth::{Edit, Edited};
use crate::task::{Shown, attr, file};
use std::sync::Arc;
use task::Task;
use vfs::{Caller, Kind, NodeRef, Op};

pub(super) fn node(task: Shown) -> NodeRef {
    Edited::node(attr(&task, Kind::File, file::NS, 0o644), Ns(task.task))
}

struct Ns(Arc<Task>);

impl Edit for Ns {
    fn name(&self) -> &'static str {
        "ns"
    }
    fn text(&self) -> Vec<u8> {
        self.0.ns_text()
    }
    fn change<'a>(&'a self, who: &'a Caller, lines: Vec<u8>) -> Op<'a, ()> {
        Op::started(async move { self.0.write_ns(who, &lines).await })
    }
}
