//! Live streams through FUSE, of the server's own mount and of an import: programs get all of them, by whatever call they copy.

use std::time::Duration;
use tests::{Import, Server, has_fuse, sh};

const LIMIT: Duration = Duration::from_secs(60);

/// Runs `script` with the server's mount in M and an import of it in I.
fn on_mounts(what: &str, script: &str) -> Option<String> {
    if !has_fuse(what) {
        return None;
    }
    let [mount, import] = [(), ()].map(|()| tempfile::tempdir().expect("a temporary directory"));
    let show = |dir: &tempfile::TempDir| dir.path().display().to_string();
    let server = Server::start(&["--mount", &show(&mount)]);
    let _imported = Import::of(&server, import.path());
    let begin = r#"
        task() { id=$(cat "$M/task/new"); echo "sh -c '$1'" > "$M/task/$id/cmd"; }
        start() { echo start > "$M/task/$id/ctl"; }"#;
    let script = format!("{begin}\n{script}");
    let output = sh(&script, &[("M", &show(&mount)), ("I", &show(&import))], LIMIT);
    assert!(output.status.success(), "{output:?}");
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn one_that_is_copied_to_a_file_of_the_same_mount_is_copied_to_its_end() {
    let script = r#"
        for d in "$M" "$I"; do
            task 'for i in 1 2 3; do echo line $i; sleep 0.2; done'
            start; cat "$d/task/$id/stdio/1" > "$d/tmp/live"; wc -l < "$d/tmp/live"
            task 'head -c 3000000 /dev/zero'
            echo output wait > "$M/task/$id/ctl"
            start; cat "$d/task/$id/stdio/1" > "$d/tmp/large"; wc -c < "$d/tmp/large"
            cp "$d/tmp/large" "$d/tmp/again"; wc -c < "$d/tmp/again"
        done"#;
    if let Some(said) = on_mounts("streams copied within a mount", script) {
        assert_eq!(
            said.split_whitespace().collect::<Vec<_>>(),
            ["3", "3000000", "3000000"].repeat(2),
            "{said}"
        );
    }
}

#[test]
fn a_reader_who_asks_for_the_rest_of_his_buffer_gets_it() {
    let script = r#"
        task 'head -c 480000 /dev/zero'
        start; cat "$M/task/$id/wait" > /dev/null
        for d in "$M" "$I"; do
            python3 -c 'import sys; print(len(open(sys.argv[1], "rb").read()))' "$d/task/$id/stdio/1"
            cp "$d/task/$id/stdio/1" "$d/tmp/copy"; wc -c < "$d/tmp/copy"
        done
        task 'for i in 1 2 3 4; do echo line $i; sleep 0.2; done'
        start
        python3 -c '
import os, sys
f, all = os.open(sys.argv[1], os.O_RDONLY), b""
while len(all) < 28:
    more = os.read(f, 28 - len(all))
    if not more:
        break
    all += more
print(len(all))' "$I/task/$id/stdio/1""#;
    if let Some(said) = on_mounts("streams read to a buffer's end", script) {
        assert_eq!(
            said.split_whitespace().collect::<Vec<_>>(),
            ["480000", "480000", "480000", "480000", "28"]
        );
    }
}
