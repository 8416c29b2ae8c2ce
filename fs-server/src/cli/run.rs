//! `taskfs run`: one task, this terminal as its stdio, its exit status as ours.
//!
//! It does with 9P what a shell would do with cat and echo: reads /task/new, writes cmd, env and ctl, feeds stdio/0, copies
//! stdio/1 and 2, reads wait. Without `--server` the server is in this process, at the other end of a pipe in memory.

use super::client::quoted;
use super::say;
use super::serve::WorldArgs;
use super::signals::{End, Unless};
use super::stdio::{self, Patient};
use super::terminal::Terminal;
use crate::addr::Addr;
use crate::auth::ClientTls;
use crate::fault::Fault;
use crate::remote::{Remote, fault};
use crate::serving;
use crate::world::{BindSpec, World};
use bytes::Bytes;
use clap::Args;
use nine::client::Fid;
use nine::wire::OpenFlags;
use std::io::{ErrorKind, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::time::Duration;
use tokio::signal::unix::SignalKind;
use tokio::sync::Notify;

#[derive(Args, Debug)]
#[command(override_usage = "taskfs run [OPTIONS] <PROGRAM> [ARGS]...")]
pub struct Run {
    /// Run on this server instead of a private one; PROGRAM is then a path of its namespace
    #[arg(short, long, value_name = "ADDR", env = "TASKFS_SERVER", conflicts_with_all = ["root", "bind", "tasks"])]
    server: Option<Addr>,
    #[command(flatten)]
    world: WorldArgs,
    #[command(flatten)]
    tls: ClientTls,
    /// What runs it: a name of /runtime (default: by what the program is)
    #[arg(short, long = "type", value_name = "TYPE")]
    kind: Option<String>,
    /// A variable of its environment
    #[arg(short, long, value_name = "K=V")]
    env: Vec<String>,
    /// A limit: memory=64M, cpu=2s, wall=1m, files=64, output=1M, tasks=8
    #[arg(short, long, value_name = "K=V")]
    limit: Vec<String>,
    /// A capability, as ctl's `cap` takes it
    #[arg(long, value_name = "CAP")]
    cap: Vec<String>,
    /// Give it this terminal as its own: keys reach it as they are typed, and it knows the window's size
    #[arg(short = 't', long = "tty")]
    tty: bool,
    /// The directory it starts in
    #[arg(short = 'C', long, value_name = "DIR")]
    cwd: Option<String>,
    /// The program: a file of this machine, which is shown in /bin of the private server; a directory with a package.json, which is
    /// shown as /app; a program of the private server's /bin (node, sh …), to which a script of this machine may be given; or a
    /// path of the namespace. What stands behind it is its own
    #[arg(value_name = "PROGRAM", required = true, num_args = 1.., trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

impl Run {
    pub fn run(mut self) -> Result<ExitCode, Fault> {
        if self.program().starts_with('-') {
            return Err(Fault::usage(format!("{}: no such option (taskfs run --help)", self.program())));
        }
        // What sets a program's words apart is none of them.
        if self.words.get(1).is_some_and(|word| word == "--") {
            self.words.remove(1);
        }
        let runtime = super::tokio()?;
        let result = runtime.block_on(async {
            if let Some(addr) = &self.server {
                let remote = Remote::connect(addr, &self.tls).await?;
                return self.task(&remote).await;
            }
            self.show_program()?;
            let world = self.world.clone();
            privately(&world, async |remote| self.task(remote).await).await
        });
        runtime.shutdown_timeout(std::time::Duration::from_millis(200));
        result.map(End::come)
    }

    fn program(&self) -> &str {
        self.words.first().expect("one is required")
    }

    /// Has the private server show what is to be run, where that is of this machine.
    fn show_program(&mut self) -> Result<(), Fault> {
        if let Some(dst) = self.show(Path::new(&self.program().to_owned())) {
            self.words[0] = dst;
            return Ok(());
        }
        if self.program().starts_with('/') {
            return Ok(());
        }
        if self.program().contains('/') {
            return Err(Fault::no_input(format!("{}: no such file", self.program())));
        }
        // An interpreter of the server's, and the script that it is to run: its first operand, where that is a file of ours, unless
        // it was given what to run on the command line.
        let gives_code = |arg: &str| match self.program() {
            "sh" => !arg.starts_with("--") && arg.contains('c'),
            _ => ["-e", "-p", "-pe", "--eval", "--print"].contains(&arg),
        };
        let is_interpreter = ["sh", "node"].contains(&self.program());
        let operand = (1..self.words.len()).find(|at| !self.words[*at].starts_with('-'));
        let operand =
            operand.filter(|at| is_interpreter && !self.words[1..*at].iter().any(|arg| gives_code(arg)));
        if let Some(operand) = operand
            && let Some(dst) = self.show(Path::new(&self.words[operand].clone()))
        {
            self.words[operand] = dst;
        }
        Ok(())
    }

    /// Binds a program of this machine into the private server; where it is there, if it is one.
    fn show(&mut self, path: &Path) -> Option<String> {
        let dst = if path.is_file() {
            let name =
                path.file_name().map_or_else(|| "program".into(), |n| n.to_string_lossy().into_owned());
            format!("/bin/{name}")
        } else if path.join("package.json").is_file() {
            self.cwd.get_or_insert_with(|| "/app".to_owned());
            "/app".to_owned()
        } else {
            return None;
        };
        self.world.bind.push(BindSpec { src: path.to_owned(), dst: dst.clone(), read_only: true });
        Some(dst)
    }

    async fn task(&self, remote: &Remote) -> Result<End, Fault> {
        let id = remote.read("/task/new").await?;
        let dir = format!("/task/{}", id.trim());
        ours(remote, &dir, self.drive(remote, &dir)).await
    }

    async fn drive(&self, remote: &Remote, dir: &str) -> Result<End, Fault> {
        let ctl = format!("{dir}/ctl");
        if let Some(kind) = &self.kind {
            remote.write(&format!("{dir}/type"), format!("{kind}\n").as_bytes()).await?;
        }
        let words: Vec<String> = self.words.iter().map(|word| quoted(word)).collect();
        remote.write(&format!("{dir}/cmd"), format!("{}\n", words.join(" ")).as_bytes()).await?;
        if let Some(bad) = self.env.iter().find(|line| line.contains('\n')) {
            return Err(Fault::usage(format!("-e {bad:?}: a variable cannot have more than one line")));
        }
        let lines: String = self.env.iter().map(|line| format!("{line}\n")).collect();
        if !lines.is_empty() {
            remote.write(&format!("{dir}/env"), lines.as_bytes()).await?;
        }
        if let Some(cwd) = &self.cwd {
            remote.write(&format!("{dir}/cwd"), format!("{cwd}\n").as_bytes()).await?;
        }
        for limit in &self.limit {
            remote.write(&ctl, format!("limit {}\n", quoted(limit)).as_bytes()).await?;
        }
        for cap in &self.cap {
            remote.write(&ctl, format!("cap {cap}\n").as_bytes()).await?;
        }
        let terminal = if self.tty { Some(Terminal::give(remote, dir).await?) } else { None };
        let output = Output::open(remote, dir).await?;
        remote
            .write(&ctl, b"start\n")
            .await
            .map_err(|f| Fault { text: f.text.replacen(&ctl, self.program(), 1), ..f })?;

        attend(remote, dir, self.program(), terminal, output).await
    }
}

/// Does `what` with the task in `dir`, which nobody else knows of: it ends with us, however that comes, and goes when it is done.
pub(super) async fn ours<T>(
    remote: &Remote,
    dir: &str,
    what: impl Future<Output = Result<T, Fault>>,
) -> Result<T, Fault> {
    let path = format!("{dir}/ctl");
    let ctl = remote.open(&path, OpenFlags::WRONLY).await?;
    ctl.write_all(0, b"killonclose\n").await.map_err(|e| fault(&path, &e))?;
    let result = what.await;
    // One that was started and not awaited is killed; errors here change nothing.
    let _already_ended = remote.write(&path, b"kill\n").await;
    let _gone_with_the_server = remote.write(&path, b"remove\n").await;
    result
}

/// On a server in this process, which is gone when `what` is done.
pub(super) async fn privately<T>(
    world: &WorldArgs,
    what: impl AsyncFnOnce(&Remote) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let world: World = world.make(0, None).await?;
    let (ours, theirs) = tokio::io::duplex(1 << 20);
    let export = world.export();
    tokio::spawn(serving::connection(export, theirs, nine::server::Config::default(), None));
    let remote = Remote::over(ours).await?;
    let result = what(&remote).await;
    world.stop().await;
    result
}

/// A task's output, opened before it is started: of what nobody has open the oldest is dropped.
pub(super) struct Output {
    files: [(Fid, String); 2],
}

impl Output {
    pub async fn open(remote: &Remote, dir: &str) -> Result<Output, Fault> {
        let open = async |number| {
            let path = format!("{dir}/stdio/{number}");
            Ok::<_, Fault>((remote.open(&path, OpenFlags::empty()).await?, path))
        };
        Ok(Output { files: [open(1).await?, open(2).await?] })
    }
}

/// The status of who is ended by SIGPIPE.
const READER_GONE: u8 = 128 + 13;

/// What was handed on of the signals that came.
#[derive(Default)]
struct Heard {
    came: Notify,
    last: AtomicI32,
}

/// Is the stdio of the task in `dir`, which was started, until its end, and ends as it does. `terminal` is the task's, if any.
pub(super) async fn attend(
    remote: &Remote,
    dir: &str,
    program: &str,
    terminal: Option<Terminal>,
    output: Output,
) -> Result<End, Fault> {
    let (ctl, wait) = (format!("{dir}/ctl"), format!("{dir}/wait"));
    let heard = Heard::default();
    // The terminal is the user's again when this is done, before anything more is said.
    let signals = async {
        match terminal {
            Some(mut terminal) => terminal.follow(remote, &ctl).await,
            None => signals(remote, &ctl, &heard).await,
        }
    };
    let stdin = feed(remote, dir);
    let moved = Arc::new(AtomicU64::new(0));
    let [out, err] = output.files;
    let out = copy(out, std::io::stdout(), moved.clone());
    let err = copy(err, std::io::stderr(), moved.clone());
    // A signal that ended it ends us too, as it would have, where nobody takes what it had written.
    let stuck = async {
        heard.came.notified().await;
        remote.read(&wait).await?;
        if exit_code(remote, dir).await? <= 128 {
            // It ended by itself.
            std::future::pending::<()>().await;
        }
        let mut before = moved.load(Ordering::Relaxed);
        loop {
            tokio::time::sleep(UNTIL_STUCK).await;
            match moved.load(Ordering::Relaxed) {
                now if now == before => return Ok(Taken::All),
                now => before = now,
            }
        }
    };
    let output = async {
        tokio::select! {
            both = async { tokio::try_join!(out, err) } => match both {
                Ok(((), ())) => Ok(Taken::All),
                Err(Stop::ReaderGone) => Ok(Taken::NoMore),
                Err(Stop::Fault(fault)) => Err(fault),
            },
            stuck = stuck => stuck,
        }
    };
    if converse(stdin, output, signals).await? == Taken::NoMore {
        return Ok(End::Status(READER_GONE));
    }
    let wait = remote.read(&wait).await?;
    let code = exit_code(remote, dir).await?;
    let words = task::rc::split(wait.trim_end().as_bytes()).unwrap_or_default();
    let message = words.get(4).map(|m| String::from_utf8_lossy(m).into_owned()).unwrap_or_default();
    let by_itself = message.is_empty() || message == format!("exit status {code}");
    if !by_itself {
        say::err(format_args!("taskfs: {program}: {message}"));
    }
    Ok(match heard.last.load(Ordering::Relaxed) {
        signal @ 1.. if code == 128 + signal && !by_itself => End::By(SignalKind::from_raw(signal)),
        _ => End::Status(code as u8),
    })
}

async fn exit_code(remote: &Remote, dir: &str) -> Result<i32, Fault> {
    Ok(remote.read(&format!("{dir}/exitcode")).await?.trim().parse().unwrap_or(1))
}

/// How long nothing is taken of what a task had written that a signal has ended, until nothing more will be.
const UNTIL_STUCK: Duration = Duration::from_millis(250);

/// What became of a task's output.
#[derive(PartialEq, Eq)]
enum Taken {
    All,
    /// Its reader is gone.
    NoMore,
}

/// Runs all three until the output has ended, and drops them.
async fn converse<T>(
    stdin: impl Future<Output = Result<(), Fault>>,
    output: impl Future<Output = Result<T, Fault>>,
    signals: impl Future<Output = Result<(), Fault>>,
) -> Result<T, Fault> {
    tokio::pin!(stdin, output, signals);
    let mut fed = false;
    loop {
        tokio::select! {
            done = &mut output => return done,
            result = &mut stdin, if !fed => { result?; fed = true; }
            result = &mut signals => result?,
        }
    }
}

/// Copies our standard input to the task's; its end ends the task's. A task that reads no more ends it too.
async fn feed(remote: &Remote, dir: &str) -> Result<(), Fault> {
    let path = format!("{dir}/stdio/0");
    let fid = remote.open(&path, OpenFlags::WRONLY).await?;
    let mut input = stdio::input();
    while let Some(data) = input.recv().await {
        match fid.write_all(0, &data?).await {
            Ok(()) => {}
            Err(nine::client::ClientError::Refused { errno: 32, .. }) => return Ok(()),
            Err(error) => return Err(fault(&path, &error)),
        }
    }
    // The task may have ended meanwhile.
    let _ended = remote.write(&format!("{dir}/ctl"), b"eof\n").await;
    Ok(())
}

/// Why output is copied no further.
enum Stop {
    ReaderGone,
    Fault(Fault),
}

/// Copies a task's output to ours, and counts in `moved` what was taken.
async fn copy(
    (fid, path): (Fid, String),
    to: impl Write + AsFd + Send + 'static,
    moved: Arc<AtomicU64>,
) -> Result<(), Stop> {
    let (blocks, mut came) = tokio::sync::mpsc::channel::<Bytes>(1);
    let (done, written) = tokio::sync::oneshot::channel();
    // A thread of its own: a reader that reads no more holds it up, and nobody else.
    std::thread::spawn(move || {
        let mut to = Patient(to);
        let mut write = || {
            while let Some(block) = came.blocking_recv() {
                // Pieces, so that it is seen when a slow reader takes some.
                for piece in block.chunks(4096) {
                    to.write_all(piece)?;
                    moved.fetch_add(piece.len() as u64, Ordering::Relaxed);
                }
                to.flush()?;
            }
            Ok::<(), std::io::Error>(())
        };
        let _nobody_waits = done.send(write());
    });
    let mut offset = 0;
    loop {
        let data = fid.read(offset, usize::MAX).await.map_err(|e| Stop::Fault(fault(&path, &e)))?;
        offset += data.len() as u64;
        // One that is refused says why in its result.
        if data.is_empty() || blocks.send(data).await.is_err() {
            break;
        }
    }
    drop(blocks);
    match written.await {
        Ok(Err(error)) if error.kind() == ErrorKind::BrokenPipe => Err(Stop::ReaderGone),
        Ok(Err(error)) => Err(Stop::Fault(Fault::io(format!("{path}: our side: {error}")))),
        Ok(Ok(())) | Err(_) => Ok(()),
    }
}

/// Hands SIGINT, SIGTERM and SIGHUP on.
async fn signals(remote: &Remote, ctl: &str, heard: &Heard) -> Result<(), Fault> {
    let mut interrupt = Unless::ignored(SignalKind::interrupt())?;
    let mut terminate = Unless::ignored(SignalKind::terminate())?;
    let mut hangup = Unless::ignored(SignalKind::hangup())?;
    loop {
        let (line, signal): (&[u8], _) = tokio::select! {
            () = interrupt.came() => (b"kill INT\n", SignalKind::interrupt()),
            () = terminate.came() => (b"kill TERM\n", SignalKind::terminate()),
            () = hangup.came() => (b"kill HUP\n", SignalKind::hangup()),
        };
        // Before it may end by it.
        heard.last.store(signal.as_raw_value(), Ordering::Relaxed);
        // It may have ended by itself.
        let _ended = remote.write(ctl, line).await;
        heard.came.notify_one();
    }
}
