//! git, cargo, sqlite3, vim, rsync, tar, find, du and make on mounts of the Linux kernel's own 9P client, in QEMU, with this
//! machine's programs: what they do must be the same as on that kernel's tmpfs. 9P2000.L with cache=mmap, since without a
//! cache this client maps no file to be written, which sqlite's WAL takes. Times are set to whole seconds: this client rounds them
//! (docs/posix.md), and to none before 1970;
//! and since it reads through netfs (6.8), sqlite's WAL is not safe on it (docs/clients.md).

use tests::Server;
use tests::kernel::{Kernel, third};
use tests::programs::{Outcome, compare, every_program};

/// How long one program may take on one tree where the kernel is emulated, and everything else is busy.
const SECONDS: u32 = 1800;

/// A test a program, each in a guest of its own: on the memory tree and on a host directory.
macro_rules! on {
    ($kernel:expr) => {
        on! { $kernel,
            cargo_does_what_it_does_on_tmpfs "cargo",
            du_df_and_ls_do_what_they_do_on_tmpfs "du",
            find_does_what_it_does_on_tmpfs "find",
            git_does_what_it_does_on_tmpfs "git",
            make_does_what_it_does_on_tmpfs "make",
            rsync_does_what_it_does_on_tmpfs "rsync",
            sqlite3_does_what_it_does_on_tmpfs "sqlite3",
            tar_does_what_it_does_on_tmpfs "tar",
            vim_does_what_it_does_on_tmpfs "vim",
        }
    };
    ($kernel:expr, $($test:ident $program:literal,)*) => {
        $(
            #[test]
            #[ignore = "soak: takes minutes where the kernel is emulated"]
            fn $test() {
                super::programs($kernel, &[$program], &["tmp", "host"]);
            }
        )*
    };
}

mod systems_own_kernel {
    on!("base");
}

mod backports_kernel {
    on!("backports");
}

mod kernel_of_another_release {
    on!(super::third());
}

/// What takes least.
#[test]
fn find_and_vim_do_on_the_kernels_9p_what_they_do_on_tmpfs() {
    programs("base", &["find", "vim"], &["tmp"]);
}

fn programs(kernel: &str, wanted: &[&str], trees: &[&str]) {
    let what = format!("{} over the kernel's 9p, {kernel} kernel", wanted.join(", "));
    // rustc alone maps half a gigabyte.
    let memory = if wanted == ["cargo"] { "2048" } else { "768" };
    let Some(kernel) = Kernel::boot_with(kernel, &what, &["--memory", memory]) else { return };
    let host = tempfile::tempdir().expect("a temporary directory");
    let bind = format!("{}:/host", host.path().display());
    let server = Server::start(&["--listen", "tcp://127.0.0.1:0", "--bind", &bind]);
    kernel.mount("/mnt/t", server.port(), "version=9p2000.L,cache=mmap,msize=262144");
    let made = kernel.exec("mkdir /tmp/native", 60);
    assert!(made.status.success(), "{}: {}", kernel.version, String::from_utf8_lossy(&made.stdout));
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
    let attributes = if kernel.is_before(6, 6) { "" } else { "yes" };
    let wal = if kernel.is_before(6, 8) { "wal" } else { "" };
    every_program(&format!("Linux {}: {base}", kernel.version), base, 1, wanted, |script, vars| {
        let vars: Vec<_> = vars
            .iter()
            .copied()
            .chain([
                ("RUSTUP_HOME", &*rustup),
                ("PATH", &*path),
                ("F", ""),
                ("A", attributes),
                ("P", ""),
                ("E", "1970-01-02"),
                ("W", wal),
            ])
            .collect();
        kernel.bash(script, &vars, 0, SECONDS)
    })
}
