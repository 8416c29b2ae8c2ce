//! Random calls on every tree's mount, and on mounts of the Linux kernel's own 9P client in QEMU, beside the same calls on tmpfs:
//! each must come to the same, and leave the same.

use rustix::process::geteuid;
use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};
use tests::kernel::{Kernel, third};
use tests::{Import, Server, has_fuse};

const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/random_calls.py");

/// The calls of a mere user are another's where there is one to become.
const MERE: &str = "1000";

/// What is known to be otherwise there, and has its cause in docs/posix.md.
const OTHERWISE: [(&str, &str); 4] = [
    ("memory", "without="),
    ("host", "without=set-id,unappend"),
    ("overlay", "without="),
    ("import", "without=renameat2,fallocate,replace-by-nothing,flock,own-locks"),
];

/// The same of the kernel's client, without a cache and with cache=loose: what 9P has no message for, or the client none of its own.
const OTHERWISE_OVER_9P: &str =
    "without=renameat2,fallocate,map,keep_map,append,set-id,utime,flock,unlinked-others";

fn alike(what: &str, from: u64, rounds: u64) {
    if !has_fuse(what) {
        return;
    }
    let base = tempfile::tempdir_in("/dev/shm").expect("tmpfs");
    let root = geteuid().is_root();
    let dir = |name: &str| {
        let dir = base.path().join(name);
        std::fs::create_dir(&dir).expect("a directory");
        dir.to_str().expect("a UTF-8 path").to_owned()
    };
    let (tmpfs, below) = (dir("tmpfs"), dir("below"));
    let [memory, host, overlay, import] = OTHERWISE.map(|(name, _)| dir(name));
    open_to_all(base.path());
    let server = Server::start(&["--root", "mem", "--mount", &memory]);
    let _host = Server::start(&["--root", &format!("host:{below}"), "--mount", &host]);
    let _overlay = Server::start(&["--root", &format!("overlay:{below}"), "--mount", &overlay]);
    let _import = Import::of(&server, Path::new(&import));
    let mut wrong = String::new();
    for (dir, (name, without)) in [memory, host, overlay, import].iter().zip(OTHERWISE) {
        // An import is attached for once, by who mounts it.
        let users: &[Option<&str>] = if root && name != "import" { &[None, Some(MERE)] } else { &[None] };
        for user in users {
            let [reference, here] = [&tmpfs, dir].map(|dir| format!("{dir}/{name}-{}", user.unwrap_or("me")));
            for dir in [&reference, &here] {
                std::fs::create_dir(dir).expect("a directory");
                open_to_all(Path::new(dir));
            }
            let mut command = Command::new("python3");
            command.args([PROGRAM, &from.to_string(), &rounds.to_string(), without]);
            command.args(user.map(|user| format!("as={user}"))).args([&reference, &here]);
            let done = command.output().expect("python3 starts");
            if !done.status.success() {
                let (said, why) =
                    (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
                wrong.push_str(&format!("{name}, as {}: {said}{why}", user.unwrap_or("me")));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

fn open_to_all(dir: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o1777)).expect("it is ours");
}

#[test]
fn random_calls_come_to_what_they_do_on_tmpfs() {
    alike("random calls", 1, 100);
}

fn alike_over_9p(kernel: &str, rounds: u64) {
    let Some(kernel) = Kernel::boot_with(kernel, "random calls over the kernel's 9p", &["--memory", "512"])
    else {
        return;
    };
    let host = tempfile::tempdir_in("/dev/shm").expect("tmpfs");
    let bind = format!("{}:/host", host.path().display());
    let server = Server::start(&["--listen", "tcp://127.0.0.1:0", "--bind", &bind]);
    for cache in ["none", "loose"] {
        let options = format!("version=9p2000.L,cache={cache},msize=262144");
        kernel.mount(&format!("/mnt/{cache}"), server.port(), &options);
    }
    let from = now();
    // Linux's tmpfs has had attributes of users since 6.6, and its sockets since 7; a host directory is on this kernel.
    let attributes = match (kernel.is_before(6, 6), kernel.is_before(7, 0)) {
        (true, _) => ",setxattr,getxattr,listxattr,removexattr,unlinked",
        (false, true) => "",
        (false, false) => ",sockets",
    };
    // With a cache the kernel believes the times that it knows.
    let cells =
        [("none", "tmp", ""), ("none", "host", ""), ("loose", "tmp", ",times"), ("loose", "host", ",times")];
    for (cache, tree, believed) in cells {
        let script = format!(
            "cat > /tmp/calls.py <<'END OF CALLS'\n{}\nEND OF CALLS\nmkdir -p /tmp/native /mnt/{cache}/{tree}/{cache}\n\
             python3 /tmp/calls.py {from} {rounds} {OTHERWISE_OVER_9P}{attributes}{believed} /tmp/native /mnt/{cache}/{tree}/{cache} && echo alike",
            include_str!("../src/random_calls.py")
        );
        let (said, why) = kernel.bash(&script, &[], 0, 3600);
        assert_eq!(said, "alike\n", "/{tree} over v9fs of Linux {}, cache={cache}: {why}", kernel.version);
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

#[test]
#[ignore = "soak: takes minutes"]
fn soak_random_calls_over_9p_come_to_what_they_do_on_tmpfs() {
    for kernel in ["base", "backports", third()] {
        alike_over_9p(kernel, 100);
    }
}

#[test]
#[ignore = "soak: takes minutes"]
fn soak_ever_other_random_calls_come_to_what_they_do_on_tmpfs() {
    alike("random calls", now(), 3000);
}
