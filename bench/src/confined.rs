//! What of a guest's calls on a host directory is the kernel's part: the same system calls natively, confined as the server's are
//! (openat2(2) beneath a directory, nothing opened that was not looked at) and in a program of several threads, beside the plain
//! ones in a program of one. No guest's call can be had for less.

use crate::report::Report;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{AtFlags, CWD, Mode, OFlags, ResolveFlags, StatxFlags, openat, openat2, statx};
use rustix::path::DecInt;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};

const FILES: usize = 500;
const BATCHES: usize = 40;

struct Place {
    path: PathBuf,
    dir: OwnedFd,
    /// /proc/self/fd, through which what was looked at is opened.
    fds: OwnedFd,
    open: File,
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
        open: File::open(path.join(&names[0])).expect("it is there"),
        path,
    };
    let rows: [(&str, Call, Call); 4] = [
        ("pread_4k", pread, pread),
        ("fstat", |at, _| look(&at.open, ""), |at, _| assert!(at.open.metadata().is_ok())),
        (
            "stat",
            |at, name| look(&at.dir, name),
            |at, name| {
                assert!(std::fs::metadata(at.path.join(name)).is_ok());
            },
        ),
        ("open_close", look_and_open, |at, name| drop(File::open(at.path.join(name)).expect("a file"))),
    ];
    let plain = rows.map(|(_, _, plain)| fastest(&place, &names, plain));
    let (end, ended) = mpsc::channel::<()>();
    let confined = std::thread::scope(|scope| {
        // A second thread makes the kernel count each use of a descriptor.
        scope.spawn(move || ended.recv());
        let confined = rows.map(|(_, confined, _)| fastest(&place, &names, confined));
        drop(end);
        confined
    });
    for ((what, ..), (confined, plain)) in rows.iter().zip(confined.into_iter().zip(plain)) {
        report.beside(what, confined, "plain", plain);
    }
}

/// Of some batches, for each call.
fn fastest(place: &Place, names: &[String], call: Call) -> Duration {
    let batch = |_| {
        let began = Instant::now();
        names.iter().for_each(|name| call(place, name));
        began.elapsed() / FILES as u32
    };
    (0..BATCHES).map(batch).min().expect("there are some")
}

fn pread(at: &Place, _: &str) {
    at.open.read_exact_at(&mut [0; 4096], 0).expect("it is as long");
}

fn look(dir: impl AsFd, name: &str) {
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::EMPTY_PATH;
    statx(dir, name, flags, StatxFlags::BASIC_STATS | StatxFlags::BTIME).expect("a stat");
}

/// What the name means is looked at through a descriptor that opens nothing, and that very file is opened then: nobody can put a
/// device or a fifo in its place.
fn look_and_open(at: &Place, name: &str) {
    let beneath = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let seen = openat2(&at.dir, name, OFlags::PATH | OFlags::NOFOLLOW, Mode::empty(), beneath);
    let seen = seen.expect("it is there");
    look(&seen, "");
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
    openat(&at.fds, DecInt::from_fd(&seen), flags, Mode::empty()).expect("it is there still");
}
