//! The table of what POSIX and Linux promise (`tests/src/promises.rs`), on the memory tree and on a host directory: through FUSE
//! beside this machine's tmpfs, and through the kernel's own 9P client beside that kernel's.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use tests::kernel::{Kernel, is_fast};
use tests::promises::{Promise, USERS, difference, patience, wanted};
use tests::{Import, Server, cannot_run, has_fuse, sh, taskfs};

fn is_root(what: &str) -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        cannot_run(what, "its scripts become other users, which takes root");
    }
    root
}

#[test]
fn the_trees_keep_every_promise_through_fuse_as_tmpfs_does() {
    let what = "the table of POSIX through FUSE";
    if !is_root(what) || !has_fuse(what) {
        return;
    }
    let base = tempfile::tempdir_in("/dev/shm").expect("tmpfs");
    let names = ["tmpfs", "below", "memory", "host", "overlay", "import"];
    let [tmpfs, below, memory, host, overlay, import] = names.map(|name| {
        let dir = base.path().join(name);
        std::fs::create_dir(&dir).expect("a directory");
        dir.to_str().expect("a UTF-8 path").to_owned()
    });
    sh("chmod 755 \"$D\"", &[("D", base.path().to_str().expect("a UTF-8 path"))], patience());
    let server = Server::start(&["--root", "mem", "--mount", &memory]);
    let _host = Server::start(&["--root", &format!("host:{below}"), "--mount", &host]);
    let _overlay = Server::start(&["--root", &format!("overlay:{below}"), "--mount", &overlay]);
    let _import = Import::of(&server, Path::new(&import));
    let mut wrong = String::new();
    for promise in wanted() {
        let run = |base: &str| {
            let dir = format!("{base}/here");
            std::fs::create_dir(&dir).expect("a directory");
            let said = sh(&promise.whole(), &[("D", &dir), ("KIND", "fuse")], patience());
            std::fs::remove_dir_all(&dir).expect("it can be removed");
            String::from_utf8_lossy(&[said.stdout, said.stderr].concat()).replace(base, "")
        };
        let expected = run(&tmpfs);
        let mounts = [
            ("memory, FUSE", &memory),
            ("host, FUSE", &host),
            ("overlay, FUSE", &overlay),
            ("memory, import", &import),
        ];
        for (on, base) in mounts {
            let fault =
                FAULTS.iter().find(|fault| on.ends_with(fault.on) && promise.name.contains(fault.row));
            wrong.push_str(&fault_of(promise, on, fault, difference(promise, on, &expected, &run(base))));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// What is quick enough for a kernel that is emulated.
const SHORT: &[&str] =
    &["entries, mask and mode", "whatever the umask", "supplementary groups", "beyond 4 GiB"];

#[test]
fn both_trees_keep_the_promises_through_the_kernels_9p_client() {
    through_v9fs("base", if is_fast() { &[""] } else { SHORT });
}

#[test]
#[ignore = "soak: takes minutes where the kernel is emulated"]
fn soak_both_trees_keep_every_promise_through_the_9p_clients_of_two_kernels() {
    through_v9fs("base", &[""]);
    through_v9fs("backports", &[""]);
}

/// A server in whose eyes this machine has the table's users.
fn knowing_the_users(args: &[&str]) -> Server {
    let files = tempfile::tempdir().expect("a directory");
    let program = files.path().join("taskfs");
    let mut script = String::from("#!/bin/sh\nexec unshare -m sh -ec '\n");
    for (name, lines) in ["passwd", "group"].iter().zip(USERS) {
        let path = files.path().join(name);
        let known = std::fs::read_to_string(format!("/etc/{name}")).expect("the user database");
        std::fs::write(&path, format!("{known}{lines}")).expect("it can be written");
        script.push_str(&format!("mount --bind {} /etc/{name}\n", path.display()));
    }
    script.push_str(&format!("exec {} \"$@\"' taskfs \"$@\"\n", taskfs().display()));
    std::fs::write(&program, script).expect("it can be written");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("it is ours");
    // It has read them by the time it is ready: what it has mounted stays.
    Server::start_program(&program, args)
}

/// A row that cannot be kept somewhere, and why.
struct Fault {
    on: &'static str,
    row: &'static str,
    why: &'static str,
}

const FAULTS: &[Fault] = &[
    Fault { on: "import", row: "who gets in", why: ONE_USER },
    Fault { on: "import", row: "set-group-id, copies and moves", why: ONE_USER },
    Fault { on: "import", row: "supplementary groups", why: ONE_USER },
];

const ONE_USER: &str = "an import is attached for once, by who mounts it: what others make there is his";

/// What is wrong: a difference that has no known cause, or none where there is one.
fn fault_of(promise: &Promise, on: &str, fault: Option<&Fault>, difference: Option<String>) -> String {
    match (difference, fault) {
        (Some(difference), None) => difference,
        (None, Some(fault)) => format!("{on}: {} holds, though it is said: {}\n", promise.name, fault.why),
        _ => String::new(),
    }
}

fn through_v9fs(kernel: &str, names: &[&str]) {
    let what = format!("the table of POSIX through the 9p of the {kernel} kernel");
    if !is_root(&what) {
        return;
    }
    let Some(kernel) = Kernel::boot(kernel, &what) else { return };
    let host = tempfile::tempdir_in("/dev/shm").expect("tmpfs");
    let bind = format!("{}:/host", host.path().display());
    let server = knowing_the_users(&["--listen", "tcp://127.0.0.1:0", "--bind", &bind]);
    // The client checks, as the superuser's kernel: it knows the callers' groups and the files' lists.
    kernel.mount("/mnt/t", server.port(), "version=9p2000.L,cache=none,access=client,posixacl,msize=262144");
    let chosen: Vec<&Promise> =
        wanted().into_iter().filter(|promise| names.iter().any(|name| promise.name.contains(name))).collect();
    assert!(!chosen.is_empty(), "{names:?}");
    let run = |base: &str| -> Vec<String> {
        let scripts: Vec<_> = (0..)
            .zip(&chosen)
            .map(|(n, promise)| {
                let dir = format!("{base}/{n}");
                format!("mkdir -p {dir}; D={dir} KIND=9p; {}", promise.whole())
            })
            .collect();
        let scripts: Vec<_> = scripts.iter().map(String::as_str).collect();
        let said = kernel.bash_each(&scripts, &[], 0, patience().as_secs() as u32);
        said.into_iter().map(|(out, err)| format!("{out}{err}").replace(base, "")).collect()
    };
    let expected = run("/tmp/native");
    let mut wrong = String::new();
    for tree in ["/mnt/t/tmp", "/mnt/t/host"] {
        let on = format!("{tree}, v9fs of Linux {}", kernel.version);
        for ((promise, expected), there) in chosen.iter().zip(&expected).zip(run(tree)) {
            let fault = FAULTS.iter().find(|fault| fault.on == "v9fs" && promise.name.contains(fault.row));
            wrong.push_str(&fault_of(promise, &on, fault, difference(promise, &on, expected, &there)));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
