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
async fn what_is_no_component_is_refused_whatever_module_is_in_it() {
    let host = Host::new();
    let made = adapted(&wat(HELLO));
    let error = host.refused("cut.wasm", &made[..made.len() - 1]).await;
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
