//! Preview 2 components as users meet them: made by componentize-py, by componentize-js, and of a module in Rust; run by a server,
//! with files of the task's directory, standard input, and a network that is there only where a capability says so.

use nine::wire::{Dialect, OpenFlags};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;
use tests::door::Door;
use tests::{Server, cannot_run, guests, sh, taskfs, text};

/// Compiling CPython takes seconds, and longer where the machine is busy.
const LIMIT: Duration = Duration::from_secs(240);

/// A server with /work, and the guests below /guests. It compiles its program once: all that is asked of a program is asked
/// of one server.
struct Here {
    server: Server,
    _root: tempfile::TempDir,
    program: &'static str,
}

impl Here {
    /// None where this machine cannot make such components: setup has said why.
    fn with(program: &'static str) -> Option<Here> {
        if !guests().join(program).exists() {
            cannot_run(program, "its tools could not be set up");
            return None;
        }
        let root = tempfile::tempdir().expect("a temporary directory");
        std::fs::create_dir(root.path().join("work")).expect("a directory can be made");
        let (spec, bind) =
            (format!("host:{}", root.path().display()), format!("{}:/guests:ro", guests().display()));
        let server = Server::start(&["--root", &spec, "--bind", &bind]);
        Some(Here { server, _root: root, program })
    }

    /// `taskfs WORDS`, as long as that takes.
    fn taskfs(&self, words: &str) -> String {
        let bin = taskfs();
        let vars = [("T", bin.to_str().expect("a UTF-8 path")), ("TASKFS_SERVER", &self.server.unix())];
        text(sh(&format!("$T {words}"), &vars, LIMIT))
    }

    /// Runs the program in /work, on two lines of input, with one more capability: its output, what its trace has to say of
    /// the network, and its exit status.
    fn go(&self, cap: &str, args: &[&str]) -> String {
        let door = Door::nine(&self.server, Dialect::P9P2000U);
        let task = door.task("");
        let words: Vec<String> = args.iter().map(|arg| format!("{arg}\n")).collect();
        door.say(&format!("{task}/argv"), &format!("/guests/{}\n{}", self.program, words.concat()));
        door.say(&format!("{task}/env"), "A=b\n");
        door.say(&format!("{task}/cwd"), "/work\n");
        if !cap.is_empty() {
            door.say(&format!("{task}/ctl"), &format!("cap {cap}\n"));
        }
        let trace = door.open(&format!("{task}/trace"), OpenFlags::empty()).expect("a trace");
        // Before it starts: a program that reads nothing may be gone before its input comes.
        door.say(&format!("{task}/stdio/0"), "one\ntwo\n");
        door.say(&format!("{task}/ctl"), "eof\n");
        self.taskfs(&format!("write {task}/ctl start"));
        self.taskfs(&format!("cat {task}/wait"));
        let mut said = Vec::new();
        loop {
            let more = trace.read(said.len() as u64, 32 << 10).expect("a trace");
            if more.is_empty() {
                break;
            }
            said.extend(more);
        }
        let said = String::from_utf8_lossy(&said).into_owned();
        let of_the_network =
            |line: &&str| ["connect(", "resolve(", "http("].iter().any(|call| line.starts_with(call));
        let mut lines: Vec<&str> = said.lines().filter(of_the_network).collect();
        lines.dedup();
        let lines: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let (output, status) =
            (door.text(&format!("{task}/stdio/1")), door.text(&format!("{task}/exitcode")));
        format!("{output}{lines}status {status}")
    }
}

/// Answers every connection with `answer`, whatever it says; the port. Nobody waits for its end.
fn answering(answer: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
    let port = listener.local_addr().expect("bound").port();
    std::thread::spawn(move || {
        for mut peer in listener.incoming().map_while(Result::ok) {
            let mut said = [0; 1000];
            // A peer that is gone already has got what it wanted.
            let _ = peer.read(&mut said).and_then(|_| peer.write_all(answer.as_bytes()));
        }
    });
    port
}

const GREETING: &str = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nhello\n";

impl Here {
    /// What the program is given, what it does with files, and what it makes of its input.
    fn sees_its_task_and_works_on_files(&self, files: &str) {
        let out = [&["about", "x", "y z"][..], &["files"], &["upper"]].map(|args| self.go("", args)).concat();
        assert_eq!(
            out,
            format!("argv about x y z\nA b\ncwd /work\nstatus 0\n{files}status 0\nONE\nTWO\nstatus 0\n")
        );
    }

    fn requests_go_only_where_a_capability_says(&self, refusal: &str) {
        let port = answering(GREETING);
        let server = format!("127.0.0.1:{port}");
        let out = ["", &format!("net:connect {server}")].map(|cap| self.go(cap, &["http", &server])).concat();
        let what = format!("http(GET http://127.0.0.1:{port}/greeting)");
        assert_eq!(
            out,
            format!(
                "failed {refusal}\n{what} = access-denied (permission denied: no capability \"net:connect \
                 127.0.0.1:{port}\")\nstatus 1\ngot 200 hello\n{what} = allowed\nstatus 0\n"
            )
        );
    }

    fn sockets_connect_only_where_a_capability_says(&self, refusal: &str) {
        let port = answering("pong\n");
        let number = port.to_string();
        let go = |cap: &str, host| self.go(cap, &["tcp", host, &number]);
        let refused = format!(
            "failed {refusal}\nconnect(127.0.0.1:{port}) = access-denied (permission denied: no capability \
             \"net:connect 127.0.0.1:{port}\")\nstatus 1\n"
        );
        assert_eq!(go("", "127.0.0.1"), refused);
        assert_eq!(go("net:connect 127.0.0.1:1", "127.0.0.1"), refused);
        let allowed = format!("got pong\nconnect(127.0.0.1:{port}) = allowed\nstatus 0\n");
        assert_eq!(go(&format!("net:connect 127.0.0.1:{port}"), "127.0.0.1"), allowed);
        let by_name = go(&format!("net:connect localhost:{port}"), "localhost");
        assert!(by_name.starts_with("got pong\nresolve(localhost) = allowed\n"), "{by_name}");
        assert!(by_name.ends_with("status 0\n"), "{by_name}");
        let unknown = go("net:connect 127.0.0.1:*", "localhost");
        let refused = "resolve(localhost) = access-denied (permission denied: no capability \
                       \"net:connect localhost:*\")\n";
        assert!(unknown.starts_with("failed ") && unknown.ends_with("status 1\n"), "{unknown}");
        assert!(unknown.contains(refused), "{unknown}");
    }
}

#[test]
fn a_component_in_python_works_on_its_files_and_reaches_what_its_capabilities_say() {
    let Some(here) = Here::with("component-py.wasm") else { return };
    here.sees_its_task_and_works_on_files(
        "read ['one', 'TWO']\nstat 7 86400\nlink f 7\nlist ['g', 'hard', 'link'] [True]\ngone\n",
    );
    here.sockets_connect_only_where_a_capability_says("PermissionError");
    here.requests_go_only_where_a_capability_says("HttpRequestDenied");
}

#[test]
fn a_component_in_javascript_works_on_its_files_and_reaches_what_its_capabilities_say() {
    let Some(here) = Here::with("component-js.wasm") else { return };
    here.sees_its_task_and_works_on_files(
        "read one TWO\nstat 7 86400\nlink f true\nlist g hard link symbolic-link\ngone no-entry\n",
    );
    here.requests_go_only_where_a_capability_says("HTTP-request-denied");
}

#[test]
fn a_component_in_rust_works_on_its_files_and_reaches_what_its_capabilities_say() {
    let Some(here) = Here::with("component-rs.wasm") else { return };
    here.sees_its_task_and_works_on_files(
        "read one TWO\nstat 7\nlink f 7\nlist g file\nlist hard file\nlist link link\ngone NotFound\n",
    );
    here.sockets_connect_only_where_a_capability_says("access-denied");
    here.requests_go_only_where_a_capability_says("HTTP-request-denied");
}
