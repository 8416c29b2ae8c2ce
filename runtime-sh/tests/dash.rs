//! The same scripts run here and in the machine's dash: what they print, what they complain of, and how they end is the same.
//! What differs by intention is listed in docs/sh.md.

mod house;

use house::{House, Ran};
use std::process::{Command, Stdio};

/// The scripts, separated by lines of dashes.
const SCRIPTS: &str = include_str!("dash.scripts");

fn scripts() -> Vec<&'static str> {
    SCRIPTS.split("\n----\n").map(str::trim).filter(|script| !script.is_empty()).collect()
}

fn in_dash(script: &str) -> Ran {
    use std::os::unix::process::CommandExt;
    let dir = tempfile::tempdir().expect("a directory");
    let mut command = Command::new("dash");
    command.arg0("sh").args(["-c", script]).current_dir(dir.path()).env_clear().stdin(Stdio::null());
    let ran = command.env("PATH", "/bin:/usr/bin").env("HOME", "/home").output().expect("dash is installed");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    use std::os::unix::process::ExitStatusExt;
    let code = ran.status.code().or(ran.status.signal().map(|signal| 128 + signal)).expect("one of both");
    Ran { stdout: text(&ran.stdout), stderr: text(&ran.stderr), code }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scripts_do_here_what_they_do_in_dash() {
    let mut wrong = Vec::new();
    for script in scripts() {
        let house = House::new().await;
        let theirs = in_dash(script);
        let task = house.make(&["sh", "-c", script]);
        let set = task.change_spec("env", |spec| {
            spec.env =
                vec![(b"PATH".to_vec(), b"/bin:/usr/bin".to_vec()), (b"HOME".to_vec(), b"/home".to_vec())];
            Ok(())
        });
        set.expect("new");
        task.stdio.stdin.end();
        house.start(&task).await;
        let ours = house.said(&task).await;
        if ours != theirs {
            wrong.push(format!("{script}\n  dash: {theirs:?}\n  here: {ours:?}\n"));
        }
    }
    assert!(wrong.is_empty(), "{} of {} scripts:\n{}", wrong.len(), scripts().len(), wrong.join("\n"));
}
