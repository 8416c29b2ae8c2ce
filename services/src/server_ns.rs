//! `/dev/ns`: the server's own namespace as text, which 9P clients attach to and new tasks get a copy of. Lines written to it
//! are binds, mounts and unmounts (namespace(6)); only the server's user may write, and no task.

use crate::synth::{Attr, Lines, Made, only_truncates};
use parking_lot::Mutex;
use std::sync::Arc;
use task::TaskTable;
use vfs::{Caller, Errno, FileRef, Nature, Node, NodeRef, Op, OpenFile, OpenFlags, Qid, SetStat, Stat};

pub(crate) struct ServerNs {
    attr: Attr,
    table: Arc<TaskTable>,
}

impl ServerNs {
    pub fn node(attr: Attr, table: Arc<TaskTable>) -> NodeRef {
        Arc::new(ServerNs { attr, table })
    }
}

impl Node for ServerNs {
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
    ns: Arc<ServerNs>,
    who: Caller,
    flags: OpenFlags,
    made: Made,
    lines: Mutex<Lines>,
}

impl OpenNs {
    fn change(&self, text: Vec<u8>) -> Op<'_, ()> {
        if text.is_empty() {
            return Op::ok(());
        }
        Op::started(async move { self.ns.table.write_home(&self.who, &text).await })
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
        self.made.read(offset, buf, || Op::ok(self.ns.table.home_text()))
    }
    fn write<'a>(&'a self, _offset: u64, data: &'a [u8]) -> Op<'a, usize> {
        if !self.flags.contains(OpenFlags::WRITE) {
            return Op::err(Errno::EBADF);
        }
        let whole = self.lines.lock().take(data);
        match whole {
            Ok(whole) => self.change(whole).map(|()| data.len()),
            Err(error) => Op::err(error.context("ns")),
        }
    }
    fn set_size(&self, _size: u64) -> Op<'_, ()> {
        Op::ok(())
    }
    fn flush(&self) -> Op<'_, ()> {
        let rest = self.lines.lock().rest();
        self.change(rest)
    }
}
