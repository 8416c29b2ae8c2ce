//! A file of the server as a node: a fid that is walked to and never opened, where it was found, and what was last seen of
//! the file.

use super::file::RemoteFile;
use super::number::Number;
use super::tree::Tree;
use super::words;
use crate::*;
use nine::client::{ClientError, Fid};
use nine::wire::{self, Attr, UnlinkFlags, XattrFlags};
use parking_lot::Mutex;
use std::any::Any;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

/// How long the attributes that a walk brought along may answer the stat that follows it.
const FRESH: Duration = Duration::from_millis(100);

pub(super) struct Remote {
    me: Weak<Remote>,
    tree: Arc<Tree>,
    /// None where it was given up ([`super::fids`]).
    fid: Mutex<Option<Arc<Fid>>>,
    /// It was asked for since the last look.
    used: AtomicBool,
    /// Nothing for the root, which never gives up its fid.
    at: Option<(Arc<Remote>, NameBuf)>,
    number: Number,
    kind: Kind,
    version: AtomicU32,
    /// Version 0, and length 0 or none of it stored, when last seen.
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
    pub(super) fn root(tree: Arc<Tree>, fid: Fid, attr: &Attr) -> Arc<Remote> {
        Remote::new(tree, fid, attr, None)
    }

    fn new(tree: Arc<Tree>, fid: Fid, attr: &Attr, at: Option<(Arc<Remote>, NameBuf)>) -> Arc<Remote> {
        let node = Arc::new_cyclic(|me| Remote {
            me: me.clone(),
            number: tree.numbers.hold(fid.qid().path),
            kind: words::kind(attr.mode, fid.qid()),
            version: AtomicU32::new(0),
            synthetic: AtomicBool::new(false),
            fresh: Mutex::new(None),
            used: AtomicBool::new(true),
            fid: Mutex::new(Some(Arc::new(fid))),
            at,
            tree,
        });
        node.learn(attr);
        if node.at.is_some() {
            node.tree.keepers.add(node.me.clone());
        }
        node
    }

    fn kept(&self) -> Option<Arc<Fid>> {
        self.used.store(true, Ordering::Relaxed);
        self.fid.lock().clone()
    }

    /// In use, or asked for since this was last asked.
    pub(super) fn deserves_its_fid(&self) -> bool {
        let in_use = self.fid.lock().as_ref().is_some_and(|fid| Arc::strong_count(fid) > 1);
        self.used.swap(false, Ordering::Relaxed) || in_use
    }

    pub(super) fn give_up_fid(&self) -> Option<Arc<Fid>> {
        self.fid.lock().take()
    }

    /// Its fid; where it has none, from the nearest directory above that has one.
    pub(super) async fn fid(&self) -> Result<Arc<Fid>> {
        if let Some(fid) = self.kept() {
            return Ok(fid);
        }
        let mut names = Vec::new();
        let mut here = self;
        let from = loop {
            if let Some(fid) = here.kept() {
                break fid;
            }
            let (dir, name) = here.at.as_ref().expect("the root keeps its fid");
            names.push(name.as_bytes());
            here = dir;
        };
        names.reverse();
        let stale = || Error::new(Errno::ESTALE, "file was moved or removed on the server");
        let fid = match self.tree.said(from.walk(names).await) {
            Ok(fid) if fid.qid().path == self.number.theirs() => Arc::new(fid),
            Ok(_) => return Err(stale()),
            Err(error) if error.is(Errno::ENOENT) || error.is(Errno::ENOTDIR) => return Err(stale()),
            Err(error) => return Err(error),
        };
        *self.fid.lock() = Some(fid.clone());
        self.tree.keepers.add(self.me.clone());
        Ok(fid)
    }

    pub(super) fn tree(&self) -> &Arc<Tree> {
        &self.tree
    }

    /// What attributes say, which is remembered as far as it decides how the file is used.
    fn learn(&self, attr: &Attr) -> Stat {
        let synthetic = attr.qid.version == 0 && (attr.size == 0 || attr.blocks == 0);
        let version = if self.kind == Kind::File && !synthetic { words::version(attr) } else { 0 };
        self.version.store(version, Ordering::Relaxed);
        self.synthetic.store(synthetic && self.kind == Kind::File, Ordering::Relaxed);
        words::stat(attr, self.qid())
    }

    /// Opening tells the version, by which a kernel knows whether what it has cached still holds.
    async fn learn_opened(&self, open: &Fid) -> Result<()> {
        match open.qid().version {
            _ if self.kind != Kind::File || self.nature() != Nature::Storage => Ok(()),
            0 => self.look().await.map(drop),
            version => {
                self.version.store(version, Ordering::Relaxed);
                Ok(())
            }
        }
    }

    fn take_fresh(&self) -> Option<Stat> {
        let fresh = self.fresh.lock().take()?;
        let holds = fresh.changes == self.tree.changes() && fresh.came.elapsed() < FRESH;
        holds.then_some(fresh.stat)
    }

    /// Asks for the attributes.
    pub(super) async fn look(&self) -> Result<Stat> {
        let attr = self.tree.said(self.fid().await?.getattr(words::WANTED).await)?;
        Ok(self.learn(&attr))
    }

    /// The entry `name`, with its attributes, which answer the stat that follows.
    async fn step(&self, name: Name<'_>) -> Result<Arc<Remote>> {
        let dir = self.fid().await?;
        let changes = self.tree.changes();
        let found = dir.walk_getattr(name.as_bytes(), words::WANTED).await;
        let (fid, attr) = self.tree.said(found)?;
        let me = self.me.upgrade().expect("a node that is borrowed lives");
        let node = Remote::new(self.tree.clone(), fid, &attr, Some((me, name.to_owned())));
        let stat = words::stat(&attr, node.qid());
        *node.fresh.lock() = Some(Fresh { stat, changes, came: Instant::now() });
        Ok(node)
    }

    /// Does something that changes what is there.
    async fn change<T>(&self, request: impl Future<Output = Result<T, ClientError>>) -> Result<T> {
        let changing = self.tree.changing();
        let done = request.await;
        drop(changing);
        self.tree.said(done)
    }

    /// The node behind one of this very tree; anything else is EXDEV.
    fn of_this_tree<'a>(&self, node: &'a NodeRef) -> Result<&'a Remote> {
        let any: &dyn Any = &**node;
        match any.downcast_ref::<Remote>() {
            Some(remote) if Arc::ptr_eq(&remote.tree, &self.tree) => Ok(remote),
            _ => Errno::EXDEV.into(),
        }
    }

    /// 9P knows no umask: it is taken off before the peer is asked, but where a default list of his rules instead.
    async fn masked(&self, who: &Caller, mode: Mode) -> Result<u32> {
        let masked = mode.bits() & !who.umask;
        let ruled = masked != mode.bits() && self.acl(AclKind::Default).await?.is_some();
        Ok(if ruled { mode.bits() } else { masked })
    }
}

impl Drop for Remote {
    /// Without recursion: a program may walk deeper than any stack.
    fn drop(&mut self) {
        let mut above = self.at.take();
        while let Some((dir, _)) = above {
            above = Arc::into_inner(dir).and_then(|mut dir| dir.at.take());
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
        Op::later(async move { Ok(self.step(name).await? as NodeRef) })
    }
    fn open<'a>(self: Arc<Self>, _who: &'a Caller, flags: OpenFlags) -> Op<'a, FileRef> {
        Op::later(async move {
            let fid = self.fid().await?;
            let opening = fid.opened(words::open_flags(flags));
            let open = if flags.contains(OpenFlags::TRUNCATE) {
                self.change(opening).await?
            } else {
                self.tree.said(opening.await)?
            };
            self.learn_opened(&open).await?;
            Ok(RemoteFile::opened(self, fid, open, flags))
        })
    }

    fn create<'a>(
        &'a self,
        who: &'a Caller,
        name: Name<'a>,
        mode: Mode,
        flags: OpenFlags,
    ) -> Op<'a, (NodeRef, FileRef)> {
        Op::later(async move {
            let how = words::open_flags(flags) | wire::OpenFlags::CREAT;
            let mode = wire::Mode(wire::Mode::REGULAR | self.masked(who, mode).await?);
            let dir = self.fid().await?;
            let open = self.change(dir.created(name.as_bytes(), how, mode)).await?;
            // The fid that made the file is open: the node takes one that is not.
            let node = self.step(name).await?;
            // Empty, and perhaps without a version: but what can be made is storage.
            node.synthetic.store(false, Ordering::Relaxed);
            let fid = node.fid().await?;
            Ok((node.clone() as NodeRef, RemoteFile::opened(node, fid, open, flags)))
        })
    }
    fn mkdir<'a>(&'a self, who: &'a Caller, name: Name<'a>, mode: Mode) -> Op<'a, NodeRef> {
        Op::later(async move {
            let dir = self.fid().await?;
            let mode = wire::Mode(self.masked(who, mode).await?);
            self.change(dir.mkdir(name.as_bytes(), mode)).await?;
            Ok(self.step(name).await? as NodeRef)
        })
    }
    fn symlink<'a>(&'a self, _who: &'a Caller, name: Name<'a>, target: &'a [u8]) -> Op<'a, NodeRef> {
        Op::later(async move {
            let dir = self.fid().await?;
            self.change(dir.symlink(name.as_bytes(), target)).await?;
            Ok(self.step(name).await? as NodeRef)
        })
    }
    fn mknod<'a>(
        &'a self,
        who: &'a Caller,
        name: Name<'a>,
        kind: Kind,
        mode: Mode,
        device: Device,
    ) -> Op<'a, NodeRef> {
        Op::later(async move {
            let mode = wire::Mode(kind.bits() | self.masked(who, mode).await?);
            let dir = self.fid().await?;
            self.change(dir.mknod(name.as_bytes(), mode, (device.major, device.minor))).await?;
            Ok(self.step(name).await? as NodeRef)
        })
    }

    fn link<'a>(&'a self, _who: &'a Caller, target: &'a NodeRef, name: Name<'a>) -> Op<'a, ()> {
        Op::later(async move {
            let target = self.of_this_tree(target)?.fid().await?;
            self.change(self.fid().await?.link(&target, name.as_bytes())).await
        })
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
        Op::later(async move {
            let to = self.of_this_tree(to)?.fid().await?;
            self.change(self.fid().await?.rename_at(name.as_bytes(), &to, to_name.as_bytes())).await
        })
    }
    fn unlink<'a>(&'a self, _who: &'a Caller, name: Name<'a>) -> Op<'a, ()> {
        Op::later(async move {
            self.change(self.fid().await?.unlink_at(name.as_bytes(), UnlinkFlags::empty())).await
        })
    }
    fn rmdir<'a>(&'a self, _who: &'a Caller, name: Name<'a>) -> Op<'a, ()> {
        Op::later(async move {
            self.change(self.fid().await?.unlink_at(name.as_bytes(), UnlinkFlags::REMOVEDIR)).await
        })
    }

    fn readlink(&self) -> Op<'_, Arc<[u8]>> {
        if self.kind != Kind::Symlink {
            return Op::err(Errno::EINVAL);
        }
        Op::later(async { Ok(self.tree.said(self.fid().await?.readlink().await)?.into()) })
    }
    fn setstat<'a>(&'a self, _who: &'a Caller, set: SetStat) -> Op<'a, ()> {
        if set == SetStat::default() {
            return Op::ok(());
        }
        Op::later(async move { self.change(self.fid().await?.setattr(words::set_attr(&set))).await })
    }
    fn statfs(&self) -> Op<'_, StatFs> {
        Op::later(async { Ok(words::stat_fs(self.tree.said(self.fid().await?.statfs().await)?)) })
    }

    fn acl(&self, kind: AclKind) -> Op<'_, Option<Arc<Acl>>> {
        Op::later(async move {
            match self.getxattr(kind.attribute().as_bytes()).await {
                Ok(value) => Ok(Acl::parse(&value)?.map(Arc::new)),
                // A peer or a dialect without lists, or without attributes at all.
                Err(error) if matches!(error.errno(), Errno::ENODATA | Errno::EOPNOTSUPP | Errno::ENOSYS) => {
                    Ok(None)
                }
                Err(error) => Err(error),
            }
        })
    }
    fn set_acl<'a>(&'a self, _who: &'a Caller, kind: AclKind, acl: Option<Acl>) -> Op<'a, ()> {
        Op::later(async move {
            let name = kind.attribute().as_bytes();
            let Some(acl) = acl else {
                return match self.removexattr(name).await {
                    Err(error) if error.is(Errno::ENODATA) => Ok(()),
                    done => done,
                };
            };
            self.setxattr(name, &acl.encode(), SetXattr::empty()).await
        })
    }

    fn getxattr<'a>(&'a self, name: &'a [u8]) -> Op<'a, Arc<[u8]>> {
        if name.is_empty() {
            return Op::err(Errno::ENODATA);
        }
        Op::later(async move { Ok(self.tree.said(self.fid().await?.xattr(name).await)?.into()) })
    }
    fn setxattr<'a>(&'a self, name: &'a [u8], value: &'a [u8], how: SetXattr) -> Op<'a, ()> {
        if value.is_empty() && how.contains(SetXattr::REPLACE) {
            // In .L's words that would be its removal.
            return Op::err(Errno::EOPNOTSUPP);
        }
        Op::later(async move {
            self.change(self.fid().await?.set_xattr(name, value, words::xattr_flags(how))).await
        })
    }
    fn listxattr(&self) -> Op<'_, Vec<Box<[u8]>>> {
        Op::later(async {
            let names = self.tree.said(self.fid().await?.xattr(b"").await)?;
            Ok(names.split(|b| *b == 0).filter(|name| !name.is_empty()).map(Box::from).collect())
        })
    }
    fn removexattr<'a>(&'a self, name: &'a [u8]) -> Op<'a, ()> {
        Op::later(
            async move { self.change(self.fid().await?.set_xattr(name, b"", XattrFlags::REPLACE)).await },
        )
    }
}
