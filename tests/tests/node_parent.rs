//! QuickJS's workers are forked from one process that is warm: what they share is no more than what it has loaded.

use nine::wire::Dialect;
use std::fs;
use std::path::PathBuf;
use tests::door::Door;
use tests::{Server, cannot_run, taskfs};

fn worker() -> Option<PathBuf> {
    let worker = taskfs().with_file_name("taskfs-node-quickjs");
    if !worker.exists() {
        cannot_run("workers that are forked", "QuickJS's worker was not built");
        return None;
    }
    Some(worker)
}

fn server(pool: &str) -> Option<(Server, Door)> {
    let worker = worker()?;
    let server = Server::start(&["--node", worker.to_str().expect("a UTF-8 path"), "--node-pool", pool]);
    let door = Door::nine(&server, Dialect::P9P2000U);
    Some((server, door))
}

/// What a program says, run so often at the same time.
fn run(door: &Door, program: &str, times: usize) -> Vec<String> {
    door.put("/tmp/program.js", program.as_bytes());
    let tasks: Vec<String> = (0..times).map(|_| door.start("/tmp/program.js", "")).collect();
    let ended = tasks.iter().map(|task| {
        assert_eq!(door.end_of(task), "", "{}", door.text(&format!("{task}/stdio/2")));
        door.text(&format!("{task}/stdio/1"))
    });
    ended.collect()
}

/// The process that the workers of a server are forked from: a child of its own, asked for by name.
fn parents(server: &Server) -> Vec<u32> {
    let processes = fs::read_dir("/proc").expect("/proc").flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let is_parent = |pid: &u32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.map(|line| line.split_ascii_whitespace().map(str::to_owned).collect::<Vec<_>>())
                .unwrap_or_default()
        };
        line.ends_with(b"\0--parent\0")
            && field("PPid:") == [server.pid().to_string()]
            && field("NSpid:").len() == 1
    };
    pids.filter(is_parent).collect()
}

#[test]
fn no_two_workers_draw_the_same_random_numbers() {
    let Some((_server, door)) = server("0") else { return };
    let said = run(
        &door,
        "const crypto = require('crypto');
         console.log(Math.random(), [1, 2].map(Math.random).join());
         console.log(crypto.randomUUID());
         console.log(crypto.randomBytes(8).toString('hex'));
         console.log(globalThis.crypto.getRandomValues(new Uint8Array(8)).join());
         console.log(require('fs').mkdtempSync('/tmp/'));
         console.log(crypto.generateKeyPairSync('ed25519').publicKey.export({ format: 'der', type: 'spki' }).toString('hex'));",
        4,
    );
    for (line, first) in said[0].lines().enumerate() {
        for other in &said[1..] {
            assert_ne!(other.lines().nth(line), Some(first), "line {line}");
        }
    }
    assert_eq!(said[0].lines().count(), 6);
}

#[test]
fn what_a_program_changes_of_its_engine_no_other_sees() {
    let Some((_server, door)) = server("1") else { return };
    let program = "console.log(typeof Array.prototype.mine, typeof globalThis.mine, require('path').mine);
                   Array.prototype.mine = globalThis.mine = require('path').mine = 'mine';";
    for said in run(&door, program, 3) {
        assert_eq!(said, "undefined undefined undefined\n");
    }
}

#[test]
fn a_parent_that_dies_is_made_anew_and_its_workers_live_on() {
    let Some((server, door)) = server("0") else { return };
    door.put(
        "/tmp/waits.js",
        b"process.stdin.on('data', (data) => { console.log(String(data)); process.exit(); })",
    );
    let waiting = door.start("/tmp/waits.js", "");
    let [parent] = parents(&server)[..] else { panic!("{:?} are no one parent", parents(&server)) };
    // SAFETY: a process that this test's server has started, and has not waited for.
    assert_eq!(unsafe { libc::kill(parent as i32, libc::SIGKILL) }, 0);
    assert_eq!(run(&door, "console.log('after')", 2), ["after\n", "after\n"]);
    let [anew] = parents(&server)[..] else { panic!("{:?} are no one parent", parents(&server)) };
    assert_ne!(anew, parent);
    door.say(&format!("{waiting}/stdio/0"), "still here");
    assert_eq!(door.end_of(&waiting), "");
    assert_eq!(door.text(&format!("{waiting}/stdio/1")), "still here\n");
}

#[test]
fn a_parent_goes_with_its_server() {
    let Some((server, door)) = server("0") else { return };
    run(&door, "", 1);
    let [parent] = parents(&server)[..] else { panic!("{:?} are no one parent", parents(&server)) };
    drop((door, server));
    let began = std::time::Instant::now();
    while fs::read(format!("/proc/{parent}/cmdline")).is_ok_and(|line| !line.is_empty()) {
        assert!(began.elapsed().as_secs() < 20, "it lives");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}
