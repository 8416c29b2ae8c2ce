//! `ctl`: a write is commands, a read says which there are.

use crate::synth::{Content, File, Made, unless_blocking};
use crate::task::{Shown, attr, file};
use std::sync::Arc;
use task::Task;
use vfs::{Caller, Errno, FileRef, Kind, NodeRef, Op, OpenFile, OpenFlags, Result};

pub(super) fn node(task: Shown) -> NodeRef {
    file_of(task)
}

fn file_of(task: Shown) -> Arc<File<Ctl>> {
    File::new(attr(&task, Kind::File, file::CTL, 0o644), Ctl(task.task))
}

/// The ctl of a task that was just made by opening `clone`.
pub(super) fn open_clone(task: Shown, who: &Caller, flags: OpenFlags) -> FileRef {
    open(file_of(task), who, flags, true)
}

fn open(ctl: Arc<File<Ctl>>, who: &Caller, flags: OpenFlags, cloned: bool) -> FileRef {
    ctl.0.ctl_opened();
    Arc::new(OpenCtl { node: ctl.clone(), ctl, who: who.clone(), flags, cloned, made: Made::default() })
}

struct Ctl(Arc<Task>);

impl Content for Ctl {
    fn open(file: Arc<File<Self>>, who: &Caller, flags: OpenFlags) -> Result<FileRef> {
        Ok(open(file, who, flags, false))
    }
}

struct OpenCtl {
    node: NodeRef,
    ctl: Arc<File<Ctl>>,
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
        let task = &self.ctl.0;
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
        let done = task::ctl::write(&self.ctl.0, &self.who, data).map(|()| data.len());
        unless_blocking(self.flags.contains(OpenFlags::NONBLOCK), done)
    }

    fn set_size(&self, _size: u64) -> Op<'_, ()> {
        Op::ok(())
    }
}

impl Drop for OpenCtl {
    fn drop(&mut self) {
        self.ctl.0.ctl_closed();
    }
}
