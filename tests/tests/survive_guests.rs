//! Guests that loop, allocate, flood, recurse and open for ever hurt nobody else, end where their limits say, with a
//! message that names the limit, and can be killed. Through every door.

use nine::wire::Dialect;
use std::path::Path;
use std::time::{Duration, Instant};
use tests::bystander::Bystander;
use tests::door::Door;
use tests::wire::Cost;
use tests::{Server, guests, has_fuse};

/// A server with the guests, mounted where that can be.
struct Place {
    server: Server,
    mount: Option<tempfile::TempDir>,
}

impl Place {
    fn new(what: &str) -> Place {
        Place::with(what, &[])
    }
    fn with(what: &str, args: &[&str]) -> Place {
        let mount = has_fuse(what).then(|| tempfile::tempdir().expect("a temporary directory"));
        let bind = format!("{}:/guests:ro", guests().display());
        let mut args = [&["--bind", &bind], args].concat();
        if let Some(dir) = &mount {
            args.extend(["--mount", dir.path().to_str().expect("a UTF-8 path")]);
        }
        Place { server: Server::start(&args), mount }
    }
    fn mount(&self) -> Option<&Path> {
        self.mount.as_ref().map(tempfile::TempDir::path)
    }
    fn doors(&self) -> Vec<Door> {
        Door::all(&self.server, self.mount())
    }
}

/// Makes, runs and removes a hello world; how long that takes.
fn hello(door: &Door) -> Duration {
    let start = Instant::now();
    let task = door.start("/guests/hello.wasm", "");
    assert_eq!(door.end_of(&task), "");
    assert_eq!(door.text(&format!("{task}/stdio/1")), "Hello, world!\n");
    let took = start.elapsed();
    door.remove(&task).expect("a finished task can be removed");
    took
}

#[test]
fn a_limit_that_strikes_says_so_in_wait() {
    let place = Place::new("limits over FUSE");
    let bystander = Bystander::start(&place.server, place.mount());
    let cases = [
        // Program, limit, exit code, wait's words.
        ("/guests/loop.wasm", "cpu=200ms", "152\n", "cpu limit 200ms reached"),
        ("/guests/loop.wasm", "wall=200ms", "142\n", "wall limit 200ms reached"),
        ("/guests/sleep.wasm 600", "wall=200ms", "142\n", "wall limit 200ms reached"),
        ("/guests/cat.wasm", "wall=200ms", "142\n", "wall limit 200ms reached"),
        ("/guests/alloc.wasm", "memory=64M", "1\n", "memory limit 64M reached"),
        ("/guests/flood.wasm", "output=1M", "", "output limit 1M reached"),
        ("/guests/flood.wasm", "cpu=200ms", "152\n", "cpu limit 200ms reached"),
        ("/guests/recurse.wasm", "", "134\n", "call stack exhausted"),
        // POSIX has an errno for too many files: the program is told, and says it.
        ("/guests/openmany.wasm /tmp/x", "files=64", "1\n", "exit status 1"),
    ];
    for door in place.doors() {
        for (cmd, limits, code, says) in cases {
            let start = Instant::now();
            let task = door.start(cmd, limits);
            let end = door.end_of(&task);
            assert!(end.contains(says), "{door:?}: {cmd} with {limits}: {end}");
            let exit = door.text(&format!("{task}/exitcode"));
            assert!(code.is_empty() || exit == code, "{door:?}: {cmd} with {limits}: exit code {exit}");
            let took = start.elapsed();
            assert!(took < Duration::from_secs(10), "{door:?}: {cmd} with {limits}: {took:?}");
            match cmd {
                "/guests/openmany.wasm /tmp/x" => {
                    let said = door.text(&format!("{task}/stdio/1"));
                    assert!(said.starts_with("open number 61:"), "64 with stdio and the root: {said}");
                }
                "/guests/flood.wasm" if limits.starts_with("output") => {
                    let out = door.read(&format!("{task}/stdio/1")).expect("its output");
                    assert!(out.len() <= 1 << 20, "{} bytes", out.len());
                }
                "/guests/recurse.wasm" => {
                    let trace = door.text(&format!("{task}/stdio/2"));
                    assert!(trace.contains("call stack exhausted") && trace.contains("deeper"), "{trace}");
                }
                _ => {}
            }
            let usage = door.text(&format!("{task}/usage"));
            assert!(
                usage.contains("\nmemory 0\n") && usage.contains("\nfiles 0\n"),
                "all is given back: {usage}"
            );
        }
        hello(&door);
    }
    bystander.finish("limits that strike");
}

#[test]
fn a_limit_set_while_it_runs_strikes_as_well() {
    let place = Place::new("limits set later over FUSE");
    for door in place.doors() {
        for (cmd, limit, says) in [
            ("/guests/loop.wasm", "cpu=300ms", "cpu limit 300ms reached"),
            ("/guests/sleep.wasm 600", "wall=300ms", "wall limit 300ms reached"),
            ("/guests/flood.wasm", "output=64K", "output limit 64K reached"),
        ] {
            let task = door.start(cmd, "");
            std::thread::sleep(Duration::from_millis(50));
            assert_eq!(door.text(&format!("{task}/status")), "running\n");
            door.say(&format!("{task}/ctl"), &format!("limit {limit}\n"));
            assert!(door.end_of(&task).contains(says), "{door:?}: {cmd}");
        }
    }
}

#[test]
fn a_limit_set_while_it_is_being_compiled_holds_once_it_runs() {
    let place = Place::new("limits set early over FUSE");
    let [starter, limiter] = [Dialect::P9P2000L; 2].map(|dialect| Door::nine(&place.server, dialect));
    // Large enough to take a while to compile; then it spins.
    let function =
        "(func (param i32) (result i32) (i32.mul (i32.add (local.get 0) (i32.const 7)) (local.get 0)))";
    let start = r#"(memory (export "memory") 1) (func (export "_start") (loop (br 0)))"#;
    starter.put("/tmp/large.wat", format!("(module {start} {})", function.repeat(20_000)).as_bytes());
    let task = starter.task("/tmp/large.wat");
    std::thread::scope(|scope| {
        scope.spawn(|| starter.say(&format!("{task}/ctl"), "start\n"));
        std::thread::sleep(Duration::from_millis(20));
        limiter.say(&format!("{task}/ctl"), "limit wall=100ms\n");
    });
    let started = Instant::now();
    assert_eq!(limiter.end_of(&task), "wall limit 100ms reached");
    // The table gives up what does not end by itself only after two seconds.
    assert!(started.elapsed() < Duration::from_millis(1900), "{:?}", started.elapsed());
}

#[test]
fn a_dozen_hostile_guests_at_once_leave_hello_world_its_speed_and_can_all_be_killed() {
    let mut place = Place::new("hostile guests over FUSE");
    let doors = place.doors();
    let calm = (0..10).map(|_| hello(&doors[0])).min().expect("ten");
    let before = Cost::of(place.server.pid());
    let bystander = Bystander::start(&place.server, place.mount());
    let mut hostile: Vec<String> = (0..8).map(|_| doors[0].start("/guests/loop.wasm", "")).collect();
    hostile.push(doors[0].start("/guests/flood.wasm", ""));
    hostile.push(doors[0].start("/guests/alloc.wasm", "memory=256M"));
    hostile.push(doors[0].start("/guests/recurse.wasm", ""));
    hostile.push(doors[0].start("/guests/openmany.wasm /tmp/many", "files=1000"));
    let mut times: Vec<Duration> = Vec::new();
    for _ in 0..10 {
        times.extend(doors.iter().map(hello));
    }
    times.sort();
    let (median, worst) = (times[times.len() / 2], times[times.len() - 1]);
    eprintln!(
        "hello world: {calm:?} in peace; {median:?}, {worst:?} at worst beside eight loops and a flood"
    );
    assert!(median < Duration::from_secs(1) && worst < Duration::from_secs(5), "{median:?}, {worst:?}");
    for task in &hostile {
        let start = Instant::now();
        if doors[1].text(&format!("{task}/status")) == "running\n" {
            // It may end by itself in between; nothing else may go wrong.
            if let Err(failure) = doors[1].write(&format!("{task}/ctl"), b"kill\n") {
                assert_eq!(failure.errno, libc::EBUSY, "{failure:?}");
            }
        }
        doors[1].end_of(task);
        assert!(start.elapsed() < Duration::from_secs(5), "{task}: {:?}", start.elapsed());
        doors[1].remove(task).expect("a finished task can be removed");
    }
    let pace = bystander.finish("hostile guests");
    assert!(pace.rounds > 20);
    // Every program that was run stays compiled, with an image in a descriptor; the rest comes back.
    let deadline = Instant::now() + Duration::from_secs(10);
    while Cost::of(place.server.pid()).files > before.files + 6 && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(20));
    }
    let after = Cost::of(place.server.pid());
    eprintln!("{before:?}, {after:?}");
    assert!(
        after.resident_kib < before.resident_kib + 64 * 1024,
        "what they took comes back: {before:?}, {after:?}"
    );
    assert!(after.files <= before.files + 6, "{before:?}, {after:?}");
    assert!(place.server.is_running());
}

#[test]
fn a_flood_that_is_read_slowly_or_not_at_all_takes_a_bounded_place() {
    let place = Place::new("floods over FUSE");
    let door = Door::nine(&place.server, Dialect::P9P2000L);
    let before = Cost::of(place.server.pid());
    let floods: Vec<String> = (0..20).map(|_| door.start("/guests/flood.wasm", "")).collect();
    // Half of them have a reader that takes one piece and no more.
    let path = |task: &String| format!("{task}/stdio/1");
    let readers: Vec<_> = floods
        .iter()
        .take(10)
        .map(|t| door.open(&path(t), nine::wire::OpenFlags::empty()).expect("opens"))
        .collect();
    readers.iter().for_each(|reader| assert!(!reader.read(0, 4096).expect("reads").is_empty()));
    std::thread::sleep(Duration::from_secs(1));
    let during = Cost::of(place.server.pid());
    eprintln!("twenty floods: {before:?}, {during:?}");
    assert!(during.resident_kib < before.resident_kib + 128 * 1024, "{before:?}, {during:?}");
    hello(&door);
    for task in &floods {
        door.say(&format!("{task}/ctl"), "kill\n");
        assert!(door.end_of(task).contains("killed"));
    }
}

#[test]
fn guests_that_only_open_files_stop_at_a_limit_of_the_server() {
    let place = Place::new("files over FUSE");
    let door = Door::nine(&place.server, Dialect::P9P2000U);
    let task = door.start("/guests/openmany.wasm /tmp/x", "wall=60s");
    assert_eq!(
        door.end_of(&task),
        "exit status 1",
        "it is told that there are no more, before anything breaks"
    );
    let said = door.text(&format!("{task}/stdio/1"));
    eprintln!("openmany without a limit: {}", said.trim());
    hello(&door);
}

#[test]
fn a_pipeline_whose_reader_is_killed_ends_its_writer() {
    let place = Place::new("pipelines over FUSE");
    for door in place.doors() {
        let flood = door.task("/guests/flood.wasm");
        let cat = door.start("/guests/cat.wasm", "");
        door.say(&format!("{flood}/ctl"), &format!("bind {cat}/stdio/0 {flood}/stdio/1\n"));
        door.say(&format!("{flood}/ctl"), "start\n");
        std::thread::sleep(Duration::from_millis(100));
        door.say(&format!("{cat}/ctl"), "kill\n");
        assert_eq!(door.end_of(&flood), "killed by SIGPIPE", "{door:?}: nobody reads what it writes");
    }
}

#[test]
fn guests_without_a_limit_that_allocate_for_ever_share_what_the_server_gives_and_it_stays() {
    let mut place = Place::with("memory over FUSE", &["--memory", "300M"]);
    let bystander = Bystander::start(&place.server, place.mount());
    let before = Cost::of(place.server.pid());
    for door in place.doors() {
        let tasks: Vec<String> = (0..6).map(|_| door.start("/guests/alloc.wasm", "")).collect();
        for task in &tasks {
            let end = door.end_of(task);
            assert!(end.starts_with("memory of all tasks together: limit 300M reached"), "{end}");
            let said = door.text(&format!("{task}/stdio/1"));
            assert!(said.starts_with("no memory after "), "{said}");
            door.remove(task).expect("a finished task can be removed");
        }
        hello(&door);
    }
    bystander.finish("guests that allocate");
    let stats = Door::nine(&place.server, Dialect::P9P2000L).text("/runtime/wasi/stats");
    assert!(stats.contains("\nmemory 0\n"), "all is given back: {stats}");
    let after = Cost::of(place.server.pid());
    eprintln!("{before:?}, {after:?}");
    assert!(after.resident_kib < before.resident_kib + 64 * 1024, "{before:?}, {after:?}");
    assert!(place.server.is_running());
}
