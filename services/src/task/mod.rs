//! `/task`: tasks as files.
//!
//! ```text
//! /task/new        a task is made by the first read of an open file; its number is what is read
//!       clone      a task is made by the open; the open file is its ctl, reading gives its number
//!       self/      the directory of the task that asks; from outside there is none
//!       <id>/      one task                                               directory.rs
//!         ctl                                                             ctl.rs
//!         type cmd argv env cwd alias limits caps     to set and to see   setting.rs
//!         ns                                                              ns.rs
//!         status wait exitcode pid ppid container usage   to see          report.rs
//!         trace                                                           trace.rs
//!         stdio/0 1 2                                                     crate task, stdio/node.rs
//!         root/     the namespace as the task sees it: a portal into it   directory.rs
//! ```
//!
//! Looking makes nothing: grep -r and its like open what they come across with O_NONBLOCK, and to such an open `new` and
//! `clone` are empty. A guest sees the directories of itself and of the tasks below it, and no others.

mod ctl;
mod directory;
mod make;
mod ns;
mod report;
mod root;
mod setting;
mod trace;

use crate::synth::Attr;
use ::task::{Task, TaskTable};
use std::ops::Deref;
use std::sync::Arc;
use vfs::{Caller, Kind, NodeRef, Qid, Time};

pub(crate) use directory::node as directory;
pub(crate) use make::{Make, Makes, Product, clone, new};
pub(crate) use root::{id, tree};
pub(crate) use setting::parse_caps;

/// Numbers of the files that belong to no task.
mod number {
    pub const ROOT: u64 = 1;
    pub const NEW: u64 = 2;
    pub const CLONE: u64 = 3;
}

/// Numbers of the files of one task; 1 to 3 are its stdio.
mod file {
    pub const DIRECTORY: u64 = task::Task::DIRECTORY;
    pub const STDIO: u64 = 17;
    pub const ROOT: u64 = 18;
    pub const CTL: u64 = 19;
    pub const NS: u64 = 20;
    pub const TRACE: u64 = 21;
    pub const SETTINGS: u64 = 32;
    pub const REPORTS: u64 = 64;
}

/// A task as a directory shows it. /task and its container's `processes` show the same, in files of which each has an
/// identity of its own: a kernel knows but one parent of a directory.
#[derive(Clone)]
pub(crate) struct Shown {
    task: Arc<Task>,
    aside: bool,
}

impl Shown {
    /// In /task.
    pub fn first(task: Arc<Task>) -> Shown {
        Shown { task, aside: false }
    }
    /// In `processes`.
    pub fn aside(task: Arc<Task>) -> Shown {
        Shown { task, aside: true }
    }

    fn path(&self, file: u64) -> u64 {
        self.task.file_path(if self.aside { file | Task::ASIDE } else { file })
    }
    /// The identity of its directory.
    pub fn qid(&self) -> Qid {
        Qid { kind: Kind::Dir, version: 0, path: self.path(file::DIRECTORY) }
    }
}

impl Deref for Shown {
    type Target = Arc<Task>;
    fn deref(&self) -> &Arc<Task> {
        &self.task
    }
}

/// The attributes of a file of `task`: they are its owner's.
fn attr(task: &Shown, kind: Kind, file: u64, mode: u32) -> Attr {
    let (uid, gid) = task.owner();
    Attr { uid, gid, born: task.born(), ..Attr::of_server(kind, task.path(file), mode) }
}

fn attr_of_none(table: &TaskTable, kind: Kind, number: u64, mode: u32, born: Time) -> Attr {
    Attr { born, ..Attr::of_server(kind, table.file_path(number), mode) }
}

/// The directory of the task that `who` is, where he is one.
fn own(table: &Arc<TaskTable>, who: &Caller) -> Option<NodeRef> {
    table.get(who.task?).map(|task| directory(Shown::first(task)))
}
