//! What starting a WASI program costs: never seen before, from the cache on disk, and warm.
//!
//! `cargo run --release -p runtime-wasi --example wasi_speed PROGRAM.wasm [ARG…]` prints the three figures; with `--run` in
//! front of the program it runs it once in a memory tree, its output as ours, and prints how long it took and what it used.
//! `--sleepers N` starts N of them, and prints what each takes of memory and mappings. With ROOT in the environment, that
//! directory's entries are bound into the tree (an interpreter's library).

use std::sync::Arc;
use std::time::{Duration, Instant};

use runtime_wasi::{Config, WasiRuntime};
use task::{Exit, Limits, Running, Runtime, Start, Trace, Usage};
use vfs::host::HostTree;
use vfs::mem::MemTree;
use vfs::{BindFlags, Caller, FileRef, Follow, Mode, Name, Namespace, OpenFlags, Place, Result, TaskId};

struct Bench {
    runtime: WasiRuntime,
    ns: Namespace,
    who: Caller,
    program: Place,
    stdio: [FileRef; 3],
    argv: Vec<Vec<u8>>,
}

impl Bench {
    async fn new(config: Config, program: &[u8], name: &str, argv: Vec<Vec<u8>>) -> Result<Bench> {
        let (who, ns) = (Caller::me(), Namespace::new(MemTree::new().root(), "mem"));
        let root = ns.root();
        root.mkdir(&who, Name::new(b"tmp")?, Mode::new(0o777)).await?;
        put(&root, &who, name.as_bytes(), program).await?;
        let out = put(&root, &who, b"out", b"").await?;
        let input = put(&root, &who, b"in", b"").await?;
        let program = root.resolve(&who, name.as_bytes(), Follow::Yes).await?;
        if let Some(dir) = std::env::var_os("ROOT") {
            let spec = format!("host:{}", dir.display());
            ns.mount(HostTree::open(std::path::Path::new(&dir))?.root(), &spec, &root, BindFlags::AFTER)?;
        }
        let runtime = WasiRuntime::new(config)?;
        Ok(Bench { runtime, ns, who, program, stdio: [input, out.clone(), out], argv })
    }

    async fn start(&self) -> Result<(Arc<dyn Running>, Arc<Usage>)> {
        let usage = Arc::new(Usage::default());
        let start = Start {
            id: TaskId(1),
            ppid: None,
            program: self.program.clone(),
            argv: self.argv.clone(),
            env: Vec::new(),
            ns: self.ns.clone(),
            cwd: self.ns.root(),
            who: self.who.clone(),
            stdio: self.stdio.clone(),
            caps: Arc::default(),
            limits: Limits::default(),
            usage: usage.clone(),
            trace: Trace::default(),
            group: None,
            table: std::sync::Weak::new(),
        };
        Ok((self.runtime.start(start).await?, usage))
    }

    async fn once(&self) -> Result<(Exit, Duration)> {
        let began = Instant::now();
        let exit = self.start().await?.0.wait().await;
        Ok((exit, began.elapsed()))
    }

    async fn output(&self) -> Result<Vec<u8>> {
        let file = &self.stdio[1];
        let mut bytes = vec![0; file.node().stat().await?.size as usize];
        file.read(0, &mut bytes).await?;
        Ok(bytes)
    }
}

async fn put(root: &Place, who: &Caller, name: &[u8], bytes: &[u8]) -> Result<FileRef> {
    let flags = OpenFlags::READ | OpenFlags::WRITE;
    let made = root.create(who, Name::new(name)?, Mode::new(0o755), flags).await?;
    let mut at = 0;
    while at < bytes.len() {
        at += made.file.write(at as u64, &bytes[at..]).await?;
    }
    Ok(made.file)
}

fn micros(d: Duration) -> String {
    format!("{:.1} us", d.as_nanos() as f64 / 1000.0)
}

async fn starts(program: &[u8], name: &str, argv: Vec<Vec<u8>>) -> Result<()> {
    let dir = std::env::temp_dir().join(format!("wasi-speed-{}", std::process::id()));
    let config = || Config { cache_dir: Some(dir.clone()), ..Config::default() };
    let cold = Bench::new(config(), program, name, argv.clone()).await?;
    let (exit, took) = cold.once().await?;
    println!("never seen  {:>12}  {exit:?}", micros(took));
    let mut best = Duration::MAX;
    for _ in 0..5 {
        let cached = Bench::new(config(), program, name, argv.clone()).await?;
        best = best.min(cached.once().await?.1);
    }
    println!("from disk   {:>12}", micros(best));
    let mut all = Vec::new();
    for _ in 0..2000 {
        all.push(cold.once().await?.1);
    }
    all.sort();
    println!("warm        {:>12}  median; fastest {}", micros(all[1000]), micros(all[0]));
    std::fs::remove_dir_all(dir)?;
    Ok(())
}

async fn run(program: &[u8], name: &str, argv: Vec<Vec<u8>>) -> Result<()> {
    let bench = Bench::new(Config::default(), program, name, argv).await?;
    let began = Instant::now();
    let (running, usage) = bench.start().await?;
    let exit = running.wait().await;
    println!("{}", String::from_utf8_lossy(&bench.output().await?));
    println!("{exit:?} in {:?}\n{usage:?}", began.elapsed());
    Ok(())
}

/// A line of /proc/self/status, in KiB.
fn status(key: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default();
    line.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(0)
}

fn maps() -> usize {
    std::fs::read_to_string("/proc/self/maps").unwrap_or_default().lines().count()
}

async fn sleepers(count: usize, program: &[u8], name: &str, argv: Vec<Vec<u8>>) -> Result<()> {
    let bench = Bench::new(Config::default(), program, name, argv).await?;
    bench.start().await?.0.kill(Exit::success());
    tokio::time::sleep(Duration::from_millis(300)).await;
    let (rss, mappings, began) = (status("VmRSS:"), maps(), Instant::now());
    let mut all = Vec::with_capacity(count);
    for n in 0..count {
        match bench.start().await {
            Ok((running, _)) => all.push(running),
            Err(error) => {
                println!("{n} started, then: {error}");
                break;
            }
        }
    }
    println!("{} started in {:?}", all.len(), began.elapsed());
    tokio::time::sleep(Duration::from_secs(2)).await;
    let each = all.len().max(1);
    let (more, mapped) = (status("VmRSS:").saturating_sub(rss), maps().saturating_sub(mappings));
    println!(
        "each {} KiB, {:.2} mappings; all {} MiB",
        more as usize / each,
        mapped as f64 / each as f64,
        more >> 10
    );
    let began = Instant::now();
    all.iter().for_each(|running| running.kill(Exit::success()));
    for running in &all {
        running.wait().await;
    }
    println!("all killed in {:?}", began.elapsed());
    Ok(())
}

#[tokio::main]
async fn main() -> Result<()> {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let mode = match args.first().map(String::as_str) {
        Some("--run") => args.remove(0),
        Some("--sleepers") => {
            args.remove(0);
            if args.is_empty() { String::new() } else { args.remove(0) }
        }
        _ => String::new(),
    };
    let Some(path) = args.first() else {
        println!("usage: wasi_speed [--run | --sleepers N] PROGRAM [ARG...]");
        return Ok(());
    };
    let program = std::fs::read(path)?;
    let name = if path.ends_with(".wat") { "program.wat" } else { "program.wasm" };
    let argv: Vec<Vec<u8>> = args.iter().map(|arg| arg.clone().into_bytes()).collect();
    match mode.as_str() {
        "" => starts(&program, name, argv).await,
        "--run" => run(&program, name, argv).await,
        count => sleepers(count.parse().unwrap_or(1000), &program, name, argv).await,
    }
}
