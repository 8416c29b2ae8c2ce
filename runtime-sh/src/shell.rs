//! One shell: all that a subshell gets a copy of, and that a script can change.

use crate::commands::words as explained;
use crate::files::Descriptors;
use crate::jobs::{Job, Jobs};
use crate::process::Process;
use crate::setting::Setting;
use crate::syntax::{Aliases, Command};
use crate::traps::Traps;
use crate::vars::{Saved, Value, Variables};
use std::collections::BTreeMap;
use std::sync::Arc;
use vfs::{Caller, Errno, Error, Place};

/// Why what runs does not go on to the next command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stop {
    /// `exit`, or `set -e`.
    Exit(u8),
    /// An error of the shell's own, which has been said: a script ends.
    Failed(u8),
    Break(u32),
    Continue(u32),
    Return(u8),
    /// A signal's default action.
    Signal(i32),
    /// The terminal's interrupt, which an interactive shell lives through.
    Interrupted,
}

pub(crate) type Outcome<T = ()> = Result<T, Stop>;

/// What `set` turns on and off.
#[derive(Clone, Default)]
pub(crate) struct Options(u32);

/// Letter (a blank where it has none) and name, as `set -o` shows them.
pub(crate) const OPTIONS: [(char, &str); 13] = [
    ('e', "errexit"),
    ('f', "noglob"),
    ('I', "ignoreeof"),
    ('i', "interactive"),
    ('m', "monitor"),
    ('n', "noexec"),
    ('s', "stdin"),
    ('x', "xtrace"),
    ('v', "verbose"),
    ('C', "noclobber"),
    ('a', "allexport"),
    ('b', "notify"),
    ('u', "nounset"),
];
/// Has no letter.
pub(crate) const PIPEFAIL: usize = 13;

impl Options {
    pub fn has(&self, letter: char) -> bool {
        OPTIONS.iter().position(|(known, _)| *known == letter).is_some_and(|at| self.0 >> at & 1 != 0)
    }
    pub fn is_on(&self, at: usize) -> bool {
        self.0 >> at & 1 != 0
    }
    pub fn pipefail(&self) -> bool {
        self.is_on(PIPEFAIL)
    }
    pub fn set_at(&mut self, at: usize, on: bool) {
        self.0 = self.0 & !(1 << at) | u32::from(on) << at;
    }
    /// False where there is no such letter.
    pub fn set(&mut self, letter: char, on: bool) -> bool {
        let at = OPTIONS.iter().position(|(known, _)| *known == letter);
        at.map(|at| self.set_at(at, on)).is_some()
    }
    pub fn position(name: &str) -> Option<usize> {
        let named = OPTIONS.iter().position(|(_, known)| *known == name);
        named.or_else(|| (name == "pipefail").then_some(PIPEFAIL))
    }
    /// `$-`.
    pub fn letters(&self) -> String {
        let on = OPTIONS.iter().enumerate().filter(|(at, _)| self.is_on(*at));
        on.map(|(_, (letter, _))| *letter).collect()
    }
}

/// What names call: a command, and the memory that it takes.
pub(crate) type Functions = BTreeMap<Vec<u8>, (Arc<Command>, Value)>;

/// What comes back at a function's end.
#[derive(Clone, Default)]
pub(crate) struct Locals {
    pub variables: Vec<Saved>,
    /// Of `local -`.
    pub options: Option<Options>,
}

/// See the module.
pub(crate) struct Shell {
    pub setting: Arc<Setting>,
    /// The caller with the shell's umask.
    pub who: Caller,
    pub vars: Variables,
    /// What `local` has hidden, for each function that runs.
    pub locals: Vec<Locals>,
    pub functions: Arc<Functions>,
    pub aliases: Arc<Aliases>,
    /// `$0`.
    pub name: Arc<[u8]>,
    /// `$1` …
    pub args: Arc<[Value]>,
    pub options: Options,
    pub fds: Descriptors,
    pub cwd: Place,
    /// Where that is as it got there: links are in it by their names.
    pub pwd: Arc<[u8]>,
    /// `$?`.
    pub status: u8,
    /// `$?` before the trap that runs: what `exit` gives there.
    pub before_trap: Option<u8>,
    /// `$!`.
    pub last_job: Option<Arc<Job>>,
    pub jobs: Jobs,
    pub traps: Traps,
    pub line: u32,
    /// Loops around what runs, within its function.
    pub loops: u32,
    /// How deep commands run in commands.
    pub depth: u32,
    /// What runs is tested (`if`, `&&`, `!`): a failure ends nothing.
    pub tested: u32,
    /// It is a copy: a subshell.
    pub is_subshell: bool,
    /// The background job that it is, where it is one.
    pub job: Option<Arc<Job>>,
    /// The terminal's line, before the prompt of which it is to be asked for jobs that are done.
    pub interactive: bool,
    /// Where getopts stands within an argument.
    pub getopts: (usize, usize),
    /// `$?` of the last command substitution of an assignment.
    pub substituted: Option<u8>,
}

impl Shell {
    pub fn process(&self) -> &Arc<Process> {
        &self.setting.process
    }

    /// A copy for a subshell: traps that do something are forgotten, and jobs are the other's.
    pub fn fork(&self) -> Shell {
        Shell {
            setting: self.setting.clone(),
            who: self.who.clone(),
            vars: self.vars.clone(),
            locals: self.locals.clone(),
            functions: self.functions.clone(),
            aliases: self.aliases.clone(),
            name: self.name.clone(),
            args: self.args.clone(),
            options: self.options.clone(),
            fds: self.fds.clone(),
            cwd: self.cwd.clone(),
            pwd: self.pwd.clone(),
            status: self.status,
            before_trap: self.before_trap,
            last_job: self.last_job.clone(),
            jobs: Jobs::default(),
            traps: self.traps.fork(),
            line: self.line,
            loops: 0,
            depth: self.depth,
            tested: self.tested,
            is_subshell: true,
            job: self.job.clone(),
            interactive: false,
            getopts: self.getopts,
            substituted: None,
        }
    }

    /// `NAME: LINE: text` on standard error.
    pub async fn say(&self, text: impl AsRef<str> + Send) {
        let name = String::from_utf8_lossy(&self.name);
        let line = if self.interactive {
            format!("{name}: {}\n", text.as_ref())
        } else {
            format!("{name}: {}: {}\n", self.line, text.as_ref())
        };
        self.tell(line.as_bytes()).await;
    }
    /// On standard error, as it is.
    pub async fn tell(&self, text: &[u8]) {
        if let Some(stderr) = self.fds.get(2) {
            // Whoever cannot be told of an error cannot be told of that either.
            let _unheard = stderr.put(text).await;
        }
    }
    /// An error of the shell's own: a script ends.
    pub async fn fail(&mut self, text: impl AsRef<str> + Send) -> Stop {
        self.say(text).await;
        self.status = 2;
        Stop::Failed(2)
    }
    /// What the server's refusal of memory and the like is to a script: its end.
    pub async fn out_of(&mut self, error: &Error) -> Stop {
        self.fail(explained(error)).await
    }

    /// Sets a variable: an error of the shell's own where it cannot be.
    pub async fn assign(&mut self, name: &[u8], value: Vec<u8>) -> Outcome {
        let export = self.options.has('a');
        match self.vars.set(name, value, export) {
            Ok(()) => {
                if name == b"OPTIND" {
                    self.getopts = (0, 0);
                }
                Ok(())
            }
            Err(error) if error.is(Errno::EPERM) => {
                let text = format!("{}: is read only", String::from_utf8_lossy(name));
                Err(self.fail(text).await)
            }
            Err(error) => Err(self.out_of(&error).await),
        }
    }

    pub fn ifs(&self) -> &[u8] {
        self.vars.get(b"IFS").unwrap_or(b" \t\n")
    }
    pub fn path(&self) -> Vec<u8> {
        self.vars.get(b"PATH").unwrap_or(crate::setting::PATH).to_vec()
    }

    /// Between two commands: others get their turn, signals that came are acted on, and what has been ended goes no further.
    pub async fn turn(&mut self) -> Outcome {
        self.process().unless_over().await;
        if crate::process::used_up() {
            tokio::task::yield_now().await;
        }
        if !self.is_subshell && self.process().signals.any() {
            return self.act_on_signals().await;
        }
        Ok(())
    }
}
