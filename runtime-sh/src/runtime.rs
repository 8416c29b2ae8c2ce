//! The runtime as the registry of runtimes sees it.
//!
//! Shells run on threads of their own, a little less favoured by the system than the server's, with stacks that take the depth
//! that scripts may nest to.

use crate::commands;
use crate::life::{self, Given};
use crate::process::Process;
use crate::program::{self, Program};
use crate::setting::Setting;
use futures_util::future::BoxFuture;
use std::sync::Arc;
use task::{Capability, Exit, Fit, Group, Limits, OpenFiles, Running, Runtime, Start, Usage};
use tokio::runtime::{Builder, Handle};
use tokio::sync::Semaphore;
use vfs::{Op, Result};

/// How much less favoured the shells' threads are than the server's (nice(2)).
const NICENESS: i32 = 5;
/// Their stacks, in bytes. Only what is touched is there.
const STACK: usize = 64 << 20;

/// Runs scripts, command lines, and the small commands.
pub struct Sh {
    turns: Arc<Semaphore>,
    /// Taken when dropped: a tokio runtime must not be waited for inside another.
    shells: Option<tokio::runtime::Runtime>,
}

impl Sh {
    /// Fails where the machine has no threads left.
    pub fn new() -> Result<Sh> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let shells = Builder::new_multi_thread()
            .worker_threads(cores + 1)
            .thread_name("sh")
            .thread_stack_size(STACK)
            .global_queue_interval(2)
            .event_interval(4)
            .on_thread_start(|| {
                // Where the system does not let go of favour, shells keep theirs.
                let _ = rustix::process::nice(NICENESS);
            })
            .enable_all()
            .build()?;
        Ok(Sh { turns: Arc::new(Semaphore::new(cores)), shells: Some(shells) })
    }

    fn handle(&self) -> &Handle {
        self.shells.as_ref().expect("taken only when dropped").handle()
    }

    /// What a task of these limits, in this group, may do on the shells' threads.
    pub fn process(&self, limits: Limits, usage: Arc<Usage>, group: Option<Arc<Group>>) -> Arc<Process> {
        let (turns, handle) = (self.turns.clone(), self.handle().clone());
        Process::new(limits, usage, OpenFiles::of(group), turns, handle)
    }

    async fn launch(&self, start: Start) -> Result<Arc<dyn Running>> {
        let program = Program::of(&start.program, &start.who).await?;
        let process = self.process(start.limits, start.usage, start.group);
        let task = start.table.upgrade().and_then(|table| table.get(start.id));
        let ignored = task.map_or(0, |task| task.ignored_signals());
        process.signals.ignore(ignored);
        let setting = Arc::new(Setting {
            id: start.id,
            ppid: start.ppid,
            ns: start.ns,
            who: start.who,
            table: start.table,
            process: process.clone(),
            ignored,
        });
        let given = Given { script: start.program, argv: start.argv, env: start.env, cwd: start.cwd };
        let life = life::live(setting, program, given, start.stdio);
        process.spawn(life)?;
        Ok(Arc::new(RunningShell(process)))
    }
}

impl Runtime for Sh {
    fn name(&self) -> &'static str {
        "sh"
    }

    fn version(&self) -> String {
        format!("taskfs sh {}", env!("CARGO_PKG_VERSION"))
    }

    fn capabilities(&self) -> Vec<Capability> {
        let line = |name, value: &str| Capability { name, value: value.to_owned() };
        vec![
            line("runs", "POSIX shell scripts and command lines, and the small commands"),
            line("detects", "#! lines of sh; extension .sh"),
            line("limits", "memory cpu wall output tasks"),
            line("isolation", "in the server; the task's namespace as its only files"),
            line("signals", "stop cont kill, and those that the script traps"),
        ]
    }

    fn detect(&self, program: task::Program<'_>) -> Fit {
        if program::own(program.head).is_some() {
            return Fit::ByMagic;
        }
        if program::is_script(program.head) {
            return Fit::ByShebang;
        }
        let by_name = program.path.ends_with(b".sh") && !program.head.starts_with(b"#!");
        if by_name { Fit::ByName } else { Fit::No }
    }

    fn start(&self, start: Start) -> Op<'_, Arc<dyn Running>> {
        Op::started(self.launch(start))
    }

    fn programs(&self) -> Vec<(&'static str, Vec<u8>)> {
        let line = |name: &str| format!("#!taskfs sh {name}\n").into_bytes();
        let shell = ("sh", [program::SHELL, b"\n"].concat());
        std::iter::once(shell).chain(commands::ALL.iter().map(|(name, _)| (*name, line(name)))).collect()
    }
}

/// A task of type sh that was started.
struct RunningShell(Arc<Process>);

impl Running for RunningShell {
    fn stop(&self) {
        self.0.stop();
    }
    fn cont(&self) {
        self.0.cont();
    }
    fn kill(&self, exit: Exit) {
        self.0.finish(exit);
    }
    fn signal(&self, signal: i32) -> bool {
        self.0.signal(signal)
    }
    fn set_limits(&self, limits: Limits) {
        self.0.set_limits(limits);
    }
    fn wait(&self) -> BoxFuture<'static, Exit> {
        let process = self.0.clone();
        Box::pin(async move { process.over().await })
    }
}

impl Drop for Sh {
    fn drop(&mut self) {
        if let Some(shells) = self.shells.take() {
            shells.shutdown_background();
        }
    }
}
