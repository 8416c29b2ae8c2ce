//! A control group for each worker (cgroups(7), version 2), where the machine gives this process some: a bound on memory
//! and on threads that the kernel keeps, however fast a program grows between two looks at it ([`crate::bounds`]).
//!
//! ```text
//! <of this process>/                 only where it is ours alone (a service with Delegate=yes), or the root
//! ├── server.PID/                    this process, since a group with processes gives its controllers to none below
//! └── taskfs.PID/ ── 17/  18/  …     a worker each, gone when it has ended
//! ```
//!
//! Groups that a server left when it was killed are removed by the next.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What a worker takes beside its program's own memory, and a program may have for a moment: pages of files, the kernel's part.
const ROOM: u64 = 32 << 20;
/// Threads of one worker: an engine's own, and those of a program that has many.
const THREADS: u32 = 1024;
const OURS: &str = "taskfs.";
const SERVER: &str = "server.";

/// Where the groups of workers are made.
#[derive(Debug)]
pub struct Cgroups(PathBuf);

/// One worker's.
#[derive(Debug)]
pub(crate) struct Cgroup(PathBuf);

impl Cgroups {
    /// # Errors
    /// Why there are none, in words.
    pub fn find() -> Result<Cgroups, String> {
        let read = |path: &str| fs::read_to_string(path).map_err(|e| format!("{path}: {e}"));
        let mounts = read("/proc/self/mountinfo")?;
        let mount = mounted(&mounts).ok_or("no cgroup version 2 is mounted")?;
        let own = read("/proc/self/cgroup")?;
        let own = own.lines().find_map(|line| line.strip_prefix("0::")).ok_or("no cgroup of version 2")?;
        Cgroups::below(&mount.join(own.trim_start_matches('/')))
    }

    fn below(own: &Path) -> Result<Cgroups, String> {
        let file = own.join("cgroup.controllers");
        let controllers = fs::read_to_string(&file).map_err(|e| format!("{}: {e}", file.display()))?;
        for wanted in ["memory", "pids"] {
            if !controllers.split_ascii_whitespace().any(|there| there == wanted) {
                return Err(format!("controller {wanted} is not of version 2, or not given to this process"));
            }
        }
        sweep(own);
        let pid = std::process::id();
        let groups = own.join(format!("{OURS}{pid}"));
        make(&groups)?;
        let undo = |why: String| {
            let _gone = fs::remove_dir(&groups);
            why
        };
        if delegate(own).is_err() {
            step_aside(own, pid).map_err(undo)?;
        }
        delegate(&groups).map_err(|e| undo(format!("{}: {e}", groups.display())))?;
        Ok(Cgroups(groups))
    }

    /// A group with the processes `pids`, whose number is `number`.
    pub(crate) fn put(&self, number: u64, pids: &[u32]) -> io::Result<Cgroup> {
        let group = self.0.join(number.to_string());
        fs::create_dir(&group)?;
        let group = Cgroup(group);
        group.set("pids.max", &THREADS.to_string())?;
        for pid in pids {
            group.set("cgroup.procs", &pid.to_string())?;
        }
        Ok(group)
    }
}

impl Drop for Cgroups {
    fn drop(&mut self) {
        // Workers that have not ended yet keep theirs until the next server comes.
        let _gone = fs::remove_dir(&self.0);
    }
}

impl Cgroup {
    fn set(&self, file: &str, value: &str) -> io::Result<()> {
        fs::write(self.0.join(file), value)
    }

    /// Bounds the memory of the whole group: to what the worker has, and `limit` more. None is no bound.
    pub fn bound(&self, limit: Option<u64>) {
        let number = |file: &str| fs::read_to_string(self.0.join(file)).ok()?.trim().parse::<u64>().ok();
        let most = match (limit, number("memory.current")) {
            (Some(limit), Some(there)) => there.saturating_add(limit).saturating_add(ROOM).to_string(),
            _ => "max".to_owned(),
        };
        // A kernel without swap has no such file.
        let _no_swap = self.set("memory.swap.max", if limit.is_some() { "0" } else { "max" });
        let _all_or_nobody = self.set("memory.oom.group", "1");
        if let Err(error) = self.set("memory.max", &most) {
            tracing::warn!("{}: memory.max: {error}", self.0.display());
        }
    }

    /// Whether the kernel has ended it because of its bound.
    pub fn was_out_of_memory(&self) -> bool {
        let events = fs::read_to_string(self.0.join("memory.events")).unwrap_or_default();
        let count = events.lines().find_map(|line| line.strip_prefix("oom_kill "));
        count.is_some_and(|count| count.trim() != "0")
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // Its processes have been waited for; where one has not, the next server removes it.
        let _gone = fs::remove_dir(&self.0);
    }
}

fn make(group: &Path) -> Result<(), String> {
    fs::create_dir(group).map_err(|e| format!("{}: {e}", group.display()))
}

/// What is below `group` may have bounds.
fn delegate(group: &Path) -> io::Result<()> {
    fs::write(group.join("cgroup.subtree_control"), "+memory +pids")
}

/// A group gives controllers to those below only where no process is in it itself: this one goes below, too. Where others are
/// there, the group is not ours, and it comes back.
fn step_aside(own: &Path, pid: u32) -> Result<(), String> {
    let aside = own.join(format!("{SERVER}{pid}"));
    make(&aside)?;
    let enter = |group: &Path| fs::write(group.join("cgroup.procs"), pid.to_string());
    let done = enter(&aside).and_then(|()| delegate(own));
    done.map_err(|error| {
        let _back = enter(own).and_then(|()| fs::remove_dir(&aside));
        format!("{}: {error}: run the server in a cgroup of its own (systemd: Delegate=yes)", own.display())
    })
}

/// Removes what servers left that are no more.
fn sweep(own: &Path) {
    let Ok(groups) = fs::read_dir(own) else { return };
    for group in groups.flatten() {
        let name = group.file_name();
        let name = name.to_string_lossy();
        let pid = name.strip_prefix(OURS).or_else(|| name.strip_prefix(SERVER));
        let Some(pid) = pid.and_then(|pid| pid.parse::<u32>().ok()) else { continue };
        if Path::new("/proc").join(pid.to_string()).exists() {
            continue;
        }
        for left in fs::read_dir(group.path()).into_iter().flatten().flatten() {
            // What is no group is no directory, and stays.
            let _gone = fs::remove_dir(left.path());
        }
        let _gone = fs::remove_dir(group.path());
    }
}

/// Where version 2 is mounted (proc_pid_mountinfo(5)): the first mount whose type, behind the dash, is that.
fn mounted(mounts: &str) -> Option<PathBuf> {
    mounts.lines().find_map(|line| {
        let (fields, kind) = line.split_once(" - ")?;
        let point = fields.split_ascii_whitespace().nth(4)?;
        (kind.split_ascii_whitespace().next()? == "cgroup2").then(|| PathBuf::from(point))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_2_is_found_among_the_mounts() {
        let both = "24 1 0:22 / /proc rw - proc proc rw\n\
                    33 31 0:29 / /sys/fs/cgroup/memory rw shared:9 - cgroup cgroup rw,memory\n\
                    32 31 0:28 / /sys/fs/cgroup/unified rw,nosuid shared:8 - cgroup2 cgroup2 rw\n";
        assert_eq!(mounted(both), Some(PathBuf::from("/sys/fs/cgroup/unified")));
        assert_eq!(mounted("24 1 0:22 / /proc rw - proc proc rw\n"), None);
    }

    #[test]
    fn a_group_without_the_controllers_is_none_and_stays_as_it_is() {
        let dir = tempfile::tempdir().expect("a directory");
        fs::write(dir.path().join("cgroup.controllers"), "cpu pids\n").expect("room");
        let why = Cgroups::below(dir.path()).expect_err("no memory");
        assert!(why.contains("controller memory"), "{why}");
        assert_eq!(fs::read_dir(dir.path()).expect("a directory").count(), 1);
    }

    #[test]
    fn what_a_dead_server_left_is_removed_and_nothing_else() {
        let dir = tempfile::tempdir().expect("a directory");
        let live = format!("{OURS}{}", std::process::id());
        for group in ["taskfs.4194305/7", "server.4194305", &live, "taskfs.x", "other.4194305"] {
            fs::create_dir_all(dir.path().join(group)).expect("room");
        }
        sweep(dir.path());
        let mut left: Vec<_> = fs::read_dir(dir.path())
            .expect("a directory")
            .map(|entry| entry.expect("an entry").file_name().into_string().expect("text"))
            .collect();
        left.sort();
        assert_eq!(left, ["other.4194305".to_owned(), live, "taskfs.x".to_owned()]);
    }

    #[test]
    fn who_met_the_bound_is_told_from_who_did_not() {
        let dir = tempfile::tempdir().expect("a directory");
        let group = Cgroup(dir.path().join("1"));
        assert!(!group.was_out_of_memory());
        fs::create_dir(&group.0).expect("room");
        let events = |text: &str| fs::write(group.0.join("memory.events"), text).expect("room");
        events("low 0\nhigh 0\nmax 3\noom 0\noom_kill 0\noom_group_kill 0\n");
        assert!(!group.was_out_of_memory());
        events("low 0\nhigh 0\nmax 9\noom 1\noom_kill 2\noom_group_kill 1\n");
        assert!(group.was_out_of_memory());
    }

    #[test]
    fn the_bound_is_what_the_limit_adds_to_what_is_there() {
        let dir = tempfile::tempdir().expect("a directory");
        let group = Cgroup(dir.path().to_owned());
        let file = |name: &str| dir.path().join(name);
        fs::write(file("memory.current"), "1000\n").expect("room");
        group.bound(Some(64 << 20));
        let most = fs::read_to_string(file("memory.max")).expect("it was written");
        assert_eq!(most, ((96u64 << 20) + 1000).to_string());
        group.bound(None);
        assert_eq!(fs::read_to_string(file("memory.max")).expect("it was written"), "max");
    }
}
