//! Components that are one module, which calls preview 2 itself: they are run as that, and get what wasmtime's canonical ABI
//! would give them.

mod host;

use host::calls::{Program, RESULT};
use host::{Host, With};
use parking_lot::Mutex;
use std::sync::Arc;
use task::{Exit, Runtime, Trace};

/// Runs `program` in all its forms: as the component that is run as its module, that module alone, and as wasmtime runs it. Gives
/// what each wrote, and the lines of its trace.
async fn each(program: &Program, input: &[u8]) -> [(String, Vec<String>); 3] {
    let [component, other] = program.components();
    let mut runs = Vec::new();
    for program in [&component, &program.module("0.2.6"), &other] {
        let host = Host::new();
        let lines = Arc::new(Mutex::new(Vec::new()));
        let heard = lines.clone();
        let trace = Trace::default();
        trace.listen(Some(Arc::new(move |line| heard.lock().push(line.to_owned()))));
        let with = With {
            argv: vec!["main", "", "ä b"],
            env: vec![("A", "1"), ("EMPTY", "")],
            trace,
            ..With::default()
        };
        let task = host.start("main.wat", program, with).await.expect("started");
        task.stdin.push(input);
        task.stdin.end();
        let exit = task.end().await;
        assert_eq!(exit, Exit::success(), "{}", task.stderr.text());
        let lines = lines.lock().clone();
        runs.push((task.stdout.text(), lines));
    }
    runs.try_into().expect("three")
}

/// The same from all, and something.
async fn alike(program: &Program, input: &[u8]) -> String {
    let [component, module, other] = each(program, input).await;
    assert!(!other.0.is_empty());
    assert_eq!(component.0.escape_debug().to_string(), other.0.escape_debug().to_string());
    assert_eq!(module.0, other.0);
    other.0
}

/// The program's root directory.
fn root(program: &mut Program) -> String {
    program.line(format!("(call $preopens.get-directories (i32.const {RESULT}))"));
    program.keep(&format!("(i32.load (i32.load (i32.const {RESULT})))"))
}

const READ: u32 = 1;
const WRITE: u32 = 2;
const CREATE: u32 = 1;
const FOLLOW: u32 = 1;

fn open(program: &mut Program, dir: &str, name: &str, how: u32, flags: u32) -> String {
    let name = program.text(name);
    let args = format!("{dir} (i32.const {FOLLOW}) {name} (i32.const {how}) (i32.const {flags})");
    program.open("descriptor.open-at", &args)
}

#[tokio::test]
async fn it_is_run_as_its_module() {
    let host = Host::new();
    let [component, other] = Program::default().components();
    assert_eq!(host.run(&component, With::default()).await.0, Exit::success());
    assert_eq!(host.run(Program::default().module("0.2.6"), With::default()).await.0, Exit::success());
    // The encoder writes names into the module: those two are not one program, but neither is what wasmtime runs.
    assert!(host.runtime.cache().contains("\ncompiled 2\n"), "{}", host.runtime.cache());
    assert_eq!(host.run(&other, With::default()).await.0, Exit::success());
    assert!(host.runtime.cache().contains("\ncompiled 3\n"), "{}", host.runtime.cache());
}

#[tokio::test]
async fn it_gets_its_arguments_environment_and_terminals() {
    let mut p = Program::default();
    p.call("environment.get-arguments", "", 0);
    for n in [1, 2] {
        // The list's pointer leads to pairs of pointer and length.
        p.line(format!("(memory.copy (i32.const {RESULT}) (i32.add (i32.load (i32.const {RESULT})) (i32.const {})) (i32.const 8))", 8 * n));
        p.given_at(0);
        p.line(format!("(call $environment.get-arguments (i32.const {RESULT}))"));
    }
    p.note(&format!("(i32.load (i32.const {}))", RESULT + 4));
    p.call("environment.get-environment", "", 0);
    p.note(&format!("(i32.load (i32.const {}))", RESULT + 4));
    p.line(format!("(call $environment.get-environment (i32.const {RESULT}))"));
    p.line(format!("(memory.copy (i32.const {RESULT}) (i32.load (i32.const {RESULT})) (i32.const 32))"));
    for at in [0, 8, 16, 24] {
        p.given_at(at);
    }
    p.call("environment.initial-cwd", "", 1);
    p.given_at(4);
    for which in ["stdin", "stdout", "stderr"] {
        p.call(&format!("terminal-{which}.get-terminal-{which}"), "", 1);
    }
    p.line(format!("(call $drop.terminal-output (i32.load (i32.const {})))", RESULT + 4));
    let notes = alike(&p, b"").await;
    for noted in ["\n\n", "ä b\n", "A\n1\nEMPTY\n\n", "/\n"] {
        assert!(notes.contains(noted), "{notes:?}");
    }
}

#[tokio::test]
async fn files_are_made_written_read_and_looked_at_alike() {
    let mut p = Program::default();
    let root = root(&mut p);
    let file = open(&mut p, &root, "f", CREATE, READ | WRITE);
    let data = p.text("hello, world");
    p.call("descriptor.write", &format!("{file} {data} (i64.const 3)"), 16);
    p.call("descriptor.read", &format!("{file} (i64.const 100) (i64.const 1)"), 1);
    p.given_at(4);
    p.call("descriptor.read", &format!("{file} (i64.const 4) (i64.const 3)"), 1);
    p.given_at(4);
    p.call("descriptor.read", &format!("{file} (i64.const 4) (i64.const 300)"), 1);
    p.line(format!("(call $note (i32.const {}) (i32.const 8))", RESULT + 8));
    p.call("descriptor.read", &format!("{file} (i64.const 0) (i64.const 0)"), 1);
    let times = "(i32.const 2) (i64.const 7) (i32.const 8) (i32.const 2) (i64.const 9) (i32.const 10)";
    p.call("descriptor.set-times", &format!("{file} {times}"), 2);
    // All but the time of that change.
    p.call("descriptor.stat", &file, 80);
    // Identities are the process's own: alike in how they are told, and the same for the same file.
    p.call("descriptor.metadata-hash", &file, 1);
    let identity = p.keep(&format!("(i32.load (i32.const {}))", RESULT + 8));
    p.call("descriptor.get-type", &file, 2);
    p.call("descriptor.get-type", &root, 2);
    p.call("descriptor.get-flags", &file, 2);
    p.call("descriptor.set-size", &format!("{file} (i64.const 5)"), 2);
    p.call("descriptor.sync", &file, 2);
    p.call("descriptor.sync-data", &file, 2);
    p.call("descriptor.advise", &format!("{file} (i64.const 0) (i64.const 5) (i32.const 3)"), 2);
    p.call("descriptor.advise", &format!("{file} (i64.const -1) (i64.const 5) (i32.const 3)"), 2);
    let name = p.text("f");
    let times = "(i32.const 0) (i64.const 0) (i32.const 0) (i32.const 2) (i64.const 11) (i32.const 12)";
    p.call("descriptor.set-times-at", &format!("{root} (i32.const 1) {name} {times}"), 2);
    p.call("descriptor.stat-at", &format!("{root} (i32.const 1) {name}"), 80);
    p.call("descriptor.metadata-hash-at", &format!("{root} (i32.const 1) {name}"), 1);
    p.note(&format!("(i32.eq {identity} (i32.load (i32.const {})))", RESULT + 8));
    let again = open(&mut p, &root, "f", 0, READ);
    p.note(&format!("(call $descriptor.is-same-object {file} {again})"));
    p.note(&format!("(call $descriptor.is-same-object {file} {root})"));
    p.call("descriptor.write", &format!("{again} {data} (i64.const 0)"), 9);
    p.call("descriptor.read", &format!("{root} (i64.const 1) (i64.const 0)"), 1);
    p.line(format!("(call $drop.descriptor {file}) (call $drop.descriptor {again})"));
    let notes = alike(&p, b"").await;
    assert!(notes.contains("hello, world") && notes.contains("\nhell\n"), "{notes:?}");
}

#[tokio::test]
async fn names_are_made_listed_renamed_and_removed_alike() {
    let mut p = Program::default();
    let root = root(&mut p);
    let [dir, f, g, l, h] = ["d", "d/f", "d/g", "d/l", "d/h"].map(|name| p.text(name));
    p.call("descriptor.create-directory-at", &format!("{root} {dir}"), 2);
    p.call("descriptor.create-directory-at", &format!("{root} {dir}"), 2);
    let file = open(&mut p, &root, "d/f", CREATE, WRITE);
    p.line(format!("(call $drop.descriptor {file})"));
    p.call("descriptor.symlink-at", &format!("{root} {f} {l}"), 2);
    p.call("descriptor.readlink-at", &format!("{root} {l}"), 1);
    p.given_at(4);
    p.call("descriptor.link-at", &format!("{root} (i32.const 0) {f} {root} {h}"), 2);
    p.call("descriptor.rename-at", &format!("{root} {f} {root} {g}"), 2);
    p.call("descriptor.readlink-at", &format!("{root} {g}"), 2);
    let listed = open(&mut p, &root, "d", 2, READ);
    let listing = p.open("descriptor.read-directory", &listed);
    for _ in 0..3 {
        p.call("directory-entry-stream.read-directory-entry", &listing, 9);
        p.given_at(12);
        // Asked for at once, and later when it is looked for.
        let [at, len] = [12, 16].map(|word| p.keep(&format!("(i32.load (i32.const {}))", RESULT + word)));
        let [listed, found] = [(), ()].map(|()| {
            p.line(format!(
                "(call $descriptor.metadata-hash-at {listed} (i32.const 0) {at} {len} (i32.const {RESULT}))"
            ));
            p.keep(&format!("(i32.load (i32.const {}))", RESULT + 8))
        });
        p.note(&format!("(i32.eq {listed} {found})"));
    }
    p.call("directory-entry-stream.read-directory-entry", &listing, 5);
    p.line(format!("(call $drop.directory-entry-stream {listing})"));
    p.call("descriptor.remove-directory-at", &format!("{root} {dir}"), 2);
    for name in [&g, &l, &h, &h] {
        p.call("descriptor.unlink-file-at", &format!("{root} {name}"), 2);
    }
    p.call("descriptor.unlink-file-at", &format!("{root} {dir}"), 2);
    p.call("descriptor.remove-directory-at", &format!("{root} {dir}"), 2);
    p.call("descriptor.stat-at", &format!("{root} (i32.const 1) {dir}"), 9);
    p.call("descriptor.metadata-hash-at", &format!("{root} (i32.const 1) {dir}"), 9);
    let notes = alike(&p, b"").await;
    assert!(notes.contains("\nd/f\n"), "{notes:?}");
    assert_eq!(notes.matches("\n\u{1}\0\0\0\n").count(), 3, "{notes:?}");
}

#[tokio::test]
async fn streams_give_and_take_alike() {
    let mut p = Program::default();
    let root = root(&mut p);
    let file = open(&mut p, &root, "f", CREATE, READ | WRITE);
    let out = p.open("descriptor.write-via-stream", &format!("{file} (i64.const 2)"));
    let data = p.text("0123456789");
    p.call("output-stream.check-write", &out, 16);
    p.call("output-stream.write", &format!("{out} {data}"), 5);
    p.call("output-stream.flush", &out, 5);
    p.call("output-stream.blocking-flush", &out, 5);
    p.call("output-stream.write-zeroes", &format!("{out} (i64.const 3)"), 5);
    p.call("output-stream.blocking-write-zeroes-and-flush", &format!("{out} (i64.const 2)"), 5);
    p.call("output-stream.blocking-write-and-flush", &format!("{out} {data}"), 5);
    let end = p.open("descriptor.append-via-stream", &file);
    p.call("output-stream.blocking-write-and-flush", &format!("{end} {data}"), 5);
    let from = p.open("descriptor.read-via-stream", &format!("{file} (i64.const 0)"));
    p.call("input-stream.read", &format!("{from} (i64.const 5)"), 1);
    p.given_at(4);
    p.call("input-stream.skip", &format!("{from} (i64.const 1)"), 16);
    p.call("input-stream.blocking-skip", &format!("{from} (i64.const 1)"), 16);
    p.call("output-stream.splice", &format!("{end} {from} (i64.const 4)"), 16);
    p.call("output-stream.blocking-splice", &format!("{end} {from} (i64.const 4)"), 16);
    p.call("input-stream.read", &format!("{from} (i64.const 0)"), 1);
    p.call("input-stream.blocking-read", &format!("{from} (i64.const 1000)"), 1);
    p.given_at(4);
    p.call("input-stream.blocking-read", &format!("{from} (i64.const 1000)"), 5);
    p.call("input-stream.read", &format!("{from} (i64.const 1)"), 5);
    let ready = p.keep(&format!("(call $input-stream.subscribe {from})"));
    p.note(&format!("(call $pollable.ready {ready})"));
    p.line(format!("(call $pollable.block {ready}) (call $drop.pollable {ready})"));
    p.line(format!("(call $drop.input-stream {from}) (call $drop.output-stream {out})"));
    p.line(format!("(call $drop.output-stream {end})"));
    let notes = alike(&p, b"").await;
    assert!(notes.contains("0123456789"), "{notes:?}");
}

#[tokio::test]
async fn what_a_stream_failed_of_is_told_alike() {
    let mut p = Program::default();
    let root = root(&mut p);
    let file = open(&mut p, &root, "f", CREATE, READ);
    let out = p.open("descriptor.write-via-stream", &format!("{file} (i64.const 0)"));
    let data = p.text("x");
    p.call("output-stream.blocking-write-and-flush", &format!("{out} {data}"), 5);
    let error = p.keep(&format!("(i32.load (i32.const {}))", RESULT + 8));
    p.call("types.filesystem-error-code", &error, 2);
    p.call("error.to-debug-string", &error, 0);
    p.given_at(0);
    p.line(format!("(call $drop.error {error})"));
    p.call("descriptor.read-via-stream", &format!("{root} (i64.const 0)"), 5);
    p.call("descriptor.read-directory", &file, 5);
    let notes = alike(&p, b"").await;
    assert!(notes.contains("not open"), "{notes:?}");
}

#[tokio::test]
async fn standard_input_is_waited_for_and_polled_alike() {
    let mut p = Program::default();
    let input = p.keep("(call $stdin.get-stdin)");
    let ready = p.keep(&format!("(call $input-stream.subscribe {input})"));
    let alarm = p.keep("(call $monotonic-clock.subscribe-duration (i64.const 1000000000000))");
    let soon = p.keep("(call $monotonic-clock.subscribe-instant (i64.const 0))");
    p.line(format!("(i32.store (i32.const 2048) {alarm}) (i32.store (i32.const 2052) {ready})"));
    p.call("poll.poll", "(i32.const 2048) (i32.const 2)", 0);
    p.given_at(0);
    p.line(format!("(i32.store (i32.const 2052) {soon})"));
    p.call("poll.poll", "(i32.const 2048) (i32.const 2)", 0);
    p.note(&format!("(i32.load (i32.load (i32.const {RESULT})))"));
    p.note(&format!("(call $pollable.ready {alarm})"));
    for _ in 0..2 {
        p.call("input-stream.blocking-read", &format!("{input} (i64.const 8)"), 1);
        p.given_at(4);
    }
    p.call("input-stream.blocking-read", &format!("{input} (i64.const 8)"), 5);
    for pollable in [ready, alarm, soon] {
        p.line(format!("(call $drop.pollable {pollable})"));
    }
    let notes = alike(&p, b"0123456789").await;
    assert!(notes.contains("01234567\n") && notes.contains("89\n"), "{notes:?}");
}

#[tokio::test]
async fn clocks_and_randomness_are_there() {
    let mut p = Program::default();
    p.call("wall-clock.resolution", "", 16);
    p.call("wall-clock.now", "", 0);
    p.note(&format!("(i64.gt_u (i64.load (i32.const {RESULT})) (i64.const 1577836800))"));
    p.note("(i32.wrap_i64 (call $monotonic-clock.resolution))");
    p.note("(i64.gt_u (call $monotonic-clock.now) (i64.const 0))");
    for bytes in ["random.get-random-bytes", "insecure.get-insecure-random-bytes"] {
        p.call(bytes, "(i64.const 40)", 0);
        p.note(&format!("(i32.load (i32.const {}))", RESULT + 4));
        p.note(&format!("(i64.ne (i64.load (i32.load (i32.const {RESULT}))) (i64.const 0))"));
    }
    p.call("insecure-seed.insecure-seed", "", 0);
    p.note(&format!("(i64.ne (i64.load (i32.const {RESULT})) (i64.load (i32.const {})))", RESULT + 8));
    p.note("(i64.ne (call $random.get-random-u64) (call $random.get-random-u64))");
    p.note("(i64.ne (call $insecure.get-insecure-random-u64) (call $random.get-random-u64))");
    alike(&p, b"").await;
}

#[tokio::test]
async fn both_halves_of_a_stat_are_of_one_file_and_neither_outlives_a_wait() {
    let mut p = Program::default();
    let root = root(&mut p);
    let name = p.text("f");
    let file = open(&mut p, &root, "f", CREATE, READ | WRITE);
    let ask = |p: &mut Program, call: &str| p.call(call, &format!("{root} (i32.const 0) {name}"), 1);
    let size = |p: &mut Program| p.note(&format!("(i32.load (i32.const {}))", RESULT + 24));
    ask(&mut p, "descriptor.metadata-hash-at");
    ask(&mut p, "descriptor.stat-at");
    size(&mut p);
    // What is read in between changes it, and the file is looked for again.
    let input = p.keep("(call $stdin.get-stdin)");
    let out = p.open("descriptor.write-via-stream", &format!("{file} (i64.const 0)"));
    ask(&mut p, "descriptor.metadata-hash-at");
    p.call("output-stream.blocking-splice", &format!("{out} {input} (i64.const 5)"), 9);
    ask(&mut p, "descriptor.stat-at");
    size(&mut p);
    ask(&mut p, "descriptor.stat-at");
    size(&mut p);
    let notes = alike(&p, b"12345").await;
    let sizes: Vec<&str> = notes.split('\n').filter(|note| note.len() == 4).collect();
    assert_eq!(sizes, ["\0\0\0\0", "\u{5}\0\0\0", "\u{5}\0\0\0"], "{notes:?}");
}

#[tokio::test]
async fn its_trace_is_that_of_a_component() {
    let mut p = Program::default();
    let root = root(&mut p);
    let file = open(&mut p, &root, "f", CREATE, READ | WRITE);
    let data = p.text("hello");
    p.call("descriptor.write", &format!("{file} {data} (i64.const 0)"), 16);
    p.call("descriptor.read", &format!("{file} (i64.const 9) (i64.const 0)"), 1);
    p.call("descriptor.stat", &file, 1);
    p.line(format!("(call $drop.descriptor {file})"));
    let [component, module, other] = each(&p, b"").await;
    assert!(other.1.iter().any(|line| line.contains("open-at(")), "{:?}", other.1);
    assert_eq!(component.1, other.1);
    assert_eq!(module.1, other.1);
}

#[tokio::test]
async fn it_ends_as_it_says() {
    let host = Host::new();
    for (body, code) in [
        ("(call $exit.exit (i32.const 0))", 0),
        ("(call $exit.exit (i32.const 1))", 1),
        ("(return (i32.const 1))", 1),
    ] {
        let mut p = Program::default();
        p.line(body);
        for program in p.components() {
            assert_eq!(host.run(program, With::default()).await.0.code, code, "{body}");
        }
    }
}

#[tokio::test]
async fn what_the_canonical_abi_traps_for_traps_there_too() {
    let host = Host::new();
    let bad = [
        ("(call $drop.descriptor (i32.const 77))", ""),
        ("(call $descriptor.stat (i32.const 0) (i32.const 1024))", "unknown handle index 0"),
        ("(call $wall-clock.now (i32.const 1028))", "pointer not aligned"),
        ("(call $wall-clock.now (i32.const 0x7ffffff8))", "pointer out of bounds"),
        ("(call $poll.poll (i32.const 0) (i32.const 0) (i32.const 1024))", "empty poll list"),
    ];
    for (body, why) in bad {
        let mut p = Program::default();
        p.line(body);
        let [component, other] = p.components();
        for program in [component, other] {
            let exit = host.run(program, With::default()).await.0;
            assert_eq!(exit.code, 134, "{body}");
            assert!(exit.message.starts_with(&format!("trap: {why}")), "{body}: {}", exit.message);
        }
    }
}

/// A program whose `cabi_realloc` is `realloc`.
fn with_realloc(realloc: &str) -> Vec<u8> {
    wat::parse_str(format!(
        r#"(module
  (import "wasi:cli/environment@0.2.0" "get-arguments" (func $args (param i32)))
  (memory (export "memory") 1)
  (func (export "cabi_realloc") {realloc})
  (func (export "wasi:cli/run@0.2.0#run") (result i32) (call $args (i32.const 64)) (i32.const 0)))"#
    ))
    .expect("a module")
}

#[tokio::test]
async fn room_that_a_guest_makes_is_looked_at() {
    let host = Host::new();
    let params = "(param i32 i32 i32 i32) (result i32)";
    for (realloc, why) in [
        (format!("{params} (i32.const 65533)"), "pointer not aligned"),
        (format!("{params} (i32.const 65536)"), "pointer out of bounds"),
        (format!("{params} (i32.const -8)"), "pointer out of bounds"),
        (format!("{params} (call $args (i32.const 64)) (i32.const 128)"), "call stack exhausted"),
        (format!("{params} unreachable"), "unreachable"),
        ("(param i32) (result i32) (i32.const 128)".to_owned(), "indirect call type mismatch"),
    ] {
        let exit = host.run(with_realloc(&realloc), With::default()).await.0;
        assert_eq!(exit.code, 134, "{realloc}: {}", exit.message);
        assert!(exit.message.contains(why), "{realloc}: {}", exit.message);
    }
}

#[tokio::test]
async fn what_is_no_command_of_these_calls_is_refused_with_its_reason() {
    let host = Host::new();
    let run = r#"(func (export "wasi:cli/run@0.2.0#run") (result i32) (i32.const 0))"#;
    for (module, why) in [
        (
            format!(r#"(module (import "wasi:cli/run@0.2.0" "jump" (func)) {run})"#),
            "unknown import wasi:cli/run@0.2.0.jump",
        ),
        (format!("(module {run})"), "it exports no memory of 32 bits that is its own"),
        (
            format!(r#"(module (memory (export "memory") i64 1) {run})"#),
            "it exports no memory of 32 bits that is its own",
        ),
    ] {
        let error = host.refused("main.wat", module.as_bytes()).await;
        assert_eq!(error.to_string(), format!("/main.wat: {why}"));
    }
}

#[tokio::test]
async fn one_that_waits_is_killed_and_one_that_computes_is_limited() {
    let host = Host::new();
    let mut p = Program::default();
    let input = p.keep("(call $stdin.get-stdin)");
    p.call("input-stream.blocking-read", &format!("{input} (i64.const 8)"), 1);
    let task = host.start("main.wat", &p.module("0.2.12"), With::default()).await.expect("started");
    task.running.kill(Exit::killed(137, "killed by SIGKILL"));
    assert_eq!(task.end().await.code, 137);

    let mut p = Program::default();
    p.line("(loop $on (br $on))");
    let limits = task::Limits { cpu: Some(std::time::Duration::from_millis(50)), ..task::Limits::default() };
    let with = With { limits, ..With::default() };
    let task = host.start("main.wat", &p.module("0.2.12"), with).await.expect("started");
    assert_ne!(task.end().await.code, 0);
}

#[tokio::test]
async fn strings_that_are_none_and_lists_beyond_all_use_are_refused() {
    let host = Host::new();
    let big = "(drop (memory.grow (i32.const 1024)))";
    for (body, why) in [
        ("(i32.store8 (i32.const 0) (i32.const 255)) (call $descriptor.readlink-at (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 1024))".to_owned(), "invalid utf-8"),
        (format!("{big} (call $descriptor.readlink-at (i32.const 1) (i32.const 0) (i32.const 0x1800000) (i32.const 1024))"), "25165824 bytes given at once"),
        (format!("{big} (call $poll.poll (i32.const 0) (i32.const 0x100000) (i32.const 1024))"), "1048576 handles given at once"),
    ] {
        let mut p = Program::default();
        p.line(&body);
        let exit = host.run(p.module("0.2.12"), With::default()).await.0;
        assert_eq!(exit.code, 134, "{body}");
        assert!(exit.message.contains(why), "{body}: {}", exit.message);
    }
}

#[tokio::test]
async fn programs_with_a_byte_changed_harm_nobody() {
    let host = Host::new();
    let mut p = Program::default();
    let root = root(&mut p);
    let file = open(&mut p, &root, "f", CREATE, READ | WRITE);
    let data = p.text("hello");
    p.call("descriptor.write", &format!("{file} {data} (i64.const 0)"), 16);
    p.call("descriptor.read", &format!("{file} (i64.const 9) (i64.const 0)"), 1);
    p.given_at(4);
    p.call("environment.get-arguments", "", 8);
    let [component, _] = p.components();
    // Numbers that look like chance, and are the same every time (xorshift).
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut chance = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    let tries = std::env::var("TASKFS_TRIES").ok().and_then(|tries| tries.parse().ok()).unwrap_or(150);
    let mut ran = 0;
    for _ in 0..tries {
        let mut changed = component.clone();
        let at = chance(changed.len());
        changed[at] = chance(256) as u8;
        let limits = task::Limits {
            wall: Some(std::time::Duration::from_millis(200)),
            memory: Some(64 << 20),
            ..task::Limits::default()
        };
        if let Ok(task) = host.start("main.wasm", &changed, With { limits, ..With::default() }).await {
            task.stdin.end();
            task.end().await;
            ran += 1;
        }
    }
    assert!(ran > tries / 10, "{ran} of {tries} ran");
    let (exit, task) = host.run(&component, With::default()).await;
    assert_eq!(exit, Exit::success(), "{}", task.stderr.text());
}
