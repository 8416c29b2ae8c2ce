//! Locks between clients: flock(2), fcntl(2) and open file description locks of two mounts and of 9P connections exclude each
//! other, give way when their holders close or die, and can be interrupted.

use nine::client::{Client, Fid};
use nine::wire::{Dialect, LockFlags, LockKind, LockStatus, LockedRange, Msize, OpenFlags, Uid};
use rustix::fs::{FlockOperation, fcntl_lock, flock};
use std::fs::{File, OpenOptions};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tests::{Server, has_fuse, sh, text};

/// One server with two mounts; each shows the same files to a kernel's inode of its own.
struct Rig {
    server: Server,
    file: &'static str,
}

impl Rig {
    /// With a file to lock; nothing where the machine has no FUSE.
    fn new(root: &str, what: &str) -> Option<Rig> {
        if !has_fuse(what) {
            return None;
        }
        let host = root.strip_prefix("host:");
        let below = host.map(|_| tempfile::tempdir().expect("a directory"));
        let root = below.as_ref().map_or(root.to_owned(), |dir| format!("host:{}", dir.path().display()));
        let mounts = tempfile::tempdir().expect("a directory").keep();
        let (one, two) = (mounts.join("one"), mounts.join("two"));
        std::fs::create_dir(&one).expect("a mount point");
        std::fs::create_dir(&two).expect("a mount point");
        let [one, two] = [one, two].map(|dir| dir.to_str().expect("a UTF-8 path").to_owned());
        let server = Server::start(&["--root", &root, "--mount", &one, "--mount", &two]);
        let link = |name: &str, to: &str| std::os::unix::fs::symlink(to, server.path(name)).expect("a link");
        link("one", &one);
        link("two", &two);
        if let Some(below) = below {
            // It lives as long as the server, whose own directory goes with it.
            let _kept = below.keep();
        }
        let rig = Rig { server, file: "locked" };
        std::fs::write(rig.path("one"), b"0123456789").expect("a file on the mount");
        Some(rig)
    }

    fn path(&self, mount: &str) -> PathBuf {
        self.server.path(mount).join(self.file)
    }

    fn open(&self, mount: &str) -> File {
        OpenOptions::new().read(true).write(true).open(self.path(mount)).expect("it is there")
    }

    fn flock_free(&self, mount: &str, how: FlockOperation) -> bool {
        let file = self.open(mount);
        match flock(&file, how) {
            Ok(()) => {
                // It may outlive the close by a moment (docs/posix.md), and the next who asks would meet it.
                flock(&file, FlockOperation::Unlock).expect("it is ours");
                true
            }
            Err(rustix::io::Errno::WOULDBLOCK) => false,
            Err(error) => panic!("flock: {error}"),
        }
    }

    /// A process of its own that takes a lock with python's fcntl module, says so, and keeps it until its stdin ends.
    fn holder(&self, mount: &str, take: &str) -> Holder {
        let script = format!(
            "import fcntl, os, struct, sys\nf = open(sys.argv[1], 'r+b')\n{take}\nprint('held', flush=True)\nsys.stdin.read()\n"
        );
        let mut child = Command::new("python3")
            .args(["-c", &script])
            .arg(self.path(mount))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 starts");
        let mut line = String::new();
        let mut out = std::io::BufReader::new(child.stdout.take().expect("piped"));
        std::io::BufRead::read_line(&mut out, &mut line).expect("it says something");
        assert_eq!(line, "held\n", "{take}");
        Holder(child)
    }

    /// A .L connection's open file.
    async fn nine(&self) -> Fid {
        let stream = tokio::net::UnixStream::connect(self.server.path("sock")).await.expect("it listens");
        let client = Client::connect(stream, Dialect::P9P2000L, Msize(1 << 16)).await.expect("it speaks .L");
        let uid = Uid(rustix::process::geteuid().as_raw());
        let root = client.attach(b"", Some(uid), b"/").await.expect("a root");
        let mut fid = root.walk([self.file]).await.expect("the file");
        fid.open(OpenFlags::from_bits_retain(libc::O_RDWR as u32)).await.expect("it opens");
        fid
    }
}

struct Holder(Child);

impl Holder {
    fn ends(mut self) {
        drop(self.0.stdin.take());
        assert!(self.0.wait().expect("it can be waited for").success());
    }
    fn killed(mut self) {
        self.0.kill().expect("it can be killed");
        self.0.wait().expect("it can be waited for");
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ended_already = self.0.kill();
        let _ended_already = self.0.wait();
    }
}

fn soon(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(Instant::now() < deadline, "not within 20 s: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

const EXCLUSIVE: FlockOperation = FlockOperation::NonBlockingLockExclusive;
const SHARED: FlockOperation = FlockOperation::NonBlockingLockShared;

fn range(start: u64, length: u64, client_id: &[u8]) -> LockedRange<'_> {
    LockedRange { start, length, proc_id: 77, client_id }
}

#[test]
fn flock_excludes_across_two_mounts_of_either_tree_until_the_file_is_closed() {
    for root in ["mem", "host:"] {
        let Some(rig) = Rig::new(root, "flock across two mounts") else { return };
        let one = rig.open("one");
        flock(&one, EXCLUSIVE).unwrap();
        assert!(!rig.flock_free("two", EXCLUSIVE), "{root}");
        assert!(!rig.flock_free("two", SHARED), "{root}");
        assert!(!rig.flock_free("one", EXCLUSIVE), "{root}: another open file of the same process");
        flock(&one, SHARED).unwrap();
        assert!(rig.flock_free("two", SHARED), "{root}");
        assert!(!rig.flock_free("two", EXCLUSIVE), "{root}");
        // A descriptor more is the same open file: its close gives up nothing.
        drop(one.try_clone().unwrap());
        assert!(!rig.flock_free("two", EXCLUSIVE), "{root}: after the close of a duplicate");
        drop(one);
        soon("the lock goes with the last descriptor", || rig.flock_free("two", EXCLUSIVE));
    }
}

#[test]
fn flock_and_fcntl_of_one_process_do_not_see_each_other() {
    let Some(rig) = Rig::new("mem", "flock beside fcntl") else { return };
    let file = rig.open("one");
    flock(&file, FlockOperation::LockExclusive).unwrap();
    fcntl_lock(&file, FlockOperation::LockExclusive).unwrap();
    let both = rig.holder("two", "try: fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB); sys.exit(1)\nexcept BlockingIOError: pass\ntry: fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB); sys.exit(2)\nexcept BlockingIOError: pass");
    both.ends();
    fcntl_lock(&file, FlockOperation::Unlock).unwrap();
    rig.holder("two", "fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB)").ends();
    assert!(!rig.flock_free("two", EXCLUSIVE), "the record lock took the whole one along");
    flock(&file, FlockOperation::Unlock).unwrap();
    assert!(rig.flock_free("two", EXCLUSIVE));
}

#[test]
fn record_locks_of_two_mounts_meet_byte_by_byte_and_go_with_any_close_or_the_death_of_their_process() {
    let Some(rig) = Rig::new("mem", "fcntl across two mounts") else { return };
    let free = |start: u32, len: u32| {
        let take = format!(
            "try: fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB, {len}, {start})\nexcept BlockingIOError: print('held', flush=True); sys.exit(0)\nprint('held', flush=True); sys.exit(9)"
        );
        let mut holder = rig.holder("two", &take);
        holder.0.wait().unwrap().code() == Some(9)
    };
    let holder = rig.holder("one", "fcntl.lockf(f, fcntl.LOCK_EX, 4, 2)");
    assert!(free(0, 2) && free(6, 100) && !free(5, 1) && !free(0, 0));
    let reported = rig.holder("two", &format!("l = struct.unpack('hhqqi', fcntl.fcntl(f, fcntl.F_GETLK, struct.pack('hhqqi', fcntl.F_WRLCK, 0, 0, 0, 0)))\nassert l[0] == fcntl.F_WRLCK and l[2:4] == (2, 4) and l[4] == {}, l", holder.0.id()));
    reported.ends();
    holder.killed();
    soon("a dead process has no locks", || free(0, 0));
    let closer = rig.holder("one", "fcntl.lockf(f, fcntl.LOCK_EX)\nopen(sys.argv[1]).close()");
    assert!(free(0, 0), "the close of any descriptor gives them up");
    closer.ends();
}

#[test]
fn open_file_description_locks_belong_to_the_open_file_and_go_with_it() {
    let Some(rig) = Rig::new("mem", "open file description locks") else { return };
    let lock = |file: &File, kind: i32| {
        use std::os::fd::AsRawFd;
        let mut lock: libc::flock = unsafe { std::mem::zeroed() };
        (lock.l_type, lock.l_whence) = (kind as i16, libc::SEEK_SET as i16);
        unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &lock) == 0 }
    };
    let (a, b) = (rig.open("one"), rig.open("one"));
    assert!(lock(&a, libc::F_WRLCK) && !lock(&b, libc::F_RDLCK));
    assert!(!lock(&rig.open("two"), libc::F_RDLCK));
    drop(a.try_clone().unwrap());
    assert!(!lock(&b, libc::F_RDLCK), "the close of a duplicate gave it up");
    drop(a);
    soon("the close of the open file gives it up", || lock(&b, libc::F_WRLCK));
    assert!(!lock(&rig.open("two"), libc::F_RDLCK));
}

#[test]
fn a_9p_client_and_a_mount_exclude_each_other_with_either_call() {
    let Some(rig) = Rig::new("mem", "locks between FUSE and 9P") else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let fid = runtime.block_on(rig.nine());
    let ask = |kind| runtime.block_on(fid.lock(kind, LockFlags::empty(), range(0, 0, b"there"))).unwrap();
    assert_eq!(ask(LockKind::WRITE), LockStatus::SUCCESS);
    assert!(!rig.flock_free("one", EXCLUSIVE));
    let file = rig.open("two");
    assert_eq!(fcntl_lock(&file, EXCLUSIVE).unwrap_err(), rustix::io::Errno::AGAIN);
    assert_eq!(ask(LockKind::UNLOCK), LockStatus::SUCCESS);
    flock(&file, EXCLUSIVE).unwrap();
    assert_eq!(ask(LockKind::READ), LockStatus::BLOCKED);
    flock(&file, FlockOperation::Unlock).unwrap();
    fcntl_lock(&file, EXCLUSIVE).unwrap();
    assert_eq!(ask(LockKind::READ), LockStatus::BLOCKED);
    // One who waits gets it as soon as it is free, and whoever hangs up while he holds it frees it.
    std::thread::scope(|scope| {
        let waits = scope
            .spawn(|| runtime.block_on(fid.lock(LockKind::WRITE, LockFlags::BLOCK, range(0, 0, b"there"))));
        std::thread::sleep(Duration::from_millis(50));
        assert!(!waits.is_finished());
        fcntl_lock(&file, FlockOperation::Unlock).unwrap();
        assert_eq!(waits.join().unwrap().unwrap(), LockStatus::SUCCESS);
    });
    assert!(!rig.flock_free("one", EXCLUSIVE));
    runtime.block_on(async { drop(fid) });
    soon("a file that is clunked has no locks", || rig.flock_free("one", EXCLUSIVE));
}

#[test]
fn a_wait_for_a_lock_ends_with_a_signal_and_leaves_nothing_behind() {
    let Some(rig) = Rig::new("mem", "interrupted locks") else { return };
    let held = rig.open("one");
    flock(&held, FlockOperation::LockExclusive).unwrap();
    fcntl_lock(&held, FlockOperation::LockExclusive).unwrap();
    let path = rig.path("two");
    for (call, signal) in [("flock", "INT"), ("lockf", "INT"), ("flock", "KILL"), ("lockf", "KILL")] {
        let script = format!(
            "python3 -c \"import fcntl, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); f = open(sys.argv[1], 'r+b'); print('waits', flush=True); fcntl.{call}(f, fcntl.LOCK_EX)\" \"$F\" > \"$F.{call}{signal}\" & p=$!
             until grep -q waits \"$F.{call}{signal}\" 2>/dev/null; do sleep 0.01; done; sleep 0.1; kill -{signal} $p; wait $p 2>/dev/null; echo $?"
        );
        let said = text(sh(&script, &[("F", path.to_str().unwrap())], Duration::from_secs(30)));
        let status = if signal == "INT" { "130\n" } else { "137\n" };
        assert_eq!(said, status, "{call}, {signal}");
    }
    drop(held);
    soon("nobody is left waiting", || rig.flock_free("two", EXCLUSIVE));
}

#[test]
fn two_who_wait_for_each_other_are_told_of_the_deadlock() {
    let Some(rig) = Rig::new("mem", "deadlocks") else { return };
    let other = rig.holder(
        "two",
        "import threading\nfcntl.lockf(f, fcntl.LOCK_EX, 1, 1)\nthreading.Thread(target=lambda: fcntl.lockf(f, fcntl.LOCK_EX, 1, 0), daemon=True).start()",
    );
    // It holds byte 1 and asks for byte 0, which is ours; we ask for byte 1.
    let script = "import errno, fcntl, sys, time\nf = open(sys.argv[1], 'r+b')\nfcntl.lockf(f, fcntl.LOCK_EX, 1, 0)\nprint('held', flush=True)\nsys.stdin.readline()\ntry: fcntl.lockf(f, fcntl.LOCK_EX, 1, 1)\nexcept OSError as e: sys.exit(7 if e.errno == errno.EDEADLK else 8)\n";
    other.ends();
    let mut first = Command::new("python3")
        .args(["-c", script])
        .arg(rig.path("one"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(first.stdout.take().unwrap()), &mut line)
        .unwrap();
    let second = rig.holder(
        "two",
        "import threading, time\nfcntl.lockf(f, fcntl.LOCK_EX, 1, 1)\nthreading.Thread(target=lambda: fcntl.lockf(f, fcntl.LOCK_EX, 1, 0), daemon=True).start()\ntime.sleep(0.3)",
    );
    drop(first.stdin.take());
    assert_eq!(first.wait().unwrap().code(), Some(7), "EDEADLK");
    drop(second);
}

#[test]
fn a_synthetic_file_can_be_locked_too() {
    let Some(rig) = Rig::new("mem", "flock on a synthetic file") else { return };
    let (one, two) = (rig.server.path("one/task/new"), rig.server.path("two/task/new"));
    let (one, two) = (File::open(one).unwrap(), File::open(two).unwrap());
    flock(&one, EXCLUSIVE).unwrap();
    assert_eq!(flock(&two, EXCLUSIVE).unwrap_err(), rustix::io::Errno::WOULDBLOCK);
    drop(one);
    soon("it is free again", || flock(&two, EXCLUSIVE).is_ok());
}
