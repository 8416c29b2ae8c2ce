//! A process behind the wall that tries, one line of its socket at a time, what a hostile worker would, and answers each line
//! with what came of it: `ok` and a value, or the errno.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;

fn errno(result: i64) -> String {
    match result {
        -1 => format!("errno {}", std::io::Error::last_os_error().raw_os_error().unwrap_or(0)),
        value => format!("ok {value}"),
    }
}

/// SAFETY of all these calls: constants and nulls; what they would do is what must not happen.
fn attempt(what: &str) -> String {
    let nothing = std::ptr::null::<u8>();
    errno(match what {
        "open /etc/passwd" => unsafe { libc::open(c"/etc/passwd".as_ptr(), libc::O_RDONLY).into() },
        "open /proc/self/status" => unsafe {
            libc::open(c"/proc/self/status".as_ptr(), libc::O_RDONLY).into()
        },
        "open /" => unsafe { libc::open(c"/".as_ptr(), libc::O_RDONLY).into() },
        "open .." => unsafe { libc::openat(3, c"..".as_ptr(), libc::O_RDONLY).into() },
        "stat /" => unsafe {
            let mut stat = std::mem::zeroed();
            libc::stat(c"/etc/passwd".as_ptr(), &raw mut stat).into()
        },
        "mkdir /x" => unsafe { libc::mkdir(c"/x".as_ptr(), 0o700).into() },
        "unix socket" => unsafe { libc::socket(libc::AF_UNIX, libc::SOCK_STREAM, 0).into() },
        "netlink socket" => unsafe { libc::socket(libc::AF_NETLINK, libc::SOCK_RAW, 0).into() },
        "packet socket" => unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW, 0).into() },
        "raw socket" => unsafe { libc::socket(libc::AF_INET, libc::SOCK_RAW, 1).into() },
        "vsock socket" => unsafe { libc::socket(libc::AF_VSOCK, libc::SOCK_STREAM, 0).into() },
        "tcp socket" => unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM, 0).into() },
        "kill 1" => unsafe { libc::kill(1, 0).into() },
        "kill all" => unsafe { libc::kill(-1, libc::SIGKILL).into() },
        "tgkill 1" => unsafe { libc::syscall(libc::SYS_tgkill, 1, 1, libc::SIGKILL) },
        "fork" => unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) },
        "clone3" => unsafe { libc::syscall(libc::SYS_clone3, nothing, 0) },
        "exec" => unsafe { libc::execve(c"/bin/sh".as_ptr(), std::ptr::null(), std::ptr::null()).into() },
        "ptrace" => unsafe { libc::ptrace(libc::PTRACE_TRACEME) },
        "process_vm_readv" => unsafe {
            libc::process_vm_readv(1, std::ptr::null(), 0, std::ptr::null(), 0, 0) as i64
        },
        "unshare" => unsafe { libc::unshare(libc::CLONE_NEWUSER).into() },
        "setns" => unsafe { libc::setns(0, 0).into() },
        "mount" => unsafe {
            libc::mount(nothing.cast(), c"/".as_ptr(), nothing.cast(), 0, nothing.cast()).into()
        },
        "setuid" => unsafe { libc::syscall(libc::SYS_setuid, 0) },
        "setgid" => unsafe { libc::syscall(libc::SYS_setgid, 0) },
        "setpriority" => unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, -20).into() },
        "pidfd_open" => unsafe { libc::syscall(libc::SYS_pidfd_open, 1, 0) },
        "bpf" => unsafe { libc::syscall(libc::SYS_bpf, 0, nothing, 0) },
        "io_uring" => unsafe { libc::syscall(libc::SYS_io_uring_setup, 1, nothing) },
        "perf" => unsafe { libc::syscall(libc::SYS_perf_event_open, nothing, 0, 0, 0, 0) },
        "keyctl" => unsafe { libc::syscall(libc::SYS_keyctl, 0, 0, 0, 0, 0) },
        "userfaultfd" => unsafe { libc::syscall(libc::SYS_userfaultfd, 0) },
        "memfd" => unsafe { libc::syscall(libc::SYS_memfd_create, c"x".as_ptr(), 0) },
        "inotify" => unsafe { libc::inotify_init1(0).into() },
        "shmget" => unsafe { libc::shmget(1, 4096, libc::IPC_CREAT).into() },
        "dumpable" => unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 1, 0, 0, 0).into() },
        "forget parent" => unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, 0, 0, 0, 0).into() },
        "sendmsg" => unsafe { libc::sendmsg(3, nothing.cast(), 0) as i64 },
        "tiocsti" => unsafe { libc::ioctl(0, libc::TIOCSTI, nothing).into() },
        "bind to device" => unsafe {
            let socket = libc::socket(libc::AF_INET, libc::SOCK_STREAM, 0);
            let name = c"lo".as_ptr().cast();
            libc::setsockopt(socket, libc::SOL_SOCKET, libc::SO_BINDTODEVICE, name, 2).into()
        },
        "uid" => unsafe { libc::getuid().into() },
        "pid" => unsafe { libc::getpid().into() },
        "no core" => unsafe {
            let mut limit = libc::rlimit { rlim_cur: 9, rlim_max: 9 };
            libc::getrlimit(libc::RLIMIT_CORE, &raw mut limit);
            limit.rlim_max as i64
        },
        "thread" => std::thread::spawn(|| 7).join().unwrap_or(-1),
        "open descriptors" => {
            (0..256).filter(|fd| unsafe { libc::fcntl(*fd, libc::F_GETFD) } >= 0).count() as i64
        }
        "environment" => std::env::vars_os().count() as i64,
        "abort" => std::process::abort(),
        "segfault" => unsafe {
            std::ptr::without_provenance_mut::<u8>(8).write_volatile(1);
            0
        },
        "exit 7" => std::process::exit(7),
        "loop" => loop {
            std::hint::spin_loop();
        },
        _ => panic!("unknown attempt {what:?}"),
    })
}

fn main() -> std::io::Result<()> {
    let socket = UnixStream::from(wall::enter()?);
    let mut lines = BufReader::new(&socket);
    let mut line = String::new();
    while lines.read_line(&mut line)? > 0 {
        let answer = attempt(line.trim_end());
        writeln!(&socket, "{answer}")?;
        line.clear();
    }
    Ok(())
}
