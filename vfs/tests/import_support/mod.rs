//! A 9P server of a namespace, as small as the tests allow: the places of vfs behind the trait of nine. The real one is
//! fs-server's.

#![allow(dead_code, reason = "each test crate uses its part")]

use nine::server::*;
use nine::wire;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tokio::io::DuplexStream;
use tokio::sync::Notify;
use vfs::lock::{self, LockKind, LockOwner, LockSort};
use vfs::{
    Caller, Device, DirEntry, FileRef, Gid, Import, Kind, MemTree, Mode, Name, NameBuf, Namespace, Nature,
    Node, NodeRef, Op, OpenFile, OpenFlags, Place, Qid, SetStat, SetXattr, Stat, Time, TreeTag, Uid,
};

pub fn root_user() -> Caller {
    Caller { checked: true, ..Caller::new(Uid(0), Gid(0)) }
}

/// A server and what it was asked.
pub struct Export {
    ns: Namespace,
    who: Caller,
    /// Requests that reached the tree, by kind of interest.
    pub walks: AtomicUsize,
    pub looks: AtomicUsize,
    pub listings: AtomicUsize,
    /// Say 0 for every version.
    pub counts_no_versions: AtomicBool,
    /// List names that can be none, and the same ones for ever.
    pub lists_nonsense: AtomicBool,
}

pub struct Open {
    place: Place,
    file: FileRef,
}

impl Export {
    pub fn new(root: NodeRef) -> Arc<Export> {
        let [walks, looks, listings] = Default::default();
        let [counts_no_versions, lists_nonsense] = Default::default();
        let (ns, who) = (Namespace::new(root, "#m"), root_user());
        Arc::new(Export { ns, who, walks, looks, listings, counts_no_versions, lists_nonsense })
    }

    pub fn root(&self) -> Place {
        self.ns.root()
    }

    fn shown(&self, qid: wire::Qid) -> wire::Qid {
        if self.counts_no_versions.load(Ordering::SeqCst) { wire::Qid { version: 0, ..qid } } else { qid }
    }
}

fn answer<'a, T: 'a>(op: Op<'a, T>) -> Answer<'a, T> {
    let error = |error: vfs::Error| Error::new(error.errno().raw() as u32, error.text().to_owned());
    match op {
        Op::Done(result) => Answer::Now(result.map_err(error)),
        Op::Later(future) => Answer::later(async move { future.await.map_err(error) }),
    }
}

fn name(bytes: &[u8]) -> NameBuf {
    Name::new(bytes).expect("the tests use good names").to_owned()
}

fn qid(place: &Place, qid: Qid) -> wire::Qid {
    let kind = match qid.kind {
        Kind::Dir => wire::QidKind::DIR,
        Kind::Symlink => wire::QidKind::SYMLINK,
        _ => wire::QidKind::empty(),
    };
    let version = if place.nature() == Nature::Storage { qid.version } else { 0 };
    // All 64 bits are used, as taskfs itself does behind binds.
    wire::Qid { kind, version, path: qid.path.wrapping_mul(0x9e37_79b9_7f4a_7c15) }
}

fn range(request: &Lock<'_>) -> (LockOwner, lock::Lock) {
    let kind = match request.kind {
        wire::LockKind::READ => LockKind::Read,
        wire::LockKind::WRITE => LockKind::Write,
        _ => LockKind::Unlock,
    };
    let end = if request.length == 0 { u64::MAX } else { request.start + request.length };
    let client = request.client_id.iter().fold(7u64, |sum, b| sum.wrapping_mul(31) + u64::from(*b));
    let owner =
        LockOwner { client, owner: request.proc_id.into(), sort: LockSort::Record, pid: request.proc_id };
    (owner, lock::Lock { kind, start: request.start, end })
}

impl FileServer for Export {
    type Context = ();
    type Node = Place;
    type Open = Open;

    fn attach<'a>(&'a self, peer: &'a Peer<'a, ()>) -> Answer<'a, Place> {
        let path = if peer.aname.is_empty() { b"/" } else { peer.aname };
        answer(self.root().resolve(&self.who, path, vfs::Follow::Yes).now().expect("at once").into())
    }
    fn qid(&self, place: &Place) -> wire::Qid {
        self.shown(qid(place, place.qid()))
    }
    fn walk<'a>(&'a self, dir: &'a Place, name: &'a [u8]) -> Answer<'a, Place> {
        self.walks.fetch_add(1, Ordering::SeqCst);
        answer(dir.walk(&self.who, name))
    }
    fn open<'a>(&'a self, place: &'a Place, flags: wire::OpenFlags) -> Answer<'a, Opened<Place, Open>> {
        answer(place.open(&self.who, open_flags(flags)).map(move |file| Opened {
            is_stream: file.nature() == Nature::Stream,
            file: Open { place: place.clone(), file },
            node: None,
            iounit: 0,
        }))
    }
    fn create<'a>(
        &'a self,
        dir: &'a Place,
        new: &'a [u8],
        flags: wire::OpenFlags,
        mode: wire::Mode,
        _: wire::Gid,
    ) -> Answer<'a, Opened<Place, Open>> {
        answer(Op::started(async move {
            let (name, mode) = (name(new), Mode::new(mode.permissions()));
            let made = dir.create(&self.who, name.as_name(), mode, open_flags(flags)).await?;
            let open = Open { place: made.place.clone(), file: made.file };
            Ok(Opened { file: open, node: Some(made.place), is_stream: false, iounit: 0 })
        }))
    }
    fn read<'a>(&'a self, open: &'a Open, offset: u64, buf: &'a mut [u8]) -> Answer<'a, usize> {
        answer(open.file.read(offset, buf))
    }
    fn write<'a>(&'a self, open: &'a Open, offset: u64, data: &'a [u8]) -> Answer<'a, usize> {
        answer(open.file.write(offset, data))
    }
    fn readdir<'a>(&'a self, open: &'a Open, offset: u64, into: &'a mut Listing) -> Answer<'a, ()> {
        self.listings.fetch_add(1, Ordering::SeqCst);
        if self.lists_nonsense.load(Ordering::SeqCst) {
            for (at, name) in [(1, &b"../../etc"[..]), (2, b""), (3, b"a\0b"), (4, b"good"), (5, b"..")] {
                let (qid, kind) = (self.qid(&open.place), wire::DirEntryKind::UNKNOWN);
                assert!(into.push(&Entry { qid, offset: at, kind, name }));
            }
            return Answer::ok(());
        }
        for (at, name) in [(1, &b"."[..]), (2, b"..")] {
            let kind = wire::DirEntryKind::DIRECTORY;
            let entry = Entry { qid: self.qid(&open.place), offset: at, kind, name };
            if offset < at && !into.push(&entry) {
                return Answer::ok(());
            }
        }
        answer(Op::started(async move {
            let mut sink = |entry: DirEntry<'_>| {
                let qid = qid(&open.place, open.place.entry_qid(entry.qid));
                let kind = wire::DirEntryKind::of(wire::Mode(entry.qid.kind.bits()));
                into.push(&Entry { qid, offset: entry.cookie + 2, kind, name: entry.name.as_bytes() })
            };
            open.file.readdir(offset.saturating_sub(2), &mut sink).await
        }))
    }
    fn getattr<'a>(
        &'a self,
        place: &'a Place,
        _: Option<&'a Open>,
        _: wire::AttrMask,
    ) -> Answer<'a, wire::Attr> {
        self.looks.fetch_add(1, Ordering::SeqCst);
        answer(place.stat(&self.who).map(move |stat| {
            let attr = attr(place, &stat);
            wire::Attr { qid: self.shown(attr.qid), ..attr }
        }))
    }
    fn setattr<'a>(&'a self, place: &'a Place, open: Option<&'a Open>, set: SetAttr) -> Answer<'a, ()> {
        let when = |t| match t {
            SetTime::Now => vfs::SetTime::Now,
            SetTime::To(t) => vfs::SetTime::To(Time { secs: t.sec as i64, nanos: t.nsec as u32 }),
        };
        let stat = SetStat {
            mode: set.mode.map(|m| Mode::new(m.0)),
            uid: set.uid.map(|u| Uid(u.0)),
            gid: set.gid.map(|g| Gid(g.0)),
            size: set.size,
            atime: set.atime.map(when),
            mtime: set.mtime.map(when),
        };
        match (open, set.size) {
            (Some(open), Some(size)) => answer(open.file.set_size(size)),
            _ => answer(place.setstat(&self.who, stat)),
        }
    }
    fn mkdir<'a>(
        &'a self,
        dir: &'a Place,
        new: &'a [u8],
        mode: wire::Mode,
        _: wire::Gid,
    ) -> Answer<'a, Place> {
        answer(Op::started(async move {
            dir.mkdir(&self.who, name(new).as_name(), Mode::new(mode.permissions())).await
        }))
    }
    fn symlink<'a>(&'a self, dir: &'a Place, new: &'a [u8], to: &'a [u8], _: wire::Gid) -> Answer<'a, Place> {
        answer(Op::started(async move { dir.symlink(&self.who, name(new).as_name(), to).await }))
    }
    fn mknod<'a>(
        &'a self,
        dir: &'a Place,
        new: &'a [u8],
        mode: wire::Mode,
        (major, minor): (u32, u32),
        _: wire::Gid,
    ) -> Answer<'a, Place> {
        answer(Op::started(async move {
            let kind = Kind::from_bits(mode.0).expect("a kind");
            let device = Device { major, minor };
            dir.mknod(&self.who, name(new).as_name(), kind, Mode::new(mode.permissions()), device).await
        }))
    }
    fn readlink<'a>(&'a self, place: &'a Place) -> Answer<'a, Vec<u8>> {
        answer(place.readlink().map(|target| target.to_vec()))
    }
    fn link<'a>(&'a self, dir: &'a Place, place: &'a Place, new: &'a [u8]) -> Answer<'a, ()> {
        answer(Op::started(async move { dir.link(&self.who, place, name(new).as_name()).await }))
    }
    fn rename_at<'a>(
        &'a self,
        from: &'a Place,
        old: &'a [u8],
        to: &'a Place,
        new: &'a [u8],
    ) -> Answer<'a, ()> {
        answer(Op::started(async move {
            let (old, new) = (name(old), name(new));
            from.rename(&self.who, old.as_name(), to, new.as_name(), vfs::RenameFlags::empty()).await
        }))
    }
    fn rename<'a>(&'a self, place: &'a Place, dir: Option<&'a Place>, new: &'a [u8]) -> Answer<'a, ()> {
        answer(Op::started(async move {
            let (from, old, new) = (place.parent(), place.name().expect("not the root"), name(new));
            let to = dir.unwrap_or(&from);
            from.rename(&self.who, old.as_name(), to, new.as_name(), vfs::RenameFlags::empty()).await
        }))
    }
    fn unlink_at<'a>(&'a self, dir: &'a Place, old: &'a [u8], directory: bool) -> Answer<'a, ()> {
        answer(Op::started(async move {
            let name = name(old);
            let gone = if directory {
                dir.rmdir(&self.who, name.as_name())
            } else {
                dir.unlink(&self.who, name.as_name())
            };
            gone.await
        }))
    }
    fn remove<'a>(&'a self, place: &'a Place) -> Answer<'a, ()> {
        answer(Op::started(async move {
            let name = place.name().expect("not the root").clone();
            place.parent().remove(&self.who, name.as_name()).await
        }))
    }
    fn statfs<'a>(&'a self, place: &'a Place) -> Answer<'a, wire::StatFs> {
        answer(place.statfs().map(|s| wire::StatFs {
            kind: s.kind,
            bsize: s.bsize,
            blocks: s.blocks,
            bfree: s.bfree,
            bavail: s.bavail,
            files: s.files,
            ffree: s.ffree,
            fsid: s.fsid,
            namelen: s.namelen,
        }))
    }
    fn fsync<'a>(&'a self, open: &'a Open, data_only: bool) -> Answer<'a, ()> {
        answer(open.file.fsync(data_only))
    }
    fn lock<'a>(&'a self, open: &'a Open, request: Lock<'a>) -> Answer<'a, wire::LockStatus> {
        let (owner, wanted) = range(&request);
        let wait = request.flags.contains(wire::LockFlags::BLOCK);
        answer(open.file.lock(owner, wanted, wait).then(|done| match done {
            Ok(()) => Op::ok(wire::LockStatus::SUCCESS),
            Err(error) if error.is(vfs::Errno::EAGAIN) => Op::ok(wire::LockStatus::BLOCKED),
            Err(error) => Op::err(error),
        }))
    }
    fn getlock<'a>(&'a self, open: &'a Open, request: Lock<'a>) -> Answer<'a, HeldLock> {
        let (owner, wanted) = range(&request);
        answer(open.file.getlock(owner, wanted).map(move |held| {
            let (kind, start, length, proc_id) = match held {
                None => (wire::LockKind::UNLOCK, request.start, request.length, request.proc_id),
                Some((holder, held)) => {
                    let write = held.kind == LockKind::Write;
                    let kind = if write { wire::LockKind::WRITE } else { wire::LockKind::READ };
                    let length = if held.end == u64::MAX { 0 } else { held.end - held.start };
                    (kind, held.start, length, holder.pid)
                }
            };
            HeldLock { kind, start, length, proc_id, client_id: Vec::new() }
        }))
    }
    fn xattr_get<'a>(&'a self, place: &'a Place, name: &'a [u8]) -> Answer<'a, Vec<u8>> {
        answer(place.getxattr(&self.who, name).map(|value| value.to_vec()))
    }
    fn xattr_list<'a>(&'a self, place: &'a Place) -> Answer<'a, Vec<u8>> {
        let listed = place.listxattr(&self.who);
        answer(listed.map(|names| names.iter().flat_map(|n| n.iter().copied().chain([0])).collect()))
    }
    fn xattr_set<'a>(
        &'a self,
        place: &'a Place,
        name: &'a [u8],
        value: &'a [u8],
        flags: wire::XattrFlags,
    ) -> Answer<'a, ()> {
        answer(place.setxattr(&self.who, name, value, SetXattr::from_bits_retain(flags.bits())))
    }
    fn xattr_remove<'a>(&'a self, place: &'a Place, name: &'a [u8]) -> Answer<'a, ()> {
        answer(place.removexattr(&self.who, name))
    }
}

fn open_flags(flags: wire::OpenFlags) -> OpenFlags {
    use OpenFlags as V;
    use wire::OpenFlags as W;
    let mut out = V::empty();
    out.set(V::READ, flags.reads());
    out.set(V::WRITE, flags.writes());
    for (theirs, ours) in [
        (W::APPEND, V::APPEND),
        (W::TRUNC, V::TRUNCATE),
        (W::EXCL, V::EXCLUSIVE),
        (W::DIRECTORY, V::DIRECTORY),
    ] {
        out.set(ours, flags.contains(theirs));
    }
    out
}

fn attr(place: &Place, stat: &Stat) -> wire::Attr {
    let time = |t: Time| wire::Time { sec: t.secs as u64, nsec: t.nanos.into() };
    wire::Attr {
        valid: wire::AttrMask::BASIC,
        qid: qid(place, stat.qid),
        mode: wire::Mode(stat.st_mode()),
        uid: wire::Uid(stat.uid.0),
        gid: wire::Gid(stat.gid.0),
        nlink: stat.nlink,
        rdev: u64::from(stat.rdev.major << 8 | stat.rdev.minor),
        size: if place.nature() == Nature::Storage { stat.size } else { 0 },
        blksize: stat.blksize.into(),
        blocks: stat.blocks,
        atime: time(stat.atime),
        mtime: time(stat.mtime),
        ctime: time(stat.ctime),
        ..wire::Attr::default()
    }
}

/// A synthetic file: a read waits for a line to be said, writes come one by one.
pub struct Teller {
    path: u64,
    _tag: TreeTag,
    said: parking_lot::Mutex<Vec<u8>>,
    news: Notify,
    pub heard: parking_lot::Mutex<Vec<Vec<u8>>>,
    /// Reads that wait.
    pub waiting: Arc<AtomicUsize>,
}

impl Teller {
    pub fn new() -> Arc<Teller> {
        let tag = TreeTag::take().expect("few trees live in a test");
        let (said, news, heard, waiting) = Default::default();
        Arc::new(Teller { path: tag.path(1), _tag: tag, said, news, heard, waiting })
    }
    pub fn say(&self, line: &[u8]) {
        self.said.lock().extend_from_slice(line);
        self.news.notify_waiters();
    }
}

struct Waiting(Arc<AtomicUsize>);
impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Node for Teller {
    fn qid(&self) -> Qid {
        Qid { kind: Kind::File, version: 0, path: self.path }
    }
    fn nature(&self) -> Nature {
        Nature::Stream
    }
    fn stat(&self) -> Op<'_, Stat> {
        Op::ok(Stat {
            qid: self.qid(),
            mode: Mode::new(0o666),
            uid: Uid(0),
            gid: Gid(0),
            nlink: 1,
            size: 0,
            blocks: 0,
            blksize: 4096,
            rdev: Device::default(),
            atime: Time::EPOCH,
            mtime: Time::EPOCH,
            ctime: Time::EPOCH,
            btime: Time::EPOCH,
        })
    }
    fn open<'a>(self: Arc<Self>, _: &'a Caller, _: OpenFlags) -> Op<'a, FileRef> {
        Op::ok(Arc::new(Telling { node: self.clone(), teller: self }))
    }
}

struct Telling {
    node: NodeRef,
    teller: Arc<Teller>,
}

impl OpenFile for Telling {
    fn node(&self) -> &NodeRef {
        &self.node
    }
    fn read<'a>(&'a self, _: u64, buf: &'a mut [u8]) -> Op<'a, usize> {
        self.teller.waiting.fetch_add(1, Ordering::SeqCst);
        let waiting = Waiting(self.teller.waiting.clone());
        Op::later(async move {
            let _waiting = waiting;
            loop {
                let news = self.teller.news.notified();
                {
                    let mut said = self.teller.said.lock();
                    let len = said.len().min(buf.len());
                    if len > 0 {
                        buf[..len].copy_from_slice(&said[..len]);
                        said.drain(..len);
                        return Ok(len);
                    }
                }
                news.await;
            }
        })
    }
    fn write<'a>(&'a self, _: u64, data: &'a [u8]) -> Op<'a, usize> {
        self.teller.heard.lock().push(data.to_vec());
        Op::ok(data.len())
    }
}

/// A memory tree, its server, and the import of it.
pub struct World {
    pub export: Arc<Export>,
    pub import: Import,
    pub who: Caller,
    pub served: tokio::task::JoinHandle<()>,
}

impl World {
    pub async fn new() -> World {
        World::speaking(wire::Dialect::P9P2000L).await
    }
    pub async fn speaking(dialect: wire::Dialect) -> World {
        World::with(dialect, Config::default(), |ours| ours).await
    }
    /// The client's end of the connection goes through `through`.
    pub async fn with(
        dialect: wire::Dialect,
        config: Config,
        through: impl FnOnce(DuplexStream) -> DuplexStream,
    ) -> World {
        let export = Export::new(MemTree::new().root());
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let ours = through(ours);
        let files = export.clone();
        let served = tokio::spawn(async move {
            serve(files, Arc::new(()), theirs, config).await.expect("the client speaks 9P");
        });
        let msize = wire::Msize(16 << 10);
        let client = nine::client::Client::connect(ours, dialect, msize).await.expect("the server speaks it");
        let import =
            Import::attach_to("unix:///there", client, b"glenda", Some(0), b"").await.expect("attached");
        World { export, import, who: root_user(), served }
    }
    /// Another client of the same server.
    pub async fn attach(&self, aname: &[u8]) -> vfs::Result<Import> {
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        tokio::spawn(serve(self.export.clone(), Arc::new(()), theirs, Config::default()));
        let dialect = wire::Dialect::P9P2000L;
        let client = nine::client::Client::connect(ours, dialect, wire::Msize(8192)).await.expect("connects");
        Import::attach(client, b"glenda", Some(0), aname).await
    }
    /// The imported tree as a program sees it.
    pub fn root(&self) -> Place {
        Namespace::new(self.import.root(), "#9").root()
    }
    pub async fn at(&self, path: &str) -> vfs::Result<Place> {
        self.root().resolve(&self.who, path.as_bytes(), vfs::Follow::No).await
    }
    pub async fn make(&self, name: &str, content: &[u8]) -> Place {
        let flags = OpenFlags::READ | OpenFlags::WRITE;
        let root = self.root();
        let made = root.create(&self.who, known(name), Mode::new(0o644), flags).await.expect("made");
        assert_eq!(made.file.write(0, content).await.expect("written"), content.len());
        made.place
    }
    pub async fn read(&self, path: &str) -> Vec<u8> {
        let file = self.at(path).await.expect("there").open(&self.who, OpenFlags::READ).await.expect("opens");
        let mut buf = vec![0; 1 << 20];
        let len = file.read(0, &mut buf).await.expect("read");
        buf.truncate(len);
        buf
    }
}

pub fn known(name: &str) -> Name<'_> {
    Name::new(name.as_bytes()).expect("a good name")
}
