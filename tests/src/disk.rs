//! A disk that fails to order: a FUSE file system of fixed files, each of which fails in its own way.
//!
//! ```text
//! good     takes and gives what it should
//! full     a write fails with ENOSPC
//! broken   a read or a write fails with EIO
//! lazy     takes everything; fsync fails with EIO
//! late     takes everything; close fails with EIO
//! hung*    a read of it is answered when the disk is told to go on; hungN for any N
//! kept*    is large, and closing it is answered then
//! lost*    looking it up is answered then, with ENOENT
//! ```

use fuser::*;
use std::ffi::OsStr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

const FILES: [&str; 5] = ["good", "full", "broken", "lazy", "late"];
/// Inode numbers: 1 is the root, 2 the first of [`FILES`], and from here on those that hang.
const HUNG: u64 = 100;
/// From here on, those whose closing hangs.
const KEPT: u64 = 10_000;
const SIZE: usize = 4096;
/// More than a server keeps open, in case it is asked for again.
const LARGE: usize = 8 << 20;
const TTL: Duration = Duration::ZERO;

type Answer = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct Waiting {
    answers: Mutex<Vec<Answer>>,
    /// How many there have been.
    ever: AtomicU64,
    /// Nobody has to wait any more.
    over: AtomicBool,
}

impl Waiting {
    fn push(&self, answer: impl FnOnce() + Send + 'static) {
        let mut answers = self.answers.lock().expect("nobody panics with it");
        if self.over.load(Ordering::SeqCst) {
            drop(answers);
            return answer();
        }
        answers.push(Box::new(answer));
        self.ever.fetch_add(1, Ordering::SeqCst);
    }
}

/// The disk, mounted; taken away when dropped.
pub struct Disk {
    waiting: Arc<Waiting>,
    session: Option<BackgroundSession>,
}

impl Disk {
    pub fn mount(at: &Path) -> std::io::Result<Disk> {
        let waiting = Arc::new(Waiting::default());
        let mut config = Config::default();
        config.mount_options = vec![MountOption::FSName("failing".into())];
        config.n_threads = Some(2);
        let session =
            spawn_mount(Failing { waiting: waiting.clone(), content: Mutex::default() }, at, &config)?;
        Ok(Disk { waiting, session: Some(session) })
    }

    /// How many requests have ever had to wait.
    pub fn waited(&self) -> u64 {
        self.waiting.ever.load(Ordering::SeqCst)
    }

    /// Answers all that wait.
    pub fn go_on(&self) {
        let answers = std::mem::take(&mut *self.waiting.answers.lock().expect("nobody panics with it"));
        answers.into_iter().for_each(|answer| answer());
    }

    /// Answers all that wait, and all that come, at once.
    pub fn recovers(&self) {
        let answers = self.waiting.answers.lock().expect("nobody panics with it");
        self.waiting.over.store(true, Ordering::SeqCst);
        drop(answers);
        self.go_on();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.recovers();
        if let Some(session) = self.session.take() {
            // It goes with the process at the latest.
            let _busy = session.umount_and_join();
        }
    }
}

struct Failing {
    waiting: Arc<Waiting>,
    content: Mutex<Vec<u8>>,
}

fn name_of(ino: INodeNo) -> &'static str {
    let unnamed = if ino.0 < KEPT { "hung" } else { "kept" };
    FILES.get(ino.0.wrapping_sub(2) as usize).copied().unwrap_or(unnamed)
}

fn attr(ino: INodeNo) -> FileAttr {
    let is_dir = ino == INodeNo::ROOT;
    FileAttr {
        ino,
        size: if is_dir {
            0
        } else if ino.0 < KEPT {
            SIZE as u64
        } else {
            LARGE as u64
        },
        blocks: 8,
        atime: UNIX_EPOCH,
        mtime: UNIX_EPOCH,
        ctime: UNIX_EPOCH,
        crtime: UNIX_EPOCH,
        kind: if is_dir { FileType::Directory } else { FileType::RegularFile },
        perm: if is_dir { 0o755 } else { 0o666 },
        nlink: 1,
        uid: rustix::process::geteuid().as_raw(),
        gid: rustix::process::getegid().as_raw(),
        rdev: 0,
        blksize: 4096,
        flags: 0,
    }
}

impl Filesystem for Failing {
    fn lookup(&self, _: &Request, _: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let name = name.to_string_lossy();
        if name.starts_with("lost") {
            return self.waiting.push(move || reply.error(Errno::ENOENT));
        }
        let fixed = FILES.iter().position(|file| *file == name).map(|at| at as u64 + 2);
        let numbered = |prefix, first| Some(first + name.strip_prefix(prefix)?.parse::<u64>().unwrap_or(0));
        match fixed.or_else(|| numbered("hung", HUNG)).or_else(|| numbered("kept", KEPT)) {
            Some(ino) => reply.entry(&TTL, &attr(INodeNo(ino)), Generation(0)),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn getattr(&self, _: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        reply.attr(&TTL, &attr(ino));
    }

    fn setattr(
        &self,
        _: &Request,
        ino: INodeNo,
        _: Option<u32>,
        _: Option<u32>,
        _: Option<u32>,
        _: Option<u64>,
        _: Option<TimeOrNow>,
        _: Option<TimeOrNow>,
        _: Option<std::time::SystemTime>,
        _: Option<FileHandle>,
        _: Option<std::time::SystemTime>,
        _: Option<std::time::SystemTime>,
        _: Option<std::time::SystemTime>,
        _: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        reply.attr(&TTL, &attr(ino));
    }

    /// Nothing is cached: each read and write is one of ours.
    fn open(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        reply.opened(FileHandle(0), FopenFlags::FOPEN_DIRECT_IO);
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
        let content = self.content.lock().expect("nobody panics with it").clone();
        let from = (offset as usize).min(content.len());
        let data = content[from..(from + size as usize).min(content.len())].to_vec();
        match name_of(ino) {
            "broken" => reply.error(Errno::EIO),
            "hung" => self.waiting.push(move || reply.data(b"at last")),
            _ => reply.data(&data),
        }
    }

    fn write(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        match name_of(ino) {
            "full" => return reply.error(Errno::ENOSPC),
            "broken" => return reply.error(Errno::EIO),
            "good" => {
                let mut content = self.content.lock().expect("nobody panics with it");
                let end = offset as usize + data.len();
                if content.len() < end {
                    content.resize(end, 0);
                }
                content[offset as usize..end].copy_from_slice(data);
            }
            _ => {}
        }
        reply.written(data.len() as u32);
    }

    fn flush(&self, _: &Request, ino: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        match name_of(ino) {
            "late" => reply.error(Errno::EIO),
            "kept" => self.waiting.push(move || reply.ok()),
            _ => reply.ok(),
        }
    }

    fn fsync(&self, _: &Request, ino: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        if name_of(ino) == "lazy" { reply.error(Errno::EIO) } else { reply.ok() }
    }

    fn readdir(&self, _: &Request, _: INodeNo, _: FileHandle, offset: u64, mut reply: ReplyDirectory) {
        for (at, name) in FILES.iter().enumerate().skip(offset as usize) {
            if reply.add(INodeNo(at as u64 + 2), at as u64 + 1, FileType::RegularFile, name) {
                break;
            }
        }
        reply.ok();
    }
}
