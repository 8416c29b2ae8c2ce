//! `taskfs serve`: where it listens and where it refuses to, what it takes over from a dead one, and how it ends.

use std::fs;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};
use tests::{Server, finish, guest, guests, has_fuse, sh, taskfs, text};

const LIMIT: Duration = Duration::from_secs(30);

fn refused(args: &[&str]) -> (Option<i32>, String) {
    let cache = tempfile::tempdir().expect("a temporary directory");
    let mut command = Command::new(taskfs());
    command.arg("serve").args(args).env("TASKFS_CACHE", cache.path().join("modules"));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let Output { status, stderr, .. } = finish(command.spawn().expect("taskfs starts"), "a refusal", LIMIT);
    (status.code(), String::from_utf8_lossy(&stderr).into_owned())
}

fn signal(pid: u32, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(pid as i32).expect("a pid");
    rustix::process::kill_process(pid, signal).expect("it runs");
}

fn until(what: &str, done: impl Fn() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !done() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn is_mounted(dir: &std::path::Path) -> bool {
    let mounts = fs::read_to_string("/proc/self/mounts").expect("/proc is there");
    mounts.lines().any(|line| line.split(' ').nth(1) == dir.to_str())
}

#[test]
fn addresses_that_other_machines_reach_are_refused_with_the_reason() {
    for addr in ["tcp://0.0.0.0:0", "tcp://[::]:0"] {
        let (status, err) = refused(&["--listen", addr]);
        assert_eq!(status, Some(64), "{err}");
        assert!(err.contains(addr) && err.contains("without authentication"), "{err}");
    }
}

#[test]
fn the_unix_socket_is_its_users_alone_and_goes_with_the_server() {
    let mut server = Server::start(&[]);
    let socket = server.path("sock");
    assert_eq!(fs::metadata(&socket).expect("the socket").permissions().mode() & 0o777, 0o600);
    assert_eq!(server.stop(), Some(0));
    assert!(!socket.exists());
}

#[test]
fn a_dead_servers_socket_is_taken_over_and_a_live_ones_is_not() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = dir.path().join("sock");
    // Nobody listens any more at what is left in the file system.
    drop(std::os::unix::net::UnixListener::bind(&path).expect("a socket"));
    let addr = format!("unix://{}", path.display());
    let mut server = Server::start(&["--listen", &addr]);
    let (status, err) = refused(&["--listen", &addr]);
    assert_eq!(status, Some(69), "{err}");
    assert!(err.contains("another server listens there"), "{err}");
    assert!(server.is_running() && path.exists());
    drop(server);
    fs::write(&path, "a file").expect("a file");
    let (status, err) = refused(&["--listen", &addr]);
    assert_eq!(status, Some(73), "{err}");
    assert!(err.contains("is no socket"), "{err}");
    assert_eq!(fs::read_to_string(&path).expect("the file is still there"), "a file");
}

#[test]
fn the_end_of_a_server_ends_its_tasks_mounts_and_sockets() {
    if !has_fuse("a server's end with a FUSE mount") {
        return;
    }
    guest("loop.wasm");
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mount = dir.path().to_str().expect("a UTF-8 path");
    let bind = format!("{}:/guests:ro", guests().display());
    let mut server = Server::start(&["--mount", mount, "--bind", &bind]);
    assert!(is_mounted(dir.path()));
    let script = "id=$(cat $M/task/new); echo /guests/loop.wasm > $M/task/$id/cmd; echo start > $M/task/$id/ctl; echo $id";
    let id = text(sh(script, &[("M", mount)], LIMIT));
    // Somebody still waits for the task.
    let mut reader = Command::new("cat")
        .arg(dir.path().join(format!("task/{}/wait", id.trim())))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("cat starts");
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(server.stop(), Some(0));
    assert!(!is_mounted(dir.path()));
    assert_eq!(fs::read_dir(dir.path()).expect("the bare directory").count(), 0);
    assert!(!server.path("sock").exists());
    let mut said = String::new();
    let _whatever_it_got = reader.stdout.take().expect("piped").read_to_string(&mut said);
    reader.wait().expect("the reader is gone too");
}

/// The processor time that the threads which take a server's FUSE requests have had, in nanoseconds.
fn processor_time_of_mounts(server: &Server) -> u64 {
    let threads = fs::read_dir(format!("/proc/{}/task", server.pid())).expect("it runs").flatten();
    let had = threads.filter_map(|thread| {
        let name = fs::read_to_string(thread.path().join("comm")).ok()?;
        let had = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        name.starts_with("fuser-").then(|| had.split(' ').next()?.parse::<u64>().ok()).flatten()
    });
    had.sum()
}

#[test]
fn a_mount_that_nobody_asks_takes_no_processor_time_however_busy_it_was() {
    if !has_fuse("an idle FUSE mount") {
        return;
    }
    let dir = tempfile::tempdir().expect("a temporary directory");
    let server = Server::start(&["--mount", dir.path().to_str().expect("a UTF-8 path")]);
    let file = dir.path().join("tmp/f");
    for _ in 0..3000 {
        fs::write(&file, "x").expect("writable");
        fs::remove_file(&file).expect("it is there");
    }
    assert!(processor_time_of_mounts(&server) > 0, "the threads that answered are among them");
    // What the last request has left behind is done with.
    until("nothing moves", || {
        let before = processor_time_of_mounts(&server);
        std::thread::sleep(Duration::from_millis(300));
        processor_time_of_mounts(&server) == before
    });
}

#[test]
fn a_mount_that_a_killed_server_left_is_taken_away_by_the_next() {
    if !has_fuse("a stale FUSE mount") {
        return;
    }
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mount = dir.path().to_str().expect("a UTF-8 path");
    let mut first = Server::start(&["--mount", mount]);
    signal(first.pid(), rustix::process::Signal::KILL);
    until("its mount is dead", || fs::metadata(dir.path()).is_err());
    while first.is_running() {
        std::thread::sleep(Duration::from_millis(10));
    }
    let mut second = Server::start(&["--mount", mount]);
    assert_eq!(text(sh("ls -d $M/task", &[("M", mount)], LIMIT)), format!("{mount}/task\n"));
    assert_eq!(second.stop(), Some(0));
    assert!(!is_mounted(dir.path()));
}

#[test]
fn a_server_can_be_interrupted_twice() {
    let mut server = Server::start(&[]);
    signal(server.pid(), rustix::process::Signal::INT);
    let pid = rustix::process::Pid::from_raw(server.pid() as i32).expect("a pid");
    // It may be gone already.
    let _second = rustix::process::kill_process(pid, rustix::process::Signal::INT);
    until("it ends", {
        let server = std::cell::RefCell::new(&mut server);
        move || !server.borrow_mut().is_running()
    });
}

#[test]
fn a_directory_of_the_host_can_be_the_root_and_nothing_beside_it_is_reached() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    fs::create_dir(dir.path().join("root")).expect("a directory");
    fs::write(dir.path().join("root/inside"), "inside\n").expect("a file");
    fs::write(dir.path().join("outside"), "outside\n").expect("a file");
    std::os::unix::fs::symlink("../outside", dir.path().join("root/link")).expect("a link");
    let spec = format!("host:{}", dir.path().join("root").display());
    let server = Server::start(&["--root", &spec]);
    let (taskfs, unix) = (taskfs(), server.unix());
    let vars = [("T", taskfs.to_str().expect("a UTF-8 path")), ("TASKFS_SERVER", &*unix)];
    let script = "$T cat /inside; $T cat /../outside /link 2>/dev/null; $T write /made by us; $T cat /made";
    assert_eq!(text(sh(script, &vars, LIMIT)), "inside\nby us\n");
    let made = fs::metadata(dir.path().join("root/made")).expect("it is on the host");
    assert_eq!((made.size(), made.uid()), (6, rustix::process::geteuid().as_raw()));
    let (status, err) = refused(&["--root", "host:/no/such/dir", "--listen", "unix:///tmp/never.sock"]);
    assert_eq!(status, Some(66), "{err}");
    assert!(err.contains("/no/such/dir"), "{err}");
}
