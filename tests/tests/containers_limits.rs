//! Limits of a container, as its processes and those who watch it learn of them; and the end of programs whose output nobody reads.

use nine::wire::Dialect;
use std::time::{Duration, Instant};
use tests::Server;
use tests::door::Door;
use tests::engines::engines;
use tests::inside::Inside;

const PATIENCE: Duration = Duration::from_secs(120);

/// A shell that keeps twenty million bytes, and says when it does.
const HOG: &str = "x=$(head -c 20000000 /dev/zero | tr '\\0' x); echo ${#x}; sleep 1000\n";

#[test]
fn the_memory_of_all_processes_together_is_held_to_the_limit() {
    let server = Server::start(&[]);
    let door = Door::nine(&server, Dialect::P9P2000U);
    let mut inside = Inside::new(&door);
    inside.put("/tmp/hog.sh", HOG.as_bytes());
    inside.ctl("limit memory=70M");
    // Each alone is far below it.
    let hogs: Vec<String> = (0..5).map(|_| inside.spawn("sh /tmp/hog.sh")).collect();
    let words = "limit memory=70M of container 1 reached";
    inside.until(|line| line == format!("limit memory '{words}'"));
    let ended = inside.until(|line| line.starts_with("process ") && line.contains(" exited "));
    assert!(ended.ends_with(&format!(" '{words}'")), "{ended}");
    assert!(door.text(&inside.path("status")).contains(&format!("limit '{words}'\n")));
    // It is the error of the one that was killed.
    let id = ended.split(' ').nth(1).expect("a number");
    assert!(door.text(&inside.path(&format!("processes/{id}/wait"))).contains(words));
    let used = || {
        let usage = door.text(&inside.path("usage"));
        let line = usage.lines().find_map(|line| line.strip_prefix("memory ")).expect("a line").to_owned();
        line.parse::<u64>().expect("a number")
    };
    let deadline = Instant::now() + PATIENCE;
    while used() > 70 << 20 {
        assert!(Instant::now() < deadline, "{} bytes", used());
        std::thread::sleep(Duration::from_millis(20));
    }
    // One of them fits at least, also while it has twice what it keeps, and is not killed for what another takes who ends.
    let lives =
        |id: &&String| door.text(&inside.path(&format!("processes/{id}/status"))).starts_with("running");
    assert!(hogs.iter().any(|id| lives(&id)), "{}", door.text(&inside.path("status")));

    // One alone is held to it by its runtime, and reads why.
    let mut alone = Inside::new(&door);
    alone.put("/tmp/hog.sh", HOG.as_bytes());
    alone.ctl("limit memory=10M");
    let id = alone.spawn("sh /tmp/hog.sh");
    alone.until(|line| line.starts_with(&format!("process {id} exited")));
    let told = door.text(&alone.path(&format!("processes/{id}/stdio/2")));
    assert!(told.contains("memory limit 10M reached"), "{told}");
}

/// Says y for ever, and looks at no error.
const YES: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 8) "y\n")
    (func (export "_start")
        (i32.store (i32.const 0) (i32.const 8))
        (i32.store (i32.const 4) (i32.const 2))
        (loop $again
            (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)))
            (br $again))))"#;

/// What a line for the container's shell says.
fn line(inside: &mut Inside<'_>, line: &str) -> String {
    let id = inside.spawn(&format!("sh -c '{}'", line.replace('\'', "''")));
    inside.said(&id)
}

#[test]
fn a_wasi_program_whose_output_nobody_reads_ends_as_by_sigpipe() {
    let server = Server::start(&[]);
    let door = Door::nine(&server, Dialect::P9P2000U);
    let mut inside = Inside::new(&door);
    inside.put("/tmp/yes.wat", YES.as_bytes());
    inside.put("/tmp/flood.wasm", &std::fs::read(tests::guest("flood.wasm")).expect("a guest"));
    let said = line(
        &mut inside,
        "chmod +x /tmp/yes.wat /tmp/flood.wasm; set -o pipefail; /tmp/yes.wat | head -n 1; echo $?; yes | head -n 1; echo $?",
    );
    assert_eq!(said, "y\n141\ny\n141\n", "the same as yes(1)");
    // The status of a pipeline's first program, where its reader takes little.
    let said =
        line(&mut inside, "set -o pipefail; /tmp/flood.wasm | head -c 2 >/tmp/two; echo $?; cat /tmp/two");
    assert_eq!(said, "141\nxx");
}

#[test]
fn a_node_program_whose_output_nobody_reads_gets_epipe() {
    let program = "const more = () => { process.stdout.write('y\\n'); setImmediate(more); };
        process.stdout.on('error', (e) => { console.error(e.code, e.syscall); process.exit(3); });
        more();";
    let careless = "setInterval(() => { for (let n = 0; n < 1000; n++) process.stdout.write('y\\n'); }, 1);";
    for engine in engines("EPIPE in Node programs") {
        let server = Server::start(&["--node", engine.worker()]);
        let door = Door::nine(&server, Dialect::P9P2000U);
        let mut inside = Inside::new(&door);
        inside.put("/tmp/yes.cjs", program.as_bytes());
        inside.put("/tmp/careless.cjs", careless.as_bytes());
        let said = line(
            &mut inside,
            "set -o pipefail; node /tmp/yes.cjs 2>/tmp/told | head -n 1; echo $?; cat /tmp/told",
        );
        assert_eq!(said, "y\n3\nEPIPE write\n", "{}", engine.name);
        // Nobody hears of the error: it ends the program, as every other one does.
        let said = line(
            &mut inside,
            "set -o pipefail; node /tmp/careless.cjs 2>/tmp/told | head -n 1; echo $?; grep -o EPIPE /tmp/told | head -n 1",
        );
        assert_eq!(said, "y\n1\nEPIPE\n", "{}", engine.name);
    }
}
