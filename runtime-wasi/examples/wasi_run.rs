//! Runs one WASI program over a memory tree, and ends as it ends: for trying programs and conformance suites.
//!
//! `wasi_run [--copy DIR] [--env K=V]… [--cap CAP]… [--component] [--trace] PROGRAM [ARG…]`: with `--copy`, what is in DIR is
//! copied into the tree first; with `--component`, a preview 1 module is made a component that calls preview 2; with `--trace`, its calls are shown.

#[path = "../tests/host/component.rs"]
mod component;

use runtime_wasi::{Config, WasiRuntime};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use task::{Cap, Caps, Limits, Runtime, Start, Trace, Usage};
use vfs::mem::MemTree;
use vfs::{Caller, Errno, Error, FileRef, Mode, Name, Namespace, OpenFlags, Place, Result, TaskId};

async fn put(dir: &Place, who: &Caller, name: &[u8], bytes: &[u8]) -> Result<(Place, FileRef)> {
    let flags = OpenFlags::READ | OpenFlags::WRITE;
    let made = dir.create(who, Name::new(name)?, Mode::new(0o755), flags).await?;
    let mut at = 0;
    while at < bytes.len() {
        at += made.file.write(at as u64, &bytes[at..]).await?;
    }
    Ok((made.place, made.file))
}

async fn copy(from: &Path, to: &Place, who: &Caller) -> Result<()> {
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.as_encoded_bytes();
        if entry.file_type()?.is_dir() {
            let dir = to.mkdir(who, Name::new(name)?, Mode::new(0o755)).await?;
            Box::pin(copy(&entry.path(), &dir, who)).await?;
        } else {
            put(to, who, name, &std::fs::read(entry.path())?).await?;
        }
    }
    Ok(())
}

/// Everything in a file of the memory tree.
async fn content(file: &FileRef) -> Result<Vec<u8>> {
    let mut bytes = vec![0; file.node().stat().await?.size as usize];
    let n = file.read(0, &mut bytes).await?;
    bytes.truncate(n);
    Ok(bytes)
}

#[tokio::main]
async fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let who = Caller::me();
    let ns = Namespace::new(MemTree::new().root(), "mem");
    let mut env = Vec::new();
    let mut caps = Caps::fresh();
    let mut config = Config::default();
    let mut wrap = false;
    let trace = Trace::default();
    let usage = || {
        Error::new(
            Errno::EINVAL,
            "usage: wasi_run [--copy DIR] [--env K=V]... [--cap CAP]... [--cache DIR] [--component] [--trace] PROGRAM [ARG...]",
        )
    };
    let program = loop {
        match args.next().ok_or_else(usage)? {
            option if option == "--copy" => {
                copy(Path::new(&args.next().ok_or_else(usage)?), &ns.root(), &who).await?;
            }
            option if option == "--env" => {
                let pair = args.next().ok_or_else(usage)?;
                let (key, value) = pair.split_once('=').ok_or_else(usage)?;
                env.push((key.as_bytes().to_vec(), value.as_bytes().to_vec()));
            }
            option if option == "--cache" => config.cache_dir = Some(args.next().ok_or_else(usage)?.into()),
            option if option == "--cap" => {
                let line = args.next().ok_or_else(usage)?;
                let words: Vec<Vec<u8>> = line.split(' ').map(|word| word.as_bytes().to_vec()).collect();
                caps.grant(Cap::parse(&words)?);
            }
            option if option == "--component" => wrap = true,
            option if option == "--trace" => trace.listen(Some(Arc::new(|line| eprintln!("{line}")))),
            program => break program,
        }
    };
    // The program and its stdio are not among the files that it sees.
    let outside = Namespace::new(MemTree::new().root(), "mem").root();
    let name = Path::new(&program).file_name().map_or(&b"program"[..], |name| name.as_encoded_bytes());
    let mut bytes = std::fs::read(&program)?;
    if wrap {
        bytes =
            component::of_its_own(&bytes).map_err(|error| Error::new(Errno::ENOEXEC, error.to_string()))?;
    }
    let (place, _) = put(&outside, &who, name, &bytes).await?;
    let (_, stdin) = put(&outside, &who, b"stdin", b"").await?;
    let (_, stdout) = put(&outside, &who, b"stdout", b"").await?;
    let (_, stderr) = put(&outside, &who, b"stderr", b"").await?;
    let start = Start {
        id: TaskId(1),
        ppid: None,
        program: place,
        argv: std::iter::once(program).chain(args).map(String::into_bytes).collect(),
        env,
        cwd: ns.root(),
        ns,
        who,
        stdio: [stdin, stdout.clone(), stderr.clone()],
        caps: Arc::new(caps),
        limits: Limits::default(),
        usage: Arc::new(Usage::default()),
        trace,
        group: None,
        table: std::sync::Weak::new(),
    };
    let runtime = WasiRuntime::new(config)?;
    let exit = runtime.start(start).await?.wait().await;
    std::io::stdout().write_all(&content(&stdout).await?)?;
    std::io::stderr().write_all(&content(&stderr).await?)?;
    std::process::exit(exit.code);
}
