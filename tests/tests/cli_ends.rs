//! How commands end, and what they leave behind, when whoever listens to them goes or what they ask is refused.

use std::path::Path;
use std::time::Duration;
use tests::{Server, has_fuse, sh, taskfs};

const LIMIT: Duration = Duration::from_secs(60);

fn said(script: &str, dir: &Path, server: &str) -> String {
    let (program, dir) = (taskfs().display().to_string(), dir.display().to_string());
    let output = sh(script, &[("T", &program), ("D", &dir), ("S", server)], LIMIT);
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn a_directory_that_a_container_refuses_is_refused_at_once() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let script = r#"cd "$D"; mkdir tree; ln -s /absolute tree/a; head -c 4000000 /dev/zero > tree/z
        timeout 20 "$T" container run tree -- sh -c ls; echo $?"#;
    let said = said(script, dir.path(), "");
    assert!(said.starts_with("77\n") && said.contains("the link leads to an absolute name"), "{said}");
}

#[test]
fn what_a_container_executes_ends_and_goes_with_who_asked() {
    let (dir, server) = (tempfile::tempdir().expect("a temporary directory"), Server::start(&[]));
    let script = r#"C=$("$T" container new -s "$S"); P=/web/container/$C/processes
        "$T" container exec -s "$S" "$C" -- yes | head -1
        "$T" container exec -s "$S" "$C" -- echo done
        "$T" ls -s "$S" "$P"
        "$T" container exec -s "$S" "$C" -- sleep 100 & p=$!
        until "$T" ls -s "$S" "$P" | grep -q '[0-9]'; do sleep 0.05; done
        id=$("$T" ls -s "$S" "$P" | grep '[0-9]')
        until "$T" cat -s "$S" "$P/$id/status" | grep -q running; do sleep 0.05; done
        { kill -9 $p; wait $p; } 2> /dev/null; "$T" cat -s "$S" "$P/$id/exitcode" > /dev/null
        until "$T" cat -s "$S" "$P/$id/status" | grep -q exited; do sleep 0.05; done; echo ended"#;
    assert_eq!(said(script, dir.path(), &server.unix()), "y\ndone\nclone\nnew\nended\n");
}

#[test]
fn a_container_that_was_made_for_a_command_goes_with_it_however_it_ends() {
    let (dir, server) = (tempfile::tempdir().expect("a temporary directory"), Server::start(&[]));
    let script = r#"cd "$D"; mkdir p; "$T" container run -s "$S" p -- sleep 100 & p=$!
        until "$T" container ls -s "$S" | grep -q running; do sleep 0.05; done
        { kill -9 $p; wait $p; } 2> /dev/null
        until [ -z "$("$T" container ls -s "$S")" ]; do sleep 0.05; done
        "$T" container run -s "$S" p -- echo done; "$T" container ls -s "$S"
        "$T" container run -s "$S" --keep p -- echo kept 2> /dev/null; "$T" container ls -s "$S" | cut -d" " -f1"#;
    assert_eq!(said(script, dir.path(), &server.unix()), "done\nkept\n3\n");
}

#[test]
fn an_archive_that_nobody_reads_on_ends_it_in_silence() {
    let (dir, server) = (tempfile::tempdir().expect("a temporary directory"), Server::start(&[]));
    let script = r#"C=$("$T" container new -s "$S"); "$T" container exec -s "$S" "$C" -- sh -c 'head -c 4000000 /dev/zero > zeros'
        "$T" container export -s "$S" "$C" | head -c 4; echo " ${PIPESTATUS[0]}""#;
    assert_eq!(said(script, dir.path(), &server.unix()), "bin/ 141\n");
}

#[test]
fn a_server_to_whom_nobody_listens_serves_and_goes_when_it_is_told() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let script = r#"cd "$D"; "$T" serve -l "unix://$D/s" > /dev/full 2>&1 & p=$!
        until [ -S s ] && "$T" ls -s "unix://$D/s" > /dev/null 2>&1; do sleep 0.05; done
        kill -TERM $p; wait $p; echo $?; ls
        "$T" doctor > /dev/full 2>&1; echo $?"#;
    assert_eq!(said(script, dir.path(), ""), "0\n74\n");
}

#[test]
fn a_server_that_loses_its_terminal_puts_everything_away() {
    if !has_fuse("SIGHUP at a server with a mount") {
        return;
    }
    let dir = tempfile::tempdir().expect("a temporary directory");
    let script = r#"cd "$D"; mkdir m i; "$T" serve -l "unix://$D/s" --mount "$D/m" > log 2>&1 & p=$!
        until grep -q ready log 2> /dev/null; do sleep 0.05; done
        x=$("$T" mount --with fuse "unix://$D/s" "$D/i" 2>&1); echo "$? $x"
        [ -d i/task ] && [ -d m/task ] && echo mounted
        kill -HUP $p; wait $p; echo $?
        while mountpoint -q i; do sleep 0.05; done
        rmdir m i; rm log; ls"#;
    assert_eq!(said(script, dir.path(), ""), "0 \nmounted\n0\n");
}
