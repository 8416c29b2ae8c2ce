//! child_process: children are tasks, made through the control tree. Their pipes are sockets within this process, so that
//! Node's own streams work on them; what goes through is carried to and from the server here.

use super::{Task, ipc};
use crate::control::Control;
use crate::files::{Follow, OpenFile, Tree};
use crate::link::now;
use deno_core::unsync::{JoinHandle, spawn};
use deno_core::{JsBuffer, OpState, Resource, ResourceId, op2};
use deno_error::JsErrorBox;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::os::fd::{BorrowedFd, IntoRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::mpsc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

/// How much of a pipe is carried at once.
pub(super) const CARRIED: usize = 64 << 10;

/// What Deno's JavaScript asks for.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SpawnArgs {
    cmd: String,
    args: Vec<String>,
    cwd: Option<String>,
    #[serde(default)]
    clear_env: bool,
    #[serde(default)]
    env: Vec<(String, String)>,
    stdin: Value,
    stdout: Value,
    stderr: Value,
    #[serde(default)]
    extra_stdio: Vec<Value>,
    /// Which of its descriptors is to be the channel; none where it is below zero.
    #[serde(default)]
    ipc: Option<i32>,
    #[serde(default)]
    serialization: Option<String>,
    #[serde(default)]
    detached: bool,
    #[serde(default)]
    argv0: Option<String>,
    input: Option<JsBuffer>,
    #[serde(default)]
    timeout: Option<u64>,
    #[serde(default)]
    max_buffer: Option<usize>,
    #[serde(default)]
    kill_signal: Option<Value>,
}

/// What the server is asked for.
#[derive(Serialize)]
struct New<'a> {
    file: &'a str,
    args: &'a [String],
    argv0: Option<&'a str>,
    env: BTreeMap<String, String>,
    cwd: String,
    stdio: [Value; 3],
    detached: bool,
    ipc: bool,
}

/// How a child ended.
#[derive(Deserialize)]
struct Ended {
    code: Option<i32>,
    signal: Option<String>,
}

#[derive(Serialize)]
pub struct Status {
    success: bool,
    code: i32,
    signal: Option<String>,
}

impl From<Ended> for Status {
    fn from(ended: Ended) -> Status {
        // Deno numbers a signal's end as a shell does; Node looks at the signal first.
        let code = ended.code.unwrap_or(if ended.signal.is_some() { 128 } else { 1 });
        Status { success: code == 0 && ended.signal.is_none(), code, signal: ended.signal }
    }
}

/// A child that was made.
#[derive(Clone)]
struct Child {
    control: Control,
    id: u32,
}

impl Child {
    fn make(control: &Control, new: &New<'_>) -> io::Result<Child> {
        let text = serde_json::to_vec(new).map_err(io::Error::other)?;
        let id = now(control.exchange(&["children", "new"], &text))?;
        let id = id.trim().parse().map_err(io::Error::other)?;
        Ok(Child { control: control.clone(), id })
    }

    fn stdio(&self, number: u32) -> io::Result<OpenFile> {
        let flags = if number == 0 { nine::wire::OpenFlags::WRONLY } else { nine::wire::OpenFlags::empty() };
        let names = ["children", &self.id.to_string(), "stdio", &number.to_string()];
        Ok(OpenFile::stdio(self.control.open(&names, flags)?, flags))
    }

    fn tell(&self, command: &str) -> io::Result<()> {
        self.control.write(&["children", &self.id.to_string(), "ctl"], command.as_bytes())
    }

    fn waiting(&self) -> io::Result<OpenFile> {
        let flags = nine::wire::OpenFlags::empty();
        let names = ["children", &self.id.to_string(), "wait"];
        Ok(OpenFile::stdio(self.control.open(&names, flags)?, flags))
    }
}

async fn ended(wait: &OpenFile) -> io::Result<Status> {
    let mut text = Vec::new();
    wait.read_to_end(0, &mut text).await?;
    let ended: Ended = serde_json::from_slice(&text).map_err(io::Error::other)?;
    Ok(ended.into())
}

/// A child that JavaScript holds. The server forgets a child when its `wait` was read and is closed, so that file stays open
/// until its output has been read too.
struct Held {
    child: Child,
    wait: Rc<OpenFile>,
    /// Its output into files, which have all of it when its end is told.
    carried: RefCell<Vec<JoinHandle<()>>>,
}

impl Resource for Held {
    fn name(&self) -> Cow<'_, str> {
        "child".into()
    }
}

fn fault(e: io::Error) -> JsErrorBox {
    JsErrorBox::from_err(e)
}

impl SpawnArgs {
    fn wanted<'a>(&'a self, tree: &Tree, streams: &[Stream; 3]) -> New<'a> {
        let mut env = BTreeMap::new();
        if !self.clear_env {
            env.extend(std::env::vars());
        }
        env.extend(self.env.iter().cloned());
        let forked = self.ipc.filter(|fd| *fd >= 0);
        if let Some(fd) = forked {
            let mode = self.serialization.as_deref().unwrap_or("json");
            env.insert(ipc::FD.into(), fd.to_string());
            env.insert(ipc::MODE.into(), mode.into());
        }
        let cwd = self.cwd.as_ref().map_or_else(|| tree.cwd(), |cwd| tree.cwd().join(cwd));
        New {
            file: &self.cmd,
            args: &self.args,
            argv0: self.argv0.as_deref(),
            env,
            cwd: cwd.to_string_lossy().into_owned(),
            stdio: [0, 1, 2].map(|number: usize| streams[number].word(number)),
            detached: self.detached,
            ipc: forked.is_some(),
        }
    }

    fn streams(&self, state: &OpState, tree: &Tree) -> io::Result<[Stream; 3]> {
        if self.extra_stdio.iter().any(|wanted| wanted != "null" && wanted != "ignore") {
            // A task has no descriptors but these and its channel.
            return Err(io::Error::from_raw_os_error(libc::ENOTSUP));
        }
        let stream = |wanted, number| Stream::of(state, tree, wanted, number, self.detached);
        let [input, output, mut errors] =
            [stream(&self.stdin, 0)?, stream(&self.stdout, 1)?, stream(&self.stderr, 2)?];
        if let (Stream::File(one), Stream::File(other)) = (&output, &errors)
            && one.is_same(other)
        {
            errors = Stream::Output;
        }
        Ok([input, output, errors])
    }
}

/// What stands behind one of a child's standard files.
enum Stream {
    /// A pipe whose other end JavaScript has.
    Pipe,
    Ignore,
    /// One of our own standard files.
    Own(usize),
    /// A file that the child opens itself.
    Path(PathBuf),
    /// A file of ours that goes on where we are in it, and we where the child is: what goes through is carried here.
    File(OpenFile),
    /// Where its output goes, in the order in which it is written.
    Output,
    /// What has a descriptor of this process: a socket, the end of a pipe. It is carried, too.
    Descriptor(OwnedFd),
}

impl Stream {
    fn of(state: &OpState, tree: &Tree, wanted: &Value, number: usize, detached: bool) -> io::Result<Stream> {
        let fd = match wanted {
            Value::String(kind) if kind == "piped" => return Ok(Stream::Pipe),
            Value::String(kind) if kind == "inherit" => return Ok(Stream::Own(number)),
            Value::Number(fd) => fd.as_i64().and_then(|fd| i32::try_from(fd).ok()).unwrap_or(-1),
            _ => return Ok(Stream::Ignore),
        };
        if let Ok(own @ 0..=2) = usize::try_from(fd) {
            return Ok(Stream::Own(own));
        }
        let table = state.borrow::<deno_io::FdTable>();
        if !table.contains(fd) {
            return Err(io::Error::from_raw_os_error(libc::EBADF));
        }
        let Some(file) = table.get(fd).and_then(OpenFile::of_denos) else {
            // SAFETY: the table has it, so it is open; it is borrowed for a copy.
            let theirs = unsafe { BorrowedFd::borrow_raw(fd) };
            return Ok(Stream::Descriptor(theirs.try_clone_to_owned()?));
        };
        // A child that lives on without us cannot have anything carried.
        let is_alike = if number == 0 { file.position() == 0 } else { file.appends() };
        match file.path() {
            Some(path) if (detached || is_alike) && now(leads_to(tree, path, &file)) => {
                Ok(Stream::Path(path.to_owned()))
            }
            _ => Ok(Stream::File(OpenFile::clone(&file))),
        }
    }

    /// In the server's words.
    fn word(&self, number: usize) -> Value {
        match self {
            Stream::Pipe | Stream::File(_) | Stream::Descriptor(_) => "pipe".into(),
            Stream::Ignore => "ignore".into(),
            Stream::Own(own) if *own == number => "inherit".into(),
            Stream::Own(own) => serde_json::json!({ "own": own }),
            Stream::Path(path) => serde_json::json!({ "path": path }),
            Stream::Output => "output".into(),
        }
    }
}

/// Whether the path is still that of the file.
async fn leads_to(tree: &Tree, path: &Path, file: &OpenFile) -> bool {
    match (tree.stat(path, Follow::Yes).await, file.meta().await) {
        (Ok(there), Ok(meta)) => there.0.qid.path == meta.0.qid.path,
        _ => false,
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeChild {
    rid: ResourceId,
    pid: u32,
    stdin_fd: Option<i64>,
    stdout_fd: Option<i64>,
    stderr_fd: Option<i64>,
    ipc_pipe_rid: Option<ResourceId>,
    extra_pipe_fds: Vec<Option<i64>>,
}

#[op2(stack_trace)]
#[serde]
pub fn op_node_spawn_child(
    state: &mut OpState,
    #[serde] args: SpawnArgs,
    #[string] _api: String,
) -> Result<NodeChild, JsErrorBox> {
    let control = state.borrow::<Task>().control.clone();
    let tree = state.borrow::<Tree>().clone();
    let streams = args.streams(state, &tree).map_err(fault)?;
    let new = args.wanted(&tree, &streams);
    let child = Child::make(&control, &new).map_err(fault)?;
    let wait = Rc::new(child.waiting().map_err(fault)?);
    let mut carried = Vec::new();
    let mut fds = [None; 3];
    for (number, stream) in streams.into_iter().enumerate() {
        fds[number] = connect(&child, number, stream, &wait, &mut carried).map_err(fault)?;
    }
    let [stdin_fd, stdout_fd, stderr_fd] = fds;
    let pid = child.id;
    let ipc_pipe_rid = if new.ipc {
        let fd = ipc::carry(&control, &["children", &pid.to_string(), "ipc"]).map_err(fault)?;
        Some(ipc::open(state, fd, args.serialization.as_deref()).map_err(fault)?)
    } else {
        None
    };
    let rid = state.resource_table.add(Held { child, wait, carried: RefCell::new(carried) });
    Ok(NodeChild { rid, pid, stdin_fd, stdout_fd, stderr_fd, ipc_pipe_rid, extra_pipe_fds: Vec::new() })
}

/// A pair of sockets: one for Node's stream, by its number, and one for us.
pub(super) fn pipe() -> io::Result<(i64, UnixStream)> {
    let (theirs, ours) = std::os::unix::net::UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    Ok((OwnedFd::from(theirs).into_raw_fd().into(), UnixStream::from_std(ours)?))
}

/// Puts what is wanted behind one of a child's standard files; the number of our end, where JavaScript has one.
fn connect(
    child: &Child,
    number: usize,
    stream: Stream,
    wait: &Rc<OpenFile>,
    carried: &mut Vec<JoinHandle<()>>,
) -> io::Result<Option<i64>> {
    match (stream, number) {
        (Stream::Ignore | Stream::Own(_) | Stream::Path(_) | Stream::Output, _) => Ok(None),
        (Stream::Pipe, 0) => {
            let (fd, ours) = pipe()?;
            carry_in(child, ours)?;
            Ok(Some(fd))
        }
        (Stream::Pipe, _) => {
            let (fd, ours) = pipe()?;
            carry_out(child, number, ours, wait)?;
            Ok(Some(fd))
        }
        (Stream::Descriptor(fd), 0) => carry_in(child, stream_of(fd)?).map(|()| None),
        (Stream::Descriptor(fd), _) => carry_out(child, number, stream_of(fd)?, wait).map(|()| None),
        (Stream::File(from), 0) => {
            let (child, file) = (child.clone(), child.stdio(0)?);
            spawn(async move {
                let mut buf = vec![0; CARRIED];
                while let Ok(n @ 1..) = from.read_on(&mut buf).await {
                    if file.write_from(0, &buf[..n]).await.is_err() {
                        break;
                    }
                }
                drop(file);
                let _ = child.tell("eof");
            });
            Ok(None)
        }
        (Stream::File(to), _) => {
            let (file, wait) = (child.stdio(number as u32)?, wait.clone());
            carried.push(spawn(async move {
                let (mut buf, mut offset) = (vec![0; CARRIED], 0);
                while let Ok(n @ 1..) = file.read_at(offset, &mut buf).await {
                    // At once: what the program writes meanwhile goes behind it.
                    if now(to.write_all_on(&buf[..n])).is_err() {
                        break;
                    }
                    offset += n as u64;
                }
                drop(wait);
            }));
            Ok(None)
        }
    }
}

/// A descriptor of Node's for us to wait for. Whatever it is, it is read and written as sockets are.
fn stream_of(fd: OwnedFd) -> io::Result<UnixStream> {
    let stream = std::os::unix::net::UnixStream::from(fd);
    stream.set_nonblocking(true)?;
    UnixStream::from_std(stream)
}

/// What Node writes goes to the child.
fn carry_in(child: &Child, mut from: UnixStream) -> io::Result<()> {
    let (child, file) = (child.clone(), child.stdio(0)?);
    spawn(async move {
        let mut buf = vec![0; CARRIED];
        while let Ok(n) = from.read(&mut buf).await {
            if n == 0 || file.write_from(0, &buf[..n]).await.is_err() {
                break;
            }
        }
        drop(file);
        let _ = child.tell("eof");
    });
    Ok(())
}

/// What the child writes goes to Node.
fn carry_out(child: &Child, number: usize, mut to: UnixStream, wait: &Rc<OpenFile>) -> io::Result<()> {
    let (file, wait) = (child.stdio(number as u32)?, wait.clone());
    spawn(async move {
        let (mut buf, mut offset) = (vec![0; CARRIED], 0);
        while let Ok(n) = file.read_at(offset, &mut buf).await {
            if n == 0 || to.write_all(&buf[..n]).await.is_err() {
                break;
            }
            offset += n as u64;
        }
        let _ = to.shutdown().await;
        drop(wait);
    });
    Ok(())
}

#[op2]
#[serde]
pub async fn op_spawn_wait(
    state: Rc<RefCell<OpState>>,
    #[smi] rid: ResourceId,
) -> Result<Status, JsErrorBox> {
    let held = state.borrow().resource_table.get::<Held>(rid).map_err(JsErrorBox::from_err)?;
    let status = ended(&held.wait).await.map_err(fault)?;
    for carried in held.carried.take() {
        let _ = carried.await;
    }
    let _ = state.borrow_mut().resource_table.take_any(rid);
    Ok(status)
}

fn signal_of(signal: &Value) -> String {
    match signal {
        Value::String(name) => name.clone(),
        Value::Number(number) => {
            let name = number.as_i64().and_then(|n| super::process::signal_name(n as i32));
            name.unwrap_or("SIGTERM").to_owned()
        }
        _ => "SIGTERM".into(),
    }
}

#[op2]
pub fn op_spawn_kill(
    state: &mut OpState,
    #[smi] rid: ResourceId,
    #[serde] signal: serde_json::Value,
) -> Result<(), JsErrorBox> {
    let held = state
        .resource_table
        .get::<Held>(rid)
        .map_err(|_| JsErrorBox::type_error("Child process has already terminated"))?;
    held.child.tell(&format!("kill {}", signal_of(&signal))).map_err(fault)
}

/// Whether a child outlives its parent is said when it is made.
#[op2(fast)]
pub fn op_spawn_child_ref(#[smi] _rid: ResourceId) {}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SpawnOutput {
    pid: u32,
    status: Status,
    stdout: Option<deno_core::ToJsBuffer>,
    stderr: Option<deno_core::ToJsBuffer>,
    killed_by_timeout: bool,
    killed_by_max_buffer: bool,
}

/// Runs a child to its end while JavaScript waits: a thread for each stream, since none of them may wait for another.
#[op2(stack_trace)]
#[serde]
pub fn op_spawn_sync(state: &mut OpState, #[serde] args: SpawnArgs) -> Result<SpawnOutput, JsErrorBox> {
    let control = state.borrow::<Task>().control.clone();
    let tree = state.borrow::<Tree>().clone();
    let mut streams = args.streams(state, &tree).map_err(fault)?;
    if args.input.is_some() {
        streams[0] = Stream::Pipe;
    }
    if streams.iter().any(|stream| matches!(stream, Stream::Descriptor(_))) {
        // It may have its other end in this program, which does nothing but wait.
        return Err(fault(io::Error::from_raw_os_error(libc::ENOTSUP)));
    }
    let new = args.wanted(&tree, &streams);
    let child = Child::make(&control, &new).map_err(fault)?;
    let limit = args.max_buffer.filter(|most| *most > 0).unwrap_or(usize::MAX);
    let kill = args.kill_signal.as_ref().map_or("SIGTERM".into(), signal_of);
    let (done, is_done) = mpsc::channel();
    let (input, child) = (args.input.as_deref(), &child);
    let mut killed_by_timeout = false;
    let (status, stdout, stderr) = std::thread::scope(|scope| {
        match &streams[0] {
            Stream::Pipe => {
                scope.spawn(move || {
                    if let Ok(file) = child.stdio(0) {
                        let _ = now(file.write_from(0, input.unwrap_or_default()));
                    }
                    let _ = child.tell("eof");
                });
            }
            Stream::File(from) => {
                scope.spawn(move || {
                    if let Ok(file) = child.stdio(0) {
                        let _ = feed(&file, from);
                    }
                    let _ = child.tell("eof");
                });
            }
            _ => {}
        }
        let outputs = [1, 2].map(|number: usize| match &streams[number] {
            Stream::Pipe => Some(scope.spawn(move || Some(collect(child, number as u32, limit)))),
            Stream::File(to) => Some(scope.spawn(move || {
                store(child, number as u32, to);
                None
            })),
            _ => None,
        });
        let wait = scope.spawn(move || {
            let file = child.waiting();
            let status =
                file.as_ref().map_err(|e| io::Error::from(e.kind())).and_then(|file| now(ended(file)));
            let _ = done.send(());
            // Open until the output has been read.
            (status, file.ok())
        });
        if let Some(timeout) = args.timeout.filter(|timeout| *timeout > 0)
            && is_done.recv_timeout(Duration::from_millis(timeout)).is_err()
        {
            killed_by_timeout = true;
            let _ = child.tell(&format!("kill {kill}"));
        }
        let [stdout, stderr] =
            outputs.map(|output| output.and_then(|thread| thread.join().expect("a reader does not panic")));
        (wait.join().expect("a waiter does not panic").0, stdout, stderr)
    });
    let killed_by_max_buffer = [&stdout, &stderr].iter().any(|o| o.as_ref().is_some_and(|o| o.1));
    let buffer = |output: Option<(Vec<u8>, bool)>| output.map(|(data, _)| data.into());
    Ok(SpawnOutput {
        pid: child.id,
        status: status.map_err(fault)?,
        stdout: buffer(stdout),
        stderr: buffer(stderr),
        killed_by_timeout,
        killed_by_max_buffer,
    })
}

/// A stream to its end, and whether the child was killed because it was too long.
fn collect(child: &Child, number: u32, limit: usize) -> (Vec<u8>, bool) {
    let mut data = Vec::new();
    let Ok(file) = child.stdio(number) else { return (data, false) };
    let mut buf = vec![0; CARRIED];
    while let Ok(n @ 1..) = now(file.read_at(data.len() as u64, &mut buf)) {
        data.extend_from_slice(&buf[..n]);
        if data.len() > limit {
            data.truncate(limit);
            let _ = child.tell("kill SIGTERM");
            return (data, true);
        }
    }
    (data, false)
}

/// A file of ours from where we are in it, for a child to read.
fn feed(input: &OpenFile, from: &OpenFile) -> io::Result<()> {
    let mut buf = vec![0; CARRIED];
    loop {
        match now(from.read_on(&mut buf))? {
            0 => return Ok(()),
            n => now(input.write_from(0, &buf[..n]))?,
        }
    }
}

/// A stream to its end into a file of ours.
fn store(child: &Child, number: u32, to: &OpenFile) {
    let Ok(file) = child.stdio(number) else { return };
    let (mut buf, mut offset) = (vec![0; CARRIED], 0);
    while let Ok(n @ 1..) = now(file.read_at(offset, &mut buf)) {
        if now(to.write_all_on(&buf[..n])).is_err() {
            break;
        }
        offset += n as u64;
    }
}

/// Node's options are Node's: there is no other command line to translate them into.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CommandLine {
    deno_args: Vec<String>,
    node_options: Vec<String>,
    needs_npm_process_state: bool,
}

#[op2]
#[serde]
pub fn op_node_translate_cli_args(
    #[serde] args: Vec<String>,
    _in_package: bool,
    _for_child: bool,
) -> CommandLine {
    CommandLine { deno_args: args, node_options: Vec::new(), needs_npm_process_state: false }
}
