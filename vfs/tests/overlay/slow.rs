//! A layer that never answers at once, as one of another machine does.

use std::sync::Arc;
use vfs::*;

struct Slow(NodeRef);

struct SlowFile(NodeRef, FileRef);

/// The same tree, every answer of which is to be waited for.
pub fn slow(node: NodeRef) -> NodeRef {
    Arc::new(Slow(node))
}

fn later<'a, T: Send + 'a>(op: Op<'a, T>) -> Op<'a, T> {
    Op::later(async move {
        let mut waited = false;
        std::future::poll_fn(|cx| {
            if std::mem::replace(&mut waited, true) {
                return std::task::Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            std::task::Poll::Pending
        })
        .await;
        op.await
    })
}

impl Node for Slow {
    fn qid(&self) -> Qid {
        self.0.qid()
    }
    fn stat(&self) -> Op<'_, Stat> {
        later(self.0.stat())
    }
    fn walk<'a>(&'a self, who: &'a Caller, name: Name<'a>) -> Op<'a, NodeRef> {
        later(self.0.walk(who, name)).map(slow)
    }
    fn open<'a>(self: Arc<Self>, who: &'a Caller, flags: OpenFlags) -> Op<'a, FileRef> {
        let node: NodeRef = self.clone();
        later(self.0.clone().open(who, flags)).map(|file| Arc::new(SlowFile(node, file)) as FileRef)
    }
    fn readlink(&self) -> Op<'_, Arc<[u8]>> {
        later(self.0.readlink())
    }
    fn getxattr<'a>(&'a self, name: &'a [u8]) -> Op<'a, Arc<[u8]>> {
        later(self.0.getxattr(name))
    }
    fn listxattr(&self) -> Op<'_, Vec<Box<[u8]>>> {
        later(self.0.listxattr())
    }
    fn acl(&self, kind: AclKind) -> Op<'_, Option<Arc<Acl>>> {
        later(self.0.acl(kind))
    }
}

impl OpenFile for SlowFile {
    fn node(&self) -> &NodeRef {
        &self.0
    }
    fn read<'a>(&'a self, offset: u64, buf: &'a mut [u8]) -> Op<'a, usize> {
        later(self.1.read(offset, buf))
    }
    /// A few entries at a time.
    fn readdir<'a>(&'a self, cookie: u64, sink: &'a mut Sink<'a>) -> Op<'a, ()> {
        let mut taken = 0;
        let mut few = move |entry: DirEntry<'_>| {
            taken += 1;
            taken <= 3 && sink(entry)
        };
        Op::later(async move { self.1.readdir(cookie, &mut few).await })
    }
}
