//! Calls with pointers, counts and numbers that no honest program uses.

mod host;

use host::{Host, With, wat};
use std::time::Duration;
use task::{Exit, Limits};

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
    assert_eq!(exit.code, 134);
    assert!(
        exit.message.starts_with("trap: the module exports no memory named \"memory\" at "),
        "{}",
        exit.message
    );
}

#[tokio::test]
async fn a_shared_memory_is_refused() {
    let host = Host::new();
    let body = r#"(module (memory (export "memory") 1 1 shared) (func (export "_start")))"#;
    let error = host.refused("shared.wat", body.as_bytes()).await;
    assert_eq!(error.text(), "/shared.wat: it has a shared memory: threads cannot be run");
}

/// Every call, with `i` for each 32-bit parameter and `l` for each 64-bit one.
const CALLS: &str = "args_get ii, args_sizes_get ii, environ_get ii, environ_sizes_get ii, clock_res_get ii, \
    clock_time_get ili, fd_advise illi, fd_allocate ill, fd_close i, fd_datasync i, fd_fdstat_get ii, \
    fd_fdstat_set_flags ii, fd_fdstat_set_rights ill, fd_filestat_get ii, fd_filestat_set_size il, \
    fd_filestat_set_times illi, fd_pread iiili, fd_prestat_get ii, fd_prestat_dir_name iii, fd_pwrite iiili, \
    fd_read iiii, fd_readdir iiili, fd_renumber ii, fd_seek ilii, fd_sync i, fd_tell ii, fd_write iiii, \
    path_create_directory iii, path_filestat_get iiiii, path_filestat_set_times iiiilli, path_link iiiiiii, \
    path_open iiiiillii, path_readlink iiiiii, path_remove_directory iii, path_rename iiiiii, path_symlink iiiii, \
    path_unlink_file iii, poll_oneoff iiii, proc_raise i, random_get ii, sched_yield -, sock_accept iii, \
    sock_recv iiiiii, sock_send iiiii, sock_shutdown ii";

/// Numbers that are on the edge of something.
const EDGES: [i64; 16] =
    [0, 1, 2, 3, 4, 5, 16, 64, 1024, 4096, 65_528, 65_535, 65_536, 0x7fff_ffff, -1, i64::MIN];

/// A call of random edge values; xorshift64.
fn random_call(name: &str, params: &str, seed: &mut u64) -> String {
    let mut call = format!("(drop (call ${name}");
    for param in params.chars() {
        *seed ^= *seed << 13;
        *seed ^= *seed >> 7;
        *seed ^= *seed << 17;
        let value = EDGES[(*seed >> 32) as usize % EDGES.len()];
        match param {
            'i' => call.push_str(&format!(" (i32.const {})", value as i32)),
            'l' => call.push_str(&format!(" (i64.const {value})")),
            _ => {}
        }
    }
    call + "))\n"
}

#[tokio::test]
async fn no_numbers_in_any_call_do_more_than_fail_it() {
    let host = Host::new();
    host.mkdir("/tmp").await;
    let calls: Vec<(&str, &str)> = CALLS.split(", ").filter_map(|call| call.trim().split_once(' ')).collect();
    assert_eq!(calls.len(), 45, "all but proc_exit");
    let mut seed = 0x7461_736b_6673;
    for (round, module) in ["wasi_snapshot_preview1", "wasi_unstable"].iter().cycle().take(60).enumerate() {
        let (mut imports, mut body) = (String::new(), String::new());
        for (name, params) in &calls {
            let types: String = params
                .chars()
                .filter_map(|p| match p {
                    'i' => Some(" i32"),
                    'l' => Some(" i64"),
                    _ => None,
                })
                .collect();
            imports.push_str(&format!(
                "(import \"{module}\" \"{name}\" (func ${name} (param{types}) (result i32)))\n"
            ));
        }
        for n in 0..200 {
            let (name, params) = calls[(n * 7 + round) % calls.len()];
            // It may end the guest, which others have still to go through.
            if name != "proc_raise" {
                body.push_str(&random_call(name, params, &mut seed));
            }
        }
        let program = format!(
            "(module {imports} (memory (export \"memory\") 1) (data (i32.const 4) \"\\00\\10\\00\\00tmp\\00/..\")
             (func (export \"_start\")\n{body}))"
        );
        // Some polls and allocations are honest, and long.
        let limits = Limits { wall: Some(Duration::from_millis(500)), files: Some(100), ..Limits::default() };
        let task = host.start("main.wat", program.as_bytes(), With { limits, ..With::default() }).await;
        let task = task.expect("started");
        task.stdin.end();
        let exit = task.end().await;
        assert!(exit == Exit::success() || exit.code == 142, "round {round}: {exit:?}");
    }
}
