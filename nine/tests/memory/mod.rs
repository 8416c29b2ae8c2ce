//! A small tree in memory for the tests of sessions and clients: files and directories that answer at once, a pipe
//! whose reads wait, a file that answers late, and counters of what is alive.

#![allow(dead_code, reason = "each test crate uses its part")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use nine::server::{Answer, Entry, Error, FileServer, HeldLock, Listing, Lock, Opened, Peer, SetAttr};
use nine::wire::{
    Attr, AttrMask, DirEntryKind, Gid, LockKind, LockStatus, Mode, OpenFlags, Qid, QidKind, Uid, XattrFlags,
};
use parking_lot::Mutex;
use tokio::sync::Notify;

pub type Names = BTreeMap<Vec<u8>, Arc<File>>;

pub enum Kind {
    Dir(Mutex<Names>),
    Data(Mutex<Vec<u8>>),
    Link(Vec<u8>),
    /// A stream: reads wait for [`Memory::feed`].
    Pipe(Mutex<Vec<u8>>, Notify),
    /// A plain file whose every answer comes later.
    Slow(Mutex<Vec<u8>>),
    /// A plain file whose reads never end.
    Stuck,
}

pub struct File {
    pub path: u64,
    pub kind: Kind,
    pub mode: Mutex<Mode>,
    pub xattrs: Mutex<BTreeMap<Vec<u8>, Vec<u8>>>,
}

#[derive(Clone)]
pub struct Node {
    pub file: Arc<File>,
    up: Option<Arc<Node>>,
    name: Vec<u8>,
}

pub struct Open {
    file: Arc<File>,
    alive: Arc<AtomicUsize>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Counts a future for as long as it exists.
struct Pending(Arc<AtomicUsize>);

impl Pending {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count.clone())
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

pub struct Memory {
    pub root: Arc<File>,
    next: Mutex<u64>,
    /// Open files that have not been dropped.
    pub alive: Arc<AtomicUsize>,
    /// Reads of pipes and stuck files that have not been dropped.
    pub pending: Arc<AtomicUsize>,
    /// What attach was told, in words.
    pub attached: Mutex<Vec<String>>,
    /// Writes that came in buffers.
    in_buffers: AtomicUsize,
}

pub type Connection = u32;

/// How long the buffers are that files keep.
pub const BUFFER: usize = 70_001;

impl Memory {
    pub fn in_buffers(&self) -> usize {
        self.in_buffers.load(Ordering::Relaxed)
    }

    /// `/hello`, `/big`, `/d/e/leaf`, `/link`, `/pipe`, `/slow`, `/stuck`.
    pub fn new() -> Arc<Self> {
        let dir = || Kind::Dir(Default::default());
        let memory = Self {
            root: Arc::new(File {
                path: 1,
                kind: dir(),
                mode: Mutex::new(Mode(Mode::DIRECTORY | 0o755)),
                xattrs: Default::default(),
            }),
            next: Mutex::new(2),
            alive: Arc::default(),
            pending: Arc::default(),
            attached: Mutex::default(),
            in_buffers: AtomicUsize::new(0),
        };
        let root = memory.root.clone();
        memory.add(&root, b"hello", Kind::Data(Mutex::new(b"hello, world\n".to_vec())), 0o644);
        memory.add(&root, b"big", Kind::Data(Mutex::new((0..200_000u32).map(|i| i as u8).collect())), 0o644);
        memory.add(&root, b"link", Kind::Link(b"hello".to_vec()), 0o777);
        memory.add(&root, b"pipe", Kind::Pipe(Mutex::default(), Notify::new()), 0o666);
        memory.add(&root, b"slow", Kind::Slow(Mutex::new(b"slowly\n".to_vec())), 0o666);
        memory.add(&root, b"stuck", Kind::Stuck, 0o444);
        let d = memory.add(&root, b"d", dir(), 0o755);
        let e = memory.add(&d, b"e", dir(), 0o755);
        memory.add(&e, b"leaf", Kind::Data(Mutex::new(b"leaf\n".to_vec())), 0o600);
        Arc::new(memory)
    }

    fn add(&self, dir: &File, name: &[u8], kind: Kind, mode: u32) -> Arc<File> {
        let mut next = self.next.lock();
        let bits = match kind {
            Kind::Dir(_) => Mode::DIRECTORY,
            Kind::Link(_) => Mode::SYMLINK,
            _ => Mode::REGULAR,
        };
        let mode = Mutex::new(Mode(bits | mode));
        let file = Arc::new(File { path: *next, kind, mode, xattrs: Default::default() });
        *next += 1;
        if let Kind::Dir(names) = &dir.kind {
            names.lock().insert(name.to_vec(), file.clone());
        }
        file
    }

    pub fn find(&self, name: &str) -> Arc<File> {
        match &self.root.kind {
            Kind::Dir(names) => names.lock()[name.as_bytes()].clone(),
            _ => unreachable!("the root is a directory"),
        }
    }

    /// Lets whoever reads the pipe go on.
    pub fn feed(&self, data: &[u8]) {
        if let Kind::Pipe(held, wake) = &self.find("pipe").kind {
            held.lock().extend_from_slice(data);
            wake.notify_waiters();
        }
    }

    pub fn alive(&self) -> usize {
        self.alive.load(Ordering::SeqCst)
    }

    pub fn pending(&self) -> usize {
        self.pending.load(Ordering::SeqCst)
    }

    fn opened(&self, file: &Arc<File>) -> Open {
        self.alive.fetch_add(1, Ordering::SeqCst);
        Open { file: file.clone(), alive: self.alive.clone() }
    }
}

fn names(node: &Node) -> Result<&Mutex<Names>, Error> {
    match &node.file.kind {
        Kind::Dir(names) => Ok(names),
        _ => Err(Error::NOT_DIRECTORY),
    }
}

fn qid_of(file: &File) -> Qid {
    let kind = match file.kind {
        Kind::Dir(_) => QidKind::DIR,
        Kind::Link(_) => QidKind::SYMLINK,
        _ => QidKind::empty(),
    };
    Qid { kind, version: 0, path: file.path }
}

fn copy(from: &[u8], offset: u64, buf: &mut [u8]) -> usize {
    let from = &from[usize::try_from(offset).unwrap_or(usize::MAX).min(from.len())..];
    let len = from.len().min(buf.len());
    buf[..len].copy_from_slice(&from[..len]);
    len
}

fn put(into: &mut Vec<u8>, offset: u64, data: &[u8]) -> usize {
    let at = offset as usize;
    if into.len() < at + data.len() {
        into.resize(at + data.len(), 0);
    }
    into[at..at + data.len()].copy_from_slice(data);
    data.len()
}

fn moved(old_dir: &Node, old_name: &[u8], new_dir: &Node, new_name: &[u8]) -> Result<(), Error> {
    let file = names(old_dir)?.lock().remove(old_name).ok_or(Error::NOT_FOUND)?;
    names(new_dir)?.lock().insert(new_name.to_vec(), file);
    Ok(())
}

fn below(dir: &Node, name: &[u8], file: Arc<File>) -> Node {
    Node { file, up: Some(Arc::new(dir.clone())), name: name.to_vec() }
}

impl FileServer for Memory {
    type Context = Connection;
    type Node = Node;
    type Open = Open;

    fn attach<'a>(&'a self, peer: &'a Peer<'a, Connection>) -> Answer<'a, Node> {
        self.attached.lock().push(format!(
            "{} {:?} {} {} {}",
            peer.uname.escape_ascii(),
            peer.n_uname.map(|uid| uid.0),
            peer.aname.escape_ascii(),
            peer.dialect,
            peer.context
        ));
        match peer.aname {
            b"nowhere" => Error::NOT_FOUND.into(),
            _ => Answer::ok(Node { file: self.root.clone(), up: None, name: Vec::new() }),
        }
    }

    fn qid(&self, node: &Node) -> Qid {
        qid_of(&node.file)
    }

    /// `/big` stands for the one that does.
    fn shows_messages(&self, open: &Open) -> bool {
        Arc::ptr_eq(&open.file, &self.find("big"))
    }

    fn walk<'a>(&'a self, dir: &'a Node, name: &'a [u8]) -> Answer<'a, Node> {
        if name == b".." {
            return Answer::ok(dir.up.as_deref().unwrap_or(dir).clone());
        }
        if name == b"later" {
            return Answer::later(async move {
                tokio::task::yield_now().await;
                self.walk(dir, b"d").get().await
            });
        }
        let found = names(dir).and_then(|names| names.lock().get(name).cloned().ok_or(Error::NOT_FOUND));
        found.map(|file| below(dir, name, file)).into()
    }

    fn open<'a>(&'a self, node: &'a Node, flags: OpenFlags) -> Answer<'a, Opened<Node, Open>> {
        if let (Kind::Data(data), true) = (&node.file.kind, flags.contains(OpenFlags::TRUNC)) {
            data.lock().clear();
        }
        let is_stream = matches!(node.file.kind, Kind::Pipe(..));
        let opened = Opened { file: self.opened(&node.file), node: None, is_stream, iounit: 0 };
        match node.file.kind {
            Kind::Slow(_) => Answer::later(async move {
                tokio::task::yield_now().await;
                Ok(opened)
            }),
            _ => Answer::ok(opened),
        }
    }

    fn create<'a>(
        &'a self,
        dir: &'a Node,
        name: &'a [u8],
        flags: OpenFlags,
        mode: Mode,
        _gid: Gid,
    ) -> Answer<'a, Opened<Node, Open>> {
        let there = match names(dir) {
            Ok(names) => names.lock().get(name).cloned(),
            Err(error) => return error.into(),
        };
        let file = match there {
            Some(_) if flags.contains(OpenFlags::EXCL) => return Error::EXISTS.into(),
            Some(file) => file,
            None => self.add(&dir.file, name, Kind::Data(Mutex::default()), mode.permissions()),
        };
        let node = Some(below(dir, name, file.clone()));
        Answer::ok(Opened { file: self.opened(&file), node, is_stream: false, iounit: 0 })
    }

    fn read<'a>(&'a self, open: &'a Open, offset: u64, buf: &'a mut [u8]) -> Answer<'a, usize> {
        match &open.file.kind {
            Kind::Data(data) => Answer::ok(copy(&data.lock(), offset, buf)),
            Kind::Slow(data) => Answer::later(async move {
                for _ in 0..3 {
                    tokio::task::yield_now().await;
                }
                Ok(copy(&data.lock(), offset, buf))
            }),
            Kind::Stuck => {
                let pending = Pending::new(&self.pending);
                Answer::later(async move {
                    let _pending = pending;
                    std::future::pending().await
                })
            }
            Kind::Pipe(held, wake) => {
                let take = move |buf: &mut [u8]| {
                    let mut held = held.lock();
                    let len = copy(&held, 0, buf);
                    held.drain(..len);
                    len
                };
                match take(buf) {
                    0 => {
                        let pending = Pending::new(&self.pending);
                        Answer::later(async move {
                            let _pending = pending;
                            loop {
                                let woken = wake.notified();
                                match take(buf) {
                                    0 => woken.await,
                                    len => return Ok(len),
                                }
                            }
                        })
                    }
                    len => Answer::ok(len),
                }
            }
            Kind::Dir(_) | Kind::Link(_) => Error::IS_DIRECTORY.into(),
        }
    }

    /// Plain files share theirs, in uneven parts.
    fn read_shared(&self, open: &Open, offset: u64, count: usize) -> Option<Vec<bytes::Bytes>> {
        let Kind::Data(data) = &open.file.kind else { return None };
        let data = data.lock();
        let from = data.len().min(offset as usize);
        let upto = data.len().min(from + count);
        Some(data[from..upto].chunks(77_777).map(bytes::Bytes::copy_from_slice).collect())
    }

    /// Plain files and slow ones keep buffers, of an odd length.
    fn keeps_buffers(&self, open: &Open) -> Option<usize> {
        matches!(open.file.kind, Kind::Data(_) | Kind::Slow(_)).then_some(BUFFER)
    }

    fn buffer(&self) -> Vec<u8> {
        Vec::with_capacity(BUFFER)
    }

    fn write_buffers<'a>(&'a self, open: &'a Open, offset: u64, parts: Vec<Vec<u8>>) -> Answer<'a, usize> {
        let (last, all) = parts.split_last().expect("no write without data");
        let mut at = offset as usize;
        for part in all {
            at += part.len();
            assert!(at.is_multiple_of(BUFFER), "a part that ends at {at}");
        }
        assert!(last.len() <= BUFFER);
        self.in_buffers.fetch_add(1, Ordering::Relaxed);
        let data = parts.concat();
        match &open.file.kind {
            Kind::Slow(held) => Answer::later(async move {
                for _ in 0..5 {
                    tokio::task::yield_now().await;
                }
                Ok(put(&mut held.lock(), offset, &data))
            }),
            Kind::Data(held) => Answer::ok(put(&mut held.lock(), offset, &data)),
            _ => Error::NOT_SUPPORTED.into(),
        }
    }

    fn write<'a>(&'a self, open: &'a Open, offset: u64, data: &'a [u8]) -> Answer<'a, usize> {
        match &open.file.kind {
            Kind::Data(held) => Answer::ok(put(&mut held.lock(), offset, data)),
            Kind::Slow(held) => Answer::later(async move {
                for _ in 0..5 {
                    tokio::task::yield_now().await;
                }
                Ok(put(&mut held.lock(), offset, data))
            }),
            Kind::Pipe(..) => {
                self.feed(data);
                Answer::ok(data.len())
            }
            _ => Error::PERMISSION.into(),
        }
    }

    fn readdir<'a>(&'a self, open: &'a Open, offset: u64, into: &'a mut Listing) -> Answer<'a, ()> {
        if let Kind::Dir(names) = &open.file.kind {
            for (i, (name, file)) in names.lock().iter().enumerate().skip(offset as usize) {
                let kind = DirEntryKind::of(*file.mode.lock());
                let entry = Entry { qid: qid_of(file), offset: i as u64 + 1, kind, name };
                if !into.push(&entry) {
                    break;
                }
            }
        }
        Answer::ok(())
    }

    fn getattr<'a>(&'a self, node: &'a Node, _: Option<&'a Open>, _: AttrMask) -> Answer<'a, Attr> {
        let size = match &node.file.kind {
            Kind::Data(data) => data.lock().len() as u64,
            _ => 0,
        };
        let mode = *node.file.mode.lock();
        let (valid, qid) = (AttrMask::BASIC, qid_of(&node.file));
        Answer::ok(Attr { valid, qid, mode, uid: Uid(7), gid: Gid(8), nlink: 1, size, ..Attr::default() })
    }

    fn setattr<'a>(&'a self, node: &'a Node, _: Option<&'a Open>, change: SetAttr) -> Answer<'a, ()> {
        if change.uid.is_some() {
            return Error::NOT_PERMITTED.into();
        }
        if let Some(mode) = change.mode {
            let mut held = node.file.mode.lock();
            *held = Mode(held.kind() | mode.permissions());
        }
        if let (Some(size), Kind::Data(data)) = (change.size, &node.file.kind) {
            data.lock().resize(size as usize, 0);
        }
        Answer::ok(())
    }

    fn mkdir<'a>(&'a self, dir: &'a Node, name: &'a [u8], mode: Mode, _: Gid) -> Answer<'a, Node> {
        match names(dir).map(|names| names.lock().contains_key(name)) {
            Err(error) => error.into(),
            Ok(true) => Error::EXISTS.into(),
            Ok(false) => {
                let file = self.add(&dir.file, name, Kind::Dir(Default::default()), mode.permissions());
                Answer::ok(below(dir, name, file))
            }
        }
    }

    fn symlink<'a>(&'a self, dir: &'a Node, name: &'a [u8], target: &'a [u8], _: Gid) -> Answer<'a, Node> {
        let file = self.add(&dir.file, name, Kind::Link(target.to_vec()), 0o777);
        Answer::ok(below(dir, name, file))
    }

    fn readlink<'a>(&'a self, node: &'a Node) -> Answer<'a, Vec<u8>> {
        match &node.file.kind {
            Kind::Link(target) => Answer::ok(target.clone()),
            _ => Error::INVALID.into(),
        }
    }

    fn link<'a>(&'a self, dir: &'a Node, node: &'a Node, name: &'a [u8]) -> Answer<'a, ()> {
        names(dir).map(|names| drop(names.lock().insert(name.to_vec(), node.file.clone()))).into()
    }

    fn rename_at<'a>(
        &'a self,
        old_dir: &'a Node,
        old_name: &'a [u8],
        new_dir: &'a Node,
        new_name: &'a [u8],
    ) -> Answer<'a, ()> {
        moved(old_dir, old_name, new_dir, new_name).into()
    }

    fn rename<'a>(&'a self, node: &'a Node, new_dir: Option<&'a Node>, new_name: &'a [u8]) -> Answer<'a, ()> {
        let Some(up) = node.up.as_deref() else { return Error::PERMISSION.into() };
        let found = names(up).map(|names| {
            let names = names.lock();
            names.iter().find(|(_, file)| file.path == node.file.path).map(|(name, _)| name.clone())
        });
        found
            .and_then(|name| name.ok_or(Error::NOT_FOUND))
            .and_then(|name| moved(up, &name, new_dir.unwrap_or(up), new_name))
            .into()
    }

    fn unlink_at<'a>(&'a self, dir: &'a Node, name: &'a [u8], _directory: bool) -> Answer<'a, ()> {
        names(dir).and_then(|names| names.lock().remove(name).map(drop).ok_or(Error::NOT_FOUND)).into()
    }

    fn remove<'a>(&'a self, node: &'a Node) -> Answer<'a, ()> {
        let Some(up) = node.up.as_deref() else { return Error::PERMISSION.into() };
        names(up).and_then(|names| names.lock().remove(&node.name).map(drop).ok_or(Error::NOT_FOUND)).into()
    }

    fn lock<'a>(&'a self, _: &'a Open, lock: Lock<'a>) -> Answer<'a, LockStatus> {
        Answer::ok(if lock.kind == LockKind::WRITE { LockStatus::BLOCKED } else { LockStatus::SUCCESS })
    }

    fn getlock<'a>(&'a self, _: &'a Open, lock: Lock<'a>) -> Answer<'a, HeldLock> {
        let Lock { kind, start, length, proc_id, client_id, .. } = lock;
        Answer::ok(HeldLock { kind, start, length, proc_id, client_id: client_id.to_vec() })
    }

    fn xattr_get<'a>(&'a self, node: &'a Node, name: &'a [u8]) -> Answer<'a, Vec<u8>> {
        node.file.xattrs.lock().get(name).cloned().ok_or(Error::NO_XATTR).into()
    }

    fn xattr_list<'a>(&'a self, node: &'a Node) -> Answer<'a, Vec<u8>> {
        let names = node.file.xattrs.lock();
        Answer::ok(names.keys().flat_map(|name| name.iter().copied().chain([0])).collect())
    }

    fn xattr_set<'a>(
        &'a self,
        node: &'a Node,
        name: &'a [u8],
        value: &'a [u8],
        _: XattrFlags,
    ) -> Answer<'a, ()> {
        node.file.xattrs.lock().insert(name.to_vec(), value.to_vec());
        Answer::ok(())
    }

    fn xattr_remove<'a>(&'a self, node: &'a Node, name: &'a [u8]) -> Answer<'a, ()> {
        node.file.xattrs.lock().remove(name).map(drop).ok_or(Error::NO_XATTR).into()
    }
}
