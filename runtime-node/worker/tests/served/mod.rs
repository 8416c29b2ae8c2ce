//! A server for one worker: a namespace and a control tree, each a host directory, over a socket pair.

#![allow(dead_code)] // each test file takes what it needs

use nine::server::{Config, Peer, serve};
use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use vfs::export::{Admitted, Doorkeeper, Export};
use vfs::{Caller, HostTree, MemTree, Namespace, NodeRef, Op, Place};
use wall::Hello;

/// The task's namespace and the control tree.
struct Door {
    task: Namespace,
    control: Namespace,
}

impl Doorkeeper for Door {
    type Context = ();

    fn admit<'a>(&'a self, peer: &'a Peer<'a, ()>) -> Op<'a, Admitted> {
        let place = match peer.aname {
            b"worker" => self.control.root(),
            _ => self.task.root(),
        };
        Op::ok(Admitted { place, who: Arc::new(Caller::me()), connection: 1, top: None, overseer: None })
    }
}

/// A program to be run.
pub struct Program {
    dir: tempfile::TempDir,
    root: Option<NodeRef>,
    stdin: String,
    args: Vec<String>,
    env: BTreeMap<String, String>,
    cwd: String,
}

/// How it ended.
#[derive(Debug)]
pub struct Ended {
    pub stdout: String,
    pub stderr: String,
    pub exit: serde_json::Value,
    /// What the worker itself had to say.
    pub log: String,
    dir: tempfile::TempDir,
}

impl Program {
    /// With these files in its namespace.
    pub fn new(files: &[(&str, &str)]) -> Program {
        let dir = tempfile::tempdir().expect("a directory for the test");
        let program = Program {
            dir,
            root: None,
            stdin: String::new(),
            args: Vec::new(),
            env: BTreeMap::new(),
            cwd: "/".into(),
        };
        std::fs::create_dir_all(program.root()).expect("the namespace");
        for (path, text) in files {
            write(&program.root().join(path.trim_start_matches('/')), text);
        }
        program
    }

    /// The host directory that is its namespace.
    pub fn root(&self) -> PathBuf {
        self.dir.path().join("root")
    }

    pub fn stdin(mut self, text: &str) -> Program {
        self.stdin = text.into();
        self
    }

    pub fn args(mut self, args: &[&str]) -> Program {
        self.args = args.iter().map(|arg| arg.to_string()).collect();
        self
    }

    pub fn env(mut self, name: &str, value: &str) -> Program {
        self.env.insert(name.into(), value.into());
        self
    }

    pub fn cwd(mut self, dir: &str) -> Program {
        self.cwd = dir.into();
        self
    }

    /// Its files copied into memory, instead of on the host.
    pub fn in_memory(mut self) -> Program {
        let namespace = Namespace::new(MemTree::new().root(), "memory");
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(copy(&self.root(), namespace.root()));
        self.root = Some(namespace.root().node().clone());
        self
    }

    /// With a directory of the host's as its namespace.
    pub fn on_host(mut self, dir: &Path) -> Program {
        self.root = Some(HostTree::open(dir).expect("a directory").root());
        self
    }

    /// Runs it to its end.
    pub fn run(self, program: &str) -> Ended {
        self.start(Some(program))
    }

    /// Its arguments are Node's own command line.
    pub fn run_as_node(self) -> Ended {
        self.start(None)
    }

    fn start(self, program: Option<&str>) -> Ended {
        let control = self.dir.path().join("control");
        let spec = serde_json::json!({
            "id": 7, "ppid": 3, "program": program, "args": self.args, "execArgv": [], "env": self.env,
            "cwd": self.cwd, "stdio": ["file", "file", "file"], "limits": {"memory": null},
            "caps": {"text": "", "spawn": true, "allFiles": true}, "hostname": "taskfs", "uid": 0, "gid": 0,
            "groups": [], "umask": 18,
        });
        write(&control.join("spec"), &spec.to_string());
        write(&control.join("stdio/0"), &self.stdin);
        for name in ["ready", "signals", "exit", "stdio/1", "stdio/2"] {
            write(&control.join(name), "");
        }
        let tree = |dir: &Path| HostTree::open(dir).expect("a directory").root();
        let task = self.root.clone().unwrap_or_else(|| tree(&self.root()));
        let door =
            Door { task: Namespace::new(task, "task"), control: Namespace::new(tree(&control), "control") };
        let (ours, theirs) = UnixStream::pair().expect("a socket pair");
        let server = std::thread::spawn(move || {
            // What a worker is held by, kept until it has ended.
            let ours = OwnedFd::from(ours);
            let _held = Hello::hear(&ours).expect("a worker says what wall it has");
            Hello::accept(&ours, None).expect("it hears that it may go on");
            let ours = UnixStream::from(ours);
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                ours.set_nonblocking(true).expect("a socket");
                let stream = tokio::net::UnixStream::from_std(ours).expect("a socket");
                let _ = serve(Arc::new(Export::new(door)), Arc::new(()), stream, Config::default()).await;
            });
        });
        let worker = Command::new(executable())
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .env_clear()
            .spawn()
            .expect("the worker");
        let output = worker.wait_with_output().expect("the worker");
        server.join().expect("the server");
        let said = |name: &str| {
            String::from_utf8_lossy(&std::fs::read(control.join(name)).expect("a file")).into_owned()
        };
        let exit = said("exit");
        let log = String::from_utf8_lossy(&output.stderr).into_owned();
        Ended {
            stdout: said("stdio/1"),
            stderr: said("stdio/2"),
            exit: serde_json::from_str(&exit)
                .unwrap_or_else(|e| panic!("exit: {e}: {exit:?}; the worker: {}\n{log}", output.status)),
            log,
            dir: self.dir,
        }
    }
}

impl Ended {
    /// A file of its namespace.
    pub fn file(&self, path: &str) -> String {
        let path = self.dir.path().join("root").join(path.trim_start_matches('/'));
        std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    }

    /// Its output, where it ended well.
    #[track_caller]
    pub fn output(&self) -> &str {
        assert_eq!(self.exit["code"], 0, "{}\n{}\n{}", self.exit, self.stderr, self.log);
        assert_eq!(self.stderr, "");
        &self.stdout
    }
}

fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().expect("a file has a directory")).expect("a directory");
    std::fs::write(path, text).expect("a file");
}

/// Copies a host directory's files into an empty directory of a namespace.
async fn copy(from: &Path, to: Place) {
    let who = Caller::me();
    for entry in std::fs::read_dir(from).expect("a directory") {
        let entry = entry.expect("an entry");
        let name = entry.file_name();
        let name = vfs::Name::new(name.as_encoded_bytes()).expect("a name");
        if entry.path().is_dir() {
            let dir = to.mkdir(&who, name, vfs::Mode::new(0o777)).await.expect("a directory");
            Box::pin(copy(&entry.path(), dir)).await;
        } else {
            let text = std::fs::read(entry.path()).expect("a file");
            let flags = vfs::OpenFlags::WRITE;
            let made = to.create(&who, name, vfs::Mode::new(0o644), flags).await.expect("a file");
            made.file.write(0, &text).await.expect("a write");
        }
    }
}

/// What is tested: the executable that TASKFS_NODE_TESTED names, or the one of this build.
fn executable() -> PathBuf {
    let tested = std::env::var_os("TASKFS_NODE_TESTED");
    tested.unwrap_or_else(|| env!("CARGO_BIN_EXE_taskfs-node").into()).into()
}

/// Whether that has a small engine: QuickJS.
pub fn is_quickjs() -> bool {
    let version = Command::new(executable()).arg("--version").output().expect("the worker");
    String::from_utf8_lossy(&version.stdout).contains(" quickjs ")
}
