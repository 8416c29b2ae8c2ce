//! `export` and `import`: the files out and in, as tar streams. An import is done, or refused, when the file is closed.

use crate::container::{attr, file};
use crate::synth::{Content, File, only_looks, only_reads};
use ::container::{Container, Incoming, Outgoing};
use std::sync::Arc;
use vfs::{Caller, Errno, FileRef, Kind, Nature, NodeRef, Op, OpenFile, OpenFlags, Result};

pub(super) fn export(container: Arc<Container>) -> NodeRef {
    File::node(attr(&container, Kind::File, file::EXPORT, 0o400), Export(container))
}

pub(super) fn import(container: Arc<Container>) -> NodeRef {
    File::node(attr(&container, Kind::File, file::IMPORT, 0o200), Import(container))
}

struct Export(Arc<Container>);

impl Content for Export {
    fn nature(&self) -> Nature {
        Nature::Stream
    }
    fn open(file: Arc<File<Self>>, _who: &Caller, flags: OpenFlags) -> Result<FileRef> {
        only_reads(flags)?;
        // Nothing is packed for one who only looks.
        let stream = if only_looks(flags) { None } else { Some(file.0.export()?) };
        Ok(Arc::new(OpenExport { node: file, stream }))
    }
}

struct OpenExport {
    node: NodeRef,
    stream: Option<Outgoing>,
}

impl OpenFile for OpenExport {
    fn node(&self) -> &NodeRef {
        &self.node
    }
    fn read<'a>(&'a self, _offset: u64, buf: &'a mut [u8]) -> Op<'a, usize> {
        match &self.stream {
            Some(stream) => Op::started(stream.read(buf)),
            None => Op::ok(0),
        }
    }
}

struct Import(Arc<Container>);

impl Content for Import {
    fn nature(&self) -> Nature {
        Nature::Stream
    }
    fn open(file: Arc<File<Self>>, _who: &Caller, flags: OpenFlags) -> Result<FileRef> {
        if flags.contains(OpenFlags::READ) {
            return Errno::EACCES.into();
        }
        let stream = file.0.import()?;
        Ok(Arc::new(OpenImport { node: file, stream }))
    }
}

struct OpenImport {
    node: NodeRef,
    stream: Incoming,
}

impl OpenFile for OpenImport {
    fn node(&self) -> &NodeRef {
        &self.node
    }
    fn write<'a>(&'a self, offset: u64, data: &'a [u8]) -> Op<'a, usize> {
        Op::started(self.stream.write(offset, data)).map(|()| data.len())
    }
    fn set_size(&self, _size: u64) -> Op<'_, ()> {
        Op::ok(())
    }
    fn flush(&self) -> Op<'_, ()> {
        Op::started(self.stream.finish())
    }
}
