//! What file operations cost a guest on the memory tree, beside the same C source compiled natively on tmpfs.

use crate::report::Report;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

const ROUNDS: usize = 5;

pub fn guests() -> PathBuf {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("bench/ is in the checkout");
    std::env::var_os("TASKFS_GUESTS").map_or_else(|| top.join("build/guests"), PathBuf::from)
}

/// The binary beside this one.
pub fn taskfs() -> PathBuf {
    let me = std::env::current_exe().expect("a running program has a path");
    std::env::var_os("TASKFS").map_or_else(|| me.with_file_name("taskfs"), PathBuf::from)
}

pub fn run(report: &mut Report) {
    let tmpfs = tempfile::tempdir_in("/dev/shm").expect("a directory on tmpfs");
    report.section("A guest's file operations on the memory tree, beside native C on tmpfs");
    pair(report, "fsops", tmpfs.path());
    report.section("1000 files of 1 KiB: write, read, stat, unlink");
    pair(report, "smallfiles", tmpfs.path());
}

fn pair(report: &mut Report, program: &str, tmpfs: &Path) {
    let (mut ours, mut native): (Figures, Figures) = Default::default();
    for _ in 0..ROUNDS {
        let mut guest = Command::new(taskfs());
        guest.arg("run").arg(guests().join(format!("{program}.wasm"))).arg("/tmp");
        read(&mut guest, &mut ours);
        let mut other = Command::new(guests().join("native").join(program));
        read(other.arg(tmpfs), &mut native);
    }
    for (name, times) in ours {
        let peer = native.remove(&name).expect("both print the same names");
        report.compare(&name, crate::report::median(times), "native", crate::report::median(peer), "≤ 1");
    }
}

type Figures = BTreeMap<String, Vec<Duration>>;

/// Lines of `name nanoseconds`.
fn read(command: &mut Command, into: &mut Figures) {
    let output = command.stderr(Stdio::inherit()).output().expect("the program starts");
    assert!(output.status.success(), "{command:?}: {}", output.status);
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let (name, value) = line.split_once(' ').expect("name value");
        let nanos: f64 = value.trim().parse().expect("a number");
        into.entry(name.to_owned()).or_default().push(Duration::from_secs_f64(nanos / 1e9));
    }
}
