//! Programs that are measured or measured against: the `taskfs` command, a server of it, guests, and what the machine has.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The first argument that makes this program the `taskfs` command.
pub const TASKFS: &str = "taskfs";

pub fn me() -> Command {
    Command::new(std::env::current_exe().expect("a running program has a path"))
}

pub fn taskfs() -> Command {
    let mut command = me();
    command.arg(TASKFS);
    command
}

/// A compiled guest, or the directory of all (`make guests`).
pub fn guest(name: &str) -> PathBuf {
    let path = tests::guests().join(name);
    assert!(path.exists(), "{} is missing: make guests", path.display());
    path
}

/// `SRC:DST:ro` of a guest in /bin.
pub fn bind_of(name: &str) -> String {
    format!("{}:/bin/{name}:ro", guest(name).display())
}

/// A directory in memory: what the kernel's own memory file system is measured in.
pub fn tmpfs() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").expect("a directory on tmpfs")
}

/// How long a program takes from its start to its end.
pub fn run(command: &mut Command) -> Duration {
    let began = Instant::now();
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status();
    let took = began.elapsed();
    match status {
        Ok(status) if status.success() => took,
        failed => panic!("{command:?}: {failed:?}"),
    }
}

/// The processor time that this program has had.
pub fn own_processor_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::try_from(time).expect("a time since the start")
}

/// The processor time that the threads of a running program have had.
pub fn processor_time(pid: u32) -> Duration {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).expect("it runs").flatten();
    // A thread may end meanwhile.
    let had = threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("schedstat")).ok());
    let nanos = had.filter_map(|had| had.split(' ').next()?.parse().ok());
    nanos.map(Duration::from_nanos).sum()
}

/// Whether a program is on the path.
pub fn there_is(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(program).is_file())
}

/// A running server, told to end when dropped.
pub struct Server {
    child: Child,
    pub dir: tempfile::TempDir,
    /// Its listeners, as addresses, and what is mounted where.
    said: Vec<String>,
}

impl Server {
    /// Starts `taskfs serve` with `args`; `{dir}` in one stands for a temporary directory of the server's own.
    pub fn start(args: &[&str]) -> Server {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let here = dir.path().to_str().expect("a UTF-8 path").to_owned();
        let mut command = taskfs();
        command.arg("serve").args([
            "--listen",
            &format!("unix://{here}/sock"),
            "--cache",
            &format!("{here}/cache"),
        ]);
        command.args(args.iter().map(|arg| arg.replace("{dir}", &here)));
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("this program starts");
        let out = BufReader::new(child.stdout.take().expect("piped"));
        let said: Vec<String> =
            out.lines().map_while(Result::ok).take_while(|line| line != "ready").collect();
        Server { child, dir, said }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }
    pub fn unix(&self) -> String {
        format!("unix:{}/sock", self.dir.path().display())
    }
    pub fn tcp(&self) -> String {
        let addr = self.said.iter().find_map(|line| line.strip_prefix("listening on tcp://"));
        format!("tcp:{}", addr.expect("a TCP listener"))
    }

    /// Its memory (VmRSS), in bytes.
    pub fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a VmRSS line");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        // It may have ended by itself, which its clients have noticed.
        let _ended = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _waited = self.child.wait();
    }
}
