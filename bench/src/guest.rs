//! What file operations cost a guest on the memory tree, beside the same C source compiled natively on tmpfs.

use crate::process::{guest, taskfs, tmpfs};
use crate::report::{Report, median};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const ROUNDS: usize = 7;

pub fn run(report: &mut Report) {
    let tmpfs = tmpfs();
    report.section("A guest's file operations on the memory tree, beside native C on tmpfs");
    pair(report, "fsops", 1e-9, tmpfs.path());
    report.section("1000 files of 1 KiB in a guest, beside native C on tmpfs: each step over all files");
    pair(report, "smallfiles", 1e-3, tmpfs.path());
}

/// Runs both in turn, so that what the machine does besides falls on both.
fn pair(report: &mut Report, program: &str, unit: f64, tmpfs: &Path) {
    let (mut ours, mut native) = (Figures::new(), Figures::new());
    for _ in 0..ROUNDS {
        read(taskfs().arg("run").arg(guest(&format!("{program}.wasm"))).arg("/tmp"), unit, &mut ours);
        read(Command::new(guest("native").join(program)).arg(tmpfs), unit, &mut native);
    }
    let ours_has_total = ours.iter().any(|(name, _)| name == "total");
    for ((name, ours), (same, native)) in ours.iter().zip(&native) {
        assert_eq!(name, same, "one source");
        // What is promised of a program with several steps is their sum.
        let step = ours_has_total && name != "total";
        let row = if step { Report::beside } else { Report::beat };
        row(report, name, median(ours), "native", median(native));
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
