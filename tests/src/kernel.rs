//! A real Linux kernel in QEMU (`tests/qemu/guest`): booted once, given shell scripts, ended when dropped.
//!
//! Its programs are this machine's (`hostsh`), its files its own, and this machine's loopback is 10.0.2.2 for it.

use crate::{cannot_run, finish, top};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

/// A booted kernel.
pub struct Kernel {
    /// `base` or `backports`.
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

impl Kernel {
    /// Boots the prepared kernel `name`; where that cannot be, says that `what` is not run.
    pub fn boot(name: &str, what: &str) -> Option<Kernel> {
        let there = match harness().arg("kernels").output() {
            Ok(there) => String::from_utf8_lossy(&there.stdout).into_owned(),
            Err(error) => {
                cannot_run(what, &format!("tests/qemu/guest: {error}"));
                return None;
            }
        };
        let Some(version) = there.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')) else {
            cannot_run(what, &format!("no kernel {name} for QEMU has been prepared (make setup)"));
            return None;
        };
        let state = tempfile::tempdir().expect("a temporary directory");
        let boot = harness().arg("boot").arg(state.path()).args(["--kernel", name, "--host-root"]).spawn();
        let booted = finish(boot.expect("python3 starts"), "booting", Duration::from_secs(240));
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

    /// Runs a busybox shell script in it: what it printed (both streams in one) and its status.
    pub fn exec(&self, script: &str, seconds: u32) -> Output {
        let file = tempfile::NamedTempFile::new_in(self.state.path()).expect("a temporary file");
        std::fs::write(file.path(), script).expect("the script can be written");
        let mut command = harness();
        command.arg("exec").arg(self.state.path()).args(["--timeout", &seconds.to_string()]).arg(file.path());
        finish(command.spawn().expect("python3 starts"), script, Duration::from_secs(u64::from(seconds) + 60))
    }

    /// Runs a bash script there, with this machine's bash and coreutils, as `uid`: standard output and standard error.
    pub fn bash(&self, script: &str, vars: &[(&str, &str)], uid: u32, seconds: u32) -> (String, String) {
        let vars: String = vars.iter().map(|(name, value)| format!("{name}='{value}' ")).collect();
        let who = match uid {
            0 => String::new(),
            uid => format!("setpriv --reuid {uid} --regid {uid} --clear-groups "),
        };
        let output = self.exec(
            &format!(
                "s=$(mktemp /tmp/row.XXXXXX); cat > $s <<'END OF SCRIPT'\n{script}\nEND OF SCRIPT\nchmod 644 $s\n\
                 hostsh {vars}timeout -s KILL {seconds} {who}bash $s > $s.out 2> $s.err\n\
                 cat $s.out; printf '\\036'; cat $s.err; rm $s $s.out $s.err"
            ),
            seconds + 30,
        );
        let all = String::from_utf8_lossy(&output.stdout).into_owned();
        match all.split_once('\u{1e}') {
            Some((out, err)) => (out.to_owned(), err.to_owned()),
            None => {
                panic!("{} ({}): {all}{}", self.name, output.status, String::from_utf8_lossy(&output.stderr))
            }
        }
    }
}

impl Drop for Kernel {
    fn drop(&mut self) {
        let _best_effort = harness().arg("stop").arg(self.state.path()).status();
    }
}
