//! node:fs over a task's namespace: in memory, and on a host directory.

mod served;

use served::Program;

const FILES: &str = include_str!("scripts/files.js");

#[test]
fn node_fs_is_complete_on_a_host_directory() {
    let ended = Program::new(&[("files.js", FILES), ("tmp/.keep", "")]).run("/files.js");
    assert_eq!(ended.output(), "25 checks\n");
}

#[test]
fn node_fs_is_complete_in_memory() {
    let ended = Program::new(&[("files.js", FILES), ("tmp/.keep", "")]).in_memory().run("/files.js");
    assert_eq!(ended.output(), "25 checks\n");
}
