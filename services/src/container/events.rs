//! `events`: a line an event. Every open file gets every event from when it was opened; after the container's end it ends.

use crate::container::{attr, file};
use crate::synth::{Content, File, only_reads, unless_blocking};
use ::container::Container;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;
use task::group::Reader;
use vfs::{Caller, FileRef, Interest, Kind, Nature, NodeRef, Op, OpenFile, OpenFlags, Result, Stat, Time};

pub(super) fn node(container: Arc<Container>) -> NodeRef {
    File::node(attr(&container, Kind::File, file::EVENTS, 0o400), Events(container))
}

struct Events(Arc<Container>);

impl Content for Events {
    fn nature(&self) -> Nature {
        Nature::Stream
    }
    fn extent(&self) -> (u64, Option<Time>) {
        self.0.group().events().len()
    }
    fn open(file: Arc<File<Self>>, _who: &Caller, flags: OpenFlags) -> Result<FileRef> {
        only_reads(flags)?;
        let (reader, given) = (file.0.group().events().reader(), Mutex::default());
        let nonblock = flags.contains(OpenFlags::NONBLOCK);
        Ok(Arc::new(OpenEvents { node: file, reader, given, nonblock }))
    }
}

/// What was read last, for who goes back: tail(1) begins anew where a file grows, head(1) and read(1p) leave to the next reader
/// what lies behind their line.
#[derive(Default)]
struct Given {
    /// The offset of the first byte that is kept.
    from: u64,
    bytes: VecDeque<u8>,
}

impl Given {
    const KEPT: usize = 64 << 10;

    fn read(&self, offset: u64, buf: &mut [u8]) -> Option<usize> {
        let skipped = usize::try_from(offset.checked_sub(self.from)?).ok()?;
        let mut count = 0;
        for (to, from) in buf.iter_mut().zip(self.bytes.iter().skip(skipped)) {
            *to = *from;
            count += 1;
        }
        (count > 0).then_some(count)
    }

    fn keep(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
        let surplus = self.bytes.len().saturating_sub(Given::KEPT);
        self.bytes.drain(..surplus);
        self.from += surplus as u64;
    }
}

struct OpenEvents {
    node: NodeRef,
    reader: Reader,
    given: Mutex<Given>,
    nonblock: bool,
}

impl OpenFile for OpenEvents {
    fn node(&self) -> &NodeRef {
        &self.node
    }
    fn read<'a>(&'a self, offset: u64, buf: &'a mut [u8]) -> Op<'a, usize> {
        if let Some(count) = self.given.lock().read(offset, buf) {
            return Op::ok(count);
        }
        let read = async move {
            let count = self.reader.read(buf).await?;
            self.given.lock().keep(&buf[..count]);
            Ok(count)
        };
        unless_blocking(self.nonblock, Op::started(read))
    }
    fn ready(&self, _interest: Interest) -> Op<'_, ()> {
        self.reader.readable()
    }
    /// With the length of what this reader was told.
    fn stat(&self) -> Op<'_, Stat> {
        let (size, changed) = self.reader.len();
        self.node.stat().map(move |stat| Stat { size, mtime: changed.unwrap_or(stat.btime), ..stat })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_lately_can_be_read_again_and_nothing_else() {
        let mut given = Given::default();
        let mut buf = [0; 4];
        assert_eq!(given.read(0, &mut buf), None);
        given.keep(b"first second");
        assert_eq!((given.read(6, &mut buf), &buf), (Some(4), b"seco"));
        assert_eq!((given.read(10, &mut buf), &buf[..2]), (Some(2), &b"nd"[..]));
        assert_eq!(given.read(12, &mut buf), None, "what comes next");
        given.keep(&[b'x'; Given::KEPT]);
        assert_eq!(given.read(0, &mut buf), None, "too long ago");
        assert_eq!((given.read(12, &mut buf), &buf), (Some(4), b"xxxx"));
    }
}
