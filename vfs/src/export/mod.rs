//! Places served over 9P, the counterpart of [`crate::import`]: what a fid and an open fid are here, and each message's
//! operation on a place.
//!
//! The session (crate nine) has checked fids, modes and names, and keeps the order; permissions are checked by the place.
//! Who may attach, as whom and to what, is left to a [`Doorkeeper`].

mod appending;
mod oversight;
mod words;

pub use oversight::Overseer;

use crate::lock::{LockKind, LockOwner, LockSort};
use crate::{Caller, DirEntry, FileRef, Kind, Name, Nature, Op, OpenFile, OpenFlags, Place};
use appending::Writes;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use nine::server::{Answer, Entry, Error, FileServer, HeldLock, Listing, Lock, Opened, Peer, SetAttr};
use nine::wire;
use oversight::{Counted, Oversight, flags as shown_flags, missing, nothing, path, quoted};
use parking_lot::Mutex;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use words::error;

/// Who may come in, and to where: what an export does not know by itself.
pub trait Doorkeeper: Send + Sync + 'static {
    /// What is known of a connection.
    type Context: Send + Sync + 'static;

    /// Answers a Tattach.
    fn admit<'a>(&'a self, peer: &'a Peer<'a, Self::Context>) -> Op<'a, Admitted>;

    /// What has to have happened before anyone hears of what was done so far; none where nothing has to.
    fn unheard(&self) -> Option<BoxFuture<'static, ()>> {
        None
    }

    /// Whether reading `file` shows the messages of connections (see [`FileServer::shows_messages`]).
    fn shows_messages(&self, file: &dyn OpenFile) -> bool {
        let _ = file;
        false
    }
}

/// An attach that was granted.
pub struct Admitted {
    pub place: Place,
    pub who: Arc<Caller>,
    /// His connection's number, unique in the server: a lock's owner is a process of a connection.
    pub connection: u64,
    /// The identity of the directory where `..` leads no further, where nothing above one is his to see.
    pub top: Option<u64>,
    /// Who keeps an eye on him, where somebody does.
    pub overseer: Option<Arc<dyn Overseer>>,
}

/// Serves places to those whom its doorkeeper lets in.
#[derive(Debug)]
pub struct Export<D> {
    door: D,
}

/// A fid: a place, and the user it was walked to for.
#[derive(Clone)]
pub struct Node {
    place: Place,
    who: Arc<Caller>,
    connection: u64,
    /// The directory that he attached to, where nothing above it is his to see.
    top: Option<u64>,
    oversight: Oversight,
}

/// An open fid. Dropping it gives up its locks and closes the file.
pub struct Open {
    place: Place,
    file: FileRef,
    writes: bool,
    appending: Writes,
    /// Plan 9's ORCLOSE is the session's; here is only whose locks are to be given up.
    owners: Mutex<Vec<LockOwner>>,
    connection: u64,
    is_top: bool,
    oversight: Oversight,
    _counted: Counted,
}

impl<D: Doorkeeper> Export<D> {
    pub fn new(door: D) -> Export<D> {
        Export { door }
    }

    pub fn door(&self) -> &D {
        &self.door
    }

    /// An operation as the session takes it; done stays done, without an allocation. Where what it changed, or tells of, is to
    /// be known elsewhere first, the answer waits for that.
    fn answer<'a, T: Send + 'a>(&'a self, op: Op<'a, T>) -> Answer<'a, T> {
        match op {
            Op::Done(result) => {
                let result = result.map_err(error);
                match self.door.unheard() {
                    None => Answer::Now(result),
                    Some(heard) => Answer::later(async move {
                        heard.await;
                        result
                    }),
                }
            }
            Op::Later(future) => Answer::later(async move {
                let result = future.await.map_err(error);
                if let Some(heard) = self.door.unheard() {
                    heard.await;
                }
                result
            }),
        }
    }
}

impl Node {
    fn at(&self, place: Place) -> Node {
        Node { place, ..self.clone() }
    }

    /// Whether `..` leads no further for him.
    fn is_top(&self) -> bool {
        self.top == Some(self.place.qid().path)
    }

    /// Its name in the directory above; fails at the top, which cannot be moved or removed.
    fn name(&self) -> crate::Result<crate::NameBuf> {
        let name = if self.is_top() { None } else { self.place.name() };
        name.cloned().ok_or(crate::Errno::EBUSY.into())
    }

    /// The directory above it, and its name there. Who renamed it through another fid has left us the old name, which by now may
    /// be another file's: then it is looked for, in that directory, since only there plain 9P2000 and .u rename. (Linux with
    /// cache=loose removes files through fids older than their names.)
    async fn named(&self) -> crate::Result<(Place, crate::NameBuf)> {
        let (dir, name) = (self.place.parent(), self.name()?);
        let itself = self.place.qid().path;
        match dir.walk(&self.who, name.as_bytes()).await {
            Ok(there) if there.qid().path == itself => return Ok((dir, name)),
            Ok(_) => {}
            Err(error) if error.is(crate::Errno::ENOENT) => {}
            Err(error) => return Err(error),
        }
        let listing = dir.open(&self.who, OpenFlags::READ).await?;
        let mut found = None;
        let mut sink = |entry: DirEntry<'_>| {
            if dir.entry_qid(entry.qid).path == itself {
                found = Some(entry.name.to_owned());
            }
            found.is_none()
        };
        listing.readdir(0, &mut sink).await?;
        found.map(|name| (dir, name)).ok_or(crate::Errno::ENOENT.into())
    }

    /// The caller for something new that is to belong to `gid`.
    fn maker(&self, gid: wire::Gid) -> Arc<Caller> {
        if gid == wire::Gid::NONE || gid.0 == self.who.gid.0 {
            return self.who.clone();
        }
        let mut who = Caller::clone(&self.who);
        who.gid = crate::Gid(gid.0);
        Arc::new(who)
    }

    fn opened(
        &self,
        place: Place,
        file: FileRef,
        flags: OpenFlags,
        appending: Writes,
        counted: Counted,
    ) -> Opened<Node, Open> {
        let nature = file.nature();
        let open = Open {
            place,
            file,
            writes: flags.contains(OpenFlags::WRITE),
            appending,
            owners: Mutex::default(),
            connection: self.connection,
            is_top: self.is_top(),
            oversight: self.oversight.clone(),
            _counted: counted,
        };
        Opened { file: open, node: None, is_stream: nature == Nature::Stream, iounit: 0 }
    }
}

impl Open {
    fn owner(&self, lock: &Lock<'_>) -> LockOwner {
        let mut client = DefaultHasher::new();
        (self.connection, lock.client_id).hash(&mut client);
        LockOwner {
            client: client.finish(),
            owner: u64::from(lock.proc_id),
            sort: LockSort::Unknown,
            pid: lock.proc_id,
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        for owner in self.owners.get_mut().drain(..) {
            self.file.release(owner);
        }
    }
}

fn name(bytes: &[u8]) -> Result<Name<'_>, Error> {
    Name::new(bytes).map_err(error)
}

fn lock(lock: &Lock<'_>) -> Result<crate::lock::Lock, Error> {
    let kind = match lock.kind {
        wire::LockKind::READ => LockKind::Read,
        wire::LockKind::WRITE => LockKind::Write,
        wire::LockKind::UNLOCK => LockKind::Unlock,
        _ => return Err(Error::INVALID),
    };
    let end = if lock.length == 0 { u64::MAX } else { lock.start.saturating_add(lock.length) };
    Ok(crate::lock::Lock { kind, start: lock.start, end })
}

/// A tree's cookie as an offset of a listing that starts with `.` and `..`, and back. A host's last cookie may be the
/// largest there is, and stays it.
const DOTS: u64 = 2;
fn offset_of(cookie: u64) -> u64 {
    cookie.saturating_add(DOTS).min(i64::MAX as u64)
}
fn cookie_of(offset: u64) -> u64 {
    if offset == i64::MAX as u64 { offset } else { offset - DOTS }
}

/// `$name` of a message, checked, or the answer that says what is wrong with it.
macro_rules! checked {
    ($name:expr) => {
        match $name {
            Ok(value) => value,
            Err(error) => return Answer::err(error),
        }
    };
}

impl<D: Doorkeeper> FileServer for Export<D> {
    type Context = D::Context;
    type Node = Node;
    type Open = Open;

    fn attach<'a>(&'a self, peer: &'a Peer<'a, D::Context>) -> Answer<'a, Node> {
        Answer::later(async move {
            let admitted = self.door.admit(peer).await.map_err(error)?;
            let Admitted { place, who, connection, top, overseer } = admitted;
            Ok(Node { place, who, connection, top, oversight: Oversight(overseer) })
        })
    }

    fn qid(&self, node: &Node) -> wire::Qid {
        words::qid(node.place.qid(), node.place.nature())
    }

    fn walk<'a>(&'a self, dir: &'a Node, name: &'a [u8]) -> Answer<'a, Node> {
        if name == b".." && dir.is_top() {
            return Answer::ok(dir.clone());
        }
        let walked = dir.place.walk(&dir.who, name);
        let walked = walked.map_err(move |error| {
            missing(&dir.oversight, &dir.place, name, &error);
            error
        });
        self.answer(walked.map(|place| dir.at(place)))
    }

    fn open<'a>(&'a self, node: &'a Node, flags: wire::OpenFlags) -> Answer<'a, Opened<Node, Open>> {
        let flags = words::open_flags(flags);
        let call = || format!("open({}, {})", path(&node.place, None), shown_flags(flags, false));
        let opened = match node.oversight.opening() {
            Ok(counted) => Writes::open(&node.place, &node.who, flags)
                .map(move |(file, writes)| node.opened(node.place.clone(), file, flags, writes, counted)),
            Err(error) => Op::err(error),
        };
        self.answer(node.oversight.show(call, nothing, opened))
    }

    fn create<'a>(
        &'a self,
        dir: &'a Node,
        file: &'a [u8],
        flags: wire::OpenFlags,
        mode: wire::Mode,
        gid: wire::Gid,
    ) -> Answer<'a, Opened<Node, Open>> {
        let name = checked!(name(file));
        let flags = words::open_flags(flags);
        let who = dir.maker(gid);
        let call = || format!("open({}, {})", path(&dir.place, Some(file)), shown_flags(flags, true));
        let made = Op::started(async move {
            let counted = dir.oversight.opening()?;
            let mode = crate::Mode::new(mode.permissions());
            let made = dir.place.create(&who, name, mode, Writes::flags_to_make(flags)).await?;
            let (file, writes) = Writes::of_made(&made, &who, flags).await;
            let node = Some(dir.at(made.place.clone()));
            Ok(Opened { node, ..dir.opened(made.place, file, flags, writes, counted) })
        });
        self.answer(dir.oversight.show(call, nothing, made))
    }

    fn read<'a>(&'a self, open: &'a Open, offset: u64, buf: &'a mut [u8]) -> Answer<'a, usize> {
        let count = buf.len();
        let call = || format!("read({}, {count}, {offset})", path(&open.place, None));
        self.answer(open.oversight.show(call, |count| *count, open.file.read(offset, buf)))
    }

    fn read_shared(&self, open: &Open, offset: u64, count: usize) -> Option<Vec<Bytes>> {
        if open.oversight.is_traced() { None } else { open.file.read_shared(offset, count) }
    }

    fn write<'a>(&'a self, open: &'a Open, offset: u64, data: &'a [u8]) -> Answer<'a, usize> {
        let written = open.appending.write(&open.file, offset, data);
        let call = || format!("write({}, {}, {offset})", path(&open.place, None), data.len());
        self.answer(open.oversight.show(call, |count| *count, written))
    }

    fn keeps_buffers(&self, open: &Open) -> Option<usize> {
        if open.appending.append() || open.oversight.is_traced() { None } else { open.file.keeps_buffers() }
    }

    fn buffer(&self) -> Vec<u8> {
        crate::mem::buffer()
    }

    fn write_buffers<'a>(&'a self, open: &'a Open, offset: u64, parts: Vec<Vec<u8>>) -> Answer<'a, usize> {
        self.answer(open.file.write_buffers(offset, parts))
    }

    fn readdir<'a>(&'a self, open: &'a Open, offset: u64, into: &'a mut Listing) -> Answer<'a, ()> {
        let above = if open.is_top { open.place.clone() } else { open.place.parent() };
        for (at, name, place) in [(1, &b"."[..], open.place.clone()), (2, b"..", above)] {
            let entry = Entry {
                qid: words::qid(place.qid(), Nature::Storage),
                offset: at,
                kind: wire::DirEntryKind::DIRECTORY,
                name,
            };
            if offset < at && !into.push(&entry) {
                return Answer::ok(());
            }
        }
        let cookie = if offset <= DOTS { 0 } else { cookie_of(offset) };
        let call = || format!("getdents({}, {offset})", path(&open.place, None));
        self.answer(open.oversight.show(
            call,
            nothing,
            Op::started(async move {
                let mut sink = |entry: DirEntry<'_>| {
                    let qid = open.place.entry_qid(entry.qid);
                    into.push(&Entry {
                        qid: words::qid(qid, Nature::Storage),
                        offset: offset_of(entry.cookie),
                        kind: wire::DirEntryKind::of(wire::Mode(qid.kind.bits())),
                        name: entry.name.as_bytes(),
                    })
                };
                open.file.readdir(cookie, &mut sink).await
            }),
        ))
    }

    fn getattr<'a>(
        &'a self,
        node: &'a Node,
        _: Option<&'a Open>,
        _: wire::AttrMask,
    ) -> Answer<'a, wire::Attr> {
        let call = || format!("stat({})", path(&node.place, None));
        let stat = node.oversight.show(call, nothing, node.place.stat(&node.who));
        self.answer(stat.map(|stat| words::attr(&stat, node.place.nature())))
    }

    fn setattr<'a>(&'a self, node: &'a Node, open: Option<&'a Open>, change: SetAttr) -> Answer<'a, ()> {
        let set = words::set_stat(change);
        let call = || format!("setattr({})", path(&node.place, None));
        // ftruncate(2) asks nothing of the mode bits: the file was opened for writing. By one that was not, Linux's client cuts what
        // it opens with O_RDONLY | O_TRUNC, as it may where it may write.
        let open = open.filter(|open| open.writes && open.file.nature() == Nature::Storage);
        let (Some(open), Some(size)) = (open, set.size) else {
            return self.answer(node.oversight.show(call, nothing, node.place.setstat(&node.who, set)));
        };
        // Linux sends the times of the change along, which come by themselves.
        let now = |time: &crate::SetTime| *time == crate::SetTime::Now;
        let rest = crate::SetStat { size: None, mtime: set.mtime.filter(|time| !now(time)), ..set };
        let done = open.file.set_size(size).and_then(move |()| {
            if rest == crate::SetStat::default() { Op::ok(()) } else { node.place.setstat(&node.who, rest) }
        });
        self.answer(node.oversight.show(call, nothing, done))
    }

    fn mkdir<'a>(
        &'a self,
        dir: &'a Node,
        new: &'a [u8],
        mode: wire::Mode,
        gid: wire::Gid,
    ) -> Answer<'a, Node> {
        let name = checked!(name(new));
        let who = dir.maker(gid);
        let call = || format!("mkdir({}, {:o})", path(&dir.place, Some(new)), mode.permissions());
        let made = Op::started(async move {
            let place = dir.place.mkdir(&who, name, crate::Mode::new(mode.permissions())).await?;
            Ok(dir.at(place))
        });
        self.answer(dir.oversight.show(call, nothing, made))
    }

    fn symlink<'a>(
        &'a self,
        dir: &'a Node,
        new: &'a [u8],
        target: &'a [u8],
        gid: wire::Gid,
    ) -> Answer<'a, Node> {
        let name = checked!(name(new));
        let who = dir.maker(gid);
        let call = || format!("symlink({}, {})", quoted(target), path(&dir.place, Some(new)));
        let made = Op::started(async move { Ok(dir.at(dir.place.symlink(&who, name, target).await?)) });
        self.answer(dir.oversight.show(call, nothing, made))
    }

    fn mknod<'a>(
        &'a self,
        dir: &'a Node,
        new: &'a [u8],
        mode: wire::Mode,
        (major, minor): (u32, u32),
        gid: wire::Gid,
    ) -> Answer<'a, Node> {
        let name = checked!(name(new));
        let Some(kind) = Kind::from_bits(mode.0 | if mode.kind() == 0 { wire::Mode::REGULAR } else { 0 })
        else {
            return Answer::err(Error::INVALID);
        };
        let who = dir.maker(gid);
        let call = || format!("mknod({}, {:o})", path(&dir.place, Some(new)), mode.0);
        let made = Op::started(async move {
            let mode = crate::Mode::new(mode.permissions());
            let place = dir.place.mknod(&who, name, kind, mode, crate::Device { major, minor }).await?;
            Ok(dir.at(place))
        });
        self.answer(dir.oversight.show(call, nothing, made))
    }

    fn readlink<'a>(&'a self, node: &'a Node) -> Answer<'a, Vec<u8>> {
        let call = || format!("readlink({})", path(&node.place, None));
        let read = node.place.readlink().map(|target| target.to_vec());
        self.answer(node.oversight.show(call, Vec::len, read))
    }

    fn link<'a>(&'a self, dir: &'a Node, node: &'a Node, new: &'a [u8]) -> Answer<'a, ()> {
        let name = checked!(name(new));
        let call = || format!("link({}, {})", path(&node.place, None), path(&dir.place, Some(new)));
        self.answer(dir.oversight.show(call, nothing, dir.place.link(&dir.who, &node.place, name)))
    }

    fn rename_at<'a>(
        &'a self,
        old_dir: &'a Node,
        old: &'a [u8],
        new_dir: &'a Node,
        new: &'a [u8],
    ) -> Answer<'a, ()> {
        let call =
            || format!("rename({}, {})", path(&old_dir.place, Some(old)), path(&new_dir.place, Some(new)));
        let (from, to) = (checked!(name(old)), checked!(name(new)));
        let flags = crate::RenameFlags::empty();
        let renamed = old_dir.place.rename(&old_dir.who, from, &new_dir.place, to, flags);
        self.answer(old_dir.oversight.show(call, nothing, renamed))
    }

    fn rename<'a>(&'a self, node: &'a Node, new_dir: Option<&'a Node>, new: &'a [u8]) -> Answer<'a, ()> {
        let new = checked!(name(new));
        self.answer(Op::started(async move {
            let (old_dir, old) = node.named().await?;
            let to = new_dir.map_or(&old_dir, |dir| &dir.place);
            old_dir.rename(&node.who, old.as_name(), to, new, crate::RenameFlags::empty()).await
        }))
    }

    fn unlink_at<'a>(&'a self, dir: &'a Node, old: &'a [u8], directory: bool) -> Answer<'a, ()> {
        let name = checked!(name(old));
        let (verb, removed) = match directory {
            true => ("rmdir", dir.place.rmdir(&dir.who, name)),
            false => ("unlink", dir.place.unlink(&dir.who, name)),
        };
        let call = || format!("{verb}({})", path(&dir.place, Some(old)));
        self.answer(dir.oversight.show(call, nothing, removed))
    }

    fn remove<'a>(&'a self, node: &'a Node) -> Answer<'a, ()> {
        self.answer(Op::started(async move {
            let (dir, name) = node.named().await?;
            dir.remove(&node.who, name.as_name()).await
        }))
    }

    fn statfs<'a>(&'a self, node: &'a Node) -> Answer<'a, wire::StatFs> {
        let call = || format!("statfs({})", path(&node.place, None));
        self.answer(node.oversight.show(call, nothing, node.place.statfs()).map(words::stat_fs))
    }

    fn fsync<'a>(&'a self, open: &'a Open, data_only: bool) -> Answer<'a, ()> {
        let call = || format!("fsync({})", path(&open.place, None));
        self.answer(open.oversight.show(call, nothing, open.file.fsync(data_only)))
    }

    fn lock<'a>(&'a self, open: &'a Open, request: Lock<'a>) -> Answer<'a, wire::LockStatus> {
        let wanted = checked!(lock(&request));
        let owner = open.owner(&request);
        if wanted.kind != LockKind::Unlock {
            let mut owners = open.owners.lock();
            if !owners.contains(&owner) {
                owners.push(owner);
            }
        }
        // Linux asks a BLOCKED lock again every 30 seconds: one that may wait is better answered when it is had.
        let wait = request.flags.contains(wire::LockFlags::BLOCK);
        self.answer(open.file.lock(owner, wanted, wait).then(|result| match result {
            Ok(()) => Op::ok(wire::LockStatus::SUCCESS),
            Err(error) if error.is(crate::Errno::EAGAIN) => Op::ok(wire::LockStatus::BLOCKED),
            Err(error) => Op::err(error),
        }))
    }

    fn getlock<'a>(&'a self, open: &'a Open, request: Lock<'a>) -> Answer<'a, HeldLock> {
        let wanted = checked!(lock(&request));
        let owner = open.owner(&request);
        let none = HeldLock {
            kind: wire::LockKind::UNLOCK,
            start: request.start,
            length: request.length,
            proc_id: request.proc_id,
            client_id: request.client_id.to_vec(),
        };
        // What an open file itself holds its client knows, and here is no more than the process.
        if wanted.kind == LockKind::Unlock {
            return self.answer(Op::ok(none));
        }
        self.answer(open.file.getlock(owner, wanted).map(move |held| match held {
            None => none,
            Some((holder, held)) => HeldLock {
                kind: if held.kind == LockKind::Write { wire::LockKind::WRITE } else { wire::LockKind::READ },
                start: held.start,
                length: if held.end == u64::MAX { 0 } else { held.end - held.start },
                proc_id: holder.pid,
                client_id: Vec::new(),
            },
        }))
    }

    fn xattr_get<'a>(&'a self, node: &'a Node, name: &'a [u8]) -> Answer<'a, Vec<u8>> {
        self.answer(node.place.getxattr(&node.who, name).map(|value| value.to_vec()))
    }

    fn xattr_list<'a>(&'a self, node: &'a Node) -> Answer<'a, Vec<u8>> {
        self.answer(node.place.listxattr(&node.who).map(|names| {
            names.iter().flat_map(|name| name.iter().copied().chain(std::iter::once(0))).collect()
        }))
    }

    fn xattr_set<'a>(
        &'a self,
        node: &'a Node,
        name: &'a [u8],
        value: &'a [u8],
        flags: wire::XattrFlags,
    ) -> Answer<'a, ()> {
        let mut how = crate::SetXattr::empty();
        how.set(crate::SetXattr::CREATE, flags.contains(wire::XattrFlags::CREATE));
        how.set(crate::SetXattr::REPLACE, flags.contains(wire::XattrFlags::REPLACE));
        self.answer(node.place.setxattr(&node.who, name, value, how))
    }

    fn xattr_remove<'a>(&'a self, node: &'a Node, name: &'a [u8]) -> Answer<'a, ()> {
        self.answer(node.place.removexattr(&node.who, name))
    }

    fn shows_messages(&self, open: &Open) -> bool {
        self.door.shows_messages(&*open.file)
    }

    fn close<'a>(&'a self, open: &'a Open) -> Answer<'a, ()> {
        let call = || format!("close({})", path(&open.place, None));
        self.answer(open.oversight.show(call, nothing, open.file.flush()))
    }
}
