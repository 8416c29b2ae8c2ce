//! What file operations cost a guest on the memory tree and on a host directory, beside the same C source compiled natively.

use crate::component::{of_its_own, of_module};
use crate::process::{guest, me, taskfs, tmpfs};
use crate::report::{Report, median};
use crate::{bare, confined, peer};
use std::io::Write;
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
        for (program, what) in
            [(FSOPS, "A component's file operations"), (SMALLFILES, "1000 files of 1 KiB in a component")]
        {
            components(report, program, &format!("{what} on a host directory"), name, server, dir);
        }
        report.section(&format!(
            "The same calls natively, confined and with a second thread, beside plain ones: {name}"
        ));
        confined::run(report, dir);
    }
}

/// The same programs as components: as tools make them of modules, which are run as those, and calling preview 2, beside native
/// and beside wasmtime's own host.
fn components(
    report: &mut Report,
    (program, unit): Program,
    what: &str,
    name: &str,
    server: impl Fn(&Path) -> Command,
    dir: &Path,
) {
    let module = std::fs::read(guest(&format!("{program}.wasm"))).expect("a guest can be read");
    let [adapted, component] = [of_module, of_its_own].map(|made| {
        let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
        file.write_all(&made(&module).expect("a component")).expect("it can be written");
        file
    });
    let own = || {
        let mut own = as_little_favoured(me());
        own.args([peer::WASMTIME.as_ref(), component.path().as_os_str(), dir.as_os_str()]);
        own
    };
    let native = || as_little_favoured(native(program, dir));
    let took = in_turn(unit, [&|| server(adapted.path()), &|| server(component.path()), &own, &native]);
    report.section(&format!("{what} by an adapter, beside native C there: {name}"));
    beat(report, &took[0], "native", &took[3], NATIVE);
    report.section(&format!("{what} by preview 2, beside native C there: {name}"));
    beat(report, &took[1], "native", &took[3], NATIVE);
    report.section(&format!("{what} by preview 2, beside wasmtime's own host: {name}"));
    beat(report, &took[1], "wasmtime", &took[2], 1.0);
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

fn native(program: &str, dir: &Path) -> Command {
    let mut native = Command::new(guest("native").join(program));
    native.arg(dir);
    native
}

/// The guest as `ours` has it, and the native program on `beside`.
fn pair(
    report: &mut Report,
    (program, unit): Program,
    ours: impl Fn(&Path) -> Command,
    beside: &Path,
    goal: f64,
) {
    let module = guest(&format!("{program}.wasm"));
    let took = in_turn(unit, [&|| ours(&module), &|| as_little_favoured(native(program, beside))]);
    beat(report, &took[0], "native", &took[1], goal);
}

/// What each prints. They run in turn, so that what the machine does besides falls on all.
fn in_turn<const N: usize>(unit: f64, commands: [&dyn Fn() -> Command; N]) -> [Figures; N] {
    let mut took = [const { Figures::new() }; N];
    for _ in 0..ROUNDS {
        for (command, took) in commands.iter().zip(&mut took) {
            read(&mut command(), unit, took);
        }
    }
    took
}

fn beat(report: &mut Report, ours: &Figures, name_of_others: &str, others: &Figures, goal: f64) {
    let has_total = ours.iter().any(|(name, _)| name == "total");
    for ((name, ours), (same, others)) in ours.iter().zip(others) {
        assert_eq!(name, same, "one source");
        let (ours, others) = (median(ours), median(others));
        // What is promised of a program with several steps is their sum.
        if has_total && name != "total" {
            report.beside(name, ours, name_of_others, others);
        } else {
            report.beat(name, ours, name_of_others, others, goal);
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
