//! `ctl` of a task.

use crate::synth::{self, Attr, Commanded};
use crate::task::{Shown, attr, file};
use std::sync::Arc;
use task::{Task, ctl};
use vfs::{Caller, FileRef, Kind, NodeRef, Op, OpenFlags};

impl Commanded for Arc<Task> {
    fn id(&self) -> u32 {
        self.id.0
    }
    fn help(&self) -> String {
        ctl::help(self)
    }
    fn command<'a>(&'a self, who: &'a Caller, lines: &'a [u8]) -> Op<'a, ()> {
        ctl::write(self, who, lines)
    }
    fn opened(&self) {
        self.ctl_opened();
    }
    fn closed(&self) {
        self.ctl_closed();
    }
}

pub(super) fn node(task: Shown) -> NodeRef {
    synth::ctl::node(attributes(&task), task.task)
}

/// The ctl of a task that was just made by opening `clone`.
pub(super) fn open_clone(task: Shown, who: &Caller, flags: OpenFlags) -> FileRef {
    synth::ctl::open_clone(attributes(&task), task.task, who, flags)
}

fn attributes(task: &Shown) -> Attr {
    attr(task, Kind::File, file::CTL, 0o644)
}
