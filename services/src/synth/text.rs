//! Texts that are made when they are read.

use crate::synth::{Attr, Content, File, only_reads, unless_blocking};
use parking_lot::Mutex;
use std::sync::Arc;
use vfs::{Caller, FileRef, Interest, Nature, NodeRef, Op, OpenFile, OpenFlags, Result};

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

/// A text that is made when it is read.
pub(crate) trait Show: Send + Sync + Sized + 'static {
    fn show(&self) -> Op<'_, Vec<u8>>;
    /// What this caller is shown, where that is not the same for all.
    fn show_to<'a>(&'a self, _who: &'a Caller) -> Op<'a, Vec<u8>> {
        self.show()
    }
    /// [`Nature::Stream`] where making it may have to wait.
    fn nature(&self) -> Nature {
        Nature::Device
    }
    /// Done when making it would not wait.
    fn ready(&self) -> Op<'_, ()> {
        Op::ok(())
    }
    /// Whether this caller may read it, beyond what the mode bits say.
    fn check(&self, _who: &Caller) -> Result<()> {
        Ok(())
    }
}

/// The file of such a text.
pub(crate) struct Text<S>(S);

impl<S: Show> Text<S> {
    pub fn node(attr: Attr, show: S) -> NodeRef {
        File::node(attr, Text(show))
    }
}

impl<S: Show> Content for Text<S> {
    fn nature(&self) -> Nature {
        self.0.nature()
    }
    fn open(file: Arc<File<Self>>, who: &Caller, flags: OpenFlags) -> Result<FileRef> {
        only_reads(flags)?;
        file.0.check(who)?;
        let nonblock = flags.contains(OpenFlags::NONBLOCK);
        let (made, who) = (Made::default(), who.clone());
        Ok(Arc::new(OpenText { node: file.clone(), file, who, made, nonblock }))
    }
}

struct OpenText<S> {
    node: NodeRef,
    file: Arc<File<Text<S>>>,
    who: Caller,
    made: Made,
    nonblock: bool,
}

impl<S: Show> OpenFile for OpenText<S> {
    fn node(&self) -> &NodeRef {
        &self.node
    }
    fn read<'a>(&'a self, offset: u64, buf: &'a mut [u8]) -> Op<'a, usize> {
        unless_blocking(self.nonblock, self.made.read(offset, buf, || self.file.0.show_to(&self.who)))
    }
    fn ready(&self, _interest: Interest) -> Op<'_, ()> {
        self.file.0.ready()
    }
}
