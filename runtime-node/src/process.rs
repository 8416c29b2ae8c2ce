//! A worker's processes: held by pidfds, so that no signal ever reaches another that has come to the same number.

use rustix::process::{Signal, pidfd_send_signal};
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// How a worker ended, and what its processes used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct End {
    /// Its exit status, or 128 and the signal that ended it.
    pub status: i32,
    pub used: Used,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Used {
    pub user: Duration,
    pub system: Duration,
    /// Bytes of memory that are nobody else's.
    pub memory: u64,
}

pub(crate) struct Process {
    /// With its end all of the worker has ended; a child of ours.
    init: AsyncFd<OwnedFd>,
    worker: OwnedFd,
    /// The worker's number out here, and its init's; 0 where it had ended before it was asked for.
    pid: u32,
    init_pid: u32,
}

impl Process {
    /// To be called within a tokio runtime.
    pub fn new(init: OwnedFd, worker: OwnedFd) -> io::Result<Process> {
        let (pid, init_pid) = (number(&worker)?, number(&init)?);
        // SAFETY: the descriptor is owned by what registers it, and stays the same until that is dropped.
        let init = unsafe { AsyncFd::register_with_interest(init, Interest::READABLE) };
        Ok(Process { init: init.map_err(io::Error::from)?, worker, pid, init_pid })
    }

    /// The numbers of all of it.
    pub fn pids(&self) -> [u32; 2] {
        [self.init_pid, self.pid]
    }

    /// Another descriptor of the worker's own.
    pub fn worker(&self) -> io::Result<OwnedFd> {
        self.worker.try_clone()
    }

    /// Whether it has not ended yet.
    pub fn lives(&self) -> bool {
        let mut poll = libc::pollfd { fd: self.worker.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one entry, a local.
        unsafe { libc::poll(&raw mut poll, 1, 0) == 0 }
    }

    /// Ends all of it at once.
    pub fn kill(&self) {
        // It may have ended.
        let _ended = pidfd_send_signal(self.init.get_ref(), Signal::KILL);
    }
    /// Freezes the worker: none of its threads runs.
    pub fn stop(&self) {
        let _ended = pidfd_send_signal(&self.worker, Signal::STOP);
    }
    pub fn cont(&self) {
        let _ended = pidfd_send_signal(&self.worker, Signal::CONT);
    }

    /// What it has used so far; none where it has ended.
    pub fn used(&self) -> Option<Used> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid)).ok()?;
        let (user, system) = times(&stat)?;
        // Those two are as coarse as the kernel's clock ticks; how much it is together is known exactly.
        let both = self.cpu().unwrap_or(user + system);
        let system = system.min(both);
        Some(Used { user: both - system, system, memory: self.memory()? })
    }
    /// Bytes of memory that are nobody else's.
    pub fn memory(&self) -> Option<u64> {
        memory(&fs::read_to_string(format!("/proc/{}/statm", self.pid)).ok()?)
    }
    /// The time on a cpu of all of its threads, to the nanosecond.
    pub fn cpu(&self) -> Option<Duration> {
        // The clock of another process (clock_getcpuclockid(3)): its number's complement, and 2 for the scheduler's count.
        let clock = (!self.pid.cast_signed()) << 3 | 2;
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: the call fills a local.
        let read = unsafe { libc::clock_gettime(clock, &raw mut time) };
        (self.pid != 0 && read == 0).then(|| Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32))
    }

    /// Waits for its end, once. Whoever asks again is told nothing.
    pub async fn ended(&self) -> io::Result<End> {
        // A pidfd is ready for reading when its process has ended.
        let _ready = self.init.readable().await?;
        reap(self.init.get_ref())
    }
}

impl Drop for Process {
    /// Whoever gives a worker up has it killed; a child that was not waited for stays a zombie until then.
    fn drop(&mut self) {
        self.kill();
        let _reaped = reap(self.init.get_ref());
    }
}

/// The number of a pidfd's process, as this process sees it.
fn number(pidfd: &OwnedFd) -> io::Result<u32> {
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd()))?;
    let line = info.lines().find_map(|line| line.strip_prefix("Pid:"));
    let number = line.and_then(|number| number.trim().parse::<i64>().ok());
    number.map(|number| number.max(0) as u32).ok_or_else(|| io::Error::other("no pidfd"))
}

/// User and system time of proc_pid_stat(5).
fn times(stat: &str) -> Option<(Duration, Duration)> {
    // Behind the name, which may hold anything; the first field there is the third.
    let fields: Vec<&str> = stat[stat.rfind(')')? + 1..].split_ascii_whitespace().collect();
    let ticks = rustix::param::clock_ticks_per_second();
    let time = |field: usize| {
        let number: u64 = fields.get(field - 3)?.parse().ok()?;
        Some(Duration::from_nanos(number.checked_mul(1_000_000_000 / ticks)?))
    };
    Some((time(14)?, time(15)?))
}

/// Resident and not shared, of proc_pid_statm(5).
fn memory(pages: &str) -> Option<u64> {
    let mut pages = pages.split_ascii_whitespace().skip(1).map_while(|number| number.parse::<u64>().ok());
    let (resident, shared) = (pages.next()?, pages.next()?);
    Some(resident.saturating_sub(shared) * rustix::param::page_size() as u64)
}

/// What a process that crashes is ended by.
pub(crate) fn name_of(signal: i32) -> String {
    let name = match signal {
        libc::SIGILL => "SIGILL",
        libc::SIGTRAP => "SIGTRAP",
        libc::SIGABRT => "SIGABRT",
        libc::SIGBUS => "SIGBUS",
        libc::SIGFPE => "SIGFPE",
        libc::SIGKILL => "SIGKILL",
        libc::SIGSEGV => "SIGSEGV",
        libc::SIGSYS => "SIGSYS",
        libc::SIGXCPU => "SIGXCPU",
        _ => return format!("signal {signal}"),
    };
    name.to_owned()
}

/// Waits for a child of ours that has ended or is about to.
fn reap(child: &OwnedFd) -> io::Result<End> {
    // SAFETY: the call fills two locals of the kernel's layout; glibc's wrapper leaves out the second.
    let (info, usage) = unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        let mut usage: libc::rusage = std::mem::zeroed();
        let (fd, info_at, usage_at) = (child.as_raw_fd(), &raw mut info, &raw mut usage);
        if libc::syscall(libc::SYS_waitid, libc::P_PIDFD, fd, info_at, libc::WEXITED, usage_at) < 0 {
            return Err(io::Error::last_os_error());
        }
        (info, usage)
    };
    // SAFETY: waitid fills in the fields of a child's end.
    let status = unsafe { info.si_status() };
    let status = if info.si_code == libc::CLD_EXITED { status } else { 128 + status };
    let time = |t: libc::timeval| {
        Duration::from_secs(t.tv_sec.unsigned_abs()) + Duration::from_micros(t.tv_usec.unsigned_abs())
    };
    let used = Used { user: time(usage.ru_utime), system: time(usage.ru_stime), memory: 0 };
    Ok(End { status, used })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_and_spaces_hides_no_field() {
        let stat = "9 (a) b (c) S 1 9 9 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 1 0 100 1000 200";
        let (user, system) = times(stat).expect("two times");
        let ticks = rustix::param::clock_ticks_per_second();
        assert_eq!(user, Duration::from_nanos(250 * (1_000_000_000 / ticks)));
        assert_eq!(system, Duration::from_nanos(50 * (1_000_000_000 / ticks)));
        assert_eq!(times("9 (x"), None);
        assert_eq!(memory("1000 200 150 1 0 90 0"), Some(50 * rustix::param::page_size() as u64));
        assert_eq!(memory("1000"), None);
    }

    #[tokio::test]
    #[expect(clippy::zombie_processes, reason = "it is waited for by its pidfd")]
    async fn a_childs_end_is_waited_for_and_its_time_counted() {
        let child = std::process::Command::new("/bin/sh").args(["-c", "exit 3"]).spawn().expect("a shell");
        let pid = rustix::process::Pid::from_child(&child);
        let open =
            || rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).expect("it is ours");
        let process = Process::new(open(), open()).expect("a pidfd");
        let end = process.ended().await.expect("a child of ours");
        assert_eq!(end.status, 3);
        assert_eq!(process.used(), None);
        assert_eq!(process.cpu(), None);
    }
}
