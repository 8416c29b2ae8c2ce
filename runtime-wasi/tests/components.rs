//! Preview 2 command components: how they start, what they are given, how they end, and that they are held as modules are.

mod host;

use host::{Host, Task, With, component, wat};
use parking_lot::Mutex;
use runtime_wasi::Config;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use task::{Exit, Fit, Limits, Program, Runtime, Trace};
use tokio::time::sleep;
use vfs::Errno;

const ECHO: &str = r#"
  (func (export "_start")
    (loop $more
      (i32.store (i32.const 0) (i32.const 64))
      (i32.store (i32.const 4) (i32.const 100))
      (call $expect (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)) (i32.const 0))
      (if (i32.load (i32.const 8)) (then
        (call $print (i32.const 1) (i32.const 64) (i32.load (i32.const 8)))
        (br $more)))))"#;
const SPIN: &str = r#"(func (export "_start") (loop $l (br $l)))"#;

async fn start(host: &Host, body: &str, with: With) -> Task {
    host.start("main.wasm", &component(&wat(body)), with).await.expect("started")
}

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

#[tokio::test]
async fn a_component_is_known_by_its_magic_bytes_and_said_to_run() {
    let host = Host::new();
    let bytes = component(&wat(r#"(func (export "_start"))"#));
    assert_eq!(host.runtime.detect(Program { path: b"/bin/x", head: &bytes[..8] }), Fit::ByMagic);
    let runs = host.runtime.capabilities().into_iter().find(|c| c.name == "runs").expect("what it runs");
    assert_eq!(runs.value, "wasi_snapshot_preview1 wasi_unstable wasi:cli/command@0.2");
    assert_eq!(
        start(&host, r#"(func (export "_start"))"#, With::default()).await.end().await,
        Exit::success()
    );
}

#[tokio::test]
async fn arguments_environment_and_directory_arrive_and_the_exit_comes_back() {
    let host = Host::new();
    let body = r#"
  (func (export "_start")
    (call $expect (call $args_sizes_get (i32.const 16) (i32.const 20)) (i32.const 0))
    (call $expect (call $args_get (i32.const 1024) (i32.const 2048)) (i32.const 0))
    (call $print (i32.const 1) (i32.const 2048) (i32.load (i32.const 20)))
    (call $expect (call $environ_sizes_get (i32.const 16) (i32.const 20)) (i32.const 0))
    (call $expect (call $environ_get (i32.const 1024) (i32.const 2048)) (i32.const 0))
    (call $print (i32.const 2) (i32.const 2048) (i32.load (i32.const 20)))
    (call $proc_exit (i32.const 1)))"#;
    host.mkdir("/home").await;
    let with = With {
        argv: vec!["prog", "one", "two words"],
        env: vec![("A", "1"), ("B", "")],
        cwd: Some("/home"),
        ..With::default()
    };
    let task = start(&host, body, with).await;
    assert_eq!(task.end().await, Exit::with_code(1));
    assert_eq!(task.stdout.text(), "prog\0one\0two words\0");
    assert_eq!(task.stderr.text(), "A=1\0B=\0PWD=/home\0");
}

#[tokio::test]
async fn standard_input_is_waited_for_without_cpu_and_echoed_until_its_end() {
    let host = Host::new();
    let task = start(&host, ECHO, With::default()).await;
    sleep(millis(60)).await;
    let before = task.usage.user_ns.load(Ordering::Relaxed);
    sleep(millis(60)).await;
    assert_eq!(task.usage.user_ns.load(Ordering::Relaxed), before, "waiting takes no cpu");
    task.stdin.push(b"one ");
    sleep(millis(20)).await;
    task.stdin.push(b"two");
    sleep(millis(20)).await;
    task.stdin.end();
    assert_eq!(task.end().await, Exit::success());
    assert_eq!(task.stdout.text(), "one two");
}

#[tokio::test]
async fn a_component_is_stopped_continued_and_killed_whatever_it_does() {
    let host = Host::new();
    for body in [SPIN, ECHO] {
        let task = start(&host, body, With::default()).await;
        sleep(millis(50)).await;
        task.running.stop();
        sleep(millis(50)).await;
        let stopped = task.usage.user_ns.load(Ordering::Relaxed);
        sleep(millis(50)).await;
        assert_eq!(task.usage.user_ns.load(Ordering::Relaxed), stopped, "it stands still");
        task.running.cont();
        task.running.kill(Exit::killed(143, "SIGTERM"));
        let began = Instant::now();
        assert_eq!(task.end().await, Exit::killed(143, "SIGTERM"));
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        assert_eq!(task.usage.files.load(Ordering::Relaxed), 0);
        assert_eq!(task.usage.memory.load(Ordering::Relaxed), 0);
    }
}

#[tokio::test]
async fn limits_on_cpu_wall_time_and_memory_strike_with_their_words() {
    let host = Host::new();
    let cpu = Limits { cpu: Some(millis(30)), ..Limits::default() };
    let task = start(&host, SPIN, With { limits: cpu, ..With::default() }).await;
    assert_eq!(task.end().await.message, "cpu limit 30ms reached");
    let wall = Limits { wall: Some(millis(30)), ..Limits::default() };
    let task = start(&host, ECHO, With { limits: wall, ..With::default() }).await;
    assert_eq!(task.end().await.message, "wall limit 30ms reached");
    let memory = Limits { memory: Some(1 << 20), ..Limits::default() };
    let grow = r#"(func (export "_start")
        (if (i32.eq (memory.grow (i32.const 100)) (i32.const -1)) (then unreachable)))"#;
    let task = start(&host, grow, With { limits: memory, ..With::default() }).await;
    let exit = task.end().await;
    assert!(exit.message.starts_with("memory limit 1M reached (trap: wasm `unreachable`"), "{exit:?}");
}

#[tokio::test]
async fn a_component_that_needs_more_memory_than_it_may_have_is_not_started() {
    let host = Host::new();
    let limits = Limits { memory: Some(64 << 10), ..Limits::default() };
    let big = component(&wat(r#"(func (export "_start"))"#).replace("\"memory\") 1)", "\"memory\") 40)"));
    let Err(error) = host.start("big.wasm", &big, With { limits, ..With::default() }).await else {
        panic!("it was started");
    };
    assert!(error.is(Errno::ENOMEM), "{error:?}");
    assert!(error.text().starts_with("big.wasm: memory limit 64K: the program needs "), "{error}");
}

#[tokio::test]
async fn a_trap_names_the_calls_that_led_to_it() {
    let host = Host::new();
    let body = r#"(func $inner unreachable) (func (export "_start") (call $inner))"#;
    let task = start(&host, body, With::default()).await;
    let exit = task.end().await;
    assert_eq!(exit.code, 134);
    assert!(
        exit.message.starts_with("trap: wasm `unreachable` instruction executed at inner < "),
        "{exit:?}"
    );
    assert!(task.stderr.text().contains("inner"), "{}", task.stderr.text());
}

#[tokio::test]
async fn what_is_no_command_is_refused_with_the_reason() {
    let host = Host::new();
    for (name, text, said) in [
        (
            "lib.wat",
            "(component)",
            "/lib.wat: no wasi:cli/run@0.2 is exported (but nothing): a library, not a program",
        ),
        (
            "import.wat",
            r#"(component
                 (import "wasi:frob/frob@0.2.0" (instance $i (export "frob" (func))))
                 (core module $m (func (export "run") (result i32) (i32.const 0)))
                 (core instance $c (instantiate $m))
                 (func $run (result (result)) (canon lift (core func $c "run")))
                 (component $r (import "f" (func $f (result (result)))) (export "run" (func $f)))
                 (instance $run (instantiate $r (with "f" (func $run))))
                 (export "wasi:cli/run@0.2.0" (instance $run)))"#,
            "/import.wat: it imports frob of wasi:frob/frob@0.2.0, which there is not",
        ),
        (
            "newer.wat",
            r#"(component
                 (component $empty)
                 (instance $run (instantiate $empty))
                 (export "wasi:cli/run@0.3.0" (instance $run)))"#,
            "/newer.wat: a program of another WASI than 0.2, which alone is served: wasi:cli/run@0.3.0",
        ),
        ("bad.wat", "(component (core instance 3))", "/bad.wat: not a valid WebAssembly component: "),
    ] {
        let error = host.refused(name, text.as_bytes()).await;
        assert!(error.is(Errno::ENOEXEC) && error.text().starts_with(said), "{error:?}");
        assert!(!error.text().contains('\n'), "{error:?}");
    }
    let error = host.refused("old.wasm", b"\0asm\x0a\0\x01\0").await;
    assert_eq!(error.text(), "/old.wasm: a component of version 10, which is unknown");
}

#[tokio::test]
async fn a_component_is_compiled_once_for_all_servers_with_the_same_cache() {
    let dir = tempfile::tempdir().expect("a directory");
    let host = || Host::with(Config { cache_dir: Some(dir.path().join("cache")), ..Config::default() });
    let counts = |host: &Host| {
        let text = host.runtime.cache();
        let of = |key: &str| {
            let value = text.lines().find_map(|line| line.strip_prefix(key)).expect("a count");
            value.trim().parse::<u64>().expect("a number")
        };
        (of("compiled "), of("hits "), of("diskhits "))
    };
    let first = host();
    for _ in 0..2 {
        assert_eq!(start(&first, r#"(func (export "_start"))"#, With::default()).await.end().await.code, 0);
    }
    assert_eq!(counts(&first), (1, 1, 0));
    let second = host();
    assert_eq!(start(&second, r#"(func (export "_start"))"#, With::default()).await.end().await.code, 0);
    assert_eq!(counts(&second), (0, 0, 1));
}

#[tokio::test]
async fn calls_are_counted_and_shown_in_the_trace() {
    let host = Host::new();
    host.put("/f", b"12345").await;
    let body = r#"
  (data (i32.const 64) "f")
  (func (export "_start")
    (call $expect (call $path_open (i32.const 3) (i32.const 1) (i32.const 64) (i32.const 1)
      (i32.const 0) (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 16)) (i32.const 0))
    (i32.store (i32.const 0) (i32.const 64))
    (i32.store (i32.const 4) (i32.const 100))
    (call $expect (call $fd_read (i32.load (i32.const 16)) (i32.const 0) (i32.const 1) (i32.const 8)) (i32.const 0))
    (call $print (i32.const 1) (i32.const 64) (i32.load (i32.const 8)))
    (call $expect (call $path_open (i32.const 3) (i32.const 1) (i32.const 64) (i32.const 4)
      (i32.const 0) (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 16)) (i32.const 44)))"#;
    let trace = Trace::default();
    let lines = Arc::new(Mutex::new(Vec::new()));
    let seen = lines.clone();
    trace.listen(Some(Arc::new(move |line: &str| seen.lock().push(line.to_owned()))));
    let task = start(&host, body, With { trace, ..With::default() }).await;
    assert_eq!(task.end().await, Exit::success());
    assert_eq!(task.stdout.text(), "12345");
    let lines = lines.lock().join("\n");
    for wanted in [
        r#""f", 0, read) = "#,
        "input-stream.read(",
        ", 100) = 5",
        "output-stream.write(1, 5) = 0",
        "= no-entry (file does not exist)",
    ] {
        assert!(lines.contains(wanted), "no {wanted} in:\n{lines}");
    }
    assert!(task.usage.calls.load(Ordering::Relaxed) >= 2);
    assert_eq!(task.usage.read_bytes.load(Ordering::Relaxed), 5);
    assert_eq!(task.usage.written_bytes.load(Ordering::Relaxed), 5);
}

#[tokio::test]
async fn a_udp_socket_that_was_received_from_can_be_connected() {
    let host = Host::new();
    // An address is a case, a port, four bytes, and room for the other case's.
    let local = "(i32.const 0) (i32.const 0) (i32.const 127) (i32.const 0) (i32.const 0) (i32.const 1) \
                 (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)";
    let peer = local.replacen("(i32.const 0) (i32.const 0)", "(i32.const 0) (i32.const 9)", 1);
    let address = "i32 ".repeat(12);
    let program = host::calls::component_of(|version| {
        let text = format!(
            r#"(module
  (import "wasi:sockets/instance-network@{version}" "instance-network" (func $network (result i32)))
  (import "wasi:sockets/udp-create-socket@{version}" "create-udp-socket" (func $create (param i32 i32)))
  (import "wasi:sockets/udp@{version}" "[method]udp-socket.start-bind" (func $bind (param i32 i32 {address} i32)))
  (import "wasi:sockets/udp@{version}" "[method]udp-socket.finish-bind" (func $bound (param i32 i32)))
  (import "wasi:sockets/udp@{version}" "[method]udp-socket.stream" (func $stream (param i32 i32 {address} i32)))
  (import "wasi:sockets/udp@{version}" "[method]incoming-datagram-stream.receive" (func $receive (param i32 i64 i32)))
  (import "wasi:sockets/udp@{version}" "[resource-drop]incoming-datagram-stream" (func $drop_in (param i32)))
  (import "wasi:sockets/udp@{version}" "[resource-drop]outgoing-datagram-stream" (func $drop_out (param i32)))
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
  (func $check (if (i32.load8_u (i32.const 64)) (then unreachable)))
  (func (export "wasi:cli/run@{version}#run") (result i32) (local $socket i32) (local $tries i32)
    (call $create (i32.const 0) (i32.const 64)) (call $check)
    (local.set $socket (i32.load (i32.const 68)))
    (call $bind (local.get $socket) (call $network) {local} (i32.const 64)) (call $check)
    (call $bound (local.get $socket) (i32.const 64)) (call $check)
    (loop $again
      (call $stream (local.get $socket) (i32.const 0) {local} (i32.const 64)) (call $check)
      (call $receive (i32.load (i32.const 68)) (i64.const 1) (i32.const 128))
      (call $drop_in (i32.load (i32.const 68)))
      (call $drop_out (i32.load (i32.const 72)))
      (call $stream (local.get $socket) (i32.const 1) {peer} (i32.const 64)) (call $check)
      (call $drop_in (i32.load (i32.const 68)))
      (call $drop_out (i32.load (i32.const 72)))
      (local.set $tries (i32.add (local.get $tries) (i32.const 1)))
      (br_if $again (i32.lt_u (local.get $tries) (i32.const 20))))
    (i32.const 0)))"#
        );
        wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
    });
    let mut caps = task::Caps::default();
    for cap in ["net:connect", "net:listen"] {
        caps.grant(task::Cap::parse(&[cap.into(), b"*:*".to_vec()]).expect("a capability"));
    }
    let (exit, task) = host.run(program, With { caps, ..With::default() }).await;
    assert_eq!(exit, Exit::success(), "{}", task.stderr.text());
}
