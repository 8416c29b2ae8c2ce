//! `ctl`: a write is commands, a read says which there are.

use crate::synth::{Attr, Made, only_truncates, unless_blocking};
use crate::task::{attr, file};
use std::sync::Arc;
use task::Task;
use vfs::{Caller, Errno, FileRef, Kind, Nature, Node, NodeRef, Op, OpenFile, OpenFlags, Qid, SetStat, Stat};

pub(super) struct Ctl {
    attr: Attr,
    task: Arc<Task>,
}

impl Ctl {
    pub fn new(task: Arc<Task>) -> Arc<Ctl> {
        Arc::new(Ctl { attr: attr(&task, Kind::File, file::CTL, 0o644), task })
    }

    fn open_as(self: Arc<Self>, who: &Caller, flags: OpenFlags, cloned: bool) -> FileRef {
        self.task.ctl_opened();
        Arc::new(OpenCtl {
            node: self.clone(),
            ctl: self,
            who: who.clone(),
            flags,
            cloned,
            made: Made::default(),
        })
    }
}

/// The ctl of a task that was just made by opening `clone`.
pub(super) fn open_clone(task: Arc<Task>, who: &Caller, flags: OpenFlags) -> FileRef {
    Ctl::new(task).open_as(who, flags, true)
}

impl Node for Ctl {
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
    fn open<'a>(self: Arc<Self>, who: &'a Caller, flags: OpenFlags) -> Op<'a, FileRef> {
        Op::ok(self.open_as(who, flags, false))
    }
}

struct OpenCtl {
    node: NodeRef,
    ctl: Arc<Ctl>,
    who: Caller,
    flags: OpenFlags,
    /// Opened through `clone`: what is read is the task's number.
    cloned: bool,
    made: Made,
}

impl OpenFile for OpenCtl {
    fn node(&self) -> &NodeRef {
        &self.node
    }

    fn read<'a>(&'a self, offset: u64, buf: &'a mut [u8]) -> Op<'a, usize> {
        if !self.flags.contains(OpenFlags::READ) {
            return Op::err(Errno::EBADF);
        }
        let task = &self.ctl.task;
        self.made.read(offset, buf, || {
            Op::ok(if self.cloned {
                format!("{}\n", task.id).into_bytes()
            } else {
                task::ctl::help(task).into_bytes()
            })
        })
    }

    fn write<'a>(&'a self, _offset: u64, data: &'a [u8]) -> Op<'a, usize> {
        if !self.flags.contains(OpenFlags::WRITE) {
            return Op::err(Errno::EBADF);
        }
        let done = task::ctl::write(&self.ctl.task, &self.who, data).map(|()| data.len());
        unless_blocking(self.flags.contains(OpenFlags::NONBLOCK), done)
    }

    fn set_size(&self, _size: u64) -> Op<'_, ()> {
        Op::ok(())
    }
}

impl Drop for OpenCtl {
    fn drop(&mut self) {
        self.ctl.task.ctl_closed();
    }
}
