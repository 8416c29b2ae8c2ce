//! What the end-to-end tests stand on: the built binary as a server, a shell with a time limit, and the guests.
//!
//! Everything here works from outside, as a user would: processes, mounts, sockets. What a machine cannot run is said with
//! [`cannot_run`], and listed at the end of `make test`.

pub mod bystander;
pub mod disk;
pub mod door;
pub mod engines;
pub mod habits;
pub mod inside;
pub mod kept;
pub mod kernel;
pub mod live;
pub mod matrix;
pub mod programs;
pub mod project;
pub mod promises;
pub mod typist;
pub mod users;
pub mod wire;

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// The built `taskfs`, which stands beside the test's own directory.
pub fn taskfs() -> PathBuf {
    if let Some(path) = std::env::var_os("TASKFS_BIN") {
        return path.into();
    }
    let test = std::env::current_exe().expect("a running test has a path");
    let dir = test.parent().and_then(Path::parent).expect("tests run from <profile>/deps");
    let bin = dir.join("taskfs");
    assert!(bin.exists(), "{} is missing: cargo build -p fs-server", bin.display());
    bin
}

/// The top of the checkout. Cargo says at run time where that is: kept products may have been compiled in another.
pub fn top() -> PathBuf {
    let here = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    Path::new(&here).ancestors().find(|dir| dir.join("CHANGELOG.md").exists()).expect("a checkout").to_owned()
}

/// The compiled guest programs (`make guests`).
pub fn guests() -> PathBuf {
    std::env::var_os("TASKFS_GUESTS").map_or_else(|| top().join("build/guests"), PathBuf::from)
}

/// The guest `name`; without it the test cannot run, which is an error: `make guests` builds them all.
pub fn guest(name: &str) -> PathBuf {
    let path = guests().join(name);
    assert!(path.exists(), "{} is missing: make guests", path.display());
    path
}

/// Notes that this machine cannot run `what`, for the list at the end of `make test`.
pub fn cannot_run(what: &str, why: &str) {
    eprintln!("not run here: {what}: {why}");
    if let Some(list) = std::env::var_os("TASKFS_SKIPPED") {
        let mut list =
            std::fs::OpenOptions::new().create(true).append(true).open(list).expect("the list of skips");
        writeln!(list, "{what}: {why}").expect("the list of skips");
    }
}

/// Whether FUSE mounts work here; says so where they do not.
pub fn has_fuse(what: &str) -> bool {
    let there = std::fs::OpenOptions::new().read(true).write(true).open("/dev/fuse").is_ok();
    if !there {
        cannot_run(what, "no usable /dev/fuse");
    }
    there
}

/// A running `taskfs serve`, ended with SIGTERM when dropped.
pub struct Server {
    child: Child,
    pub dir: tempfile::TempDir,
    /// What it said it listens on, as addresses.
    pub listening: Vec<String>,
}

impl Server {
    /// Starts `taskfs serve` with a unix socket of its own and `args`; returns when it is ready. `{dir}` in an argument
    /// stands for the server's own temporary directory.
    pub fn start(args: &[&str]) -> Server {
        Server::start_program(&taskfs(), args)
    }

    /// The same with another program in the binary's place, which becomes it.
    pub fn start_program(program: &Path, args: &[&str]) -> Server {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let here = dir.path().to_str().expect("a UTF-8 path").to_owned();
        let mut command = Command::new(program);
        command.arg("serve").args(["--listen", &format!("unix://{here}/sock")]);
        command.args(args.iter().map(|a| a.replace("{dir}", &here)));
        // Workers that are made meanwhile would be counted among what the server holds.
        if !args.iter().any(|arg| arg.starts_with("--node")) {
            command.args(["--node-pool", "0"]);
        }
        command.env("TASKFS_CACHE", format!("{here}/cache"));
        let mut child = command.stdout(Stdio::piped()).stdin(Stdio::null()).spawn().expect("taskfs starts");
        let stdout = child.stdout.take().expect("piped");
        let (said, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if said.send(line).is_err() {
                    break;
                }
            }
        });
        let mut listening = Vec::new();
        loop {
            match lines.recv_timeout(Duration::from_secs(20)) {
                Ok(line) if line == "ready" => break,
                Ok(line) => listening.extend(line.strip_prefix("listening on ").map(str::to_owned)),
                Err(_) => panic!("taskfs serve did not get ready: {:?}", child.try_wait()),
            }
        }
        // Whatever it says later must not block it.
        std::thread::spawn(move || while lines.recv().is_ok() {});
        Server { child, dir, listening }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
    /// What its descriptors are open for.
    pub fn open_files(&self) -> Vec<String> {
        let all = std::fs::read_dir(format!("/proc/{}/fd", self.pid())).expect("it runs");
        let paths = all.filter_map(|fd| std::fs::read_link(fd.ok()?.path()).ok());
        paths.map(|path| path.display().to_string()).collect()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }
    /// The address of its unix socket.
    pub fn unix(&self) -> String {
        format!("unix://{}/sock", self.dir.path().display())
    }
    /// The port of its TCP listener.
    pub fn port(&self) -> u16 {
        let tcp = self.listening.iter().find(|a| a.starts_with("tcp://")).expect("a TCP listener");
        tcp.rsplit(':').next().and_then(|p| p.parse().ok()).expect("a port")
    }
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }
    /// Asks it to end; its exit status.
    pub fn stop(&mut self) -> Option<i32> {
        let pid = rustix::process::Pid::from_raw(self.child.id() as i32).expect("a pid");
        let _gone_already = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let deadline = Instant::now() + Duration::from_secs(15);
        while Instant::now() < deadline {
            if let Ok(Some(status)) = self.child.try_wait() {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        self.child.kill().expect("a child can be killed");
        self.child.wait().expect("a child can be waited for");
        panic!("the server did not end on SIGTERM");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            if std::thread::panicking() {
                let pid = rustix::process::Pid::from_raw(self.child.id() as i32).expect("a pid");
                let _best_effort = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
                std::thread::sleep(Duration::from_secs(1));
                let _best_effort = self.child.kill();
                let _best_effort = self.child.wait();
            } else {
                self.stop();
            }
        }
    }
}

/// `taskfs mount` of a server, over FUSE; ended when dropped.
pub struct Import(Child);

impl Import {
    /// Mounted at `dir` when it returns.
    pub fn of(server: &Server, dir: &Path) -> Import {
        let mut command = Command::new(taskfs());
        command
            .args(["mount", "--with", "fuse", "--foreground", &server.unix()])
            .arg(dir)
            .stdin(Stdio::null());
        let import = Import(command.spawn().expect("taskfs starts"));
        let deadline = Instant::now() + Duration::from_secs(20);
        while !dir.join("tmp").exists() {
            assert!(Instant::now() < deadline, "taskfs mount did not mount {}", dir.display());
            std::thread::sleep(Duration::from_millis(10));
        }
        import
    }
}

impl Drop for Import {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_raw(self.0.id() as i32).expect("a pid");
        let _ended_already = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ended_already = self.0.wait();
    }
}

/// Runs a bash script, with `vars` in its environment, for `limit` at most: its output and status. Its process group
/// dies with it.
pub fn sh(script: &str, vars: &[(&str, &str)], limit: Duration) -> Output {
    let mut command = Command::new("bash");
    command.arg("-c").arg(script).envs(vars.iter().copied());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    finish(command.spawn().expect("bash starts"), script, limit)
}

/// Waits for `child` for `limit` at most.
pub fn finish(mut child: Child, what: &str, limit: Duration) -> Output {
    fn reader(mut from: impl Read + Send + 'static) -> mpsc::Receiver<Vec<u8>> {
        let (tx, rx) = mpsc::channel();
        std::thread::spawn(move || {
            let mut all = Vec::new();
            let _what_came = from.read_to_end(&mut all);
            let _receiver_gone = tx.send(all);
        });
        rx
    }
    let stdout = reader(child.stdout.take().expect("piped"));
    let stderr = reader(child.stderr.take().expect("piped"));
    let deadline = Instant::now() + limit;
    let status = loop {
        if let Some(status) = child.try_wait().expect("a child can be waited for") {
            break status;
        }
        if Instant::now() > deadline {
            let group = rustix::process::Pid::from_raw(child.id() as i32).expect("a pid");
            let _best_effort = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
            panic!("not done after {limit:?}: {what}");
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let wait = Duration::from_secs(2);
    Output {
        status,
        stdout: stdout.recv_timeout(wait).unwrap_or_default(),
        stderr: stderr.recv_timeout(wait).unwrap_or_default(),
    }
}

/// Standard output as text, after asserting success.
pub fn text(output: Output) -> String {
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{}\nstdout: {out}\nstderr: {err}", output.status);
    out
}
