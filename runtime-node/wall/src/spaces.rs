//! The namespaces of a worker, and the init that it runs under.
//!
//! The launcher makes the init with CLONE_PARENT, as a child of the server, and ends: so the server waits for the init itself,
//! and there is one process beside the worker's, not two. The init is needed because pid 1 of a namespace takes no signal that
//! it does not handle: a worker that were pid 1 could not abort.

use crate::fds::{checked, pidfd_of_self};
use crate::{Report, caps};
use std::ffi::CStr;
use std::fs;
use std::io::{self, Read, Write};
use std::ops::Range;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;

/// A worker of a server that is root is nobody: this number and its launcher's pid, a user that no machine has. Where such a
/// number cannot be had (a server in a container), the usual nobody.
const STRANGER: u32 = 0x7000_0000;
const NOBODY: u32 = 65534;

const SPACES: [(&str, libc::c_int); 6] = [
    ("user", libc::CLONE_NEWUSER),
    ("pid", libc::CLONE_NEWPID),
    ("net", libc::CLONE_NEWNET),
    ("ipc", libc::CLONE_NEWIPC),
    ("uts", libc::CLONE_NEWUTS),
    ("mount", libc::CLONE_NEWNS),
];

/// Puts the rest of this process into namespaces of its own; returns in the worker, with a pidfd of its init, or, where there
/// are no namespaces to be had, in this very process with none.
pub(crate) fn enter(socket: &OwnedFd, report: &mut Report) -> io::Result<Option<OwnedFd>> {
    // SAFETY: geteuid cannot fail.
    let root = unsafe { libc::geteuid() } == 0;
    // Without a user namespace only root may make the others.
    for wanted in [&SPACES[..], &SPACES[1..]] {
        if wanted.len() < SPACES.len() && !root {
            break;
        }
        let (ours, theirs) = UnixStream::pair()?;
        let flags = wanted.iter().fold(libc::CLONE_PARENT, |flags, (_, flag)| flags | flag);
        // SAFETY: with no stack given this is fork(2) in other namespaces; this process has one thread.
        match unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) } {
            0 => {
                drop(ours);
                return init(socket, theirs, wanted, root, report).map(Some);
            }
            pid if pid > 0 => {
                drop(theirs);
                let mapped = if wanted.len() == SPACES.len() { map_ids(pid as u32, root) } else { Ok(0) };
                // Where this fails the init reads the end, and ends.
                if let Ok(id) = mapped {
                    let _told = (&ours).write_all(&id.to_ne_bytes());
                }
                // SAFETY: ends this process, which holds nothing.
                unsafe { libc::_exit(i32::from(mapped.is_err())) }
            }
            _ => {}
        }
    }
    Ok(None)
}

/// Gives the init of pid `pid` its ids: 0 in there is a stranger out here, or, for a server that is not root, the server's
/// own user, the only one that he may give. Returns what 0 is outside.
fn map_ids(pid: u32, root: bool) -> io::Result<u32> {
    let write = |file: &str, text: String| fs::write(format!("/proc/{pid}/{file}"), text);
    if !root {
        // SAFETY: cannot fail.
        let (uid, gid) = unsafe { (libc::geteuid(), libc::getegid()) };
        write("setgroups", "deny".to_owned())?;
        write("uid_map", format!("0 {uid} 1"))?;
        write("gid_map", format!("0 {gid} 1"))?;
        return Ok(uid);
    }
    // In a container the server may have few ids to give, or its own alone.
    let mut refused = Ok(0);
    for id in [STRANGER + std::process::id(), NOBODY, 0] {
        refused = write("uid_map", format!("0 {id} 1")).map(|()| id);
        if refused.is_ok() {
            break;
        }
    }
    let id = refused?;
    write("gid_map", format!("0 {id} 1"))?;
    Ok(id)
}

/// The init, until it forks the worker, where it returns.
fn init(
    socket: &OwnedFd,
    mut launcher: UnixStream,
    wanted: &[(&str, libc::c_int)],
    root: bool,
    report: &mut Report,
) -> io::Result<OwnedFd> {
    let mut id = [0; 4];
    launcher.read_exact(&mut id)?;
    drop(launcher);
    let has_user = wanted.len() == SPACES.len();
    if has_user && root {
        become_user(0)?;
    }
    let heap = heap();
    let emptied = empty_root().is_ok();
    // A worker without a loopback is none the worse for it, but for programs that talk to themselves.
    let _loopback = loopback_up();
    let _named = hostname(c"taskfs");
    if !has_user {
        // Where neither is to be had (a server in a user namespace of its own), its user stays, without privileges.
        let _nobody_else = become_user(STRANGER + std::process::id()).or_else(|_| become_user(NOBODY));
    }
    let has = |name: &str| emptied || name != "mount";
    report.spaces = wanted.iter().map(|(name, _)| (*name).to_owned()).filter(|name| has(name)).collect();
    caps::drop_all()?;
    if hung_up(socket)? {
        return Err(io::ErrorKind::BrokenPipe.into());
    }
    let me = pidfd_of_self()?;
    // SAFETY: this process has one thread.
    match unsafe { checked(libc::fork().into())? } {
        0 => Ok(me),
        worker => {
            // The socket's end is the worker's to hold alone: were it here too, the server would not see it end.
            // SAFETY: nothing here is used any more.
            unsafe { libc::syscall(libc::SYS_close_range, 0, libc::c_uint::MAX, 0) };
            // A parent's may be large, and what the worker changes of it would be kept here as it was.
            if let Some(heap) = heap {
                // SAFETY: whole pages that are this process's own; from here on it allocates nothing and looks at nothing there.
                unsafe { libc::madvise(heap.start as *mut libc::c_void, heap.len(), libc::MADV_DONTNEED) };
            }
            reap(worker as libc::pid_t)
        }
    }
}

/// Where the C library's heap lies (proc_pid_maps(5)).
fn heap() -> Option<Range<usize>> {
    let maps = fs::read_to_string("/proc/self/maps").ok()?;
    let line = maps.lines().find(|line| line.ends_with("[heap]"))?;
    let (start, end) = line.split_once(' ')?.0.split_once('-')?;
    let address = |text| usize::from_str_radix(text, 16).ok();
    Some(address(start)?..address(end)?)
}

/// Waits for the worker's end and ends as it did, in a shell's words: 128 and its signal, or its status.
fn reap(worker: libc::pid_t) -> ! {
    let mut status = 0;
    loop {
        // SAFETY: waits for a child of ours; the status is a local.
        let ended = unsafe { libc::waitpid(-1, &raw mut status, 0) };
        let interrupted = ended < 0 && io::Error::last_os_error().kind() == io::ErrorKind::Interrupted;
        if ended == worker || (ended < 0 && !interrupted) {
            let code = if libc::WIFSIGNALED(status) {
                128 + libc::WTERMSIG(status)
            } else {
                libc::WEXITSTATUS(status)
            };
            // SAFETY: ends this process.
            unsafe { libc::_exit(code) }
        }
    }
}

/// This process is `id` and in no other group.
fn become_user(id: u32) -> io::Result<()> {
    // SAFETY: plain numbers.
    unsafe {
        checked(libc::syscall(libc::SYS_setgroups, 0, 0))?;
        checked(libc::syscall(libc::SYS_setresgid, id, id, id))?;
        checked(libc::syscall(libc::SYS_setresuid, id, id, id))?;
    }
    Ok(())
}

/// / is an empty directory that nothing can be made in, and the machine's file systems are gone.
fn empty_root() -> io::Result<()> {
    // /dev is there: /dev/null was opened in it. Mounted over, it is the new root.
    mount(c"none", c"/", None, libc::MS_REC | libc::MS_PRIVATE, None)?;
    let bare = libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC;
    mount(c"none", c"/dev", Some(c"tmpfs"), bare, Some(c"mode=0555,size=4k,nr_inodes=2"))?;
    // SAFETY: paths are constants. The old root lies over the new one after pivot_root(".", "."), until it is unmounted
    // (pivot_root(2)).
    unsafe {
        checked(libc::chdir(c"/dev".as_ptr()).into())?;
        checked(libc::syscall(libc::SYS_pivot_root, c".".as_ptr(), c".".as_ptr()))?;
        checked(libc::umount2(c".".as_ptr(), libc::MNT_DETACH).into())?;
        checked(libc::chdir(c"/".as_ptr()).into())?;
    }
    mount(c"none", c"/", None, libc::MS_REMOUNT | libc::MS_BIND | libc::MS_RDONLY | bare, None)
}

fn mount(
    what: &CStr,
    at: &CStr,
    kind: Option<&CStr>,
    flags: libc::c_ulong,
    data: Option<&CStr>,
) -> io::Result<()> {
    let pointer = |text: Option<&CStr>| text.map_or(std::ptr::null(), CStr::as_ptr);
    // SAFETY: strings that outlive the call, or null where mount(2) takes that.
    let done = unsafe { libc::mount(what.as_ptr(), at.as_ptr(), pointer(kind), flags, pointer(data).cast()) };
    checked(done.into()).map(drop)
}

fn loopback_up() -> io::Result<()> {
    // SAFETY: the request is a zeroed local with a name in it; the socket is closed before it is left.
    unsafe {
        let socket = checked(libc::socket(libc::AF_INET, libc::SOCK_DGRAM, 0).into())? as libc::c_int;
        let mut request: libc::ifreq = std::mem::zeroed();
        request.ifr_name[0] = b'l' as libc::c_char;
        request.ifr_name[1] = b'o' as libc::c_char;
        request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
        let done = checked(libc::ioctl(socket, libc::SIOCSIFFLAGS, &raw const request).into());
        libc::close(socket);
        done.map(drop)
    }
}

fn hostname(name: &CStr) -> io::Result<()> {
    // SAFETY: as many bytes as the string has.
    checked(unsafe { libc::sethostname(name.as_ptr(), name.to_bytes().len()) }.into()).map(drop)
}

/// Whether the server's end of the socket is closed: then it was gone before its death could be heard of.
fn hung_up(socket: &OwnedFd) -> io::Result<bool> {
    let mut poll = libc::pollfd { fd: socket.as_raw_fd(), events: 0, revents: 0 };
    // SAFETY: one entry, a local.
    checked(unsafe { libc::poll(&raw mut poll, 1, 0) }.into())?;
    Ok(poll.revents & libc::POLLHUP != 0)
}
