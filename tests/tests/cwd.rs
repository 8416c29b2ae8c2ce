//! A task's current directory, which WASI does not have, as guests of several languages find it.

use std::process::{Command, Stdio};
use std::time::Duration;
use tests::{finish, guest, taskfs, text};

fn run_in(data: &str, cwd: &str, program: &str, args: &[&str]) -> String {
    let mut command = Command::new(taskfs());
    command.args(["run", "--bind", &format!("{data}:/data"), "-C", cwd]).arg(guest(program)).args(args);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    text(finish(command.spawn().expect("taskfs starts"), program, Duration::from_secs(60)))
}

#[test]
fn relative_paths_start_at_the_tasks_directory_and_absolute_ones_at_the_root() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    std::fs::create_dir(dir.path().join("sub")).expect("mkdir");
    std::fs::write(dir.path().join("note"), "outer\n").expect("write");
    std::fs::write(dir.path().join("sub/note"), "inner\n").expect("write");
    let data = dir.path().to_str().expect("a UTF-8 path");
    for (path, expect) in
        [("note", "inner\n"), ("./note", "inner\n"), ("../note", "outer\n"), ("/data/note", "outer\n")]
    {
        assert_eq!(run_in(data, "/data/sub", "cat.wasm", &[path]), expect, "{path}, in C");
    }
    assert_eq!(run_in(data, "/data", "rust-wc.wasm", &["sub/note"]).trim(), "1 1 6 sub/note");
    let walked = run_in(data, "/data", "go-walk.wasm", &["."]);
    assert!(walked.contains("sub/note"), "{walked}");
}
