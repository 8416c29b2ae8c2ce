//! The Node runtime as the registry of runtimes sees it: `nodejs`, and each engine by its own name.

use crate::cgroup::Cgroups;
use crate::door::Door;
use crate::engine::Engine;
use crate::ipc::Exchange;
use crate::link::Given;
use crate::net::{self, Neighbour};
use crate::pool::Pool;
use crate::refusals::Told;
use crate::running::RunningWorker;
use crate::spec;
use crate::terminal::{self, Screen};
use std::sync::Arc;
use task::{Capability, Fit, Program, Reach, Running, Runtime, Start};
use tokio::sync::Semaphore;
use vfs::{Errno, Error, Guard, Op, OpenFlags, Result, TreeTag, WatchRoom};

/// How the Node runtimes are set up.
#[derive(Clone, Debug)]
pub struct Config {
    /// Workers kept warm, of the best engine; others keep none.
    pub pool: usize,
    /// Programs run also where the machine lacks a part of the wall.
    pub weak_walls: bool,
    /// npm is at [`NPM`] in the namespaces of programs.
    pub npm: bool,
    /// Whom groups of tasks find on their loopbacks besides.
    pub neighbour: Option<Neighbour>,
}

impl Default for Config {
    fn default() -> Config {
        Config { pool: 2, weak_walls: false, npm: false, neighbour: None }
    }
}

/// Where namespaces have the package npm.
pub const NPM: &str = "/lib/node/lib/node_modules/npm";

/// Files that one program may watch; a recursive watch watches all below it. As inotify's limit of old.
const WATCHES: usize = 65_536;

/// Extensions that Node programs go by.
const EXTENSIONS: [&[u8]; 6] = [b".js", b".mjs", b".cjs", b".ts", b".mts", b".cts"];

/// Runs Node programs with one engine.
pub struct NodeRuntime {
    name: &'static str,
    pool: Arc<Pool>,
    /// It is the one that /bin has its programs of.
    programs: Vec<(&'static str, Vec<u8>)>,
    neighbour: Option<Neighbour>,
}

/// What stands for npm's command `name` in /bin: a program that loads npm's own. `import()`, since a package.json in the root may
/// make an ES module of it, where there is no `require`.
pub fn script(name: &str) -> Vec<u8> {
    format!("#!/bin/node\nimport('{NPM}/bin/{name}-cli.js')\n").into_bytes()
}

/// /bin/node, and /bin/npm and /bin/npx where there is npm.
fn programs(npm: bool) -> Vec<(&'static str, Vec<u8>)> {
    let mut programs = vec![("node", spec::NODE.to_vec())];
    if npm {
        programs.extend([("npm", script("npm")), ("npx", script("npx"))]);
    }
    programs
}

/// The runtimes for `engines`, the best first: `nodejs`, which is that, and each by its own name.
///
/// # Errors
/// Where the process has no threads or tree numbers left.
pub fn runtimes(engines: Vec<Engine>, config: &Config) -> Result<Vec<Arc<dyn Runtime>>> {
    let mut runtimes: Vec<Arc<dyn Runtime>> = Vec::new();
    let exchange = Arc::new(Exchange::default());
    let cgroups = if engines.is_empty() { None } else { cgroups() };
    for engine in engines {
        let best = runtimes.is_empty();
        let name = match engine.name() {
            "v8" => "nodejs-v8",
            _ => "nodejs-quickjs",
        };
        let tag = TreeTag::take().ok_or_else(|| Error::new(Errno::ENFILE, "too many trees"))?;
        let size = if best { config.pool } else { 0 };
        let door = Door::new(tag);
        let pool = Pool::start(engine, door, exchange.clone(), size, config.weak_walls, cgroups.clone())?;
        if best {
            runtimes.push(Arc::new(NodeRuntime {
                name: "nodejs",
                pool: pool.clone(),
                programs: programs(config.npm),
                neighbour: config.neighbour.clone(),
            }));
        }
        runtimes.push(Arc::new(NodeRuntime {
            name,
            pool,
            programs: Vec::new(),
            neighbour: config.neighbour.clone(),
        }));
    }
    Ok(runtimes)
}

/// Without them memory is looked at, and bounded no other way.
fn cgroups() -> Option<Arc<Cgroups>> {
    match Cgroups::find() {
        Ok(groups) => Some(Arc::new(groups)),
        Err(why) => {
            tracing::debug!("workers have no cgroups: {why}");
            None
        }
    }
}

impl NodeRuntime {
    async fn launch(&self, start: Start) -> Result<Arc<dyn Running>> {
        let is_node = is_node_itself(&start).await?;
        let ipc = self.pool.exchange.take(start.id.0);
        let spec = spec::document(&start, is_node, ipc.is_some())?;
        let worker = self.pool.take().await?;
        let reach = Reach::new(start.caps, start.who.task, start.trace.clone()).of_group(start.group.clone());
        let lookups = Semaphore::new(net::AT_ONCE);
        let mut who = start.who;
        who.guard = who.guard.map(|guard| {
            let refusals = worker.link.refusals.clone();
            Arc::new(Told { guard, refusals }) as Arc<dyn Guard>
        });
        let screen = Screen::of(&start.stdio);
        let given = Given {
            id: start.id,
            spec,
            stdio: start.stdio,
            tasks: start.table,
            root: start.ns.root(),
            who: Arc::new(who),
            trace: start.trace,
            reach,
            lookups,
            group: start.group,
            watches: WatchRoom::new(WATCHES),
            neighbour: self.neighbour.clone(),
            screen,
            ipc,
        };
        worker.give(given, start.usage, start.limits);
        let (ended, pool, link) = (worker.wait(), self.pool.clone(), worker.link.clone());
        tokio::spawn(async move {
            tokio::select! {
                _ = ended => {}
                never = terminal::follow(&link) => match never {},
            }
            pool.give_back();
        });
        self.pool.refill();
        Ok(Arc::new(RunningWorker(worker)))
    }
}

/// Whether the program is the `node` command: then what it runs is on its command line. Fails where the guest may not read its
/// own program.
async fn is_node_itself(start: &Start) -> Result<bool> {
    if start.program.kind().is_dir() {
        return Ok(false);
    }
    let name = || start.program.shown();
    let file = start.program.open(&start.who, OpenFlags::READ).await.map_err(|e| e.context(name()))?;
    let mut head = [0; spec::NODE.len()];
    let count = file.read(0, &mut head).await.map_err(|e| e.context(name()))?;
    Ok(head[..count] == *spec::NODE)
}

/// Whether a `#!` line runs node, straight or through env.
fn is_node_script(head: &[u8]) -> bool {
    let line = head.split(|b| *b == b'\n').next().unwrap_or_default();
    let Some(line) = line.strip_prefix(b"#!") else { return false };
    let mut words = line.split(|b| b.is_ascii_whitespace()).filter(|word| !word.is_empty());
    let last = |word: &[u8]| word.rsplit(|b| *b == b'/').next().unwrap_or_default().to_vec();
    let Some(first) = words.next().map(last) else { return false };
    let program = match first.as_slice() {
        // Options of env's and variables that it sets.
        b"env" => words.find(|word| !word.starts_with(b"-") && !word.contains(&b'=')).map(last),
        _ => Some(first),
    };
    program.is_some_and(|program| program == b"node" || program == b"nodejs")
}

impl Runtime for NodeRuntime {
    fn name(&self) -> &'static str {
        self.name
    }

    fn version(&self) -> String {
        self.pool.engine.version().to_owned()
    }

    fn capabilities(&self) -> Vec<Capability> {
        let line = |name, value: String| Capability { name, value };
        let wall = match self.pool.wall() {
            None => "not known before the first worker is up".to_owned(),
            Some(report) if report.missing().is_empty() => report.to_string(),
            Some(report) => format!("{report}; missing: {}", report.missing().join(", ")),
        };
        vec![
            line("runs", "Node programs: CommonJS, ES modules, TypeScript".into()),
            line("engine", self.pool.engine.name().to_owned()),
            line("executable", self.pool.engine.executable.display().to_string()),
            line(
                "detects",
                "#! lines of node; extensions .js .mjs .cjs .ts .mts .cts; directories with a package.json"
                    .into(),
            ),
            line("network", "under net: capabilities; a loopback of its own".into()),
            line("limits", "memory cpu wall files output".into()),
            line("isolation", "a process a task, behind a wall".into()),
            line("wall", wall),
            line("signals", "stop cont kill, and those that the program handles".into()),
        ]
    }

    fn detect(&self, program: Program<'_>) -> Fit {
        // One of several names is enough.
        if self.name != "nodejs" {
            return Fit::No;
        }
        if program.head.starts_with(spec::NODE) {
            return Fit::ByMagic;
        }
        // A package.
        if program.path.ends_with(b"/") {
            return Fit::ByName;
        }
        if is_node_script(program.head) {
            return Fit::ByShebang;
        }
        let by_name = EXTENSIONS.iter().any(|extension| program.path.ends_with(extension));
        if by_name { Fit::ByName } else { Fit::No }
    }

    fn start(&self, start: Start) -> Op<'_, Arc<dyn Running>> {
        Op::started(self.launch(start))
    }

    fn programs(&self) -> Vec<(&'static str, Vec<u8>)> {
        self.programs.clone()
    }

    fn stats(&self) -> String {
        self.pool.describe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_says_that_it_wants_node_in_several_ways() {
        for line in [
            "#!/usr/bin/env node\n",
            "#! /usr/bin/node --harmony\n",
            "#!/usr/bin/env -S node --harmony\nx",
            "#!/usr/bin/env FOO=1 nodejs",
        ] {
            assert!(is_node_script(line.as_bytes()), "{line}");
        }
        for line in ["#!/bin/sh\nnode", "node", "#!", "#!/usr/bin/env", "#!/usr/bin/nodemon", "\0asm"] {
            assert!(!is_node_script(line.as_bytes()), "{line}");
        }
    }
}
