//! The first words on a worker's socket: what wall is in force, and the descriptors by which the server holds the worker. The
//! server answers with one byte, and memory to share where the worker takes some; from then on the socket is 9P's.
//!
//! ```text
//! worker ► wall 1 user pid net ipc uts mount landlock=7 seccomp notify memory\n   + init, worker [, listener] (SCM_RIGHTS)
//! server ► .                                                                    [+ memory]
//! ```

use crate::fds::{checked, retried};
use std::fmt;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

const VERSION: &str = "wall 1";
/// The byte that lets a worker go on.
const GO_ON: u8 = b'.';
/// A hello is no longer than this.
const MOST: usize = 256;
/// It brings this many descriptors at most.
const DESCRIPTORS: usize = 3;

/// What is in force.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The namespaces of its own: user, pid, net, ipc, uts, mount. All, all but user, or none.
    pub spaces: Vec<String>,
    /// The version of Landlock's interface; 0 where the kernel has none.
    pub landlock: u32,
    /// System calls are filtered.
    pub seccomp: bool,
    /// Network calls are put before the server.
    pub notify: bool,
    /// It takes memory to speak to the server through.
    pub memory: bool,
}

impl Report {
    /// Whether `space` is its own.
    pub fn has(&self, space: &str) -> bool {
        self.spaces.iter().any(|have| have == space)
    }

    /// What is missing of a whole wall, in words; empty where nothing is. Landlock is a second line, and not missed where
    /// the root is empty.
    pub fn missing(&self) -> Vec<&'static str> {
        let mut missing = Vec::new();
        if !self.has("mount") && self.landlock == 0 {
            missing.push("no mount namespace and no Landlock: files are kept from a worker by seccomp alone");
        }
        if !self.has("pid") {
            missing.push("no pid namespace");
        }
        if !self.has("net") {
            missing.push("no network namespace");
        }
        if !self.seccomp {
            missing.push("no seccomp filter");
        }
        missing
    }

    fn parse(line: &str) -> Option<Report> {
        let mut report = Report::default();
        for word in line.strip_prefix(VERSION)?.split_ascii_whitespace() {
            match word.split_once('=') {
                Some(("landlock", version)) => report.landlock = version.parse().ok()?,
                Some(_) => return None,
                None if word == "seccomp" => report.seccomp = true,
                None if word == "notify" => report.notify = true,
                None if word == "memory" => report.memory = true,
                None => report.spaces.push(word.to_owned()),
            }
        }
        Some(report)
    }
}

/// As the hello says it.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(VERSION)?;
        self.spaces.iter().try_for_each(|space| write!(f, " {space}"))?;
        if self.landlock > 0 {
            write!(f, " landlock={}", self.landlock)?;
        }
        f.write_str(if self.seccomp { " seccomp" } else { "" })?;
        f.write_str(if self.notify { " notify" } else { "" })?;
        f.write_str(if self.memory { " memory" } else { "" })
    }
}

/// A worker's hello.
#[derive(Debug)]
pub struct Hello {
    pub report: Report,
    /// The process (a pidfd) that everything of the worker ends with: the init of its pid namespace, or itself.
    pub init: OwnedFd,
    /// The worker itself.
    pub worker: OwnedFd,
    /// Where its network calls come in.
    pub listener: Option<OwnedFd>,
}

/// Room for the control message, aligned as the kernel wants it.
#[repr(C, align(8))]
struct Control([u8; 64]);

impl Hello {
    /// Says it. The descriptors are the server's from then on.
    pub(crate) fn say(self, socket: &OwnedFd) -> io::Result<()> {
        let line = format!("{}\n", self.report);
        let mut fds: Vec<RawFd> = vec![self.init.as_raw_fd(), self.worker.as_raw_fd()];
        fds.extend(self.listener.as_ref().map(AsRawFd::as_raw_fd));
        send(socket, line.as_bytes(), &fds)
    }

    /// Waits for the server's word, and the memory that comes with it.
    pub(crate) fn wait(socket: &OwnedFd) -> io::Result<Option<OwnedFd>> {
        // What follows is 9P's.
        let (word, fds) = receive(socket, 1)?;
        if word != [GO_ON] {
            let refused = "the server does not want this worker";
            return Err(io::Error::new(io::ErrorKind::ConnectionRefused, refused));
        }
        Ok(fds.into_iter().next())
    }

    /// The server's side: waits for the hello. Give the socket a time limit (SO_RCVTIMEO).
    ///
    /// # Errors
    /// The socket's, its end, or what came is no hello.
    pub fn hear(socket: &OwnedFd) -> io::Result<Hello> {
        let (line, fds) = receive(socket, MOST)?;
        let wrong =
            |why: &str| io::Error::new(io::ErrorKind::InvalidData, format!("a worker's hello: {why}"));
        if line.is_empty() {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it ended before it said hello"));
        }
        let line = std::str::from_utf8(&line).map_err(|_| wrong("not text"))?;
        let line = line.strip_suffix('\n').ok_or_else(|| wrong("not a line"))?;
        let report = Report::parse(line).ok_or_else(|| wrong(&format!("{line:?} is not of this version")))?;
        let mut fds = fds.into_iter();
        let (Some(init), Some(worker)) = (fds.next(), fds.next()) else {
            return Err(wrong("it has no descriptors"));
        };
        Ok(Hello { report, init, worker, listener: fds.next() })
    }

    /// The server's side: lets the worker go on, with memory to share where its report says that it takes some.
    ///
    /// # Errors
    /// The socket's.
    pub fn accept(socket: &OwnedFd, memory: Option<BorrowedFd<'_>>) -> io::Result<()> {
        let fds: Vec<RawFd> = memory.iter().map(AsRawFd::as_raw_fd).collect();
        send(socket, &[GO_ON], &fds)
    }
}

pub(crate) fn send(socket: &impl AsRawFd, data: &[u8], fds: &[RawFd]) -> io::Result<()> {
    let mut control = Control([0; 64]);
    let bytes = size_of_val(fds);
    let mut part = libc::iovec { iov_base: data.as_ptr().cast_mut().cast(), iov_len: data.len() };
    // SAFETY: the header's pointers are to locals that outlive the call; the one control message lies within `control`,
    // which has room for 48 bytes of descriptors and a header.
    let sent = unsafe {
        let mut header: libc::msghdr = std::mem::zeroed();
        header.msg_iov = &raw mut part;
        header.msg_iovlen = 1;
        if bytes > 0 {
            header.msg_control = (&raw mut control).cast();
            header.msg_controllen = libc::CMSG_SPACE(bytes as u32) as _;
            let message = libc::CMSG_FIRSTHDR(&raw const header);
            (*message).cmsg_level = libc::SOL_SOCKET;
            (*message).cmsg_type = libc::SCM_RIGHTS;
            (*message).cmsg_len = libc::CMSG_LEN(bytes as u32) as _;
            std::ptr::copy_nonoverlapping(fds.as_ptr().cast::<u8>(), libc::CMSG_DATA(message), bytes);
        }
        checked(libc::sendmsg(socket.as_raw_fd(), &raw const header, libc::MSG_NOSIGNAL) as i64)?
    };
    // A socket that nothing was written to before has room for a line.
    if sent as usize == data.len() { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
}

/// What one message brings, or so many bytes of it; nothing at the end.
pub(crate) fn receive(socket: &impl AsRawFd, most: usize) -> io::Result<(Vec<u8>, Vec<OwnedFd>)> {
    let mut control = Control([0; 64]);
    let mut data = vec![0; most];
    let mut part = libc::iovec { iov_base: data.as_mut_ptr().cast(), iov_len: data.len() };
    let mut fds = Vec::new();
    // SAFETY: as in `send`; the kernel says how much of `control` it filled, and the descriptors in it are new and ours.
    let count = unsafe {
        let mut header: libc::msghdr = std::mem::zeroed();
        header.msg_iov = &raw mut part;
        header.msg_iovlen = 1;
        header.msg_control = (&raw mut control).cast();
        header.msg_controllen = size_of::<Control>() as _;
        let at = &raw mut header;
        let count = retried(|| libc::recvmsg(socket.as_raw_fd(), at, libc::MSG_CMSG_CLOEXEC) as i64)?;
        let message = libc::CMSG_FIRSTHDR(&raw const header);
        if !message.is_null() && (*message).cmsg_type == libc::SCM_RIGHTS {
            let bytes = (*message).cmsg_len as usize - libc::CMSG_LEN(0) as usize;
            for n in 0..bytes / size_of::<RawFd>() {
                let fd = libc::CMSG_DATA(message).cast::<RawFd>().add(n).read_unaligned();
                fds.push(OwnedFd::from_raw_fd(fd));
            }
        }
        count
    };
    fds.truncate(DESCRIPTORS);
    data.truncate(count as usize);
    Ok((data, fds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    fn hello() -> Hello {
        let spaces = ["user", "pid"].map(str::to_owned).to_vec();
        let fd = || OwnedFd::from(std::fs::File::open("/dev/null").expect("/dev/null"));
        let report = Report { spaces, landlock: 7, seccomp: true, notify: true, memory: true };
        Hello { report, init: fd(), worker: fd(), listener: Some(fd()) }
    }

    #[test]
    fn a_hello_is_heard_as_it_was_said_and_the_worker_waits_for_the_servers_word() {
        let (ours, theirs) = UnixStream::pair().expect("a pair");
        let (ours, theirs) = (OwnedFd::from(ours), OwnedFd::from(theirs));
        let worker = std::thread::spawn(move || hello().say(&theirs).and_then(|()| Hello::wait(&theirs)));
        let heard = Hello::hear(&ours).expect("a hello");
        assert_eq!(heard.report, hello().report);
        assert!(heard.listener.is_some());
        assert!(!worker.is_finished());
        Hello::accept(&ours, None).expect("it still waits");
        assert!(worker.join().expect("no panic").expect("it may go on").is_none());
    }

    #[test]
    fn memory_comes_with_the_servers_word() {
        let (ours, theirs) = UnixStream::pair().expect("a pair");
        let (ours, theirs) = (OwnedFd::from(ours), OwnedFd::from(theirs));
        let memory = std::fs::File::open("/dev/null").expect("/dev/null");
        Hello::accept(&ours, Some(memory.as_fd())).expect("room for a byte");
        assert!(Hello::wait(&theirs).expect("it may go on").is_some());
    }

    #[test]
    fn a_worker_that_is_not_wanted_does_not_go_on() {
        let (ours, theirs) = UnixStream::pair().expect("a pair");
        let (ours, theirs) = (OwnedFd::from(ours), OwnedFd::from(theirs));
        let worker = std::thread::spawn(move || hello().say(&theirs).and_then(|()| Hello::wait(&theirs)));
        Hello::hear(&ours).expect("a hello");
        drop(ours);
        assert!(worker.join().expect("no panic").is_err());
    }

    #[test]
    fn what_is_no_hello_is_refused() {
        for text in ["wall 2 pid\n", "wall 1 landlock=x\n", "wall 1 pid", "\n", "wall 1 pid\n"] {
            let (ours, theirs) = UnixStream::pair().expect("a pair");
            std::io::Write::write_all(&mut &theirs, text.as_bytes()).expect("room for a line");
            assert!(Hello::hear(&ours.into()).is_err(), "{text:?} without descriptors");
        }
    }

    #[test]
    fn a_whole_wall_misses_nothing_and_what_is_missing_is_named() {
        let spaces = ["user", "pid", "net", "ipc", "uts", "mount"].map(str::to_owned).to_vec();
        let whole = Report { spaces, landlock: 0, seccomp: true, notify: true, memory: false };
        assert_eq!(whole.missing(), Vec::<&str>::new());
        assert_eq!(Report::default().missing().len(), 4);
    }
}
