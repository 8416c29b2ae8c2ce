//! `new` and `clone`: the two ways to make a task, or what else is made by looking for it.

use crate::synth::{Attr, Content, File, Made, only_looks, only_reads, only_truncates};
use crate::task::{Shown, ctl};
use std::sync::Arc;
use task::TaskTable;
use vfs::{Caller, FileRef, Nature, Node, NodeRef, Op, OpenFile, OpenFlags, Qid, Result, SetStat, Stat};

/// What `new` and `clone` make.
pub(crate) trait Make: Send + Sync + 'static {
    /// Makes one, and gives its number and its ctl as `clone` opens it.
    fn make<'a>(&'a self, who: &'a Caller) -> Op<'a, Box<dyn Product>>;
}

/// Something that was made.
pub(crate) trait Product: Send {
    fn number(&self) -> u32;
    /// Its ctl, of which reading gives the number.
    fn open_ctl(self: Box<Self>, who: &Caller, flags: OpenFlags) -> FileRef;
}

/// Makes tasks of no container, or children of the task that asks.
pub(crate) struct Makes(pub Arc<TaskTable>);

impl Make for Makes {
    fn make<'a>(&'a self, who: &'a Caller) -> Op<'a, Box<dyn Product>> {
        let made = self.0.make(who).map(|task| Box::new(Shown::first(task)) as Box<dyn Product>);
        made.into()
    }
}

impl Product for Shown {
    fn number(&self) -> u32 {
        self.id.0
    }
    fn open_ctl(self: Box<Self>, who: &Caller, flags: OpenFlags) -> FileRef {
        ctl::open_clone(*self, who, flags)
    }
}

pub(crate) fn new(attr: Attr, make: impl Make) -> NodeRef {
    File::node(attr, New(make))
}

/// `new`.
struct New<M>(M);

impl<M: Make> Content for New<M> {
    fn open(file: Arc<File<Self>>, who: &Caller, flags: OpenFlags) -> Result<FileRef> {
        only_reads(flags)?;
        let (looks, made) = (only_looks(flags), Made::default());
        Ok(Arc::new(OpenNew { node: file.clone(), new: file, who: who.clone(), looks, made }))
    }
}

struct OpenNew<M> {
    node: NodeRef,
    new: Arc<File<New<M>>>,
    who: Caller,
    looks: bool,
    made: Made,
}

impl<M: Make> OpenFile for OpenNew<M> {
    fn node(&self) -> &NodeRef {
        &self.node
    }
    /// One open file makes one at most, however it is read.
    fn read<'a>(&'a self, offset: u64, buf: &'a mut [u8]) -> Op<'a, usize> {
        if self.looks || buf.is_empty() {
            return Op::ok(0);
        }
        self.made.read_once(offset, buf, || {
            self.new.0.make(&self.who).map(|made| format!("{}\n", made.number()).into_bytes())
        })
    }
}

pub(crate) fn clone(attr: Attr, make: impl Make) -> NodeRef {
    Arc::new(Clone { attr, make })
}

/// `clone`.
struct Clone<M> {
    attr: Attr,
    make: M,
}

impl<M: Make> Node for Clone<M> {
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
        Op::started(async move { Ok(self.make.make(who).await?.open_ctl(who, flags)) })
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
