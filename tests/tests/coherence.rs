//! What a kernel believes of a FUSE mount while guests, 9P clients and other mounts change the same files: the new content is
//! seen by whoever could know of the change.

use std::path::Path;
use std::time::Duration;
use tests::{Server, guests, has_fuse, sh, taskfs, text};

const LIMIT: Duration = Duration::from_secs(60);

/// A server with two mounts: `$M` and `$N`. `$T` is taskfs, `$S` the server.
fn at_two_mounts(script: &str) -> String {
    let (one, other) = (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
    let shown = |dir: &Path| dir.to_str().expect("a UTF-8 path").to_owned();
    let (m, n) = (shown(one.path()), shown(other.path()));
    let bind = format!("{}:/guests:ro", guests().display());
    let server = Server::start(&["--mount", &m, "--mount", &n, "--bind", &bind]);
    let (taskfs, unix) = (shown(&taskfs()), server.unix());
    text(sh(&format!("set -u; {script}"), &[("M", &m), ("N", &n), ("T", &taskfs), ("S", &unix)], LIMIT))
}

#[test]
fn when_wait_has_answered_the_file_that_the_guest_wrote_is_new_in_every_mount() {
    if !has_fuse("coherence with guests") {
        return;
    }
    let said = at_two_mounts(
        r#"F=$M/tmp/out; G=$N/tmp/out; echo old > $F
        for n in $(seq 8); do
            id=$(cat $M/task/new); t=$M/task/$id
            echo /guests/cat.wasm > $t/cmd; echo "bind /tmp/out /task/$id/stdio/1" > $t/ctl
            : > $F; cat $F $G
            echo start > $t/ctl; echo "line $n" > $t/stdio/0; echo eof > $t/ctl; read -r end < $t/wait
            [ "$(cat $F) $(cat $G)" = "line $n line $n" ] || echo "$n: $(cat $F) $(cat $G): $end"
            echo remove > $t/ctl
        done; echo done"#,
    );
    assert_eq!(said, "done\n");
}

#[test]
fn what_a_9p_client_was_told_is_done_is_seen_in_every_mount() {
    if !has_fuse("coherence with 9P clients") {
        return;
    }
    let said = at_two_mounts(
        r#"F=$M/tmp/f; G=$N/tmp/f
        for n in $(seq 8); do
            # The same length each time: only the content tells.
            $T write -s $S /tmp/f "content $((n + 100))"
            [ "$(cat $F) $(cat $G)" = "content $((n + 100)) content $((n + 100))" ] || echo "$n: $(cat $F $G)"
            echo "from a mount $((n + 100))" > $F
            [ "$($T cat -s $S /tmp/f) $(cat $G)" = "from a mount $((n + 100)) from a mount $((n + 100))" ] || echo "$n: back"
            rm $G; [ -e $F ] && echo "$n: still there"
            $T cat -s $S /tmp/f 2> /dev/null && echo "$n: still there over 9P"
        done; echo done"#,
    );
    assert_eq!(said, "done\n");
}
