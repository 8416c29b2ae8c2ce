//! What starts, what does not, and what is said of it.

mod host;

use host::{Host, With, wat};
use task::{Exit, Fit, Program, Runtime};
use vfs::Errno;

const HELLO: &str = r#"
  (data (i32.const 64) "hello\n")
  (func (export "_start") (call $print (i32.const 1) (i32.const 64) (i32.const 6)))"#;

#[tokio::test]
async fn a_program_writes_its_greeting_and_ends_with_success() {
    let host = Host::new();
    let (exit, task) = host.run(&wat(HELLO), With::default()).await;
    assert_eq!(exit, Exit::success());
    assert_eq!(task.stdout.text(), "hello\n");
    assert_eq!(task.stderr.text(), "");
}

#[tokio::test]
async fn a_program_of_preview_0_runs_too() {
    let host = Host::new();
    let old = wat(HELLO).replace("wasi_snapshot_preview1", "wasi_unstable");
    let (exit, task) = host.run(&old, With::default()).await;
    assert_eq!((exit, task.stdout.text().as_str()), (Exit::success(), "hello\n"));
}

#[tokio::test]
async fn arguments_and_environment_arrive_and_the_exit_code_comes_back() {
    let host = Host::new();
    let body = r#"
  (func (export "_start")
    (call $expect (call $args_sizes_get (i32.const 16) (i32.const 20)) (i32.const 0))
    (call $expect (call $args_get (i32.const 1024) (i32.const 2048)) (i32.const 0))
    (call $print (i32.const 1) (i32.const 2048) (i32.load (i32.const 20)))
    (call $expect (call $environ_sizes_get (i32.const 16) (i32.const 20)) (i32.const 0))
    (call $expect (call $environ_get (i32.const 1024) (i32.const 2048)) (i32.const 0))
    (call $print (i32.const 2) (i32.const 2048) (i32.load (i32.const 20)))
    (call $proc_exit (i32.const 42)))"#;
    host.mkdir("/home").await;
    let with = With {
        argv: vec!["prog", "one", "two words"],
        env: vec![("A", "1"), ("B", "")],
        cwd: Some("/home"),
        ..With::default()
    };
    let (exit, task) = host.run(&wat(body), with).await;
    assert_eq!(exit, Exit::with_code(42));
    assert_eq!(task.stdout.text(), "prog\0one\0two words\0");
    assert_eq!(task.stderr.text(), "A=1\0B=\0PWD=/home\0");
}

#[tokio::test]
async fn what_is_no_program_is_refused_with_the_reason() {
    let host = Host::new();
    for (name, bytes, said) in [
        ("empty.wasm", &b""[..], "/empty.wasm: not a WebAssembly module: the file is empty"),
        ("text.wasm", b"#!/bin/sh\n", "/text.wasm: not a WebAssembly module: it starts with \"#!/bin/s\""),
        ("short.wasm", b"\0asm\x01\0", "/short.wasm: truncated WebAssembly module: its header has 8 bytes"),
        (
            "component.wasm",
            b"\0asm\x0d\0\x01\0",
            "/component.wasm: no wasi:cli/run@0.2 is exported (but nothing)",
        ),
        ("future.wasm", b"\0asm\x63\0\0\0", "/future.wasm: WebAssembly version 99 is unknown"),
        ("cut.wasm", b"\0asm\x01\0\0\0\x01\x7f\x01", "/cut.wasm: not a valid WebAssembly module"),
        ("bad.wat", b"(module (func (i32.add)))", "/bad.wat: not a valid WebAssembly module"),
        ("lib.wat", b"(module)", "/lib.wat: no _start is exported: a library, not a program"),
        ("param.wat", b"(module (func (export \"_start\") (param i32)))", "/param.wat: its export _start"),
        (
            "env.wat",
            b"(module (import \"env\" \"fork\" (func)) (func (export \"_start\")))",
            "/env.wat: unknown import env.fork",
        ),
        (
            "typo.wat",
            b"(module (import \"wasi_snapshot_preview1\" \"fd_raed\" (func)) (func (export \"_start\")))",
            "/typo.wat: unknown import wasi_snapshot_preview1.fd_raed",
        ),
        (
            "type.wat",
            b"(module (import \"wasi_snapshot_preview1\" \"fd_close\" (func)) (func (export \"_start\")))",
            "/type.wat: ",
        ),
    ] {
        let error = host.refused(name, bytes).await;
        assert!(error.text().starts_with(said), "{name}: {error}");
        assert_eq!(error.errno(), Errno::ENOEXEC, "{name}");
    }
    assert!(host.runtime.stats().starts_with("instances 0\n"), "{}", host.runtime.stats());
}

#[tokio::test]
async fn a_program_that_its_starter_may_not_read_is_not_started() {
    let mut host = Host::new();
    host.put("/main.wat", wat(HELLO).as_bytes()).await;
    let place = host.place("/main.wat").await.expect("there");
    let set = vfs::SetStat { mode: Some(vfs::Mode::new(0o600)), ..Default::default() };
    place.setstat(&host.who, set).await.expect("set");
    // It is in the cache when a stranger asks.
    assert_eq!(
        host.start_again("main.wat", With::default()).await.expect("started").end().await,
        Exit::success()
    );
    host.who = vfs::Caller::new(vfs::Uid(54_321), vfs::Gid(54_321));
    let Err(error) = host.start_again("main.wat", With::default()).await else { panic!("started") };
    assert_eq!(error.errno(), Errno::EACCES);
    assert!(error.text().starts_with("/main.wat: "), "{error}");
}

#[tokio::test]
async fn programs_are_known_by_their_magic_and_by_their_names() {
    let host = Host::new();
    let fit = |path: &str, head: &[u8]| host.runtime.detect(Program { path: path.as_bytes(), head });
    assert_eq!(fit("/bin/x", b"\0asm\x01\0\0\0"), Fit::ByMagic);
    assert_eq!(fit("/bin/x.wasm", b""), Fit::ByName);
    assert_eq!(fit("/bin/x.wat", b"(module)"), Fit::ByName);
    assert_eq!(fit("/bin/x", b"\x7fELF"), Fit::No);
}
