//! What a test needs to run a guest: a memory tree as its namespace, stdio that can be read back, and a runtime.
#![allow(dead_code)]

pub mod calls;
pub mod component;

use parking_lot::Mutex;
use runtime_wasi::{Config, WasiRuntime};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use task::{Caps, Exit, Limits, Running, Runtime, Start, Trace, Usage};
use tokio::sync::Notify;
use vfs::mem::MemTree;
use vfs::{
    Caller, Errno, Error, FileRef, Follow, Gid, Interest, Kind, Mode, Name, Namespace, Nature, Node, NodeRef,
    Op, OpenFile, OpenFlags, Place, Qid, Result, Stat, TaskId, Time, Uid,
};

/// A stream: what is written to it can be read from it once; a read of an empty one waits, unless it has ended.
pub struct Stream {
    node: NodeRef,
    bytes: Mutex<(Vec<u8>, bool)>,
    more: Notify,
    /// How many times it was written to.
    pub writes: AtomicUsize,
}

struct StreamNode;

impl Node for StreamNode {
    fn qid(&self) -> Qid {
        Qid { kind: Kind::File, version: 0, path: 7 }
    }
    fn nature(&self) -> Nature {
        Nature::Stream
    }
    fn stat(&self) -> Op<'_, Stat> {
        let t = Time::EPOCH;
        Op::ok(Stat {
            qid: self.qid(),
            mode: Mode::new(0o600),
            uid: Uid(0),
            gid: Gid(0),
            nlink: 1,
            size: 0,
            blocks: 0,
            blksize: 4096,
            rdev: vfs::Device::default(),
            atime: t,
            mtime: t,
            ctime: t,
            btime: t,
        })
    }
    fn open<'a>(self: Arc<Self>, _who: &'a Caller, _flags: OpenFlags) -> Op<'a, FileRef> {
        Op::err(Errno::EPERM)
    }
}

impl Stream {
    pub fn new() -> Arc<Stream> {
        Arc::new(Stream {
            node: Arc::new(StreamNode),
            bytes: Mutex::default(),
            more: Notify::new(),
            writes: AtomicUsize::new(0),
        })
    }
    pub fn push(&self, bytes: &[u8]) {
        self.bytes.lock().0.extend_from_slice(bytes);
        self.more.notify_waiters();
    }
    pub fn end(&self) {
        self.bytes.lock().1 = true;
        self.more.notify_waiters();
    }
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().0).into_owned()
    }
    async fn wait(&self) {
        loop {
            let more = self.more.notified();
            {
                let state = self.bytes.lock();
                if !state.0.is_empty() || state.1 {
                    return;
                }
            }
            more.await;
        }
    }
}

impl OpenFile for Stream {
    fn node(&self) -> &NodeRef {
        &self.node
    }
    fn read<'a>(&'a self, _offset: u64, buf: &'a mut [u8]) -> Op<'a, usize> {
        let empty = {
            let state = self.bytes.lock();
            state.0.is_empty() && !state.1
        };
        if empty {
            return Op::later(async move {
                self.wait().await;
                self.read(0, buf).await
            });
        }
        let mut state = self.bytes.lock();
        let n = buf.len().min(state.0.len());
        buf[..n].copy_from_slice(&state.0[..n]);
        state.0.drain(..n);
        Op::ok(n)
    }
    fn write<'a>(&'a self, _offset: u64, data: &'a [u8]) -> Op<'a, usize> {
        self.push(data);
        self.writes.fetch_add(1, Ordering::Relaxed);
        Op::ok(data.len())
    }
    fn ready(&self, interest: Interest) -> Op<'_, ()> {
        match interest {
            Interest::Write => Op::ok(()),
            Interest::Read => Op::started(async move {
                self.wait().await;
                Ok(())
            }),
        }
    }
}

/// A runtime, and a namespace to run guests in.
pub struct Host {
    pub runtime: WasiRuntime,
    pub ns: Namespace,
    pub who: Caller,
}

/// A guest that was started.
pub struct Task {
    pub running: Arc<dyn Running>,
    pub stdin: Arc<Stream>,
    pub stdout: Arc<Stream>,
    pub stderr: Arc<Stream>,
    pub usage: Arc<Usage>,
}

/// What to start, beside the program.
#[derive(Default)]
pub struct With {
    pub argv: Vec<&'static str>,
    pub env: Vec<(&'static str, &'static str)>,
    pub caps: Caps,
    pub limits: Limits,
    pub trace: Trace,
    pub cwd: Option<&'static str>,
    /// One of its own where there is none.
    pub stdout: Option<Arc<Stream>>,
}

impl Host {
    pub fn new() -> Host {
        Host::with(Config::default())
    }
    pub fn with(config: Config) -> Host {
        Host::over(MemTree::new().root(), config)
    }
    /// With this tree as the namespace.
    pub fn over(root: NodeRef, config: Config) -> Host {
        let runtime = WasiRuntime::new(config).expect("a runtime");
        Host { runtime, ns: Namespace::new(root, "root"), who: Caller::me() }
    }

    pub async fn put(&self, path: &str, bytes: &[u8]) {
        let parent = self.ns.root().resolve_parent(&self.who, path.as_bytes()).await.expect("a parent");
        let flags = OpenFlags::WRITE | OpenFlags::TRUNCATE;
        let made =
            parent.dir.create(&self.who, parent.name.as_name(), Mode::new(0o755), flags).await.expect("made");
        let mut at = 0;
        while at < bytes.len() {
            at += made.file.write(at as u64, &bytes[at..]).await.expect("written");
        }
    }
    pub async fn get(&self, path: &str) -> Result<Vec<u8>> {
        let place = self.place(path).await?;
        let file = place.open(&self.who, OpenFlags::READ).await?;
        let size = place.stat(&self.who).await?.size as usize;
        let mut bytes = vec![0; size];
        let n = file.read(0, &mut bytes).await?;
        bytes.truncate(n);
        Ok(bytes)
    }
    pub async fn mkdir(&self, path: &str) {
        let name = Name::new(path.trim_start_matches('/').as_bytes()).expect("a name");
        self.ns.root().mkdir(&self.who, name, Mode::new(0o755)).await.expect("made");
    }
    pub async fn place(&self, path: &str) -> Result<Place> {
        self.ns.root().resolve(&self.who, path.as_bytes(), Follow::Yes).await
    }

    /// Puts `program` into the namespace as /name and starts it.
    pub async fn start(&self, name: &str, program: &[u8], with: With) -> Result<Task> {
        self.put(&format!("/{name}"), program).await;
        self.start_again(name, with).await
    }

    pub async fn start_again(&self, name: &str, with: With) -> Result<Task> {
        let (stdin, stderr) = (Stream::new(), Stream::new());
        let stdout = with.stdout.unwrap_or_else(Stream::new);
        let usage = Arc::new(Usage::default());
        let argv = if with.argv.is_empty() { vec![name] } else { with.argv };
        let start = Start {
            id: TaskId(1),
            ppid: None,
            program: self.place(&format!("/{name}")).await?,
            argv: argv.iter().map(|a| a.as_bytes().to_vec()).collect(),
            env: with.env.iter().map(|(k, v)| (k.as_bytes().to_vec(), v.as_bytes().to_vec())).collect(),
            cwd: self.place(with.cwd.unwrap_or("/")).await?,
            ns: self.ns.clone(),
            who: self.who.clone(),
            stdio: [stdin.clone(), stdout.clone(), stderr.clone()],
            caps: Arc::new(with.caps),
            limits: with.limits,
            usage: usage.clone(),
            trace: with.trace,
            group: None,
            table: std::sync::Weak::new(),
        };
        let running = self.runtime.start(start).await?;
        Ok(Task { running, stdin, stdout, stderr, usage })
    }

    /// Runs a WAT program, or a binary one, to its end.
    pub async fn run(&self, program: impl AsRef<[u8]>, with: With) -> (Exit, Task) {
        let task = self.start("main.wat", program.as_ref(), with).await.expect("started");
        (task.end().await, task)
    }
    /// The error of a program that cannot be started.
    pub async fn refused(&self, name: &str, program: &[u8]) -> Error {
        match self.start(name, program, With::default()).await {
            Ok(_) => panic!("{name} was started"),
            Err(error) => error,
        }
    }
}

impl Task {
    /// Its end, which must come soon.
    pub async fn end(&self) -> Exit {
        tokio::time::timeout(Duration::from_secs(60), self.running.wait()).await.expect("an end")
    }
}

/// The start of every WAT program here: the imports that `names` lists, a memory of a page, and `check`, which ends the
/// guest with an errno that is not the expected one.
pub fn wat(body: &str) -> String {
    format!(
        r#"(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_close" (func $fd_close (param i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_seek" (func $fd_seek (param i32 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open"
    (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_get" (func $args_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $args_sizes_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_get" (func $environ_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_sizes_get" (func $environ_sizes_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "random_get" (func $random_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll_oneoff (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  ;; Ends with the errno where it is not the one that was expected.
  (func $expect (param $errno i32) (param $wanted i32)
    (if (i32.ne (local.get $errno) (local.get $wanted))
      (then (call $proc_exit (i32.add (i32.const 100) (local.get $errno))))))
  ;; Writes `len` bytes at `at` to `fd`.
  (func $print (param $fd i32) (param $at i32) (param $len i32)
    (i32.store (i32.const 0) (local.get $at))
    (i32.store (i32.const 4) (local.get $len))
    (call $expect (call $fd_write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8)) (i32.const 0)))
  {body})"#
    )
}

/// The preview 1 command `wat` as a component that calls preview 2.
pub fn component(wat: &str) -> Vec<u8> {
    component::of_its_own(&wat::parse_str(wat).expect("a module")).expect("a component")
}

/// The preview 1 command `wat` as the component that tools make of it.
pub fn adapted(wat: &str) -> Vec<u8> {
    component::of_module(&wat::parse_str(wat).expect("a module")).expect("a component")
}
