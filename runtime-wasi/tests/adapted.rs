//! Components that are preview 1 commands behind the adapter between the previews: they are run as those.

mod host;

use host::{Host, With, adapted, component, wat};
use parking_lot::Mutex;
use std::sync::Arc;
use task::{Exit, Runtime, Trace};
use vfs::Errno;

const HELLO: &str = r#"
  (data (i32.const 64) "hello\n")
  (func (export "_start")
    (call $print (i32.const 1) (i32.const 64) (i32.const 6))
    (call $proc_exit (i32.const 7)))"#;

#[tokio::test]
async fn it_makes_the_calls_of_its_module_and_ends_with_its_code() {
    let host = Host::new();
    let calls = Arc::new(Mutex::new(Vec::new()));
    let heard = calls.clone();
    let trace = Trace::default();
    trace.listen(Some(Arc::new(move |line| heard.lock().push(line.to_owned()))));
    let with = With { trace, ..With::default() };
    let (exit, task) = host.run(adapted(&wat(HELLO)), with).await;
    assert_eq!((exit, task.stdout.text()), (Exit::with_code(7), "hello\n".to_owned()));
    let calls = calls.lock();
    assert!(calls.iter().any(|line| line.starts_with("fd_write(1")), "{calls:?}");
}

#[tokio::test]
async fn its_module_is_compiled_once_for_both() {
    let host = Host::new();
    // The encoder leaves out what the module has no use for: only what is left is the same program.
    let made = adapted(&wat(HELLO));
    let at = made.windows(8).skip(1).position(|head| head == b"\0asm\x01\0\0\0").expect("a module") + 1;
    let (mut size, mut shift) = (0, 0);
    let head = made[..at].iter().rposition(|byte| *byte == 1).expect("a section of a module") + 1;
    for byte in &made[head..at] {
        size |= usize::from(byte & 0x7f) << shift;
        shift += 7;
    }
    for program in [&made[..], &made[at..at + size]] {
        assert_eq!(host.run(program, With::default()).await.0, Exit::with_code(7));
    }
    let cache = host.runtime.cache();
    assert!(cache.contains("\ncompiled 1\n") && cache.contains("\nhits 1\n"), "{cache}");
}

/// A component whose module asks for the time, and the code by which its adapter answers that.
fn asks_for_the_time(answer: &str) -> Vec<u8> {
    let clock = "(param i32 i64 i32) (result i32)";
    wat::parse_str(format!(
        r#"(component
  (core module $main
    (import "wasi_snapshot_preview1" "clock_time_get" (func $clock_time_get {clock}))
    (memory (export "memory") 1)
    (func (export "_start")
      (drop (call $clock_time_get (i32.const 1) (i64.const 0) (i32.const 8)))
      (if (i64.ne (i64.load (i32.const 8)) (i64.const 42)) (then unreachable))))
  (core module $adapter
    (import "env" "memory" (memory 0))
    (import "__main_module__" "_start" (func $start))
    (func (export "wasi:cli/run@0.2.6#run") (result i32) (call $start) (i32.const 0))
    (func (export "clock_time_get") {clock} {answer}))
  (core module $shim
    (type $clock (func {clock}))
    (table $imports (export "$imports") 1 1 funcref)
    (func (export "0") {clock}
      (call_indirect $imports (type $clock) (local.get 0) (local.get 1) (local.get 2) (i32.const 0))))
  (core module $fixup
    (import "" "0" (func {clock}))
    (import "" "$imports" (table 1 1 funcref))
    (elem (i32.const 0) func 0))
  (core instance $shim (instantiate $shim))
  (core instance $calls (export "clock_time_get" (func $shim "0")))
  (core instance $main (instantiate $main (with "wasi_snapshot_preview1" (instance $calls))))
  (core instance $env (export "memory" (memory $main "memory")))
  (core instance $adapter (instantiate $adapter
    (with "env" (instance $env)) (with "__main_module__" (instance $main))))
  (core instance $filled
    (export "0" (func $adapter "clock_time_get"))
    (export "$imports" (table $shim "$imports")))
  (core instance (instantiate $fixup (with "" (instance $filled))))
  (func $run (result (result)) (canon lift (core func $adapter "wasi:cli/run@0.2.6#run")))
  (instance $command (export "run" (func $run)))
  (export "wasi:cli/run@0.2.6" (instance $command)))"#
    ))
    .expect("a component")
}

#[tokio::test]
async fn an_adapter_that_answers_by_itself_is_asked() {
    let host = Host::new();
    let answers = asks_for_the_time("(i64.store (local.get 2) (i64.const 42)) (i32.const 0)");
    let (exit, task) = host.run(answers, With::default()).await;
    assert_eq!(exit, Exit::success(), "{}", task.stderr.text());
}

#[tokio::test]
async fn a_component_that_has_more_in_it_is_run_as_it_is() {
    let host = Host::new();
    let more = component(&wat(HELLO));
    // Of the codes that an exit can have its adapter knows two.
    assert_eq!(host.run(more, With::default()).await.0, Exit::with_code(1));
}

#[tokio::test]
async fn a_module_may_make_these_calls_as_well_and_import_them_twice() {
    let host = Host::new();
    let now = r#"(import "wasi:clocks/monotonic-clock@0.2.3" "now" (func $NAME (result i64)))"#;
    let program = format!(
        r#"(module {} {} (memory (export "memory") 1)
  (func (export "_start") (if (i64.gt_u (call $one) (call $two)) (then unreachable))))"#,
        now.replace("NAME", "one"),
        now.replace("NAME", "two")
    );
    let (exit, task) = host.run(program, With::default()).await;
    assert_eq!(exit, Exit::success(), "{}", task.stderr.text());
}

#[tokio::test]
async fn what_is_no_component_is_refused_whatever_module_is_in_it() {
    let host = Host::new();
    let made = adapted(&wat(HELLO));
    let error = host.refused("cut.wasm", &made[..made.len() - 1]).await;
    assert!(error.is(Errno::ENOEXEC), "{error}");
    // What is said to be a component and is a module that imports something: an empty component, and in it section 4.
    let within = wat::parse_str(r#"(module (import "a" "b" (func)))"#).expect("a module");
    let mut misnamed = b"\0asm\x0d\0\x01\0\x04".to_vec();
    misnamed.push(within.len() as u8);
    misnamed.extend(within);
    let error = host.refused("misnamed.wasm", &misnamed).await;
    assert!(error.is(Errno::ENOEXEC), "{error}");
    // An export of what there is not, behind everything else: kind, name, sort, index, no type.
    let mut broken = made;
    broken.extend_from_slice(b"\x0b\x07\x01\x00\x01x\x05\x63\x00");
    let error = host.refused("broken.wasm", &broken).await;
    assert!(error.text().starts_with("/broken.wasm: not a valid WebAssembly component: "), "{error}");
}

#[tokio::test]
async fn imports_that_were_numbered_are_the_calls_that_they_number() {
    let host = Host::new();
    // As Go has it.
    let twice = wat(HELLO).replace(
        "(memory (export",
        r#"(import "wasi_snapshot_preview1" "fd_write" (func $again (param i32 i32 i32 i32) (result i32)))
  (memory (export"#,
    );
    let twice = twice.replace("(call $print (i32.const 1)", "(drop (call $again (i32.const 9) (i32.const 0) (i32.const 0) (i32.const 0))) (call $print (i32.const 1)");
    let (exit, task) = host.run(adapted(&twice), With::default()).await;
    assert_eq!((exit, task.stdout.text()), (Exit::with_code(7), "hello\n".to_owned()));
}

/// What Rust's std for wasm32-wasip2 imports besides preview 1.
const INTERFACES: &str = r#"
package test:program;
world program {
  import wasi:clocks/monotonic-clock@0.2.6;
  import wasi:clocks/wall-clock@0.2.6;
  import wasi:io/poll@0.2.6;
  import wasi:random/insecure-seed@0.2.6;
}
package wasi:io@0.2.6 {
  interface poll {
    resource pollable { ready: func() -> bool; block: func(); }
    poll: func(in: list<borrow<pollable>>) -> list<u32>;
  }
}
package wasi:clocks@0.2.6 {
  interface monotonic-clock {
    use wasi:io/poll@0.2.6.{pollable};
    type instant = u64;
    type duration = u64;
    now: func() -> instant;
    resolution: func() -> duration;
    subscribe-instant: func(when: instant) -> pollable;
    subscribe-duration: func(when: duration) -> pollable;
  }
  interface wall-clock {
    record datetime { seconds: u64, nanoseconds: u32 }
    now: func() -> datetime;
    resolution: func() -> datetime;
  }
}
package wasi:random@0.2.6 {
  interface insecure-seed { insecure-seed: func() -> tuple<u64, u64>; }
}
"#;

/// A program that imports those: as the component of a module that is run as that, and as one that is not.
fn with_interfaces(body: &str) -> [Vec<u8>; 2] {
    let imports = r#"
  (import "wasi:clocks/monotonic-clock@0.2.6" "now" (func $now (result i64)))
  (import "wasi:clocks/monotonic-clock@0.2.6" "subscribe-instant" (func $at (param i64) (result i32)))
  (import "wasi:clocks/monotonic-clock@0.2.6" "subscribe-duration" (func $in (param i64) (result i32)))
  (import "wasi:clocks/wall-clock@0.2.6" "now" (func $wall (param i32)))
  (import "wasi:io/poll@0.2.6" "[method]pollable.ready" (func $ready (param i32) (result i32)))
  (import "wasi:io/poll@0.2.6" "[method]pollable.block" (func $block (param i32)))
  (import "wasi:io/poll@0.2.6" "[resource-drop]pollable" (func $drop (param i32)))
  (import "wasi:random/insecure-seed@0.2.6" "insecure-seed" (func $seed (param i32)))
  (memory (export"#;
    let mut resolve = wit_parser::Resolve::default();
    let package = resolve.push_str("program.wit", INTERFACES).expect("interfaces");
    let world = resolve.select_world(&[package], Some("program")).expect("a world");
    [host::component::of_module, host::component::of_its_own].map(|made| {
        let mut module = wat::parse_str(wat(body).replacen("(memory (export", imports, 1)).expect("a module");
        let encoding = wit_component::StringEncoding::UTF8;
        wit_component::embed_component_metadata(&mut module, &resolve, world, encoding)
            .expect("its interfaces");
        made(&module).expect("a component")
    })
}

#[tokio::test]
async fn a_program_that_asks_preview_2_for_the_time_and_a_seed_is_run_as_its_module() {
    let host = Host::new();
    // It sleeps twice for 20 ms, looks that it did, that the seed is none of noughts, and that the year is after 2020.
    let body = r#"
  (func (export "_start") (local $began i64) (local $alarm i32)
    (local.set $began (call $now))
    (local.set $alarm (call $in (i64.const 20000000)))
    (if (call $ready (local.get $alarm)) (then unreachable))
    (call $block (local.get $alarm))
    (if (i32.eqz (call $ready (local.get $alarm))) (then unreachable))
    (call $drop (local.get $alarm))
    (local.set $alarm (call $at (i64.add (local.get $began) (i64.const 40000000))))
    (call $block (local.get $alarm))
    (call $drop (local.get $alarm))
    (if (i64.lt_u (i64.sub (call $now) (local.get $began)) (i64.const 40000000)) (then unreachable))
    (call $seed (i32.const 1024))
    (if (i64.eqz (i64.or (i64.load (i32.const 1024)) (i64.load (i32.const 1032)))) (then unreachable))
    (call $wall (i32.const 1024))
    (if (i64.lt_u (i64.load (i32.const 1024)) (i64.const 1577836800)) (then unreachable))
    (if (i32.ge_u (i32.load (i32.const 1032)) (i32.const 1000000000)) (then unreachable))
    (call $proc_exit (i32.const 7)))"#;
    for (program, code) in with_interfaces(body).iter().zip([7, 1]) {
        let (exit, task) = host.run(program, With::default()).await;
        assert_eq!(exit, Exit::with_code(code), "{}", task.stderr.text());
    }
}

#[tokio::test]
async fn what_preview_2_traps_for_traps_there_too() {
    let host = Host::new();
    let once = r#"(func (export "_start") (local $alarm i32)
        (local.set $alarm (call $in (i64.const 0)))
        (call $drop (local.get $alarm))
        (call $drop (local.get $alarm)))"#;
    let aside = r#"(func (export "_start") (call $seed (i32.const 1028)))"#;
    let beyond = r#"(func (export "_start") (call $seed (i32.const 0x7ffffff8)))"#;
    for (body, why) in
        [(once, "unknown handle index 1"), (aside, "pointer not aligned"), (beyond, "pointer out of bounds")]
    {
        for program in with_interfaces(body) {
            let exit = host.run(program, With::default()).await.0;
            assert_eq!(exit.code, 134);
            assert!(exit.message.starts_with(&format!("trap: {why} at ")), "{}", exit.message);
        }
    }
}
