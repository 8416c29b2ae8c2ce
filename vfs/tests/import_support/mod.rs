//! A memory tree served over 9P by `vfs::export`, with an import of it: the server counts what it is asked, and answers badly
//! where a test wants it to.

#![allow(dead_code, reason = "each test crate uses its part")]

use nine::server::*;
use nine::wire;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tokio::io::DuplexStream;
use tokio::sync::Notify;
use vfs::export::{Admitted, Doorkeeper};
use vfs::{
    Caller, Device, FileRef, Gid, Import, Kind, MemTree, Mode, Name, Namespace, Nature, Node, NodeRef, Op,
    OpenFile, OpenFlags, Place, Qid, Stat, Time, TreeTag, Uid,
};

pub fn root_user() -> Caller {
    Caller { checked: true, ..Caller::new(Uid(0), Gid(0)) }
}

/// Lets everyone in as root, by the name that he gives.
pub struct Door(Namespace);

impl Doorkeeper for Door {
    type Context = ();

    fn admit<'a>(&'a self, peer: &'a Peer<'a, ()>) -> Op<'a, Admitted> {
        let path = if peer.aname.is_empty() { b"/" } else { peer.aname };
        let place = self.0.root().resolve(&root_user(), path, vfs::Follow::Yes).now().expect("at once");
        Op::Done(place.map(|place| Admitted {
            place,
            who: Arc::new(root_user()),
            connection: 1,
            top: None,
            overseer: None,
        }))
    }
}

type Files = vfs::Export<Door>;
type Node9 = <Files as FileServer>::Node;
type Open9 = <Files as FileServer>::Open;

/// A server that counts what it is asked, and can be told to answer badly.
pub struct Export {
    files: Files,
    /// Requests that reached the tree, by kind of interest.
    pub walks: AtomicUsize,
    pub looks: AtomicUsize,
    pub listings: AtomicUsize,
    /// Say 0 for every version.
    pub counts_no_versions: AtomicBool,
    /// List names that can be none, and the same ones for ever.
    pub lists_nonsense: AtomicBool,
}

impl Export {
    pub fn new(root: NodeRef) -> Arc<Export> {
        let [walks, looks, listings] = Default::default();
        let [counts_no_versions, lists_nonsense] = Default::default();
        let files = Files::new(Door(Namespace::new(root, "#m")));
        Arc::new(Export { files, walks, looks, listings, counts_no_versions, lists_nonsense })
    }

    pub fn root(&self) -> Place {
        self.files.door().0.root()
    }

    fn shown(&self, qid: wire::Qid) -> wire::Qid {
        if self.counts_no_versions.load(Ordering::SeqCst) { wire::Qid { version: 0, ..qid } } else { qid }
    }
}

/// What is served as it is.
macro_rules! as_served {
    ($($name:ident($($word:ident: $what:ty),*) -> $answer:ty;)*) => {
        $(fn $name<'a>(&'a self, $($word: $what),*) -> Answer<'a, $answer> {
            self.files.$name($($word),*)
        })*
    };
}

impl FileServer for Export {
    type Context = ();
    type Node = Node9;
    type Open = Open9;

    fn qid(&self, node: &Node9) -> wire::Qid {
        self.shown(self.files.qid(node))
    }
    fn walk<'a>(&'a self, dir: &'a Node9, name: &'a [u8]) -> Answer<'a, Node9> {
        self.walks.fetch_add(1, Ordering::SeqCst);
        self.files.walk(dir, name)
    }
    fn getattr<'a>(
        &'a self,
        node: &'a Node9,
        open: Option<&'a Open9>,
        mask: wire::AttrMask,
    ) -> Answer<'a, wire::Attr> {
        self.looks.fetch_add(1, Ordering::SeqCst);
        let shown = |attr: wire::Attr| wire::Attr { qid: self.shown(attr.qid), ..attr };
        match self.files.getattr(node, open, mask) {
            Answer::Now(looked) => Answer::Now(looked.map(shown)),
            Answer::Later(looking) => Answer::later(async move { looking.await.map(shown) }),
        }
    }
    fn readdir<'a>(&'a self, open: &'a Open9, offset: u64, into: &'a mut Listing) -> Answer<'a, ()> {
        self.listings.fetch_add(1, Ordering::SeqCst);
        if !self.lists_nonsense.load(Ordering::SeqCst) {
            return self.files.readdir(open, offset, into);
        }
        for (at, name) in [(1, &b"../../etc"[..]), (2, b""), (3, b"a\0b"), (4, b"good"), (5, b"..")] {
            let kind = wire::DirEntryKind::UNKNOWN;
            let qid = wire::Qid { kind: wire::QidKind::DIR, version: 0, path: 1 };
            assert!(into.push(&Entry { qid, offset: at, kind, name }));
        }
        Answer::ok(())
    }

    as_served! {
        attach(peer: &'a Peer<'a, ()>) -> Node9;
        open(node: &'a Node9, flags: wire::OpenFlags) -> Opened<Node9, Open9>;
        create(dir: &'a Node9, name: &'a [u8], flags: wire::OpenFlags, mode: wire::Mode, gid: wire::Gid) -> Opened<Node9, Open9>;
        read(open: &'a Open9, offset: u64, buf: &'a mut [u8]) -> usize;
        write(open: &'a Open9, offset: u64, data: &'a [u8]) -> usize;
        setattr(node: &'a Node9, open: Option<&'a Open9>, change: SetAttr) -> ();
        mkdir(dir: &'a Node9, name: &'a [u8], mode: wire::Mode, gid: wire::Gid) -> Node9;
        symlink(dir: &'a Node9, name: &'a [u8], target: &'a [u8], gid: wire::Gid) -> Node9;
        mknod(dir: &'a Node9, name: &'a [u8], mode: wire::Mode, device: (u32, u32), gid: wire::Gid) -> Node9;
        readlink(node: &'a Node9) -> Vec<u8>;
        link(dir: &'a Node9, node: &'a Node9, name: &'a [u8]) -> ();
        rename_at(from: &'a Node9, old: &'a [u8], to: &'a Node9, new: &'a [u8]) -> ();
        rename(node: &'a Node9, dir: Option<&'a Node9>, new: &'a [u8]) -> ();
        unlink_at(dir: &'a Node9, name: &'a [u8], directory: bool) -> ();
        remove(node: &'a Node9) -> ();
        statfs(node: &'a Node9) -> wire::StatFs;
        fsync(open: &'a Open9, data_only: bool) -> ();
        lock(open: &'a Open9, lock: Lock<'a>) -> wire::LockStatus;
        getlock(open: &'a Open9, lock: Lock<'a>) -> HeldLock;
        xattr_get(node: &'a Node9, name: &'a [u8]) -> Vec<u8>;
        xattr_list(node: &'a Node9) -> Vec<u8>;
        xattr_set(node: &'a Node9, name: &'a [u8], value: &'a [u8], flags: wire::XattrFlags) -> ();
        xattr_remove(node: &'a Node9, name: &'a [u8]) -> ();
        close(open: &'a Open9) -> ();
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
