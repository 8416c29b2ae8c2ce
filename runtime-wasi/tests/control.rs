//! Stopping, continuing, killing and limiting guests, whatever they do.

mod host;

use host::{Host, Task, With, wat};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use task::{Exit, Limits};
use tokio::time::sleep;

const SPIN: &str = r#"(module (memory (export "memory") 1) (func (export "_start") (loop $l (br $l))))"#;
const READ: &str = r#"
  (func (export "_start")
    (i32.store (i32.const 0) (i32.const 64))
    (i32.store (i32.const 4) (i32.const 100))
    (call $expect (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)) (i32.const 0))
    (call $print (i32.const 1) (i32.const 64) (i32.load (i32.const 8))))"#;

fn cpu(task: &Task) -> Duration {
    Duration::from_nanos(task.usage.user_ns.load(Ordering::Relaxed))
}

#[tokio::test]
async fn a_guest_blocked_in_a_read_is_killed_at_once() {
    let host = Host::new();
    let task = host.start("main.wat", wat(READ).as_bytes(), With::default()).await.expect("started");
    sleep(Duration::from_millis(50)).await;
    let began = Instant::now();
    task.running.kill(Exit::killed(143, "SIGTERM"));
    task.running.kill(Exit::killed(137, "too late"));
    assert_eq!(task.end().await, Exit::killed(143, "SIGTERM"));
    assert!(began.elapsed() < Duration::from_millis(100), "{:?}", began.elapsed());
    assert_eq!(task.running.wait().await, Exit::killed(143, "SIGTERM"), "late askers hear the same");
    assert_eq!(task.usage.files.load(Ordering::Relaxed), 0);
    assert_eq!(task.usage.memory.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_guest_blocked_in_a_read_goes_on_when_there_is_something() {
    let host = Host::new();
    let task = host.start("main.wat", wat(READ).as_bytes(), With::default()).await.expect("started");
    sleep(Duration::from_millis(30)).await;
    assert_eq!(cpu(&task).as_millis() / 20, 0, "waiting takes no cpu");
    task.stdin.push(b"at last");
    assert_eq!(task.end().await, Exit::success());
    assert_eq!(task.stdout.text(), "at last");
}

#[tokio::test]
async fn a_spinning_guest_is_killed_within_a_few_ticks() {
    let host = Host::new();
    let task = host.start("main.wat", SPIN.as_bytes(), With::default()).await.expect("started");
    sleep(Duration::from_millis(50)).await;
    let began = Instant::now();
    task.running.kill(Exit::killed(137, "SIGKILL"));
    assert_eq!(task.end().await, Exit::killed(137, "SIGKILL"));
    assert!(began.elapsed() < Duration::from_millis(200), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_stopped_guest_uses_no_cpu_until_it_is_continued() {
    let host = Host::new();
    let task = host.start("main.wat", SPIN.as_bytes(), With::default()).await.expect("started");
    sleep(Duration::from_millis(100)).await;
    assert!(cpu(&task) > Duration::ZERO, "it runs");
    task.running.stop();
    task.running.stop();
    sleep(Duration::from_millis(100)).await;
    let stopped = cpu(&task);
    sleep(Duration::from_millis(200)).await;
    assert_eq!(cpu(&task), stopped, "it stands still");
    task.running.cont();
    sleep(Duration::from_millis(200)).await;
    assert!(cpu(&task) > stopped, "it runs again");
    task.running.stop();
    task.running.kill(Exit::killed(137, "SIGKILL"));
    assert_eq!(task.end().await.code, 137, "a stopped guest can be killed");
}

#[tokio::test]
async fn a_stopped_guest_does_not_take_what_it_waited_for() {
    let host = Host::new();
    let task = host.start("main.wat", wat(READ).as_bytes(), With::default()).await.expect("started");
    sleep(Duration::from_millis(30)).await;
    task.running.stop();
    task.stdin.push(b"x");
    sleep(Duration::from_millis(50)).await;
    assert_eq!((task.stdin.text().as_str(), task.stdout.text().as_str()), ("x", ""));
    task.running.cont();
    assert_eq!(task.end().await, Exit::success());
    assert_eq!(task.stdout.text(), "x");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_spinning_guests_let_others_run() {
    let host = Host::new();
    let mut spinning = Vec::new();
    for _ in 0..200 {
        spinning.push(host.start("spin.wat", SPIN.as_bytes(), With::default()).await.expect("started"));
    }
    sleep(Duration::from_millis(200)).await;
    let used = || spinning.iter().map(cpu).sum::<Duration>();
    let before = used();
    let quick = host
        .start("main.wat", wat(r#"(func (export "_start"))"#).as_bytes(), With::default())
        .await
        .expect("started");
    assert_eq!(quick.end().await, Exit::success());
    // What the others computed meanwhile, not the time on the wall: the machine may be busy with something else.
    let meanwhile = used() - before;
    assert!(meanwhile < Duration::from_secs(4), "the others had {meanwhile:?} before it had its turn");
    let ran = spinning.iter().filter(|task| cpu(task) > Duration::ZERO).count();
    assert!(ran > 100, "only {ran} of them ever ran");
    for task in &spinning {
        task.running.kill(Exit::killed(137, "SIGKILL"));
    }
    for task in &spinning {
        assert_eq!(task.end().await.code, 137);
    }
}

#[tokio::test]
async fn the_cpu_limit_ends_a_guest_that_computes() {
    let host = Host::new();
    let limits = Limits { cpu: Some(Duration::from_millis(100)), ..Limits::default() };
    let (exit, task) = host.run(SPIN, With { limits, ..With::default() }).await;
    assert_eq!(exit, Exit::killed(152, "cpu limit 100ms reached"));
    assert!(cpu(&task) < Duration::from_millis(200), "{:?}", cpu(&task));
}

#[tokio::test]
async fn limits_that_are_set_while_a_guest_computes_strike() {
    let host = Host::new();
    for (limits, ends) in [
        (Limits { cpu: Some(Duration::from_millis(300)), ..Limits::default() }, "cpu limit 300ms reached"),
        (Limits { wall: Some(Duration::from_millis(300)), ..Limits::default() }, "wall limit 300ms reached"),
    ] {
        let task = host.start("main.wat", SPIN.as_bytes(), With::default()).await.expect("started");
        sleep(Duration::from_millis(100)).await;
        task.running.set_limits(limits);
        assert_eq!(task.end().await.message, ends);
    }
}

#[tokio::test]
async fn what_a_guest_did_is_told_while_it_computes() {
    const WRITES_AND_SPINS: &str = r#"
      (func (export "_start")
        (i32.store (i32.const 0) (i32.const 64))
        (i32.store (i32.const 4) (i32.const 3))
        (call $expect (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)) (i32.const 0))
        (call $expect (call $fd_close (i32.const 99)) (i32.const 8))
        (loop $l (br $l)))"#;
    let host = Host::new();
    let task =
        host.start("main.wat", wat(WRITES_AND_SPINS).as_bytes(), With::default()).await.expect("started");
    let told = || {
        let usage = &task.usage;
        (usage.calls.load(Ordering::Relaxed), usage.written_bytes.load(Ordering::Relaxed), cpu(&task))
    };
    let patience = Instant::now() + Duration::from_secs(10);
    while !matches!(told(), (2, 3, computed) if computed > Duration::ZERO) {
        assert!(Instant::now() < patience, "{:?}", told());
        sleep(Duration::from_millis(5)).await;
    }
    // Also while it stays where it is.
    let before = cpu(&task);
    while cpu(&task) < before + Duration::from_millis(30) {
        assert!(Instant::now() < patience, "{:?}", told());
        sleep(Duration::from_millis(5)).await;
    }
    task.running.kill(Exit::killed(137, "SIGKILL"));
    assert_eq!(task.end().await.code, 137);
}

#[tokio::test]
async fn whom_a_guest_wakes_runs_while_it_computes_on() {
    const WAKES_AND_SPINS: &str = r#"
      (func (export "_start")
        (i32.store (i32.const 0) (i32.const 64))
        (i32.store (i32.const 4) (i32.const 3))
        (call $expect (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)) (i32.const 0))
        (loop $l (br $l)))"#;
    let host = Host::new();
    for _ in 0..20 {
        let reader = host.start("read.wat", wat(READ).as_bytes(), With::default()).await.expect("started");
        let with = With { stdout: Some(reader.stdin.clone()), ..With::default() };
        let waker = host.start("wake.wat", wat(WAKES_AND_SPINS).as_bytes(), with).await.expect("started");
        assert_eq!(reader.end().await, Exit::success());
        waker.running.kill(Exit::killed(137, "SIGKILL"));
        assert_eq!(waker.end().await.code, 137);
    }
}

#[tokio::test]
async fn the_wall_limit_ends_a_guest_that_waits_and_can_be_set_while_it_does() {
    let host = Host::new();
    let limits = Limits { wall: Some(Duration::from_millis(100)), ..Limits::default() };
    let (exit, _) = host.run(&wat(READ), With { limits, ..With::default() }).await;
    assert_eq!(exit, Exit::killed(142, "wall limit 100ms reached"));
    let task = host.start("main.wat", wat(READ).as_bytes(), With::default()).await.expect("started");
    task.running.set_limits(limits);
    assert_eq!(task.end().await, Exit::killed(142, "wall limit 100ms reached"));
}

#[tokio::test]
async fn the_memory_limit_fails_growth_and_is_named_when_the_guest_ends_badly() {
    let host = Host::new();
    let body = r#"
  (func (export "_start")
    (loop $more
      (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
    (call $proc_exit (i32.const CODE)))"#;
    let limits = Limits { memory: Some(16 << 20), ..Limits::default() };
    let (exit, task) = host.run(&wat(&body.replace("CODE", "1")), With { limits, ..With::default() }).await;
    assert_eq!(exit, Exit::killed(1, "memory limit 16M reached (exit status 1)"));
    let peak = task.usage.memory_peak.load(Ordering::Relaxed);
    assert!((15 << 20..=16 << 20).contains(&peak), "{peak}");
    let (exit, _) = host.run(&wat(&body.replace("CODE", "0")), With { limits, ..With::default() }).await;
    assert_eq!(exit, Exit::success(), "a guest that copes is not ended");
    let limits = Limits { memory: Some(1000), ..Limits::default() };
    let with = With { limits, ..With::default() };
    let Err(error) = host.start("main.wat", wat(body).replace("CODE", "0").as_bytes(), with).await else {
        panic!("started")
    };
    assert_eq!(error.text(), "main.wat: memory limit 1000: the program needs 64K to start");
}

#[tokio::test]
async fn tables_count_as_memory() {
    let host = Host::new();
    let body = r#"
  (table $t 1 funcref)
  (func (export "_start")
    (call $expect (table.grow $t (ref.null func) (i32.const 1000000)) (i32.const -1)))"#;
    let limits = Limits { memory: Some(1 << 20), ..Limits::default() };
    let (exit, _) = host.run(&wat(body), With { limits, ..With::default() }).await;
    assert_eq!(exit, Exit::success());
}

#[tokio::test]
async fn the_limit_on_open_files_is_emfile() {
    let host = Host::new();
    let body = r#"
  (data (i32.const 64) "tmp")
  (global $n (mut i32) (i32.const 0))
  (func (export "_start")
    (local $errno i32)
    (loop $more
      (local.set $errno (call $path_open (i32.const 3) (i32.const 0) (i32.const 64) (i32.const 3) (i32.const 0)
        (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 16)))
      (global.set $n (i32.add (global.get $n) (i32.const 1)))
      (br_if $more (i32.eqz (local.get $errno))))
    (call $expect (local.get $errno) (i32.const 33))
    (call $proc_exit (global.get $n)))"#;
    host.mkdir("/tmp").await;
    let limits = Limits { files: Some(10), ..Limits::default() };
    let (exit, _) = host.run(&wat(body), With { limits, ..With::default() }).await;
    // Four were open, six more could be.
    assert_eq!(exit.code, 7);
}

#[tokio::test]
async fn a_trap_names_the_calls_that_led_to_it_and_leaves_a_backtrace() {
    let host = Host::new();
    let body = r#"
  (func $deep unreachable)
  (func $middle (call $deep))
  (func $first (export "_start") (call $middle))"#;
    let (exit, task) = host.run(&wat(body), With::default()).await;
    let message = "trap: wasm `unreachable` instruction executed at deep < middle < first (main.wat)";
    assert_eq!(exit, Exit::killed(134, message));
    let said = task.stderr.text();
    assert!(
        said.starts_with(&exit.message) && said.contains("!middle") && said.contains("backtrace"),
        "{said}"
    );
}

#[tokio::test]
async fn endless_recursion_ends_in_a_trap() {
    let host = Host::new();
    let (exit, _) = host.run(&wat(r#"(func $f (export "_start") (call $f))"#), With::default()).await;
    assert_eq!((exit.code, exit.message.contains("call stack exhausted")), (134, true), "{exit:?}");
}

#[tokio::test]
async fn a_module_that_spins_before_its_start_can_be_killed_too() {
    let host = Host::new();
    let body = r#"(module (memory (export "memory") 1) (func $s (loop $l (br $l))) (start $s) (func (export "_start")))"#;
    let task = host.start("main.wat", body.as_bytes(), With::default()).await.expect("started");
    sleep(Duration::from_millis(30)).await;
    task.running.kill(Exit::killed(137, "SIGKILL"));
    assert_eq!(task.end().await.code, 137);
}

#[tokio::test]
async fn one_guest_too_many_is_refused_and_a_place_is_free_again_when_one_ends() {
    let host = Host::with(runtime_wasi::Config { max_instances: Some(2), ..Default::default() });
    let program = wat(READ);
    let first = host.start("main.wat", program.as_bytes(), With::default()).await.expect("started");
    let _second = host.start_again("main.wat", With::default()).await.expect("started");
    let Err(error) = host.start_again("main.wat", With::default()).await else { panic!("started") };
    assert_eq!((error.errno(), error.text()), (vfs::Errno::EAGAIN, "too many running wasi tasks (2)"));
    first.running.kill(Exit::success());
    first.end().await;
    host.start_again("main.wat", With::default()).await.expect("started");
}

#[tokio::test]
async fn a_guest_ends_with_its_runtime() {
    let host = Host::new();
    let task = host.start("main.wat", wat(READ).as_bytes(), With::default()).await.expect("started");
    drop(host);
    assert_eq!(task.end().await.code, 137);
}
