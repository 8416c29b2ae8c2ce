//! From `start` to the end: finds the program, picks its runtime, opens its stdio, and sees to its end.
//!
//! ```text
//! cmd ──► file (by path, or along PATH) ──► runtime (type, or the best fit) ──► Running ──► wait ──► exited
//!                                                                                 ▲
//!                              kill, wall limit: what does not end in time is given up
//! ```

use crate::spec::Spec;
use crate::stdio::{Metered, StdioNode};
use crate::{Exit, Program, Running, Start, State, Task};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::runtime::Handle;
use vfs::{Caller, Errno, Error, FileRef, Follow, Kind, Namespace, Node, Op, OpenFlags, Place, Result};

/// How long a program may take to end, once it is killed or over its wall limit, before its runtime is not waited for.
const GRACE: Duration = Duration::from_secs(2);
/// What detection sees of a program.
const HEAD: usize = 256;

impl Task {
    /// Starts the program in the name of `who`, who must be able to read it. Done is started; after an error, or where it is
    /// dropped before it is done, the task is new as before.
    pub fn start<'a>(self: &'a Arc<Task>, who: &'a Caller) -> Op<'a, ()> {
        let handle = match self.table() {
            Ok(table) => table.config.handle.clone(),
            Err(error) => return Op::err(error),
        };
        Op::started(Within { handle, future: Box::pin(self.clone().try_start(who)) })
    }

    async fn try_start(self: Arc<Task>, who: &Caller) -> Result<()> {
        if let Some(group) = &self.group {
            group.may_start()?;
        }
        let starting = self.life.begin()?;
        let limits = self.bounded_limits();
        let running = tokio::select! {
            biased;
            () = starting.cancelled() => {
                return Err(Error::new(Errno::ECANCELED, format!("start: task {} was killed", self.id)));
            }
            running = self.launch(who) => running.map_err(|e| e.context("start"))?,
        };
        let sent = starting.started(running.clone());
        // Compiling takes its time: limits that were set meanwhile hold too.
        let now = self.bounded_limits();
        if now != limits {
            running.set_limits(now);
        }
        let handle = self.table()?.config.handle.clone();
        // Its end is told behind its start.
        if let Some(group) = &self.group {
            group.started(&self, &handle);
        }
        handle.spawn(see_to_its_end(self.clone(), running));
        for signal in sent {
            // One that has ended by now needs none.
            let _ = self.signal(signal);
        }
        Ok(())
    }

    async fn launch(self: &Arc<Task>, who: &Caller) -> Result<Arc<dyn Running>> {
        let table = self.table()?;
        let (mut spec, ns) = (self.spec(), self.namespace());
        self.keep_within_ceiling();
        let (caps, guest) = (self.caps(), self.guest());
        // The starter's rights decide, but never more than the task's own.
        let starter = Caller { guard: who.guard.clone().or_else(|| guest.guard.clone()), ..who.clone() };
        let cwd = ns.root().resolve(&starter, &spec.cwd, Follow::Yes).await;
        let cwd = cwd.map_err(|e| e.context(format!("cwd {}", String::from_utf8_lossy(&spec.cwd))))?;
        let (program, head) = find(&starter, &ns, &cwd, &spec).await?;
        let mut path = program.path();
        if program.kind().is_dir() {
            path.push(b'/');
        }
        let runtime = table.registry().pick(&spec.kind, Program { path: &path, head: &head })?.clone();
        tracing::debug!(task = self.id.0, program = %program.shown(), runtime = runtime.name(), "start");
        spec.env.retain(|(name, _)| std::str::from_utf8(name).is_ok_and(|name| caps.env(name)));
        let stdio = self.open_stdio(&ns).await?;
        let start = Start {
            id: self.id,
            ppid: self.ppid(),
            program,
            argv: spec.argv,
            env: spec.env,
            ns,
            cwd,
            who: guest,
            stdio,
            caps,
            limits: self.bounded_limits(),
            usage: self.usage.clone(),
            trace: self.trace.clone(),
            group: self.group.clone(),
            table: Arc::downgrade(&table),
        };
        runtime.start(start).await
    }

    /// Its streams as its namespace has them: whatever was bound over them, or its own.
    async fn open_stdio(self: &Arc<Task>, ns: &Namespace) -> Result<[FileRef; 3]> {
        // Its own streams are its own whatever its capabilities say, and what was bound there was allowed by who bound it.
        let guest = Caller { guard: None, ..self.guest() };
        let path = format!("/task/{}/stdio", self.id);
        let dir = match ns.root().resolve(&guest, path.as_bytes(), Follow::Yes).await {
            Ok(dir) => Some(dir),
            // A namespace without /task.
            Err(error) if error.is(Errno::ENOENT) || error.is(Errno::ENOTDIR) => None,
            Err(error) => return Err(error.context(path)),
        };
        let mut given = self.take_given();
        let mut open = async |number: u8, flags| match (given[usize::from(number)].take(), &dir) {
            (Some(file), _) => Ok(file),
            (None, None) => Arc::new(StdioNode::new(self.clone(), number)).open(&guest, flags).await,
            (None, Some(dir)) => {
                let file = dir.resolve(&guest, &[b'0' + number], Follow::Yes).await;
                let file = async { file?.open(&guest, flags).await };
                file.await.map_err(|e| e.context(format!("{path}/{number}")))
            }
        };
        let output = OpenFlags::WRITE | OpenFlags::APPEND;
        // Counted and bounded here, for every runtime.
        let metered = |file| Arc::new(Metered::new(file, self)) as FileRef;
        let stdin = open(0, OpenFlags::READ).await?;
        Ok([stdin, metered(open(1, output).await?), metered(open(2, output).await?)])
    }

    /// Ends the task: everyone who waits is told.
    fn finish(&self, exit: Exit) {
        tracing::debug!(task = self.id.0, code = exit.code, message = exit.message, "exited");
        self.life.finish(exit.clone(), |exit, real| self.wait_line(exit, real));
        self.stdio.finish();
        self.trace_log.finish();
        if let Some(group) = &self.group {
            group.ended(self, &exit);
        }
    }
}

/// The program's file and its first bytes. A name without a slash is looked for along PATH (/bin where there is none), then
/// in the task's directory.
async fn find(who: &Caller, ns: &Namespace, cwd: &Place, spec: &Spec) -> Result<(Place, Vec<u8>)> {
    let Some(name) = spec.argv.first().filter(|name| !name.is_empty()) else {
        return Err(Error::new(Errno::ENOENT, "no program: cmd is empty"));
    };
    let shown = String::from_utf8_lossy(name);
    if let Some(path) = &spec.program {
        let place = ns.root().resolve(who, path, Follow::Yes).await;
        return read_head(who, place.map_err(|e| e.context(String::from_utf8_lossy(path)))?).await;
    }
    if name.contains(&b'/') {
        let place = cwd.resolve(who, name, Follow::Yes).await.map_err(|e| e.context(&shown))?;
        return read_head(who, place).await;
    }
    let path = spec.env.iter().find(|(name, _)| name == b"PATH").map_or(&b"/bin"[..], |(_, value)| value);
    let mut refused = None;
    for dir in path.split(|b| *b == b':').filter(|dir| !dir.is_empty()).chain([&b"."[..]]) {
        let dir = if dir == b"." { Ok(cwd.clone()) } else { ns.root().resolve(who, dir, Follow::Yes).await };
        let Ok(dir) = dir else { continue };
        match dir.resolve(who, name, Follow::Yes).await {
            Ok(place) if !place.kind().is_dir() => return read_head(who, place).await,
            Ok(place) => refused = Some(is_a_directory(&place)),
            Err(error) if error.is(Errno::ENOENT) || error.is(Errno::ENOTDIR) => {}
            Err(error) => refused = Some(error.context(&shown)),
        }
    }
    Err(refused.unwrap_or_else(|| {
        let (path, cwd) = (String::from_utf8_lossy(path), cwd.shown());
        Error::new(Errno::ENOENT, format!("{shown}: file does not exist (looked in {path} and {cwd})"))
    }))
}

fn is_a_directory(place: &Place) -> Error {
    Error::new(Errno::EISDIR, format!("{}: is a directory", place.shown()))
}

async fn read_head(who: &Caller, place: Place) -> Result<(Place, Vec<u8>)> {
    match place.kind() {
        Kind::File => {}
        // A package is a program: which of its files is run is for its runtime to find.
        Kind::Dir => {
            return match place.walk(who, b"package.json").await {
                Ok(package) if package.kind() == Kind::File => Ok((place, head(who, &package).await?)),
                Err(error) if !error.is(Errno::ENOENT) => Err(error.context(place.shown())),
                _ => Err(is_a_directory(&place)),
            };
        }
        _ => return Err(Error::new(Errno::ENOEXEC, format!("{}: not a regular file", place.shown()))),
    }
    let head = head(who, &place).await?;
    Ok((place, head))
}

/// The first bytes of a file.
async fn head(who: &Caller, place: &Place) -> Result<Vec<u8>> {
    let file = place.open(who, OpenFlags::READ).await.map_err(|e| e.context(place.shown()))?;
    let mut head = vec![0; HEAD];
    let mut length = 0;
    while length < HEAD {
        match file.read(length as u64, &mut head[length..]).await? {
            0 => break,
            count => length += count,
        }
    }
    head.truncate(length);
    Ok(head)
}

/// Waits for the end of what runs: its own, the wall limit's, or a kill that does not strike in time.
async fn see_to_its_end(task: Arc<Task>, running: Arc<dyn Running>) {
    let mut ended = running.wait();
    drop(running);
    let mut changes = task.life.watch();
    loop {
        changes.mark_unchanged();
        let killed = task.life.killed();
        let left = match (&killed, task.limits().wall) {
            (Some(_), _) => Some(GRACE),
            (None, Some(wall)) => Some((wall + GRACE).saturating_sub(task.life.real())),
            (None, None) => None,
        };
        tokio::select! {
            exit = &mut ended => return task.finish(exit),
            () = sleep(left) => match killed {
                Some(exit) => {
                    tracing::warn!(task = task.id.0, "given up: it did not end when it was killed");
                    return task.finish(exit);
                }
                None => {
                    let wall = task.limits().wall.unwrap_or_default();
                    let message = format!("wall limit {} reached", crate::limits::show_time(wall));
                    // Were it over already, its own end would be what is awaited next.
                    let _ = task.life.kill(Exit::killed(128 + 9, message));
                }
            },
            _ = changes.changed() => {
                if task.life.state() == State::Exited {
                    return;
                }
            }
        }
    }
}

async fn sleep(time: Option<Duration>) {
    match time {
        Some(time) => tokio::time::sleep(time).await,
        None => std::future::pending().await,
    }
}

/// A future that runs within a tokio runtime wherever it is polled: transports have threads of their own.
struct Within<F> {
    handle: Handle,
    future: Pin<Box<F>>,
}

impl<F: Future> Future for Within<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let handle = self.handle.clone();
        let _entered = handle.enter();
        self.future.as_mut().poll(cx)
    }
}
