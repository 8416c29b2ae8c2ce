//! The server as a process: what /proc says of it.

use std::fs;

/// What the process uses; a figure that the machine does not tell is missing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Process {
    pub cpu_seconds: Option<f64>,
    pub resident_bytes: Option<u64>,
    pub virtual_bytes: Option<u64>,
    pub threads: Option<u64>,
    pub open_files: Option<u64>,
    pub max_files: Option<u64>,
    /// Since the epoch.
    pub started: Option<f64>,
}

/// Fields of proc_pid_stat(5) behind the command, the first of which is the third.
const UTIME: usize = 14 - 3;
const STIME: usize = 15 - 3;
const THREADS: usize = 20 - 3;
const START: usize = 22 - 3;
const VSIZE: usize = 23 - 3;
const RSS: usize = 24 - 3;

impl Process {
    pub fn now() -> Process {
        let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        // The command's name may hold anything, but the last parenthesis is its end.
        let fields: Vec<&str> =
            stat.rsplit(')').next().unwrap_or_default().split_ascii_whitespace().collect();
        let field = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok());
        let ticks = rustix::param::clock_ticks_per_second() as f64;
        let boot = fs::read_to_string("/proc/stat").ok().and_then(|text| {
            text.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse::<f64>().ok()
        });
        Process {
            cpu_seconds: field(UTIME).zip(field(STIME)).map(|(user, system)| (user + system) as f64 / ticks),
            resident_bytes: field(RSS).map(|pages| pages * rustix::param::page_size() as u64),
            virtual_bytes: field(VSIZE),
            threads: field(THREADS),
            // The listing's own descriptor is one of them.
            open_files: fs::read_dir("/proc/self/fd").ok().map(|fds| (fds.count() as u64).saturating_sub(1)),
            max_files: rustix::process::getrlimit(rustix::process::Resource::Nofile).current,
            started: field(START).zip(boot).map(|(start, boot)| boot + start as f64 / ticks),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_tells_what_this_process_uses() {
        let before = Process::now();
        let _file = fs::File::open("/proc/self/stat").expect("/proc is there");
        let after = Process::now();
        assert!(after.threads >= Some(1) && after.resident_bytes > Some(100 << 10), "{after:?}");
        assert!(after.open_files > Some(3) && after.max_files > after.open_files, "{after:?}");
        assert!(after.started > Some(1.6e9) && after.cpu_seconds >= before.cpu_seconds, "{after:?}");
        assert!(after.virtual_bytes > after.resident_bytes, "{after:?}");
    }
}
