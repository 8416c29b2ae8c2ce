//! Node tasks in numbers, on a real engine: one after the other for a long time without growth of the server, and many at once.

use nine::wire::{Dialect, OpenFlags};
use std::time::{Duration, Instant};
use tests::Server;
use tests::door::Door;
use tests::engines::{Engine, engines};

/// What a server holds of its machine.
#[derive(Clone, Copy, Debug)]
struct Held {
    descriptors: usize,
    threads: usize,
    processes: usize,
    /// Bytes, resident.
    memory: u64,
}

/// All processes below `pid`.
fn below(pid: u32) -> usize {
    let parents: Vec<(u32, u32)> = std::fs::read_dir("/proc")
        .expect("/proc")
        .filter_map(|entry| {
            let pid = entry.ok()?.file_name().to_str()?.parse().ok()?;
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            let parent = stat[stat.rfind(')')? + 1..].split_ascii_whitespace().nth(1)?.parse().ok()?;
            Some((pid, parent))
        })
        .collect();
    let mut found = vec![pid];
    let mut at = 0;
    while at < found.len() {
        let parent = found[at];
        found.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| *pid));
        at += 1;
    }
    found.len() - 1
}

fn held(server: &Server) -> Held {
    let count =
        |what: &str| std::fs::read_dir(format!("/proc/{}/{what}", server.pid())).expect("it runs").count();
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).expect("it runs");
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: u64 =
        resident.and_then(|rest| rest.split_ascii_whitespace().next()?.parse().ok()).expect("a size");
    Held {
        descriptors: count("fd"),
        threads: count("task"),
        processes: below(server.pid()),
        memory: kib << 10,
    }
}

/// Waits until the pool is as it was before.
fn at_rest(engine: &Engine, server: &Server, door: &Door) -> Held {
    // Two workers, each below its own init; QuickJS's are forked from one process more.
    let processes = if engine.is_v8() { 4 } else { 5 };
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let stats = door.text("/runtime/nodejs/stats");
        if stats.contains("warm 2\n") && stats.contains("tasks 0\n") && held(server).processes == processes {
            return held(server);
        }
        assert!(Instant::now() < deadline, "{stats}{:?}", held(server));
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn one_after_the_other(engine: &Engine, count: usize) {
    let server = Server::start(&["--node", engine.worker()]);
    let door = Door::nine(&server, Dialect::P9P2000U);
    let text = "const fs = require('fs'); fs.writeFileSync('/tmp/' + process.pid, 'x'); fs.unlinkSync('/tmp/' + process.pid);
        const watcher = fs.watch('/tmp'); watcher.close(); console.log('done');";
    door.put("/home/one.js", text.as_bytes());
    let round = |count: usize| {
        for _ in 0..count {
            let task = door.start("/home/one.js", "");
            assert_eq!(door.end_of(&task), "");
            assert_eq!(door.text(&format!("{task}/stdio/1")), "done\n");
            door.remove(&task).expect("a finished task can be removed");
        }
        at_rest(engine, &server, &door)
    };
    let before = round(count.div_ceil(4).min(500));
    let after = round(count);
    println!("{count} tasks on {}: {before:?}, then {after:?}", engine.name);
    assert!(after.descriptors <= before.descriptors + 4, "descriptors: {before:?}, then {after:?}");
    assert!(after.threads <= before.threads + 4, "threads: {before:?}, then {after:?}");
    assert_eq!(after.processes, before.processes);
    // What an allocator keeps of a burst does not grow with their number: a task that left 2 KiB would be seen.
    let leaked = after.memory.saturating_sub(before.memory);
    assert!(leaked < (8 << 20) + 2048 * count as u64, "memory: {before:?}, then {after:?}");
}

#[test]
fn three_hundred_tasks_leave_nothing_behind() {
    if let Some(engine) = engines("Node tasks one after the other").first() {
        one_after_the_other(engine, 300);
    }
}

#[test]
#[ignore = "soak: ten thousand Node tasks one after the other, some minutes for each engine"]
fn soak_ten_thousand_tasks_leave_nothing_behind() {
    for engine in engines("Node tasks one after the other") {
        one_after_the_other(&engine, 10_000);
    }
}

fn at_once(engine: &Engine, count: usize) {
    let server = Server::start(&["--node", engine.worker()]);
    let door = Door::nine(&server, Dialect::P9P2000U);
    let text = "process.stdin.once('data', (data) => { console.log(process.pid, String(data).trim()); process.exit(); });
        process.stdout.write('up\\n');";
    door.put("/home/many.js", text.as_bytes());
    let tasks: Vec<String> = (0..count).map(|_| door.start("/home/many.js", "")).collect();
    for task in &tasks {
        let out = door.open(&format!("{task}/stdio/1"), OpenFlags::empty()).expect("its output");
        assert_eq!(out.read(0, 64).expect("its output"), b"up\n", "{task}");
    }
    // All of them live at this moment.
    assert!(held(&server).processes >= 2 * count, "{:?}", held(&server));
    for task in &tasks {
        door.say(&format!("{task}/stdio/0"), "go\n");
    }
    for task in &tasks {
        assert_eq!(door.end_of(task), "");
        let number = task.trim_start_matches("/task/");
        assert_eq!(door.text(&format!("{task}/stdio/1")), format!("up\n{number} go\n"));
        door.remove(task).expect("a finished task can be removed");
    }
    at_rest(engine, &server, &door);
}

#[test]
fn twenty_tasks_run_at_once() {
    if let Some(engine) = engines("Node tasks at once").first() {
        at_once(engine, 20);
    }
}

#[test]
#[ignore = "soak: two hundred Node tasks at once take some gigabytes"]
fn soak_two_hundred_tasks_run_at_once() {
    for engine in engines("Node tasks at once") {
        at_once(&engine, 200);
    }
}
