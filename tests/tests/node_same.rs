//! What Node does, done the same: each script of tests/node/same runs in a task, and says what it says in Node itself.
//!
//! What that is stands beside each script (`NAME.out`): its output, its errors and its exit code. Where the Node is there
//! whose version programs see, the scripts run in it, too, and have to say what is written; with TASKFS_RECORD in the
//! environment it is written anew. The names of the script's folder and the numbers of processes differ, and are replaced.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use tests::{cannot_run, guests, taskfs, top};

/// Scripts that differ on an engine, and why.
const FAULTS: &[(&str, &str, &str)] = &[
    ("quickjs", "endings.js", "it does not say where an error was thrown, and has other words for some"),
    (
        "quickjs",
        "threads-v8.js",
        "its heaps have no bounds of their own, Atomics.wait is not interrupted, functions and modules are cloned or not \
         in other words, syntax errors have other words",
    ),
    ("quickjs", "unsettled.js", "it has other words for a syntax error, and no line above it"),
];

/// Where the scripts are, as a task sees them.
const HERE: &str = "/same";

fn folder() -> PathBuf {
    top().join("tests/node/same")
}

fn scripts() -> Vec<PathBuf> {
    let entries = fs::read_dir(folder()).expect("the scripts").map(|e| e.expect("a script").path());
    let mut scripts: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|kind| kind == "js" || kind == "mjs")).collect();
    scripts.sort();
    assert!(scripts.len() > 2, "the scripts are there");
    scripts
}

/// The Node that programs see, of npm.
fn node() -> Option<PathBuf> {
    let modules = guests().with_file_name("node-26").join("node_modules");
    let node = fs::read_dir(modules).ok()?.filter_map(Result::ok).map(|e| e.path().join("bin/node"));
    node.into_iter().find(|node| node.exists())
}

/// What a program said, and how it ended.
fn said(command: &mut Command) -> String {
    let done = command.stdin(Stdio::null()).output().expect("it runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let code = done.status.code().map_or("none".into(), |code| code.to_string());
    let told = format!("{}--- errors\n{}--- code {code}\n", text(&done.stdout), text(&done.stderr));
    let told = told.replace(folder().to_str().expect("a UTF-8 path"), HERE);
    // `(node:123) Warning`
    let mut parts = told.split("(node:");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        plain.push_str("(node:PID");
        plain.push_str(part.trim_start_matches(|c: char| c.is_ascii_digit()));
    }
    plain
}

fn in_node(node: &Path, script: &Path) -> String {
    said(
        Command::new(node).arg(script).current_dir(folder()).env_remove("NO_COLOR").env_remove("FORCE_COLOR"),
    )
}

fn in_a_task(worker: &Path, script: &Path, limit: &str) -> String {
    let name = script.file_name().expect("a name").to_str().expect("text");
    said(
        Command::new(taskfs())
            .args(["run", "--limit", limit, "--cap", "spawn", "--node"])
            .arg(worker)
            .args(["--bind", &format!("{}:{HERE}:ro", folder().display())])
            .args(["-C", HERE, &format!("{HERE}/{name}")]),
    )
}

/// The first lines that differ.
fn difference(script: &Path, wanted: &str, got: &str) -> Option<String> {
    if wanted == got {
        return None;
    }
    let name = script.file_name().expect("a name").to_string_lossy();
    let (mut wanted, mut got) = (wanted.lines(), got.lines());
    let mut line = 0;
    loop {
        line += 1;
        match (wanted.next(), got.next()) {
            (one, other) if one == other && one.is_some() => {}
            (one, other) => {
                let rest: Vec<&str> = other.into_iter().chain(got).take(12).collect();
                return Some(format!(
                    "{name}, line {line}: Node says\n  {}\nand it is\n  {}",
                    one.unwrap_or("(nothing)"),
                    rest.join("\n  ")
                ));
            }
        }
    }
}

/// Every script through `run`, a few at once.
fn all(run: impl Fn(&Path) -> Option<String> + Sync) -> Vec<(PathBuf, Option<String>)> {
    let scripts = scripts();
    let next = AtomicUsize::new(0);
    let at_once = std::thread::available_parallelism().map_or(2, usize::from).min(4);
    std::thread::scope(|scope| {
        let runners: Vec<_> = (0..at_once)
            .map(|_| {
                scope.spawn(|| {
                    let mine = std::iter::from_fn(|| scripts.get(next.fetch_add(1, Ordering::Relaxed)));
                    mine.map(|script| (script.clone(), run(script))).collect::<Vec<_>>()
                })
            })
            .collect();
        runners.into_iter().flat_map(|runner| runner.join().expect("no panic")).collect()
    })
}

fn written(script: &Path) -> String {
    fs::read_to_string(script.with_extension("out")).unwrap_or_default()
}

fn same_on(engine: &str) {
    let worker = taskfs().with_file_name(format!("taskfs-node-{engine}"));
    if !worker.exists() {
        return cannot_run(&format!("what Node does, on {engine}"), "no such worker was built");
    }
    let fault = |script: &Path| {
        let name = script.file_name().expect("a name").to_string_lossy().into_owned();
        FAULTS.iter().find(|(on, which, _)| *on == engine && *which == name)
    };
    let found = all(|script| {
        // Whoever differs may do so by not ending.
        let limit = if fault(script).is_some() { "wall=10s" } else { "wall=120s" };
        difference(script, &written(script), &in_a_task(&worker, script, limit))
    });
    let mut wrong = Vec::new();
    for (script, found) in found {
        match (found, fault(&script)) {
            (Some(difference), None) => wrong.push(difference),
            (None, Some((_, name, why))) => {
                wrong.push(format!("{name} does as Node, and is listed as differing for: {why}"))
            }
            _ => {}
        }
    }
    assert!(wrong.is_empty(), "on {engine}:\n{}", wrong.join("\n\n"));
}

#[test]
fn programs_on_v8_say_what_they_say_in_node() {
    same_on("v8");
}

#[test]
fn programs_on_quickjs_say_what_they_say_in_node() {
    same_on("quickjs");
}

#[test]
fn what_is_written_is_what_node_says() {
    let Some(node) = node() else {
        return cannot_run("a comparison with Node itself", "npm could not install it");
    };
    if std::env::var_os("TASKFS_RECORD").is_some() {
        for script in scripts() {
            fs::write(script.with_extension("out"), in_node(&node, &script)).expect("room for a file");
        }
    }
    let wrong: Vec<String> = all(|script| difference(script, &written(script), &in_node(&node, script)))
        .into_iter()
        .filter_map(|(_, found)| found)
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// The rows of docs/node.md's table of missing names, as the script says them.
fn written_as_missing() -> Vec<String> {
    let page = fs::read_to_string(top().join("docs/node.md")).expect("the page");
    let (_, table) = page.split_once("| module | missing |").expect("the table");
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let cells = rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>());
    cells.map(|cells| format!("{}: {}", cells[0].trim_matches('`'), cells[1].replace('`', ""))).collect()
}

fn names_on(engine: &str) {
    let worker = taskfs().with_file_name(format!("taskfs-node-{engine}"));
    if !worker.exists() {
        return cannot_run(&format!("the names of Node's modules on {engine}"), "no such worker was built");
    }
    let folder = top().join("tests/node/names");
    let done = Command::new(taskfs())
        .args(["run", "--limit", "wall=60s", "--node"])
        .arg(worker)
        .args(["--bind", &format!("{}:/names:ro", folder.display()), "/names/missing.js"])
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    let missing: Vec<&str> = said.lines().collect();
    assert_eq!(missing, written_as_missing(), "{}", String::from_utf8_lossy(&done.stderr));
}

#[test]
fn every_name_of_nodes_modules_is_there_or_written_down_as_missing_on_v8() {
    names_on("v8");
}

#[test]
fn every_name_of_nodes_modules_is_there_or_written_down_as_missing_on_quickjs() {
    names_on("quickjs");
}
