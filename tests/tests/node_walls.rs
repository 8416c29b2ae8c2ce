//! Worker processes and the machine: they end with their server, however it ends, and while they live nothing that a task's
//! program does can be seen outside.

use nine::wire::Dialect;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tests::Server;
use tests::door::Door;

const FAKE: &str = env!("CARGO_BIN_EXE_fake_worker");

/// The fake worker under a name of its own, so that its processes can be told from others'.
struct Fake {
    dir: tempfile::TempDir,
    name: String,
}

impl Fake {
    fn new(name: &str) -> Fake {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let name = format!("{name}{}", std::process::id());
        std::fs::copy(FAKE, dir.path().join(&name)).expect("room for a copy");
        Fake { dir, name }
    }
    fn path(&self) -> PathBuf {
        self.dir.path().join(&self.name)
    }

    /// Its processes: those whose command (15 bytes of it, proc_pid_comm(5)) is its name.
    fn processes(&self) -> Vec<u32> {
        let pids = std::fs::read_dir("/proc")
            .expect("/proc")
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        let named = |pid: &u32| {
            std::fs::read_to_string(format!("/proc/{pid}/comm"))
                .is_ok_and(|comm| comm.trim_end() == &self.name[..self.name.len().min(15)])
        };
        pids.filter(named).collect()
    }

    fn wait_until(&self, what: &str, done: impl Fn(usize) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !done(self.processes().len()) {
            assert!(Instant::now() < deadline, "{what}: {:?}", self.processes());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

fn server(fake: &Fake) -> (Server, Door) {
    let path = fake.path();
    let server = Server::start(&["--node", path.to_str().expect("a UTF-8 path")]);
    let door = Door::nine(&server, Dialect::P9P2000U);
    (server, door)
}

fn start(door: &Door, name: &str, lines: &str) -> String {
    door.put(&format!("/tmp/{name}"), lines.as_bytes());
    door.start(&format!("/tmp/{name}"), "")
}

#[test]
fn no_worker_outlives_a_server_that_stops() {
    let fake = Fake::new("stop");
    let (mut server, door) = server(&fake);
    for n in 0..4 {
        start(&door, &format!("{n}.js"), "loop");
    }
    fake.wait_until("workers", |count| count >= 8);
    assert_eq!(server.stop(), Some(0));
    fake.wait_until("no worker is left", |count| count == 0);
}

#[test]
fn no_worker_outlives_a_server_that_is_killed() {
    let fake = Fake::new("kill");
    let (server, door) = server(&fake);
    for (n, lines) in ["loop", "sleep", "wait", "loop"].into_iter().enumerate() {
        start(&door, &format!("{n}.js"), lines);
    }
    fake.wait_until("workers", |count| count >= 8);
    let pid = rustix::process::Pid::from_raw(server.pid() as i32).expect("a pid");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("it runs");
    fake.wait_until("no worker is left", |count| count == 0);
}

#[test]
fn a_worker_that_is_killed_from_outside_is_one_tasks_end_and_the_pool_fills_again() {
    let fake = Fake::new("crash");
    let (_server, door) = server(&fake);
    // Two warm workers, each with its init.
    fake.wait_until("a full pool", |count| count == 4);
    for signal in [rustix::process::Signal::SEGV, rustix::process::Signal::KILL] {
        let bystander = start(&door, &format!("b{}.js", signal.as_raw()), "wait");
        let before = fake.processes();
        for pid in &before {
            // Its init is deaf to all but SIGKILL; some end with others.
            let pid = rustix::process::Pid::from_raw(*pid as i32).expect("a pid");
            if signal == rustix::process::Signal::SEGV {
                let _ended = rustix::process::kill_process(pid, signal);
            }
        }
        if signal == rustix::process::Signal::KILL {
            let pid =
                rustix::process::Pid::from_raw(*before.last().expect("a worker") as i32).expect("a pid");
            let _ended = rustix::process::kill_process(pid, signal);
            door.say(&format!("{bystander}/ctl"), "kill\n");
        } else {
            assert_eq!(door.end_of(&bystander), "its worker crashed: SIGSEGV");
        }
        if signal == rustix::process::Signal::SEGV {
            // A task that is given a worker which is dying right then ends with it.
            let deadline = Instant::now() + Duration::from_secs(120);
            while fake.processes().iter().any(|pid| before.contains(pid)) {
                assert!(Instant::now() < deadline, "they crash");
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        let task = start(&door, &format!("a{}.js", signal.as_raw()), "print still here");
        assert_eq!(door.end_of(&task), "");
        fake.wait_until("a full pool", |count| count == 4);
    }
}

#[test]
fn hundreds_of_tasks_leave_nothing_behind() {
    let fake = Fake::new("many");
    let (server, door) = server(&fake);
    fake.wait_until("a full pool", |count| count == 4);
    door.put("/tmp/many.js", b"print hello");
    let held = || {
        let count = |what: &str| {
            std::fs::read_dir(format!("/proc/{}/{what}", server.pid())).expect("it runs").count()
        };
        (count("fd"), count("task"))
    };
    // A worker's process is there before the server holds all that it will of it: the pool itself says when it is full.
    let round = |count: usize| {
        for _ in 0..count {
            let task = door.start("/tmp/many.js", "");
            assert_eq!(door.end_of(&task), "");
            door.remove(&task).expect("a finished task can be removed");
        }
        let patience = Instant::now() + Duration::from_secs(60);
        loop {
            let stats = door.text("/runtime/nodejs/stats");
            let rests = stats.contains("warm 2\n") && stats.contains("tasks 0\n");
            if rests && fake.processes().len() == 4 {
                return held();
            }
            assert!(Instant::now() < patience, "{stats}{:?}", fake.processes());
            std::thread::sleep(Duration::from_millis(10));
        }
    };
    let before = round(50);
    let mut after = round(200);
    // The connection of the last worker that ended may be on its way out still, with its thread.
    let patience = Instant::now() + Duration::from_secs(60);
    while after.0 > before.0 + 4 || after.1 > before.1 + 4 {
        assert!(Instant::now() < patience, "descriptors and threads: {before:?}, then {after:?}");
        std::thread::sleep(Duration::from_millis(50));
        after = held();
    }
}

/// What `script` says in a shell that may make no namespaces and has no privileges; none where this machine cannot make such.
fn in_a_poor_machine(script: &str) -> Option<String> {
    let poor = format!(
        "exec unshare -U -r sh -c 'echo 0 >/proc/sys/user/max_user_namespaces && \
         exec setpriv --bounding-set=-all --no-new-privs sh -c \"$0\"' '{script}' 2>&1"
    );
    let vars = [("TASKFS", tests::taskfs()), ("FAKE", PathBuf::from(FAKE))];
    let vars = vars.map(|(name, path)| (name, path.to_str().expect("a UTF-8 path").to_owned()));
    let vars: Vec<(&str, &str)> = vars.iter().map(|(name, path)| (*name, path.as_str())).collect();
    let output = tests::sh(&poor, &vars, Duration::from_secs(30));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if said.contains("unshare: ") || said.contains("setpriv: ") || said.contains("not found") {
        tests::cannot_run("a machine without namespaces", said.trim());
        return None;
    }
    Some(said)
}

#[test]
fn where_the_wall_has_holes_programs_are_refused_unless_asked_for_by_name() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let program = dir.path().join("p.js");
    std::fs::write(&program, "print hello\ncat /etc/passwd\nconnect 127.0.0.1:9").expect("room for a file");
    let run = format!("\"$TASKFS\" run --node \"$FAKE\" {{}} {}", program.display());
    let Some(said) = in_a_poor_machine(&run.replace("{}", "")) else { return };
    assert!(
        said.contains("the wall has holes on this machine: no pid namespace, no network namespace"),
        "{said}"
    );
    assert!(said.contains("--weak-walls") && !said.contains("hello"), "{said}");
    let Some(said) = in_a_poor_machine(&run.replace("{}", "--weak-walls")) else { return };
    let holds = said.contains("hello\n") && said.contains("/etc/passwd: No such file or directory");
    assert!(holds, "seccomp and the namespace still hold: {said}");
    assert!(
        said.contains("connect: errno 13"),
        "there is no loopback of its own: the machine's is under capabilities: {said}"
    );
}
