//! Which calls a worker may make. Each list says why its members are on it.

use super::program::{Builder, Test, Verdict, is, masked, null};
use Verdict::{Allow, Ask, Fail};
use libc::*;

/// On memory, threads, time and signals of its own; on descriptors that it has.
const ALLOWED: &[c_long] = &[
    // Memory. Executable memory is what an engine compiles to.
    SYS_brk,
    SYS_mmap,
    SYS_munmap,
    SYS_mremap,
    SYS_mprotect,
    SYS_madvise,
    SYS_mincore,
    SYS_membarrier,
    SYS_pkey_alloc,
    SYS_pkey_free,
    SYS_pkey_mprotect,
    // Threads and what they wait for.
    SYS_futex,
    SYS_set_robust_list,
    SYS_get_robust_list,
    SYS_rseq,
    SYS_set_tid_address,
    SYS_gettid,
    SYS_sched_yield,
    SYS_sched_getaffinity,
    SYS_getcpu,
    SYS_exit,
    SYS_exit_group,
    // Its own signals: handlers of crashes, stacks for them.
    SYS_rt_sigaction,
    SYS_rt_sigprocmask,
    SYS_rt_sigreturn,
    SYS_rt_sigtimedwait,
    SYS_sigaltstack,
    SYS_restart_syscall,
    // Who it is: in namespaces of its own.
    SYS_getpid,
    SYS_getppid,
    SYS_getuid,
    SYS_geteuid,
    SYS_getgid,
    SYS_getegid,
    SYS_uname,
    SYS_getcwd,
    SYS_sysinfo,
    SYS_getrusage,
    SYS_times,
    SYS_getrandom,
    // Time.
    SYS_clock_gettime,
    SYS_clock_getres,
    SYS_clock_nanosleep,
    SYS_nanosleep,
    SYS_gettimeofday,
    SYS_timerfd_create,
    SYS_timerfd_settime,
    SYS_timerfd_gettime,
    // Descriptors: none of them can be had by a name.
    SYS_read,
    SYS_write,
    SYS_readv,
    SYS_writev,
    SYS_pread64,
    SYS_pwrite64,
    SYS_lseek,
    SYS_close,
    SYS_close_range,
    SYS_dup,
    SYS_dup3,
    SYS_fstat,
    SYS_pipe2,
    SYS_eventfd2,
    SYS_epoll_create1,
    SYS_epoll_ctl,
    SYS_epoll_pwait,
    SYS_epoll_pwait2,
    SYS_ppoll,
    SYS_pselect6,
    // Sockets that are connected or listen already.
    SYS_socketpair,
    SYS_accept,
    SYS_accept4,
    SYS_recvfrom,
    SYS_recvmsg,
    SYS_getsockname,
    SYS_getpeername,
    SYS_getsockopt,
    SYS_shutdown,
];

/// The same by their older names.
#[cfg(target_arch = "x86_64")]
const ALLOWED_HERE: &[c_long] =
    &[SYS_epoll_wait, SYS_epoll_create, SYS_poll, SYS_select, SYS_pipe, SYS_dup2, SYS_eventfd, SYS_time];
#[cfg(not(target_arch = "x86_64"))]
const ALLOWED_HERE: &[c_long] = &[];

/// What names a file is told that there is none. With an empty root that is the truth; without one this is the wall.
const NO_FILE: &[c_long] = &[
    SYS_openat,
    SYS_readlinkat,
    SYS_faccessat,
    SYS_faccessat2,
    SYS_newfstatat,
    SYS_statfs,
    SYS_chdir,
    SYS_mkdirat,
    SYS_unlinkat,
    SYS_renameat2,
    SYS_execve,
    SYS_execveat,
];
#[cfg(target_arch = "x86_64")]
const NO_FILE_HERE: &[c_long] = &[
    SYS_open,
    SYS_stat,
    SYS_lstat,
    SYS_access,
    SYS_readlink,
    SYS_mkdir,
    SYS_unlink,
    SYS_rename,
    SYS_rmdir,
    SYS_creat,
];
#[cfg(not(target_arch = "x86_64"))]
const NO_FILE_HERE: &[c_long] = &[];

/// Calls for which the C library, Rust's or tokio have an older one.
const UNKNOWN: &[c_long] = &[
    SYS_clone3,
    SYS_statx,
    SYS_openat2,
    SYS_io_uring_setup,
    SYS_copy_file_range,
    SYS_sendmmsg,
    SYS_preadv2,
    SYS_pwritev2,
    SYS_futex_waitv,
];

/// A thread, as pthread_create makes it: of this process, in its namespaces.
const THREAD: u32 = (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD) as u32;
const NOT_A_THREAD: u32 = (CLONE_NEWNS
    | CLONE_NEWUSER
    | CLONE_NEWPID
    | CLONE_NEWNET
    | CLONE_NEWIPC
    | CLONE_NEWUTS
    | CLONE_NEWCGROUP
    | CLONE_PTRACE
    | CLONE_VFORK) as u32;

/// `PR_SET_VMA`: a name for memory, which glibc gives.
const PR_SET_VMA: u32 = 0x5356_4d41;

/// A TCP or UDP socket, and the kernel's own choice of one.
const STREAM_OR_DATAGRAM: [(i32, &[i32]); 2] =
    [(SOCK_STREAM, &[0, IPPROTO_TCP]), (SOCK_DGRAM, &[0, IPPROTO_UDP])];
/// The type without SOCK_NONBLOCK and SOCK_CLOEXEC.
const TYPE: u32 = !((SOCK_NONBLOCK | SOCK_CLOEXEC) as u32);

/// Options that change how a socket's own data go, and nothing that others notice: no filters, no devices, no groups. How
/// long a connect takes is not among them (SO_SNDTIMEO): the server connects sockets of workers, and must not wait.
const OPTIONS: [(i32, &[i32]); 4] = [
    (
        SOL_SOCKET,
        &[
            SO_REUSEADDR,
            SO_KEEPALIVE,
            SO_LINGER,
            SO_SNDBUF,
            SO_RCVBUF,
            SO_RCVTIMEO,
            SO_OOBINLINE,
            SO_RCVLOWAT,
        ],
    ),
    (
        IPPROTO_TCP,
        &[
            TCP_NODELAY,
            TCP_KEEPIDLE,
            TCP_KEEPINTVL,
            TCP_KEEPCNT,
            TCP_USER_TIMEOUT,
            TCP_QUICKACK,
            TCP_CORK,
            TCP_NOTSENT_LOWAT,
        ],
    ),
    (IPPROTO_IP, &[IP_TOS, IP_TTL]),
    (IPPROTO_IPV6, &[IPV6_V6ONLY, IPV6_UNICAST_HOPS, IPV6_TCLASS]),
];

/// What is needed until the hello has been said.
const LAST: [c_long; 2] = [SYS_sendmsg, SYS_seccomp];

/// What goes on top when it has been.
pub(super) fn last_program() -> Vec<sock_filter> {
    let mut filter = Builder::new();
    LAST.iter().for_each(|call| filter.rule(*call, &[], Fail(EPERM)));
    filter.otherwise(Allow)
}

/// The whole program; where nobody is to be asked, what would have been is refused.
pub(super) fn program(asking: bool) -> Vec<sock_filter> {
    let ask = if asking { Ask } else { Fail(EACCES) };
    let mut filter = Builder::new();
    let mut all = |numbers: &[&[c_long]], verdict| {
        numbers.iter().copied().flatten().for_each(|number| filter.rule(*number, &[], verdict))
    };
    all(&[ALLOWED, ALLOWED_HERE], Allow);
    // fstat(3) of newer C libraries.
    filter.rule(SYS_newfstatat, &[masked(3, AT_EMPTY_PATH as u32, AT_EMPTY_PATH as u32)], Allow);
    network(&mut filter, ask);
    let mut all = |numbers: &[&[c_long]], verdict| {
        numbers.iter().copied().flatten().for_each(|number| filter.rule(*number, &[], verdict))
    };
    all(&[NO_FILE, NO_FILE_HERE], Fail(ENOENT));
    all(&[UNKNOWN], Fail(ENOSYS));

    filter.rule(SYS_clone, &[masked(0, THREAD | NOT_A_THREAD, THREAD)], Allow);
    filter.rule(SYS_clone, &[], Fail(EAGAIN));
    // This process is never another's, whatever the number means to the kernel at that moment.
    let me = std::process::id();
    filter.rule(SYS_tgkill, &[is(0, me)], Allow);
    for operation in [PR_SET_NAME as u32, PR_GET_NAME as u32, PR_SET_VMA] {
        filter.rule(SYS_prctl, &[is(0, operation)], Allow);
    }
    // Limits can be asked for, one's own.
    filter.rule(SYS_prlimit64, &[is(0, 0), null(2)], Allow);
    for request in [FIONBIO as u32, FIONREAD as u32, FIOCLEX as u32, FIONCLEX as u32] {
        filter.rule(SYS_ioctl, &[is(1, request)], Allow);
    }
    // isatty(3): nothing here is one.
    filter.rule(SYS_ioctl, &[], Fail(ENOTTY));
    for command in [F_GETFL, F_SETFL, F_GETFD, F_SETFD, F_DUPFD, F_DUPFD_CLOEXEC] {
        // O_ASYNC sends signals.
        let tests = [is(1, command as u32), masked(2, O_ASYNC as u32, 0)];
        filter.rule(SYS_fcntl, if command == F_SETFL { &tests } else { &tests[..1] }, Allow);
    }
    filter.otherwise(Fail(EPERM))
}

fn network(filter: &mut Builder, ask: Verdict) {
    for family in [AF_INET, AF_INET6] {
        for (kind, protocols) in STREAM_OR_DATAGRAM {
            for protocol in protocols {
                let tests = [is(0, family as u32), masked(1, TYPE, kind as u32), is(2, *protocol as u32)];
                filter.rule(SYS_socket, &tests, Allow);
            }
        }
    }
    // Unix, netlink, packet and raw sockets.
    filter.rule(SYS_socket, &[], Fail(EACCES));
    for call in [SYS_connect, SYS_bind, SYS_listen] {
        filter.rule(call, &[], ask);
    }
    // Data with an address are a connect of their own; so are data with MSG_FASTOPEN.
    let plain: [Test; 2] = [null(4), masked(3, MSG_FASTOPEN as u32, 0)];
    filter.rule(SYS_sendto, &plain, Allow);
    filter.rule(SYS_sendto, &[masked(3, MSG_FASTOPEN as u32, 0)], ask);
    // The address of a sendmsg lies where no filter sees it: only the hello goes out by it, and `LAST` ends that.
    LAST.iter().for_each(|call| filter.rule(*call, &[], Allow));
    for (level, names) in OPTIONS {
        for name in names {
            filter.rule(SYS_setsockopt, &[is(1, level as u32), is(2, *name as u32)], Allow);
        }
    }
}
