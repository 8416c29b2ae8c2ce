//! Calls with pointers, counts and numbers that no honest program uses.

mod host;

use host::{Host, With, wat};
use task::Exit;

/// Runs calls, each of which must come to the errno beside it.
async fn all_come_to(calls: &[(&str, u32)]) {
    let host = Host::new();
    host.mkdir("/tmp").await;
    let mut body = String::from("(data (i32.const 64) \"tmp\\00x\") (func (export \"_start\")\n");
    for (call, errno) in calls {
        body.push_str(&format!("(call $expect (call {call}) (i32.const {errno}))\n"));
    }
    body.push(')');
    let (exit, _) = host.run(&wat(&body), With { env: vec![("A", "1")], ..With::default() }).await;
    assert_eq!(exit, Exit::success(), "a call came to errno {}", exit.code - 100);
}

const EBADF: u32 = 8;
const EFAULT: u32 = 21;
const EINVAL: u32 = 28;
const ENAMETOOLONG: u32 = 37;
const ENOENT: u32 = 44;

#[tokio::test]
async fn pointers_outside_the_memory_are_efault() {
    all_come_to(&[
        ("$args_get (i32.const -4) (i32.const 0)", EFAULT),
        ("$args_sizes_get (i32.const 65533) (i32.const 0)", EFAULT),
        ("$environ_get (i32.const 0) (i32.const 65536)", EFAULT),
        ("$fd_write (i32.const 1) (i32.const 65532) (i32.const 1) (i32.const 8)", EFAULT),
        ("$random_get (i32.const 65000) (i32.const 1000)", EFAULT),
        ("$random_get (i32.const 1) (i32.const -1)", EFAULT),
        ("$poll_oneoff (i32.const 65500) (i32.const 0) (i32.const 1) (i32.const 8)", EFAULT),
        (
            "$path_open (i32.const 3) (i32.const 0) (i32.const 65530) (i32.const 100) (i32.const 0) (i64.const 2) \
             (i64.const 0) (i32.const 0) (i32.const 16)",
            EFAULT,
        ),
    ])
    .await;
}

#[tokio::test]
async fn counts_without_reason_are_refused_before_anything_is_allocated() {
    all_come_to(&[
        ("$fd_write (i32.const 1) (i32.const 0) (i32.const 0x7fffffff) (i32.const 8)", EINVAL),
        ("$fd_read (i32.const 0) (i32.const 0) (i32.const -1) (i32.const 8)", EINVAL),
        ("$poll_oneoff (i32.const 0) (i32.const 0) (i32.const 0x7fffffff) (i32.const 8)", EINVAL),
        ("$poll_oneoff (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 8)", EINVAL),
        (
            "$path_open (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 0x7fffffff) (i32.const 0) (i64.const 2) \
             (i64.const 0) (i32.const 0) (i32.const 16)",
            ENAMETOOLONG,
        ),
    ])
    .await;
}

#[tokio::test]
async fn unknown_descriptors_flags_and_names_are_errors_of_the_guest() {
    all_come_to(&[
        ("$fd_close (i32.const 99)", EBADF),
        ("$fd_close (i32.const -1)", EBADF),
        ("$fd_seek (i32.const 3) (i64.const 0) (i32.const 0) (i32.const 8)", EBADF),
        ("$fd_seek (i32.const 1) (i64.const 0) (i32.const 0) (i32.const 8)", 70),
        ("$fd_write (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 8)", EBADF),
        (
            "$path_open (i32.const 3) (i32.const 0) (i32.const 64) (i32.const 3) (i32.const 16) (i64.const 2) \
             (i64.const 0) (i32.const 0) (i32.const 16)",
            EINVAL,
        ),
        (
            // A name with a NUL in it.
            "$path_open (i32.const 3) (i32.const 0) (i32.const 64) (i32.const 5) (i32.const 0) (i64.const 2) \
             (i64.const 0) (i32.const 0) (i32.const 16)",
            EINVAL,
        ),
        (
            "$path_open (i32.const 3) (i32.const 0) (i32.const 64) (i32.const 2) (i32.const 0) (i64.const 2) \
             (i64.const 0) (i32.const 0) (i32.const 16)",
            ENOENT,
        ),
        (
            // An empty path.
            "$path_open (i32.const 3) (i32.const 0) (i32.const 64) (i32.const 0) (i32.const 0) (i64.const 2) \
             (i64.const 0) (i32.const 0) (i32.const 16)",
            ENOENT,
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_call_without_a_memory_ends_the_guest_with_the_reason() {
    let host = Host::new();
    let body = r#"(module
      (import "wasi_snapshot_preview1" "fd_close" (func $fd_close (param i32) (result i32)))
      (func (export "_start") (drop (call $fd_close (i32.const 0)))))"#;
    let (exit, _) = host.run(body, With::default()).await;
    assert_eq!(exit, Exit::killed(126, "main.wat: the module exports no memory named \"memory\""));
}

#[tokio::test]
async fn a_shared_memory_is_refused() {
    let host = Host::new();
    let body = r#"(module (memory (export "memory") 1 1 shared) (func (export "_start")))"#;
    let error = host.refused("shared.wat", body.as_bytes()).await;
    assert_eq!(error.text(), "/shared.wat: it has a shared memory: threads cannot be run");
}
