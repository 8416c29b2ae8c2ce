//! `trace`: a line a file-system call of the guest. Reading it is asking for it: while nobody has it open nothing is traced.

use crate::synth::{Content, File, only_reads, unless_blocking};
use crate::task::{Shown, attr, file};
use parking_lot::Mutex;
use std::sync::Arc;
use task::Task;
use vfs::{Caller, Errno, Error, FileRef, Interest, Kind, Nature, NodeRef, Op, OpenFile, OpenFlags, Result};

pub(super) fn node(task: Shown) -> NodeRef {
    File::node(attr(&task, Kind::File, file::TRACE, 0o400), TraceOf(task.task))
}

struct TraceOf(Arc<Task>);

impl Content for TraceOf {
    fn nature(&self) -> Nature {
        Nature::Stream
    }
    fn open(file: Arc<File<Self>>, who: &Caller, flags: OpenFlags) -> Result<FileRef> {
        only_reads(flags)?;
        if who.task == Some(file.0.id) {
            // Each line that it read would make the next.
            return Err(Error::new(Errno::EPERM, "a task cannot trace itself"));
        }
        let reader = file.0.open_trace();
        let nonblock = flags.contains(OpenFlags::NONBLOCK);
        Ok(Arc::new(OpenTrace { node: file.clone(), file, reader, nonblock, skew: Mutex::new(0) }))
    }
}

struct OpenTrace {
    node: NodeRef,
    file: Arc<File<TraceOf>>,
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
        let read = self.file.0.trace_log.read(self.reader, position, buf).map(move |(at, count)| {
            *self.skew.lock() += at - position;
            count
        });
        unless_blocking(self.nonblock, read)
    }
    fn ready(&self, _interest: Interest) -> Op<'_, ()> {
        let log = &self.file.0.trace_log;
        log.readable(log.position(self.reader))
    }
}

impl Drop for OpenTrace {
    fn drop(&mut self) {
        self.file.0.close_trace(self.reader);
    }
}
