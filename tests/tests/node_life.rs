//! Tasks in worker processes, from start to end: what they are told, what they see, how they end, and that no end of one is
//! anybody else's. The workers are fakes without an engine (src/bin/fake_worker.rs); their wall and all of the server are real.

use nine::wire::{Dialect, OpenFlags};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tests::Server;
use tests::door::Door;

const FAKE: &str = env!("CARGO_BIN_EXE_fake_worker");

fn server(args: &[&str]) -> (Server, Door) {
    let server = Server::start(&[&["--node", FAKE], args].concat());
    let door = Door::nine(&server, Dialect::P9P2000U);
    (server, door)
}

/// Makes a program of `lines` and starts it; the task's directory.
fn start(door: &Door, lines: &str, limits: &str) -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(1);
    let program = format!("/tmp/{}.js", NUMBER.fetch_add(1, Ordering::Relaxed));
    door.put(&program, lines.as_bytes());
    door.start(&program, limits)
}

fn output(door: &Door, task: &str) -> String {
    door.text(&format!("{task}/stdio/1"))
}

/// Waits until the task has said `what` first.
fn said(door: &Door, task: &str, what: &str) {
    let file = door.open(&format!("{task}/stdio/1"), OpenFlags::empty()).expect("its output");
    let mut text = Vec::new();
    while text.len() < what.len() {
        let more = file.read(text.len() as u64, 4096).expect("its output");
        assert!(!more.is_empty(), "it ended after {:?}", String::from_utf8_lossy(&text));
        text.extend(more);
    }
    assert_eq!(String::from_utf8_lossy(&text[..what.len()]), what);
}

#[test]
fn a_program_runs_sees_its_files_and_ends() {
    let (_server, door) = server(&[]);
    let task = start(&door, "print hello\nwrite /tmp/made some text\ncat /tmp/made\nexit 3", "");
    assert_eq!(door.end_of(&task), "exit status 3");
    assert_eq!(door.text(&format!("{task}/exitcode")), "3\n");
    assert_eq!(output(&door, &task), "hello\nsome text");
    assert_eq!(door.text("/tmp/made"), "some text");
}

#[test]
fn a_worker_is_told_all_of_its_task_and_nothing_of_the_machine() {
    let (_server, door) = server(&[]);
    door.put("/tmp/p.js", b"spec");
    let task = door.task("/tmp/p.js 'a b' c");
    door.say(&format!("{task}/env"), "LANG=C\n");
    door.say(&format!("{task}/cwd"), "/tmp\n");
    door.say(&format!("{task}/ctl"), "limit memory=64M cpu=2s\n");
    door.say(&format!("{task}/ctl"), "start\n");
    assert_eq!(door.end_of(&task), "");
    let spec: serde_json::Value = serde_json::from_str(&output(&door, &task)).expect("JSON");
    assert_eq!(spec["program"], "/tmp/p.js");
    assert_eq!(spec["args"], serde_json::json!(["a b", "c"]));
    assert_eq!(spec["env"], serde_json::json!({ "LANG": "C" }));
    assert_eq!(spec["cwd"], "/tmp");
    assert_eq!(spec["limits"]["memory"], 64 << 20);
    assert_eq!(spec["limits"]["cpuMs"], 2000);
    assert_eq!(spec["hostname"], "taskfs");
    assert_eq!(spec["id"].to_string(), task.trim_start_matches("/task/"));
}

#[test]
fn input_is_read_and_its_end_seen() {
    let (_server, door) = server(&[]);
    let task = start(&door, "print ready\ncopy", "");
    said(&door, &task, "ready\n");
    door.say(&format!("{task}/stdio/0"), "some words");
    door.say(&format!("{task}/ctl"), "eof\n");
    assert_eq!(door.end_of(&task), "");
    assert_eq!(output(&door, &task), "ready\nsome words");
}

#[test]
fn a_signal_is_the_programs_to_handle_and_kill_is_not() {
    let (_server, door) = server(&[]);
    let task = start(&door, "wait\nexit 7", "");
    said(&door, &task, "waiting\n");
    door.say(&format!("{task}/ctl"), "kill TERM\n");
    assert_eq!(door.end_of(&task), "exit status 7");
    assert_eq!(output(&door, &task), "waiting\nSIGTERM\n");

    let task = start(&door, "print up\nloop", "");
    said(&door, &task, "up\n");
    door.say(&format!("{task}/ctl"), "kill TERM\n");
    assert_eq!(door.end_of(&task), "killed by SIGTERM", "nobody listens: it is ended");
    assert_eq!(door.text(&format!("{task}/exitcode")), "143\n");

    let task = start(&door, "wait\nexit 7", "");
    said(&door, &task, "waiting\n");
    door.say(&format!("{task}/ctl"), "kill\n");
    assert_eq!(door.end_of(&task), "killed by SIGKILL");
}

#[test]
fn the_end_that_a_program_tells_is_the_tasks() {
    let (_server, door) = server(&[]);
    for (line, message, code) in [
        ("exit 0", "", "0\n"),
        ("exit 300", "exit status 44", "44\n"),
        ("die SIGHUP", "killed by SIGHUP", "129\n"),
    ] {
        let task = start(&door, line, "");
        assert_eq!(door.end_of(&task), message, "{line}");
        assert_eq!(door.text(&format!("{task}/exitcode")), code, "{line}");
    }
}

#[test]
fn a_worker_that_lies_about_the_memory_it_shares_is_thrown_out_and_the_server_goes_on() {
    let dir = tempfile::tempdir().expect("a directory");
    let liar = dir.path().join("fake_worker-that-lies");
    std::fs::copy(FAKE, &liar).expect("room for a copy");
    let server = Server::start(&["--node", liar.to_str().expect("a UTF-8 path")]);
    let door = Door::nine(&server, Dialect::P9P2000U);
    door.put("/tmp/p.js", b"print hello");
    for _ in 0..3 {
        let task = door.task("/tmp/p.js");
        let refused = door.write(&format!("{task}/ctl"), b"start\n").expect_err("no worker comes up");
        let refused = format!("{refused:?}");
        assert!(refused.contains("it was thrown out"), "{refused}");
    }
    door.put("/tmp/f", b"still there");
    assert_eq!(door.text("/tmp/f"), "still there");
}

#[test]
fn a_crash_is_one_tasks_end_with_a_message_and_the_next_task_runs() {
    let (_server, door) = server(&[]);
    let cases = [
        ("crash", "its worker crashed: SIGABRT"),
        ("segfault", "its worker crashed: SIGSEGV"),
        ("say out of luck\ncrash", "its worker crashed: SIGABRT: out of luck"),
        ("garbage", "its worker was ended: the peer was thrown out"),
        ("hangup", "its worker"),
    ];
    for (lines, says) in cases {
        let bystander = start(&door, "wait", "");
        said(&door, &bystander, "waiting\n");
        let task = start(&door, lines, "");
        let end = door.end_of(&task);
        assert!(end.starts_with(says), "{lines:?}: {end}");
        door.say(&format!("{bystander}/ctl"), "kill INT\n");
        assert_eq!(door.end_of(&bystander), "", "another task is none the worse for it");
    }
    let task = start(&door, "print still here", "");
    assert_eq!(door.end_of(&task), "");
}

#[test]
fn a_stopped_program_uses_no_time_and_goes_on_where_it_was() {
    let (_server, door) = server(&[]);
    let task = start(&door, "print up\nloop", "");
    said(&door, &task, "up\n");
    let used = || {
        let usage = door.text(&format!("{task}/usage"));
        let line = usage.lines().find_map(|line| line.strip_prefix("user-ms ")).map(str::to_owned);
        line.and_then(|ms| ms.parse::<u64>().ok()).unwrap_or_else(|| panic!("{usage}"))
    };
    let deadline = Instant::now() + Duration::from_secs(20);
    while used() < 50 {
        assert!(Instant::now() < deadline, "it computes");
    }
    door.say(&format!("{task}/ctl"), "stop\n");
    assert_eq!(door.text(&format!("{task}/status")), "stopped\n");
    // A tick that was under way is counted when it ends.
    std::thread::sleep(Duration::from_millis(50));
    let before = used();
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(used(), before);
    door.say(&format!("{task}/ctl"), "cont\n");
    while used() < before + 50 {
        assert!(Instant::now() < deadline, "it goes on");
    }
    door.say(&format!("{task}/ctl"), "stop\n");
    door.say(&format!("{task}/ctl"), "kill\n");
    assert_eq!(door.end_of(&task), "killed by SIGKILL", "a stopped program can be killed");
}

#[test]
fn capabilities_hold_in_a_worker() {
    let (_server, door) = server(&[]);
    door.put("/tmp/secret", b"secret");
    door.put("/tmp/p.js", b"cat /tmp/secret\nwrite /tmp/new x\ncat /tmp/p.js");
    let task = door.task("/tmp/p.js");
    door.say(&format!("{task}/ctl"), "cap none\n");
    door.say(&format!("{task}/ctl"), "cap fs:/tmp/p.js read\n");
    door.say(&format!("{task}/ctl"), "start\n");
    assert_eq!(door.end_of(&task), "");
    let said = output(&door, &task);
    assert!(said.starts_with("/tmp/secret: "), "{said}");
    assert!(!said.contains("secret\nsecret") && said.contains("/tmp/new: "), "{said}");
    assert!(!door.exists("/tmp/new"));
}

#[test]
fn what_a_program_uses_is_counted() {
    let (_server, door) = server(&[]);
    door.put("/tmp/file", b"some text");
    let task = start(&door, "cat /tmp/file\ncat /tmp/file\nwait", "");
    said(&door, &task, "some textsome textwaiting\n");
    let usage = door.text(&format!("{task}/usage"));
    let value = |name: &str| {
        let line =
            usage.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("{usage}"));
        line.trim().parse::<u64>().unwrap_or_else(|_| panic!("{usage}"))
    };
    for name in ["memory ", "memory-peak ", "calls ", "read ", "written "] {
        assert!(value(name) > 0, "{name}: {usage}");
    }
    door.say(&format!("{task}/ctl"), "kill\n");
}

#[test]
fn a_program_that_takes_all_it_can_get_is_bounded_and_hurts_nobody() {
    let (_server, door) = server(&[]);
    let bystander = start(&door, "wait", "");
    said(&door, &bystander, "waiting\n");
    let task = start(&door, "fids", "");
    assert_eq!(door.end_of(&task), "");
    let said = output(&door, &task);
    let count: u64 = said.split(' ').next().and_then(|n| n.parse().ok()).unwrap_or_else(|| panic!("{said}"));
    assert!((1000..=70_000).contains(&count), "{said}");
    // A flood whose answers nobody reads stands still, and can be killed.
    let task = start(&door, "print up\nflood", "");
    self::said(&door, &task, "up\n");
    door.say(&format!("{task}/ctl"), "kill\n");
    assert_eq!(door.end_of(&task), "killed by SIGKILL");
    door.say(&format!("{bystander}/ctl"), "kill INT\n");
    assert_eq!(door.end_of(&bystander), "");
}

#[test]
fn a_limit_that_strikes_ends_the_program_and_says_so() {
    let (_server, door) = server(&[]);
    let cases = [
        ("loop", "cpu=200ms", "152\n", "cpu limit 200ms reached"),
        ("loop", "wall=200ms", "142\n", "wall limit 200ms reached"),
        ("sleep", "wall=200ms", "142\n", "wall limit 200ms reached"),
        ("copy", "wall=200ms", "142\n", "wall limit 200ms reached"),
        ("grow", "memory=64M", "134\n", "memory limit 64M reached"),
        ("shout", "output=64K", "", "output limit 64K reached"),
    ];
    for (line, limit, code, says) in cases {
        let task = start(&door, line, limit);
        assert_eq!(door.end_of(&task), says, "{line} with {limit}");
        let exit = door.text(&format!("{task}/exitcode"));
        assert!(code.is_empty() || exit == code, "{line} with {limit}: exit code {exit}");
    }
    // A limit that is set while it runs holds too.
    let task = start(&door, "print up\nloop", "");
    said(&door, &task, "up\n");
    door.say(&format!("{task}/ctl"), "limit cpu=100ms\n");
    assert_eq!(door.end_of(&task), "cpu limit 100ms reached");
}

#[test]
fn a_program_that_grows_is_ended_before_it_takes_much_more_than_it_may() {
    let (_server, door) = server(&[]);
    let task = start(&door, "grow", "memory=64M");
    assert_eq!(door.end_of(&task), "memory limit 64M reached");
    let usage = door.text(&format!("{task}/usage"));
    let peak = usage.lines().find_map(|line| line.strip_prefix("memory-peak "));
    let peak: u64 = peak.and_then(|bytes| bytes.parse().ok()).unwrap_or_else(|| panic!("{usage}"));
    assert!((64 << 20..512 << 20).contains(&peak), "{usage}");
}

#[test]
fn the_node_command_is_a_file_whose_arguments_say_what_to_run() {
    let (_server, door) = server(&[]);
    assert_eq!(door.text("/bin/node"), "#!taskfs nodejs\n");
    // The fake worker cannot run it, and says so: what it was told is what counts.
    let task = door.start("node --print 1", "");
    let end = door.end_of(&task);
    assert!(end.contains("a program"), "it was given no script: {end}");
    assert_eq!(door.text(&format!("{task}/type")), "auto\n");
}
