//! `ns`: the namespace as text. What was read can be written back, here or to another task: a text that begins with the
//! mount of `/` rebuilds the namespace of a new task, other lines are added to it.

use crate::synth::{Attr, Lines, Made, only_truncates};
use crate::task::{attr, file};
use parking_lot::Mutex;
use std::sync::Arc;
use task::Task;
use vfs::{Caller, Errno, FileRef, Kind, Nature, Node, NodeRef, Op, OpenFile, OpenFlags, Qid, SetStat, Stat};

pub(super) struct Ns {
    attr: Attr,
    task: Arc<Task>,
}

impl Ns {
    pub fn node(task: Arc<Task>) -> NodeRef {
        Arc::new(Ns { attr: attr(&task, Kind::File, file::NS, 0o644), task })
    }
}

impl Node for Ns {
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
        let (node, lines) = (self.clone(), Mutex::default());
        Op::ok(Arc::new(OpenNs { node, ns: self, who: who.clone(), flags, made: Made::default(), lines }))
    }
}

struct OpenNs {
    node: NodeRef,
    ns: Arc<Ns>,
    who: Caller,
    flags: OpenFlags,
    made: Made,
    lines: Mutex<Lines>,
}

impl OpenNs {
    fn set(&self, text: Vec<u8>) -> Op<'_, ()> {
        if text.is_empty() {
            return Op::ok(());
        }
        Op::started(async move { self.ns.task.write_ns(&self.who, &text).await })
    }
}

impl OpenFile for OpenNs {
    fn node(&self) -> &NodeRef {
        &self.node
    }
    fn read<'a>(&'a self, offset: u64, buf: &'a mut [u8]) -> Op<'a, usize> {
        if !self.flags.contains(OpenFlags::READ) {
            return Op::err(Errno::EBADF);
        }
        self.made.read(offset, buf, || Op::ok(self.ns.task.ns_text()))
    }
    fn write<'a>(&'a self, _offset: u64, data: &'a [u8]) -> Op<'a, usize> {
        if !self.flags.contains(OpenFlags::WRITE) {
            return Op::err(Errno::EBADF);
        }
        let whole = self.lines.lock().take(data);
        match whole {
            Ok(whole) => self.set(whole).map(|()| data.len()),
            Err(error) => Op::err(error.context("ns")),
        }
    }
    fn set_size(&self, _size: u64) -> Op<'_, ()> {
        Op::ok(())
    }
    fn flush(&self) -> Op<'_, ()> {
        let rest = self.lines.lock().rest();
        self.set(rest)
    }
}
