//! git, cargo, sqlite3, vim, rsync, tar, find, du and make on FUSE mounts of this machine: the memory tree, a host
//! directory, and an overlay.

use std::path::Path;
use tests::programs::{Outcome, compare, every_program, patience};
use tests::{Server, has_fuse, sh};

#[test]
fn programs_do_on_the_memory_tree_what_they_do_on_tmpfs() {
    programs("the memory tree over FUSE", "tmp", 1);
}

#[test]
fn programs_do_on_a_host_directory_what_they_do_on_tmpfs() {
    programs("a host directory over FUSE", "host", 1);
}

#[test]
#[ignore = "soak: takes minutes"]
fn programs_do_three_times_as_much_on_the_memory_tree() {
    programs("the memory tree over FUSE, 3 times", "tmp", 3);
}

#[test]
#[ignore = "soak: takes minutes"]
fn programs_do_three_times_as_much_on_a_host_directory() {
    programs("a host directory over FUSE, 3 times", "host", 3);
}

#[test]
#[ignore = "soak: takes minutes"]
fn programs_do_three_times_as_much_on_an_overlay() {
    programs("an overlay over FUSE, 3 times", "overlay", 3);
}

fn programs(on: &str, below: &str, n: u32) {
    if !has_fuse(&format!("programs on {on}")) {
        return;
    }
    let native = native();
    let tmpfs = run(on, native.path(), n);
    let (mount, host) = (tempfile::tempdir(), tempfile::tempdir());
    let (mount, host) = (mount.expect("a temporary directory"), host.expect("a temporary directory"));
    let bind = format!("{}:/host", host.path().display());
    let root = match below {
        "overlay" => format!("overlay:{}", host.path().display()),
        _ => "mem".to_owned(),
    };
    if below == "overlay" {
        std::fs::create_dir(host.path().join(below)).expect("a directory");
    }
    let mount_at = mount.path().to_str().expect("a UTF-8 path");
    let server = Server::start(&["--root", &root, "--mount", mount_at, "--bind", &bind]);
    let ours = run(on, &mount.path().join(below), n);
    drop(server);
    compare(on, &tmpfs, &ours);
}

/// A directory on tmpfs, where there is one.
fn native() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let place = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    tempfile::tempdir_in(place).expect("a temporary directory")
}

fn run(on: &str, base: &Path, n: u32) -> Vec<Outcome> {
    let base = base.to_str().expect("a UTF-8 path");
    // Where rustup keeps its own, which a script's HOME hides.
    let home = std::env::var("HOME").unwrap_or_default();
    let rustup = std::env::var("RUSTUP_HOME").unwrap_or_else(|_| format!("{home}/.rustup"));
    every_program(&format!("{on}: {base}"), base, n, &[], |script, vars| {
        let vars: Vec<_> = vars.iter().copied().chain([("RUSTUP_HOME", &*rustup)]).collect();
        let output = sh(script, &vars, patience(n));
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (text(&output.stdout), text(&output.stderr))
    })
}
