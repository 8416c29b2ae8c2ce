//! What a server shows of its own work: /dev/metrics, /dev/trace9 and --trace-9p, and who may look.

use nine::client::Client;
use nine::wire::{Dialect, Fid, Msize, OpenFlags, Tmessage, Uid};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tests::door::Door;
use tests::wire::Peer;
use tests::{Server, cannot_run, guests, has_fuse, sh, taskfs, text, top};

const LIMIT: Duration = Duration::from_secs(30);

fn serve(args: &[&str]) -> Server {
    let bind = format!("{}:/guests:ro", guests().display());
    Server::start(&[&["--bind", &bind], args].concat())
}

/// The figures of /dev/metrics by name and labels, as they are written.
fn metrics(door: &Door) -> BTreeMap<String, f64> {
    let text = door.text("/dev/metrics");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let figures = lines.filter_map(|line| line.rsplit_once(' '));
    figures.map(|(name, value)| (name.to_owned(), value.parse().expect("a number"))).collect()
}

fn until(what: &str, done: impl Fn() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !done() {
        assert!(Instant::now() < deadline, "not within {LIMIT:?}: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// `taskfs cat /dev/trace9`, and what it shows.
struct Watcher {
    cat: Child,
    lines: BufReader<std::process::ChildStdout>,
}

impl Watcher {
    fn start(server: &Server, door: &Door) -> Watcher {
        let mut cat = Command::new(taskfs());
        cat.args(["cat", "--server", &server.unix(), "/dev/trace9"])
            .stdout(Stdio::piped())
            .stdin(Stdio::null());
        let mut cat = cat.spawn().expect("taskfs starts");
        let mut watcher = Watcher { lines: BufReader::new(cat.stdout.take().expect("piped")), cat };
        // Something passes by until it sees something.
        let (seen, first) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            let lines = &mut watcher.lines;
            scope.spawn(move || {
                let mut line = String::new();
                lines.read_line(&mut line).expect("a line");
                seen.send(()).expect("it is waited for");
            });
            while first.recv_timeout(Duration::from_millis(20)).is_err() {
                door.exists("/nothing-of-note");
            }
        });
        watcher
    }

    /// All lines up to the first that has `mark` in it.
    fn until(&mut self, mark: &str) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            assert_ne!(self.lines.read_line(&mut line).expect("a line"), 0, "the trace ended: {lines:#?}");
            lines.push(line.trim_end().to_owned());
            if line.contains(mark) {
                return lines;
            }
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.cat.kill().expect("a child of ours");
        self.cat.wait().expect("a child of ours");
    }
}

#[test]
fn the_metrics_are_what_another_projects_parser_takes_for_openmetrics() {
    let server = serve(&[]);
    let door = Door::nine(&server, Dialect::P9P2000U);
    let task = door.start("/guests/hello.wasm", "");
    assert_eq!(door.end_of(&task), "");
    door.exists("/no/such/file");
    let text = door.text("/dev/metrics");
    assert!(text.ends_with("# EOF\n"), "{text}");
    let python = top().join("build/venv/bin/python");
    let has_parser = || {
        let check =
            Command::new(&python).args(["-c", "import prometheus_client.openmetrics.parser"]).output();
        check.is_ok_and(|done| done.status.success())
    };
    if !has_parser() {
        return cannot_run(
            "the check of /dev/metrics by another's parser",
            "pip could not install prometheus-client",
        );
    }
    let script = r#"
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse
families = {f.name: f for f in parse(sys.stdin.read())}
for name, kind in [("taskfs_9p_connections", "gauge"), ("taskfs_9p_requests", "counter"), ("taskfs_9p_errors", "counter"),
                   ("taskfs_9p_answer_seconds", "histogram"), ("taskfs_tasks", "gauge"),
                   ("process_resident_memory_bytes", "gauge"), ("process_cpu_seconds", "counter")]:
    assert families[name].type == kind, (name, families[name].type)
assert len(families["taskfs_9p_answer_seconds"].samples) >= 18
print(sum(len(f.samples) for f in families.values()))
"#;
    let file = server.path("metrics");
    std::fs::write(&file, &text).expect("a temporary file");
    let script_file = server.path("parse.py");
    std::fs::write(&script_file, script).expect("a temporary file");
    let vars =
        [("PYTHON", python.to_str().expect("UTF-8")), ("AT", server.dir.path().to_str().expect("UTF-8"))];
    let parsed = text_of(&vars);
    let samples: usize = parsed.trim().parse().expect("a number");
    let ours = text.lines().filter(|line| !line.starts_with('#')).count();
    assert_eq!(samples, ours, "every line is a sample to it");
}

fn text_of(vars: &[(&str, &str)]) -> String {
    text(sh(r#""$PYTHON" "$AT/parse.py" < "$AT/metrics""#, vars, LIMIT))
}

#[test]
fn the_metrics_count_requests_errors_connections_fids_and_tasks() {
    let server = serve(&[]);
    let door = Door::nine(&server, Dialect::P9P2000L);
    let before = metrics(&door);
    assert_eq!(before["taskfs_9p_connections"], 1.0);
    for _ in 0..7 {
        assert!(!door.exists("/no-such-file"));
    }
    let mut peer = Peer::attached(&server);
    for fid in 5..15 {
        peer.open(fid, "/dev/null", OpenFlags::empty());
    }
    let tasks: Vec<String> = (0..3).map(|_| door.task("/guests/hello.wasm")).collect();
    let after = metrics(&door);
    assert_eq!(after["taskfs_9p_connections"], 2.0);
    let grew = |name: &str| after[name] - before.get(name).copied().unwrap_or(0.0);
    assert_eq!(grew("taskfs_9p_connections_accepted_total"), 1.0);
    assert_eq!(grew("taskfs_9p_errors_total{errno=\"ENOENT\"}"), 7.0);
    assert_eq!(grew("taskfs_9p_fids"), 11.0, "{after:#?}");
    assert!(grew("taskfs_9p_requests_total{type=\"Twalk\"}") >= 17.0);
    assert_eq!(after["taskfs_tasks{state=\"new\"}"], 3.0);
    assert!(grew("taskfs_9p_received_bytes_total") > 0.0 && grew("taskfs_9p_sent_bytes_total") > 0.0);
    assert!(grew("taskfs_9p_answer_seconds_count") > 20.0);

    // A read that waits is in flight.
    peer.open(20, &format!("{}/wait", tasks[0]), OpenFlags::empty());
    peer.send(9, Tmessage::Read { fid: Fid(20), offset: 0, count: 100 });
    until("the read waits", || metrics(&door)["taskfs_9p_requests_in_flight"] >= 1.0);
    drop(peer);
    until("what the connection held is gone", || {
        let now = metrics(&door);
        now["taskfs_9p_connections"] == 1.0 && now["taskfs_9p_fids"] == before["taskfs_9p_fids"]
    });
    let ended = metrics(&door);
    assert!(ended["taskfs_9p_requests_total{type=\"Tlopen\"}"] >= 11.0, "what it did stays counted");
    tasks.iter().for_each(|task| door.remove(task).expect("a new task can be removed"));
    assert_eq!(metrics(&door)["taskfs_tasks{state=\"new\"}"], 0.0);
}

#[test]
fn the_metrics_count_what_comes_through_fuse() {
    if !has_fuse("metrics of a FUSE mount") {
        return;
    }
    let dir = tempfile::tempdir().expect("a temporary directory");
    let server = serve(&["--mount", dir.path().to_str().expect("UTF-8")]);
    let door = Door::nine(&server, Dialect::P9P2000L);
    std::fs::write(dir.path().join("tmp/f"), "x").expect("writable");
    let open = std::fs::File::open(dir.path().join("tmp/f")).expect("readable");
    std::fs::metadata(dir.path().join("no-such-file")).expect_err("it is not there");
    let now = metrics(&door);
    assert_eq!((now["taskfs_fuse_mounts"], now["taskfs_fuse_files"]), (1.0, 1.0), "{now:#?}");
    assert!(now["taskfs_fuse_requests_total{operation=\"write\"}"] >= 1.0);
    assert!(now["taskfs_fuse_errors_total"] >= 1.0 && now["taskfs_fuse_inodes"] >= 2.0, "{now:#?}");
    drop(open);
    until("the file is closed", || metrics(&door)["taskfs_fuse_files"] == 0.0);
}

#[test]
fn trace9_shows_the_messages_of_others_in_words_as_they_pass() {
    let server = serve(&[]);
    let door = Door::nine(&server, Dialect::P9P2000L);
    let mut watcher = Watcher::start(&server, &door);
    let mut peer = Peer::attached(&server);
    peer.open(5, "/dev/zero", OpenFlags::empty());
    peer.send(77, Tmessage::Read { fid: Fid(5), offset: 4321, count: 1234 });
    assert_eq!(peer.kind(), 117, "Rread");
    peer.send(78, Tmessage::Clunk { fid: Fid(99) });
    assert_eq!(peer.kind(), 7, "Rlerror");
    let lines = watcher.until("Rlerror tag 78");
    let has = |words: &str| lines.iter().any(|line| line.ends_with(words));
    assert!(has("<- Tread tag 77 fid 5 offset 4321 count 1234"), "{lines:#?}");
    assert!(has("-> Rread tag 77 data (1234 bytes)"), "{lines:#?}");
    assert!(has("-> Rlerror tag 78 ecode 9 (fid unknown or out of range)"), "{lines:#?}");
    assert!(
        lines.iter().any(|line| line.contains("<- Twalk") && line.contains("dev") && line.contains("zero"))
    );
    // Time, connection, direction, message: for every line alike.
    for line in &lines {
        let words: Vec<&str> = line.splitn(4, ' ').collect();
        assert!(words.len() == 4 && words[0].len() == 15 && words[1].parse::<u64>().is_ok(), "{line}");
        assert!(matches!(words[2], "<-" | "->"), "{line}");
    }
    assert!(
        !lines.iter().any(|line| line.contains("(0 bytes)") || line.contains("Tread tag 0")),
        "{lines:#?}"
    );
}

#[test]
fn a_watcher_who_reads_over_9p_does_not_watch_himself_reading() {
    let server = serve(&[]);
    let door = Door::nine(&server, Dialect::P9P2000L);
    let mut watcher = Watcher::start(&server, &door);
    // If reading the trace made lines of the trace, they would come for ever.
    std::thread::sleep(Duration::from_millis(500));
    assert!(!door.exists("/the-next-that-is-looked-for"));
    let lines = watcher.until("the-next-that-is-looked-for");
    assert!(lines.len() < 40, "{} lines passed while nobody did anything: {lines:#?}", lines.len());
}

#[test]
fn many_watchers_each_see_all_that_passes_from_when_they_came() {
    let server = serve(&[]);
    let door = Door::nine(&server, Dialect::P9P2000L);
    let mut first = Watcher::start(&server, &door);
    assert!(!door.exists("/before-the-second"));
    let mut second = Watcher::start(&server, &door);
    assert!(!door.exists("/for-both"));
    assert!(first.until("for-both").iter().any(|line| line.contains("before-the-second")));
    assert!(!second.until("for-both").iter().any(|line| line.contains("before-the-second")));
}

#[test]
fn neither_other_users_nor_tasks_may_see_what_others_do() {
    let server = serve(&[]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let stream = tokio::net::UnixStream::connect(server.path("sock")).await.expect("the server listens");
        let client = Client::connect(stream, Dialect::P9P2000L, Msize(8192)).await.expect("9P");
        let stranger = client.attach(b"", Some(Uid(12345)), b"/").await.expect("it may come in");
        for file in ["metrics", "trace9"] {
            let mut fid = stranger.walk(["dev", file]).await.expect("it is there");
            let refused = fid.open(OpenFlags::empty()).await.expect_err("it is the owner's");
            assert!(refused.to_string().contains("13"), "EACCES for {file}: {refused}");
        }
    });
    let door = Door::nine(&server, Dialect::P9P2000L);
    for file in ["metrics", "trace9"] {
        let task = door.start(&format!("/guests/cat.wasm /dev/{file}"), "");
        assert_ne!(door.end_of(&task), "", "a task must not read /dev/{file}");
        let said = door.text(&format!("{task}/stdio/2"));
        assert!(said.to_lowercase().contains("permission denied"), "{file}: {said}");
        assert_eq!(door.text(&format!("{task}/stdio/1")), "", "nothing of {file}");
    }
}

#[test]
fn trace_9p_writes_the_messages_into_a_file_to_the_last() {
    let mut server = serve(&["--trace-9p={dir}/trace"]);
    let door = Door::nine(&server, Dialect::P9P2000U);
    assert!(!door.exists("/the-last-that-was-looked-for"));
    drop(door);
    assert_eq!(server.stop(), Some(0));
    let trace = std::fs::read_to_string(server.path("trace")).expect("the file");
    let line = trace.lines().find(|line| line.contains("Tattach")).expect("from the beginning");
    assert!(line.contains(" 1 <- Tattach tag "), "{line}");
    assert!(trace.contains("the-last-that-was-looked-for") && trace.contains("-> Rerror"), "{trace}");
}

#[test]
fn trace_9p_without_a_file_writes_to_stderr() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let socket = format!("unix://{}/sock", dir.path().display());
    let mut server = Command::new(taskfs());
    server.args(["serve", "--trace-9p", "--listen", &socket]).env("TASKFS_CACHE", dir.path().join("cache"));
    let mut server = server.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("taskfs starts");
    let mut said = BufReader::new(server.stdout.take().expect("piped")).lines();
    assert!(said.any(|line| line.is_ok_and(|line| line == "ready")));
    let listed =
        Command::new(taskfs()).args(["ls", "--server", &socket, "/"]).output().expect("taskfs starts");
    assert!(listed.status.success());
    let pid = rustix::process::Pid::from_raw(server.id() as i32).expect("a pid");
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("it runs");
    let mut trace = String::new();
    server.stderr.take().expect("piped").read_to_string(&mut trace).expect("text");
    server.wait().expect("it ends");
    assert!(trace.contains("<- Tversion tag ") && trace.contains("-> Rversion"), "{trace}");
}
