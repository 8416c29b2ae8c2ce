//! Node programs on the real engines, as `taskfs run` runs them: for tests that a fake worker cannot stand in for.

use crate::{cannot_run, taskfs};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// An engine's worker that was built.
#[derive(Clone, Debug)]
pub struct Engine {
    pub name: &'static str,
    pub worker: PathBuf,
}

/// How a program ended, and what it said.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

/// The engines that are there; says so of the others.
pub fn engines(what: &str) -> Vec<Engine> {
    let engines = ["v8", "quickjs"].map(|name| {
        let worker = taskfs().with_file_name(format!("taskfs-node-{name}"));
        Engine { name, worker }
    });
    let there = |engine: &Engine| {
        let there = engine.worker.exists();
        if !there {
            cannot_run(&format!("{what} on {}", engine.name), "no such worker was built");
        }
        there
    };
    engines.into_iter().filter(there).collect()
}

impl Engine {
    pub fn is_v8(&self) -> bool {
        self.name == "v8"
    }

    pub fn worker(&self) -> &str {
        self.worker.to_str().expect("a UTF-8 path")
    }

    /// `taskfs run` with this engine and `args`, for a minute at most.
    pub fn run(&self, args: &[&str]) -> Ran {
        self.run_in(Path::new("/"), args)
    }

    /// The same from a directory of this machine.
    pub fn run_in(&self, dir: &Path, args: &[&str]) -> Ran {
        let child = Command::new(taskfs())
            .args(["run", "--node"])
            .arg(&self.worker)
            .args(args)
            .current_dir(dir)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("taskfs starts");
        let done = crate::finish(child, &format!("{} {args:?}", self.name), Duration::from_secs(60));
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ran { code: done.status.code(), out: text(&done.stdout), err: text(&done.stderr) }
    }

    /// Runs `text` as a program of its own.
    pub fn script(&self, name: &str, text: &str, args: &[&str]) -> Ran {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let program = dir.path().join(name);
        std::fs::write(&program, text).expect("room for a program");
        let program = program.to_str().expect("a UTF-8 path");
        self.run(&[args, &[program]].concat())
    }
}
