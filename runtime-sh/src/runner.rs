//! Runs commands for commands: what xargs, find -exec and env are given as [`Spawn`].

use crate::commands::{Call, Command, Input, Invocation, Output, Signals, Spawn, signalled};
use crate::jobs::deliver;
use crate::process::{Memory, used_up};
use crate::setting::{Child, PATH, Setting, What};
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use std::sync::{Arc, Weak};
use task::Task;
use vfs::{Caller, Errno, Error, Result};

/// Commands that run commands that run commands … at most.
const DEPTH: u32 = 32;

/// See the module.
#[derive(Clone, Copy)]
pub(crate) struct Runner<'a> {
    setting: &'a Setting,
    who: &'a Caller,
    /// Signals that what it starts ignores.
    ignored: u64,
    depth: u32,
    /// Where the task is noted that was started, for who sends it signals.
    started: Option<&'a Mutex<Weak<Task>>>,
}

impl<'a> Runner<'a> {
    pub fn new(setting: &'a Setting, who: &'a Caller, ignored: u64) -> Runner<'a> {
        Runner { setting, who, ignored, depth: 0, started: None }
    }

    fn note(&self, child: &Child) {
        if let Some(started) = self.started {
            *started.lock() = Arc::downgrade(&child.task);
        }
    }

    /// Runs a command of this crate with what `call` says.
    pub async fn command(&self, command: Command, call: Call<'_>) -> u8 {
        let [stdin, stdout, stderr] = call.stdio;
        let invocation = Invocation {
            argv: call.argv,
            env: call.env,
            cwd: call.cwd,
            root: &self.setting.ns,
            who: self.who,
            stdin: Input::new(stdin),
            stdout: Output::new(stdout),
            stderr: Output::new(stderr),
            shell: self,
        };
        command(invocation).await
    }
}

impl Spawn for Runner<'_> {
    fn run<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<u8>> {
        Box::pin(async move {
            let deeper = Runner { depth: self.depth + 1, ..*self };
            if deeper.depth > DEPTH {
                return Err(Error::new(
                    Errno::EAGAIN,
                    format!("commands run each other {DEPTH} deep at most"),
                ));
            }
            let name = call.argv.first().ok_or(Errno::ENOENT)?;
            let path = call.env.get(b"PATH").unwrap_or(PATH);
            let found = self.setting.find(name, path, call.cwd).await?;
            let argv = &found.words(call.argv);
            let call = Call { argv, ..call };
            match found.what {
                // env is, as far as signals go, what it runs.
                What::Own(command) if !name.ends_with(b"env") => {
                    Ok(Runner { started: None, ..deeper }.command(command, call).await)
                }
                What::Own(command) => Ok(deeper.command(command, call).await),
                What::Program(place) => {
                    let child = self.setting.start(call, &place, "auto", self.ignored).await?;
                    self.note(&child);
                    Ok(child.ended().await.code as u8)
                }
                What::Script(place) => {
                    let child = self.setting.start(call, &place, "sh", self.ignored).await?;
                    self.note(&child);
                    Ok(child.ended().await.code as u8)
                }
            }
        })
    }
    fn run_signalled<'a>(&'a self, call: Call<'a>, signals: &'a mut Signals) -> BoxFuture<'a, Result<u8>> {
        Box::pin(async move {
            let started = Mutex::new(Weak::new());
            let noting = Runner { started: Some(&started), ..*self };
            let deliver = |signal| started.lock().upgrade().is_some_and(|task| deliver(&task, signal));
            signalled(noting.run(call), signals, deliver).await
        })
    }
    fn which<'a>(&'a self, name: &'a [u8], path: &'a [u8]) -> BoxFuture<'a, Option<Vec<u8>>> {
        Box::pin(async move {
            let root = self.setting.ns.root();
            self.setting.locate(name, path, &root).await.ok().map(|place| place.path())
        })
    }
    fn memory(&self) -> &Memory {
        &self.setting.process.memory
    }
    fn used_up(&self) -> bool {
        used_up()
    }
    fn umask(&self) -> u32 {
        self.who.umask
    }
}
