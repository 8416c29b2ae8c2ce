//! What paths may end in: slashes, dots, links; and what is said of those that may not.

mod host;
#[path = "host/script.rs"]
mod script;

use host::{Host, With};
use script::A::{I, S};
use script::*;
use task::Exit;
use vfs::BindFlags;
use vfs::host::{HostOptions, HostTree};

fn link(script: Script, to: &'static str, path: &'static str) -> Script {
    script.call("path_symlink", &[S(to), I(3), S(path)], 0)
}

#[tokio::test]
async fn a_link_with_a_slash_behind_is_neither_made_nor_cut_nor_a_way_to_make_a_file() {
    let script = Script::new().open("tmp/t", CREAT, WRITE, Ok(4)).write(4, "kept");
    let script = link(link(link(script, "t", "tmp/file"), "nowhere", "tmp/dangling"), "t/", "tmp/slash");
    leaves(
        script
            .open("tmp/file/", CREAT | TRUNC, WRITE, Err(EISDIR))
            .open("tmp/dangling/", CREAT, WRITE, Err(EISDIR))
            .open("tmp/slash", CREAT | TRUNC, WRITE, Err(EISDIR))
            .open("tmp/nowhere", 0, READ, Err(ENOENT)),
        "t",
        b"kept",
    )
    .await;
}

#[tokio::test]
async fn a_directory_is_not_opened_to_be_made() {
    let script = link(link(link(Script::new(), "..", "tmp/up"), "/", "tmp/root"), ".", "tmp/here");
    comes_out(
        script
            .open("tmp", CREAT, READ, Err(EISDIR))
            .open("tmp", CREAT | EXCL, READ, Err(EEXIST))
            .open("tmp/up", CREAT, READ, Err(EISDIR))
            .open("tmp/root", CREAT, READ, Err(EISDIR))
            .open("tmp/here", CREAT, READ, Err(EISDIR))
            .open("tmp/..", CREAT, READ, Err(EISDIR))
            .open("tmp/missing/.", CREAT, READ, Err(ENOENT))
            .open("tmp/missing/..", CREAT | EXCL, READ, Err(ENOENT)),
    )
    .await;
}

#[tokio::test]
async fn dots_and_the_root_are_there_if_what_leads_to_them_is() {
    let mut script = Script::new()
        .open("tmp/file", CREAT, WRITE, Ok(4))
        .call("path_create_directory", &[I(3), S("tmp/dir")], 0)
        .call("path_create_directory", &[I(3), S("tmp/dir/sub")], 0);
    for (path, made, removed, unlinked) in [
        ("tmp/dir/.", EEXIST, EINVAL, EISDIR),
        ("tmp/dir/sub/..", EEXIST, ENOTEMPTY, EISDIR),
        ("tmp/missing/.", ENOENT, ENOENT, ENOENT),
        ("tmp/missing/..", ENOENT, ENOENT, ENOENT),
        ("tmp/file/.", ENOTDIR, ENOTDIR, ENOTDIR),
        ("/", EEXIST, EBUSY, EISDIR),
    ] {
        script = script
            .call("path_create_directory", &[I(3), S(path)], made)
            .call("path_symlink", &[S("x"), I(3), S(path)], made)
            .call("path_link", &[I(3), I(0), S("tmp/file"), I(3), S(path)], made)
            .call("path_remove_directory", &[I(3), S(path)], removed)
            .call("path_unlink_file", &[I(3), S(path)], unlinked);
    }
    comes_out(script).await;
}

#[tokio::test]
async fn as_many_links_are_followed_to_make_a_file_as_to_open_it() {
    let mut script = Script::new();
    let name = |n: usize| -> &'static str { Box::leak(format!("l{n}").into_boxed_str()) };
    let path = |n: usize| -> &'static str { Box::leak(format!("tmp/l{n}").into_boxed_str()) };
    for n in 1..=41 {
        script = link(script, name(n - 1), path(n));
    }
    leaves(
        script
            .open(path(41), CREAT, WRITE, Err(ELOOP))
            .open(path(40), CREAT, WRITE, Ok(4))
            .write(4, "far")
            .open(path(40), 0, READ, Ok(5))
            .open(path(41), 0, READ, Err(ELOOP)),
        "l0",
        b"far",
    )
    .await;
}

#[tokio::test]
async fn what_is_there_is_said_to_be_also_where_nothing_can_be_made() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("there")).unwrap();
    let tree =
        HostTree::open_with(dir.path(), HostOptions { read_only: true, ..HostOptions::default() }).unwrap();
    let host = Host::new();
    host.mkdir("/ro").await;
    let place = host.place("/ro").await.unwrap();
    host.ns.mount(tree.root(), "ro", &place, BindFlags::empty()).unwrap();
    let script = Script::new()
        .call("path_create_directory", &[I(3), S("ro/there")], EEXIST)
        .call("path_symlink", &[S("x"), I(3), S("ro/there")], EEXIST)
        .call("path_create_directory", &[I(3), S("ro/new")], EROFS)
        .call("path_symlink", &[S("x"), I(3), S("ro/new")], EROFS);
    let (exit, _) = host.run(script.wat(), With::default()).await;
    assert_eq!(exit, Exit::success());
}

#[tokio::test]
async fn a_link_leads_to_no_name_with_a_nul_in_it_and_a_path_leaves_room_for_one() {
    let long = |name: &str| -> &'static str {
        Box::leak(format!("tmp/{}{name}", "./".repeat(2045)).into_boxed_str())
    };
    let (fits, too_long) = (long("x"), long("xx"));
    assert_eq!((fits.len(), too_long.len()), (4095, 4096));
    comes_out_of_a_module(
        Script::new()
            .call("path_symlink", &[S("a\0b"), I(3), S("tmp/nul")], EINVAL)
            .open(fits, 0, READ, Err(ENOENT))
            .open(too_long, 0, READ, Err(ENAMETOOLONG)),
    )
    .await;
}
