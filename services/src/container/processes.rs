//! `processes`: the container's tasks, of the same shape as /task.

use crate::container::make::{MakesProcesses, clone, new};
use crate::container::{attr, file};
use crate::synth::{Attr, only_truncates};
use crate::task::{Shown, directory, id};
use ::container::Container;
use std::sync::Arc;
use task::Task;
use vfs::{
    Caller, DirEntry, Errno, FileRef, Kind, Name, Nature, Node, NodeRef, Op, OpenFile, OpenFlags, Qid,
    SetStat, Sink, Stat,
};

/// Cookies below are those of new and clone; a process's is its number above this.
const FIRST: u64 = 16;

pub(super) fn node(container: Arc<Container>) -> NodeRef {
    Arc::new(Processes {
        // Sticky, as /task is.
        attr: attr(&container, Kind::Dir, file::PROCESSES, 0o1755),
        new: new(attr(&container, Kind::File, file::NEW_PROCESS, 0o400), MakesProcesses(container.clone())),
        clone: clone(
            attr(&container, Kind::File, file::CLONE_PROCESS, 0o600),
            MakesProcesses(container.clone()),
        ),
        container,
    })
}

struct Processes {
    attr: Attr,
    container: Arc<Container>,
    new: NodeRef,
    clone: NodeRef,
}

impl Processes {
    fn get(&self, name: &[u8]) -> Option<Arc<Task>> {
        let id = id(name)?;
        self.container.group().tasks().into_iter().find(|task| task.id == id)
    }
}

impl Node for Processes {
    fn qid(&self) -> Qid {
        self.attr.qid()
    }
    fn nature(&self) -> Nature {
        Nature::Device
    }
    fn stat(&self) -> Op<'_, Stat> {
        Op::ok(self.attr.stat())
    }
    fn setstat<'a>(&'a self, _who: &'a Caller, set: SetStat) -> Op<'a, ()> {
        only_truncates(set).map(|_| ()).into()
    }
    fn walk<'a>(&'a self, _who: &'a Caller, name: Name<'a>) -> Op<'a, NodeRef> {
        if self.container.was_destroyed() {
            return Op::err(Errno::ENOENT);
        }
        match name.as_bytes() {
            b"new" => Op::ok(self.new.clone()),
            b"clone" => Op::ok(self.clone.clone()),
            name => match self.get(name) {
                Some(task) => Op::ok(directory(Shown::aside(task))),
                None => Op::err(Errno::ENOENT),
            },
        }
    }
    fn rmdir<'a>(&'a self, _who: &'a Caller, name: Name<'a>) -> Op<'a, ()> {
        if id(name.as_bytes()).is_none() {
            return Op::err(Errno::EPERM);
        }
        let Some(task) = self.get(name.as_bytes()) else { return Op::err(Errno::ENOENT) };
        task.table().and_then(|table| table.remove(task.id)).into()
    }
    fn open<'a>(self: Arc<Self>, _who: &'a Caller, _flags: OpenFlags) -> Op<'a, FileRef> {
        Op::ok(Arc::new(OpenProcesses { node: self.clone(), processes: self }))
    }
}

struct OpenProcesses {
    node: NodeRef,
    processes: Arc<Processes>,
}

impl OpenFile for OpenProcesses {
    fn node(&self) -> &NodeRef {
        &self.node
    }
    fn readdir<'a>(&'a self, cookie: u64, sink: &'a mut Sink<'a>) -> Op<'a, ()> {
        let fixed = [("new", self.processes.new.qid()), ("clone", self.processes.clone.qid())];
        for (index, (name, qid)) in fixed.into_iter().enumerate() {
            let next = index as u64 + 1;
            let Ok(name) = Name::new(name.as_bytes()) else { continue };
            if next > cookie && !sink(DirEntry { name, qid, cookie: next }) {
                return Op::ok(());
            }
        }
        let tasks = self.processes.container.group().tasks();
        for task in tasks.into_iter().filter(|task| FIRST + u64::from(task.id.0) > cookie) {
            let (text, cookie) = (task.id.to_string(), FIRST + u64::from(task.id.0));
            let qid = Shown::aside(task).qid();
            // Digits are a name.
            let Ok(name) = Name::new(text.as_bytes()) else { continue };
            if !sink(DirEntry { name, qid, cookie }) {
                break;
            }
        }
        Op::ok(())
    }
}
