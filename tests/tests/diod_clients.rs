//! Debian's diod has 9P2000.L clients of its own, which share no code with Linux or with us: diodls and diodcat.

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
