//! The shell from outside: as a task through a mount, and at the user's own terminal.

use nine::wire::Dialect;
use std::process::{Command, Stdio};
use std::time::Duration;
use tests::door::Door;
use tests::typist::{Typist, has_script};
use tests::{Server, cannot_run, has_fuse, sh, taskfs, text};

#[test]
fn a_command_line_runs_through_a_mount_with_echo_and_cat() {
    if !has_fuse("a shell through FUSE") {
        return;
    }
    let mnt = tempfile::tempdir().expect("a temporary directory");
    let mount = mnt.path().to_str().expect("a UTF-8 path");
    let _server = Server::start(&["--mount", mount]);
    let script = r#"
        cd $M/tmp; touch one two three
        id=$(cat $M/task/new); cd $M/task/$id
        echo sh >type; echo "sh -c 'ls | wc -l'" >cmd; echo /tmp >cwd
        echo start >ctl; cat stdio/1; cat exitcode
        head -qn 1 $M/bin/sh $M/bin/ls
        printf '#!/bin/sh\necho "from a script: $*"\n' >$M/tmp/s
        id=$(cat $M/task/new); cd $M/task/$id
        echo '/tmp/s a b' >cmd; echo start >ctl; cat stdio/1
        cd /
    "#;
    let output = sh(script, &[("M", mount)], Duration::from_secs(30));
    assert_eq!(text(output), "3\n0\n#!taskfs sh\n#!taskfs sh ls\nfrom a script: a b\n");
}

/// Runs `script` in bash on a terminal of 33 rows and 99 columns, where `typed` is typed: what is shown. None where this machine
/// lacks script(1), which makes the terminal.
fn at_a_terminal(typed: &str, script: &str) -> Option<String> {
    at_a_terminal_with(typed, script, &[])
}

fn at_a_terminal_with(typed: &str, script: &str, more: &[(&str, &str)]) -> Option<String> {
    if Command::new("script").arg("--version").stdout(Stdio::null()).status().is_err() {
        cannot_run("taskfs run -t", "script(1) is not installed");
        return None;
    }
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = dir.path().join("script");
    std::fs::write(&file, format!("stty rows 33 columns 99; before=$(stty -g)\n{script}\necho \"status $?\"\n[ \"$before\" = \"$(stty -g)\" ] && echo restored\n"))
        .expect("a script");
    let taskfs = taskfs();
    let mut vars = vec![
        ("T", taskfs.to_str().expect("UTF-8")),
        ("F", file.to_str().expect("UTF-8")),
        ("D", dir.path().to_str().expect("UTF-8")),
        ("TYPED", typed),
        ("TERM", "vt220"),
    ];
    vars.extend(more);
    // The end of what is typed comes with the end of what is shown: ^D would be typed otherwise.
    let line =
        r#"mkfifo $D/keys; exec 3<>$D/keys; printf "$TYPED" >&3; script -qec "bash $F" /dev/null <$D/keys"#;
    Some(text(sh(line, &vars, Duration::from_secs(60))))
}

#[test]
fn the_users_terminal_is_the_shells_until_its_end() {
    let typed = r#"echo $((6*7)) $TERM; test -t 0 && test -t 1 && echo tty\rexit 5\r"#;
    let Some(shown) = at_a_terminal(typed, "$T run -t sh") else { return };
    // What is typed before the prompt is echoed before it.
    assert!(shown.contains("42 vt220\r\ntty\r\n"), "{shown:?}");
    assert!(shown.ends_with("status 5\r\nrestored\r\n"), "{shown:?}");
}

#[test]
fn the_users_terminal_is_restored_when_the_program_cannot_start() {
    let Some(shown) = at_a_terminal("", "$T run -t /tmp/nothing") else { return };
    assert!(shown.contains("/tmp/nothing") && shown.ends_with("restored\r\n"), "{shown:?}");
}

#[test]
fn without_a_terminal_none_can_be_given() {
    let output = sh(&format!("{} run -t sh </dev/null", taskfs().display()), &[], Duration::from_secs(30));
    assert_eq!(output.status.code(), Some(64));
    assert!(String::from_utf8_lossy(&output.stderr).contains("standard input is not a terminal"));
}

#[test]
fn the_users_terminal_is_a_containers_shells_until_its_end() {
    let typed = r#"cat src; echo $((6*7)) $TERM; test -t 0 && test -t 1 && echo tty\rexit 5\r"#;
    let script = "mkdir $D/p; echo in the project >$D/p/src; $T container run -t $D/p -- sh";
    let Some(shown) = at_a_terminal(typed, script) else { return };
    assert!(shown.contains("in the project\r\n"), "{shown:?}");
    assert!(shown.contains("42 vt220\r\ntty\r\n"), "{shown:?}");
    assert!(shown.ends_with("status 5\r\nrestored\r\n"), "{shown:?}");
}

#[test]
fn a_command_at_a_terminal_in_a_container_keeps_the_containers_environment_and_is_interrupted_by_a_key() {
    let server = Server::start(&[]);
    // The key is typed when the program has the terminal; before that it would be for whoever makes the container.
    let script = r#"export TASKFS_SERVER=$S; id=$($T container new -e A=kept -e TERM=dumb)
        (until $T cat /web/container/$id/mount/tmp/ready >$D/ready 2>&1; do sleep 0.05; done; printf 'typed\003' >$D/keys) &
        $T container exec -t $id -- sh -c 'echo $A $TERM; echo >/tmp/ready; cat; echo not reached'"#;
    let Some(shown) = at_a_terminal_with("", script, &[("S", &server.unix())]) else { return };
    assert!(shown.contains("kept dumb\r\n"), "{shown:?}");
    assert!(shown.contains("typed^C") && !shown.contains("not reached"), "{shown:?}");
    assert!(shown.ends_with("status 130\r\nrestored\r\n"), "{shown:?}");
}

#[test]
fn control_z_stops_a_containers_command_with_the_users_and_fg_lets_both_go_on() {
    if !has_script("^Z at taskfs container exec -t", "bash") {
        return;
    }
    let server = Server::start(&[]);
    let door = Door::nine(&server, Dialect::P9P2000L);
    let process = "/web/container/1/processes/1/status";
    let taskfs = taskfs();
    let vars = [("T", taskfs.to_str().expect("UTF-8")), ("TASKFS_SERVER", &server.unix()), ("TERM", "xterm")];
    let mut typist = Typist::at_script("PS1='sh> ' exec bash --norc --noprofile -i", &vars);
    typist.sees("sh> ");
    typist.types("id=$($T container new)\r");
    typist.sees("sh> ");
    typist.types("$T container exec -t $id -- sh -c 'echo up; cat; exit 6'\r");
    typist.sees("up\r\n");
    for word in ["one", "two"] {
        typist.types("\u{1a}");
        typist.sees("Stopped");
        typist.sees("sh> ");
        assert_eq!(door.text(process), "stopped\n");
        typist.types("fg\r");
        // The terminal is the command's again by then.
        while door.text(process) != "running\n" {
            std::thread::sleep(Duration::from_millis(5));
        }
        typist.types(&format!("{word}\r"));
        typist.sees(&format!("{word}\r\n{word}\r\n"));
    }
    typist.types("\u{4}");
    typist.sees("sh> ");
    typist.types("echo status $?; exit\r");
    typist.sees("status 6\r\n");
    typist.ends();
}

#[test]
fn without_a_terminal_a_container_runs_nothing_that_was_to_have_one() {
    let server = Server::start(&[]);
    let script = "id=$($T container new); $T container exec -t $id -- sh -c 'echo ran' </dev/null; echo $?";
    let vars = [("T", &*taskfs().display().to_string()), ("TASKFS_SERVER", &*server.unix())];
    let output = sh(script, &vars, Duration::from_secs(30));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "64\n");
    assert!(String::from_utf8_lossy(&output.stderr).contains("standard input is not a terminal"));
}
