//! `new` and `clone`: the two ways to make a task.

use crate::synth::{Attr, Made, only_looks, only_truncates};
use crate::task::{attr_of_none, ctl, number};
use std::sync::Arc;
use task::TaskTable;
use vfs::{
    Caller, Errno, FileRef, Kind, Nature, Node, NodeRef, Op, OpenFile, OpenFlags, Qid, SetStat, Stat, Time,
};

/// `new`.
pub(super) struct New {
    attr: Attr,
    table: Arc<TaskTable>,
}

impl New {
    pub fn node(table: &Arc<TaskTable>, born: Time) -> NodeRef {
        let attr = attr_of_none(table, Kind::File, number::NEW, 0o444, born);
        Arc::new(New { attr, table: table.clone() })
    }
}

impl Node for New {
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
        if flags.contains(OpenFlags::WRITE) {
            return Op::err(Errno::EACCES);
        }
        let file = OpenNew {
            node: self.clone(),
            new: self,
            who: who.clone(),
            looks: only_looks(flags),
            made: Made::default(),
        };
        Op::ok(Arc::new(file))
    }
}

struct OpenNew {
    node: NodeRef,
    new: Arc<New>,
    who: Caller,
    looks: bool,
    made: Made,
}

impl OpenFile for OpenNew {
    fn node(&self) -> &NodeRef {
        &self.node
    }
    /// One open file makes one task at most, however it is read.
    fn read<'a>(&'a self, offset: u64, buf: &'a mut [u8]) -> Op<'a, usize> {
        if self.looks || buf.is_empty() {
            return Op::ok(0);
        }
        self.made.read_once(offset, buf, || {
            self.new.table.make(&self.who).map(|task| format!("{}\n", task.id).into_bytes()).into()
        })
    }
}

/// `clone`.
pub(super) struct Clone {
    attr: Attr,
    table: Arc<TaskTable>,
}

impl Clone {
    pub fn node(table: &Arc<TaskTable>, born: Time) -> NodeRef {
        let attr = attr_of_none(table, Kind::File, number::CLONE, 0o666, born);
        Arc::new(Clone { attr, table: table.clone() })
    }
}

impl Node for Clone {
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
        if only_looks(flags) {
            return Op::ok(Arc::new(Empty(self)));
        }
        self.table.make(who).map(|task| ctl::open_clone(task, who, flags)).into()
    }
}

/// `clone` to one who only looks.
struct Empty(NodeRef);

impl OpenFile for Empty {
    fn node(&self) -> &NodeRef {
        &self.0
    }
    fn read<'a>(&'a self, _offset: u64, _buf: &'a mut [u8]) -> Op<'a, usize> {
        Op::ok(0)
    }
}
