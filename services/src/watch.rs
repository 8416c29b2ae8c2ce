//! `/dev/watch`: what happens to files, as lines, for whoever cannot ask the kernel (inotify(7) is blind on 9P and FUSE).
//!
//! ```sh
//! exec 3<>/dev/watch; echo -r /home >&3; cat <&3
//! ```
//!
//! Who opens it writes a path of his own namespace once; a task's is its own, everybody else's the server's. What is read is in
//! [`task::Watched`].

use crate::synth::{Attr, Content, File, unless_blocking};
use std::sync::Arc;
use task::{TaskTable, Watched};
use vfs::{
    Caller, Errno, Error, FileRef, Interest, Nature, NodeRef, Op, OpenFile, OpenFlags, Result, WatchRoom,
};

/// Files that all who have it open may watch together.
const PLACES: usize = 1 << 20;

pub(crate) fn node(attr: Attr, table: Arc<TaskTable>) -> NodeRef {
    File::node(attr, Watch { table, room: WatchRoom::new(PLACES) })
}

struct Watch {
    table: Arc<TaskTable>,
    room: WatchRoom,
}

impl Content for Watch {
    fn nature(&self) -> Nature {
        Nature::Stream
    }
    fn open(file: Arc<File<Self>>, who: &Caller, flags: OpenFlags) -> Result<FileRef> {
        let nonblock = flags.contains(OpenFlags::NONBLOCK);
        // A look at all files (grep -r) must not wait for what never comes.
        let looks = !flags.contains(OpenFlags::WRITE);
        let (who, watched) = (who.clone(), Watched::default());
        Ok(Arc::new(OpenWatch { node: file.clone(), file, who, watched, nonblock, looks }))
    }
}

struct OpenWatch {
    node: NodeRef,
    file: Arc<File<Watch>>,
    who: Caller,
    watched: Watched,
    nonblock: bool,
    looks: bool,
}

impl OpenWatch {
    async fn begin(&self, line: &[u8]) -> Result<usize> {
        let table = &self.file.table;
        let ns = match self.who.task {
            Some(id) => table.get(id).map(|task| task.namespace()),
            None => table.home(),
        };
        let ns = ns.ok_or_else(|| Error::new(Errno::ESRCH, "watch: no namespace"))?;
        self.watched.begin(&ns.root(), &self.who, &self.file.room, line).await?;
        Ok(line.len())
    }
}

impl OpenFile for OpenWatch {
    fn node(&self) -> &NodeRef {
        &self.node
    }
    fn read<'a>(&'a self, _offset: u64, buf: &'a mut [u8]) -> Op<'a, usize> {
        if self.looks {
            return Op::ok(0);
        }
        unless_blocking(self.nonblock, self.watched.read(buf))
    }
    fn write<'a>(&'a self, _offset: u64, data: &'a [u8]) -> Op<'a, usize> {
        Op::started(self.begin(data))
    }
    fn set_size(&self, _size: u64) -> Op<'_, ()> {
        Op::ok(())
    }
    fn ready(&self, interest: Interest) -> Op<'_, ()> {
        if self.looks || interest == Interest::Write {
            return Op::ok(());
        }
        Op::started(self.watched.ready())
    }
}
