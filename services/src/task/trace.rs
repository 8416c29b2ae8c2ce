//! `trace`: a line a file-system call of the guest. Reading it is asking for it: while nobody has it open nothing is traced.

use crate::synth::{Attr, only_truncates, unless_blocking};
use crate::task::{attr, file};
use parking_lot::Mutex;
use std::sync::Arc;
use task::Task;
use vfs::{
    Caller, Errno, FileRef, Interest, Kind, Nature, Node, NodeRef, Op, OpenFile, OpenFlags, Qid, SetStat,
    Stat,
};

pub(super) struct TraceFile {
    attr: Attr,
    task: Arc<Task>,
}

impl TraceFile {
    pub fn node(task: Arc<Task>) -> NodeRef {
        Arc::new(TraceFile { attr: attr(&task, Kind::File, file::TRACE, 0o400), task })
    }
}

impl Node for TraceFile {
    fn qid(&self) -> Qid {
        self.attr.qid()
    }
    fn nature(&self) -> Nature {
        Nature::Stream
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
        if who.task == Some(self.task.id) {
            // Each line that it read would make the next.
            return Op::err(vfs::Error::new(Errno::EPERM, "a task cannot trace itself"));
        }
        let reader = self.task.open_trace();
        let nonblock = flags.contains(OpenFlags::NONBLOCK);
        Op::ok(Arc::new(OpenTrace { node: self.clone(), file: self, reader, nonblock, skew: Mutex::new(0) }))
    }
}

struct OpenTrace {
    node: NodeRef,
    file: Arc<TraceFile>,
    reader: u64,
    nonblock: bool,
    /// What this reader's offsets lag behind the log's, whose oldest lines go.
    skew: Mutex<u64>,
}

impl OpenFile for OpenTrace {
    fn node(&self) -> &NodeRef {
        &self.node
    }
    fn read<'a>(&'a self, offset: u64, buf: &'a mut [u8]) -> Op<'a, usize> {
        let position = offset.saturating_add(*self.skew.lock());
        let read = self.file.task.trace_log.read(self.reader, position, buf).map(move |(at, count)| {
            *self.skew.lock() += at - position;
            count
        });
        unless_blocking(self.nonblock, read)
    }
    fn ready(&self, _interest: Interest) -> Op<'_, ()> {
        let log = &self.file.task.trace_log;
        log.readable(log.position(self.reader))
    }
}

impl Drop for OpenTrace {
    fn drop(&mut self) {
        self.file.task.close_trace(self.reader);
    }
}
