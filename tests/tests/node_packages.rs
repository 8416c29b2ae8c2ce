//! Real packages from npm's registry, used as their own documentation says: each script of tests/node/packages takes one
//! and prints `ok`. Real Node runs the same scripts; what an engine cannot run is named here, and has to fail.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use tests::{cannot_run, guests, taskfs, top};

/// Packages that do not work yet: engine, script, what is in the way.
const FAULTS: &[(&str, &str, &str)] = &[("quickjs", "yargs.mjs", "Intl.Segmenter gives no segments")];

/// Where `make setup` puts the packages.
fn packages() -> PathBuf {
    guests().with_file_name("node-packages")
}

fn scripts() -> Vec<PathBuf> {
    let folder = top().join("tests/node/packages");
    let mut scripts: Vec<_> =
        fs::read_dir(folder).expect("the scripts").map(|e| e.expect("a script").path()).collect();
    scripts.sort();
    assert!(scripts.len() > 20, "the scripts are there");
    scripts
}

/// Runs `script` in a task of its own that sees nothing but the packages and the scripts; what it said, where it did not say ok.
fn run(worker: &Path, script: &Path) -> Result<(), String> {
    let name = script.file_name().expect("a name").to_str().expect("text");
    let done = Command::new(taskfs())
        .args(["run", "--limit", "wall=240s", "--node"])
        .arg(worker)
        .arg("--bind")
        .arg(format!("{}:/node_modules:ro", packages().join("node_modules").display()))
        .arg("--bind")
        .arg(format!("{}:/scripts:ro", script.parent().expect("a folder").display()))
        .args(["-C", "/scripts", &format!("/scripts/{name}")])
        .output()
        .expect("taskfs runs");
    let said = String::from_utf8_lossy(&done.stdout);
    if done.status.success() && said.lines().last() == Some("ok") {
        return Ok(());
    }
    Err(format!("{name}: {}\n{said}{}", done.status, String::from_utf8_lossy(&done.stderr)))
}

fn packages_work_on(engine: &str) {
    let worker = taskfs().with_file_name(format!("taskfs-node-{engine}"));
    for (path, what) in
        [(&worker, "no such worker was built"), (&packages(), "the packages could not be installed")]
    {
        if !path.exists() {
            return cannot_run(&format!("npm packages on {engine}"), what);
        }
    }
    let scripts = scripts();
    let next = AtomicUsize::new(0);
    let at_once = std::thread::available_parallelism().map_or(2, usize::from);
    let results: Vec<_> = std::thread::scope(|scope| {
        let runners: Vec<_> = (0..at_once)
            .map(|_| {
                scope.spawn(|| {
                    let mine = std::iter::from_fn(|| scripts.get(next.fetch_add(1, Ordering::Relaxed)));
                    mine.map(|script| (script.clone(), run(&worker, script))).collect::<Vec<_>>()
                })
            })
            .collect();
        runners.into_iter().flat_map(|runner| runner.join().expect("no panic")).collect()
    });
    let mut wrong = Vec::new();
    for (script, result) in results {
        let name = script.file_name().expect("a name").to_string_lossy().into_owned();
        let fault = FAULTS.iter().find(|(on, which, _)| *on == engine && *which == name);
        match (result, fault) {
            (Err(said), None) => wrong.push(said),
            (Ok(()), Some((_, _, why))) => {
                wrong.push(format!("{name} works, and is listed as failing for: {why}"))
            }
            _ => {}
        }
    }
    assert!(wrong.is_empty(), "{} of {} on {engine}:\n{}", wrong.len(), scripts.len(), wrong.join("\n"));
}

#[test]
fn packages_from_npm_work_on_v8() {
    packages_work_on("v8");
}

#[test]
fn packages_from_npm_work_on_quickjs() {
    packages_work_on("quickjs");
}
