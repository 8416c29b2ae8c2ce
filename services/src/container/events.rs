//! `events`: a line an event. Every open file gets every event from when it was opened; after the container's end it ends.

use crate::container::{attr, file};
use crate::synth::{Content, File, only_reads, unless_blocking};
use ::container::Container;
use std::sync::Arc;
use task::group::Reader;
use vfs::{Caller, FileRef, Interest, Kind, Nature, NodeRef, Op, OpenFile, OpenFlags, Result};

pub(super) fn node(container: Arc<Container>) -> NodeRef {
    File::node(attr(&container, Kind::File, file::EVENTS, 0o400), Events(container))
}

struct Events(Arc<Container>);

impl Content for Events {
    fn nature(&self) -> Nature {
        Nature::Stream
    }
    /// tail(1) reads a regular file of length 0 to its end before it shows anything; see [`task::stdio::Log::len`].
    fn size(&self) -> u64 {
        1
    }
    fn open(file: Arc<File<Self>>, _who: &Caller, flags: OpenFlags) -> Result<FileRef> {
        only_reads(flags)?;
        let reader = file.0.group().events().reader();
        Ok(Arc::new(OpenEvents { node: file, reader, nonblock: flags.contains(OpenFlags::NONBLOCK) }))
    }
}

struct OpenEvents {
    node: NodeRef,
    reader: Reader,
    nonblock: bool,
}

impl OpenFile for OpenEvents {
    fn node(&self) -> &NodeRef {
        &self.node
    }
    fn read<'a>(&'a self, _offset: u64, buf: &'a mut [u8]) -> Op<'a, usize> {
        unless_blocking(self.nonblock, self.reader.read(buf))
    }
    fn ready(&self, _interest: Interest) -> Op<'_, ()> {
        self.reader.readable()
    }
}
