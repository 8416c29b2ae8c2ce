//! `ctl` of a container: a write is commands, a read says which there are.

use crate::container::{attr, file};
use crate::synth::{Content, File, Made, unless_blocking};
use ::container::{Container, ctl};
use std::sync::Arc;
use vfs::{Caller, Errno, FileRef, Kind, NodeRef, Op, OpenFile, OpenFlags, Result};

pub(super) fn node(container: Arc<Container>) -> NodeRef {
    file_of(container)
}

fn file_of(container: Arc<Container>) -> Arc<File<Ctl>> {
    File::new(attr(&container, Kind::File, file::CTL, 0o644), Ctl(container))
}

/// The ctl of a container that was just made by opening `clone`.
pub(super) fn open_clone(container: Arc<Container>, who: &Caller, flags: OpenFlags) -> FileRef {
    open(file_of(container), who, flags, true)
}

fn open(ctl: Arc<File<Ctl>>, who: &Caller, flags: OpenFlags, cloned: bool) -> FileRef {
    Arc::new(OpenCtl { node: ctl.clone(), ctl, who: who.clone(), flags, cloned, made: Made::default() })
}

struct Ctl(Arc<Container>);

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
    /// Opened through `clone`: what is read is the container's number.
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
        let container = &self.ctl.0;
        self.made.read(offset, buf, || {
            Op::ok(if self.cloned {
                format!("{}\n", container.id).into_bytes()
            } else {
                ctl::help(container).into_bytes()
            })
        })
    }

    fn write<'a>(&'a self, _offset: u64, data: &'a [u8]) -> Op<'a, usize> {
        if !self.flags.contains(OpenFlags::WRITE) {
            return Op::err(Errno::EBADF);
        }
        let done = ctl::write(&self.ctl.0, &self.who, data).map(|()| data.len());
        unless_blocking(self.flags.contains(OpenFlags::NONBLOCK), done)
    }

    fn set_size(&self, _size: u64) -> Op<'_, ()> {
        Op::ok(())
    }
}
