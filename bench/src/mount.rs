//! How long a blocked reader takes to die on a FUSE mount. What the mount costs otherwise is in `fuse`.

use crate::process::{Server, bind_of};
use crate::report::{Report, median};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const KILLS: usize = 20;

pub fn run(report: &mut Report) {
    report.section("A `cat` that is blocked on a task's output, from the signal to its end");
    if !Path::new("/dev/fuse").exists() {
        return report.note("all of it", "not run: no /dev/fuse here");
    }
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mount = dir.path().to_str().expect("a UTF-8 path");
    let _server = Server::start(&["--mount", mount, "--bind", &bind_of("sleep.wasm")]);
    for (what, signal) in [("Ctrl-C", Signal::INT), ("kill -9", Signal::KILL)] {
        let times: Vec<_> = (0..KILLS).map(|_| killed(Path::new(mount), signal)).collect();
        let limit = Duration::from_millis(200);
        report.within(&format!("{what}, median of {KILLS}"), median(&times), limit);
        report.within(&format!("{what}, slowest"), *times.iter().max().expect("several"), limit);
    }
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
