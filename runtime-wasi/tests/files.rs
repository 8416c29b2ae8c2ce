//! Files and directories as a guest sees them: the semantics of the calls on descriptors and paths.

mod host;
#[path = "host/script.rs"]
mod script;

use host::{Host, With};
use script::A::{I, L, Out, S};
use script::*;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use task::{Exit, Trace};

/// Where `filestat` has the inode number, the number of links and the size.
const INODE: u32 = 8;
const LINKS: u32 = 24;
const SIZE: u32 = 32;

#[tokio::test]
async fn a_file_is_made_written_read_and_truncated() {
    leaves(
        Script::new()
            .open("tmp/f", 0, READ, Err(ENOENT))
            .open("tmp/f", CREAT, READ | WRITE, Ok(4))
            .write(4, "hello")
            .call("fd_seek", &[I(4), L(1), I(0), Out], 0)
            .gives(1)
            .read(4, "ello")
            .call("fd_tell", &[I(4), Out], 0)
            .gives(5)
            .call("fd_seek", &[I(4), L(-6), I(1), Out], EINVAL)
            .call("fd_seek", &[I(4), L(0), I(7), Out], EINVAL)
            .open("tmp/f", CREAT | EXCL, READ, Err(EEXIST))
            .open("tmp/f", TRUNC, WRITE, Ok(5))
            .call("fd_filestat_get", &[I(4), Out], 0)
            .has(32, 0)
            .write(5, "new")
            .call("fd_filestat_set_size", &[I(5), L(5)], 0)
            .call("fd_close", &[I(4)], 0)
            .call("fd_close", &[I(4)], EBADF)
            .open("tmp/f", 0, READ, Ok(4))
            .read(4, "new\0\0")
            .call("fd_filestat_set_size", &[I(4), L(5)], EBADF),
        "f",
        b"new\0\0",
    )
    .await;
}

#[tokio::test]
async fn an_appending_descriptor_writes_at_the_end_wherever_it_stands() {
    leaves(
        Script::new()
            .open("tmp/f", CREAT, WRITE, Ok(4))
            .write(4, "one")
            .call("path_open", &[I(3), I(0), S("tmp/f"), I(0), L(WRITE), L(0), I(1), Out], 0)
            .gives(5)
            .write(4, "two")
            .write(5, "three")
            .call("fd_tell", &[I(5), Out], 0)
            .gives(11)
            .call("fd_fdstat_set_flags", &[I(5), I(0)], 0)
            .call("fd_seek", &[I(5), L(0), I(0), Out], 0)
            .write(5, "ONE"),
        "f",
        b"ONEtwothree",
    )
    .await;
}

#[tokio::test]
async fn what_several_buffers_hold_is_written_as_one_piece() {
    let host = Host::new();
    let script = Script::new().write_all(1, &["one ", "", "line\n"]);
    let (exit, task) = host.run(script.wat(), With::default()).await;
    assert_eq!((exit, task.stdout.text()), (Exit::success(), "one line\n".into()));
    assert_eq!(task.stdout.writes.load(Ordering::Relaxed), 1);
    let file =
        Script::new().open("tmp/f", CREAT, WRITE, Ok(4)).write_all(4, &["a", "bc"]).write_all(4, &["d", "e"]);
    runs(&host, "a module", file.wat()).await;
    assert_eq!(host.get("/tmp/f").await.unwrap(), b"abcde");
}

#[tokio::test]
async fn a_file_is_always_ready_to_be_read_and_written() {
    comes_out(
        Script::new()
            .open("tmp/f", CREAT, WRITE, Ok(4))
            .write(4, "some")
            .call("fd_seek", &[I(4), L(0), I(0), Out], 0)
            .open("tmp/f", 0, READ, Ok(5))
            .open("tmp/f", 0, READ | WRITE, Ok(6))
            .all_ready(&[(4, false), (4, true), (5, false), (5, true), (6, false), (6, true)])
            .call("fd_read", &[I(4), I(0), I(1), Out], EBADF)
            .call("fd_write", &[I(5), I(0), I(1), Out], EBADF)
            .write(4, "more")
            .read(5, "more"),
    )
    .await;
    // Of a component the adapter says at the end that nobody writes any more.
    comes_out_of_a_module(
        Script::new().open("tmp/f", CREAT, READ | WRITE, Ok(4)).all_ready(&[(4, false), (4, true)]),
    )
    .await;
}

#[tokio::test]
async fn nothing_can_be_read_anywhere_and_no_offset_is_beyond_the_largest() {
    comes_out(
        Script::new()
            .open("tmp/f", CREAT, READ | WRITE, Ok(4))
            .write(4, "some")
            .pread(4, 0, 0, 0)
            .gives(0)
            .pread(4, 0, 9, 0)
            .gives(0)
            .pread(4, 9, 2, 0)
            .gives(2),
    )
    .await;
    comes_out_of_a_module(
        Script::new()
            .open("tmp/f", CREAT, READ | WRITE, Ok(4))
            .pread(4, 1, -1, EINVAL)
            .pread(4, 1, i64::MAX - 1, 0)
            .gives(0)
            .call("fd_pwrite", &[I(4), I(0), I(1), L(i64::MAX), Out], EINVAL)
            .open("tmp", DIRECTORY, READ, Ok(5))
            .call("fd_pwrite", &[I(5), I(0), I(1), L(0), Out], EBADF)
            .call("fd_allocate", &[I(5), L(0), L(1)], EBADF)
            .call("fd_readdir", &[I(5), Script::buf(), I(999), L(-1), Out], 0)
            .gives(0),
    )
    .await;
}

#[tokio::test]
async fn kinds_are_checked_when_opening() {
    comes_out(
        Script::new()
            .open("tmp", DIRECTORY, READ, Ok(4))
            .open("tmp", 0, READ | WRITE, Err(EISDIR))
            .open("tmp", DIRECTORY, READ | WRITE, Err(EISDIR))
            .open("tmp/f", CREAT | DIRECTORY, READ, Err(EINVAL))
            .open("tmp/f/", CREAT, READ | WRITE, Err(EISDIR))
            .open("tmp/f", CREAT, READ | WRITE, Ok(5))
            .open("tmp/f", DIRECTORY, READ, Err(ENOTDIR))
            .open("tmp/f/", 0, READ, Err(ENOTDIR))
            .open("tmp/f/", CREAT, READ, Err(EISDIR))
            .open("tmp/f/x", 0, READ, Err(ENOTDIR))
            .open("tmp/f/x/", CREAT, READ, Err(ENOTDIR))
            .open("tmp", CREAT, READ, Err(EISDIR))
            .open("tmp/.", CREAT, READ, Err(EISDIR))
            .open("/", CREAT | EXCL, READ, Err(EEXIST))
            .call("path_open", &[I(5), I(0), S("x"), I(0), L(READ), L(0), I(0), Out], ENOTDIR),
    )
    .await;
    // The adapter between the previews answers this by itself.
    comes_out_of_a_module(Script::new().open("tmp", DIRECTORY, READ, Ok(4)).call(
        "fd_read",
        &[I(4), I(0), I(0), Out],
        EISDIR,
    ))
    .await;
}

#[tokio::test]
async fn paths_start_at_the_root_and_nothing_is_above_it() {
    comes_out(
        Script::new()
            .open("tmp/f", CREAT, WRITE, Ok(4))
            .open("/tmp/f", 0, READ, Ok(5))
            .open("../../tmp/../tmp/./f", 0, READ, Ok(6))
            .open("tmp", DIRECTORY, READ, Ok(7))
            .call("path_open", &[I(7), I(0), S("../tmp/f"), I(0), L(READ), L(0), I(0), Out], 0)
            .call("fd_prestat_get", &[I(3), Out], 0)
            .has(0, 1 << 32)
            .call("fd_prestat_get", &[I(7), Out], EBADF),
    )
    .await;
}

#[tokio::test]
async fn links_are_followed_where_asked_and_files_are_made_behind_dangling_ones() {
    leaves(
        Script::new()
            .call("path_symlink", &[S("/tmp/target"), I(3), S("tmp/link")], 0)
            .call("path_symlink", &[S("link"), I(3), S("tmp/second")], 0)
            .call("path_symlink", &[S("loop"), I(3), S("tmp/loop")], 0)
            .call("path_symlink", &[S("x"), I(3), S("tmp/link")], EEXIST)
            .call("path_readlink", &[I(3), S("tmp/link"), Script::buf(), I(4), Out], 0)
            .gives(4)
            .buffer_is(b"/tmp")
            .open("tmp/second", 0, READ, Err(ENOENT))
            .open("tmp/second", CREAT, WRITE, Ok(4))
            .write(4, "made")
            .open("tmp/loop", CREAT, WRITE, Err(ELOOP))
            .open("tmp/link", CREAT | EXCL, WRITE, Err(EEXIST))
            .call("path_open", &[I(3), I(0), S("tmp/link"), I(0), L(READ), L(0), I(0), Out], ELOOP)
            .call("path_filestat_get", &[I(3), I(0), S("tmp/link"), Out], 0)
            .has(32, 11)
            .call("path_filestat_get", &[I(3), I(1), S("tmp/link"), Out], 0)
            .has(32, 4)
            .call("path_link", &[I(3), I(0), S("tmp/target"), I(3), S("tmp/hard")], 0)
            .call("path_filestat_get", &[I(3), I(0), S("tmp/hard"), Out], 0)
            .has(24, 2),
        "target",
        b"made",
    )
    .await;
}

#[tokio::test]
async fn a_name_is_asked_for_what_it_means_now() {
    comes_out(
        Script::new()
            .open("tmp/a", CREAT, WRITE, Ok(4))
            .open("tmp/b", CREAT, WRITE, Ok(5))
            .call("path_filestat_get", &[I(3), I(0), S("tmp/a"), Out], 0)
            .keep(INODE)
            .call("fd_filestat_get", &[I(4), Out], 0)
            .has_kept(INODE, true)
            .call("path_filestat_get", &[I(3), I(0), S("tmp/b"), Out], 0)
            .has_kept(INODE, false)
            .call("path_rename", &[I(3), S("tmp/b"), I(3), S("tmp/a")], 0)
            .call("path_filestat_get", &[I(3), I(0), S("tmp/a"), Out], 0)
            .has_kept(INODE, false)
            .call("path_filestat_get", &[I(3), I(0), S("tmp/b"), Out], ENOENT)
            .call("fd_filestat_get", &[I(4), Out], 0)
            .has_kept(INODE, true)
            .has(LINKS, 0),
    )
    .await;
}

#[tokio::test]
async fn a_file_that_is_used_again_and_again_is_what_was_done_to_it_last() {
    let mut script = Script::new().open("tmp/f", CREAT, READ | WRITE, Ok(4));
    for size in 1..5 {
        script = script
            .write(4, "x")
            .call("fd_filestat_get", &[I(4), Out], 0)
            .has(SIZE, size)
            .call("fd_pread", &[I(4), I(0), I(1), L(size as i64 - 1), Out], 0)
            .gives(1)
            .call("fd_pread", &[I(4), I(0), I(1), L(size as i64), Out], 0)
            .gives(0);
    }
    let script = script
        .call("fd_filestat_set_size", &[I(4), L(2)], 0)
        .call("path_unlink_file", &[I(3), S("tmp/f")], 0)
        .open("tmp/f", CREAT, WRITE, Ok(5))
        .write(5, "another file")
        .call("fd_filestat_get", &[I(4), Out], 0)
        .has(SIZE, 2)
        .has(LINKS, 0);
    leaves(script, "f", b"another file").await;
}

#[tokio::test]
async fn names_are_renamed_and_removed_as_their_kinds_and_slashes_allow() {
    comes_out(
        Script::new()
            .call("path_create_directory", &[I(3), S("tmp/d/")], 0)
            .call("path_create_directory", &[I(3), S("tmp/d")], EEXIST)
            .call("path_create_directory", &[I(3), S("tmp/.")], EEXIST)
            .open("tmp/d/f", CREAT, WRITE, Ok(4))
            .call("path_remove_directory", &[I(3), S("tmp/d")], ENOTEMPTY)
            .call("path_unlink_file", &[I(3), S("tmp/d")], EISDIR)
            .call("path_unlink_file", &[I(3), S("tmp/d/f/")], ENOTDIR)
            .call("path_rename", &[I(3), S("tmp/d/f/"), I(3), S("tmp/g")], ENOTDIR)
            .call("path_rename", &[I(3), S("tmp/d/f"), I(3), S("tmp/g/")], ENOTDIR)
            .call("path_rename", &[I(3), S("tmp/d/f"), I(3), S("tmp/g")], 0)
            .call("path_rename", &[I(3), S("tmp/g"), I(3), S("tmp/d")], EISDIR)
            .call("path_remove_directory", &[I(3), S("tmp/g")], ENOTDIR)
            .call("path_unlink_file", &[I(3), S("tmp/g")], 0)
            .call("path_unlink_file", &[I(3), S("tmp/g")], ENOENT)
            .write(4, "a file without a name")
            .call("path_remove_directory", &[I(3), S("tmp/d/")], 0),
    )
    .await;
}

#[tokio::test]
async fn a_listing_has_dots_continues_at_its_cookies_and_fills_small_buffers() {
    comes_out(
        Script::new()
            .open("tmp/name", CREAT, WRITE, Ok(4))
            .open("tmp", DIRECTORY, READ, Ok(5))
            // `.` takes 25 bytes, `..` 26 and "name" 28.
            .call("fd_readdir", &[I(5), Script::buf(), I(1000), L(0), Out], 0)
            .gives(79)
            .call("fd_readdir", &[I(5), Script::buf(), I(1000), L(1), Out], 0)
            .gives(54)
            .call("fd_readdir", &[I(5), Script::buf(), I(1000), L(2), Out], 0)
            .gives(28)
            .call("fd_readdir", &[I(5), Script::buf(), I(40), L(0), Out], 0)
            .gives(40)
            .call("fd_readdir", &[I(5), Script::buf(), I(0), L(0), Out], 0)
            .gives(0)
            .call("fd_readdir", &[I(4), Script::buf(), I(40), L(0), Out], ENOTDIR)
            .call("fd_readdir", &[I(3), Script::buf(), I(1), L(0), Out], 0)
            .gives(1)
            .buffer_is(&[1]),
    )
    .await;
}

#[tokio::test]
async fn descriptors_are_renumbered_and_rights_are_only_given_up() {
    comes_out_of_a_module(
        Script::new()
            .open("tmp/a", CREAT, WRITE, Ok(4))
            .open("tmp/b", CREAT, WRITE, Ok(5))
            .call("fd_renumber", &[I(4), I(5)], 0)
            .call("fd_close", &[I(4)], EBADF)
            .call("fd_renumber", &[I(5), I(9)], EBADF)
            .write(5, "into a")
            .call("path_filestat_get", &[I(3), I(0), S("tmp/a"), Out], 0)
            .has(32, 6)
            .call("fd_fdstat_set_rights", &[I(5), L(WRITE), L(0)], 0)
            .call("fd_seek", &[I(5), L(0), I(0), Out], ENOTCAPABLE)
            .call("fd_fdstat_set_rights", &[I(5), L(WRITE | 4), L(0)], ENOTCAPABLE)
            .open("tmp/c", CREAT, WRITE, Ok(4)),
    )
    .await;
}

#[tokio::test]
async fn times_are_set_and_both_ways_at_once_are_refused() {
    comes_out(
        Script::new()
            .open("tmp/a", CREAT, WRITE, Ok(4))
            .call("fd_filestat_set_times", &[I(4), L(1_000_000_001), L(2_000_000_002), I(1 | 4)], 0)
            .call("fd_filestat_get", &[I(4), Out], 0)
            .has(40, 1_000_000_001)
            .has(48, 2_000_000_002)
            .call("path_filestat_set_times", &[I(3), I(0), S("tmp/a"), L(7), L(0), I(1)], 0)
            .call("fd_filestat_get", &[I(4), Out], 0)
            .has(40, 7)
            .has(48, 2_000_000_002)
            .call("fd_filestat_set_times", &[I(4), L(1), L(2), I(1 | 2)], EINVAL),
    )
    .await;
}

#[tokio::test]
async fn streams_have_no_offsets_and_nothing_is_a_socket() {
    comes_out_of_a_module(
        Script::new()
            .call("fd_seek", &[I(1), L(0), I(1), Out], ESPIPE)
            .call("fd_pwrite", &[I(1), I(0), I(0), L(0), Out], ESPIPE)
            .call("fd_fdstat_get", &[I(1), Out], 0)
            .has(0, 2)
            .call("sock_shutdown", &[I(1), I(0)], ENOTSOCK)
            .call("sock_shutdown", &[I(9), I(0)], EBADF),
    )
    .await;
}

#[tokio::test]
async fn preview_0_has_its_own_layouts_and_whences() {
    comes_out_of_a_module(
        Script::preview0()
            // Its libc asked for all rights when it opened a directory.
            .open("tmp", DIRECTORY, READ | WRITE, Ok(4))
            .call("fd_close", &[I(4)], 0)
            .open("tmp/f", CREAT, READ | WRITE, Ok(4))
            .write(4, "12345")
            // Whence 0 is the current offset, 1 the end and 2 the start.
            .call("fd_seek", &[I(4), L(-1), I(0), Out], 0)
            .gives(4)
            .call("fd_seek", &[I(4), L(-2), I(1), Out], 0)
            .gives(3)
            .call("fd_seek", &[I(4), L(2), I(2), Out], 0)
            .read(4, "345")
            .call("fd_filestat_get", &[I(4), Out], 0)
            .has(24, 5),
    )
    .await;
}

#[tokio::test]
async fn a_sleep_takes_its_time_and_no_cpu() {
    let host = Host::new();
    // A subscription to the monotonic clock, 50 ms from now, at 0x8000: userdata 5, tag 0.
    let body = r#"
  (func (export "_start")
    (i64.store (i32.const 0x8000) (i64.const 5))
    (i32.store (i32.const 0x8010) (i32.const 1))
    (i64.store (i32.const 0x8018) (i64.const 50000000))
    (call $expect (call $poll_oneoff (i32.const 0x8000) (i32.const 0x9000) (i32.const 1) (i32.const 16)) (i32.const 0))
    (call $expect (i32.load (i32.const 16)) (i32.const 1))
    (call $expect (i32.load (i32.const 0x9000)) (i32.const 5))
    (call $expect (i32.load (i32.const 0x9008)) (i32.const 0)))"#;
    let began = Instant::now();
    let (exit, task) = host.run(&host::wat(body), With::default()).await;
    assert_eq!(exit, Exit::success());
    assert!(began.elapsed() >= Duration::from_millis(50), "{:?}", began.elapsed());
    assert!(task.usage.user_ns.load(Ordering::Relaxed) < 20_000_000);
}

#[tokio::test]
async fn a_poll_of_stdin_and_a_clock_tells_which_came_first() {
    let host = Host::new();
    // A read of descriptor 0 at 0x8000, and the monotonic clock in a minute at 0x8030.
    let body = r#"
  (func (export "_start")
    (i64.store (i32.const 0x8000) (i64.const 5))
    (i32.store8 (i32.const 0x8008) (i32.const 1))
    (i32.store8 (i32.const 0x8038) (i32.const 0))
    (i32.store (i32.const 0x8040) (i32.const 1))
    (i64.store (i32.const 0x8048) (i64.const 60000000000))
    (call $expect (call $poll_oneoff (i32.const 0x8000) (i32.const 0x9000) (i32.const 2) (i32.const 16)) (i32.const 0))
    (call $expect (i32.load (i32.const 16)) (i32.const 1))
    (call $expect (i32.load (i32.const 0x9000)) (i32.const 5))
    (call $expect (i32.load8_u (i32.const 0x900a)) (i32.const 1)))"#;
    let program = host::wat(body);
    let task = host.start("main.wat", program.as_bytes(), With::default()).await.expect("started");
    tokio::time::sleep(Duration::from_millis(30)).await;
    task.stdin.push(b"x");
    assert_eq!(task.end().await, Exit::success());
    assert_eq!(task.stdin.text(), "x", "polling takes nothing");
}

#[tokio::test]
async fn a_trace_shows_each_call_with_its_paths_flags_and_result() {
    let host = Host::new();
    host.mkdir("/tmp").await;
    let lines = Arc::new(parking_lot::Mutex::new(Vec::new()));
    let trace = Trace::default();
    let seen = lines.clone();
    trace.listen(Some(Arc::new(move |line: &str| seen.lock().push(line.to_owned()))));
    let script =
        Script::new().open("tmp/f", CREAT, WRITE, Ok(4)).open("none", 0, READ, Err(ENOENT)).write(4, "x");
    let (exit, task) = host.run(&script.wat(), With { trace, ..With::default() }).await;
    assert_eq!(exit, Exit::success());
    let lines = lines.lock().clone();
    assert_eq!(
        lines,
        [
            "path_open(3, 1, \"tmp/f\", O_CREAT, 0) = 4",
            "path_open(3, 1, \"none\", 0, 0) = ENOENT (file does not exist)",
            "fd_write(4, 1) = 1",
        ]
    );
    assert_eq!(task.usage.calls.load(Ordering::Relaxed), 3);
    assert_eq!(task.usage.written_bytes.load(Ordering::Relaxed), 1);
}
