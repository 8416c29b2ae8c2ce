//! kill -9, at random and under load: of the server, of its clients, of those who read its mount. Whoever is left goes on, and
//! what was answered is true.

use nine::wire::{Dialect, OpenFlags};
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tests::door::Door;
use tests::{Server, guests, has_fuse, taskfs};

const LIMIT: Duration = Duration::from_secs(60);

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !done() {
        assert!(Instant::now() < deadline, "not within {LIMIT:?}: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Numbers that are different each time, and the same again for the same start.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// A place where one server after the other lives and is killed: its socket, its mount, its host directory stay.
struct Site {
    dir: tempfile::TempDir,
}

impl Site {
    fn new() -> Site {
        let site = Site { dir: tempfile::tempdir().expect("a directory") };
        fs::create_dir(site.at("mnt")).expect("a directory");
        fs::create_dir(site.at("host")).expect("a directory");
        site
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Starts a server over whatever the one before has left; it must get ready.
    fn serve(&self, mount: bool) -> Child {
        let mut server = Command::new(taskfs());
        server.args(["serve", "--listen", &format!("unix://{}", self.at("sock").display())]);
        server.args(["--bind", &format!("{}:/host", self.at("host").display())]);
        server.args(["--bind", &format!("{}:/guests:ro", guests().display())]);
        if mount {
            server.arg("--mount").arg(self.at("mnt"));
        }
        server.env("TASKFS_CACHE", self.at("cache")).env("TASKFS_LOG", "error");
        let mut server = server.stdout(Stdio::piped()).stdin(Stdio::null()).spawn().expect("taskfs starts");
        let said = BufReader::new(server.stdout.take().expect("piped"));
        let is_ready = said.lines().any(|line| line.is_ok_and(|line| line == "ready"));
        assert!(is_ready, "the server started over what a dead one had left");
        server
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        // The last server was killed as well.
        let _not_mounted = rustix::mount::unmount(self.at("mnt"), rustix::mount::UnmountFlags::DETACH);
        let _not_mounted =
            Command::new("fusermount3").args(["-u", "-z", "-q", "--"]).arg(self.at("mnt")).status();
    }
}

fn kill(mut child: Child) {
    child.kill().expect("a child of ours");
    child.wait().expect("a child of ours");
}

/// Writes numbered lines to a new file until it fails; how many lines were taken.
fn write_until_it_breaks(path: &std::path::Path, started: &AtomicBool) -> u64 {
    let Ok(mut file) = fs::File::create(path) else { return 0 };
    let mut taken = 0;
    while taken < 1_000_000 && file.write_all(format!("{taken:07}\n").as_bytes()).is_ok() {
        taken += 1;
        started.store(true, Ordering::Relaxed);
    }
    taken
}

/// The same through `taskfs write`, a process of its own: what was given to it.
fn feed_a_client(site: &Site, name: &str) -> Child {
    let mut client = Command::new(taskfs());
    client.args([
        "write",
        "--server",
        &format!("unix://{}", site.at("sock").display()),
        &format!("/host/{name}"),
    ]);
    client.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut client = client.spawn().expect("taskfs starts");
    let mut input = client.stdin.take().expect("piped");
    std::thread::spawn(move || while input.write_all(&[b'x'; 4096]).is_ok() {});
    client
}

/// Kills the server `rounds` times in the middle of things; each next one takes over.
fn kill_the_server(rounds: u64) {
    let mount = has_fuse("kill -9 of a server that is mounted");
    let site = Site::new();
    let mut dice = Dice(0x5eed_0001);
    for round in 0..rounds {
        let server = site.serve(mount);
        let clients: Vec<Child> = (0..2).map(|n| feed_a_client(&site, &format!("client-{n}"))).collect();
        let by_mount = site.at("mnt/host/lines");
        let started = AtomicBool::new(!mount);
        let taken = std::thread::scope(|scope| {
            let writer = scope.spawn(|| if mount { write_until_it_breaks(&by_mount, &started) } else { 0 });
            // A task runs too, and somebody waits for it on the mount.
            let reader = mount.then(|| {
                let door = Door::Mount(site.at("mnt"));
                let task = door.start("/guests/sleep.wasm 600", "");
                let mut cat = Command::new("cat");
                cat.arg(site.at("mnt").join(&task[1..]).join("wait"))
                    .stdout(Stdio::null())
                    .stderr(Stdio::null());
                cat.spawn().expect("cat starts")
            });
            until("somebody writes", || started.load(Ordering::Relaxed));
            std::thread::sleep(Duration::from_micros(dice.below(30_000)));
            kill(server);
            if let Some(mut reader) = reader {
                // Nobody is left blocked on a server that is dead.
                until("the reader of a dead mount ends", || matches!(reader.try_wait(), Ok(Some(_))));
            }
            writer.join().expect("no panic")
        });
        clients.into_iter().for_each(kill);
        if mount {
            let error = fs::read_dir(site.at("mnt")).err().and_then(|error| error.raw_os_error());
            assert_eq!(error, Some(libc::ENOTCONN), "the dead mount is there");
            let text = fs::read_to_string(site.at("host/lines")).expect("the host's file");
            let lines: Vec<&str> = text.lines().collect();
            let whole = (0..taken).all(|n| lines.get(n as usize) == Some(&format!("{n:07}").as_str()));
            assert!(whole, "round {round}: {taken} lines were taken, the file has {}", lines.len());
        }
        for entry in fs::read_dir(site.at("host")).expect("the host's directory") {
            let name = entry.expect("readable").file_name();
            let name = name.to_string_lossy();
            assert!(
                ["lines", "client-0", "client-1"].contains(&&*name),
                "round {round}: {name} was left behind"
            );
        }
    }
    // And the last one is as good as new.
    let server = site.serve(mount);
    if mount {
        fs::write(site.at("mnt/host/after"), "all").expect("the mount is served again");
        assert_eq!(fs::read_to_string(site.at("host/after")).expect("the host's file"), "all");
    }
    kill(server);
}

#[test]
fn a_server_that_is_killed_twenty_times_is_followed_by_one_that_takes_over() {
    kill_the_server(20);
}

#[test]
#[ignore = "soak: three hundred servers are killed"]
fn soak_a_server_that_is_killed_three_hundred_times_is_followed_by_one_that_takes_over() {
    kill_the_server(300);
}

fn held(door: &Door) -> BTreeMap<String, f64> {
    let names = [
        "taskfs_9p_connections",
        "taskfs_9p_fids",
        "taskfs_9p_requests_in_flight",
        "taskfs_fuse_files",
        "taskfs_fuse_requests_waiting",
        "taskfs_runtime_guests{runtime=\"wasi\"}",
    ];
    let text = door.text("/dev/metrics");
    let figures = text.lines().filter_map(|line| line.rsplit_once(' '));
    let figures = figures.filter(|(name, _)| names.contains(name));
    figures.map(|(name, value)| (name.to_owned(), value.parse().expect("a number"))).collect()
}

/// Kills clients in the middle of what they do; the server must hold nothing of them.
fn kill_clients(rounds: u64) {
    let dir = tempfile::tempdir().expect("a directory");
    let mount = has_fuse("kill -9 of those who use a mount");
    let bind = format!("{}:/guests:ro", guests().display());
    let at = dir.path().to_str().expect("UTF-8");
    let args: &[&str] = if mount { &["--bind", &bind, "--mount", at] } else { &["--bind", &bind] };
    let server = Server::start(args);
    let door = Door::nine(&server, Dialect::P9P2000L);
    door.put("/tmp/big", &vec![b'b'; 8 << 20]);
    let task = door.start("/guests/sleep.wasm 86400", "");
    let before = held(&door);
    let mut dice = Dice(0x5eed_0002);
    let on_mount = |path: &str| dir.path().join(path.trim_start_matches('/')).display().to_string();
    for _ in 0..rounds {
        let unix = server.unix();
        let wait = format!("{task}/wait");
        let mut scripts = vec![
            format!("exec {} cat --server {unix} /tmp/big", taskfs().display()),
            format!("exec {} cat --server {unix} {wait}", taskfs().display()),
            format!("exec {} cat --server {unix} /dev/trace9", taskfs().display()),
            format!("yes | exec {} write --server {unix} /dev/null", taskfs().display()),
        ];
        if mount {
            scripts.push(format!("exec cat {}", on_mount("/tmp/big")));
            scripts.push(format!("exec cat {}", on_mount(&wait)));
            scripts.push(format!("exec flock {} sleep 600", on_mount("/tmp/big")));
            scripts.push(format!("exec find {}", on_mount("/")));
            scripts.push(format!("exec 3<>{}; read -r id <&3; echo killonclose >&3; echo 'exec /guests/loop.wasm' >&3; sleep 600", on_mount("/task/clone")));
        }
        let mut groups: Vec<Child> = scripts
            .iter()
            .map(|script| {
                use std::os::unix::process::CommandExt;
                let mut shell = Command::new("bash");
                shell.args(["-c", script]).process_group(0);
                shell.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("bash")
            })
            .collect();
        std::thread::sleep(Duration::from_micros(dice.below(60_000)));
        for child in &mut groups {
            let group = rustix::process::Pid::from_raw(child.id() as i32).expect("a pid");
            let _gone_already = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
            child.wait().expect("a child of ours");
        }
    }
    until(&format!("nothing is left of the clients: {before:?}, {:?}", held(&door)), || {
        held(&door) == before
    });
    // Nobody holds the lock, and what was bound to a descriptor is gone.
    if mount {
        let locked =
            Command::new("flock").args(["-n", &on_mount("/tmp/big"), "true"]).status().expect("flock");
        assert!(locked.success(), "a dead process holds a lock");
    }
    let exited = |name: &String| door.text(&format!("/task/{name}/status")) != "running\n";
    let others =
        || door.list("/task").into_iter().filter(|name| name.parse::<u32>().is_ok() && !task.ends_with(name));
    until("the tasks of the dead have ended", || others().all(|name| exited(&name)));
    let output = door.open("/tmp/big", OpenFlags::empty()).expect("readable");
    assert_eq!(output.read(0, 10).expect("readable"), b"bbbbbbbbbb");
}

#[test]
fn clients_that_are_killed_two_hundred_times_leave_nothing_behind() {
    kill_clients(25);
}

#[test]
#[ignore = "soak: thousands of clients are killed"]
fn soak_clients_that_are_killed_thousands_of_times_leave_nothing_behind() {
    kill_clients(400);
}
