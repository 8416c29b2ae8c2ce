//! The command line: one file a command. Messages name the file or the option that was wrong; exit statuses are those of
//! sysexits(3).

mod bounds;
mod client;
mod container;
pub mod doctor;
mod mount;
mod run;
pub mod say;
mod serve;
mod signals;
mod stdio;
mod terminal;
mod token;
mod umount;

use crate::addr::Addr;
use crate::auth::ClientTls;
use crate::fault::Fault;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;

/// A file server whose files are running programs.
#[derive(Parser, Debug)]
#[command(name = "taskfs", version, propagate_version = true, max_term_width = 100)]
#[command(
    after_help = "TASKFS_LOG sets what is logged to stderr: info, debug, nine=trace, … (default: warn)."
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Serve a namespace over 9P and FUSE until SIGINT or SIGTERM
    Serve(Box<serve::Serve>),
    /// Run one program as a task, this terminal as its stdio and its exit status as ours
    Run(Box<run::Run>),
    /// Make, use and destroy containers: whole projects in a world of their own
    #[command(subcommand)]
    Container(container::Container),
    /// Mount a server's files on a directory: with the kernel's 9P client where there is one, else over FUSE
    Mount(mount::Mount),
    /// Unmount what `mount` or `serve --mount` mounted
    #[command(visible_alias = "unmount")]
    Umount { dir: PathBuf },
    /// List directories of a server
    Ls(client::Ls),
    /// Print files of a server
    Cat(client::Cat),
    /// Write standard input, or the words given, to a file of a server
    Write(client::Write),
    /// Make one file or directory of a server's namespace appear at another
    Bind(client::Bind),
    /// Make a token for a user of a TLS listener
    Token(token::Token),
    /// Tell what this machine can do, and what to install for the rest
    Doctor,
}

/// Which server a client command talks to.
#[derive(Args, Clone, Debug)]
pub struct Server {
    /// The server: unix:///PATH, tcp://HOST:PORT or tls://HOST:PORT (default: this user's own socket)
    #[arg(short, long, value_name = "ADDR", env = "TASKFS_SERVER")]
    server: Option<Addr>,
    #[command(flatten)]
    tls: ClientTls,
}

impl Server {
    fn addr(&self) -> Addr {
        self.server.clone().unwrap_or_else(|| Addr::Unix(Addr::default_socket()))
    }
}

/// Sends tracing to stderr, filtered by TASKFS_LOG.
pub fn log() {
    let filter = EnvFilter::try_from_env("TASKFS_LOG").unwrap_or_else(|_| "warn,fuser::mnt=error".into());
    // fuser calls it an error when the kernel no longer wants an answer: every interrupted read ends that way, and every large
    // one, which is answered beside it.
    let filter = filter.add_directive("fuser::reply=off".parse().expect("a directive"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(true).init();
}

/// Does what the command line says.
pub fn run(cli: Cli) -> Result<ExitCode, Fault> {
    match cli.command {
        Command::Doctor => {
            client::print(doctor::run().to_string().as_bytes())?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Umount { dir } => umount::umount(&dir).map(|()| ExitCode::SUCCESS),
        Command::Token(token) => token.make().map(|()| ExitCode::SUCCESS),
        Command::Serve(serve) => serve.run(),
        Command::Run(run) => run.run(),
        Command::Container(container) => container.run(),
        Command::Mount(mount) => mount.run(),
        Command::Ls(ls) => client::run(ls.server.clone(), async |c| ls.list(c).await),
        Command::Cat(cat) => client::run(cat.server.clone(), async |c| cat.print(c).await),
        Command::Write(write) => client::run(write.server.clone(), async |c| write.write(c).await),
        Command::Bind(bind) => client::run(bind.server.clone(), async |c| bind.bind(c).await),
    }
}

/// The runtime that every command works on.
fn tokio() -> Result<tokio::runtime::Runtime, Fault> {
    builder().build().map_err(no_threads)
}

fn builder() -> tokio::runtime::Builder {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.enable_all().thread_name("taskfs");
    builder
}

fn no_threads(error: std::io::Error) -> Fault {
    Fault::os(format!("no threads to run on: {error}"))
}
