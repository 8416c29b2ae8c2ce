//! Debian's diod has 9P2000.L clients of its own, which share no code with Linux or with us: diodls and diodcat for any server's
//! files, and dioddate, diodshowmount, diodload and dtop for diod's own tree of figures, which they attach to by the name `ctl`.
//! Here `ctl` is a bound directory.

use std::time::Duration;
use tests::{Server, cannot_run, guests, sh, text};

/// A server with both kinds of listener, and the two ways to name it; nothing where diod's clients are missing.
fn served(what: &str) -> Option<(Server, [String; 2])> {
    if !sh("command -v diodcat && command -v diodls", &[("PATH", PATH)], LIMIT).status.success() {
        cannot_run(what, "diodcat and diodls are missing (Debian's package diod)");
        return None;
    }
    let bind = format!("{}:/guests:ro", guests().display());
    let server = Server::start(&["--listen", "tcp://127.0.0.1:0", "--bind", &bind]);
    let tcp = format!("127.0.0.1:{}", server.port());
    let unix = server.path("sock").display().to_string();
    Some((server, [tcp, unix]))
}

const LIMIT: Duration = Duration::from_secs(30);
/// They are installed where only root looks.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

fn run(script: &str, at: &str) -> String {
    let output = sh(script, &[("AT", at), ("PATH", PATH)], LIMIT);
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    let out = text(output);
    assert_eq!(err, "", "{at}: {script}");
    out
}

#[test]
fn diodls_lists_directories() {
    let Some((_server, ways)) = served("listing with diodls") else { return };
    for at in &ways {
        let root = run("diodls -s $AT -a / / | sort | tr '\\n' ' '", at);
        for name in ["dev", "guests", "runtime", "task", "tmp"] {
            assert!(root.split(' ').any(|entry| entry == name), "{name} is not in {root}");
        }
        assert_eq!(run("diodls -s $AT -a / /task | sort", at), "clone\nnew\n");
        assert_eq!(run("diodls -s $AT -a /task / | sort", at), "clone\nnew\n");
        let long = run("diodls -s $AT -a / -l /", at);
        assert!(long.lines().any(|line| line.starts_with("drwxrwxrwx") && line.ends_with(" tmp")), "{long}");
        assert!(long.lines().any(|line| line.ends_with(" .")), "{long}");
    }
}

#[test]
fn diodcat_prints_files_byte_for_byte() {
    let Some((_server, ways)) = served("reading with diodcat") else { return };
    for at in &ways {
        let id = run("diodcat -s $AT -a / task/new", at);
        let id = id.trim();
        assert_eq!(run(&format!("diodcat -s $AT -a / task/{id}/status"), at), "new\n");
        let ns = run(&format!("diodcat -s $AT -a /task/{id} ns status"), at);
        assert!(ns.ends_with("new\n"), "{ns}");
        // A file of many messages, byte for byte.
        run("diodcat -s $AT -a /guests trap.wasm | cmp - $TASKFS_GUESTS/trap.wasm", at);
        let missing = sh("diodcat -s $AT -a / no/such/file", &[("AT", at), ("PATH", PATH)], LIMIT);
        assert!(!missing.status.success());
        assert!(String::from_utf8_lossy(&missing.stderr).contains("No such file or directory"));
    }
}

#[test]
fn diodcat_follows_the_output_of_a_running_program_to_its_end() {
    let Some((server, ways)) = served("live output with diodcat") else { return };
    let taskfs = tests::taskfs();
    let vars =
        [("TASKFS_SERVER", &*server.unix()), ("T", taskfs.to_str().expect("a UTF-8 path")), ("PATH", PATH)];
    for at in &ways {
        let script = r#"
            id=$($T cat /task/new); t=/task/$id; out=$(mktemp)
            $T write $t/cmd /guests/cat.wasm; $T write $t/ctl start
            diodcat -s $AT -a / $t/stdio/1 > $out & p=$!
            echo first | $T write $t/stdio/0
            for _ in $(seq 500); do grep -q first $out && break; sleep 0.01; done
            cat $out; kill -0 $p && echo "still reading"
            echo second | $T write $t/stdio/0; $T write $t/ctl eof
            wait $p; echo "status $?"; cat $out; rm $out"#;
        let mut vars = vars.to_vec();
        vars.push(("AT", at));
        assert_eq!(text(sh(script, &vars, LIMIT)), "first\nstill reading\nstatus 0\nfirst\nsecond\n", "{at}");
    }
}

/// What diod's own clients look for below `ctl`: the time as seconds.microseconds minutes.dst, a connection a line, figures, and
/// the devices that diodload reads and writes.
fn ctl() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let figures: Vec<_> = (0..52).map(|n| n.to_string()).collect();
    for (name, content) in [
        ("date", "1000000000.5 0.0\n".to_owned()),
        ("connections", "near 1\nfar 2\n".to_owned()),
        ("tpools", format!("default 1 3 {}\n", figures.join(" "))),
        ("meminfo", std::fs::read_to_string("/proc/meminfo").expect("Linux has it")),
        ("zero", String::new()),
        ("null", String::new()),
    ] {
        std::fs::write(dir.path().join(name), content).expect("a file");
    }
    dir
}

#[test]
fn diods_own_clients_find_their_tree_of_figures_in_a_bound_directory() {
    let what = "dioddate, diodshowmount, diodload and dtop";
    if !sh("command -v dtop && command -v diodload", &[("PATH", PATH)], LIMIT).status.success() {
        return cannot_run(what, "they are missing (Debian's package diod)");
    }
    let ctl = ctl();
    let bind = format!("{}:/ctl", ctl.path().display());
    let server = Server::start(&["--listen", "tcp://127.0.0.1:0", "--bind", &bind]);
    let tcp = format!("127.0.0.1:{}", server.port());
    let taskfs = tests::taskfs();
    let taskfs = taskfs.to_str().expect("a UTF-8 path");
    let vars = [("TASKFS_SERVER", &*server.unix()), ("T", taskfs), ("PATH", PATH)];
    text(sh("$T bind /dev/zero /ctl/zero && $T bind /dev/null /ctl/null", &vars, LIMIT));

    assert!(run("TZ=UTC dioddate -s $AT", &tcp).contains("2001"), "the second 10^9 was in 2001");
    assert_eq!(run("diodshowmount -s $AT", &tcp), "far,near\n");
    // A second of sixteen threads that read and write; what it says of its rate goes to stderr.
    for load in ["diodload -r 1 -s", "diodload -g -r 1 -s"] {
        let said = sh(&format!("{load} {tcp} 2>&1"), &[("PATH", PATH)], LIMIT);
        assert!(text(said).contains(" ops/s"), "{load}");
    }
    // It draws on a terminal until it is told to stop.
    let script = "timeout 4 script -qec 'stty cols 80 rows 24; exec dtop -P 0.2 -h 127.0.0.1 -p '${AT#*:} /dev/null; true";
    let drawn = sh(script, &[("AT", &tcp), ("PATH", PATH), ("TERM", "vt100")], LIMIT);
    let drawn = String::from_utf8_lossy(&drawn.stdout).into_owned();
    assert!(drawn.contains("Live servers: 1/1"), "{drawn:?}");
}
