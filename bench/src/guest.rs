//! What file operations cost a guest on the memory tree and on a host directory, beside the same C source compiled natively.

use crate::confined;
use crate::process::{guest, taskfs, tmpfs};
use crate::report::{Report, median};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const ROUNDS: usize = 7;

/// Guests' threads are so much less favoured than others (nice(2)): the native program is to have no more of the machine.
const NICENESS: &str = "5";

/// What a guest on a host directory may take of what a native program takes there.
const NATIVE: f64 = 1.2;

pub fn run(report: &mut Report) {
    let tmpfs = tmpfs();
    report.section("A guest's file operations on the memory tree, beside native C on tmpfs");
    let memory = pair(report, "fsops", 1e-9, &[], "/tmp", tmpfs.path(), 1.0);
    report.section("1000 files of 1 KiB in a guest, beside native C on tmpfs: each step over all files");
    pair(report, "smallfiles", 1e-3, &[], "/tmp", tmpfs.path(), 1.0);
    // The temporary directory is on a disk, as a rule.
    let disk = tempfile::tempdir().expect("a temporary directory");
    for (name, dir) in [("tmpfs", tmpfs.path()), ("a disk", disk.path())] {
        let bind = format!("{}:/host", dir.display());
        let options = ["--bind", &bind];
        report.section(&format!(
            "A guest's file operations on a host directory, beside native C there: {name}"
        ));
        let host = pair(report, "fsops", 1e-9, &options, "/host", dir, NATIVE);
        report.section(&format!("1000 files of 1 KiB on a host directory, beside native C there: {name}"));
        pair(report, "smallfiles", 1e-3, &options, "/host", dir, NATIVE);
        report.section(&format!(
            "The same calls natively, confined and with a second thread, beside plain ones: {name}"
        ));
        let kernel = confined::run(report, dir);
        report.section(&format!(
            "The kernel's part of each, and what else a guest's call takes at least: {name}"
        ));
        least(report, &memory, &host, &kernel);
    }
}

/// What a call on a host directory would take if this server did nothing there: the kernel's part, and of a call on a descriptor
/// the crossing from WebAssembly, which is about the memory tree's fstat; of one by path all that the memory tree takes for it, of
/// which most is the guest's own and the way to the name.
fn least(report: &mut Report, memory: &[Pair], host: &[Pair], kernel: &[(&str, Duration)]) {
    let of = |name: &str| memory.iter().find(|pair| pair.name == name).expect("the same program").ours;
    for Pair { name, native, .. } in host {
        // An open is of a file that was opened a moment ago.
        let Some((_, kernel)) = kernel.iter().find(|(row, _)| row.split(',').next() == Some(name)) else {
            continue;
        };
        let rest = if matches!(&**name, "pread_4k" | "pwrite_4k") { of("fstat") } else { of(name) };
        report.beat(name, *kernel + rest, "native", *native, NATIVE);
    }
}

/// What one operation took.
struct Pair {
    name: String,
    ours: Duration,
    native: Duration,
}

/// Runs both in turn, so that what the machine does besides falls on both: the guest on `dir` of its namespace, the
/// native program on `beside`.
fn pair(
    report: &mut Report,
    program: &str,
    unit: f64,
    options: &[&str],
    dir: &str,
    beside: &Path,
    goal: f64,
) -> Vec<Pair> {
    let (mut ours, mut native) = (Figures::new(), Figures::new());
    for _ in 0..ROUNDS {
        let mut run = taskfs();
        run.arg("run").args(options).arg(guest(&format!("{program}.wasm"))).arg(dir);
        read(&mut run, unit, &mut ours);
        let mut alone = Command::new("nice");
        alone.args(["-n", NICENESS]).arg(guest("native").join(program)).arg(beside);
        read(&mut alone, unit, &mut native);
    }
    let ours_has_total = ours.iter().any(|(name, _)| name == "total");
    let mut pairs = Vec::new();
    for ((name, ours), (same, native)) in ours.into_iter().zip(&native) {
        assert_eq!(name, *same, "one source");
        let (ours, native) = (median(&ours), median(native));
        // What is promised of a program with several steps is their sum.
        if ours_has_total && name != "total" {
            report.beside(&name, ours, "native", native);
        } else {
            report.beat(&name, ours, "native", native, goal);
        }
        pairs.push(Pair { name, ours, native });
    }
    pairs
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
