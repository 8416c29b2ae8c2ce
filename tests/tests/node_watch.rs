//! Programs that watch files: changes by whoever makes them are told, in a memory tree and in a host directory, without polling.

use nine::wire::{Dialect, OpenFlags};
use tests::Server;
use tests::door::Door;
use tests::engines::engines;

#[test]
fn a_program_is_told_of_its_own_changes_in_their_order() {
    let text = r#"
const fs = require("fs");
fs.mkdirSync("/tmp/d");
const seen = [];
const watcher = fs.watch("/tmp/d", { recursive: true }, (what, name) => seen.push(`${what} ${name}`));
const step = (change) => new Promise((done) => { change(); setTimeout(done, 100); });
(async () => {
  await step(() => fs.writeFileSync("/tmp/d/a", "1"));
  await step(() => { fs.mkdirSync("/tmp/d/s"); fs.writeFileSync("/tmp/d/s/two\nlines", "1"); });
  await step(() => fs.renameSync("/tmp/d/a", "/tmp/d/b"));
  await step(() => fs.chmodSync("/tmp/d/b", 0o600));
  await step(() => fs.readFileSync("/tmp/d/b"));
  await step(() => fs.unlinkSync("/tmp/d/b"));
  watcher.close();
  await step(() => fs.writeFileSync("/tmp/d/late", "1"));
  console.log(JSON.stringify(seen));
})();
"#;
    let expected = [
        "rename a",
        "change a",
        "rename s",
        "rename s/two\\n",
        "change s/two\\n",
        "rename a",
        "rename b",
        "change b",
        "rename b",
    ];
    for engine in engines("watching files") {
        let ran = engine.script("watch.js", text, &[]);
        let said = expected.map(|event| format!("\"{}\"", event.replace("\\n", "\\nlines"))).join(",");
        assert_eq!(ran.out, format!("[{said}]\n"), "{}: {}", engine.name, ran.err);
    }
}

#[test]
fn what_cannot_be_watched_is_an_error_that_names_it() {
    let text = r#"
const fs = require("fs");
try { fs.watch("/missing"); } catch (e) { console.log(e.code, e.message); }
(async () => {
  try { for await (const _ of fs.promises.watch("/missing")); } catch (e) { console.log(e.code); }
  const stop = new AbortController();
  setTimeout(() => fs.writeFileSync("/tmp/f", ""), 10);
  try {
    for await (const event of fs.promises.watch("/tmp", { signal: stop.signal })) {
      console.log(event.eventType, event.filename);
      stop.abort();
    }
  } catch (e) { console.log(e.name); }
  fs.watch("/tmp", { persistent: false });
  fs.watch("/tmp").unref();
})();
"#;
    for engine in engines("watching files") {
        let ran = engine.script("watch.js", text, &[]);
        let lines: Vec<&str> = ran.out.lines().collect();
        assert_eq!(ran.code, Some(0), "{}: {ran:?}", engine.name);
        assert_eq!(lines[0], "ENOENT ENOENT: no such file or directory, watch '/missing'");
        assert_eq!(lines[1..], ["ENOENT", "rename f", "AbortError"], "{}", engine.name);
    }
}

#[test]
fn devices_and_tasks_may_be_watched_and_tell_nothing_as_those_of_a_machine() {
    let text = r#"
const fs = require("fs");
// As development servers do that were started in the root: each directory, and each file in it.
const watched = [];
const watch = (path) => {
  watched.push(fs.watch(path, (what, name) => console.log(path, what, name)));
  if (!fs.statSync(path).isDirectory()) return;
  for (const name of path === "/lib" ? [] : fs.readdirSync(path)) {
    const below = path === "/" ? "/" + name : path + "/" + name;
    if (!/^\/(bin|runtime|web|task)\/./.test(below)) watch(below);
  }
};
watch("/");
watched.push(fs.watch("/", { recursive: true }, (what, name) => name.startsWith("dev") && console.log(what, name)));
fs.writeFileSync("/dev/null", "nobody is told");
setTimeout(() => { watched.forEach((one) => one.close()); console.log(watched.length > 10, "done"); }, 300);
"#;
    for engine in engines("watching devices") {
        let ran = engine.script("watch.js", text, &[]);
        assert_eq!(ran.out, "true done\n", "{}: {ran:?}", engine.name);
    }
}

/// Waits until the task has said all of `what`, in this order.
fn said(door: &Door, task: &str, what: &[&str]) {
    let file = door.open(&format!("{task}/stdio/1"), OpenFlags::empty()).expect("its output");
    let mut text = String::new();
    let mut wanted = what.iter().peekable();
    let mut from = 0;
    while let Some(next) = wanted.peek() {
        if let Some(at) = text[from..].find(**next) {
            from += at + next.len();
            wanted.next();
            continue;
        }
        let more = file.read(text.len() as u64, 4096).expect("its output");
        assert!(!more.is_empty(), "it ended after {text:?}; wanted {next:?}");
        text.push_str(&String::from_utf8_lossy(&more));
    }
}

#[test]
fn a_program_is_told_of_what_others_change_in_memory_and_on_the_host() {
    for engine in engines("watching files") {
        let host = tempfile::tempdir().expect("a directory");
        let bind = format!("{}:/h", host.path().display());
        let server = Server::start(&["--node", engine.worker(), "--bind", &bind]);
        let door = Door::nine(&server, Dialect::P9P2000U);
        let text = r#"
const fs = require("fs");
for (const dir of ["/tmp", "/h"]) {
  fs.watch(dir, { recursive: true }, (what, name) => process.stdout.write(`${dir} ${what} ${name}\n`));
}
fs.watchFile("/tmp/polled", { interval: 20 }, (now, before) => {
  process.stdout.write(`polled ${before.size} ${now.size}\n`);
});
process.stdout.write("up\n");
"#;
        door.put("/home/watch.js", text.as_bytes());
        let task = door.start("/home/watch.js", "");
        said(&door, &task, &["up\n"]);
        door.put("/tmp/f", b"text");
        said(&door, &task, &["/tmp rename f\n", "/tmp change f\n"]);
        std::fs::create_dir(host.path().join("sub")).expect("room");
        std::fs::write(host.path().join("sub/theirs"), "x").expect("room");
        said(&door, &task, &["/h rename sub\n", "/h rename sub/theirs\n"]);
        door.put("/h/ours", b"text");
        said(&door, &task, &["/h rename ours\n", "/h change ours\n"]);
        door.put("/tmp/polled", b"four");
        said(&door, &task, &["polled 0 4\n"]);
        door.say(&format!("{task}/ctl"), "kill\n");
        assert_eq!(door.end_of(&task), "killed by SIGKILL");
    }
}

#[test]
fn a_shell_watches_by_a_device() {
    let server = Server::start(&[]);
    let door = Door::nine(&server, Dialect::P9P2000U);
    let watch = door.open("/dev/watch", OpenFlags::RDWR).expect("a device");
    let refused = watch.write_all(b"/missing\n").expect_err("it is not there");
    assert_eq!(refused.words.as_deref(), Some("/missing: file does not exist"));
    watch.write_all(b"-r /tmp\n").expect("it is there");
    door.put("/tmp/new file", b"text");
    let mut text = String::new();
    while !text.contains("change new file\n") {
        text.push_str(&String::from_utf8_lossy(&watch.read(0, 4096).expect("lines")));
    }
    assert!(text.starts_with("rename new file\n"), "{text}");
    // Who only looks does not wait.
    assert_eq!(door.text("/dev/watch"), "");
}
