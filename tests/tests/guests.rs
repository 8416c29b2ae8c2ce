//! Real programs, compiled from C, Rust and Go, and a CPython: the same binaries through `taskfs run`, through a FUSE mount
//! and through 9P.

use std::fs;
use std::time::Duration;
use tests::{Server, cannot_run, guest, guests, has_fuse, sh, taskfs, text};

const LIMIT: Duration = Duration::from_secs(120);

/// What every way has for a script: `taskfs` as `$T`, the guests as `$G`, and a word `go [-i INPUT] PROGRAM [ARG…]` that
/// runs a program of the guests' directory and prints its output and its exit status.
struct Way {
    name: &'static str,
    go: &'static str,
    vars: Vec<(&'static str, String)>,
    _server: Option<Server>,
    _mount: Option<tempfile::TempDir>,
}

/// `taskfs run` takes a program of this machine; its own server shows it the rest of the guests.
const RUN: &str = r#"go() { input=/dev/null; [ "$1" = -i ] && { input=$2; shift 2; }; p=$1; shift
    $T run --root "host:$D" --bind "$G:/guests:ro" "$G/$p" "$@" < $input; echo "status $?"; }"#;
const FUSE: &str = r#"go() { input=/dev/null; [ "$1" = -i ] && { input=$2; shift 2; }; p=$1; shift
    id=$(cat $M/task/new); t=$M/task/$id; printf '%s\n' "/guests/$p" "$@" > $t/argv; echo start > $t/ctl
    cat $input > $t/stdio/0; echo eof > $t/ctl; cat $t/stdio/1; echo "status $(cat $t/exitcode)"; }"#;
const NINEP: &str = r#"go() { input=/dev/null; [ "$1" = -i ] && { input=$2; shift 2; }; p=$1; shift
    id=$($T cat /task/new); t=/task/$id; printf '%s\n' "/guests/$p" "$@" | $T write $t/argv; $T write $t/ctl start
    $T write $t/stdio/0 < $input; $T write $t/ctl eof; $T cat $t/stdio/1; echo "status $($T cat $t/exitcode)"; }"#;

/// All three ways, over a directory of this machine as `/` that holds what `files` says.
fn ways(files: &[(&str, &str)]) -> (Vec<Way>, [tempfile::TempDir; 2]) {
    let root = tempfile::tempdir().expect("a temporary directory");
    // What `taskfs run` compiles is kept here.
    let cache = tempfile::tempdir().expect("a temporary directory");
    for (name, content) in files {
        let path = root.path().join(name);
        fs::create_dir_all(path.parent().expect("below the root")).expect("directories can be made");
        fs::write(path, content).expect("files can be written");
    }
    let show = |path: &std::path::Path| path.to_str().expect("a UTF-8 path").to_owned();
    let common = || {
        vec![
            ("T", show(&taskfs())),
            ("G", show(&guests())),
            ("D", show(root.path())),
            ("TASKFS_CACHE", show(&cache.path().join("modules"))),
        ]
    };
    let spec = format!("host:{}", show(root.path()));
    let bind = format!("{}:/guests:ro", guests().display());
    let mut all = vec![Way { name: "run", go: RUN, vars: common(), _server: None, _mount: None }];

    let server = Server::start(&["--root", &spec, "--bind", &bind]);
    let mut vars = common();
    vars.push(("TASKFS_SERVER", server.unix()));
    all.push(Way { name: "9P", go: NINEP, vars, _server: Some(server), _mount: None });

    if has_fuse("guests through FUSE") {
        let mount = tempfile::tempdir().expect("a temporary directory");
        let dir = show(mount.path());
        let server = Server::start(&["--root", &spec, "--bind", &bind, "--mount", &dir]);
        let mut vars = common();
        vars.push(("M", dir));
        all.push(Way { name: "FUSE", go: FUSE, vars, _server: Some(server), _mount: Some(mount) });
    }
    (all, [root, cache])
}

/// Runs `script` every way; it has to print the same each time, which is given.
fn same_every_way(files: &[(&str, &str)], script: &str) -> String {
    let (ways, _dirs) = ways(files);
    let mut outputs = Vec::new();
    for way in &ways {
        let vars: Vec<(&str, &str)> = way.vars.iter().map(|(name, value)| (*name, &**value)).collect();
        let output = sh(&format!("set -u\n{}\n{script}", way.go), &vars, LIMIT);
        eprintln!("{}: {}", way.name, String::from_utf8_lossy(&output.stderr));
        outputs.push((way.name, text(output)));
    }
    for (name, out) in &outputs[1..] {
        assert_eq!(out, &outputs[0].1, "{name} differs from {}", outputs[0].0);
    }
    outputs.swap_remove(0).1
}

#[test]
fn programs_in_c_take_arguments_and_standard_input_and_give_their_status() {
    guest("hello.wasm");
    let files = [("etc/motd", "first\nsecond\n")];
    let out = same_every_way(
        &files,
        "go hello.wasm; go exit.wasm 7; go cat.wasm /etc/motd; go -i $D/etc/motd cat.wasm; go cat.wasm /none",
    );
    assert_eq!(
        out,
        "Hello, world!\nstatus 0\nstatus 7\nfirst\nsecond\nstatus 0\nfirst\nsecond\nstatus 0\nstatus 1\n"
    );
}

#[test]
fn a_self_check_of_posix_passes_on_every_way() {
    guest("posix.wasm");
    passes("posix.wasm");
}

#[test]
fn a_self_check_of_posix_passes_as_the_component_that_a_tool_makes_of_it() {
    if !guests().join("component-c.wasm").exists() {
        return cannot_run("component-c.wasm", "its tools could not be set up");
    }
    passes("component-c.wasm");
}

fn passes(program: &str) {
    let out = same_every_way(&[("tmp/.keep", "")], &format!("go {program} /tmp"));
    let (checks, status) = out.rsplit_once("status ").expect("a status");
    assert_eq!(status, "0\n", "{out}");
    assert!(checks.lines().count() >= 10, "{out}");
    assert!(checks.lines().all(|line| line.starts_with("ok ")), "{out}");
}

#[test]
fn programs_in_rust_read_files_and_standard_input() {
    guest("rust-wc.wasm");
    let files = [("tmp/text", "one two\nthree\n")];
    let out = same_every_way(
        &files,
        "go rust-wc.wasm /tmp/text; go -i $D/tmp/text rust-wc.wasm; go rust-hello.wasm",
    );
    let lines: Vec<&str> = out.lines().collect();
    assert!(lines[0].contains("2 3 14"), "{out}");
    assert!(lines.contains(&"2 3 14"), "{out}");
    assert!(out.to_lowercase().contains("hello"), "{out}");
    assert_eq!(out.matches("status 0\n").count(), 3, "{out}");
}

#[test]
fn programs_in_go_walk_the_namespace() {
    guest("go-walk.wasm");
    let files = [("srv/www/a", "1"), ("srv/www/b/c", "22"), ("srv/www/b/d", "")];
    let out = same_every_way(&files, "go go-walk.wasm /srv/www; go go-hello.wasm");
    let names: Vec<&str> =
        out.lines().filter(|l| l.contains("/srv/www/")).filter_map(|l| l.rsplit(' ').next()).collect();
    assert_eq!(names, ["/srv/www/a", "/srv/www/b", "/srv/www/b/c", "/srv/www/b/d"], "{out}");
    assert!(out.contains(" 2 /srv/www/b/c\n"), "{out}");
    assert_eq!(out.matches("status 0\n").count(), 2, "{out}");
}

#[test]
fn cpython_runs_a_script_and_imports_its_standard_library_from_the_namespace() {
    guest("python/python.wasm");
    // It looks for its library in /usr/local/lib, where the namespace has it.
    let lib = r#"mkdir -p $D/usr/local; cp -r $G/python/usr/local/lib $D/usr/local/ 2>/dev/null; cp $G/python/hello.py $D/hello.py"#;
    let out = same_every_way(&[], &format!("{lib}; go python/python.wasm /hello.py one 'two words'"));
    assert!(out.contains(r#"{"hello": "from Python", "version": "3.11"}"#), "{out}");
    assert!(
        out.contains("words ['cat', 'and', 'echo']\nplatform wasi\nargv ['one', 'two words']\n"),
        "{out}"
    );
    let digest = text(sh("printf taskfs | sha256sum | cut -d' ' -f1", &[], LIMIT));
    assert!(out.contains(&format!("sha256 {digest}")), "{out}");
    assert!(out.ends_with("status 0\n"), "{out}");
}
