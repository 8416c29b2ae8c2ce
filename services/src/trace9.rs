//! `/dev/trace9`: the messages of the server's 9P connections in words, as they pass, a line each.
//!
//! ```text
//! 14:03:22.518204 7 <- Tread tag 4 fid 5 offset 0 count 8192
//! time (UTC)      │ │  the message
//!                 │ └─ <- from the client, -> to the client
//!                 └─── the connection
//! ```
//!
//! Everyone who opens it reads from that moment on. What is kept for slow readers is bounded: one who falls behind is told how
//! much he has missed.

use crate::dev::only_from_outside;
use crate::messages::{Messages, Watch};
use crate::synth::{Attr, Content, File, only_reads, unless_blocking};
use std::sync::Arc;
use vfs::{Caller, FileRef, Interest, Nature, NodeRef, Op, OpenFile, OpenFlags, Result};

pub(crate) fn node(attr: Attr, messages: Arc<Messages>) -> NodeRef {
    File::node(attr, Trace9(messages))
}

struct Trace9(Arc<Messages>);

impl Content for Trace9 {
    fn nature(&self) -> Nature {
        Nature::Stream
    }
    fn open(file: Arc<File<Self>>, who: &Caller, flags: OpenFlags) -> Result<FileRef> {
        only_reads(flags)?;
        only_from_outside(who, "trace9")?;
        let watch = file.0.watch();
        Ok(Arc::new(OpenTrace9 { node: file, watch, nonblock: flags.contains(OpenFlags::NONBLOCK) }))
    }
}

struct OpenTrace9 {
    node: NodeRef,
    watch: Watch,
    nonblock: bool,
}

impl OpenFile for OpenTrace9 {
    fn node(&self) -> &NodeRef {
        &self.node
    }
    fn read<'a>(&'a self, _offset: u64, buf: &'a mut [u8]) -> Op<'a, usize> {
        if let Some(count) = self.watch.read_now(buf) {
            return Op::ok(count);
        }
        unless_blocking(self.nonblock, Op::later(async move { Ok(self.watch.read(buf).await) }))
    }
    fn ready(&self, _interest: Interest) -> Op<'_, ()> {
        if self.watch.has_more() {
            return Op::ok(());
        }
        Op::later(async move {
            self.watch.more().await;
            Ok(())
        })
    }
}

/// Whether reading `file` shows the messages of connections. A server leaves the reads of it out of what it says, since each
/// line that is read would make the next.
pub fn shows_messages(file: &dyn OpenFile) -> bool {
    (file as &dyn std::any::Any).is::<OpenTrace9>()
}
