//! The runtime as the registry of runtimes sees it, and a task of it: an install of ours, or npm in Node where it is not.
//!
//! ```text
//! start ─► looks (asked) ── not ours ─────────────────────────► Node's Running
//!             │ ours
//!             ▼
//!          Own: plan, lay ── unusual: undone ── handed over ──► Node's Running
//!             └─ done: printed, exit 0
//! ```

use crate::asked::{self, Asked};
use crate::lay::write;
use crate::plan::Plan;
use crate::platform::{Here, cpu};
use crate::stock::Stock;
use crate::unusual::{Plain, Unusual};
use crate::version::Version;
use futures_util::future::{BoxFuture, FutureExt, Shared};
use parking_lot::Mutex;
use registry::{Mirror, PORT};
use runtime_sh::{Process, Sh};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use task::group::Event;
use task::{Capability, Exit, Fit, Limits, Program, Reach, Running, Runtime, Start};
use tokio::runtime::Handle;
use tokio::sync::OnceCell;
use vfs::{Caller, Op, Result};

/// The npm that installs were compared with: another one may do it otherwise.
const NPM: &str = "11.19.1";
/// Permission bits that files do not get, as in Node programs (umask(2)).
const UMASK: u32 = 0o022;

/// How npm is set up.
pub struct Config {
    /// The file that stands for the command `npm`, as the runtime has it that runs it.
    pub program: Vec<u8>,
    /// Runs it.
    pub node: Arc<dyn Runtime>,
    /// The version of the package npm.
    pub version: String,
    /// Where packages come from.
    pub mirror: Arc<Mirror>,
    /// On whose threads installs run.
    pub shell: Arc<Sh>,
    /// Where the mirror works.
    pub handle: Handle,
}

/// See the crate.
pub struct Npm(Arc<Inner>);

struct Inner {
    config: Config,
    /// Asked for when the first install wants to know.
    here: OnceCell<Option<Here>>,
    own: AtomicU64,
    by_cli: AtomicU64,
}

impl Npm {
    /// None where installs are not known to come out as this npm's.
    pub fn new(config: Config) -> Option<Npm> {
        let (here, own, by_cli) = (OnceCell::new(), AtomicU64::new(0), AtomicU64::new(0));
        (config.version == NPM).then(|| Npm(Arc::new(Inner { config, here, own, by_cli })))
    }
}

/// The Node and the npm that programs are told of. The worker is asked, which takes a process.
async fn here(config: &Config) -> Option<Here> {
    let node = config.node.clone();
    let said = tokio::task::spawn_blocking(move || node.version()).await.ok()?;
    // As `taskfs-node 0.1.0 v8 … (node 26.5.1)`.
    let (_, node) = said.rsplit_once("(node ")?;
    let version = |text: &str| Version::parse(text).ok();
    Some(Here { node: version(node.trim_end_matches(')'))?, npm: version(&config.version)?, cpu: cpu() })
}

impl Inner {
    /// What a task asks for, if it is to be done here.
    async fn look(&self, start: &Start, who: &Caller) -> Plain<Asked> {
        let group = start.group.clone().ok_or_else(|| Unusual::new("no container"))?;
        let asked = asked::look(start, who).await?;
        let mirror = SocketAddr::from((Ipv4Addr::LOCALHOST, PORT));
        let reach =
            Reach::new(start.caps.clone(), who.task, start.trace.clone()).of_group(Some(group.clone()));
        reach.not_denied(mirror)?;
        let is_taken = group.has_loopback().is_some_and(|loopback| {
            loopback.listeners().is_ok_and(|all| all.iter().any(|local| local.port() == PORT))
        });
        if is_taken { Err(Unusual::new("a mirror of the container's own")) } else { Ok(asked) }
    }

    async fn launch(self: Arc<Self>, start: Start) -> Result<Arc<dyn Running>> {
        let who = Caller { umask: UMASK, ..start.who.clone() };
        match self.look(&start, &who).await {
            Ok(asked) => Ok(RunningNpm::start(self, start, who, asked)?),
            Err(why) => self.hand_over(start, &why).await,
        }
    }

    async fn hand_over(&self, start: Start, why: &Unusual) -> Result<Arc<dyn Running>> {
        tracing::debug!("task {}: npm itself: {why}", start.id);
        self.by_cli.fetch_add(1, Ordering::Relaxed);
        self.config.node.start(start).await
    }

    /// Installs; nothing is left of what did not work.
    async fn install(&self, start: &Start, who: &Caller, asked: Asked, process: &Process) -> Plain<()> {
        let began = Instant::now();
        let mut stock = Stock::new(self.config.mirror.clone(), self.config.handle.clone());
        let here = self.here.get_or_init(|| here(&self.config)).await;
        let here = here.as_ref().ok_or_else(|| Unusual::new("a Node of an unknown version"))?;
        let plan = Plan::make(asked, here, &mut stock).await?;
        let tell = |message: String| {
            if let Some(group) = &start.group {
                group.say(Event::Progress { what: "npm".into(), message });
            }
        };
        plan.lay((who, &start.cwd), &process.memory, &mut stock, &tell).await?;
        self.own.fetch_add(1, Ordering::Relaxed);
        let said = plan.said(began.elapsed());
        tell(said.out.trim().to_owned());
        for (file, text) in [(&start.stdio[2], said.err), (&start.stdio[1], said.out)] {
            // It is installed, whether or not somebody wants to hear of it.
            let _unheard = write(file, text.as_bytes()).await;
        }
        Ok(())
    }
}

impl Runtime for Npm {
    fn name(&self) -> &'static str {
        "npm"
    }

    fn version(&self) -> String {
        format!("npm {}", self.0.config.version)
    }

    fn capabilities(&self) -> Vec<Capability> {
        let line = |name, value: &str| Capability { name, value: value.to_owned() };
        vec![
            line(
                "runs",
                "npm install, uninstall and ci of plain projects in containers; npm itself for the rest",
            ),
            line("detects", "/bin/npm"),
            line("limits", "memory cpu wall output; of npm itself as nodejs"),
            line("isolation", "in the server; npm itself as nodejs"),
            line("off", &format!("the variable {}=1, or type nodejs", asked::SETTING)),
        ]
    }

    fn detect(&self, program: Program<'_>) -> Fit {
        if program.head == self.0.config.program { Fit::ByMagic } else { Fit::No }
    }

    fn start(&self, start: Start) -> Op<'_, Arc<dyn Running>> {
        Op::started(self.0.clone().launch(start))
    }

    fn stats(&self) -> String {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        format!("installed {}\nhanded-over {}\n", count(&self.0.own), count(&self.0.by_cli))
    }
}

/// What a task of it is at the moment.
enum Stage {
    Own(Arc<Process>),
    Node(Arc<dyn Running>),
}

struct RunningNpm {
    state: Arc<Mutex<State>>,
    end: Shared<BoxFuture<'static, Exit>>,
}

struct State {
    stage: Stage,
    is_stopped: bool,
    limits: Limits,
}

impl RunningNpm {
    fn start(npm: Arc<Inner>, start: Start, who: Caller, asked: Asked) -> Result<Arc<RunningNpm>> {
        let process = npm.config.shell.process(start.limits, start.usage.clone(), start.group.clone());
        let limits = start.limits;
        let state = State { stage: Stage::Own(process.clone()), is_stopped: false, limits };
        let state = Arc::new(Mutex::new(state));
        let (own, doing) = (process.clone(), npm.clone());
        // What it was started with comes back where npm is to have it.
        let left = process.spawn(async move {
            match doing.install(&start, &who, asked, &own).await {
                Ok(()) => {
                    own.finish(Exit::success());
                    None
                }
                Err(why) => Some((start, why)),
            }
        })?;
        let shared = state.clone();
        let end = tokio::spawn(async move {
            let over = process.over();
            tokio::pin!(over);
            let left = tokio::select! {
                left = left => match left {
                    Ok(left) => left.flatten(),
                    Err(_) => return Exit::killed(134, "a fault of the server's own"),
                },
                exit = &mut over => return exit,
            };
            let Some((start, why)) = left else { return over.await };
            let started = npm.hand_over(start, &why);
            let node = tokio::select! {
                node = started => node,
                exit = over => return exit,
            };
            match node {
                Ok(node) => RunningNpm::go_on_in_node(&shared, node).await,
                Err(error) => Exit::killed(126, error.to_string()),
            }
        });
        let end =
            end.map(|end| end.unwrap_or_else(|_| Exit::killed(134, "the server stops"))).boxed().shared();
        Ok(Arc::new(RunningNpm { state, end }))
    }

    /// What was decided meanwhile holds for it too.
    async fn go_on_in_node(state: &Mutex<State>, node: Arc<dyn Running>) -> Exit {
        {
            let mut state = state.lock();
            if let Stage::Own(process) = &state.stage
                && let Some(exit) = process.end()
            {
                node.kill(exit.clone());
            }
            node.set_limits(state.limits);
            if state.is_stopped {
                node.stop();
            }
            state.stage = Stage::Node(node.clone());
        }
        node.wait().await
    }
}

impl Running for RunningNpm {
    fn stop(&self) {
        let mut state = self.state.lock();
        state.is_stopped = true;
        match &state.stage {
            Stage::Own(process) => process.stop(),
            Stage::Node(node) => node.stop(),
        }
    }
    fn cont(&self) {
        let mut state = self.state.lock();
        state.is_stopped = false;
        match &state.stage {
            Stage::Own(process) => process.cont(),
            Stage::Node(node) => node.cont(),
        }
    }
    fn kill(&self, exit: Exit) {
        match &self.state.lock().stage {
            Stage::Own(process) => process.finish(exit),
            Stage::Node(node) => node.kill(exit),
        }
    }
    fn signal(&self, signal: i32) -> bool {
        match &self.state.lock().stage {
            Stage::Own(process) => {
                process.signal(signal);
                true
            }
            Stage::Node(node) => node.signal(signal),
        }
    }
    fn measure(&self) {
        if let Stage::Node(node) = &self.state.lock().stage {
            node.measure();
        }
    }
    fn set_limits(&self, limits: Limits) {
        let mut state = self.state.lock();
        state.limits = limits;
        match &state.stage {
            Stage::Own(process) => process.set_limits(limits),
            Stage::Node(node) => node.set_limits(limits),
        }
    }
    fn wait(&self) -> BoxFuture<'static, Exit> {
        self.end.clone().boxed()
    }
}
