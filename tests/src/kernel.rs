//! A real Linux kernel in QEMU (`tests/qemu/guest`): booted once, given shell scripts, ended when dropped.
//!
//! Its programs are this machine's (`hostsh`), its files its own, and this machine's loopback is 10.0.2.2 for it.

use crate::{cannot_run, finish, top};
use std::fmt::Write;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

/// A booted kernel.
pub struct Kernel {
    /// `base`, `backports`, `newest` or `older`: see `tests/qemu/guest --help`.
    pub name: String,
    /// As `uname -r` says.
    pub version: String,
    state: tempfile::TempDir,
}

fn harness() -> Command {
    let mut command = Command::new(top().join("tests/qemu/guest"));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn said(command: &str) -> Result<String, String> {
    let output = harness().arg(command).output().map_err(|error| format!("tests/qemu/guest: {error}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether guests run under KVM here, not under emulation, which takes ten times as long.
pub fn is_fast() -> bool {
    said("accelerator").is_ok_and(|accelerator| accelerator.trim() == "kvm")
}

/// The name of the kernel of the third generation: what the harness makes of it depends on the system's release.
pub fn third() -> &'static str {
    if top().join("build/qemu/older").exists() { "older" } else { "newest" }
}

impl Kernel {
    /// Boots the prepared kernel `name`; where that cannot be, says that `what` is not run.
    pub fn boot(name: &str, what: &str) -> Option<Kernel> {
        Self::boot_with(name, what, &[])
    }

    /// With further options of `guest boot`.
    pub fn boot_with(name: &str, what: &str, options: &[&str]) -> Option<Kernel> {
        let there = match said("kernels") {
            Ok(there) => there,
            Err(error) => {
                cannot_run(what, &error);
                return None;
            }
        };
        let Some(version) = there.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')) else {
            cannot_run(what, &format!("no kernel {name} for QEMU has been prepared (make setup)"));
            return None;
        };
        let state = tempfile::tempdir().expect("a temporary directory");
        let mut boot = harness();
        boot.arg("boot").arg(state.path()).args(["--kernel", name, "--host-root"]).args(options);
        // The harness has its own limit, which leaves out the time that this machine was too busy to run the guest.
        let booted = finish(boot.spawn().expect("python3 starts"), "booting", Duration::from_secs(1200));
        match booted.status.code() {
            Some(0) => {}
            // What the harness finds missing on this machine.
            Some(69) => {
                cannot_run(what, String::from_utf8_lossy(&booted.stderr).trim());
                return None;
            }
            status => panic!("guest boot: {status:?}: {}", String::from_utf8_lossy(&booted.stderr)),
        }
        Some(Kernel { name: name.to_owned(), version: version.to_owned(), state })
    }

    /// Whether it is older than Linux MAJOR.MINOR.
    pub fn is_before(&self, major: u32, minor: u32) -> bool {
        let mut numbers = self.version.split(['.', '-', '+']).map_while(|number| number.parse::<u32>().ok());
        let (Some(its_major), Some(its_minor)) = (numbers.next(), numbers.next()) else {
            panic!("{}: not a kernel's version", self.version)
        };
        (its_major, its_minor) < (major, minor)
    }

    /// What its emulator has used of this machine's processors so far.
    pub fn processor_time(&self) -> Duration {
        let pid = std::fs::read_to_string(self.state.path().join("pid")).expect("a booted guest has one");
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).expect("it runs");
        // Fields 14 and 15 of proc_pid_stat(5), counted after the name, which may have blanks.
        let after = stat.rsplit_once(')').expect("a name in parentheses").1;
        let ticks: u64 =
            after.split_whitespace().skip(11).take(2).map(|n| n.parse::<u64>().expect("ticks")).sum();
        // USER_HZ is 100 wherever the harness runs.
        Duration::from_millis(ticks * 10)
    }

    /// Runs a busybox shell script in it: what it printed (both streams in one) and its status.
    pub fn exec(&self, script: &str, seconds: u32) -> Output {
        let file = tempfile::NamedTempFile::new_in(self.state.path()).expect("a temporary file");
        std::fs::write(file.path(), script).expect("the script can be written");
        let mut command = harness();
        command.arg("exec").arg(self.state.path()).args(["--timeout", &seconds.to_string()]).arg(file.path());
        finish(command.spawn().expect("python3 starts"), script, Duration::from_secs(u64::from(seconds) + 60))
    }

    /// Mounts a server that listens on this machine's `port` at `dir`; `options` as mount -o takes them. On `trans=unix` a
    /// relay in the guest leads there.
    pub fn mount(&self, dir: &str, port: u16, options: &str) {
        let (relay, source, transport) = if options.contains("trans=unix") {
            let socket = format!("/tmp/taskfs.{port}");
            (format!("unix-relay {socket} {port} && "), socket, String::new())
        } else {
            (String::new(), "10.0.2.2".to_owned(), format!("trans=tcp,port={port},"))
        };
        let script = format!("{relay}mkdir -p {dir} && mount -t 9p -o {transport}{options} {source} {dir}");
        let out = self.exec(&script, 60);
        assert!(out.status.success(), "{}: {script}: {}", self.version, String::from_utf8_lossy(&out.stdout));
    }

    /// Runs a bash script there, with this machine's bash and coreutils, as `uid`: standard output and standard error.
    pub fn bash(&self, script: &str, vars: &[(&str, &str)], uid: u32, seconds: u32) -> (String, String) {
        self.bash_each(&[script], vars, uid, seconds).pop().expect("as many results as scripts")
    }

    /// Runs bash scripts one after another, each for so many seconds at most.
    pub fn bash_each(
        &self,
        scripts: &[&str],
        vars: &[(&str, &str)],
        uid: u32,
        seconds: u32,
    ) -> Vec<(String, String)> {
        let vars: String = vars.iter().map(|(name, value)| format!("{name}='{value}' ")).collect();
        let who = match uid {
            0 => String::new(),
            uid => format!("setpriv --reuid {uid} --regid {uid} --clear-groups "),
        };
        let mut all = "s=$(mktemp /tmp/row.XXXXXX); chmod 644 $s\n".to_owned();
        for script in scripts {
            write!(
                all,
                "cat > $s <<'END OF SCRIPT'\n{script}\nEND OF SCRIPT\n\
                 hostsh {vars}timeout -s KILL {seconds} {who}bash $s > $s.out 2> $s.err\n\
                 cat $s.out; printf '\\036'; cat $s.err; printf '\\035'\n"
            )
            .expect("a string takes all");
        }
        all.push_str("rm $s $s.out $s.err");
        let output = self.exec(&all, (seconds + 30) * scripts.len() as u32);
        let printed = String::from_utf8_lossy(&output.stdout);
        let results: Vec<_> = printed
            .split_terminator('\u{1d}')
            .filter_map(|result| result.split_once('\u{1e}'))
            .map(|(out, err)| (out.to_owned(), err.to_owned()))
            .collect();
        let harness = String::from_utf8_lossy(&output.stderr);
        assert_eq!(results.len(), scripts.len(), "{} ({}): {printed}{harness}", self.name, output.status);
        results
    }
}

impl Drop for Kernel {
    fn drop(&mut self) {
        let _best_effort = harness().arg("stop").arg(self.state.path()).status();
    }
}
