//! git, cargo, sqlite3, vim, rsync, tar, find, du and make on mounts of the Linux kernel's own 9P client, in QEMU, with this
//! machine's programs: what they do must be the same as on that kernel's tmpfs. 9P2000.L with cache=mmap, since without a
//! cache this client maps no file to be written, which sqlite's WAL takes.

use tests::Server;
use tests::kernel::Kernel;
use tests::programs::{Outcome, compare, every_program, patience};

/// What takes least where the kernel is emulated.
const SHORT: &[&str] = &["sqlite3", "vim", "find", "du"];

#[test]
#[ignore = "soak: takes minutes where the kernel is emulated"]
fn programs_do_on_the_kernels_9p_what_they_do_on_tmpfs() {
    programs("base", SHORT, &["tmp", "host"]);
}

#[test]
#[ignore = "soak: takes minutes"]
fn every_program_does_on_the_kernels_9p_what_it_does_on_tmpfs() {
    programs("base", &[], &["tmp", "host"]);
}

#[test]
#[ignore = "soak: takes minutes"]
fn every_program_does_on_the_backports_kernels_9p_what_it_does_on_tmpfs() {
    programs("backports", &[], &["tmp", "host"]);
}

fn programs(kernel: &str, wanted: &[&str], trees: &[&str]) {
    let what = format!("programs over the kernel's 9p, {kernel} kernel");
    let Some(kernel) = Kernel::boot(kernel, &what) else { return };
    let host = tempfile::tempdir().expect("a temporary directory");
    let bind = format!("{}:/host", host.path().display());
    let server = Server::start(&["--listen", "tcp://127.0.0.1:0", "--bind", &bind]);
    let options = format!("version=9p2000.L,cache=mmap,msize=262144,trans=tcp,port={}", server.port());
    let out =
        kernel.exec(&format!("mkdir -p /mnt/t /tmp/native && mount -t 9p -o {options} 10.0.2.2 /mnt/t"), 60);
    assert!(out.status.success(), "{}: {}", kernel.version, String::from_utf8_lossy(&out.stdout));
    let tmpfs = run(&kernel, "/tmp/native", wanted);
    for tree in trees {
        let on = format!("/{tree} over v9fs of Linux {}", kernel.version);
        compare(&on, &tmpfs, &run(&kernel, &format!("/mnt/t/{tree}"), wanted));
    }
}

fn run(kernel: &Kernel, base: &str, wanted: &[&str]) -> Vec<Outcome> {
    let home = std::env::var("HOME").unwrap_or_default();
    let rustup = std::env::var("RUSTUP_HOME").unwrap_or_else(|_| format!("{home}/.rustup"));
    let path = std::env::var("PATH").unwrap_or_default();
    every_program(&format!("Linux {}: {base}", kernel.version), base, 1, wanted, |script, vars| {
        let vars: Vec<_> =
            vars.iter().copied().chain([("RUSTUP_HOME", &*rustup), ("PATH", &*path)]).collect();
        kernel.bash(script, &vars, 0, patience(3).as_secs() as u32)
    })
}
