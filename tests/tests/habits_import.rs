//! The table of shell habits, over `taskfs mount`: our own 9P client, shown by FUSE.

use std::time::Duration;
use tests::habits::every_habit;
use tests::{Server, guests, has_fuse, sh, taskfs, text};

#[test]
fn every_shell_habit_works_on_a_mount_of_our_own_client() {
    if !has_fuse("shell habits over taskfs mount") {
        return;
    }
    let mnt = tempfile::tempdir().expect("a temporary directory");
    let mount = mnt.path().to_str().expect("a UTF-8 path");
    let server = Server::start(&["--bind", &format!("{}:/guests:ro", guests().display())]);
    let (taskfs, addr) = (taskfs(), server.unix());
    let vars = [("M", mount), ("A", addr.as_str()), ("T", taskfs.to_str().expect("a UTF-8 path"))];
    text(sh("$T mount --with fuse $A $M", &vars, Duration::from_secs(20)));
    every_habit("import", |script| {
        let output = sh(script, &vars, Duration::from_secs(60));
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (text(&output.stdout), text(&output.stderr))
    });
    text(sh("$T umount $M", &vars, Duration::from_secs(20)));
}
