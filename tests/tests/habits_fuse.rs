//! The table of shell habits, over a FUSE mount of this machine.

use std::time::Duration;
use tests::habits::every_habit;
use tests::{Server, guests, has_fuse, sh, text};

#[test]
fn every_shell_habit_works_on_a_fuse_mount() {
    if !has_fuse("shell habits over FUSE") {
        return;
    }
    let mnt = tempfile::tempdir().expect("a temporary directory");
    let mount = mnt.path().to_str().expect("a UTF-8 path");
    let bind = format!("{}:/guests:ro", guests().display());
    let _server = Server::start(&["--mount", mount, "--bind", &bind]);
    every_habit("fuse", |script| {
        let output = sh(script, &[("M", mount)], Duration::from_secs(60));
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (text(&output.stdout), text(&output.stderr))
    });
    // The server is still there for the next one.
    assert_eq!(
        text(sh("ls $M/task/self 2>/dev/null || echo served", &[("M", mount)], Duration::from_secs(10))),
        "served\n"
    );
}
