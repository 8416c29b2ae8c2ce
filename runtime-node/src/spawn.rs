//! Makes worker processes, from a thread of its own: a worker dies with the thread that made it (PR_SET_PDEATHSIG), so that
//! thread has to live as long as the server.

use crate::engine::Engine;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;
use tokio::sync::oneshot;
use wall::{Hello, Parent};

/// A worker says hello before it does anything that takes time.
const PATIENCE: Duration = Duration::from_secs(10);

/// A parent may take so long until it has loaded its engine, on a machine that is busy.
const LOADING: Duration = Duration::from_secs(60);

/// A worker's process that waits for the server's word.
pub(crate) struct Spawned {
    pub socket: OwnedFd,
    pub hello: Hello,
    /// The end of its standard error.
    pub log: OwnedFd,
}

/// Asks the thread; it ends when this is dropped.
pub(crate) struct Spawner(Sender<oneshot::Sender<io::Result<Spawned>>>);

impl Spawner {
    pub fn start(engine: &Engine) -> io::Result<Spawner> {
        let (asks, asked) = channel();
        let engine = engine.clone();
        std::thread::Builder::new().name("node-spawner".into()).spawn(move || work(&engine, &asked))?;
        Ok(Spawner(asks))
    }

    pub async fn spawn(&self) -> io::Result<Spawned> {
        let (answer, answered) = oneshot::channel();
        let gone = || io::Error::other("the thread that makes workers is gone");
        self.0.send(answer).map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }
}

fn work(engine: &Engine, asked: &Receiver<oneshot::Sender<io::Result<Spawned>>>) {
    let mut nursery = None;
    while let Ok(answer) = asked.recv() {
        let spawned = if engine.has_parent() { spawn_of_parent(engine, &mut nursery) } else { spawn(engine) };
        // Whoever asked may have gone; then what was made ends with its socket.
        let _gone = answer.send(spawned);
    }
}

/// The process that an engine's workers are forked from, with what is the same for all of them loaded.
struct Nursery {
    process: Child,
    parent: Parent,
}

impl Nursery {
    fn start(engine: &Engine) -> io::Result<Nursery> {
        let (ours, theirs) = UnixStream::pair()?;
        let process = Command::new(&engine.executable)
            .arg("--parent")
            .env_clear()
            .current_dir("/")
            .stdin(OwnedFd::from(theirs))
            .stdout(Stdio::null())
            .spawn()?;
        Ok(Nursery { process, parent: Parent::new(ours, LOADING)? })
    }
}

impl Drop for Nursery {
    fn drop(&mut self) {
        let _ended = self.process.kill();
        let _waited = self.process.wait();
    }
}

fn spawn_of_parent(engine: &Engine, nursery: &mut Option<Nursery>) -> io::Result<Spawned> {
    let (ours, theirs) = UnixStream::pair()?;
    ours.set_read_timeout(Some(PATIENCE))?;
    let (log, said) = io::pipe()?;
    let (theirs, said) = (OwnedFd::from(theirs), OwnedFd::from(said));
    let before = children();
    let bear = |nursery: &mut Option<Nursery>| {
        let there = match nursery.take() {
            Some(there) => there,
            None => Nursery::start(engine)?,
        };
        let born = there.parent.bear(&theirs, &said);
        // One that does not answer is of no use to the next either.
        *nursery = born.is_ok().then_some(there);
        born
    };
    // It may have ended since the last time.
    let had = nursery.is_some();
    let launcher = match bear(nursery) {
        Err(_) if had => bear(nursery),
        born => born,
    }?;
    drop((theirs, said));
    let socket = OwnedFd::from(ours);
    match Hello::hear(&socket) {
        Ok(hello) => {
            if !hello.report.spaces.is_empty() {
                wait(launcher);
            }
            Ok(Spawned { socket, hello, log: log.into() })
        }
        Err(error) => {
            // The parent is waited for by who keeps it.
            let parent = nursery.as_ref().map(|there| there.process.id() as i32);
            let others = |pid: &i32| !before.contains(pid) && Some(*pid) != parent;
            children().into_iter().filter(others).for_each(put_away);
            Err(error)
        }
    }
}

/// Waits for a child that ends at once.
fn wait(pid: u32) {
    if let Some(pid) = rustix::process::Pid::from_raw(pid as i32) {
        let _waited = rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty());
    }
}

/// What wall a worker raises on this machine; it runs nothing.
///
/// # Errors
/// In words, where it does not come as far as that.
pub fn probe(engine: &Engine) -> Result<wall::Report, String> {
    let spawned = spawn(engine).map_err(|e| format!("{}: {e}", engine.executable.display()))?;
    // With its socket closed it ends.
    Ok(spawned.hello.report)
}

fn spawn(engine: &Engine) -> io::Result<Spawned> {
    let (ours, theirs) = UnixStream::pair()?;
    ours.set_read_timeout(Some(PATIENCE))?;
    let (log, said) = io::pipe()?;
    let before = children();
    let mut launcher = Command::new(&engine.executable)
        .env_clear()
        .current_dir("/")
        .stdin(OwnedFd::from(theirs))
        .stdout(Stdio::null())
        .stderr(said)
        .spawn()?;
    let socket = OwnedFd::from(ours);
    match Hello::hear(&socket) {
        Ok(hello) => {
            // The launcher has done its part; without namespaces it is the worker itself, and waited for as such.
            if !hello.report.spaces.is_empty() {
                launcher.wait()?;
            }
            Ok(Spawned { socket, hello, log: log.into() })
        }
        Err(error) => {
            let _ended = launcher.kill();
            launcher.wait()?;
            // Its init, where it came as far as that, is a child of ours that nobody else knows of.
            children().into_iter().filter(|pid| !before.contains(pid)).for_each(put_away);
            Err(error)
        }
    }
}

/// The children of this thread, which alone makes workers (proc_pid_children(5)).
fn children() -> Vec<i32> {
    let list = std::fs::read_to_string("/proc/thread-self/children").unwrap_or_default();
    list.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

fn put_away(pid: i32) {
    if let Some(pid) = rustix::process::Pid::from_raw(pid) {
        // A child that was not waited for keeps its number, so this is nobody else.
        let _ended = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        let _waited = rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty());
    }
}
