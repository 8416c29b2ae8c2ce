//! Texts that are made when they are read.

use crate::synth::{Attr, unless_blocking};
use parking_lot::Mutex;
use std::sync::Arc;
use vfs::{
    Caller, Errno, FileRef, Nature, Node, NodeRef, Op, OpenFile, OpenFlags, Qid, Result, SetStat, Stat,
};

/// A text as one open file sees it: made by the first read, and made anew by each that starts at the beginning again.
#[derive(Default)]
pub(crate) struct Made(Mutex<Option<Arc<[u8]>>>);

impl Made {
    /// Reads from the text at `offset`; `make` gives it where it is to be made.
    pub fn read<'a>(
        &'a self,
        offset: u64,
        buf: &'a mut [u8],
        make: impl FnOnce() -> Op<'a, Vec<u8>>,
    ) -> Op<'a, usize> {
        let known = if offset == 0 { None } else { self.0.lock().clone() };
        if let Some(text) = known {
            return Op::ok(copy(&text, offset, buf));
        }
        make().map(move |text| self.keep(text, offset, buf))
    }

    /// As [`Made::read`], but what was made once stays: a read of it again asks for nothing new.
    pub fn read_once<'a>(
        &'a self,
        offset: u64,
        buf: &'a mut [u8],
        make: impl FnOnce() -> Op<'a, Vec<u8>>,
    ) -> Op<'a, usize> {
        let known = self.0.lock().clone();
        if let Some(text) = known {
            return Op::ok(copy(&text, offset, buf));
        }
        make().map(move |text| self.keep(text, offset, buf))
    }

    fn keep(&self, text: Vec<u8>, offset: u64, buf: &mut [u8]) -> usize {
        let text: Arc<[u8]> = text.into();
        *self.0.lock() = Some(text.clone());
        copy(&text, offset, buf)
    }
}

fn copy(text: &[u8], offset: u64, buf: &mut [u8]) -> usize {
    let rest = usize::try_from(offset).ok().and_then(|at| text.get(at..)).unwrap_or_default();
    let count = rest.len().min(buf.len());
    buf[..count].copy_from_slice(&rest[..count]);
    count
}

type Make = Box<dyn Fn() -> Vec<u8> + Send + Sync>;
/// Whether this caller may read it, beyond what the mode bits say.
type Check = fn(&Caller) -> Result<()>;

/// A file to read.
pub(crate) struct Text {
    attr: Attr,
    make: Make,
    check: Check,
}

impl Text {
    pub fn new(attr: Attr, make: impl Fn() -> Vec<u8> + Send + Sync + 'static) -> Arc<Text> {
        Arc::new(Text { attr, make: Box::new(make), check: |_| Ok(()) })
    }

    /// The same for those alone whom `check` lets pass.
    pub fn checked(
        attr: Attr,
        check: Check,
        make: impl Fn() -> Vec<u8> + Send + Sync + 'static,
    ) -> Arc<Text> {
        Arc::new(Text { attr, make: Box::new(make), check })
    }
}

impl Node for Text {
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
        super::only_truncates(set).map(|_| ()).into()
    }
    fn open<'a>(self: Arc<Self>, who: &'a Caller, flags: OpenFlags) -> Op<'a, FileRef> {
        if flags.contains(OpenFlags::WRITE) {
            return Op::err(Errno::EACCES);
        }
        if let Err(error) = (self.check)(who) {
            return Op::err(error);
        }
        let nonblock = flags.contains(OpenFlags::NONBLOCK);
        Op::ok(Arc::new(OpenText { node: self.clone(), text: self, made: Made::default(), nonblock }))
    }
}

struct OpenText {
    node: NodeRef,
    text: Arc<Text>,
    made: Made,
    nonblock: bool,
}

impl OpenFile for OpenText {
    fn node(&self) -> &NodeRef {
        &self.node
    }
    fn read<'a>(&'a self, offset: u64, buf: &'a mut [u8]) -> Op<'a, usize> {
        unless_blocking(self.nonblock, self.made.read(offset, buf, || Op::ok((self.text.make)())))
    }
}
