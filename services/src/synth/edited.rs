//! Texts that take lines: reading shows the whole, writing changes it line by line.

use crate::synth::{Attr, Content, File, Made, lines::Lines};
use parking_lot::Mutex;
use std::sync::Arc;
use vfs::{Caller, Errno, FileRef, NodeRef, Op, OpenFile, OpenFlags, Result};

/// What such a file shows and does.
pub(crate) trait Edit: Send + Sync + Sized + 'static {
    /// What errors call it.
    fn name(&self) -> &'static str;
    fn text(&self) -> Vec<u8>;
    /// Does what whole lines say, in the name of who opened the file.
    fn change<'a>(&'a self, who: &'a Caller, lines: Vec<u8>) -> Op<'a, ()>;
    /// Truncated: for those whose lines add up.
    fn clear(&self, _who: &Caller) -> Result<()> {
        Ok(())
    }
}

/// The file.
pub(crate) struct Edited<E>(E);

impl<E: Edit> Edited<E> {
    pub fn node(attr: Attr, edit: E) -> NodeRef {
        File::node(attr, Edited(edit))
    }
}

impl<E: Edit> Content for Edited<E> {
    fn clear(&self, who: &Caller) -> Result<()> {
        self.0.clear(who)
    }
    fn open(file: Arc<File<Self>>, who: &Caller, flags: OpenFlags) -> Result<FileRef> {
        if flags.contains(OpenFlags::TRUNCATE) {
            file.0.clear(who)?;
        }
        let (made, lines) = (Made::default(), Mutex::default());
        Ok(Arc::new(OpenEdited { node: file.clone(), file, who: who.clone(), flags, made, lines }))
    }
}

struct OpenEdited<E: Edit> {
    node: NodeRef,
    file: Arc<File<Edited<E>>>,
    who: Caller,
    flags: OpenFlags,
    made: Made,
    lines: Mutex<Lines>,
}

impl<E: Edit> OpenEdited<E> {
    fn edit(&self) -> &E {
        &self.file.0
    }
    fn change(&self, lines: Vec<u8>) -> Op<'_, ()> {
        if lines.is_empty() { Op::ok(()) } else { self.edit().change(&self.who, lines) }
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
        self.made.read(offset, buf, || Op::ok(self.edit().text()))
    }
    fn write<'a>(&'a self, _offset: u64, data: &'a [u8]) -> Op<'a, usize> {
        if !self.flags.contains(OpenFlags::WRITE) {
            return Op::err(Errno::EBADF);
        }
        let whole = self.lines.lock().take(data);
        match whole {
            Ok(whole) => self.change(whole).map(|()| data.len()),
            Err(error) => Op::err(error.context(self.edit().name())),
        }
    }
    fn set_size(&self, size: u64) -> Op<'_, ()> {
        if size > 0 { Op::ok(()) } else { self.edit().clear(&self.who).into() }
    }
    /// A long write's last line, where it had no end.
    fn flush(&self) -> Op<'_, ()> {
        let rest = self.lines.lock().rest();
        self.change(rest)
    }
}

impl<E: Edit> Drop for OpenEdited<E> {
    fn drop(&mut self) {
        let rest = self.lines.lock().rest();
        // There is nobody left to tell; transports flush before.
        if let Some(Err(error)) = self.change(rest).now() {
            tracing::debug!("{error}: in the last line written to a closed file");
        }
    }
}
