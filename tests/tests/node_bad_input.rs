//! Programs that are wrong, and programs that take all they can get, on the real engines: each ends with words that say why, and
//! nobody else is the worse for it.

use nine::wire::{Dialect, OpenFlags};
use std::path::Path;
use std::time::Duration;
use tests::Server;
use tests::door::Door;
use tests::engines::{Engine, engines};

const WHAT: &str = "bad input of Node programs";

fn server(engine: &Engine) -> (Server, Door) {
    let server = Server::start(&["--node", engine.worker()]);
    let door = Door::nine(&server, Dialect::P9P2000U);
    (server, door)
}

fn put(door: &Door, name: &str, text: &str) -> String {
    let path = format!("/tmp/{name}");
    door.put(&path, text.as_bytes());
    path
}

/// Reads a task's output until it has said `what`.
fn said(door: &Door, task: &str, what: &str) {
    let file = door.open(&format!("{task}/stdio/1"), OpenFlags::empty()).expect("its output");
    let mut text = Vec::new();
    while !String::from_utf8_lossy(&text).contains(what) {
        let more = file.read(text.len() as u64, 4096).expect("its output");
        assert!(!more.is_empty(), "it ended after {:?}", String::from_utf8_lossy(&text));
        text.extend(more);
    }
}

#[test]
fn a_program_that_is_not_there_is_said_to_be_missing() {
    for engine in engines(WHAT) {
        let (_server, door) = server(&engine);
        let task = door.task("/tmp/missing.js");
        let refused = door.write(&format!("{task}/ctl"), b"start\n").expect_err("there is none");
        assert_eq!(refused.words.as_deref(), Some("start: /tmp/missing.js: file does not exist"));
        let task = door.start("node /tmp/missing.js", "");
        assert_eq!(door.end_of(&task), "exit status 1");
        let err = door.text(&format!("{task}/stdio/2"));
        assert!(err.contains("Error: Cannot find module '/tmp/missing.js'"), "{}: {err}", engine.name);
    }
}

#[test]
fn what_cannot_be_read_as_a_program_is_shown_where_it_is() {
    for engine in engines(WHAT) {
        let cases = [
            ("bad.cjs", "let a = 1;\nlet b = ;\n", "bad.cjs:2\nlet b = ;\n        ^\n"),
            ("bad.mjs", "let a = 1;\nlet b = ;\n", "bad.mjs:2\nlet b = ;\n        ^\n"),
            ("bad.ts", "let a = 1;\nlet b: number = ;\n", "let b: number = ;\n"),
        ];
        for (name, text, shown) in cases {
            let ran = engine.script(name, text, &[]);
            assert_eq!(ran.code, Some(1), "{} {name}", engine.name);
            assert!(ran.err.contains("SyntaxError"), "{} {name}: {}", engine.name, ran.err);
            assert!(!engine.is_v8() || ran.err.contains(shown), "{name}: {}", ran.err);
        }
    }
}

#[test]
fn modules_that_are_missing_circular_or_described_by_what_is_no_json() {
    for engine in engines(WHAT) {
        let dir = tempfile::tempdir().expect("a directory");
        let file = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("room");
            std::fs::write(path, text).expect("room");
        };
        file("none.cjs", "require('nope')");
        file("none.mjs", "import 'nope'");
        file("path.cjs", "require('./a/b')");
        file(
            "a.cjs",
            "exports.a = 1; const b = require('./b.cjs'); console.log(b.b, b.saw); exports.done = 1;",
        );
        file(
            "b.cjs",
            "const a = require('./a.cjs'); exports.b = 2; exports.saw = a.a + ',' + ('done' in a);",
        );
        file("bad/package.json", "{ \"main\": ");
        file("bad/index.js", "console.log('ran')");
        file("empty/package.json", "{}");
        let bind = format!("{}:/p", dir.path().display());
        let run = |program: &str| engine.run(&["--bind", &bind, program]);
        for (program, says) in [
            ("/p/none.cjs", "Cannot find module 'nope'\nRequire stack:\n- /p/none.cjs"),
            ("/p/none.mjs", "ERR_MODULE_NOT_FOUND"),
            ("/p/path.cjs", "Cannot find module './a/b'"),
            ("/p/bad/index.js", "/p/bad/package.json"),
            ("/p/bad", "Error parsing /p/bad/package.json"),
            ("/p/empty", "/p/empty/package.json names no program, and there is no index.js"),
        ] {
            let ran = run(program);
            assert_eq!(ran.code, Some(1), "{} {program}: {ran:?}", engine.name);
            assert!(ran.err.contains(says), "{} {program}: {}", engine.name, ran.err);
        }
        let ran = run("/p/a.cjs");
        assert_eq!((ran.code, ran.out.as_str()), (Some(0), "2 1,false\n"), "{}: {}", engine.name, ran.err);
    }
}

#[test]
fn a_package_is_a_program_and_so_is_node_with_a_script_of_this_machine() {
    for engine in engines(WHAT) {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::create_dir(dir.path().join("bin")).expect("room");
        std::fs::write(dir.path().join("package.json"), "{\"name\":\"x\",\"bin\":{\"x\":\"bin/x.js\"}}")
            .expect("room");
        let text = "console.log(__filename, process.cwd(), process.argv.slice(2).join())";
        std::fs::write(dir.path().join("bin/x.js"), text).expect("room");
        let here = dir.path().to_str().expect("a UTF-8 path");
        let says = |dir: &Path, args: &[&str], out: &str| {
            let ran = engine.run_in(dir, args);
            assert_eq!((ran.code, ran.out.as_str()), (Some(0), out), "{} {args:?}: {}", engine.name, ran.err);
        };
        says(Path::new("/"), &[here, "a", "-b"], "/app/bin/x.js /app a,-b\n");
        says(dir.path(), &[".", "a"], "/app/bin/x.js /app a\n");
        says(dir.path(), &["node", "bin/x.js", "c"], "/bin/x.js / c\n");
        says(dir.path(), &["node", "-p", "1 + 1"], "2\n");
        let (_server, door) = server(&engine);
        door.put("/tmp/package.json", b"{\"exports\":\"./x.js\"}");
        door.put("/tmp/x.js", b"console.log('from', __filename)");
        let task = door.start("/tmp", "");
        assert_eq!(door.end_of(&task), "", "{}", engine.name);
        assert_eq!(door.text(&format!("{task}/stdio/1")), "from /tmp/x.js\n");
    }
}

#[test]
fn names_that_are_not_utf8_are_shown_and_never_taken_for_others() {
    use std::os::unix::ffi::OsStrExt;
    for engine in engines(WHAT) {
        let dir = tempfile::tempdir().expect("a directory");
        let odd = std::ffi::OsStr::from_bytes(b"odd\xff");
        if std::fs::write(dir.path().join(odd), "x").is_err() {
            return tests::cannot_run(WHAT, "the file system takes no such names");
        }
        let bind = format!("{}:/u", dir.path().display());
        let text = "const fs = require('fs'); const [name] = fs.readdirSync('/u'); console.log(name);
            try { console.log(fs.readFileSync('/u/' + name, 'utf8')) } catch (e) { console.log(e.code) }";
        let ran = engine.script("names.js", text, &["--bind", &bind]);
        assert_eq!(ran.out, "odd\u{fffd}\nENOENT\n", "{}: {}", engine.name, ran.err);
    }
}

#[test]
fn who_fills_its_memory_is_told_so_and_ended() {
    let heap = "const all = []; for (;;) all.push(new Array(1000).fill({}));";
    let typed = "const all = []; for (;;) all.push(new Uint8Array(1 << 20).fill(1));";
    for engine in engines(WHAT) {
        let (_server, door) = server(&engine);
        for (name, text) in [("heap.js", heap), ("typed.js", typed)] {
            let task = door.start(&put(&door, name, text), "memory=100M");
            let end = door.end_of(&task);
            let clear = end == "memory limit 100M reached" || end.contains("out of memory");
            assert!(clear, "{} {name}: {end}", engine.name);
            assert_eq!(door.text(&format!("{task}/exitcode")), "134\n");
        }
    }
}

#[test]
fn whatever_it_is_stuck_in_it_is_stopped_thawed_and_killed() {
    let stuck = [
        ("loop.js", "process.stdout.write('up\\n'); for (;;);"),
        ("regex.js", "process.stdout.write('up\\n'); /^(a+)+$/.test('a'.repeat(60) + 'b');"),
        (
            "wait.js",
            "process.stdout.write('up\\n'); Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);",
        ),
        ("idle.js", "process.stdout.write('up\\n'); setInterval(() => {}, 1e6);"),
    ];
    for engine in engines(WHAT) {
        let (_server, door) = server(&engine);
        for (name, text) in stuck {
            let task = door.start(&put(&door, name, text), "");
            said(&door, &task, "up\n");
            door.say(&format!("{task}/ctl"), "stop\n");
            assert_eq!(door.text(&format!("{task}/status")), "stopped\n");
            door.say(&format!("{task}/ctl"), "cont\n");
            assert_eq!(door.text(&format!("{task}/status")), "running\n");
            door.say(&format!("{task}/ctl"), "kill\n");
            assert_eq!(door.end_of(&task), "killed by SIGKILL", "{} {name}", engine.name);
        }
    }
}

#[test]
fn a_worker_that_is_killed_is_one_tasks_end_and_the_next_task_runs() {
    for engine in engines(WHAT) {
        let (_server, door) = server(&engine);
        let bystander = door.start(
            &put(
                &door,
                "by.js",
                "process.on('SIGINT', () => process.exit(5)); console.log('up'); setInterval(() => {}, 1e6)",
            ),
            "",
        );
        said(&door, &bystander, "up\n");
        // It ends itself as a fault of the engine's would.
        let task = door.start(&put(&door, "crash.js", "console.log('up'); process.abort()"), "");
        let end = door.end_of(&task);
        assert!(end.contains("SIGABRT"), "{}: {end}", engine.name);
        let task = door.start(&put(&door, "next.js", "console.log('next')"), "");
        assert_eq!(door.end_of(&task), "");
        door.say(&format!("{bystander}/ctl"), "kill INT\n");
        assert_eq!(door.end_of(&bystander), "exit status 5");
    }
}

/// The processes below another, as `/proc` has them: number, and when they began.
fn below(pid: u32) -> Vec<(u32, String)> {
    let of = |entry: std::fs::DirEntry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        Some((pid, fields[1].parse::<u32>().ok()?, fields[19].to_owned()))
    };
    let all: Vec<_> =
        std::fs::read_dir("/proc").expect("/proc").filter_map(Result::ok).filter_map(of).collect();
    let mut above = vec![pid];
    let mut found = Vec::new();
    while let Some(parent) = above.pop() {
        for (pid, _, begun) in all.iter().filter(|(_, of, _)| *of == parent) {
            above.push(*pid);
            found.push((*pid, begun.clone()));
        }
    }
    found
}

fn send(pid: u32, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(pid.cast_signed()).expect("a pid");
    // It may have ended.
    let _ended = rustix::process::kill_process(pid, signal);
}

const UP: &str = "console.log('up'); setInterval(() => {}, 1e6)";

#[test]
fn a_worker_that_crashes_is_its_tasks_end_and_says_by_which_signal() {
    for engine in engines(WHAT) {
        let (server, door) = server(&engine);
        let task = door.start(&put(&door, "up.js", UP), "");
        said(&door, &task, "up\n");
        // Their inits are deaf to it.
        below(server.pid()).iter().for_each(|(pid, _)| send(*pid, rustix::process::Signal::SEGV));
        // What it said last stands behind it, if anything.
        let end = door.end_of(&task);
        assert!(end.starts_with("its worker crashed: SIGSEGV"), "{}: {end}", engine.name);
        let deadline = std::time::Instant::now() + Duration::from_secs(60);
        loop {
            // One that is given a worker which is dying right then ends with it.
            let task = door.start(&put(&door, "next.js", "console.log('next')"), "");
            if door.end_of(&task).is_empty() {
                break;
            }
            assert!(std::time::Instant::now() < deadline, "{}: new workers are made", engine.name);
        }
    }
}

#[test]
fn a_server_that_is_killed_leaves_no_worker_behind() {
    for engine in engines(WHAT) {
        let (server, door) = server(&engine);
        let quiet = door.start(&put(&door, "up.js", UP), "");
        let busy = door.start(&put(&door, "busy.js", "console.log('up'); for (;;);"), "");
        said(&door, &quiet, "up\n");
        said(&door, &busy, "up\n");
        let workers = below(server.pid());
        assert!(workers.len() >= 2, "{}: {workers:?}", engine.name);
        send(server.pid(), rustix::process::Signal::KILL);
        let lives = |(pid, begun): &(u32, String)| {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            let fields = stat.rsplit_once(')').map(|(_, rest)| rest.split_whitespace().collect::<Vec<_>>());
            fields.is_some_and(|fields| fields[19] == begun && !matches!(fields[0], "Z" | "X"))
        };
        let deadline = std::time::Instant::now() + Duration::from_secs(60);
        while workers.iter().any(lives) {
            assert!(std::time::Instant::now() < deadline, "{}: its workers end", engine.name);
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

#[test]
fn there_is_no_inspector_and_who_asks_for_one_is_told() {
    let text = r#"
const inspector = require("inspector");
for (const ask of [() => inspector.open(0), () => new inspector.Session().connect(), () => inspector.waitForDebugger()]) {
  try { ask(); console.log("done"); } catch (e) { console.log(e.message); }
}
console.log(inspector.url());
"#;
    let none = "the inspector is not available here: a task cannot be debugged from within";
    for engine in engines(WHAT) {
        let ran = engine.script("inspector.js", text, &[]);
        let lines: Vec<&str> = ran.out.lines().collect();
        assert_eq!(lines[..2], [none; 2], "{}: {}", engine.name, ran.err);
        assert_eq!(lines.last(), Some(&"undefined"), "{}: {}", engine.name, ran.out);
        let ran = engine.run(&["node", "--inspect", "-p", "1"]);
        assert!(ran.err.contains("--inspect: the inspector is not available here"), "{}", ran.err);
        assert_eq!(ran.out, "");
    }
}

#[test]
fn who_writes_faster_than_anyone_reads_waits_and_can_be_killed() {
    for engine in engines(WHAT) {
        let (_server, door) = server(&engine);
        let flood = "const line = 'x'.repeat(65535) + '\\n'; for (;;) process.stdout.write(line);";
        let task = door.start(&put(&door, "flood.js", flood), "");
        // Its log is bounded: it stands still.
        let used = || {
            let usage = door.text(&format!("{task}/usage"));
            let line = usage.lines().find_map(|line| line.strip_prefix("output ")).map(str::to_owned);
            line.and_then(|n| n.parse::<u64>().ok()).unwrap_or_else(|| panic!("{usage}"))
        };
        let deadline = std::time::Instant::now() + Duration::from_secs(20);
        while used() == 0 {
            assert!(std::time::Instant::now() < deadline, "it writes");
        }
        assert!(used() < 1 << 30);
        let other = door.start(&put(&door, "other.js", "console.log('well')"), "");
        assert_eq!(door.end_of(&other), "");
        door.say(&format!("{task}/ctl"), "kill\n");
        assert_eq!(door.end_of(&task), "killed by SIGKILL", "{}", engine.name);
    }
}

#[test]
fn open_files_are_bounded_as_node_says_it_and_ten_thousand_may_be_open() {
    let text = "const fs = require('fs'); const fds = [];
        const most = Number(process.argv[2]);
        try { for (let n = 0; n < most; n++) fds.push(fs.openSync('/tmp/file', 'a+')); } catch (e) { console.log(e.code, e.message); }
        console.log(fds.length);
        for (const fd of fds) fs.closeSync(fd);
        console.log(fs.readFileSync('/tmp/file', 'utf8'));";
    for engine in engines(WHAT) {
        let (_server, door) = server(&engine);
        put(&door, "file", "text");
        let program = put(&door, "many.js", text);
        let task = door.start(&format!("{program} 10000"), "");
        assert_eq!(door.end_of(&task), "");
        assert_eq!(door.text(&format!("{task}/stdio/1")), "10000\ntext\n", "{}", engine.name);
        let task = door.start(&format!("{program} 100"), "files=20");
        assert_eq!(door.end_of(&task), "");
        let said = door.text(&format!("{task}/stdio/1"));
        let lines: Vec<&str> = said.lines().collect();
        assert_eq!(lines[0], "EMFILE EMFILE: too many open files, open '/tmp/file'", "{}", engine.name);
        let open: u32 = lines[1].parse().expect("a number");
        assert!((10..=20).contains(&open) && lines[2] == "text", "{}: {said}", engine.name);
    }
}

#[test]
fn a_fork_bomb_is_bounded_and_gone_with_its_maker() {
    let bomb = "const { spawn } = require('child_process'); let refused = 0;
        for (let n = 0; n < 50; n++) {
          spawn('/bin/node', ['-e', 'setInterval(() => {}, 1e6)'], { stdio: 'ignore' }).on('error', (e) => {
            if (++refused === 1) console.log(e.code);
          });
        }
        setInterval(() => {}, 1e6);";
    for engine in engines(WHAT) {
        let (_server, door) = server(&engine);
        let program = put(&door, "bomb.js", bomb);
        let task = door.task(&program);
        door.say(&format!("{task}/ctl"), "cap spawn\n");
        door.say(&format!("{task}/ctl"), "limit tasks=3\n");
        door.say(&format!("{task}/ctl"), "start\n");
        said(&door, &task, "EAGAIN\n");
        let tasks = || door.list("/task").iter().filter(|name| name.parse::<u32>().is_ok()).count();
        assert!(tasks() <= 4, "{}: {} tasks", engine.name, tasks());
        door.say(&format!("{task}/ctl"), "kill\n");
        assert_eq!(door.end_of(&task), "killed by SIGKILL");
        let deadline = std::time::Instant::now() + Duration::from_secs(20);
        while tasks() > 1 {
            assert!(std::time::Instant::now() < deadline, "its children go with it");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

#[test]
fn what_a_program_does_with_files_is_traced_and_counted() {
    for engine in engines(WHAT) {
        let (_server, door) = server(&engine);
        let text = "const fs = require('fs'); process.stdout.write('up\\n');
            process.stdin.once('data', () => {
              fs.mkdirSync('/tmp/d'); fs.writeFileSync('/tmp/d/f', 'text'); fs.readFileSync('/tmp/d/f');
              try { fs.readFileSync('/tmp/none'); } catch {}
              fs.renameSync('/tmp/d/f', '/tmp/d/g'); fs.unlinkSync('/tmp/d/g'); process.exit();
            });";
        let task = door.start(&put(&door, "trace.js", text), "");
        said(&door, &task, "up\n");
        let trace = door.open(&format!("{task}/trace"), OpenFlags::empty()).expect("a trace");
        door.say(&format!("{task}/stdio/0"), "go\n");
        assert_eq!(door.end_of(&task), "");
        let mut lines = Vec::new();
        loop {
            let more = trace.read(lines.len() as u64, 65536).expect("lines");
            if more.is_empty() {
                break;
            }
            lines.extend(more);
        }
        let lines = String::from_utf8_lossy(&lines).into_owned();
        for line in [
            "mkdir(\"/tmp/d\", 755) = 0",
            "write(\"/tmp/d/f\", 4, 0) = 4",
            "rename(\"/tmp/d/f\", \"/tmp/d/g\") = 0",
            "unlink(\"/tmp/d/g\") = 0",
            "lookup(\"/tmp/none\") = ENOENT (file does not exist)",
        ] {
            assert!(lines.lines().any(|said| said == line), "{}: no {line} in\n{lines}", engine.name);
        }
        assert!(lines.contains("open(\"/tmp/d/f\", O_WRONLY|O_CREAT"), "{}: {lines}", engine.name);
        let usage = door.text(&format!("{task}/usage"));
        let round_trips = usage.lines().find_map(|line| line.strip_prefix("round-trips "));
        assert!(round_trips.is_some_and(|n| n.parse::<u64>().is_ok_and(|n| n > 5)), "{usage}");
    }
}

#[test]
fn what_is_refused_names_the_capability_that_is_missing() {
    let text = r#"
const fs = require("fs"), net = require("net"), dns = require("dns"), cp = require("child_process"), http = require("http");
const said = [];
const show = (what, e) => said.push(`${what} ${e.code}: ${e.message.split(": ").pop()}`);
try { fs.writeFileSync("/bin/x", ""); } catch (e) { show("write", e); }
try { fs.readdirSync("/tmp"); } catch (e) { show("list", e); }
try { cp.execFileSync("node", ["-v"]); } catch (e) { show("spawnSync", e); }
fs.promises.readFile("/dev/ns").catch((e) => show("read", e));
net.connect(80, "192.0.2.1").on("error", (e) => show("connect", e));
net.createServer().on("error", (e) => show("listen", e)).listen(3000, "0.0.0.0");
dns.lookup("example.org", (e) => show("dns", e));
dns.resolve4("example.net", (e) => show("resolve4", e));
dns.resolveMx("example.net", (e) => show("resolveMx", e));
dns.resolve4("localhost", (e, found) => said.push(`localhost ${e ?? found}`));
fetch("http://192.0.2.2/").catch((e) => show("fetch", e.cause));
fetch("http://example.com/").catch((e) => show("fetch", e.cause));
http.get("http://192.0.2.3/").on("error", (e) => show("http", e));
new WebSocket("ws://192.0.2.4/").onerror = (e) => show("ws", { message: e.message });
cp.spawn("node", ["-v"]).on("error", (e) => show("spawn", e));
process.on("exit", () => console.log(said.sort().join("\n")));
"#;
    let expected = [
        "connect EACCES: no capability \"net:connect 192.0.2.1:80\"",
        "dns EACCES: no capability \"net:connect example.org:*\"",
        "fetch EACCES: no capability \"net:connect 192.0.2.2:80\"",
        "fetch EACCES: no capability \"net:connect example.com:*\"",
        "http EACCES: no capability \"net:connect 192.0.2.3:80\"",
        "list EACCES: no capability \"fs:/tmp read\"",
        "listen EACCES: no capability \"net:listen 0.0.0.0:3000\"",
        "localhost 127.0.0.1",
        "read EACCES: no capability \"fs:/dev/ns read\"",
        "resolve4 EACCES: no capability \"net:connect example.net:*\"",
        "resolveMx ENOTIMP: queryMx ENOTIMP example.net",
        "spawn EACCES: no capability \"spawn\"",
        "spawnSync EACCES: no capability \"spawn\"",
        "write EACCES: no capability \"fs:/bin/x write\"",
        "ws undefined: no capability \"net:connect 192.0.2.4:80\"",
    ];
    for engine in engines(WHAT) {
        let ran = engine.script("refused.js", text, &["--cap", "none", "--cap", "fs:/bin read"]);
        let lines: Vec<&str> = ran.out.lines().collect();
        assert_eq!(lines, expected, "{}: {}", engine.name, ran.err);
    }
}
