//! The limit of what crate fuser gives: the simplest file system in memory that can be written over it, as its examples are:
//! one session thread, one lock, no permissions, names and attributes believed for a second.

use fuser::*;
use std::collections::{BTreeMap, HashMap};
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

const TTL: Duration = Duration::from_secs(1);

enum Body {
    File(Vec<u8>),
    Dir(BTreeMap<OsString, u64>),
}

struct Inode {
    attr: FileAttr,
    body: Body,
}

struct State {
    inodes: HashMap<u64, Inode>,
    last: u64,
}

pub struct Simple {
    state: Mutex<State>,
    /// It wants to hear of each close(2), as one with POSIX locks must. The kernel tells nobody who once says that he does not.
    told_of_closes: bool,
}

/// Serves an empty one on `dir` until it is unmounted.
pub fn serve(dir: &Path, told_of_closes: bool) {
    let root = Inode { attr: attr(1, FileType::Directory, 0o755), body: Body::Dir(BTreeMap::new()) };
    let state = State { inodes: HashMap::from([(1, root)]), last: 1 };
    let mut config = Config::default();
    config.mount_options = vec![MountOption::FSName("simple".into()), MountOption::DefaultPermissions];
    let session =
        Session::new(Simple { state: Mutex::new(state), told_of_closes }, dir, &config).expect("a mount");
    println!("ready");
    session.run().expect("a session");
}

fn attr(ino: u64, kind: FileType, perm: u16) -> FileAttr {
    let now = SystemTime::now();
    FileAttr {
        ino: INodeNo(ino),
        size: 0,
        blocks: 0,
        atime: now,
        mtime: now,
        ctime: now,
        crtime: now,
        kind,
        perm,
        nlink: if kind == FileType::Directory { 2 } else { 1 },
        uid: rustix::process::getuid().as_raw(),
        gid: rustix::process::getgid().as_raw(),
        rdev: 0,
        blksize: 4096,
        flags: 0,
    }
}

impl State {
    fn dir(&mut self, ino: INodeNo) -> Result<&mut BTreeMap<OsString, u64>, Errno> {
        match self.inodes.get_mut(&ino.0) {
            Some(Inode { body: Body::Dir(entries), .. }) => Ok(entries),
            _ => Err(Errno::ENOTDIR),
        }
    }
    fn file(&mut self, ino: INodeNo) -> Result<(&mut Vec<u8>, &mut FileAttr), Errno> {
        match self.inodes.get_mut(&ino.0) {
            Some(Inode { body: Body::File(data), attr }) => Ok((data, attr)),
            _ => Err(Errno::EISDIR),
        }
    }
    fn attr(&self, ino: u64) -> Result<FileAttr, Errno> {
        self.inodes.get(&ino).map(|inode| inode.attr).ok_or(Errno::ENOENT)
    }
    fn make(&mut self, dir: INodeNo, name: &OsStr, attr: FileAttr, body: Body) -> Result<FileAttr, Errno> {
        self.last += 1;
        let ino = self.last;
        if self.dir(dir)?.insert(name.to_owned(), ino).is_some() {
            return Err(Errno::EEXIST);
        }
        let attr = FileAttr { ino: INodeNo(ino), ..attr };
        self.inodes.insert(ino, Inode { attr, body });
        Ok(attr)
    }
    fn resize(&mut self, ino: INodeNo, size: u64) -> Result<(), Errno> {
        let (data, attr) = self.file(ino)?;
        data.resize(size as usize, 0);
        attr.size = size;
        attr.mtime = SystemTime::now();
        Ok(())
    }
}

impl Simple {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics with it")
    }
}

impl Filesystem for Simple {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let mut state = self.state();
        let found = state.dir(parent).and_then(|dir| dir.get(name).copied().ok_or(Errno::ENOENT));
        match found.and_then(|ino| state.attr(ino)) {
            Ok(attr) => reply.entry(&TTL, &attr, Generation(0)),
            Err(error) => reply.error(error),
        }
    }

    fn getattr(&self, _: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match self.state().attr(ino.0) {
            Ok(attr) => reply.attr(&TTL, &attr),
            Err(error) => reply.error(error),
        }
    }

    fn setattr(
        &self,
        _: &Request,
        ino: INodeNo,
        mode: Option<u32>,
        _: Option<u32>,
        _: Option<u32>,
        size: Option<u64>,
        _: Option<TimeOrNow>,
        _: Option<TimeOrNow>,
        _: Option<SystemTime>,
        _: Option<FileHandle>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let mut state = self.state();
        let sized = size.map_or(Ok(()), |size| state.resize(ino, size));
        if let (Some(mode), Some(inode)) = (mode, state.inodes.get_mut(&ino.0)) {
            inode.attr.perm = (mode & 0o7777) as u16;
        }
        match sized.and_then(|()| state.attr(ino.0)) {
            Ok(attr) => reply.attr(&TTL, &attr),
            Err(error) => reply.error(error),
        }
    }

    fn mkdir(&self, _: &Request, parent: INodeNo, name: &OsStr, mode: u32, _: u32, reply: ReplyEntry) {
        let new = attr(0, FileType::Directory, (mode & 0o7777) as u16);
        match self.state().make(parent, name, new, Body::Dir(BTreeMap::new())) {
            Ok(attr) => reply.entry(&TTL, &attr, Generation(0)),
            Err(error) => reply.error(error),
        }
    }

    fn create(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _: u32,
        _: i32,
        reply: ReplyCreate,
    ) {
        let new = attr(0, FileType::RegularFile, (mode & 0o7777) as u16);
        match self.state().make(parent, name, new, Body::File(Vec::new())) {
            Ok(attr) => {
                reply.created(&TTL, &attr, Generation(0), FileHandle(0), FopenFlags::empty());
            }
            Err(error) => reply.error(error),
        }
    }

    fn unlink(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let mut state = self.state();
        match state.dir(parent).and_then(|dir| dir.remove(name).ok_or(Errno::ENOENT)) {
            Ok(ino) => {
                state.inodes.remove(&ino);
                reply.ok();
            }
            Err(error) => reply.error(error),
        }
    }

    fn rmdir(&self, request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        self.unlink(request, parent, name, reply);
    }

    fn read(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        match self.state().file(ino) {
            Ok((data, _)) => {
                let start = (offset as usize).min(data.len());
                reply.data(&data[start..(start + size as usize).min(data.len())]);
            }
            Err(error) => reply.error(error),
        }
    }

    fn write(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        written: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        match self.state().file(ino) {
            Ok((data, attr)) => {
                let (start, end) = (offset as usize, offset as usize + written.len());
                if data.len() < end {
                    data.resize(end, 0);
                }
                data[start..end].copy_from_slice(written);
                (attr.size, attr.mtime) = (data.len() as u64, SystemTime::now());
                reply.written(written.len() as u32);
            }
            Err(error) => reply.error(error),
        }
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        if self.told_of_closes { reply.ok() } else { reply.error(Errno::ENOSYS) }
    }

    fn readdir(&self, _: &Request, ino: INodeNo, _: FileHandle, offset: u64, mut reply: ReplyDirectory) {
        let mut state = self.state();
        let entries: Vec<(OsString, u64)> = match state.dir(ino) {
            Ok(dir) => {
                let behind = dir.iter().skip(offset as usize).take(256);
                behind.map(|(name, ino)| (name.clone(), *ino)).collect()
            }
            Err(error) => return reply.error(error),
        };
        for (index, (name, ino)) in entries.iter().enumerate() {
            let kind = state.attr(*ino).map_or(FileType::RegularFile, |attr| attr.kind);
            if reply.add(INodeNo(*ino), offset + index as u64 + 1, kind, name) {
                break;
            }
        }
        reply.ok();
    }
}
