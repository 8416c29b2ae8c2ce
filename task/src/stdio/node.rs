//! stdio/0, 1 and 2 as files of the namespace: what is bound elsewhere, opened at start, and read from outside.

use crate::Task;
use crate::stdio::Log;
use parking_lot::Mutex;
use std::sync::Arc;
use vfs::{
    Caller, Errno, Error, FileRef, Interest, Kind, Mode, Nature, Node, NodeRef, Op, OpenFile, OpenFlags, Qid,
    SetStat, Stat, Terminal,
};

/// One of a task's three streams.
pub struct StdioNode {
    task: Arc<Task>,
    number: u8,
    aside: u64,
}

impl StdioNode {
    /// `number` is 0, 1 or 2.
    pub fn new(task: Arc<Task>, number: u8) -> StdioNode {
        StdioNode { task, number: number.min(2), aside: 0 }
    }
    /// The same stream as its container shows it.
    pub fn aside(self) -> StdioNode {
        StdioNode { aside: Task::ASIDE, ..self }
    }

    fn log(&self) -> Option<&Log> {
        match self.number {
            0 => None,
            1 => Some(&self.task.stdio.stdout),
            _ => Some(&self.task.stdio.stderr),
        }
    }

    fn refuse(&self, what: &str) -> Error {
        let (id, number) = (self.task.id, self.number);
        Error::new(Errno::EPERM, format!("/task/{id}/stdio/{number}: only tasks {what} it"))
    }
}

impl Node for StdioNode {
    fn qid(&self) -> Qid {
        Qid {
            kind: Kind::File,
            version: 0,
            path: self.task.file_path(self.aside | (1 + u64::from(self.number))),
        }
    }
    fn nature(&self) -> Nature {
        Nature::Stream
    }
    fn stat(&self) -> Op<'_, Stat> {
        let mut stat = self.task.stat(self.qid(), Mode::new(0o600));
        if let Some(log) = self.log() {
            (stat.size, stat.mtime) = log.len();
        }
        Op::ok(stat)
    }
    fn setstat<'a>(&'a self, _who: &'a Caller, set: SetStat) -> Op<'a, ()> {
        // A shell's `>` truncates; a stream has nothing to cut.
        if set.mode.is_some() || set.uid.is_some() || set.gid.is_some() {
            return Op::err(Errno::EPERM);
        }
        Op::ok(())
    }

    fn open<'a>(self: Arc<Self>, who: &'a Caller, flags: OpenFlags) -> Op<'a, FileRef> {
        let guest = who.task.is_some();
        let mut read = flags.intersects(OpenFlags::READ | OpenFlags::EXEC);
        let mut write = flags.contains(OpenFlags::WRITE);
        // Read-write is what `exec 3<>f` and a caching kernel ask for even where they only do one of the two.
        let both = read && write;
        if !guest && self.number == 0 {
            if read && !both {
                return Op::err(self.refuse("read"));
            }
            read = false;
        }
        if !guest && self.number != 0 {
            if write && !both {
                return Op::err(self.refuse("write"));
            }
            write = false;
        }
        let own = who.task == Some(self.task.id);
        let reader = match self.log() {
            Some(log) => {
                if write && !own {
                    log.add_foreign_writer();
                }
                read.then(|| log.add_reader())
            }
            None => {
                if read {
                    self.task.stdio.stdin.add_reader();
                }
                if write {
                    self.task.stdio.stdin.add_writer();
                }
                None
            }
        };
        let node: NodeRef = self.clone();
        let nonblock = flags.contains(OpenFlags::NONBLOCK);
        Op::ok(Arc::new(OpenStdio {
            stdio: self,
            node,
            read,
            write,
            own,
            nonblock,
            reader,
            skew: Mutex::new(0),
        }))
    }
}

struct OpenStdio {
    stdio: Arc<StdioNode>,
    node: NodeRef,
    read: bool,
    write: bool,
    /// Opened by the task itself.
    own: bool,
    nonblock: bool,
    reader: Option<u64>,
    /// How many bytes of the log were gone before this reader came to them: what its offsets lag behind the log's.
    skew: Mutex<u64>,
}

impl OpenStdio {
    /// All that is shown goes to stdio/1; what is written to stdio/0 is typed.
    fn write_terminal<'a>(&'a self, data: &'a [u8]) -> Op<'a, usize> {
        let task = &self.stdio.task;
        if self.stdio.number == 0 {
            return task.type_in(data);
        }
        let shown = task.tty.output(data);
        self.wait(Op::started(async move {
            let mut left = task.stdio.stdout.append(&shown, self.own).await?;
            let mut taken = 0;
            for byte in data {
                let width = if shown.len() > data.len() && *byte == b'\n' { 2 } else { 1 };
                if left < width {
                    break;
                }
                (left, taken) = (left - width, taken + 1);
            }
            if taken == 0 && !data.is_empty() {
                // Only half of a line's end found room.
                task.stdio.stdout.append(b"\n", self.own).await?;
                taken = 1;
            }
            Ok(taken)
        }))
    }

    fn wait<'a, T>(&self, op: Op<'a, T>) -> Op<'a, T> {
        if self.nonblock { Op::Done(op.or_again()) } else { op }
    }
}

impl OpenFile for OpenStdio {
    fn node(&self) -> &NodeRef {
        &self.node
    }

    fn read<'a>(&'a self, offset: u64, buf: &'a mut [u8]) -> Op<'a, usize> {
        if !self.read {
            return Op::err(if self.write { self.stdio.refuse("read") } else { Errno::EBADF.into() });
        }
        let op = match (self.stdio.log(), self.reader) {
            (Some(log), Some(reader)) => {
                let position = offset.saturating_add(*self.skew.lock());
                log.read(reader, position, buf).map(move |(at, count)| {
                    *self.skew.lock() += at - position;
                    count
                })
            }
            _ => self.stdio.task.stdio.stdin.read(buf),
        };
        self.wait(op)
    }

    fn write<'a>(&'a self, _offset: u64, data: &'a [u8]) -> Op<'a, usize> {
        if !self.write {
            return Op::err(if self.read { self.stdio.refuse("write") } else { Errno::EBADF.into() });
        }
        let task = &self.stdio.task;
        if task.tty.is_on() {
            return self.write_terminal(data);
        }
        let op = match self.stdio.log() {
            Some(log) => log.append(data, self.own),
            None => {
                let task = &self.stdio.task;
                task.stdio.stdin.write(data).map_err(|error| match task.life.end() {
                    Some(_) => {
                        let text =
                            format!("/task/{0}/stdio/0: task {0} has exited and reads no more", task.id);
                        Error::new(Errno::EPIPE, text)
                    }
                    None => error,
                })
            }
        };
        self.wait(op)
    }

    fn terminal(&self) -> Option<&dyn Terminal> {
        let task = &*self.stdio.task;
        task.tty.is_on().then_some(task)
    }

    fn ready(&self, interest: Interest) -> Op<'_, ()> {
        match (self.stdio.log(), interest) {
            (Some(log), Interest::Read) if self.read => {
                // poll(2) knows no offset: more than was read so far counts as ready.
                log.readable(self.reader.map_or(0, |reader| log.position(reader)))
            }
            (Some(log), Interest::Write) if self.write => log.writable(self.own),
            (None, Interest::Read) if self.read => self.stdio.task.stdio.stdin.readable(),
            (None, Interest::Write) if self.write => self.stdio.task.stdio.stdin.writable(),
            _ => Op::ok(()),
        }
    }

    fn set_size(&self, _size: u64) -> Op<'_, ()> {
        Op::ok(())
    }
}

impl Drop for OpenStdio {
    fn drop(&mut self) {
        match self.stdio.log() {
            Some(log) => {
                if self.write && !self.own {
                    log.remove_foreign_writer();
                }
                if let Some(reader) = self.reader {
                    log.remove_reader(reader);
                }
            }
            None => {
                if self.read {
                    self.stdio.task.stdio.stdin.remove_reader();
                }
                if self.write {
                    self.stdio.task.stdio.stdin.remove_writer();
                }
            }
        }
    }
}
