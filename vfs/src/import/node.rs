//! A file of the server as a node: a fid that is walked to and never opened, and what was last seen of the file.

use super::file::RemoteFile;
use super::number::Number;
use super::tree::Tree;
use super::words;
use crate::*;
use nine::client::{ClientError, Fid};
use nine::wire::{self, Attr, UnlinkFlags, XattrFlags};
use parking_lot::Mutex;
use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// How long the attributes that a walk brought along may answer the stat that follows it.
const FRESH: Duration = Duration::from_millis(100);

pub(super) struct Remote {
    tree: Arc<Tree>,
    pub(super) fid: Fid,
    number: Number,
    kind: Kind,
    version: AtomicU32,
    /// Length 0 and version 0 when last seen.
    synthetic: AtomicBool,
    fresh: Mutex<Option<Fresh>>,
}

/// Attributes that came with the walk, for one stat.
struct Fresh {
    stat: Stat,
    /// Changes that were known when they were asked for.
    changes: u64,
    came: Instant,
}

impl Remote {
    /// The node for a fid and the attributes that came with it; they answer the next stat where `changes` is the count of
    /// changes at the time they were asked for.
    pub(super) fn found(tree: Arc<Tree>, fid: Fid, attr: &Attr, changes: Option<u64>) -> Arc<Remote> {
        let node = Remote {
            number: tree.numbers.hold(fid.qid().path),
            kind: words::kind(attr.mode, fid.qid()),
            version: AtomicU32::new(0),
            synthetic: AtomicBool::new(false),
            fresh: Mutex::new(None),
            tree,
            fid,
        };
        let stat = node.learn(attr);
        if let Some(changes) = changes {
            *node.fresh.lock() = Some(Fresh { stat, changes, came: Instant::now() });
        }
        Arc::new(node)
    }

    pub(super) fn tree(&self) -> &Arc<Tree> {
        &self.tree
    }

    /// What attributes say, which is remembered as far as it decides how the file is used.
    fn learn(&self, attr: &Attr) -> Stat {
        let synthetic = self.kind == Kind::File && attr.size == 0 && attr.qid.version == 0;
        self.synthetic.store(synthetic, Ordering::Relaxed);
        self.version.store(attr.qid.version, Ordering::Relaxed);
        words::stat(attr, self.qid())
    }

    fn take_fresh(&self) -> Option<Stat> {
        let fresh = self.fresh.lock().take()?;
        let holds = fresh.changes == self.tree.changes() && fresh.came.elapsed() < FRESH;
        holds.then_some(fresh.stat)
    }

    /// Asks for the attributes.
    pub(super) async fn look(&self) -> Result<Stat> {
        let attr = self.tree.said(self.fid.getattr(words::WANTED).await)?;
        Ok(self.learn(&attr))
    }

    /// The entry `name`, with its attributes.
    async fn step(&self, name: Name<'_>) -> Result<NodeRef> {
        let changes = self.tree.changes();
        let found = self.fid.walk_getattr(name.as_bytes(), words::WANTED).await;
        let (fid, attr) = self.tree.said(found)?;
        Ok(Remote::found(self.tree.clone(), fid, &attr, Some(changes)))
    }

    /// Does something that changes what is there.
    async fn change<T>(&self, request: impl Future<Output = Result<T, ClientError>>) -> Result<T> {
        let changing = self.tree.changing();
        let done = request.await;
        drop(changing);
        self.tree.said(done)
    }

    /// Makes an entry, and goes there.
    async fn make<T>(
        &self,
        name: Name<'_>,
        request: impl Future<Output = Result<T, ClientError>>,
    ) -> Result<NodeRef> {
        self.change(request).await?;
        self.step(name).await
    }

    /// The node behind one of this very tree; anything else is EXDEV.
    fn of_this_tree<'a>(&self, node: &'a NodeRef) -> Result<&'a Remote> {
        let any: &dyn Any = &**node;
        match any.downcast_ref::<Remote>() {
            Some(remote) if Arc::ptr_eq(&remote.tree, &self.tree) => Ok(remote),
            _ => Errno::EXDEV.into(),
        }
    }
}

impl Node for Remote {
    fn qid(&self) -> Qid {
        let version = self.version.load(Ordering::Relaxed);
        Qid { kind: self.kind, version, path: self.number.path() }
    }
    fn nature(&self) -> Nature {
        match self.kind {
            Kind::Fifo | Kind::CharDevice => Nature::Stream,
            _ if self.synthetic.load(Ordering::Relaxed) => Nature::Stream,
            _ => Nature::Storage,
        }
    }
    fn stat(&self) -> Op<'_, Stat> {
        match self.take_fresh() {
            Some(stat) => Op::ok(stat),
            None => Op::later(self.look()),
        }
    }

    fn walk<'a>(&'a self, _who: &'a Caller, name: Name<'a>) -> Op<'a, NodeRef> {
        Op::later(self.step(name))
    }
    fn open<'a>(self: Arc<Self>, _who: &'a Caller, flags: OpenFlags) -> Op<'a, FileRef> {
        Op::later(async move {
            let opening = self.fid.opened(words::open_flags(flags));
            let fid = if flags.contains(OpenFlags::TRUNCATE) {
                self.change(opening).await?
            } else {
                self.tree.said(opening.await)?
            };
            Ok(RemoteFile::opened(self.clone(), fid, flags))
        })
    }

    fn create<'a>(
        &'a self,
        _who: &'a Caller,
        name: Name<'a>,
        mode: Mode,
        flags: OpenFlags,
    ) -> Op<'a, (NodeRef, FileRef)> {
        Op::later(async move {
            let how = words::open_flags(flags) | wire::OpenFlags::CREAT;
            let mode = wire::Mode(wire::Mode::REGULAR | mode.bits());
            let fid = self.change(self.fid.created(name.as_bytes(), how, mode)).await?;
            // The fid that made the file is open: the node takes one that is not.
            let node = self.step(name).await?;
            let any: Arc<dyn Any + Send + Sync> = node.clone();
            let remote = any.downcast::<Remote>().expect("step() makes nothing else");
            Ok((node, RemoteFile::opened(remote, fid, flags)))
        })
    }
    fn mkdir<'a>(&'a self, _who: &'a Caller, name: Name<'a>, mode: Mode) -> Op<'a, NodeRef> {
        Op::later(self.make(name, self.fid.mkdir(name.as_bytes(), wire::Mode(mode.bits()))))
    }
    fn symlink<'a>(&'a self, _who: &'a Caller, name: Name<'a>, target: &'a [u8]) -> Op<'a, NodeRef> {
        Op::later(self.make(name, self.fid.symlink(name.as_bytes(), target)))
    }
    fn mknod<'a>(
        &'a self,
        _who: &'a Caller,
        name: Name<'a>,
        kind: Kind,
        mode: Mode,
        device: Device,
    ) -> Op<'a, NodeRef> {
        let mode = wire::Mode(kind.bits() | mode.bits());
        Op::later(self.make(name, self.fid.mknod(name.as_bytes(), mode, (device.major, device.minor))))
    }

    fn link<'a>(&'a self, _who: &'a Caller, target: &'a NodeRef, name: Name<'a>) -> Op<'a, ()> {
        match self.of_this_tree(target) {
            Ok(target) => Op::later(self.change(self.fid.link(&target.fid, name.as_bytes()))),
            Err(error) => Op::err(error),
        }
    }
    fn rename<'a>(
        &'a self,
        _who: &'a Caller,
        name: Name<'a>,
        to: &'a NodeRef,
        to_name: Name<'a>,
        flags: RenameFlags,
    ) -> Op<'a, ()> {
        if !flags.is_empty() {
            return Op::err(Errno::EINVAL);
        }
        match self.of_this_tree(to) {
            Ok(to) => {
                Op::later(self.change(self.fid.rename_at(name.as_bytes(), &to.fid, to_name.as_bytes())))
            }
            Err(error) => Op::err(error),
        }
    }
    fn unlink<'a>(&'a self, _who: &'a Caller, name: Name<'a>) -> Op<'a, ()> {
        Op::later(self.change(self.fid.unlink_at(name.as_bytes(), UnlinkFlags::empty())))
    }
    fn rmdir<'a>(&'a self, _who: &'a Caller, name: Name<'a>) -> Op<'a, ()> {
        Op::later(self.change(self.fid.unlink_at(name.as_bytes(), UnlinkFlags::REMOVEDIR)))
    }

    fn readlink(&self) -> Op<'_, Arc<[u8]>> {
        if self.kind != Kind::Symlink {
            return Op::err(Errno::EINVAL);
        }
        Op::later(async { Ok(self.tree.said(self.fid.readlink().await)?.into()) })
    }
    fn setstat<'a>(&'a self, _who: &'a Caller, set: SetStat) -> Op<'a, ()> {
        if set == SetStat::default() {
            return Op::ok(());
        }
        Op::later(self.change(self.fid.setattr(words::set_attr(&set))))
    }
    fn statfs(&self) -> Op<'_, StatFs> {
        Op::later(async { Ok(words::stat_fs(self.tree.said(self.fid.statfs().await)?)) })
    }

    fn getxattr<'a>(&'a self, name: &'a [u8]) -> Op<'a, Arc<[u8]>> {
        if name.is_empty() {
            return Op::err(Errno::ENODATA);
        }
        Op::later(async move { Ok(self.tree.said(self.fid.xattr(name).await)?.into()) })
    }
    fn setxattr<'a>(&'a self, name: &'a [u8], value: &'a [u8], how: SetXattr) -> Op<'a, ()> {
        if value.is_empty() && how.contains(SetXattr::REPLACE) {
            // In .L's words that would be its removal.
            return Op::err(Errno::EOPNOTSUPP);
        }
        Op::later(self.change(self.fid.set_xattr(name, value, words::xattr_flags(how))))
    }
    fn listxattr(&self) -> Op<'_, Vec<Box<[u8]>>> {
        Op::later(async {
            let names = self.tree.said(self.fid.xattr(b"").await)?;
            Ok(names.split(|b| *b == 0).filter(|name| !name.is_empty()).map(Box::from).collect())
        })
    }
    fn removexattr<'a>(&'a self, name: &'a [u8]) -> Op<'a, ()> {
        Op::later(self.change(self.fid.set_xattr(name, b"", XattrFlags::REPLACE)))
    }
}
