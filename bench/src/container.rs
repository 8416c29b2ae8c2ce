//! Containers: `npm install` in one beside npm in Node, from what each has kept; a Node program's first output; forks of many
//! files; and what many of them take.

use crate::ninep::attach;
use crate::node::{Whose, pss};
use crate::process::{Server, there_is};
use crate::report::{Report, median};
use crate::task::write;
use nine::client::{ClientError, Fid};
use nine::wire::{Dialect, Mode, OpenFlags};
use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

const RUNS: usize = 5;
const STARTS: usize = 20;
/// Files of the container that is forked, and of each of its directories.
const FILES: usize = 50_000;
const FILES_OF_DIR: usize = 500;
const MANY: usize = 100;
const MIB: f64 = 1024.0 * 1024.0;
const IDLE: &str = "spawn node -e 'require(\"http\").createServer().listen(3000)'";
const MANIFEST: &str = r#"{"name":"app","version":"1.0.0","dependencies":{"express":"^5"}}"#;

pub fn run(report: &mut Report) {
    report.section("Containers");
    let worker =
        std::env::current_exe().expect("a running program has a path").with_file_name("taskfs-node-v8");
    if !worker.exists() || !there_is("npm") {
        report.note("all of it", "not run: V8 was not built, or there is no npm");
        return;
    }
    let worker = worker.to_str().expect("a UTF-8 path");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    install(report, &runtime, worker);
    let server = Server::start(&["--node", worker]);
    runtime.block_on(starts_and_forks(report, &server)).expect("the server answers");
    let server = Server::start(&["--node", worker, "--node-pool", "0"]);
    runtime.block_on(many(report, &server)).expect("the server answers");
}

/// A new container, with a project in it.
async fn container(root: &Fid) -> Result<String, ClientError> {
    let id = root.read_file(["web", "container", "new"]).await?;
    let dir = format!("/web/container/{}", String::from_utf8_lossy(&id).trim());
    for line in ["env HOME=/home", "cap spawn"] {
        write(root, &format!("{dir}/ctl"), line).await?;
    }
    put(root, &format!("{dir}/mount/home"), "package.json", MANIFEST.as_bytes()).await?;
    write(root, &format!("{dir}/ctl"), "cwd /home").await?;
    Ok(dir)
}

async fn put(root: &Fid, dir: &str, name: &str, data: &[u8]) -> Result<(), ClientError> {
    let mut file = root.walk(dir.split('/').skip(1)).await?;
    file.create(name.as_bytes(), OpenFlags::WRONLY, Mode(0o644)).await?;
    file.write_all(0, data).await?;
    file.clunk().await
}

/// Runs a command line in a container to its end, and gives what it printed.
async fn done(root: &Fid, dir: &str, line: &str) -> Result<String, ClientError> {
    let path = format!("{dir}/processes/new");
    let id = root.read_file(path.split('/').skip(1)).await?;
    let process = format!("{dir}/processes/{}", String::from_utf8_lossy(&id).trim());
    write(root, &format!("{process}/cmd"), line).await?;
    write(root, &format!("{process}/ctl"), "start").await?;
    let said = |name: &str| {
        let path = format!("{process}/{name}");
        async move { root.read_file(path.split('/').skip(1)).await }
    };
    let end = said("wait").await?;
    assert!(end.ends_with(b"''\n"), "{line}: {}", String::from_utf8_lossy(&said("stdio/2").await?));
    Ok(String::from_utf8_lossy(&said("stdio/1").await?).into_owned())
}

/// In turn, each from what it has kept: the server's mirror and a container whose npm has nothing; npm in Node and its own cache.
fn install(report: &mut Report, runtime: &Runtime, worker: &str) {
    let setting = |name: &str| {
        let output = Command::new("npm").args(["config", "get", name]).output().ok()?;
        let said = String::from_utf8(output.stdout).ok()?.trim().to_owned();
        (!matches!(said.as_str(), "" | "null" | "undefined")).then_some(said)
    };
    let mut args = vec!["--node".to_owned(), worker.to_owned(), "--npm-cache".into(), "{dir}/npm".into()];
    for (option, name) in
        [("--npm-registry", "registry"), ("--npm-ca", "cafile"), ("--npm-proxy", "https-proxy")]
    {
        args.extend(setting(name).map(|value| [option.to_owned(), value]).into_iter().flatten());
    }
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let server = Server::start(&args);
    let root = runtime.block_on(attach(&server.unix(), Dialect::P9P2000L, "/")).expect("the server answers");
    let ours = |line: &str, files: &[(&str, &[u8])], by_npm: bool| {
        let dir = runtime.block_on(container(&root)).expect("a container");
        for (name, data) in files {
            runtime.block_on(put(&root, &format!("{dir}/mount/home"), name, data)).expect("a file");
        }
        if by_npm {
            runtime.block_on(write(&root, &format!("{dir}/ctl"), "env TASKFS_NPM_CLI=1")).expect("a setting");
        }
        let began = Instant::now();
        runtime.block_on(done(&root, &dir, line)).expect("it installs");
        let took = began.elapsed();
        let path = format!("{dir}/mount/home/package-lock.json");
        let lock = runtime.block_on(root.read_file(path.split('/').skip(1))).expect("a lock file");
        runtime.block_on(write(&root, &format!("{dir}/ctl"), "destroy")).expect("it goes");
        (took, lock)
    };
    let kept = tempfile::tempdir().expect("a directory");
    let theirs = |more: &[&str]| {
        let dir = tempfile::tempdir().expect("a directory");
        fs::write(dir.path().join("package.json"), MANIFEST).expect("a file");
        let cache = format!("--cache={}", kept.path().display());
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-audit", "--no-fund", "--ignore-scripts", &cache]).args(more);
        let began = Instant::now();
        let status = npm.current_dir(dir.path()).stdout(Stdio::null()).stderr(Stdio::null()).status();
        let took = began.elapsed();
        status.is_ok_and(|status| status.success()).then_some(took)
    };
    let Some(cold) = theirs(&[]) else {
        report.note("npm install", "not run: npm reaches no registry");
        return;
    };
    let (took, lock) = ours("npm install", &[], false);
    report.beat("npm install of express, nothing kept", took, "npm", cold, 1.5);
    let lock: &[(&str, &[u8])] = &[("package-lock.json", &lock)];
    let [mut here, mut by_lock, mut by_npm, mut there] = [const { Vec::new() }; 4];
    for _ in 0..RUNS {
        here.push(ours("npm install", &[], false).0);
        by_lock.push(ours("npm ci", lock, false).0);
        by_npm.push(ours("npm install", &[], true).0);
        there.push(theirs(&["--prefer-offline"]).expect("npm installs again"));
    }
    let what = "npm install of express, all of it kept";
    report.beat(what, median(&here), "npm --prefer-offline", median(&there), 1.0);
    report.within("the same", median(&here), Duration::from_secs(1));
    report.within("npm ci of it", median(&by_lock), Duration::from_secs(1));
    report.beat(
        "the same install by npm itself, in a container",
        median(&by_npm),
        "npm",
        median(&there),
        1.0,
    );
}

async fn starts_and_forks(report: &mut Report, server: &Server) -> Result<(), ClientError> {
    let root = attach(&server.unix(), Dialect::P9P2000L, "/").await?;
    let mut starts = Vec::new();
    for _ in 0..STARTS {
        // The pool makes its next worker meanwhile.
        tokio::time::sleep(Duration::from_millis(300)).await;
        let began = Instant::now();
        let dir = container(&root).await?;
        assert_eq!(done(&root, &dir, "node -p 6*7").await?, "42\n");
        starts.push(began.elapsed());
        write(&root, &format!("{dir}/ctl"), "destroy").await?;
    }
    let wanted = Duration::from_millis(50);
    report.within(
        "new container to the output and end of a Node program, warm pool",
        median(&starts),
        wanted,
    );

    let dir = container(&root).await?;
    for number in 0..FILES / FILES_OF_DIR {
        let (below, name) = (format!("{dir}/mount/home"), format!("d{number}"));
        let parent = root.walk(below.split('/').skip(1)).await?;
        parent.mkdir(name.as_bytes(), Mode(0o755)).await?;
        for file in 0..FILES_OF_DIR {
            put(&root, &format!("{below}/{name}"), &format!("f{file}"), b"content\n").await?;
        }
    }
    let (mut forks, mut ends) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let path = format!("{dir}/fork");
        let began = Instant::now();
        let id = root.read_file(path.split('/').skip(1)).await?;
        forks.push(began.elapsed());
        let fork = format!("/web/container/{}", String::from_utf8_lossy(&id).trim());
        put(&root, &format!("{fork}/mount/home/d0"), "new", b"of the fork\n").await?;
        let began = Instant::now();
        write(&root, &format!("{fork}/ctl"), "destroy").await?;
        ends.push(began.elapsed());
    }
    let wanted = Duration::from_millis(20);
    report.within(&format!("fork of a container of {FILES} files"), median(&forks), wanted);
    report.within("destroying such a fork", median(&ends), wanted);
    let began = Instant::now();
    write(&root, &format!("{dir}/ctl"), "destroy").await?;
    report.within("destroying the one they are of", began.elapsed(), wanted);
    Ok(())
}

async fn many(report: &mut Report, server: &Server) -> Result<(), ClientError> {
    let root = attach(&server.unix(), Dialect::P9P2000L, "/").await?;
    let began = Instant::now();
    let mut all = Vec::new();
    for _ in 0..MANY {
        let dir = container(&root).await?;
        write(&root, &format!("{dir}/ctl"), IDLE).await?;
        all.push(dir);
    }
    for dir in &all {
        let ports = format!("{dir}/ports/3000/status");
        while root.read_file(ports.split('/').skip(1)).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    report.time(&format!("{MANY} containers at once, until a server listens in each"), began.elapsed());
    tokio::time::sleep(Duration::from_secs(2)).await;
    let each = (pss(server.pid(), Whose::Tasks) + pss(server.pid(), Whose::Parent)) as f64 / MANY as f64;
    report.limit("an idle container with a Node server in it, PSS of each", each / MIB, "MiB", 50.0);
    let server = server.memory() as f64 / MIB / MANY as f64;
    report.note("the server's own memory for each", &format!("{server:.1} MiB"));
    for dir in &all {
        write(&root, &format!("{dir}/ctl"), "destroy").await?;
    }
    Ok(())
}
