//! Texts that take lines: reading shows the whole, writing changes it line by line.

use crate::synth::{Attr, Lines, Made, only_truncates};
use parking_lot::Mutex;
use std::sync::Arc;
use vfs::{Caller, Errno, FileRef, Nature, Node, NodeRef, Op, OpenFile, OpenFlags, Qid, SetStat, Stat};

/// What such a file shows and does.
pub(crate) trait Edit: Send + Sync + 'static {
    fn text(&self) -> Vec<u8>;
    /// Does what whole lines say, in the name of who opened the file.
    fn change<'a>(&'a self, who: &'a Caller, lines: Vec<u8>) -> Op<'a, ()>;
}

/// The file.
pub(crate) struct Edited<E> {
    attr: Attr,
    edit: E,
}

impl<E: Edit> Edited<E> {
    pub fn node(attr: Attr, edit: E) -> NodeRef {
        Arc::new(Edited { attr, edit })
    }
}

impl<E: Edit> Node for Edited<E> {
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
        Op::ok(Arc::new(OpenEdited {
            node,
            file: self,
            who: who.clone(),
            flags,
            made: Made::default(),
            lines,
        }))
    }
}

struct OpenEdited<E> {
    node: NodeRef,
    file: Arc<Edited<E>>,
    who: Caller,
    flags: OpenFlags,
    made: Made,
    lines: Mutex<Lines>,
}

impl<E: Edit> OpenEdited<E> {
    fn change(&self, lines: Vec<u8>) -> Op<'_, ()> {
        if lines.is_empty() { Op::ok(()) } else { self.file.edit.change(&self.who, lines) }
    }
}

impl<E: Edit> OpenFile for OpenEdited<E> {
    fn node(&self) -> &NodeRef {
        &self.node
    }
    fn read<'a>(&'a self, offset: u64, buf: &'a mut [u8]) -> Op<'a, usize> {
        if !self.flags.contains(OpenFlags::READ) {
            return Op::err(Errno::EBADF);
        }
        self.made.read(offset, buf, || Op::ok(self.file.edit.text()))
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
