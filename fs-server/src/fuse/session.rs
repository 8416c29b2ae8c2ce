//! The session: every request of the kernel, translated into one piece of work on the namespace and one answer.
//!
//! The work itself is in `files`, `names` and `list`; when it is done here and when in a task of its own is `reply`'s.

use super::attr::{attributes, caller, device, open_flags, set_time};
use super::buffer::Buffer;
use super::capabilities;
use super::counts::Counts;
use super::files::{self, Write, treatment, without_set_id};
use super::handles::{Handles, Open};
use super::inodes::Inodes;
use super::interrupt::{Patience, Watcher};
use super::list::{Entries, Names};
use super::locks::{self, Holder, Wanted};
use super::names::{self, Dir, Found, FoundEntry, GENERATION};
use super::origin::Origin;
use super::passthrough::Way;
use super::poll;
use super::reply::{Pending, Refuse, Waits};
use fuser::*;
use std::ffi::OsStr;
use std::future::Future;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;
use vfs::{Errno, Kind, Mode, Nature, Place, SetStat, SetXattr};

pub(super) struct Session {
    pub(super) inodes: Arc<Inodes>,
    pub(super) handles: Arc<Handles>,
    pub(super) watcher: Arc<Watcher>,
    pub(super) runtime: tokio::runtime::Handle,
    /// This mount's number among the holders of locks.
    pub(super) client: u64,
    pub(super) counts: Arc<Counts>,
}

/// What is asked for, and of which inodes.
struct Asked<'a> {
    op: &'static str,
    request: &'a Request,
    inodes: [INodeNo; 2],
    plain: bool,
    waits: Waits,
}

impl<'a> Asked<'a> {
    fn of(op: &'static str, request: &'a Request, ino: INodeNo) -> Asked<'a> {
        Asked { op, request, inodes: [ino; 2], plain: false, waits: Waits::Never }
    }
    fn and(self, other: INodeNo) -> Asked<'a> {
        Asked { inodes: [self.inodes[0], other], ..self }
    }
    fn seen_at(self, place: &Place) -> Asked<'a> {
        Asked { plain: place.qid().path == place.node().qid().path, ..self }
    }
    /// The kernel holds no lock for it.
    fn unlocked(self) -> Asked<'a> {
        Asked { waits: Waits::ForAll, ..self }
    }
    /// It changes something, and the kernel holds locks for it.
    fn changing(self) -> Asked<'a> {
        Asked { waits: Waits::InTurn, ..self }
    }
}

impl Session {
    fn serve<R: Refuse, T: Send + 'static>(
        &self,
        asked: Asked<'_>,
        patience: Patience,
        reply: R,
        work: impl Future<Output = vfs::Result<T>> + Send + 'static,
        answer: impl FnOnce(R, T) + Send + 'static,
    ) {
        let Asked { op, request, inodes, plain, waits } = asked;
        let span = tracing::trace_span!("fuse", op, request = request.unique().0, pid = request.pid());
        self.counts.requested(op);
        let pending = Pending {
            span,
            thread: request.pid(),
            patience,
            origin: Origin { mount: self.client, inodes: inodes.map(|ino| ino.0), plain, told: false },
            notices: self.inodes.notices.clone(),
            waits,
            counts: &self.counts,
        };
        pending.serve(&self.runtime, &self.watcher, reply, work, answer);
    }

    /// Work on the file behind a handle.
    fn on_file<R: Refuse, T: Send + 'static, W: Future<Output = vfs::Result<T>> + Send + 'static>(
        &self,
        asked: Asked<'_>,
        handle: FileHandle,
        reply: R,
        work: impl FnOnce(Arc<Open>) -> W,
        answer: impl FnOnce(R, T) + Send + 'static,
    ) {
        match self.handles.get(handle) {
            Ok(open) => {
                let nature = open.file.nature();
                let asked = asked.seen_at(&open.place);
                // Only the pages of storage are locked while they are read or written.
                let asked = if nature == Nature::Storage { asked } else { asked.unlocked() };
                self.serve(asked, patience(nature), reply, work(open), answer);
            }
            Err(error) => reply.refuse(error.errno()),
        }
    }

    /// Work at the place behind an inode number.
    fn at<R: Refuse, T: Send + 'static, W: Future<Output = vfs::Result<T>> + Send + 'static>(
        &self,
        asked: Asked<'_>,
        reply: R,
        work: impl FnOnce(Place) -> W,
        answer: impl FnOnce(R, T) + Send + 'static,
    ) {
        match self.inodes.place(asked.inodes[0]) {
            Ok(place) => {
                let patience = patience(place.nature());
                let asked = asked.seen_at(&place);
                self.serve(asked, patience, reply, work(place), answer);
            }
            Err(error) => reply.refuse(error.errno()),
        }
    }

    /// Work on the entry `name` of the directory that is asked for, answered with an entry.
    fn entry<W: Future<Output = vfs::Result<FoundEntry>> + Send + 'static>(
        &self,
        asked: Asked<'_>,
        name: &OsStr,
        reply: ReplyEntry,
        work: impl FnOnce(Dir, vfs::NameBuf) -> W,
    ) {
        let name = match names::name(name) {
            Ok(name) => name,
            Err(error) => return reply.refuse(error.errno()),
        };
        let (inodes, ino) = (self.inodes.clone(), asked.inodes[0]);
        self.at(
            asked,
            reply,
            |dir| work(Dir::new(&inodes, ino, dir), name),
            |reply, found| {
                let ttl = found.ttl();
                reply.entry_with_ttls(&ttl.status, &ttl.name, &found.attributes(), GENERATION);
                found.give();
            },
        );
    }

    fn holder(&self, owner: LockOwner, pid: u32) -> Holder {
        Holder { mount: self.client, number: owner, pid }
    }
}

/// A wait on a disk ends only with its program; one on a device or a stream with any signal.
fn patience(nature: Nature) -> Patience {
    if nature == Nature::Storage { Patience::UntilKilled } else { Patience::None }
}

impl Filesystem for Session {
    fn init(&mut self, _: &Request, config: &mut KernelConfig) -> std::io::Result<()> {
        if capabilities::negotiate(config) {
            self.inodes.passthrough.is_offered();
        }
        Ok(())
    }

    fn lookup(&self, request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let who = caller(request);
        self.entry(Asked::of("lookup", request, parent), name, reply, |dir, name| async move {
            dir.lookup(&name, &who).await
        });
    }

    fn forget(&self, _: &Request, ino: INodeNo, count: u64) {
        self.counts.requested("forget");
        self.inodes.forget(ino, count);
    }

    fn getattr(&self, request: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        let (who, inodes) = (caller(request), self.inodes.clone());
        self.at(
            Asked::of("getattr", request, ino),
            reply,
            |place| async move { Found::at(&inodes, ino, place, &who).await },
            move |reply, found| reply.attr(&found.ttl(), &attributes(ino, &found.stat)),
        );
    }

    fn setattr(
        &self,
        request: &Request,
        ino: INodeNo,
        mode: Option<u32>,
        uid: Option<u32>,
        gid: Option<u32>,
        size: Option<u64>,
        atime: Option<TimeOrNow>,
        mtime: Option<TimeOrNow>,
        _ctime: Option<SystemTime>,
        handle: Option<FileHandle>,
        _crtime: Option<SystemTime>,
        _chgtime: Option<SystemTime>,
        _bkuptime: Option<SystemTime>,
        _flags: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let (who, inodes) = (caller(request), self.inodes.clone());
        let open = handle.and_then(|handle| self.handles.get(handle).ok());
        let mut set = SetStat {
            mode: mode.map(Mode::new),
            uid: uid.map(vfs::Uid),
            gid: gid.map(vfs::Gid),
            size,
            atime: atime.map(set_time),
            mtime: mtime.map(set_time),
        };
        let work = |place: Place| async move {
            // With FUSE_HANDLE_KILLPRIV_V2 it is ours to take privileges off what changes hands or content.
            let changes_hands = set.uid.is_some() || set.gid.is_some();
            let truncated = set.size.is_some() && !who.is_root();
            if set.mode.is_none() && (changes_hands || truncated) && place.nature() == Nature::Storage {
                set.mode = without_set_id(&place.stat(&who).await?);
            }
            // ftruncate(2) goes by what the descriptor may do, not by the file's mode now.
            if let Some(open) = open
                && open.file.nature() == Nature::Storage
                && let Some(size) = set.size.take()
            {
                open.file.set_size(size).await?;
            }
            if set != SetStat::default() {
                place.setstat(&who, set).await?;
            }
            Found::at(&inodes, ino, place, &who).await
        };
        self.at(Asked::of("setattr", request, ino).changing(), reply, work, move |reply, found| {
            reply.attr(&found.ttl(), &attributes(ino, &found.stat));
        });
    }

    fn readlink(&self, request: &Request, ino: INodeNo, reply: ReplyData) {
        self.at(
            Asked::of("readlink", request, ino),
            reply,
            |place| async move { place.readlink().await },
            |reply, target| reply.data(&target),
        );
    }

    fn mknod(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _umask: u32,
        rdev: u32,
        reply: ReplyEntry,
    ) {
        let who = caller(request);
        self.entry(Asked::of("mknod", request, parent).changing(), name, reply, |dir, name| async move {
            let kind = Kind::from_bits(mode).ok_or(Errno::EINVAL)?;
            let place = dir.place.mknod(&who, name.as_name(), kind, Mode::new(mode), device(rdev)).await?;
            dir.entry(place, &who).await
        });
    }

    fn mkdir(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _umask: u32,
        reply: ReplyEntry,
    ) {
        let who = caller(request);
        self.entry(Asked::of("mkdir", request, parent).changing(), name, reply, |dir, name| async move {
            let place = dir.place.mkdir(&who, name.as_name(), Mode::new(mode)).await?;
            dir.entry(place, &who).await
        });
    }

    fn symlink(&self, request: &Request, parent: INodeNo, name: &OsStr, target: &Path, reply: ReplyEntry) {
        let who = caller(request);
        let target = target.as_os_str().as_bytes().to_vec();
        self.entry(Asked::of("symlink", request, parent).changing(), name, reply, |dir, name| async move {
            let place = dir.place.symlink(&who, name.as_name(), &target).await?;
            dir.entry(place, &who).await
        });
    }

    fn link(&self, request: &Request, ino: INodeNo, newparent: INodeNo, newname: &OsStr, reply: ReplyEntry) {
        let who = caller(request);
        let target = match self.inodes.place(ino) {
            Ok(target) => target,
            Err(error) => return reply.refuse(error.errno()),
        };
        self.entry(
            Asked::of("link", request, newparent).changing().and(ino),
            newname,
            reply,
            |dir, name| async move {
                dir.place.link(&who, &target, name.as_name()).await?;
                dir.lookup(&name, &who).await
            },
        );
    }

    fn unlink(&self, request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let (who, name) = (caller(request), names::name(name));
        let work = |dir: Place| async move { dir.unlink(&who, name?.as_name()).await };
        self.at(Asked::of("unlink", request, parent).changing(), reply, work, |reply, ()| reply.ok());
    }

    fn rmdir(&self, request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let (who, name) = (caller(request), names::name(name));
        let work = |dir: Place| async move { dir.rmdir(&who, name?.as_name()).await };
        self.at(Asked::of("rmdir", request, parent).changing(), reply, work, |reply, ()| reply.ok());
    }

    fn rename(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        newparent: INodeNo,
        newname: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        let who = caller(request);
        let (name, newname, to) = (names::name(name), names::name(newname), self.inodes.place(newparent));
        let work = |dir: Place| async move {
            // A whiteout is overlayfs's own business.
            let flags = vfs::RenameFlags::from_bits(flags.bits()).ok_or(Errno::EINVAL)?;
            dir.rename(&who, name?.as_name(), &to?, newname?.as_name(), flags).await
        };
        self.at(Asked::of("rename", request, parent).changing().and(newparent), reply, work, |reply, ()| {
            reply.ok()
        });
    }

    fn open(&self, request: &Request, ino: INodeNo, flags: OpenFlags, reply: ReplyOpen) {
        let who = caller(request);
        let flags = open_flags(flags.0);
        let (inodes, handles) = (self.inodes.clone(), self.handles.clone());
        let work = |place: Place| async move {
            let file = place.open(&who, flags).await?;
            if flags.contains(vfs::OpenFlags::TRUNCATE) && !who.is_root() && file.nature() == Nature::Storage
            {
                let mode = without_set_id(&place.stat(&who).await?);
                if mode.is_some() {
                    place.setstat(&who, SetStat { mode, ..SetStat::default() }).await?;
                }
            }
            Ok((place, file))
        };
        self.at(Asked::of("open", request, ino).unlocked(), reply, work, move |reply, (place, file)| {
            let nature = file.nature();
            let unchanged =
                nature == Nature::Storage && inodes.may_keep_pages(ino, &place, place.qid().version);
            let way = inodes.way(ino, &file, |file| reply.open_backing(file));
            if let Some(Way::Passed(backing)) = &way {
                let backing = backing.clone();
                let handle = handles.insert(file, place, way);
                return reply.opened_passthrough(handle, FopenFlags::empty(), &backing);
            }
            reply.opened(handles.insert(file, place, way), treatment(nature, flags, unchanged));
        });
    }

    fn create(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _umask: u32,
        flags: i32,
        reply: ReplyCreate,
    ) {
        let (who, name, flags) = (caller(request), names::name(name), open_flags(flags));
        let (inodes, handles) = (self.inodes.clone(), self.handles.clone());
        let in_work = inodes.clone();
        let work = |dir: Place| async move {
            let dir = Dir::new(&in_work, parent, dir);
            let made = dir.place.create(&who, name?.as_name(), Mode::new(mode), flags).await?;
            Ok((dir.entry(made.place, &who).await?, made.file))
        };
        self.at(Asked::of("create", request, parent).changing(), reply, work, move |reply, (found, file)| {
            let (attr, ttl) = (found.attributes(), found.ttl());
            let treatment = treatment(file.nature(), flags, false);
            // One time for both.
            let ttl = ttl.name.min(ttl.status);
            let way = inodes.way(attr.ino, &file, |file| reply.open_backing(file));
            let place = found.give().place;
            if let Some(Way::Passed(backing)) = &way {
                let backing = backing.clone();
                let handle = handles.insert(file, place, way);
                let none = FopenFlags::empty();
                return reply.created_passthrough(&ttl, &attr, GENERATION, handle, none, &backing);
            }
            let handle = handles.insert(file, place, way);
            reply.created(&ttl, &attr, GENERATION, handle, treatment);
        });
    }

    fn read(
        &self,
        request: &Request,
        ino: INodeNo,
        handle: FileHandle,
        offset: u64,
        size: u32,
        flags: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let inodes = self.inodes.clone();
        let work = |open: Arc<Open>| {
            inodes.look_at_content(&open);
            files::read(open, offset, size as usize, flags.0)
        };
        self.on_file(Asked::of("read", request, ino), handle, reply, work, |reply, data| reply.data(&data));
    }

    fn write(
        &self,
        request: &Request,
        ino: INodeNo,
        handle: FileHandle,
        offset: u64,
        data: &[u8],
        write_flags: WriteFlags,
        flags: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let kill_set_id = write_flags.contains(WriteFlags::FUSE_WRITE_KILL_SUIDGID);
        let how = Write { offset, flags: flags.0, kill_set_id };
        let who = caller(request);
        // The session's own buffer takes the next request while this one may still wait.
        let data = Buffer::of(data);
        let inodes = self.inodes.clone();
        let work = |open: Arc<Open>| {
            inodes.look_at_content(&open);
            files::write(open, who, how, data)
        };
        self.on_file(Asked::of("write", request, ino).changing(), handle, reply, work, |reply, written| {
            reply.written(written)
        });
    }

    fn flush(
        &self,
        request: &Request,
        ino: INodeNo,
        handle: FileHandle,
        owner: LockOwner,
        reply: ReplyEmpty,
    ) {
        let holder = self.holder(owner, request.pid());
        let work = |open: Arc<Open>| async move {
            // close(2) gives up the process's locks whatever becomes of the late writes.
            locks::closed_by(&open, holder);
            open.file.flush().await
        };
        self.on_file(Asked::of("flush", request, ino), handle, reply, work, |reply, ()| reply.ok());
    }

    fn release(
        &self,
        _: &Request,
        _: INodeNo,
        handle: FileHandle,
        _: OpenFlags,
        _: Option<LockOwner>,
        _: bool,
        reply: ReplyEmpty,
    ) {
        self.counts.requested("release");
        // Closing may wake tasks, which belong to the runtime.
        let _runtime = self.runtime.enter();
        self.handles.remove(handle);
        reply.ok();
    }

    fn fsync(&self, request: &Request, ino: INodeNo, handle: FileHandle, data_only: bool, reply: ReplyEmpty) {
        let work = |open: Arc<Open>| async move { open.file.fsync(data_only).await };
        self.on_file(Asked::of("fsync", request, ino), handle, reply, work, |reply, ()| reply.ok());
    }

    fn opendir(&self, request: &Request, ino: INodeNo, flags: OpenFlags, reply: ReplyOpen) {
        let who = caller(request);
        let flags = open_flags(flags.0) | vfs::OpenFlags::DIRECTORY;
        let handles = self.handles.clone();
        let work = |place: Place| async move { Ok((place.open(&who, flags).await?, place)) };
        self.at(Asked::of("opendir", request, ino), reply, work, move |reply, (file, place)| {
            reply.opened(handles.insert(file, place, None), FopenFlags::empty());
        });
    }

    fn readdir(
        &self,
        request: &Request,
        ino: INodeNo,
        handle: FileHandle,
        offset: u64,
        reply: ReplyDirectory,
    ) {
        let who = caller(request);
        let work = |open| Names::collect(open, who, offset);
        self.on_file(Asked::of("readdir", request, ino), handle, reply, work, |reply, names: Names| {
            names.answer(reply)
        });
    }

    fn readdirplus(
        &self,
        request: &Request,
        ino: INodeNo,
        handle: FileHandle,
        offset: u64,
        reply: ReplyDirectoryPlus,
    ) {
        let (who, inodes) = (caller(request), self.inodes.clone());
        let work = |open| Entries::collect(inodes, ino, open, who, offset);
        self.on_file(
            Asked::of("readdirplus", request, ino),
            handle,
            reply,
            work,
            move |reply, entries: Entries| {
                entries.answer(reply);
            },
        );
    }

    fn releasedir(&self, _: &Request, _: INodeNo, handle: FileHandle, _: OpenFlags, reply: ReplyEmpty) {
        let _runtime = self.runtime.enter();
        self.handles.remove(handle);
        reply.ok();
    }

    fn fsyncdir(
        &self,
        request: &Request,
        ino: INodeNo,
        handle: FileHandle,
        data_only: bool,
        reply: ReplyEmpty,
    ) {
        self.fsync(request, ino, handle, data_only, reply);
    }

    fn statfs(&self, request: &Request, ino: INodeNo, reply: ReplyStatfs) {
        self.at(
            Asked::of("statfs", request, ino),
            reply,
            |place| async move { place.statfs().await },
            |reply, fs| {
                reply.statfs(
                    fs.blocks, fs.bfree, fs.bavail, fs.files, fs.ffree, fs.bsize, fs.namelen, fs.bsize,
                );
            },
        );
    }

    fn setxattr(
        &self,
        request: &Request,
        ino: INodeNo,
        name: &OsStr,
        value: &[u8],
        flags: i32,
        _position: u32,
        reply: ReplyEmpty,
    ) {
        let (who, name, value) = (caller(request), name.as_bytes().to_vec(), value.to_vec());
        let work = |place: Place| async move {
            let how = SetXattr::from_bits(flags as u32).ok_or(Errno::EINVAL)?;
            place.setxattr(&who, &name, &value, how).await
        };
        self.at(Asked::of("setxattr", request, ino).changing(), reply, work, |reply, ()| reply.ok());
    }

    fn getxattr(&self, request: &Request, ino: INodeNo, name: &OsStr, size: u32, reply: ReplyXattr) {
        let (who, name) = (caller(request), name.as_bytes().to_vec());
        let work = |place: Place| async move { place.getxattr(&who, &name).await };
        self.at(Asked::of("getxattr", request, ino), reply, work, move |reply, value| {
            sized(reply, &value, size)
        });
    }

    fn listxattr(&self, request: &Request, ino: INodeNo, size: u32, reply: ReplyXattr) {
        let who = caller(request);
        let work = |place: Place| async move {
            let mut list = Vec::new();
            for name in place.listxattr(&who).await? {
                list.extend_from_slice(&name);
                list.push(0);
            }
            Ok(list)
        };
        self.at(Asked::of("listxattr", request, ino), reply, work, move |reply, list| {
            sized(reply, &list, size)
        });
    }

    fn removexattr(&self, request: &Request, ino: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let (who, name) = (caller(request), name.as_bytes().to_vec());
        let work = |place: Place| async move { place.removexattr(&who, &name).await };
        self.at(Asked::of("removexattr", request, ino).changing(), reply, work, |reply, ()| reply.ok());
    }

    fn getlk(
        &self,
        request: &Request,
        ino: INodeNo,
        handle: FileHandle,
        owner: LockOwner,
        start: u64,
        end: u64,
        kind: i32,
        pid: u32,
        reply: ReplyLock,
    ) {
        let holder = self.holder(owner, pid);
        let work = |open| locks::get(open, holder, Wanted { kind, start, last: end });
        self.on_file(
            Asked::of("getlk", request, ino),
            handle,
            reply,
            work,
            |reply, (start, last, kind, pid)| {
                reply.locked(start, last, kind, pid);
            },
        );
    }

    fn setlk(
        &self,
        request: &Request,
        ino: INodeNo,
        handle: FileHandle,
        owner: LockOwner,
        start: u64,
        end: u64,
        kind: i32,
        pid: u32,
        sleep: bool,
        reply: ReplyEmpty,
    ) {
        let open = match self.handles.get(handle) {
            Ok(open) => open,
            Err(error) => return reply.refuse(error.errno()),
        };
        let holder = self.holder(owner, pid);
        let work = locks::set(open, holder, Wanted { kind, start, last: end }, sleep, request.pid());
        // F_SETLKW is a wait for another program, on whatever file: any signal ends it (fcntl(2)).
        self.serve(Asked::of("setlk", request, ino).unlocked(), Patience::None, reply, work, |reply, ()| {
            reply.ok()
        });
    }

    fn fallocate(
        &self,
        request: &Request,
        ino: INodeNo,
        handle: FileHandle,
        offset: u64,
        length: u64,
        mode: i32,
        reply: ReplyEmpty,
    ) {
        let work = |open| files::allocate(open, offset, length, mode);
        self.on_file(Asked::of("fallocate", request, ino).changing(), handle, reply, work, |reply, ()| {
            reply.ok()
        });
    }

    fn poll(
        &self,
        _: &Request,
        _: INodeNo,
        handle: FileHandle,
        notifier: PollNotifier,
        _: PollEvents,
        flags: PollFlags,
        reply: ReplyPoll,
    ) {
        match self.handles.get(handle) {
            Ok(open) => {
                let notifier = flags.contains(PollFlags::FUSE_POLL_SCHEDULE_NOTIFY).then_some(notifier);
                reply.poll(poll::ready(&open, notifier, &self.runtime));
            }
            Err(error) => reply.refuse(error.errno()),
        }
    }

    fn lseek(
        &self,
        request: &Request,
        ino: INodeNo,
        handle: FileHandle,
        offset: i64,
        whence: i32,
        reply: ReplyLseek,
    ) {
        let who = caller(request);
        let work = |open| files::seek(open, who, offset, whence);
        self.on_file(Asked::of("lseek", request, ino), handle, reply, work, |reply, offset| {
            reply.offset(offset)
        });
    }

    // ENOSYS once, and the kernel copies by itself from then on.
    fn copy_file_range(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        _: u64,
        _: INodeNo,
        _: FileHandle,
        _: u64,
        _: u64,
        _: CopyFileRangeFlags,
        reply: ReplyWrite,
    ) {
        reply.error(fuser::Errno::ENOSYS);
    }

    fn ioctl(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        _: IoctlFlags,
        _: u32,
        _: &[u8],
        _: u32,
        reply: ReplyIoctl,
    ) {
        reply.error(fuser::Errno::ENOTTY);
    }
}

/// getxattr(2)'s protocol: a size of 0 asks for the size.
fn sized(reply: ReplyXattr, value: &[u8], size: u32) {
    match u32::try_from(value.len()) {
        Ok(length) if size == 0 => reply.size(length),
        Ok(length) if length <= size => reply.data(value),
        _ => reply.error(fuser::Errno::ERANGE),
    }
}
