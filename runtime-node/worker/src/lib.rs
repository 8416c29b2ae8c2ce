//! The worker: one Node program behind a wall, all of whose files, children and network are a 9P server's.
//!
//! The server starts it with a socket and nothing else. It warms up, says so, waits for a task, runs it, and is thrown away.
//! Two executables share this library: `taskfs-node-seed` prepares at build time what `taskfs-node` starts from.

mod clock;
mod control;
mod engine;
mod files;
mod link;
mod modules;
mod ops;
mod signals;
mod status;

pub use engine::{Seed, write_seed};

use control::{Control, Exit};
use link::{Link, TASK};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

/// What `taskfs-node` does.
pub fn main(seed: Seed) {
    clock::start();
    let socket = match std::env::args().nth(1).as_deref() {
        None => wall::enter(),
        // For who trusts the programs, and for the tests of this crate.
        Some("--no-wall") => std::io::stdin().as_fd().try_clone_to_owned(),
        Some("--version") => return println!("{}", version()),
        Some(_) => {
            eprintln!(
                "usage: taskfs-node [--no-wall], its standard input a socket of a taskfs server\n       taskfs-node --version"
            );
            std::process::exit(status::USAGE);
        }
    };
    let socket = match socket {
        Ok(socket) => socket,
        Err(e) => fail("wall", &e),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(e) => fail("runtime", &e),
    };
    let local = tokio::task::LocalSet::new();
    if let Err(e) = local.block_on(&runtime, work(socket, seed)) {
        fail("worker", &e);
    }
}

fn fail(what: &str, error: &io::Error) -> ! {
    eprintln!("taskfs-node: {what}: {error}");
    std::process::exit(status::BOOT);
}

/// Its own name, the engine's and Node's.
fn version() -> String {
    let engine = if cfg!(feature = "quickjs") { "quickjs" } else { "v8" };
    format!(
        "taskfs-node {} {engine} {} (node {})",
        env!("CARGO_PKG_VERSION"),
        deno_core::v8::VERSION_STRING,
        deno_node::NODE_VERSION
    )
}

async fn work(socket: OwnedFd, seed: Seed) -> io::Result<()> {
    // TLS asks for the process's one choice of cryptography.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let link = Link::connect(socket)?;
    let control = Control::attach(&link)?;
    let warm = engine::Warm::new(seed);
    let spec = Arc::new(control.wait_for_task()?);
    link::now(link.ask(&Link::attach(TASK, "worker", "")))?.done()?;
    for (name, value) in &spec.env {
        if !name.is_empty() && !name.contains(['=', '\0']) && !value.contains('\0') {
            // SAFETY: the engine's own threads do not look at the environment, and there are no others yet.
            unsafe { std::env::set_var(name, value) };
        }
    }
    let tree = files::Tree::new(link.clone());
    tree.set_cwd(spec.cwd.clone().into());
    tree.umask(Some(spec.umask));
    let stdio = [control.stdio(0)?, control.stdio(1)?, control.stdio(2)?];
    let main = match engine::main_module(&tree, &spec) {
        Ok(main) => main,
        Err(e) => {
            let program = spec.program.clone().unwrap_or_default();
            control.exit(Exit { code: Some(1), message: Some(format!("{program}: {e}")), ..Exit::default() })
        }
    };
    let desk = signals::Desk::open(&control, &link)?;
    tokio::task::spawn_local(link.clone().drive());
    let task = ops::Task { spec, control: control.clone(), desk, main };
    let exit = engine::run(warm, tree, task, stdio).await;
    control.exit(exit)
}
