//! What a process behind the wall can reach: nothing, by any of the calls that a hostile one would try.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use wall::Hello;

/// The example of that name, which cargo builds with the tests.
fn captive() -> PathBuf {
    let test = std::env::current_exe().expect("this test is a file");
    test.parent().and_then(std::path::Path::parent).expect("in deps").join("examples/captive")
}

struct Captive {
    launcher: Child,
    socket: UnixStream,
    lines: BufReader<UnixStream>,
    hello: Hello,
}

impl Captive {
    fn new() -> Captive {
        let (ours, theirs) = UnixStream::pair().expect("a pair");
        ours.set_read_timeout(Some(Duration::from_secs(10))).expect("a time limit");
        let launcher = Command::new(captive())
            .stdin(OwnedFd::from(theirs))
            .stdout(Stdio::null())
            .env_clear()
            .spawn()
            .expect("the captive is built with this test");
        let ours = OwnedFd::from(ours);
        let hello = Hello::hear(&ours).expect("a hello");
        Hello::accept(&ours, None).expect("it waits for that");
        let socket = UnixStream::from(ours);
        let lines = BufReader::new(socket.try_clone().expect("a descriptor more"));
        Captive { launcher, socket, lines, hello }
    }

    fn tries(&mut self, what: &str) -> String {
        writeln!(self.socket, "{what}").expect("it is there");
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap_or_else(|e| panic!("{what}: {e}"));
        line.trim_end().to_owned()
    }

    /// Waits for its end and gives the init's status.
    fn end(mut self) -> i32 {
        let mut rest = Vec::new();
        // A reset is an end as well.
        let _reset = self.lines.read_to_end(&mut rest);
        // SAFETY: waits for a child of this process; the information is a local.
        unsafe {
            let mut info: libc::siginfo_t = std::mem::zeroed();
            let fd = self.hello.init.as_raw_fd() as libc::id_t;
            let waited = libc::waitid(libc::P_PIDFD, fd, &raw mut info, libc::WEXITED);
            assert_eq!(waited, 0, "the init is a child of ours: {}", std::io::Error::last_os_error());
            self.launcher.wait().expect("the launcher ends at once");
            info.si_status()
        }
    }
}

#[test]
fn nothing_of_the_machine_can_be_reached() {
    let mut captive = Captive::new();
    eprintln!("{}", captive.hello.report);
    let refused = [
        "open /etc/passwd",
        "open /proc/self/status",
        "open /",
        "open ..",
        "stat /",
        "mkdir /x",
        "unix socket",
        "netlink socket",
        "packet socket",
        "raw socket",
        "vsock socket",
        "kill 1",
        "kill all",
        "tgkill 1",
        "fork",
        "clone3",
        "exec",
        "ptrace",
        "process_vm_readv",
        "unshare",
        "setns",
        "mount",
        "setuid",
        "setgid",
        "setpriority",
        "pidfd_open",
        "bpf",
        "io_uring",
        "perf",
        "keyctl",
        "userfaultfd",
        "memfd",
        "inotify",
        "shmget",
        "dumpable",
        "forget parent",
        "sendmsg",
        "tiocsti",
        "bind to device",
    ];
    for what in refused {
        let answer = captive.tries(what);
        assert!(answer.starts_with("errno "), "{what}: {answer}");
    }
    for what in ["tcp socket", "thread"] {
        let answer = captive.tries(what);
        assert!(answer.starts_with("ok "), "an engine needs this: {what}: {answer}");
    }
    assert_eq!(captive.tries("no core"), "ok 0");
    assert_eq!(captive.tries("environment"), "ok 0");
}

#[test]
fn all_it_holds_is_the_socket() {
    let mut captive = Captive::new();
    assert_eq!(captive.tries("open descriptors"), "ok 4", "0 and 1 are /dev/null, 2 the log, 3 the socket");
}

#[test]
fn a_crash_is_told_from_an_end() {
    let ends = [("abort", 128 + libc::SIGABRT), ("segfault", 128 + libc::SIGSEGV), ("exit 7", 7)];
    for (what, status) in ends {
        let mut captive = Captive::new();
        if !captive.hello.report.has("pid") {
            eprintln!("not run on this machine: it has no pid namespaces for us");
            return;
        }
        writeln!(captive.socket, "{what}").expect("it is there");
        assert_eq!(captive.end(), status, "{what}");
    }
}

#[test]
fn killing_the_init_ends_a_worker_that_computes() {
    let mut captive = Captive::new();
    writeln!(captive.socket, "loop").expect("it is there");
    // SAFETY: a signal to a process of ours.
    let sent = unsafe {
        let init = captive.hello.init.as_raw_fd();
        libc::syscall(libc::SYS_pidfd_send_signal, init, libc::SIGKILL, std::ptr::null::<u8>(), 0)
    };
    assert_eq!(sent, 0);
    assert_eq!(captive.end(), libc::SIGKILL);
}
