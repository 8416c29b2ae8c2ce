//! What it takes to run hello world: inside the server, through a mount, and as a whole program; beside what people run
//! programs with.

use crate::process::{self, Server, bind_of, guest, me, taskfs, there_is};
use crate::report::{Report, median};
use fs_server::world::{BindSpec, NodeSpec, RootSpec, World};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use vfs::{Caller, FileRef, Follow, OpenFlags};

/// The first argument that makes this program one start in a process of its own.
pub const ONCE: &str = "start-once";

const WARM: usize = 2000;
const THROUGH_FUSE: usize = 300;
const PROGRAMS: usize = 15;
const PROCESSES: usize = 7;

pub fn run(report: &mut Report) {
    report.section("Hello world, from `start` to the answer of `wait`, inside the server");
    let caches = tempfile::tempdir().expect("a temporary directory");
    let cache = caches.path().join("cache");
    let warm = in_process(&cache, WARM);
    report.within("warm (compiled in memory), median", median(&warm), Duration::from_micros(100));
    let in_a_new_process = |cache: &Path| {
        let output =
            me().arg(ONCE).arg(cache).stderr(Stdio::inherit()).output().expect("this program starts");
        Duration::from_nanos(String::from_utf8_lossy(&output.stdout).trim().parse().expect("nanoseconds"))
    };
    let cached: Vec<_> = (0..PROCESSES).map(|_| in_a_new_process(&cache)).collect();
    report.within("first of a server, compiled on disk", median(&cached), Duration::from_millis(5));
    let cold: Vec<_> = (0..PROCESSES).map(|n| in_a_new_process(&caches.path().join(n.to_string()))).collect();
    report.within("never compiled before", median(&cold), Duration::from_millis(300));

    report.section("Hello world with std::fs through a FUSE mount: new, cmd, start, wait, stdio/1");
    if Path::new("/dev/fuse").exists() {
        let times = through_fuse();
        report.within("warm, median", median(&times), Duration::from_millis(2));
        let worst = times.iter().max().expect("several");
        report.time("warm, slowest of all", *worst);
    } else {
        report.note("warm", "not run: no /dev/fuse here");
    }

    report.section("Hello world as a whole program, beside others");
    whole(report, &cache);
}

/// Makes tasks of hello, and times each from `start` to the answer of `wait`.
fn in_process(cache: &Path, count: usize) -> Vec<Duration> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("threads");
    let cache = cache.to_owned();
    runtime.block_on(async {
        // On a worker, as the server's own requests are: what runs on the main thread is woken from another.
        tokio::spawn(async move {
            let bind = BindSpec { src: guest("hello.wasm"), dst: "/bin/hello.wasm".into(), read_only: true };
            let node = NodeSpec::default();
            let world =
                World::new(&RootSpec::Mem, &[bind], Some(&cache), None, None, &node).await.expect("a server");
            let mut times = Vec::new();
            for _ in 0..count {
                times.push(once_in(&world).await);
            }
            world.stop().await;
            times
        })
        .await
        .expect("no panic")
    })
}

async fn once_in(world: &World) -> Duration {
    let id = read(&open(world, "/task/new", OpenFlags::READ).await).await;
    let dir = format!("/task/{}", id.trim());
    write(&open(world, &format!("{dir}/cmd"), OpenFlags::WRITE).await, "/bin/hello.wasm\n").await;
    let ctl = open(world, &format!("{dir}/ctl"), OpenFlags::WRITE).await;
    let wait = open(world, &format!("{dir}/wait"), OpenFlags::READ).await;
    let began = Instant::now();
    write(&ctl, "start\n").await;
    let end = read(&wait).await;
    let took = began.elapsed();
    assert!(end.ends_with("''\n"), "{end}");
    write(&ctl, "remove\n").await;
    took
}

async fn open(world: &World, path: &str, flags: OpenFlags) -> FileRef {
    let me = Caller::me();
    let place = world.ns.root().resolve(&me, path.as_bytes(), Follow::Yes).await.expect(path);
    place.open(&me, flags).await.expect(path)
}

async fn read(file: &FileRef) -> String {
    let mut buf = [0; 256];
    let count = file.read(0, &mut buf).await.expect("a device answers");
    String::from_utf8_lossy(&buf[..count]).into_owned()
}

async fn write(file: &FileRef, text: &str) {
    file.write(0, text.as_bytes()).await.expect(text);
}

/// One start in this process, for [`ONCE`]: prints its nanoseconds.
pub fn once(cache: &Path) {
    println!("{}", in_process(cache, 1)[0].as_nanos());
}

fn through_fuse() -> Vec<Duration> {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mount = dir.path().to_str().expect("a UTF-8 path");
    let _server = Server::start(&["--mount", mount, "--bind", &bind_of("hello.wasm")]);
    let hello = || -> std::io::Result<Duration> {
        let began = Instant::now();
        let id = fs::read_to_string(format!("{mount}/task/new"))?;
        let task = format!("{mount}/task/{}", id.trim());
        fs::write(format!("{task}/cmd"), "/bin/hello.wasm\n")?;
        fs::write(format!("{task}/ctl"), "start\n")?;
        let wait = fs::read_to_string(format!("{task}/wait"))?;
        let said = fs::read_to_string(format!("{task}/stdio/1"))?;
        let took = began.elapsed();
        assert!(wait.ends_with("''\n") && said.to_lowercase().starts_with("hello"), "{wait}{said}");
        fs::write(format!("{task}/ctl"), "remove\n")?;
        Ok(took)
    };
    // The first one compiles.
    (0..=THROUGH_FUSE).map(|_| hello().expect("the mount works")).skip(1).collect()
}

fn whole(report: &mut Report, cache: &Path) {
    let hello = guest("hello.wasm");
    let ours = || process::run(taskfs().arg("run").arg("--cache").arg(cache).arg(&hello));
    let what = "`taskfs run hello.wasm`, compiled on disk";
    let node: &[&str] = &["node", "-e", "console.log('hi')"];
    let wasmtime = hello.to_str().expect("a UTF-8 path");
    let others: [(&str, &[&str], &str); 3] = [
        ("`node -e 'console.log(\"hi\")'`", node, "node"),
        ("`bwrap --ro-bind / / true`", &["bwrap", "--ro-bind", "/", "/", "true"], "bubblewrap"),
        ("`wasmtime run -C cache=y hello.wasm`", &["wasmtime", "run", "-C", "cache=y", wasmtime], "wasmtime"),
    ];
    for (name, command, package) in others {
        if !there_is(command[0]) {
            let why = match package {
                "wasmtime" => "not on this machine (cargo install wasmtime-cli)",
                _ => "not on this machine",
            };
            report.note(name, &format!("not run: {why}"));
            continue;
        }
        let theirs = || {
            let mut other = Command::new(command[0]);
            other.args(&command[1..]);
            let tried = other.stdout(Stdio::null()).stderr(Stdio::null()).status();
            tried.is_ok_and(|status| status.success()).then(|| process::run(&mut other))
        };
        if theirs().is_none() {
            report.note(name, "not run: it fails on this machine");
            continue;
        }
        let (mut mine, mut other) = (Vec::new(), Vec::new());
        for _ in 0..PROGRAMS {
            mine.push(ours());
            other.extend(theirs());
        }
        report.beside(what, median(&mine), name, median(&other));
    }
}
