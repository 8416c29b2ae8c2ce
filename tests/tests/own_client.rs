//! `taskfs ls`, `cat`, `write`, `bind` and `run`: what they print, what they refuse, in which words and with which status.

use std::path::Path;
use std::process::Output;
use std::time::Duration;
use tests::{Server, guest, guests, sh, taskfs, text};

const LIMIT: Duration = Duration::from_secs(60);

/// `$T` is taskfs, `$G` the guests, `$S` the server, which `T` talks to.
fn at(server: &str, script: &str) -> Output {
    let (taskfs, guests) = (taskfs(), guests());
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("own-client-cache");
    let vars = [
        ("T", taskfs.to_str().expect("a UTF-8 path")),
        ("G", guests.to_str().expect("a UTF-8 path")),
        ("S", server),
        ("TASKFS_CACHE", cache.to_str().expect("a UTF-8 path")),
    ];
    sh(&format!("set -u; umask 022; T() {{ $T $1 -s $S \"${{@:2}}\"; }}; {script}"), &vars, LIMIT)
}

fn serve() -> (Server, [String; 2]) {
    let bind = format!("{}:/guests:ro", guests().display());
    let server = Server::start(&["--listen", "tcp://127.0.0.1:0", "--bind", &bind]);
    let ways = [server.unix(), format!("tcp://127.0.0.1:{}", server.port())];
    (server, ways)
}

/// The command fails with `status`, and says `words`, on standard error and nowhere else.
fn refused(server: &str, script: &str, status: i32, words: &str) {
    let output = at(server, script);
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{script}: {err}");
    assert!(err.contains(words), "{script}: {words:?} is not in {err:?}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "", "{script}");
}

#[test]
fn a_task_is_made_fed_and_awaited_over_every_transport() {
    let (_server, ways) = serve();
    for way in &ways {
        let script = r#"id=$(T cat /task/new); t=/task/$id; T write $t/cmd /guests/cat.wasm; T cat $t/status
            T write $t/ctl start; T cat $t/status; echo one | T write $t/stdio/0; T write $t/stdio/0 two words; T write $t/ctl eof
            T cat $t/stdio/1 $t/exitcode; T cat $t/wait | grep -c "''"; T write $t/ctl remove; T ls $t 2>/dev/null; echo $?"#;
        assert_eq!(text(at(way, script)), "new\nrunning\none\ntwo words\n0\n1\n66\n", "{way}");
    }
}

#[test]
fn output_is_printed_while_the_program_runs() {
    let (server, _) = serve();
    let script = r#"id=$(T cat /task/new); t=/task/$id; out=$(mktemp); T write $t/cmd /guests/cat.wasm; T write $t/ctl start
        T cat $t/stdio/1 > $out & p=$!; T write $t/stdio/0 first
        for _ in $(seq 500); do grep -q first $out && break; sleep 0.01; done; cat $out; kill -0 $p && echo reading
        kill -INT $p; kill $p; wait $p 2>/dev/null; T write $t/ctl kill; rm $out"#;
    assert_eq!(text(at(&server.unix(), script)), "first\nreading\n");
}

#[test]
fn files_are_listed_written_and_appended_to() {
    let (_server, ways) = serve();
    for (i, way) in ways.iter().enumerate() {
        let script = r#"T write $F hello; T write -a $F there; T cat $F; T write $F new; T cat $F; T ls $F
            T ls -l $F | grep -c "^-rw-r--r--  *1 .* 4 $F\$"; T ls / | grep -cx -e task -e tmp -e guests
            T ls /tmp /guests | grep -c -e '^/tmp:$' -e '^/guests:$'"#;
        let script = format!("F=/tmp/own{i}; {script}");
        let expect = format!("hello\nthere\nnew\n/tmp/own{i}\n1\n3\n2\n");
        assert_eq!(text(at(way, &script)), expect, "{way}");
    }
}

#[test]
fn names_of_any_bytes_are_listed_as_they_are() {
    let (server, _) = serve();
    let script = r#"id=$(T cat /task/new); T write /task/$id/cmd sh -c "'cd /tmp; echo 1 > \$(printf \"a\\\\377b\")'"; T write /task/$id/ctl start
        T cat /task/$id/wait > /dev/null; T ls /tmp; T ls -l /tmp | cut -c 14-"#;
    let listed = at(&server.unix(), script).stdout;
    assert!(listed.ends_with(b" a\xffb\n") && listed.starts_with(b"a\xffb\n"), "{}", listed.escape_ascii());
}

#[test]
fn lines_that_many_append_at_once_are_all_there() {
    let (_server, ways) = serve();
    for (i, way) in ways.iter().enumerate() {
        let script = r#"for n in $(seq 30); do T write -a $F line $n & done; wait; T cat $F | sort -u | grep -c '^line [0-9]*$'"#;
        assert_eq!(text(at(way, &format!("F=/tmp/all{i}; {script}"))), "30\n", "{way}");
    }
}

#[test]
fn bind_shows_one_directory_at_another_for_everyone_or_for_one_task() {
    let (server, _) = serve();
    let script = r#"T bind /guests /home; T ls /home | grep -cx hello.wasm
        T write /tmp/note "a note"; id=$(T cat /task/new); T bind -t $id /tmp /lib; T cat /task/$id/root/lib/note; T ls /lib | grep note || true"#;
    assert_eq!(text(at(&server.unix(), script)), "1\na note\n");
}

#[test]
fn errors_have_the_servers_words_and_the_statuses_of_sysexits() {
    let (_server, ways) = serve();
    for way in &ways {
        refused(way, "T cat /no/such", 66, "/no/such: file does not exist");
        refused(way, "T cat /tmp", 74, "/tmp: is a directory");
        refused(way, "T ls /nope", 66, "/nope: file does not exist");
        refused(way, "T write /nope/file x", 66, "file does not exist");
        refused(way, "T write /task/new/x y", 74, "not a directory");
        refused(way, "T write /guests/hello.wasm x", 74, "read-only file system");
        refused(
            way,
            "T write /task/$(T cat /task/new)/ctl frob 3",
            74,
            r#"unknown control message "frob 3""#,
        );
        refused(way, "T write /task/$(T cat /task/new)/ctl start", 66, "no program");
        refused(way, "T bind /tmp/none /home", 66, "/tmp/none: file does not exist");
    }
}

#[test]
fn what_the_user_may_not_do_is_a_lack_of_permission() {
    let (server, _) = serve();
    if !rustix::process::geteuid().is_root() {
        tests::cannot_run(
            "a file of another user is refused to the own client",
            "only root can become two users",
        );
        return;
    }
    let tcp = format!("tcp://127.0.0.1:{}", server.port());
    let made = "T write /tmp/mine secret; T ls -l /tmp/mine | grep -c '^-rw-r--r-- .* 7 /tmp/mine'";
    assert_eq!(text(at(&tcp, made)), "1\n");
    // The other user may not be able to enter the directory of the checkout.
    let other = |args: &str| {
        format!(
            "d=$(mktemp -d); chmod 755 $d; cp $T $d/taskfs; \
             setpriv --reuid 1001 --regid 1001 --clear-groups $d/taskfs {args}; s=$?; rm -r $d; exit $s"
        )
    };
    refused(&tcp, &other("write -s $S /tmp/mine spoilt"), 77, "permission denied");
    // The unix socket is not even opened.
    refused(&server.unix(), &other("ls -s $S /"), 77, "Permission denied");
}

#[test]
fn a_server_that_is_not_there_and_a_line_that_makes_no_sense_are_told_apart() {
    refused("unix:///tmp/no-such-dir/sock", "T ls", 69, "is `taskfs serve` running?");
    refused("tcp://127.0.0.1:1", "T cat /task/new", 69, "Connection refused");
    refused("http://x", "T ls", 64, "http://x");
    refused("unix:///x", "$T cat", 64, "PATHS");
    refused("unix:///x", "$T frob", 64, "frob");
    refused("unix:///x", "$T serve --frob", 64, "--frob");
    assert!(text(at("", "$T --help")).contains("Usage: taskfs"));
}

#[test]
fn run_gives_a_program_its_arguments_environment_directory_and_input() {
    guest("env.wasm");
    let run = |script| text(at("", script));
    assert_eq!(run("$T run $G/hello.wasm a b"), "Hello, world!\n");
    assert_eq!(run("seq 3 | $T run $G/cat.wasm"), "1\n2\n3\n");
    assert_eq!(run("$T run $G/cat.wasm < /dev/null; echo $?"), "0\n");
    assert_eq!(
        run("$T run --env A=1 --env 'B=two words' $G/env.wasm | grep -E '^env [AB]'"),
        "env A=1\nenv B=two words\n"
    );
    assert_eq!(
        run("$T run $G/env.wasm -x 'two words' | grep '^argv' | tail -n 2"),
        "argv[1]=-x\nargv[2]=two words\n"
    );
    let cwd =
        "d=$(mktemp -d); echo shown > $d/f; $T run --bind $d:/data:ro --cwd /data $G/cat.wasm f; rm -r $d";
    assert_eq!(run(cwd), "shown\n");
    assert_eq!(run("for n in 0 1 9 255; do $T run $G/exit.wasm $n; echo $?; done"), "0\n1\n9\n255\n");
}

#[test]
fn run_says_why_a_program_did_not_end_by_itself() {
    guest("sleep.wasm");
    let trap = at("", "$T run $G/trap.wasm");
    let err = String::from_utf8_lossy(&trap.stderr).into_owned();
    assert_eq!(trap.status.code(), Some(134), "{err}");
    assert_eq!(String::from_utf8_lossy(&trap.stdout), "about to trap\n");
    assert!(err.contains("fall_into_the_trap") && err.contains("walk_towards_it"), "{err}");
    for (signal, status) in [("INT", 130), ("TERM", 143)] {
        let output = at("", &format!("timeout --preserve-status -s {signal} 1 $T run $G/sleep.wasm 60"));
        assert_eq!(output.status.code(), Some(status), "{signal}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(&format!("killed by SIG{signal}")));
    }
    let limited = at("", "$T run --limit wall=300ms $G/sleep.wasm 60");
    assert!(String::from_utf8_lossy(&limited.stderr).contains("wall limit 300ms reached"));
    assert_ne!(limited.status.code(), Some(0));
    refused("", "$T run --limit frob=1 $G/hello.wasm", 74, r#"bad limit "frob=1""#);
    refused("", "$T run /no/such.wasm", 66, "/no/such.wasm");
    refused("", "$T run nothing", 66, "nothing: file does not exist");
}

#[test]
fn run_uses_a_running_server_and_leaves_no_task_behind() {
    let (_server, ways) = serve();
    for way in &ways {
        let script = r#"T ls /task > /tmp/before.$$; echo in | T run /guests/cat.wasm; T run /guests/exit.wasm 4; echo $?
            export TASKFS_SERVER=$S; $T run /guests/hello.wasm; $T ls /task | cmp - /tmp/before.$$ && echo same; rm /tmp/before.$$"#;
        assert_eq!(text(at(way, script)), "in\n4\nHello, world!\nsame\n", "{way}");
        refused(way, "T run /none.wasm", 66, "/none.wasm: file does not exist");
    }
}
