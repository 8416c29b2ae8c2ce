//! The table of shell habits on a mount of the Linux kernel's own 9P client, in QEMU: 9P2000.L, cache=none, every kernel
//! that has been prepared. Besides, what only this client has: other transports, and a user for every process.

use tests::habits::{PRELUDE, every_habit};
use tests::kernel::Kernel;
use tests::{Server, guests};

#[test]
fn every_shell_habit_works_on_a_mount_of_debians_kernel() {
    habits("base");
}

#[test]
fn every_shell_habit_works_on_a_mount_of_the_backports_kernel() {
    habits("backports");
}

fn serve() -> Server {
    let bind = format!("{}:/guests:ro", guests().display());
    Server::start(&["--listen", "tcp://127.0.0.1:0", "--bind", &bind])
}

fn mount(kernel: &Kernel, dir: &str, options: &str) {
    let out = kernel
        .exec(&format!("mkdir -p {dir} && mount -t 9p -o version=9p2000.L,cache=none,{options} {dir}"), 60);
    assert!(out.status.success(), "{}: {}", kernel.version, String::from_utf8_lossy(&out.stdout));
}

fn habits(name: &str) {
    let Some(kernel) = Kernel::boot(name, &format!("shell habits over the kernel's 9p, {name} kernel"))
    else {
        return;
    };
    let server = serve();
    mount(&kernel, "/mnt/t", &format!("trans=tcp,port={} 10.0.2.2", server.port()));
    every_habit(&format!("v9fs of Linux {}", kernel.version), |script| {
        kernel.bash(script, &[("M", "/mnt/t")], 0, 60)
    });
}

#[test]
fn a_kernel_mounts_over_a_unix_socket_too() {
    let Some(kernel) = Kernel::boot("base", "the kernel's 9p with trans=unix") else { return };
    let server = serve();
    let relay = kernel.exec(&format!("unix-relay /tmp/taskfs.sock {}", server.port()), 60);
    assert!(relay.status.success(), "{}", String::from_utf8_lossy(&relay.stdout));
    mount(&kernel, "/mnt/u", "trans=unix /tmp/taskfs.sock");
    let script =
        format!("{PRELUDE}run /guests/cat.wasm; echo fed > $t/stdio/0; echo eof > $t/ctl; cat $t/stdio/1");
    assert_eq!(kernel.bash(&script, &[("M", "/mnt/u")], 0, 60), ("fed\n".to_owned(), String::new()));
    let unmount = kernel.exec("umount /mnt/u && ls /mnt/u | wc -l", 60);
    assert_eq!(String::from_utf8_lossy(&unmount.stdout), "0\n");
}

#[test]
fn every_process_of_a_mount_is_its_own_user() {
    let Some(kernel) = Kernel::boot("base", "the kernel's 9p with access=user") else { return };
    let server = serve();
    mount(&kernel, "/mnt/t", &format!("trans=tcp,access=user,port={} 10.0.2.2", server.port()));
    let as_user = |uid, script: &str| kernel.bash(script, &[("M", "/mnt/t")], uid, 60);
    let (made, err) =
        as_user(1000, "umask 077; echo secret > $M/tmp/mine; stat -c '%u %a' $M/tmp/mine; cat $M/tmp/mine");
    assert_eq!((&*made, &*err), ("1000 600\nsecret\n", ""));
    let (out, err) = as_user(
        1001,
        "cat $M/tmp/mine; echo spoilt > $M/tmp/mine; rm -f $M/tmp/mine; stat -c %u $M/tmp/mine",
    );
    assert_eq!(out, "1000\n", "looking at a file is open to all, what is in it is not");
    assert_eq!(err.matches("Permission denied").count(), 2, "{err}");
    assert_eq!(err.matches("Operation not permitted").count(), 1, "{err}");
    let (out, _) = as_user(0, "cat $M/tmp/mine; rm $M/tmp/mine");
    assert_eq!(out, "secret\n");
}
