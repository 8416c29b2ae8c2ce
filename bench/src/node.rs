//! Node programs in tasks, beside `node` and `deno` where the machine has them, on each engine that was built.
//!
//! What a script of bench/node measures it measures itself, and prints as milliseconds: so both sides are asked the same.

use crate::ninep::attach;
use crate::process::{self, Server, taskfs, there_is, tmpfs};
use crate::report::{Goal, Report, median};
use crate::task::{end, read_in, task, tell, write};
use nine::client::{ClientError, Fid};
use nine::wire::Dialect;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const STARTS: usize = 30;
const COLD_STARTS: usize = 10;
const PROGRAMS: usize = 10;
/// Each script runs so often, on both sides in turn.
const RUNS: usize = 5;
const AT_ONCE: usize = 200;
/// The pool refills in this time.
const REFILL: Duration = Duration::from_millis(600);
/// A task that does nothing is asked for its memory so long after it has said something.
const AT_REST: Duration = Duration::from_secs(1);
const MIB: f64 = 1024.0 * 1024.0;

/// What an engine is to reach.
struct Engine {
    name: &'static str,
    warm: Duration,
    /// MiB of an idle task, shared pages counted once.
    idle: f64,
}

const ENGINES: [Engine; 2] = [
    Engine { name: "v8", warm: Duration::from_millis(25), idle: 50.0 },
    Engine { name: "quickjs", warm: Duration::from_millis(15), idle: 20.0 },
];

/// Scripts, what they do, and how much longer than Node's own they may take. An interpreter is not held to what a compiler does.
const SCRIPTS: [(&str, &str, f64, bool); 4] = [
    ("files.cjs", "1000 small files written, read, looked at and removed", 2.0, true),
    ("express.cjs", "loading express", 2.0, true),
    ("http.cjs", "2000 requests to a node:http server of its own", 2.0, true),
    ("compute.cjs", "computing: recursion, objects, strings, typed arrays, regular expressions", 1.5, false),
];

pub fn run(report: &mut Report) {
    let here = std::env::current_exe().expect("a running program has a path");
    for engine in ENGINES {
        let worker = here.with_file_name(format!("taskfs-node-{}", engine.name));
        report.section(&format!("Node programs on {}", engine.name));
        if !worker.exists() {
            report.note("all of it", "not run: this engine was not built");
            continue;
        }
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.expect("threads");
        runtime.block_on(tasks(report, &engine, &worker)).expect("the server answers");
        whole(report, &worker);
        let is_v8 = engine.name == "v8";
        for (script, what, goal, of_interpreters) in SCRIPTS {
            let goal = (is_v8 || of_interpreters).then_some(Goal::AtMost(goal));
            beside(report, &worker, script, what, &["node"], goal);
        }
        if is_v8 {
            // Of the same V8 where it is of the same version: `deno --version`.
            beside(
                report,
                &worker,
                "compute.cjs",
                "the same computing",
                &["deno", "run", "-A"],
                Some(Goal::AtMost(1.1)),
            );
        }
    }
}

/// The scripts, and what express is loaded from.
fn scripts() -> PathBuf {
    tests::top().join("bench/node")
}
fn packages() -> PathBuf {
    process::guest("").join("../node-packages/node_modules")
}

fn binds() -> [String; 2] {
    [format!("{}:/bench:ro", scripts().display()), format!("{}:/node_modules:ro", packages().display())]
}

async fn tasks(report: &mut Report, engine: &Engine, worker: &Path) -> Result<(), ClientError> {
    let worker = worker.to_str().expect("a UTF-8 path");
    let [bind, _] = binds();
    let server = Server::start(&["--node", worker, "--node-pool", "2", "--bind", &bind]);
    let root = attach(&server.unix(), Dialect::P9P2000U, "/").await?;
    let mut warm = Vec::new();
    for _ in 0..STARTS {
        tokio::time::sleep(REFILL).await;
        warm.push(first_output(&root).await?);
    }
    report.within("`start` to the first output, warm pool, median", median(&warm), engine.warm);

    let server = Server::start(&["--node", worker, "--node-pool", "0", "--bind", &bind]);
    let root = attach(&server.unix(), Dialect::P9P2000U, "/").await?;
    let mut cold = Vec::new();
    for _ in 0..COLD_STARTS {
        cold.push(first_output(&root).await?);
    }
    report.within("the same, pool empty", median(&cold), Duration::from_millis(150));

    let idle = task(&root, "/bench/idle.cjs").await?;
    assert_eq!(read_in(&root, &idle, "stdio/1").await?, "idle\n");
    tokio::time::sleep(AT_REST).await;
    let mib = |whose| pss(server.pid(), whose) as f64 / MIB;
    report.limit("one idle task, PSS", mib(Whose::Tasks), "MiB", engine.idle);
    if mib(Whose::Parent) > 0.0 {
        report.note(
            "what its worker was forked from, PSS beside it",
            &format!("{:.1} MiB", mib(Whose::Parent)),
        );
    }
    let began = Instant::now();
    let mut many = vec![idle];
    for _ in 1..AT_ONCE {
        many.push(task(&root, "/bench/idle.cjs").await?);
    }
    for task in &many {
        assert_eq!(read_in(&root, task, "stdio/1").await?, "idle\n");
    }
    report.time(&format!("{AT_ONCE} at once, until the last has said something"), began.elapsed());
    report.note(
        &format!("{AT_ONCE} at once, PSS of each"),
        &format!("{:.1} MiB", mib(Whose::Tasks) / AT_ONCE as f64),
    );
    for task in &many {
        end(&root, task).await?;
    }
    Ok(())
}

/// From `start` to what the script says first.
async fn first_output(root: &Fid) -> Result<Duration, ClientError> {
    let dir = crate::task::new(root).await?;
    write(root, &format!("{dir}/cmd"), "/bench/hello.cjs").await?;
    let began = Instant::now();
    tell(root, &dir, "start").await?;
    let said = read_in(root, &dir, "stdio/1").await?;
    let took = began.elapsed();
    assert_eq!(said, "hello\n");
    read_in(root, &dir, "wait").await?;
    tell(root, &dir, "remove").await?;
    Ok(took)
}

/// Whose memory is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    Tasks,
    /// What workers are forked from, where they are.
    Parent,
}

/// The memory of processes below `server`, shared pages divided among those that share them, in bytes.
pub fn pss(server: u32, whose: Whose) -> u64 {
    let parent = |pid: u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(1)?.parse::<u32>().ok()
    };
    let is_below =
        |pid: u32| std::iter::successors(parent(pid), |pid| parent(*pid)).any(|above| above == server);
    // A worker has its parent's command line; the parent is the server's child, as an init is, and the worker an init's.
    let is_parent = |pid: u32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let in_one_space = status
            .lines()
            .any(|line| line.starts_with("NSpid:") && line.split_ascii_whitespace().count() == 2);
        line.ends_with(b"\0--parent\0") && in_one_space
    };
    let of = |pid: u32| {
        let all = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
        let line = all.lines().find_map(|line| line.strip_prefix("Pss:"))?;
        line.trim().trim_end_matches(" kB").parse::<u64>().ok()
    };
    let processes = fs::read_dir("/proc").expect("/proc").flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let pids = pids.filter(|pid| is_below(*pid) && is_parent(*pid) == (whose == Whose::Parent));
    pids.filter_map(of).sum::<u64>() * 1024
}

/// Hello as a whole program, from nothing to its end.
fn whole(report: &mut Report, worker: &Path) {
    let hello = scripts().join("hello.cjs");
    let ours = || process::run(taskfs().args(["run", "--node"]).arg(worker).arg(&hello));
    let hello = hello.to_str().expect("a UTF-8 path");
    for (name, command) in [
        ("`node hello.cjs`", ["node", hello].as_slice()),
        ("`deno run hello.cjs`", &["deno", "run", "-A", hello]),
    ] {
        if !there_is(command[0]) {
            report.note(name, "not run: not on this machine");
            continue;
        }
        let (mut mine, mut other) = (Vec::new(), Vec::new());
        for _ in 0..PROGRAMS {
            mine.push(ours());
            other.push(process::run(Command::new(command[0]).args(&command[1..])));
        }
        report.beside(
            "`taskfs run hello.cjs`, a server and a worker for it alone",
            median(&mine),
            name,
            median(&other),
        );
    }
}

/// What `script` says it took, in a task and in another's hands on tmpfs.
fn beside(report: &mut Report, worker: &Path, script: &str, what: &str, peer: &[&str], goal: Option<Goal>) {
    if !there_is(peer[0]) {
        return report
            .note(what, &format!("not run: there is no {} on this machine to stand beside", peer[0]));
    }
    let dir = tmpfs();
    let folder = dir.path().join("bench");
    fs::create_dir(&folder).expect("a directory");
    fs::copy(scripts().join(script), folder.join(script)).expect("the script");
    std::os::unix::fs::symlink(packages(), dir.path().join("node_modules")).expect("a link");
    let [bench, modules] = binds();
    let (mut mine, mut other) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let mut run = taskfs();
        run.args(["run", "--node"]).arg(worker).args(["--bind", &bench, "--bind", &modules, "-C", "/tmp"]);
        mine.push(said(run.arg(format!("/bench/{script}"))));
        let mut run = Command::new(peer[0]);
        run.args(&peer[1..]).current_dir(dir.path()).arg(folder.join(script));
        other.push(said(&mut run));
    }
    report.times(what, median(&mine), peer[0], median(&other), goal);
}

/// Runs a script that prints its milliseconds.
fn said(command: &mut Command) -> Duration {
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output().expect("it starts");
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.lines().last().unwrap_or_default();
    let ms: f64 = last.parse().unwrap_or_else(|_| panic!("{command:?} said {text:?}"));
    Duration::from_secs_f64(ms / 1000.0)
}
