//! The memory tree through a FUSE mount, beside the kernel's own memory file system; and how long a blocked reader takes to
//! die. FUSE pays two context switches a request: the ratios here are for orientation.

use crate::process::{Server, bind_of, tmpfs};
use crate::report::{Report, median};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const ROUNDS: usize = 3;
const CALLS: usize = 2000;
const ENTRIES: usize = 5000;
const MIB: usize = 1 << 20;
const MIBS: usize = 64;
const KILLS: usize = 20;

pub fn run(report: &mut Report) {
    report.section("Through a FUSE mount, beside tmpfs");
    if !Path::new("/dev/fuse").exists() {
        return report.note("all of it", "not run: no /dev/fuse here");
    }
    let (dir, native) = (tempfile::tempdir().expect("a temporary directory"), tmpfs());
    let mount = dir.path().to_str().expect("a UTF-8 path");
    let _server = Server::start(&["--mount", mount, "--bind", &bind_of("sleep.wasm")]);
    let fuse = dir.path().join("tmp");

    type Measure = fn(&Path) -> Duration;
    let rows: [(&str, Measure); 6] = [
        ("open, read 4 KiB, close", open_read_close),
        ("stat", stat),
        ("create and close", create),
        ("`ls -l` of 5000", list),
        ("write of 64 MiB, 1 MiB at a time", write),
        ("read of them", read),
    ];
    for (what, measure) in rows {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            ours.push(measure(&fuse));
            theirs.push(measure(native.path()));
        }
        report.beside(what, median(&ours), "tmpfs", median(&theirs));
    }

    report.section("A `cat` that is blocked on a task's output, from the signal to its end");
    for (what, signal) in [("Ctrl-C", Signal::INT), ("kill -9", Signal::KILL)] {
        let times: Vec<_> = (0..KILLS).map(|_| killed(Path::new(mount), signal)).collect();
        let limit = Duration::from_millis(200);
        report.within(&format!("{what}, median of {KILLS}"), median(&times), limit);
        report.within(&format!("{what}, slowest"), *times.iter().max().expect("several"), limit);
    }
}

/// The mean of many.
fn each(count: usize, mut call: impl FnMut(usize) -> std::io::Result<()>) -> Duration {
    let began = Instant::now();
    for n in 0..count {
        call(n).expect("a file operation");
    }
    began.elapsed() / count as u32
}

fn open_read_close(dir: &Path) -> Duration {
    let file = dir.join("small");
    fs::write(&file, [7; 4096]).expect("a file");
    let mut buf = [0; 4096];
    each(CALLS, |_| File::open(&file)?.read_exact(&mut buf))
}

fn stat(dir: &Path) -> Duration {
    let file = dir.join("small");
    each(CALLS, |_| fs::metadata(&file).map(drop))
}

fn create(dir: &Path) -> Duration {
    let dir = tempfile::tempdir_in(dir).expect("a directory");
    each(CALLS, |n| File::create(dir.path().join(n.to_string())).map(drop))
}

fn list(dir: &Path) -> Duration {
    let list = dir.join("list");
    if fs::create_dir(&list).is_ok() {
        each(ENTRIES, |n| File::create(list.join(n.to_string())).map(drop));
    }
    crate::process::run(Command::new("ls").arg("-l").arg(&list))
}

fn write(dir: &Path) -> Duration {
    let data = vec![7; MIB];
    let mut file = File::create(dir.join("large")).expect("a file");
    each(MIBS, |_| file.write_all(&data)) * MIBS as u32
}

/// Opened for the first time since it was written: what the kernel kept is asked for again by its version.
fn read(dir: &Path) -> Duration {
    let mut data = vec![0; MIB];
    let mut file = File::open(dir.join("large")).expect("a file");
    each(MIBS, |_| file.read_exact(&mut data)) * MIBS as u32
}

/// From the signal to the end of a `cat` that waits for a sleeping task.
fn killed(mount: &Path, signal: Signal) -> Duration {
    let id = fs::read_to_string(mount.join("task/new")).expect("a task");
    let task = mount.join("task").join(id.trim());
    fs::write(task.join("cmd"), "/bin/sleep.wasm 3600\n").expect("cmd");
    fs::write(task.join("ctl"), "start\n").expect("start");
    let mut cat = Command::new("cat").arg(task.join("stdio/1")).stdout(Stdio::piped()).spawn().expect("cat");
    let mut said = [0; 9];
    cat.stdout.as_mut().expect("piped").read_exact(&mut said).expect("what the task says");
    // It has gone on to the read that blocks.
    std::thread::sleep(Duration::from_millis(20));
    assert!(cat.try_wait().expect("a child").is_none(), "cat is blocked");
    let began = Instant::now();
    kill_process(Pid::from_child(&cat), signal).expect("it runs");
    cat.wait().expect("a child");
    let took = began.elapsed();
    fs::write(task.join("ctl"), "kill\n").expect("kill");
    fs::read_to_string(task.join("wait")).expect("wait");
    fs::write(task.join("ctl"), "remove\n").expect("remove");
    took
}
