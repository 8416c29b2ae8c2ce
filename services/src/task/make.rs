//! `new` and `clone`: the two ways to make a task.

use crate::synth::{Content, File, Made, only_looks, only_reads};
use crate::task::{attr_of_none, ctl, number};
use std::sync::Arc;
use task::TaskTable;
use vfs::{Caller, FileRef, Kind, NodeRef, Op, OpenFile, OpenFlags, Result, Time};

pub(super) fn new(table: &Arc<TaskTable>, born: Time) -> NodeRef {
    File::node(attr_of_none(table, Kind::File, number::NEW, 0o444, born), New(table.clone()))
}

/// `new`.
struct New(Arc<TaskTable>);

impl Content for New {
    fn open(file: Arc<File<Self>>, who: &Caller, flags: OpenFlags) -> Result<FileRef> {
        only_reads(flags)?;
        let (looks, made) = (only_looks(flags), Made::default());
        Ok(Arc::new(OpenNew { node: file.clone(), new: file, who: who.clone(), looks, made }))
    }
}

struct OpenNew {
    node: NodeRef,
    new: Arc<File<New>>,
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
            self.new.0.make(&self.who).map(|task| format!("{}\n", task.id).into_bytes()).into()
        })
    }
}

pub(super) fn clone(table: &Arc<TaskTable>, born: Time) -> NodeRef {
    File::node(attr_of_none(table, Kind::File, number::CLONE, 0o666, born), Clone(table.clone()))
}

/// `clone`.
struct Clone(Arc<TaskTable>);

impl Content for Clone {
    fn open(file: Arc<File<Self>>, who: &Caller, flags: OpenFlags) -> Result<FileRef> {
        if only_looks(flags) {
            return Ok(Arc::new(Empty(file)));
        }
        Ok(ctl::open_clone(file.0.make(who)?, who, flags))
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
