//! A `ctl`: a write is commands, a read says which there are. One that was opened through `clone` says whose it is.

use crate::synth::{Attr, Content, File, Made, unless_blocking};
use std::sync::Arc;
use vfs::{Caller, Errno, FileRef, NodeRef, Op, OpenFile, OpenFlags, Result};

/// What a ctl commands.
pub(crate) trait Commanded: Send + Sync + 'static {
    fn id(&self) -> u32;
    /// The commands that there are.
    fn help(&self) -> String;
    /// Does what the lines say, all of them or none.
    fn command<'a>(&'a self, who: &'a Caller, lines: &'a [u8]) -> Op<'a, ()>;
    /// Its ctl was opened: [`Commanded::closed`] follows.
    fn opened(&self) {}
    fn closed(&self) {}
}

pub(crate) fn node(attr: Attr, commanded: impl Commanded) -> NodeRef {
    File::node(attr, Ctl(commanded))
}

/// The ctl of what was just made by opening `clone`.
pub(crate) fn open_clone(attr: Attr, commanded: impl Commanded, who: &Caller, flags: OpenFlags) -> FileRef {
    open(File::new(attr, Ctl(commanded)), who, flags, true)
}

fn open<T: Commanded>(ctl: Arc<File<Ctl<T>>>, who: &Caller, flags: OpenFlags, cloned: bool) -> FileRef {
    ctl.0.opened();
    Arc::new(OpenCtl { node: ctl.clone(), ctl, who: who.clone(), flags, cloned, made: Made::default() })
}

struct Ctl<T>(T);

impl<T: Commanded> Content for Ctl<T> {
    fn open(file: Arc<File<Self>>, who: &Caller, flags: OpenFlags) -> Result<FileRef> {
        Ok(open(file, who, flags, false))
    }
}

struct OpenCtl<T: Commanded> {
    node: NodeRef,
    ctl: Arc<File<Ctl<T>>>,
    who: Caller,
    flags: OpenFlags,
    /// Opened through `clone`: what is read is the number.
    cloned: bool,
    made: Made,
}

impl<T: Commanded> OpenFile for OpenCtl<T> {
    fn node(&self) -> &NodeRef {
        &self.node
    }

    fn read<'a>(&'a self, offset: u64, buf: &'a mut [u8]) -> Op<'a, usize> {
        if !self.flags.contains(OpenFlags::READ) {
            return Op::err(Errno::EBADF);
        }
        let commanded = &self.ctl.0;
        self.made.read(offset, buf, || {
            let text = if self.cloned { format!("{}\n", commanded.id()) } else { commanded.help() };
            Op::ok(text.into_bytes())
        })
    }

    fn write<'a>(&'a self, _offset: u64, data: &'a [u8]) -> Op<'a, usize> {
        if !self.flags.contains(OpenFlags::WRITE) {
            return Op::err(Errno::EBADF);
        }
        let done = self.ctl.0.command(&self.who, data).map(|()| data.len());
        unless_blocking(self.flags.contains(OpenFlags::NONBLOCK), done)
    }

    fn set_size(&self, _size: u64) -> Op<'_, ()> {
        Op::ok(())
    }
}

impl<T: Commanded> Drop for OpenCtl<T> {
    fn drop(&mut self) {
        self.ctl.0.closed();
    }
}
