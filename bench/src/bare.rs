//! What no server of host directories can undercut: `bench bare PROGRAM DIR [ARG...]` runs a WASI program whose calls are the system calls
//! that confinement takes and nothing else. There is no descriptor table to speak of, no rights, no namespace, no trace, no
//! limit; the program, its libc, wasmtime's crossing and the kernel are the same.
//!
//! It does what fsops and smallfiles ask for, in one directory that they know as /host, and is of no other use.

use rustix::fd::OwnedFd;
use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, RawDir, ResolveFlags, Stat, fstat, mkdirat, openat, openat2,
    statat, unlinkat,
};
use rustix::io::{pread, pwrite};
use rustix::path::DecInt;
use std::io::Write;
use std::mem::MaybeUninit;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};
use wasmtime::{Caller, Engine, Linker, Memory, Module, Store};

/// The first argument that makes this program that host.
pub const BARE: &str = "bare";

/// Where the program finds the directory; its own directory is `/`.
const NAME: &[u8] = b"host/";
const PREOPEN: u32 = 3;
const SUCCESS: u32 = 0;
const BADF: u32 = 8;
const NOENT: u32 = 44;
const NOTSUP: u32 = 58;

struct Host {
    memory: Option<Memory>,
    dir: OwnedFd,
    /// /proc/self/fd.
    fds: OwnedFd,
    args: Vec<String>,
    began: Instant,
    open: Vec<Option<Open>>,
    /// What was opened for reading last.
    recent: Option<(Vec<u8>, Rc<OwnedFd>)>,
}

enum Open {
    File { fd: Rc<OwnedFd>, offset: u64 },
    Dir(Listing),
}

/// An open directory, listed from its start to its end.
struct Listing {
    fd: OwnedFd,
    /// How many entries were before these.
    base: u64,
    /// Entries as the guest gets them, and where each begins.
    entries: Vec<u8>,
    starts: Vec<usize>,
}

/// The answer to a system call as the guest is to have it.
type Answer = rustix::io::Result<u32>;

/// Runs `program` on `dir`, with `more` arguments than that, and ends with it.
pub fn run(program: &Path, dir: &Path, more: &[String]) {
    // A second thread makes the kernel count each use of a descriptor, as it does in a server.
    std::thread::spawn(|| std::thread::sleep(Duration::MAX));
    let engine = Engine::default();
    let module = Module::from_file(&engine, program).expect("a module");
    let place = |path: &Path| openat(CWD, path, OFlags::PATH | OFlags::DIRECTORY, Mode::empty());
    let mut store = Store::new(
        &engine,
        Host {
            memory: None,
            dir: place(dir).expect("a directory"),
            fds: place(Path::new("/proc/self/fd")).expect("/proc"),
            args: ["program", "/host"].into_iter().map(String::from).chain(more.iter().cloned()).collect(),
            began: Instant::now(),
            open: Vec::new(),
            recent: None,
        },
    );
    let instance = linker(&engine).and_then(|linker| linker.instantiate(&mut store, &module));
    let instance = instance.expect("a program that asks for nothing else");
    store.data_mut().memory = instance.get_memory(&mut store, "memory");
    let start = instance.get_typed_func::<(), ()>(&mut store, "_start").expect("a program");
    start.call(&mut store, ()).expect("it ends");
}

/// A call by name, its parameters, and what it does with the guest's memory and the host.
macro_rules! calls {
    ($linker:ident $($name:ident |$bytes:pat_param, $host:pat_param $(, $arg:ident: $ty:ty)*| $body:expr;)*) => {$(
        $linker.func_wrap("wasi_snapshot_preview1", stringify!($name), |mut caller: Caller<'_, Host> $(, $arg: $ty)*| -> u32 {
            let memory = caller.data().memory.expect("instantiated");
            let ($bytes, $host) = memory.data_and_store_mut(&mut caller);
            let answer: Answer = $body;
            answer.unwrap_or(NOENT)
        })?;
    )*};
}

fn linker(engine: &Engine) -> wasmtime::Result<Linker<Host>> {
    let mut linker = Linker::new(engine);
    calls! { linker
        args_sizes_get |bytes, host, count: u32, size: u32| {
            put(bytes, count, [host.args.len() as u32]);
            put(bytes, size, [host.args.iter().map(|arg| arg.len() as u32 + 1).sum::<u32>()]);
            Ok(SUCCESS)
        };
        args_get |bytes, host, argv: u32, buf: u32| {
            let mut at = buf;
            for (n, arg) in host.args.iter().enumerate() {
                put(bytes, argv + 4 * n as u32, [at]);
                bytes[at as usize..][..arg.len()].copy_from_slice(arg.as_bytes());
                bytes[at as usize + arg.len()] = 0;
                at += arg.len() as u32 + 1;
            }
            Ok(SUCCESS)
        };
        clock_time_get |bytes, host, _id: u32, _precision: u64, out: u32| {
            put_words(bytes, out, [host.began.elapsed().as_nanos() as u64]);
            Ok(SUCCESS)
        };
        fd_prestat_get |bytes, _, fd: u32, out: u32| {
            put(bytes, out, [0, 1]);
            Ok(if fd == PREOPEN { SUCCESS } else { BADF })
        };
        fd_prestat_dir_name |bytes, _, _fd: u32, at: u32, _len: u32| {
            bytes[at as usize] = b'/';
            Ok(SUCCESS)
        };
        fd_fdstat_get |bytes, _, fd: u32, out: u32| {
            put_words(bytes, out, [if fd == PREOPEN { 3 } else { 4 }, u64::MAX, u64::MAX]);
            Ok(SUCCESS)
        };
        fd_filestat_get |bytes, host, fd: u32, out: u32| match host.file(fd) {
            Some((file, _)) => fstat(&**file).map(|stat| filestat(bytes, out, &stat)),
            None => Ok(BADF),
        };
        path_filestat_get |bytes, host, _fd: u32, _flags: u32, path: u32, len: u32, out: u32| {
            let stat = statat(&host.dir, name(bytes, path, len), AtFlags::SYMLINK_NOFOLLOW);
            stat.map(|stat| filestat(bytes, out, &stat))
        };
        path_open |bytes, host, _fd: u32, _lookup: u32, path: u32, len: u32, oflags: u32, _base: u64, _inheriting: u64, _flags: u32, out: u32| {
            let opened = host.open(name(bytes, path, len), oflags);
            opened.map(|open| {
                put(bytes, out, [host.insert(open)]);
                SUCCESS
            })
        };
        fd_close |_, host, fd: u32| {
            host.open[(fd - PREOPEN - 1) as usize] = None;
            Ok(SUCCESS)
        };
        fd_pread |bytes, host, fd: u32, iovs: u32, _count: u32, offset: u64, out: u32| match host.file(fd) {
            Some((file, _)) => {
                let (at, len) = iovec(bytes, iovs);
                let read = pread(&**file, &mut bytes[at..at + len], offset);
                read.map(|read| put(bytes, out, [read as u32]))
            }
            None => Ok(BADF),
        };
        fd_pwrite |bytes, host, fd: u32, iovs: u32, _count: u32, offset: u64, out: u32| match host.file(fd) {
            Some((file, _)) => {
                let (at, len) = iovec(bytes, iovs);
                let written = pwrite(&**file, &bytes[at..at + len], offset);
                written.map(|written| put(bytes, out, [written as u32]))
            }
            None => Ok(BADF),
        };
        fd_read |bytes, host, fd: u32, iovs: u32, _count: u32, out: u32| match host.file(fd) {
            Some((file, position)) => {
                let (at, len) = iovec(bytes, iovs);
                let read = pread(&**file, &mut bytes[at..at + len], *position);
                read.map(|read| {
                    *position += read as u64;
                    put(bytes, out, [read as u32])
                })
            }
            None => Ok(BADF),
        };
        fd_write |bytes, host, fd: u32, iovs: u32, count: u32, out: u32| match host.file(fd) {
            Some((file, position)) => {
                let (at, len) = iovec(bytes, iovs);
                let written = pwrite(&**file, &bytes[at..at + len], *position);
                written.map(|written| {
                    *position += written as u64;
                    put(bytes, out, [written as u32])
                })
            }
            None => {
                let mut all = 0;
                for n in 0..count {
                    let (at, len) = iovec(bytes, iovs + 8 * n);
                    std::io::stdout().write_all(&bytes[at..at + len]).expect("somebody reads");
                    all += len as u32;
                }
                Ok(put(bytes, out, [all]))
            }
        };
        fd_seek |_, _, _fd: u32, _offset: i64, _whence: u32, _out: u32| Ok(NOTSUP);
        fd_readdir |bytes, host, fd: u32, buf: u32, len: u32, cookie: u64, out: u32| {
            match host.open.get_mut((fd - PREOPEN - 1) as usize) {
                Some(Some(Open::Dir(listing))) => listing
                    .copy(&mut bytes[buf as usize..][..len as usize], cookie)
                    .map(|used| put(bytes, out, [used as u32])),
                _ => Ok(BADF),
            }
        };
        path_unlink_file |bytes, host, _fd: u32, path: u32, len: u32|
            unlinkat(&host.dir, name(bytes, path, len), AtFlags::empty()).map(|()| SUCCESS);
        path_create_directory |bytes, host, _fd: u32, path: u32, len: u32|
            mkdirat(&host.dir, name(bytes, path, len), Mode::from_raw_mode(0o755)).map(|()| SUCCESS);
        path_remove_directory |bytes, host, _fd: u32, path: u32, len: u32|
            unlinkat(&host.dir, name(bytes, path, len), AtFlags::REMOVEDIR).map(|()| SUCCESS);
    }
    linker.func_wrap("wasi_snapshot_preview1", "proc_exit", |code: i32| -> wasmtime::Result<()> {
        std::process::exit(code)
    })?;
    Ok(linker)
}

impl Host {
    fn file(&mut self, fd: u32) -> Option<(&Rc<OwnedFd>, &mut u64)> {
        match self.open.get_mut(fd.checked_sub(PREOPEN + 1)? as usize)? {
            Some(Open::File { fd, offset }) => Some((fd, offset)),
            _ => None,
        }
    }

    fn insert(&mut self, open: Open) -> u32 {
        let free = self.open.iter().position(Option::is_none).unwrap_or_else(|| {
            self.open.push(None);
            self.open.len() - 1
        });
        self.open[free] = Some(open);
        free as u32 + PREOPEN + 1
    }

    /// With the system calls of the server: see `confined.rs`.
    fn open(&mut self, name: &[u8], oflags: u32) -> rustix::io::Result<Open> {
        const CREATE: u32 = 1;
        const DIRECTORY: u32 = 2;
        const BENEATH: ResolveFlags =
            ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS).union(ResolveFlags::NO_MAGICLINKS);
        if oflags & CREATE != 0 {
            let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::NOCTTY;
            let fd = openat2(&self.dir, name, flags, Mode::from_raw_mode(0o644), BENEATH)?;
            return Ok(Open::File { fd: Rc::new(fd), offset: 0 });
        }
        if oflags & DIRECTORY != 0 {
            let fd = openat(&self.dir, name, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty())?;
            return Ok(Open::Dir(Listing { fd, base: 0, entries: Vec::new(), starts: Vec::new() }));
        }
        if let Some((recent, fd)) = &self.recent
            && *recent == name
        {
            statat(&self.dir, name, AtFlags::SYMLINK_NOFOLLOW)?;
            return Ok(Open::File { fd: fd.clone(), offset: 0 });
        }
        let seen = openat2(&self.dir, name, OFlags::PATH | OFlags::NOFOLLOW, Mode::empty(), BENEATH)?;
        fstat(&seen)?;
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
        let fd = Rc::new(openat(&self.fds, DecInt::from_fd(&seen), flags, Mode::empty())?);
        self.recent = Some((name.to_vec(), fd.clone()));
        Ok(Open::File { fd, offset: 0 })
    }
}

impl Listing {
    /// Fills `to` with what comes behind `cookie`; less than that is the end.
    fn copy(&mut self, to: &mut [u8], mut cookie: u64) -> rustix::io::Result<usize> {
        let mut used = 0;
        loop {
            let from =
                self.starts.get((cookie - self.base) as usize).map_or(&[][..], |at| &self.entries[*at..]);
            let fits = from.len().min(to.len() - used);
            to[used..used + fits].copy_from_slice(&from[..fits]);
            used += fits;
            if used == to.len() || !self.fill()? {
                return Ok(used);
            }
            cookie = self.base;
        }
    }

    /// What one system call gives; false at the end.
    fn fill(&mut self) -> rustix::io::Result<bool> {
        let mut space = [MaybeUninit::<u8>::uninit(); 32 * 1024];
        let mut found = RawDir::new(&self.fd, &mut space);
        self.base += self.starts.len() as u64;
        self.entries.clear();
        self.starts.clear();
        while let Some(entry) = found.next() {
            let entry = entry?;
            let (name, kind) = (entry.file_name().to_bytes(), entry.file_type());
            let kind = if kind == FileType::Directory { 3 } else { 4 };
            self.starts.push(self.entries.len());
            let next = self.base + self.starts.len() as u64;
            for word in [next, entry.ino(), name.len() as u64 | kind << 32] {
                self.entries.extend(word.to_le_bytes());
            }
            self.entries.extend(name);
            if found.is_buffer_empty() {
                break;
            }
        }
        Ok(!self.starts.is_empty())
    }
}

fn name(bytes: &[u8], at: u32, len: u32) -> &[u8] {
    let path = &bytes[at as usize..][..len as usize];
    path.strip_prefix(NAME).unwrap_or(path)
}

fn iovec(bytes: &[u8], at: u32) -> (usize, usize) {
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes")) as usize;
    (word(at as usize), word(at as usize + 4))
}

fn put<const N: usize>(bytes: &mut [u8], at: u32, words: [u32; N]) -> u32 {
    for (to, word) in bytes[at as usize..][..4 * N].as_chunks_mut::<4>().0.iter_mut().zip(words) {
        *to = word.to_le_bytes();
    }
    SUCCESS
}

fn put_words<const N: usize>(bytes: &mut [u8], at: u32, words: [u64; N]) -> u32 {
    for (to, word) in bytes[at as usize..][..8 * N].as_chunks_mut::<8>().0.iter_mut().zip(words) {
        *to = word.to_le_bytes();
    }
    SUCCESS
}

fn filestat(bytes: &mut [u8], out: u32, stat: &Stat) -> u32 {
    let nanos = |secs: i64, nanos: u64| secs as u64 * 1_000_000_000 + nanos;
    let times = [
        nanos(stat.st_atime, stat.st_atime_nsec),
        nanos(stat.st_mtime, stat.st_mtime_nsec),
        nanos(stat.st_ctime, stat.st_ctime_nsec),
    ];
    let [atime, mtime, ctime] = times;
    let words = [stat.st_dev, stat.st_ino, 4, stat.st_nlink, stat.st_size as u64, atime, mtime, ctime];
    put_words(bytes, out, words)
}
