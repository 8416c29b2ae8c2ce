//! The worker: one Node program behind a wall, all of whose files, children and network are a 9P server's.
//!
//! The server starts it with a socket and nothing else. It warms up, says so, waits for a task, runs it, and is thrown away.
//! Two executables share this library: `taskfs-node-seed` prepares at build time what `taskfs-node` starts from.

mod clock;
mod command;
mod control;
mod engine;
mod files;
mod link;
mod log;
mod modules;
mod ops;
mod resident;
mod signals;
mod status;

pub use engine::{Seed, write_seed};

use command::{Command, Options, Program};
use control::{Control, Exit, Spec};
use engine::Main;
use link::{Link, TASK};
use nine::patience::Arrivals;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// By then a program has started, and most of what it goes on to do needs other code.
const STARTED: Duration = Duration::from_millis(300);

/// What `taskfs-node` does.
pub fn main(seed: Seed) {
    let mut warm = None;
    let socket = match std::env::args().nth(1).as_deref() {
        None => wall::enter_with_memory(),
        // An engine that begins without threads of its own can be forked when it is warm.
        Some("--parent") if cfg!(feature = "quickjs") => {
            warm = Some(warm_up(seed));
            wall::bear().and_then(|()| wall::enter_with_memory())
        }
        // For who trusts the programs, and for the tests of this crate.
        Some("--no-wall") => std::io::stdin().as_fd().try_clone_to_owned().map(|socket| (socket, None)),
        Some("--version") => return println!("{}", version()),
        Some(_) => {
            eprintln!(
                "usage: taskfs-node [--parent | --no-wall], its standard input a socket of a taskfs server\n       taskfs-node --version"
            );
            std::process::exit(status::USAGE);
        }
    };
    clock::start();
    let (socket, memory) = match socket {
        Ok(entered) => entered,
        Err(e) => fail("wall", &e),
    };
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().on_thread_park(signals::rests).on_thread_unpark(signals::goes_on);
    let runtime = match runtime.build() {
        Ok(runtime) => runtime,
        Err(e) => fail("runtime", &e),
    };
    let local = tokio::task::LocalSet::new();
    if let Err(e) = local.block_on(&runtime, work(socket, memory, || warm.unwrap_or_else(|| warm_up(seed)))) {
        fail("worker", &e);
    }
}

fn warm_up(seed: Seed) -> (engine::Shared, engine::Warm) {
    let shared = engine::Shared::new(seed);
    let warm = engine::Warm::new(&shared);
    resident::give_back();
    (shared, warm)
}

fn fail(what: &str, error: &io::Error) -> ! {
    crate::log::say(format_args!("{what}: {error}"));
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

async fn work(
    socket: OwnedFd,
    memory: Option<OwnedFd>,
    warm: impl FnOnce() -> (engine::Shared, engine::Warm),
) -> io::Result<()> {
    // TLS asks for the process's one choice of cryptography.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let link = Link::connect(socket, memory)?;
    let control = Control::attach(&link)?;
    let (shared, warm) = warm();
    let spec = Arc::new(control.wait_for_task()?);
    link::now(link.ask(&Link::attach(TASK, "worker", "")))?.done()?;
    for (name, value) in &spec.env {
        if !name.is_empty()
            && !name.contains(['=', '\0'])
            && !value.contains('\0')
            && ![ops::FD, ops::MODE].contains(&name.as_str())
        {
            // SAFETY: the engine's own threads do not look at the environment, and there are no others yet.
            unsafe { std::env::set_var(name, value) };
        }
    }
    let tree = files::Tree::new(link.clone());
    tree.set_cwd(spec.cwd.clone().into());
    tree.umask(Some(spec.umask));
    let stdio = [control.stdio(0)?, control.stdio(1)?, control.stdio(2)?];
    let started = match program(&spec, &tree, &stdio[0]) {
        Ok(found) => found,
        Err((code, message)) => {
            let said = format!("{}: {message}\n", ops::EXEC_PATH);
            let _ = link::now(stdio[2].write_from(0, said.as_bytes()));
            control.exit(Exit { code: Some(code), ..Exit::default() })
        }
    };
    let desk = signals::Desk::open(&control, &link)?;
    tokio::task::spawn_local(link.clone().drive());
    let arrivals = Rc::new(Arrivals::default());
    let later = arrivals.clone();
    tokio::task::spawn_local(async move {
        tokio::time::sleep(STARTED).await;
        resident::give_back();
        // Whoever goes on for longer talks to somebody, as servers do.
        later.look_for_more().await;
    });
    let (main, started) = started;
    let task = ops::Task { spec, control: control.clone(), desk, main, started, stdio, shared };
    // A task of its own: what keeps the runtime awake is no reason to poll it.
    let program = tokio::task::spawn_local(telling(arrivals, engine::run(warm, tree, task)));
    match program.await {
        Ok(exit) => control.exit(exit),
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// Says of each time that the program has something to do that something came.
async fn telling<T>(arrivals: Rc<Arrivals>, program: impl Future<Output = T>) -> T {
    let mut program = pin!(program);
    std::future::poll_fn(|cx| {
        arrivals.tell();
        program.as_mut().poll(cx)
    })
    .await
}

/// What the task is to run, and how it was called.
/// # Errors
/// The exit status, and why, in words.
fn program(
    spec: &Spec,
    tree: &files::Tree,
    stdin: &files::OpenFile,
) -> Result<(Main, ops::Started), (i32, String)> {
    let bad_option = |message| (status::BAD_OPTION, message);
    let node_options = spec.env.get("NODE_OPTIONS").map_or("", String::as_str);
    let command = match &spec.program {
        Some(script) => Command {
            program: Program::Script(script.clone()),
            args: spec.args.clone(),
            exec_argv: Vec::new(),
            options: Options::of_environment(node_options).map_err(bad_option)?,
        },
        None => {
            let at_terminal = spec.stdio.first().is_some_and(|kind| kind == "tty");
            Command::parse(&spec.args, node_options, at_terminal).map_err(bad_option)?
        }
    };
    let main = match command.program {
        Program::Script(path) => Main::file(tree, &path).map_err(|e| (1, format!("{path}: {e}")))?,
        Program::Text { text, show } => Main::Text { text, show, name: "[eval]" },
        Program::Stdin => {
            let mut text = Vec::new();
            let read = link::now(stdin.read_to_end(0, &mut text));
            read.map_err(|e| (1, format!("standard input: {e}")))?;
            Main::Text { text: String::from_utf8_lossy(&text).into_owned(), show: false, name: "[stdin]" }
        }
        // What is to be done is in the options.
        Program::Tests => Main::Text { text: String::new(), show: false, name: "[test]" },
        Program::Repl => Main::Text { text: String::new(), show: false, name: "[repl]" },
        Program::Version => {
            let text = "process.stdout.write(process.version + '\\n')".into();
            Main::Text { text, show: false, name: "[eval]" }
        }
    };
    let started = ops::Started {
        args: command.args.into(),
        exec_argv: command.exec_argv.into(),
        options: Arc::new(command.options),
    };
    Ok((main, started))
}
