//! What file operations cost a guest on the memory tree and on a host directory, beside the same C source compiled natively.

use crate::process::{guest, me, taskfs, tmpfs};
use crate::report::{Report, median};
use crate::{bare, confined};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const ROUNDS: usize = 7;

/// Guests' threads are so much less favoured than others (nice(2)): the native program is to have no more of the machine.
const NICENESS: &str = "5";

/// What a guest on a host directory may take of what a native program takes there.
const NATIVE: f64 = 1.2;

/// A program of examples/guests/c, and what its figures are in, in seconds.
type Program = (&'static str, f64);
const FSOPS: Program = ("fsops", 1e-9);
const SMALLFILES: Program = ("smallfiles", 1e-3);

pub fn run(report: &mut Report) {
    let tmpfs = tmpfs();
    let memory = |path: &Path| on_server(path, &[], "/tmp");
    report.section("A guest's file operations on the memory tree, beside native C on tmpfs");
    pair(report, FSOPS, memory, tmpfs.path(), 1.0);
    report.section("1000 files of 1 KiB in a guest, beside native C on tmpfs: each step over all files");
    pair(report, SMALLFILES, memory, tmpfs.path(), 1.0);
    // The temporary directory is on a disk, as a rule.
    let disk = tempfile::tempdir().expect("a temporary directory");
    for (name, dir) in [("tmpfs", tmpfs.path()), ("a disk", disk.path())] {
        let bind = format!("{}:/host", dir.display());
        let server = |path: &Path| on_server(path, &["--bind", &bind], "/host");
        let bare = |path: &Path| {
            let mut bare = as_little_favoured(me());
            bare.args([bare::BARE.as_ref(), path.as_os_str(), dir.as_os_str()]);
            bare
        };
        for (program, what) in [(FSOPS, "A guest's file operations"), (SMALLFILES, "1000 files of 1 KiB")] {
            report.section(&format!("{what} on a host directory, beside native C there: {name}"));
            pair(report, program, server, dir, NATIVE);
            report.section(&format!(
                "{what} with no server at all but its system calls, beside native C: {name}"
            ));
            pair(report, program, bare, dir, NATIVE);
        }
        report.section(&format!(
            "The same calls natively, confined and with a second thread, beside plain ones: {name}"
        ));
        confined::run(report, dir);
    }
}

fn on_server(program: &Path, options: &[&str], dir: &str) -> Command {
    let mut run = taskfs();
    run.arg("run").args(options).arg(program).arg(dir);
    run
}

fn as_little_favoured(command: Command) -> Command {
    let mut nice = Command::new("nice");
    nice.args(["-n", NICENESS]).arg(command.get_program()).args(command.get_args());
    nice
}

/// Runs both in turn, so that what the machine does besides falls on both: the guest as `ours` has it, the native program on
/// `beside`.
fn pair(
    report: &mut Report,
    (program, unit): Program,
    ours: impl Fn(&Path) -> Command,
    beside: &Path,
    goal: f64,
) {
    let (mut guest_took, mut native_took) = (Figures::new(), Figures::new());
    for _ in 0..ROUNDS {
        read(&mut ours(&guest(&format!("{program}.wasm"))), unit, &mut guest_took);
        let mut native = Command::new(guest("native").join(program));
        native.arg(beside);
        read(&mut as_little_favoured(native), unit, &mut native_took);
    }
    let has_total = guest_took.iter().any(|(name, _)| name == "total");
    for ((name, ours), (same, native)) in guest_took.into_iter().zip(&native_took) {
        assert_eq!(name, *same, "one source");
        let (ours, native) = (median(&ours), median(native));
        // What is promised of a program with several steps is their sum.
        if has_total && name != "total" {
            report.beside(&name, ours, "native", native);
        } else {
            report.beat(&name, ours, "native", native, goal);
        }
    }
}

/// In the order in which they were printed.
type Figures = Vec<(String, Vec<Duration>)>;

/// Lines of `name figure`, in units of `unit` seconds.
fn read(command: &mut Command, unit: f64, into: &mut Figures) {
    let output = command.stderr(Stdio::inherit()).output().expect("the program starts");
    assert!(output.status.success(), "{command:?}: {}", output.status);
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let (name, figure) = line.split_once(' ').expect("name figure");
        let time = Duration::from_secs_f64(figure.trim().parse::<f64>().expect("a number") * unit);
        match into.iter_mut().find(|(there, _)| there == name) {
            Some((_, times)) => times.push(time),
            None => into.push((name.to_owned(), vec![time])),
        }
    }
}
