//! What runs programs: the trait that every engine implements, and what it is handed.
//!
//! ```text
//! start ─► running ⇄ stopped          a Running is asked to stop, cont and kill in any order, any number of times
//!             └────────┴──► exited    wait() gives the Exit once it has ended, to everyone who asks, for ever
//! ```
//!
//! A runtime never sees a transport. The files it serves its guest are those of `Start::ns`, asked for as `Start::who`.

use crate::{Caps, Exit, Group, Limits, TaskTable, Trace, Usage};
use futures_util::future::BoxFuture;
use std::fmt;
use std::sync::{Arc, Weak};
use vfs::{Caller, FileRef, Namespace, Op, Place, TaskId};

/// How well a runtime fits a program, best last.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Fit {
    No,
    /// By its name alone (an extension).
    ByName,
    /// By a `#!` line.
    ByShebang,
    /// By its magic bytes.
    ByMagic,
}

/// A program as detection sees it.
#[derive(Clone, Copy, Debug)]
pub struct Program<'a> {
    /// With a slash at its end, a directory that has a package.json.
    pub path: &'a [u8],
    /// Its first bytes, up to 256; of a directory, those of its package.json.
    pub head: &'a [u8],
}

/// A line of /runtime/<name>/capabilities: what it runs, which limits it enforces, how it isolates.
#[derive(Clone, Debug)]
pub struct Capability {
    pub name: &'static str,
    pub value: String,
}

/// Everything that a program is started with.
pub struct Start {
    pub id: TaskId,
    /// The task that made it; none where it was made from outside.
    pub ppid: Option<TaskId>,
    /// The program's file, opened for reading by the starter (so that permissions are his).
    pub program: Place,
    pub argv: Vec<Vec<u8>>,
    pub env: Vec<(Vec<u8>, Vec<u8>)>,
    pub ns: Namespace,
    pub cwd: Place,
    /// Who the guest is: its files are made and its permissions checked as this caller.
    pub who: Caller,
    /// stdin, stdout, stderr.
    pub stdio: [FileRef; 3],
    /// What it may do; the files among it are in `who` already.
    pub caps: Arc<Caps>,
    pub limits: Limits,
    pub usage: Arc<Usage>,
    pub trace: Trace,
    /// Those it lives together with: its network is theirs.
    pub group: Option<Arc<Group>>,
    /// Where it makes tasks of its own.
    pub table: Weak<TaskTable>,
}

impl fmt::Debug for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Start(task {} {:?})", self.id, self.program)
    }
}

/// A program that was started.
pub trait Running: Send + Sync + 'static {
    /// Freezes it (SIGSTOP): it uses no cpu until `cont`. Returns when the request is made, not when it has struck.
    fn stop(&self);
    fn cont(&self);
    /// Ends it at once, whatever it does, with `exit` as its end. Later calls change nothing.
    fn kill(&self, exit: Exit);
    /// Delivers a signal that the guest may handle; false where this runtime can deliver none and the caller should kill.
    fn signal(&self, signal: i32) -> bool {
        let _ = signal;
        false
    }
    /// Brings the task's [`Usage`] up to date, where that is not done by the way.
    fn measure(&self) {}
    /// Changes the limits of the running program.
    fn set_limits(&self, limits: Limits);
    fn wait(&self) -> BoxFuture<'static, Exit>;
}

/// An engine.
pub trait Runtime: Send + Sync + 'static {
    /// What `type` names it: wasi, nodejs …
    fn name(&self) -> &'static str;
    fn version(&self) -> String;
    fn capabilities(&self) -> Vec<Capability>;
    fn detect(&self, program: Program<'_>) -> Fit;
    /// Starts a program. Done means started; an error (not a program, unknown imports …) means nothing was started.
    fn start(&self, start: Start) -> Op<'_, Arc<dyn Running>>;
    /// The programs of its own that it has for a namespace's /bin: a name, and the content of the file that stands for it
    /// (`#!taskfs TYPE [WORD...]`).
    fn programs(&self) -> Vec<(&'static str, Vec<u8>)> {
        Vec::new()
    }
    /// Waits for what programs that have ended left to the server to be done, as bytes of closed connections that are not sent yet: a
    /// moment at most.
    fn settle(&self) -> Op<'_, ()> {
        Op::ok(())
    }
    /// `key value` lines for /runtime/<name>/stats and /runtime/<name>/cache.
    fn stats(&self) -> String {
        String::new()
    }
    fn cache(&self) -> String {
        String::new()
    }
}
