//! The long soak: everything at once for SOAK_MINUTES, in rounds; after each the server must hold what it held after the first.
//!
//! ```text
//! files over 9P2000, .u, .L ─┐                          ┌─ tasks that end, are killed, echo lines
//! files, renames, links,     ├─► one server, mounted ◄──┼─ readers of live files, killed in the middle
//!   locks on the mount      ─┘   memory + a host dir    └─ connections that break, watchers that come and go
//! ```

use nine::wire::{AttrMask, Data, Dialect, Fid, OpenFlags, Tmessage};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tests::door::Door;
use tests::kept::drop_unused;
use tests::wire::{Cost, Peer};
use tests::{Server, guests, has_fuse};

const ROUNDS: u32 = 12;
/// SOAK_LOADS names those that are to run, where not all are: to find out which of them leaves something behind. There are
/// `walkers` too, who are not among them: the memory that is left to be used again goes up and down by 90 MB with them.
const LOADS: &str = "nine nine.u nine.L mount mount locks tasks mount-tasks readers broken watchers";
/// How long what clients have left behind may take to be put away.
const PATIENCE: Duration = Duration::from_secs(60);
/// The allocator gives what was freed back to the machine within ten seconds.
const GIVEN_BACK: Duration = Duration::from_secs(12);
/// What a round may have left more of than the first: 32 MiB of buffers that the memory tree keeps for the next file, and pages
/// of the program itself, which come from its file and go as the machine likes.
const TOLERANCE_KIB: u64 = 48 << 10;

/// Where the load goes: through all of it at once.
struct Site {
    server: Server,
    mount: PathBuf,
    /// When the round is over.
    over: AtomicBool,
    /// How many pieces of work were done.
    done: AtomicU64,
    /// Numbers for names that nobody else uses.
    next: AtomicU64,
}

impl Site {
    fn name(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// Does `work` again and again until the round is over.
    fn keep(&self, mut work: impl FnMut(u64)) {
        let mut turn = 0;
        while !self.over.load(Ordering::Relaxed) {
            work(turn);
            turn += 1;
            self.done.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Files through one connection: made, written, read, listed, removed, in the memory tree and in the host directory.
    fn files_over_9p(&self, dialect: Dialect) {
        let mut door = Door::nine(&self.server, dialect);
        let data: Vec<u8> = (0..200_000u32).map(|byte| byte as u8).collect();
        self.keep(|turn| {
            if turn % 50 == 49 {
                door = Door::nine(&self.server, dialect);
            }
            let dir = if turn % 2 == 0 { "/tmp" } else { "/host" };
            let path = format!("{dir}/nine-{}", self.name());
            let size = [0, 1, 4096, 70_000, 200_000][turn as usize % 5];
            door.put(&path, &data[..size]);
            assert_eq!(door.read(&path).expect("what was written").len(), size);
            assert!(door.list(dir).iter().any(|name| path.ends_with(name.as_str())), "{path} is listed");
            assert!(!door.exists(&format!("{path}-not")));
            door.remove(&path).expect("a file of ours");
        });
    }

    /// The kernel's side: renames over open files, links, directories, sparse files.
    fn files_on_the_mount(&self) {
        self.keep(|turn| {
            let top = self
                .mount
                .join(if turn % 2 == 0 { "tmp" } else { "host" })
                .join(format!("fuse-{}", self.name()));
            fs::create_dir(&top).expect("a directory");
            let (a, b) = (top.join("a"), top.join("b"));
            fs::write(&a, vec![b'a'; 100_000]).expect("writable");
            fs::write(&b, "b").expect("writable");
            let open = File::open(&b).expect("readable");
            fs::rename(&a, &b).expect("a rename over an open file");
            let mut byte = [0];
            assert_eq!(open.read_at(&mut byte, 0).expect("still readable"), 1);
            assert_eq!(&byte, b"b", "what was open is what it was");
            fs::hard_link(&b, top.join("c")).expect("a link");
            std::os::unix::fs::symlink("b", top.join("d")).expect("a symbolic link");
            let sparse = File::create(top.join("e")).expect("writable");
            sparse.write_at(b"end", 1 << 30).expect("a hole before it");
            assert_eq!(fs::read_dir(&top).expect("listable").count(), 4);
            fs::remove_dir_all(&top).expect("a tree of ours");
        });
    }

    /// Locks that are fought for, and let go by those who are killed too.
    fn locks(&self) {
        let file = self.mount.join("tmp/lock");
        fs::write(&file, "").expect("writable");
        self.keep(|turn| {
            let mut holder = Command::new("flock");
            holder.arg(&file).args(["sleep", if turn % 2 == 0 { "0.01" } else { "600" }]);
            let mut holder = holder.stdin(Stdio::null()).process_group(0).spawn().expect("flock starts");
            if turn % 2 == 1 {
                std::thread::sleep(Duration::from_millis(30));
                // With the sleep behind it, be it there already or not: it would hold the lock.
                let group = rustix::process::Pid::from_raw(holder.id() as i32).expect("a pid");
                rustix::process::kill_process_group(group, rustix::process::Signal::KILL)
                    .expect("a child of ours");
            }
            holder.wait().expect("a child of ours");
            let open = File::options().write(true).open(&file).expect("writable");
            let how = rustix::fs::FlockOperation::LockExclusive;
            rustix::fs::fcntl_lock(&open, how).expect("the lock comes free");
        });
        fs::remove_file(&file).expect("a file of ours");
    }

    /// Tasks that end by themselves, are killed, and answer, seen through a connection or the mount.
    fn tasks(&self, by_mount: bool) {
        let door = if by_mount {
            Door::Mount(self.mount.clone())
        } else {
            Door::nine(&self.server, Dialect::P9P2000U)
        };
        self.keep(|turn| {
            let task = match turn % 4 {
                0 => door.start("/guests/hello.wasm", ""),
                1 => door.start("/guests/loop.wasm", "wall=60s"),
                2 => door.start("/guests/flood.wasm", ""),
                _ => door.start("/guests/cat.wasm", ""),
            };
            let ctl = format!("{task}/ctl");
            match turn % 4 {
                0 => assert_eq!(door.end_of(&task), ""),
                1 | 2 => {
                    door.say(&ctl, "kill\n");
                    assert!(door.end_of(&task).contains("killed"));
                }
                _ => {
                    door.write(&format!("{task}/stdio/0"), b"a line\n").expect("it takes a line");
                    door.say(&ctl, "eof\n");
                    assert_eq!(door.end_of(&task), "");
                    assert_eq!(door.text(&format!("{task}/stdio/1")), "a line\n");
                }
            }
            door.remove(&task).expect("a finished task can be removed");
        });
    }

    /// Programs that wait for a live file and are killed there.
    fn readers(&self) {
        let door = Door::nine(&self.server, Dialect::P9P2000L);
        let task = door.start("/guests/sleep.wasm 86400", "");
        let dir = self.mount.join(task.trim_start_matches('/'));
        self.keep(|turn| {
            let file = dir.join(if turn % 2 == 0 { "wait" } else { "stdio/1" });
            let mut cats: Vec<_> = (0..5)
                .map(|_| {
                    let mut cat = Command::new("cat");
                    cat.arg(&file).stdin(Stdio::null()).stdout(Stdio::null()).spawn().expect("cat starts")
                })
                .collect();
            std::thread::sleep(Duration::from_millis(turn % 20));
            cats.iter_mut().for_each(|cat| cat.kill().expect("a child of ours"));
            for cat in &mut cats {
                cat.wait().expect("a child of ours");
            }
        });
        door.say(&format!("{task}/ctl"), "kill\n");
        assert!(door.end_of(&task).contains("killed"));
        door.remove(&task).expect("a finished task can be removed");
    }

    /// Programs that look at all there is, as a `find` over the whole machine does, and are killed in the middle of it.
    fn walkers(&self) {
        self.keep(|turn| {
            let mut find = Command::new("find");
            // To know a size it asks for every file.
            find.arg(&self.mount).args(["-size", "+99G"]);
            find.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            let mut find = find.spawn().expect("find starts");
            if turn % 4 > 0 {
                std::thread::sleep(Duration::from_millis(turn % 100));
                find.kill().expect("a child of ours");
            }
            // What it was about to look at may be gone.
            find.wait().expect("a child of ours");
        });
    }

    /// Connections that end in the middle of something.
    fn broken_connections(&self) {
        self.keep(|turn| {
            let mut peer = Peer::attached(&self.server);
            for fid in 5..25 {
                peer.open(fid, "/tmp", OpenFlags::empty());
            }
            match turn % 5 {
                0 => peer.send_bytes(&[24, 0, 0, 0, 118, 1, 0, 5]),
                1 => peer.send_bytes(b"GET / HTTP/1.1\r\n\r\n"),
                2 => {
                    peer.open(30, "/dev/zero", OpenFlags::empty());
                    (0..20).for_each(|tag| {
                        peer.send(tag, Tmessage::Read { fid: Fid(30), offset: 0, count: 1 << 19 })
                    });
                }
                3 => {
                    // A task that is bound to this connection.
                    peer.open(31, "/task/clone", OpenFlags::RDWR);
                    for line in ["killonclose", "exec /guests/loop.wasm", "limit wall=60s"] {
                        peer.send(
                            7,
                            Tmessage::Write { fid: Fid(31), offset: 0, data: Data(line.as_bytes()) },
                        );
                        peer.reply().expect("an answer");
                    }
                }
                _ => peer.send(9, Tmessage::Getattr { fid: Fid(0), mask: AttrMask::BASIC }),
            }
        });
    }

    /// Somebody who watches the messages for a while, and somebody who collects the figures.
    fn watchers(&self) {
        let door = Door::nine(&self.server, Dialect::P9P2000L);
        // What passes, should everybody else have gone home.
        let other = Door::nine(&self.server, Dialect::P9P2000L);
        self.keep(|turn| {
            let trace = door.open("/dev/trace9", OpenFlags::empty()).expect("it is ours");
            let mut offset = 0;
            for _ in 0..turn % 30 {
                assert!(other.exists("/tmp"));
                offset += trace.read(offset, 32 << 10).expect("something passes").len() as u64;
            }
            trace.close().expect("it can be closed");
            assert!(door.text("/dev/metrics").ends_with("# EOF\n"));
            std::thread::sleep(Duration::from_millis(20));
        });
    }

    fn load(&self, name: &str) {
        match name {
            "nine" => self.files_over_9p(Dialect::P9P2000),
            "nine.u" => self.files_over_9p(Dialect::P9P2000U),
            "nine.L" => self.files_over_9p(Dialect::P9P2000L),
            "mount" => self.files_on_the_mount(),
            "locks" => self.locks(),
            "tasks" => self.tasks(false),
            "mount-tasks" => self.tasks(true),
            "readers" => self.readers(),
            "walkers" => self.walkers(),
            "broken" => self.broken_connections(),
            "watchers" => self.watchers(),
            _ => panic!("SOAK_LOADS: {name} is none of {LOADS}"),
        }
    }

    fn round(&self, loads: &str, length: Duration) {
        self.over.store(false, Ordering::Relaxed);
        std::thread::scope(|scope| {
            for load in loads.split(' ') {
                scope.spawn(move || self.load(load));
            }
            std::thread::sleep(length);
            self.over.store(true, Ordering::Relaxed);
        });
    }

    /// What the server holds when nobody works: taken again and again until two are the same, and no more is there than in
    /// `bounds`. Threads that took over from those that a disk kept waiting stay for ten seconds, and their memory for ten
    /// more.
    fn rest(&self, bounds: &Bounds) -> Rest {
        let door = Door::nine(&self.server, Dialect::P9P2000L);
        std::thread::sleep(GIVEN_BACK);
        // Tasks of connections that broke have ended; whoever made them is not there to remove them.
        let removed =
            |name: &String| name.parse::<u32>().is_ok() && door.remove(&format!("/task/{name}")).is_ok();
        let deadline = Instant::now() + PATIENCE;
        let mut before = None;
        loop {
            std::thread::sleep(Duration::from_millis(500));
            // Those names that the kernel keeps though nobody uses them are no matter: the others it cannot give back.
            drop_unused(&self.mount);
            let left = door.list("/task").iter().filter(|name| name.parse::<u32>().is_ok()).count();
            let removed = door.list("/task").iter().filter(|name| removed(name)).count();
            let rest = Rest::of(&door, &self.server);
            let settled = left == 0 && removed == 0 && before.as_ref() == Some(&rest.held);
            if (settled && bounds.exceeded(&rest).is_none()) || Instant::now() > deadline {
                return rest;
            }
            before = Some(rest.held);
        }
    }
}

/// What a server holds while nobody works.
#[derive(Debug)]
struct Rest {
    /// What must be the same after every round.
    held: BTreeMap<&'static str, u64>,
    /// What the kernel of the mount knows.
    inodes: u64,
    cost: Cost,
}

/// What it may hold more of than after the first round.
struct Bounds {
    inodes: u64,
    files: u64,
    threads: u64,
    resident_kib: u64,
}

impl Bounds {
    /// Before there was a first round.
    const FIRST: Bounds = Bounds { inodes: 32, files: u64::MAX, threads: 64, resident_kib: u64::MAX };

    /// `unused`: how many inodes the kernel may keep though nobody uses them.
    fn after(first: &Rest, unused: u64) -> Bounds {
        Bounds {
            inodes: first.inodes + unused,
            // A connection of a round that is being closed, a listing of /proc: a handful comes and goes. And when somebody's
            // `find` has come by, each of the three host directories keeps up to 64 open that it passed last.
            files: first.cost.files as u64 + 8 + 3 * 64,
            threads: first.cost.threads + 16,
            resident_kib: first.cost.resident_kib + TOLERANCE_KIB,
        }
    }

    /// What there is too much of.
    fn exceeded(&self, rest: &Rest) -> Option<&'static str> {
        let Cost { resident_kib, files, threads } = rest.cost;
        let figures = [
            ("inodes", rest.inodes, self.inodes),
            ("descriptors", files as u64, self.files),
            ("threads", threads, self.threads),
            ("memory", resident_kib, self.resident_kib),
        ];
        figures.into_iter().find_map(|(what, is, bound)| (is > bound).then_some(what))
    }
}

impl Rest {
    const HELD: [&str; 9] = [
        "taskfs_9p_connections",
        "taskfs_9p_fids",
        "taskfs_9p_requests_in_flight",
        "taskfs_9p_buffered_bytes",
        "taskfs_fuse_files",
        "taskfs_fuse_requests_waiting",
        "taskfs_runtime_guests{runtime=\"wasi\"}",
        "taskfs_runtime_memory_bytes{runtime=\"wasi\"}",
        "taskfs_tasks{state=\"exited\"}",
    ];

    fn of(door: &Door, server: &Server) -> Rest {
        let text = door.text("/dev/metrics");
        let figure = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.and_then(|value| value.parse::<f64>().ok()).unwrap_or_else(|| panic!("{name} is missing"))
                as u64
        };
        Rest {
            held: Rest::HELD.map(|name| (name, figure(name))).into(),
            inodes: figure("taskfs_fuse_inodes"),
            cost: Cost::of(server.pid()),
        }
    }
}

fn host_is_empty(dir: &Path) -> bool {
    fs::read_dir(dir).expect("a directory of ours").count() == 0
}

#[test]
#[ignore = "soak: SOAK_MINUTES (60) of everything at once"]
fn soak_mixed_load_ends_with_the_memory_fids_threads_and_descriptors_it_began_with() {
    if !has_fuse("the soak of mixed load") {
        return;
    }
    let minutes: f64 = std::env::var("SOAK_MINUTES").ok().and_then(|text| text.parse().ok()).unwrap_or(60.0);
    let length = Duration::from_secs_f64(minutes * 60.0 / f64::from(ROUNDS));
    let (mount, host) =
        (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
    let path = |dir: &Path| dir.to_str().expect("UTF-8").to_owned();
    let binds = [format!("{}:/guests:ro", guests().display()), format!("{}:/host", path(host.path()))];
    let server = Server::start(&["--bind", &binds[0], "--bind", &binds[1], "--mount", &path(mount.path())]);
    let site = Site {
        server,
        mount: mount.path().to_owned(),
        over: AtomicBool::new(false),
        done: AtomicU64::new(0),
        next: AtomicU64::new(0),
    };
    let loads = std::env::var("SOAK_LOADS").unwrap_or_else(|_| LOADS.to_owned());
    // Everything has run once: programs are compiled, threads are there that stay, the allocator has its arenas.
    site.round(&loads, length.min(Duration::from_secs(60)));
    let first = site.rest(&Bounds::FIRST);
    // Names that exist, and now and again one that it will forget when it is short of memory, where it cannot be told to.
    let bounds = Bounds::after(&first, if drop_unused(mount.path()) { 0 } else { 32 });
    eprintln!("soak: warm: {} pieces of work, {first:?}", site.done.load(Ordering::Relaxed));
    for round in 1..=ROUNDS {
        site.round(&loads, length);
        let rest = site.rest(&bounds);
        eprintln!(
            "soak: round {round} of {ROUNDS}: {} pieces of work, {rest:?}",
            site.done.load(Ordering::Relaxed)
        );
        assert_eq!(rest.held, first.held, "round {round}: something was left behind");
        assert!(host_is_empty(host.path()), "round {round}: files were left behind");
        if let Some(what) = bounds.exceeded(&rest) {
            // Does it go once somebody asks the mount for something?
            let open = site.server.open_files().join("\n");
            let _woken = fs::metadata(&site.mount);
            panic!("round {round}: {what}: {first:?}, {rest:?}, then {:?}\n{open}", site.rest(&bounds));
        }
    }
}
