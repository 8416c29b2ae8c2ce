//! `taskfs container`: containers for people who prefer commands. Each does with 9P what a shell would do with cat, echo and
//! cp under /web/container.

use super::client::{self, print, quoted};
use super::run::{Output, attend, ours, privately};
use super::say;
use super::serve::WorldArgs;
use super::signals::End;
use super::terminal::Terminal;
use super::{Server, tokio};
use crate::addr::Addr;
use crate::auth::ClientTls;
use crate::fault::Fault;
use crate::remote::{Remote, fault};
use ::tokio::io::AsyncReadExt;
use clap::{Args, Subcommand};
use nine::wire::OpenFlags;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use vfs::host::{HostOptions, HostTree};
use vfs::{Caller, Namespace};

#[derive(Subcommand, Debug)]
pub enum Container {
    /// Run a command in a new container that has a copy of DIR, this terminal as its stdio and its exit status as ours
    Run(Box<Run>),
    /// Make a container and print its number
    New(New),
    /// List containers: number, state, label
    Ls {
        #[command(flatten)]
        server: Server,
    },
    /// Run a command in a container that is there
    Exec(Exec),
    /// Write a container's files to FILE, or to standard output, as a tar archive
    Export(Archive),
    /// Put the files of a tar archive (plain, gzip or zstd) into a container, from FILE or from standard input
    Import(Archive),
    /// Destroy containers, whatever runs in them
    Rm {
        #[command(flatten)]
        server: Server,
        #[arg(required = true, value_name = "ID")]
        ids: Vec<u32>,
    },
}

/// What a container is made with.
#[derive(Args, Debug)]
struct Make {
    /// A name for people
    #[arg(long, value_name = "TEXT")]
    label: Option<String>,
    /// A variable of its processes' environment
    #[arg(short, long, value_name = "K=V")]
    env: Vec<String>,
    /// A limit for all of it: memory=1G, cpu=1m, share=50%, tasks=64, files=1000, disk=1G, wall=1h, idle=10m …
    #[arg(short, long, value_name = "K=V")]
    limit: Vec<String>,
    /// A capability, as ctl's `cap` takes it: 'net:connect registry.npmjs.org:443'
    #[arg(long, value_name = "CAP")]
    cap: Vec<String>,
    /// A directory of the server's namespace that lies below its files, read-only
    #[arg(long, value_name = "DIR")]
    layer: Vec<String>,
}

#[derive(Args, Debug)]
pub struct New {
    #[command(flatten)]
    server: Server,
    #[command(flatten)]
    make: Make,
}

#[derive(Args, Debug)]
pub struct Run {
    /// Run on this server instead of a private one
    #[arg(short, long, value_name = "ADDR", env = "TASKFS_SERVER", conflicts_with_all = ["root", "bind", "tasks"])]
    server: Option<Addr>,
    #[command(flatten)]
    world: WorldArgs,
    #[command(flatten)]
    tls: ClientTls,
    #[command(flatten)]
    make: Make,
    /// Leave the container on the server when the command has ended, and say its number on stderr
    #[arg(long, requires = "server")]
    keep: bool,
    /// Give the command this terminal as its own: keys reach it as they are typed, and it knows the window's size
    #[arg(short = 't', long = "tty")]
    tty: bool,
    /// A directory of this machine; the container has a copy of it as its /
    dir: PathBuf,
    /// The command (default: npm start)
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

#[derive(Args, Debug)]
pub struct Exec {
    #[command(flatten)]
    server: Server,
    /// The directory it starts in
    #[arg(short = 'C', long, value_name = "DIR")]
    cwd: Option<String>,
    /// Give it this terminal as its own: keys reach it as they are typed, and it knows the window's size
    #[arg(short = 't', long = "tty")]
    tty: bool,
    id: u32,
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<String>,
}

#[derive(Args, Debug)]
pub struct Archive {
    #[command(flatten)]
    server: Server,
    id: u32,
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

impl Container {
    pub fn run(self) -> Result<ExitCode, Fault> {
        match self {
            Container::Run(run) => run.run(),
            Container::New(new) => client::run(new.server, async |remote| {
                let container = new.make.make(remote).await?;
                print(format!("{}\n", number(&container)).as_bytes())
            }),
            Container::Ls { server } => client::run(server, list),
            Container::Exec(exec) => {
                let (server, mut end) = (exec.server.clone(), End::Status(0));
                client::run(server, async |remote| {
                    let container = format!("/web/container/{}", exec.id);
                    end = process(remote, &container, exec.cwd.as_deref(), &exec.command, exec.tty).await?;
                    Ok(())
                })?;
                Ok(end.come())
            }
            Container::Export(archive) => {
                client::run(archive.server.clone(), async |r| archive.export(r).await)
            }
            Container::Import(archive) => {
                client::run(archive.server.clone(), async |r| archive.import(r).await)
            }
            Container::Rm { server, ids } => client::run(server, async |remote| {
                for id in ids {
                    remote.write(&format!("/web/container/{id}/ctl"), b"destroy\n").await?;
                }
                Ok(())
            }),
        }
    }
}

/// The last name of a path.
fn number(container: &str) -> &str {
    container.rsplit('/').next().unwrap_or(container)
}

impl Make {
    /// A new container's directory.
    async fn make(&self, remote: &Remote) -> Result<String, Fault> {
        let id = remote.read("/web/container/new").await?;
        let container = format!("/web/container/{}", id.trim_end());
        let ctl = format!("{container}/ctl");
        let one = |verb: &'static str| move |word: &String| format!("{verb} {}\n", quoted(word));
        let mut lines: Vec<String> = self.layer.iter().map(one("layer")).collect();
        lines.extend(self.label.iter().map(one("label")));
        lines.extend(self.env.iter().map(one("env")));
        lines.extend(self.limit.iter().map(one("limit")));
        lines.extend(self.cap.iter().map(|cap| format!("cap {cap}\n")));
        for line in lines {
            if let Err(error) = remote.write(&ctl, line.as_bytes()).await {
                // What could not be made as it was asked for is not left behind.
                let _gone = remote.write(&ctl, b"destroy\n").await;
                return Err(error);
            }
        }
        Ok(container)
    }
}

async fn list(remote: &Remote) -> Result<(), Fault> {
    let mut text = String::new();
    let mut ids: Vec<u32> = remote
        .list("/web/container")
        .await?
        .iter()
        .filter_map(|item| std::str::from_utf8(&item.name).ok()?.parse().ok())
        .collect();
    ids.sort_unstable();
    for id in ids {
        // One may be destroyed between the listing and the look at it.
        let Ok(status) = remote.read(&format!("/web/container/{id}/status")).await else { continue };
        let label = status.lines().find_map(|line| line.strip_prefix("label ")).unwrap_or_default();
        let state = status.lines().next().unwrap_or_default();
        text += format!("{id} {state} {label}").trim_end();
        text.push('\n');
    }
    print(text.as_bytes())
}

/// A process of `container` that runs `command`, this terminal as its stdio.
async fn process(
    remote: &Remote,
    container: &str,
    cwd: Option<&str>,
    command: &[String],
    tty: bool,
) -> Result<End, Fault> {
    let id = remote.read(&format!("{container}/processes/new")).await?;
    let dir = format!("{container}/processes/{}", id.trim_end());
    ours(remote, &dir, drive(remote, &dir, cwd, command, tty)).await
}

async fn drive(
    remote: &Remote,
    dir: &str,
    cwd: Option<&str>,
    command: &[String],
    tty: bool,
) -> Result<End, Fault> {
    let words: Vec<String> = command.iter().map(|word| quoted(word)).collect();
    remote.write(&format!("{dir}/cmd"), format!("{}\n", words.join(" ")).as_bytes()).await?;
    if let Some(cwd) = cwd {
        remote.write(&format!("{dir}/cwd"), format!("{cwd}\n").as_bytes()).await?;
    }
    let ctl = format!("{dir}/ctl");
    let terminal = if tty { Some(Terminal::give(remote, dir).await?) } else { None };
    let output = Output::open(remote, dir).await?;
    let started = remote.write(&ctl, b"start\n").await;
    let shown = command.first().map_or("", String::as_str);
    started.map_err(|f| Fault { text: f.text.replacen(&ctl, shown, 1), ..f })?;
    attend(remote, dir, shown, terminal, output).await
}

/// Puts a copy of the host directory `dir` into `container`.
async fn copy_in(remote: &Remote, container: &str, dir: &Path) -> Result<(), Fault> {
    let no_input = |error: vfs::Error| Fault::no_input(format!("{}: {error}", dir.display()));
    let options = HostOptions { read_only: true, ..HostOptions::default() };
    let tree = HostTree::open_with(dir, options).map_err(no_input)?;
    let root = Namespace::new(tree.root(), "copied").root();
    let (from, to) = ::tokio::io::duplex(1 << 20);
    let me = Caller::me();
    let packed = async { vfs::archive::pack(&me, &root, to).await.map_err(no_input) };
    let sent = async {
        // Dropped when that is refused, and the packing ends.
        let mut from = from;
        send(remote, container, &mut from).await
    };
    // An archive that is refused is the better message than a pipe that broke.
    let (packed, sent) = ::tokio::join!(packed, sent);
    sent.and(packed)
}

/// Writes an archive to the container's `import`.
async fn send(
    remote: &Remote,
    container: &str,
    from: &mut (impl ::tokio::io::AsyncRead + Unpin),
) -> Result<(), Fault> {
    let path = format!("{container}/import");
    let refused = |error: nine::client::ClientError| fault(&path, &error);
    let fid = remote.open(&path, OpenFlags::WRONLY).await?;
    let (mut offset, mut buf) = (0, vec![0; 128 << 10]);
    loop {
        let count = from.read(&mut buf).await.map_err(|e| Fault::io(format!("the archive: {e}")))?;
        if count == 0 {
            break;
        }
        fid.write_all(offset, &buf[..count]).await.map_err(refused)?;
        offset += count as u64;
    }
    // Closing it is what makes files of it.
    fid.clunk().await.map_err(refused)
}

impl Run {
    fn run(mut self) -> Result<ExitCode, Fault> {
        if !self.dir.is_dir() {
            return Err(Fault::no_input(format!("{}: no such directory", self.dir.display())));
        }
        if self.command.is_empty() {
            self.command = vec!["npm".to_owned(), "start".to_owned()];
        }
        let runtime = tokio()?;
        let result = runtime.block_on(async {
            match &self.server {
                Some(addr) => {
                    let remote = Remote::connect(addr, &self.tls).await?;
                    self.contained(&remote).await
                }
                None => privately(&self.world, async |remote| self.contained(remote).await).await,
            }
        });
        runtime.shutdown_timeout(std::time::Duration::from_millis(100));
        result.map(End::come)
    }

    async fn contained(&self, remote: &Remote) -> Result<End, Fault> {
        let container = self.make.make(remote).await?;
        let ctl = remote.open(&format!("{container}/ctl"), OpenFlags::WRONLY).await?;
        if !self.keep {
            // However we end. A server that does not know how does it only when it is told, below.
            let _unknown = ctl.write_all(0, b"destroyonclose\n").await;
        }
        let ran = async {
            copy_in(remote, &container, &self.dir).await?;
            let events = remote.open(&format!("{container}/events"), OpenFlags::empty()).await?;
            ::tokio::select! {
                end = process(remote, &container, None, &self.command, self.tty) => end,
                error = tell(&events, if self.tty { "\r\n" } else { "\n" }) => Err(fault(&container, &error)),
            }
        };
        let ran = ran.await;
        if self.keep {
            say::err(format_args!("taskfs: container {}", number(&container)));
        } else {
            // The command's end is what counts; on a private server all ends anyway.
            let _gone = remote.write(&format!("{container}/ctl"), b"destroy\n").await;
        }
        ran
    }
}

/// Says on stderr what else than processes there is to tell, for ever. A raw terminal wants more than a line feed behind a line.
async fn tell(events: &nine::client::Fid, end: &str) -> nine::client::ClientError {
    let mut offset = 0;
    loop {
        let text = match events.read(offset, 64 << 10).await {
            Ok(text) if text.is_empty() => return nine::client::ClientError::Closed,
            Ok(text) => text,
            Err(error) => return error,
        };
        offset += text.len() as u64;
        for line in String::from_utf8_lossy(&text).lines() {
            if ["server-ready ", "limit ", "error "].iter().any(|kind| line.starts_with(kind)) {
                say::err_with(format_args!("taskfs: {line}"), end);
            }
        }
    }
}

impl Archive {
    async fn export(&self, remote: &Remote) -> Result<(), Fault> {
        let path = format!("/web/container/{}/export", self.id);
        let fid = remote.open(&path, OpenFlags::empty()).await?;
        let mut file = match &self.file {
            None => None,
            Some(file) => Some(
                std::fs::File::create(file)
                    .map_err(|e| Fault::cannot_create(format!("{}: {e}", file.display())))?,
            ),
        };
        let mut offset = 0;
        loop {
            let data = fid.read(offset, 128 << 10).await.map_err(|e| fault(&path, &e))?;
            if data.is_empty() {
                return Ok(());
            }
            offset += data.len() as u64;
            match &mut file {
                None => print(&data)?,
                Some(file) => file.write_all(&data).map_err(|e| Fault::io(format!("the archive: {e}")))?,
            }
        }
    }

    async fn import(&self, remote: &Remote) -> Result<(), Fault> {
        let container = format!("/web/container/{}", self.id);
        match &self.file {
            None => send(remote, &container, &mut ::tokio::io::stdin()).await,
            Some(file) => {
                let open = ::tokio::fs::File::open(file).await;
                let mut open = open.map_err(|e| Fault::no_input(format!("{}: {e}", file.display())))?;
                send(remote, &container, &mut open).await
            }
        }
    }
}
