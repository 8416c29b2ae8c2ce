//! What of a guest's calls on a host directory is the kernel's part: the same system calls natively, confined as the server's are
//! (openat2(2) beneath a directory, nothing opened that was not looked at) and in a program of several threads, beside the plain
//! ones in a program of one. No guest's call can be had for less.
//!
//! An open is there three times: as it is done of a file that was opened a moment ago, of any other, and as it would be done if
//! the fifos that somebody puts in a file's place might be opened for a moment, which they are not.

use crate::report::Report;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{
    AtFlags, CWD, Mode, OFlags, ResolveFlags, fstat, openat, openat2, stat, statat, unlink, unlinkat,
};
use rustix::io::pread;
use rustix::path::DecInt;
use std::fs::File;
use std::mem::MaybeUninit;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};

const FILES: usize = 2000;
const BATCHES: usize = 20;

struct Place {
    path: PathBuf,
    dir: OwnedFd,
    /// /proc/self/fd, through which what was looked at is opened.
    fds: OwnedFd,
    open: File,
    /// A name that is asked for again and again, as the guest's program does it.
    same: String,
}

type Call = fn(&Place, &str);

pub fn run(report: &mut Report, dir: &Path) {
    let path = dir.join("confined");
    std::fs::create_dir(&path).expect("a directory");
    let open = |path: &Path| openat(CWD, path, OFlags::PATH | OFlags::DIRECTORY, Mode::empty());
    let names: Vec<String> = (0..FILES).map(|n| format!("small-{n}")).collect();
    for name in &names {
        std::fs::write(path.join(name), [7; 4096]).expect("a file");
    }
    let place = Place {
        dir: open(&path).expect("it is there"),
        fds: open(Path::new("/proc/self/fd")).expect("/proc"),
        open: File::options().read(true).write(true).open(path.join(&names[0])).expect("it is there"),
        path,
        same: names[0].clone(),
    };
    let rows: [(&str, Call, Call); 9] = [
        ("pread_4k", read, read),
        ("pwrite_4k", write, write),
        ("fstat", by_descriptor, by_descriptor),
        ("stat", by_name, |at, _| {
            stat(&*at.path.join(&at.same)).expect("a stat");
        }),
        ("open_close, opened a moment ago", by_name, |at, _| plain_open(at, &at.same)),
        ("open_close, not opened lately", look_and_open, plain_open),
        ("open_close, fifos not minded", open_and_look, plain_open),
        ("create", create_confined, create_plain),
        ("unlink", unlink_confined, unlink_plain),
    ];
    let plain = all(&place, &names, rows.map(|(_, _, plain)| plain));
    let (end, ended) = mpsc::channel::<()>();
    let confined = std::thread::scope(|scope| {
        // A second thread makes the kernel count each use of a descriptor.
        scope.spawn(move || ended.recv());
        let confined = all(&place, &names, rows.map(|(_, confined, _)| confined));
        drop(end);
        confined
    });
    for ((what, ..), (confined, plain)) in rows.iter().zip(confined.into_iter().zip(plain)) {
        report.beside(what, confined, "plain", plain);
    }
}

/// Of some batches the fastest, for each call. The last removes what the one before has made.
fn all<const ROWS: usize>(place: &Place, names: &[String], calls: [Call; ROWS]) -> [Duration; ROWS] {
    let batch = |call: Call| {
        let began = Instant::now();
        names.iter().for_each(|name| call(place, name));
        began.elapsed() / FILES as u32
    };
    let mut fastest = [Duration::MAX; ROWS];
    for _ in 0..BATCHES {
        for (fastest, call) in fastest.iter_mut().zip(calls) {
            *fastest = batch(call).min(*fastest);
        }
    }
    fastest
}

/// As the guest's block is.
#[repr(align(64))]
struct Aligned<T>(T);

fn read(at: &Place, _: &str) {
    // Not cleared before, which would take a good part of the call.
    let mut block = Aligned([MaybeUninit::<u8>::uninit(); 4096]);
    let (read, _) = pread(&at.open, &mut block.0, 0).expect("it is there");
    assert_eq!(read.len(), 4096);
}

fn write(at: &Place, _: &str) {
    static BLOCK: Aligned<[u8; 4096]> = Aligned([0; 4096]);
    at.open.write_all_at(&BLOCK.0, 0).expect("there is room");
}

fn by_descriptor(at: &Place, _: &str) {
    fstat(&at.open).expect("a stat");
}

fn by_name(at: &Place, _: &str) {
    statat(&at.dir, &*at.same, AtFlags::SYMLINK_NOFOLLOW).expect("a stat");
}

fn plain_open(at: &Place, name: &str) {
    openat(CWD, &*at.path.join(name), OFlags::RDONLY, Mode::empty()).expect("a file");
}

/// By which a file is told from others later.
fn look(fd: impl AsFd) {
    fstat(fd).expect("a stat");
}

const BENEATH: ResolveFlags =
    ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS).union(ResolveFlags::NO_MAGICLINKS);

/// What the name means is looked at through a descriptor that opens nothing, and that very file is opened then: nobody can put a
/// device or a fifo in its place.
fn look_and_open(at: &Place, name: &str) {
    let seen = openat2(&at.dir, name, OFlags::PATH | OFlags::NOFOLLOW, Mode::empty(), BENEATH);
    let seen = seen.expect("it is there");
    look(&seen);
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
    openat(&at.fds, DecInt::from_fd(&seen), flags, Mode::empty()).expect("it is there still");
}

fn open_and_look(at: &Place, name: &str) {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    look(openat2(&at.dir, name, flags, Mode::empty(), BENEATH).expect("it is there"));
}

const NEW: OFlags = OFlags::WRONLY.union(OFlags::CREATE).union(OFlags::EXCL);

fn new(name: &str) -> String {
    format!("new-{name}")
}

fn create_confined(at: &Place, name: &str) {
    let mode = Mode::from_raw_mode(0o644);
    openat2(&at.dir, new(name), NEW | OFlags::NOFOLLOW, mode, BENEATH).expect("it is new");
}

fn create_plain(at: &Place, name: &str) {
    openat(CWD, at.path.join(new(name)), NEW, Mode::from_raw_mode(0o644)).expect("it is new");
}

fn unlink_confined(at: &Place, name: &str) {
    unlinkat(&at.dir, new(name), AtFlags::empty()).expect("it is there");
}

fn unlink_plain(at: &Place, name: &str) {
    unlink(at.path.join(new(name))).expect("it is there");
}
