//! Every request of the kernel: which work it wants done, and how the answer is given.
//!
//! The work itself is in `opening`, `files`, `status`, `names`, `list`, `xattr` and `locks`.

use super::attr::{attributes, caller, device, maker, open_flags, set_time, with_groups};
use super::buffer::Buffer;
use super::capabilities;
use super::files::{self, Data, Write};
use super::handles::Open;
use super::interrupt::Patience;
use super::list::{Entries, Names};
use super::locks::{self, Wanted};
use super::names::{self, Dir, Found};
use super::opening::{self, Opening};
use super::poll;
use super::reply::Refuse;
use super::session::{Asked, Session};
use super::status;
use super::xattr;
use fuser::*;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;
use vfs::{AclKind, Errno, Kind, Mode, Nature, Place, SetStat};

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

    /// No turn of the thread's: fuser makes such a call of each part of a request for several, and who rested at the end of the
    /// first would keep the others.
    fn forget(&self, _: &Request, ino: INodeNo, count: u64) {
        self.counts.requested("forget");
        if let Some(gone) = self.inodes.forget(ino, count) {
            self.put_away(move || drop(gone));
        }
    }

    fn getattr(&self, request: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        let (who, inodes) = (caller(request), self.inodes.clone());
        let stream = self.handles.stream_of(ino, request.pid());
        let work = |place| async move {
            let mut found = Found::at(&inodes, ino, place, &who).await?;
            if let Some(open) = stream {
                let own = open.file.stat().await?;
                (found.stat.size, found.stat.mtime) = (own.size, own.mtime);
            }
            Ok(found)
        };
        self.at(Asked::of("getattr", request, ino), reply, work, move |reply, found| {
            reply.attr(&found.ttl(), &attributes(ino, &found.stat))
        });
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
        let set = SetStat {
            mode: mode.map(Mode::new),
            uid: uid.map(vfs::Uid),
            gid: gid.map(vfs::Gid),
            size,
            atime: atime.map(set_time),
            mtime: mtime.map(set_time),
        };
        let work = |place: Place| async move {
            status::change(&place, &who, set, open).await?;
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
        umask: u32,
        rdev: u32,
        reply: ReplyEntry,
    ) {
        let who = maker(request, mode, umask);
        self.entry(Asked::of("mknod", request, parent).changing(), name, reply, |dir, name| async move {
            let kind = Kind::from_bits(mode).ok_or(Errno::EINVAL)?;
            let place = dir.place.mknod(&who, name.as_name(), kind, Mode::new(mode), device(rdev)).await?;
            dir.made(place, kind, &who).await
        });
    }

    fn mkdir(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        reply: ReplyEntry,
    ) {
        let who = maker(request, mode, umask);
        self.entry(Asked::of("mkdir", request, parent).changing(), name, reply, |dir, name| async move {
            let place = dir.place.mkdir(&who, name.as_name(), Mode::new(mode)).await?;
            dir.made(place, Kind::Dir, &who).await
        });
    }

    fn symlink(&self, request: &Request, parent: INodeNo, name: &OsStr, target: &Path, reply: ReplyEntry) {
        let who = caller(request);
        let target = target.as_os_str().as_bytes().to_vec();
        self.entry(Asked::of("symlink", request, parent).changing(), name, reply, |dir, name| async move {
            let place = dir.place.symlink(&who, name.as_name(), &target).await?;
            dir.made(place, Kind::Symlink, &who).await
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
                let place = dir.place.walk(&who, &name).await?;
                dir.made(place, target.kind(), &who).await
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
        let (who, flags) = (caller(request), open_flags(flags.0));
        let opening =
            Opening { inodes: self.inodes.clone(), handles: self.handles.clone(), flags, pid: request.pid() };
        let work = |place| opening::open(place, who, flags);
        self.at(
            Asked::of("open", request, ino).of_content().unlocked(),
            reply,
            work,
            move |reply, (place, opened)| {
                opening.opened(reply, ino, place, opened);
            },
        );
    }

    fn create(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        flags: i32,
        reply: ReplyCreate,
    ) {
        let who = maker(request, mode, umask);
        let (name, flags) = (names::name(name), open_flags(flags));
        let opening =
            Opening { inodes: self.inodes.clone(), handles: self.handles.clone(), flags, pid: request.pid() };
        let inodes = self.inodes.clone();
        let work = |dir: Place| async move {
            let dir = Dir::new(&inodes, parent, dir);
            opening::create(dir, who, name?.as_name(), Mode::new(mode), flags).await
        };
        self.at(
            Asked::of("create", request, parent).changing(),
            reply,
            work,
            move |reply, (found, opened)| {
                opening.created(reply, found, opened);
            },
        );
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
        let size = size as usize;
        let at_once = |open: &Open| {
            self.inodes.look_at_content(open);
            files::read_at_once(open, offset, size)
        };
        let work = |open: Arc<Open>| {
            self.inodes.look_at_content(&open);
            files::read(open, offset, size, flags.0)
        };
        let asked = Asked::of("read", request, ino);
        let (request, device) = (request.unique(), self.device.clone());
        self.on_file_at_once(asked, handle, reply, at_once, work, move |reply, data| match data {
            Data::Read(data) => reply.data(&data),
            Data::Lent(parts) => device.answer(request, reply, &parts),
        });
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
        let at_once = |open: &Open| {
            self.inodes.look_at_content(open);
            files::write_at_once(open, &who, how, data)
        };
        let work = |open: Arc<Open>| {
            self.inodes.look_at_content(&open);
            // The session's own buffer takes the next request while this one may still wait.
            files::write(open, who.clone(), how, Buffer::of(data))
        };
        let asked = Asked::of("write", request, ino).of_content().changing();
        self.on_file_at_once(asked, handle, reply, at_once, work, |reply, written| reply.written(written));
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
        let at_once = |open: &Open| files::flush_at_once(open, holder);
        let work = |open| files::flush(open, holder);
        let asked = Asked::of("flush", request, ino);
        self.on_file_at_once(asked, handle, reply, at_once, work, |reply, ()| reply.ok());
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
        self.close(handle, reply);
    }

    fn fsync(&self, request: &Request, ino: INodeNo, handle: FileHandle, data_only: bool, reply: ReplyEmpty) {
        let work = |open: Arc<Open>| async move { open.file.fsync(data_only).await };
        self.on_file(Asked::of("fsync", request, ino), handle, reply, work, |reply, ()| reply.ok());
    }

    fn opendir(&self, request: &Request, ino: INodeNo, flags: OpenFlags, reply: ReplyOpen) {
        let who = caller(request);
        let (pid, flags) = (request.pid(), open_flags(flags.0) | vfs::OpenFlags::DIRECTORY);
        let (handles, inodes) = (self.handles.clone(), self.inodes.clone());
        let work = |place: Place| async move { Ok((place.open(&who, flags).await?, place)) };
        self.at(Asked::of("opendir", request, ino), reply, work, move |reply, (file, place)| {
            let kept = inodes.may_keep_list(ino, &place);
            let keep = FopenFlags::FOPEN_CACHE_DIR | FopenFlags::FOPEN_KEEP_CACHE;
            let treatment = if kept { keep } else { FopenFlags::empty() };
            reply.opened(handles.insert(file, place, None, (ino, pid)), treatment);
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
        let (who, inodes) = (caller(request), self.inodes.clone());
        let work = |open| Names::collect(inodes, ino, open, who, offset);
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
        self.close(handle, reply);
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
        let (name, value) = (name.as_bytes().to_vec(), value.to_vec());
        // An access control list may take set-group-id away from who is not of the group.
        let who = caller(request);
        let who = if AclKind::of(&name).is_some() { with_groups(&who) } else { who };
        let work = |place| xattr::set(place, who, name, value, flags);
        self.at(Asked::of("setxattr", request, ino).changing(), reply, work, |reply, ()| reply.ok());
    }

    fn getxattr(&self, request: &Request, ino: INodeNo, name: &OsStr, size: u32, reply: ReplyXattr) {
        let (who, name) = (caller(request), name.as_bytes().to_vec());
        let work = |place: Place| async move { place.getxattr(&who, &name).await };
        self.at(Asked::of("getxattr", request, ino), reply, work, move |reply, value| {
            xattr::answer(reply, &value, size)
        });
    }

    fn listxattr(&self, request: &Request, ino: INodeNo, size: u32, reply: ReplyXattr) {
        let who = caller(request);
        let work = |place| xattr::list(place, who);
        self.at(Asked::of("listxattr", request, ino), reply, work, move |reply, list| {
            xattr::answer(reply, &list, size)
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
        let who = caller(request);
        let work = |open| files::allocate(open, who, offset, length, mode);
        self.on_file(
            Asked::of("fallocate", request, ino).of_content().changing(),
            handle,
            reply,
            work,
            |reply, ()| reply.ok(),
        );
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

    // The kernel copies files that keep what is written by itself, and would copy a stream too, as far as its size: that is what is there now,
    // and a reader would take it for the end. As of a fifo it says that this is no file for it, and is read and written.
    fn copy_file_range(
        &self,
        _: &Request,
        _: INodeNo,
        from: FileHandle,
        _: u64,
        _: INodeNo,
        to: FileHandle,
        _: u64,
        _: u64,
        _: CopyFileRangeFlags,
        reply: ReplyWrite,
    ) {
        let stores =
            |handle| self.handles.get(handle).is_ok_and(|open| open.file.nature() == Nature::Storage);
        reply.error(if stores(from) && stores(to) { fuser::Errno::EOPNOTSUPP } else { fuser::Errno::EINVAL });
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
