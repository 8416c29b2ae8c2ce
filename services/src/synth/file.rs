//! A synthetic file: attributes, and a content that says what opening it gives.

use crate::synth::{Attr, only_truncates};
use std::ops::Deref;
use std::sync::Arc;
use vfs::{Caller, Errno, FileRef, Nature, Node, NodeRef, Op, OpenFlags, Qid, Result, SetStat, Stat, Time};

/// What a file is beyond its attributes.
pub(crate) trait Content: Send + Sync + Sized + 'static {
    fn nature(&self) -> Nature {
        Nature::Device
    }
    /// The length that is told, and when it changed, where it does.
    fn extent(&self) -> (u64, Option<Time>) {
        (0, None)
    }
    /// Truncated to nothing by name; by an open or an open file, that file is told.
    fn clear(&self, _who: &Caller) -> Result<()> {
        Ok(())
    }
    fn open(file: Arc<File<Self>>, who: &Caller, flags: OpenFlags) -> Result<FileRef>;
}

/// The file.
pub(crate) struct File<C> {
    attr: Attr,
    content: C,
}

impl<C: Content> File<C> {
    pub fn new(attr: Attr, content: C) -> Arc<File<C>> {
        Arc::new(File { attr, content })
    }

    pub fn node(attr: Attr, content: C) -> NodeRef {
        File::new(attr, content)
    }
}

impl<C> Deref for File<C> {
    type Target = C;
    fn deref(&self) -> &C {
        &self.content
    }
}

impl<C: Content> Node for File<C> {
    fn qid(&self) -> Qid {
        self.attr.qid()
    }
    fn nature(&self) -> Nature {
        self.content.nature()
    }
    fn stat(&self) -> Op<'_, Stat> {
        let (stat, (size, changed)) = (self.attr.stat(), self.content.extent());
        Op::ok(Stat { size, mtime: changed.unwrap_or(stat.mtime), ..stat })
    }
    fn setstat<'a>(&'a self, who: &'a Caller, set: SetStat) -> Op<'a, ()> {
        let done = match only_truncates(set) {
            Ok(true) if set.size == Some(0) => self.content.clear(who),
            other => other.map(|_| ()),
        };
        done.into()
    }
    fn open<'a>(self: Arc<Self>, who: &'a Caller, flags: OpenFlags) -> Op<'a, FileRef> {
        C::open(self, who, flags).into()
    }
}

/// For files that are there to be read.
pub(crate) fn only_reads(flags: OpenFlags) -> Result<()> {
    if flags.contains(OpenFlags::WRITE) { Errno::EACCES.into() } else { Ok(()) }
}
