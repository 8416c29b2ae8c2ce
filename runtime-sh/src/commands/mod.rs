//! The small commands: each is a function of an [`Invocation`], run in a strand of the shell that calls it or, as a program of
//! /bin (`#!taskfs sh NAME`), in a task of its own.
//!
//! A command reaches files through `cwd` and `root` as `who`, never blocks, and gives the others their turn ([`turn`]) in loops
//! that compute. What it keeps in memory beyond a few buffers it takes from [`Spawn::memory`]. Its messages are GNU's.
//!
//! ```text
//! gnu       options, --help, usage errors, write errors     options, messages
//! reach     paths to files and back, lines of input         walk, copy, remove: trees
//! pattern   regular expressions: grep, sed, find            glob, mode, size, times, people: what options say
//! ```
//!
//! Why they are written here and not taken: uutils' crates (coreutils, grep, sed, findutils) reach the host through `std::fs` and
//! `std::io::stdout`, block, and end the process where they fail. As libraries they would show the host to a task; as WASI programs each call
//! would be a task with megabytes of code, without a way to start others (xargs, find -exec), and their makers build for a newer
//! compiler than the WASI target of the distributions has. awk's crates are programs with the same ways. What is kept as libraries and does
//! no I/O is used: regex-automata, jiff, parse_datetime, num-bigint.

mod base64;
mod basename;
mod cat;
mod chmod;
mod chown;
mod cksum;
mod cmp;
#[cfg(test)]
mod compared;
mod constant;
mod copy;
mod cp;
mod cut;
mod date;
mod dd;
mod diff;
mod digest;
mod du;
mod echo;
mod env;
mod expr;
mod find;
mod fold;
mod glob;
mod gnu;
mod grep;
mod gzip;
mod head;
mod io;
mod join;
mod joining;
mod ln;
mod ls;
mod messages;
mod mkdir;
mod mktemp;
pub(crate) mod mode;
mod mv;
mod nl;
mod node;
mod od;
mod options;
mod pattern;
mod people;
mod printf;
mod ps;
mod pwd;
mod reach;
mod realpath;
mod remove;
mod reversed;
mod rmdir;
mod sed;
mod seq;
mod size;
mod sleep;
mod sort;
mod split;
mod stat;
mod system;
mod tail;
mod tar;
mod tee;
mod test;
mod timeout;
mod times;
mod touch;
mod tr;
mod tsort;
mod uniq;
mod walk;
mod wc;
mod which;
mod xargs;

pub(crate) use echo::echoed;
pub use io::{Input, Output};
pub(crate) use messages::{named, quoted};

use crate::process::{Held, Memory};
use futures_util::future::BoxFuture;
use std::collections::BTreeMap;
use vfs::{Caller, Errno, Error, FileRef, Follow, Namespace, Op, Place, Result};

/// A command: gives its exit status.
pub type Command = for<'a> fn(Invocation<'a>) -> BoxFuture<'a, u8>;

/// The [`Command`] whose body is an async function of `&mut Invocation` that gives its status, or the error that ends it.
macro_rules! command {
    ($body:path) => {
        |mut call| {
            Box::pin(async move {
                let outcome = $body(&mut call).await;
                call.end(outcome).await
            })
        }
    };
}

/// The [`Command`] of a module that reads its options as GNU's commands do.
macro_rules! gnu {
    ($module:ident) => {
        gnu!($module::PROGRAM, $module::run)
    };
    ($program:path, $body:path) => {
        |mut call| {
            Box::pin(async move {
                let done = match call.options(&$program).await {
                    Ok(args) => $body(&mut call, args).await,
                    Err(failure) => Err(failure),
                };
                call.close(&$program, done).await
            })
        }
    };
}

/// All of them, in the order of their names.
pub const ALL: &[(&str, Command)] = &[
    ("[", command!(test::bracket)),
    ("base64", gnu!(base64)),
    ("basename", gnu!(basename)),
    ("cat", gnu!(cat)),
    ("chgrp", gnu!(chown::CHGRP, chown::chgrp)),
    ("chmod", gnu!(chmod)),
    ("chown", gnu!(chown)),
    ("cksum", gnu!(cksum)),
    ("cmp", gnu!(cmp)),
    ("comm", gnu!(joining::COMM, joining::comm)),
    ("cp", gnu!(cp)),
    ("cut", gnu!(cut)),
    ("date", gnu!(date)),
    ("dd", gnu!(dd)),
    ("df", gnu!(du::DF, du::df)),
    ("diff", gnu!(diff)),
    ("dirname", gnu!(basename::DIRNAME, basename::dirname)),
    ("du", gnu!(du)),
    ("echo", gnu!(echo)),
    ("egrep", gnu!(grep::PROGRAM, grep::extended)),
    ("env", gnu!(env)),
    ("expand", gnu!(fold::EXPAND, fold::expand)),
    ("expr", gnu!(expr)),
    ("false", command!(constant::no)),
    ("fgrep", gnu!(grep::PROGRAM, grep::fixed)),
    ("find", gnu!(find)),
    ("fold", gnu!(fold)),
    ("grep", gnu!(grep)),
    ("groups", gnu!(system::GROUPS, system::show_groups)),
    ("gunzip", gnu!(gzip::GUNZIP, gzip::gunzip)),
    ("gzip", gnu!(gzip)),
    ("head", gnu!(head)),
    ("hostname", gnu!(system::HOSTNAME, system::hostname)),
    ("id", gnu!(system::ID, system::id)),
    ("install", gnu!(node::INSTALL, node::install)),
    ("join", gnu!(join)),
    ("kill", gnu!(ps::KILL, ps::kill)),
    ("link", gnu!(ln::LINK, ln::link)),
    ("ln", gnu!(ln)),
    ("ls", gnu!(ls)),
    ("md5sum", gnu!(digest)),
    ("mkdir", gnu!(mkdir)),
    ("mkfifo", gnu!(node::MKFIFO, node::mkfifo)),
    ("mktemp", gnu!(mktemp)),
    ("mv", gnu!(mv)),
    ("nl", gnu!(nl)),
    ("nproc", gnu!(system::NPROC, system::nproc)),
    ("od", gnu!(od)),
    ("paste", gnu!(joining::PASTE, joining::paste)),
    ("printenv", gnu!(env::PRINTENV, env::printenv)),
    ("printf", gnu!(printf)),
    ("ps", gnu!(ps)),
    ("pwd", command!(pwd::pwd)),
    ("readlink", gnu!(realpath::READLINK, realpath::readlink)),
    ("realpath", gnu!(realpath)),
    ("rev", gnu!(reversed::REV, reversed::rev)),
    ("rm", gnu!(remove)),
    ("rmdir", gnu!(rmdir)),
    ("sed", gnu!(sed)),
    ("seq", gnu!(seq)),
    ("sha1sum", gnu!(digest)),
    ("sha224sum", gnu!(digest)),
    ("sha256sum", gnu!(digest)),
    ("sha384sum", gnu!(digest)),
    ("sha512sum", gnu!(digest)),
    ("sleep", gnu!(sleep)),
    ("sort", gnu!(sort)),
    ("split", gnu!(split)),
    ("stat", gnu!(stat)),
    ("tac", gnu!(reversed::TAC, reversed::tac)),
    ("tail", gnu!(tail)),
    ("tar", gnu!(tar)),
    ("tee", gnu!(tee)),
    ("test", command!(test::test)),
    ("timeout", gnu!(timeout)),
    ("touch", gnu!(touch)),
    ("tr", gnu!(tr)),
    ("true", command!(constant::yes)),
    ("truncate", gnu!(node::TRUNCATE, node::truncate)),
    ("tsort", gnu!(tsort)),
    ("uname", gnu!(system::UNAME, system::uname)),
    ("unexpand", gnu!(fold::UNEXPAND, fold::unexpand)),
    ("uniq", gnu!(uniq)),
    ("unlink", gnu!(node::UNLINK, node::unlink)),
    ("wc", gnu!(wc)),
    ("which", gnu!(which)),
    ("whoami", gnu!(system::WHOAMI, system::whoami)),
    ("xargs", gnu!(xargs)),
    ("yes", gnu!(seq::YES, seq::yes)),
    ("zcat", gnu!(gzip::ZCAT, gzip::zcat)),
];

/// The command called `name`.
pub fn find(name: &[u8]) -> Option<Command> {
    let found = ALL.binary_search_by(|(known, _)| known.as_bytes().cmp(name));
    found.ok().map(|index| ALL[index].1)
}

/// What a command is called with.
pub struct Invocation<'a> {
    /// The name that it was called by, and its arguments.
    pub argv: &'a [Vec<u8>],
    pub env: &'a Env,
    pub cwd: &'a Place,
    pub root: &'a Namespace,
    pub who: &'a Caller,
    pub stdin: Input,
    pub stdout: Output,
    pub stderr: Output,
    /// Who calls: what runs other commands (xargs, find -exec, env), counts memory, and gives turns.
    pub shell: &'a dyn Spawn,
}

/// What a command may ask of the shell that runs it.
pub trait Spawn: Send + Sync {
    /// Runs a command of this crate or a program, found as the shell finds it, and waits for its end. ENOENT where there is
    /// none of the name, EACCES or ENOEXEC where it cannot be run: nothing was started then.
    fn run<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<u8>>;
    /// [`Spawn::run`], where what runs gets signals meanwhile: a program does what it does about them, a command ends by those that
    /// end programs.
    fn run_signalled<'a>(&'a self, call: Call<'a>, signals: &'a mut Signals) -> BoxFuture<'a, Result<u8>> {
        Box::pin(signalled(self.run(call), signals, |_| false))
    }
    /// The path of the program that `name` is along `path` (as PATH is written): for which(1). What the shell itself does with
    /// a name (builtins, functions) is not asked.
    fn which<'a>(&'a self, name: &'a [u8], path: &'a [u8]) -> BoxFuture<'a, Option<Vec<u8>>>;
    /// What the whole task keeps.
    fn memory(&self) -> &Memory;
    /// Whether this strand has computed so long that others should: see [`turn`].
    fn used_up(&self) -> bool;
    /// The permission bits that files made by the task do not get.
    fn umask(&self) -> u32;
}

/// Signals on their way to what [`Spawn::run_signalled`] runs, by their numbers.
pub type Signals = tokio::sync::mpsc::UnboundedReceiver<i32>;

/// Waits for the end of `running`, or for a signal that ends it: one that `deliver` finds nobody for.
pub(crate) async fn signalled(
    mut running: BoxFuture<'_, Result<u8>>,
    signals: &mut Signals,
    deliver: impl Fn(i32) -> bool,
) -> Result<u8> {
    loop {
        let signal = tokio::select! {
            biased;
            ended = &mut running => return ended,
            Some(signal) = signals.recv() => signal,
        };
        if !deliver(signal) && crate::traps::ends(signal) {
            return Ok(128 + signal as u8);
        }
    }
}

/// What [`Spawn::run`] runs, and with what.
#[derive(Clone)]
pub struct Call<'a> {
    pub argv: &'a [Vec<u8>],
    pub env: &'a Env,
    pub cwd: &'a Place,
    /// stdin, stdout, stderr: `Input::file` and `Output::file` of the caller, or files that it opened.
    pub stdio: [FileRef; 3],
}

/// Lets others run, where it is time. For loops that compute; a wait for a file is a turn of itself.
pub async fn turn(shell: &dyn Spawn) {
    if shell.used_up() {
        tokio::task::yield_now().await;
    }
}

/// The environment that a command is given.
#[derive(Clone, Default, Debug, PartialEq, Eq)]
pub struct Env(BTreeMap<Vec<u8>, Vec<u8>>);

impl Env {
    pub fn get(&self, name: &[u8]) -> Option<&[u8]> {
        self.0.get(name).map(Vec::as_slice)
    }
    pub fn set(&mut self, name: &[u8], value: &[u8]) {
        self.0.insert(name.to_vec(), value.to_vec());
    }
    pub fn remove(&mut self, name: &[u8]) {
        self.0.remove(name);
    }
    /// By name, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.0.iter().map(|(name, value)| (name.as_slice(), value.as_slice()))
    }
}

impl FromIterator<(Vec<u8>, Vec<u8>)> for Env {
    fn from_iter<I: IntoIterator<Item = (Vec<u8>, Vec<u8>)>>(pairs: I) -> Env {
        Env(pairs.into_iter().collect())
    }
}

/// The exit status of a command whose reader is gone: SIGPIPE's.
pub const BROKEN_PIPE: u8 = 128 + 13;

impl<'a> Invocation<'a> {
    /// Writes out what is left, says of an error what has not been said, and gives the status. A reader that is gone ends a
    /// command silently, with [`BROKEN_PIPE`].
    pub async fn end(&mut self, outcome: Result<u8>) -> u8 {
        let error = match (outcome, self.stdout.flush().await) {
            (Ok(status), Ok(())) => return status,
            (Err(error), _) => error,
            (Ok(_), Err(error)) if error.is(Errno::EPIPE) => error,
            (Ok(_), Err(error)) => Error::new(error.errno(), format!("write error: {}", words(&error))),
        };
        if error.is(Errno::EPIPE) {
            return BROKEN_PIPE;
        }
        self.complain(words(&error)).await;
        1
    }

    /// The arguments, without the name.
    pub fn args(&self) -> &'a [Vec<u8>] {
        self.argv.get(1..).unwrap_or_default()
    }

    /// The name it was called by, without its directory.
    pub fn name(&self) -> String {
        let name = self.argv.first().map(Vec::as_slice).unwrap_or_default();
        let last = name.rsplit(|b| *b == b'/').next().unwrap_or_default();
        String::from_utf8_lossy(last).into_owned()
    }

    /// `NAME: what`, on standard error. What has been written to standard output comes first.
    pub async fn complain(&mut self, what: impl AsRef<str> + Send) {
        let line = format!("{}: {}\n", self.name(), what.as_ref());
        // Whoever cannot be told of an error cannot be told of that either.
        let _unheard = self.stdout.flush().await;
        if self.stderr.write(line.as_bytes()).await.is_ok() {
            let _unheard = self.stderr.flush().await;
        }
    }

    /// The place that `path` names, from the directory that the command runs in.
    pub fn resolve<'p>(&'p self, path: &'p [u8], follow: Follow) -> Op<'p, Place> {
        self.cwd.resolve(self.who, path, follow)
    }
}

/// What C programs say for an error (strerror(3)), where it is one that they know.
pub fn words(error: &Error) -> String {
    let known = match error.errno() {
        Errno::EPERM => "Operation not permitted",
        Errno::ENOENT => "No such file or directory",
        Errno::EIO => "Input/output error",
        Errno::ENXIO => "No such device or address",
        Errno::E2BIG => "Argument list too long",
        Errno::EBADF => "Bad file descriptor",
        Errno::ENOMEM => "Cannot allocate memory",
        Errno::EACCES => "Permission denied",
        Errno::EBUSY => "Device or resource busy",
        Errno::EEXIST => "File exists",
        Errno::EXDEV => "Invalid cross-device link",
        Errno::ENOTDIR => "Not a directory",
        Errno::EISDIR => "Is a directory",
        Errno::EINVAL => "Invalid argument",
        Errno::EMFILE => "Too many open files",
        Errno::EFBIG => "File too large",
        Errno::ENOSPC => "No space left on device",
        Errno::ESPIPE => "Illegal seek",
        Errno::EROFS => "Read-only file system",
        Errno::EPIPE => "Broken pipe",
        Errno::ENAMETOOLONG => "File name too long",
        Errno::ENOTEMPTY => "Directory not empty",
        Errno::ELOOP => "Too many levels of symbolic links",
        Errno::ENOEXEC => "Exec format error",
        Errno::EOPNOTSUPP => "Operation not supported",
        _ => "",
    };
    // An error that says more than its errno does keeps its words.
    let plain = error.text() == error.errno().text() || error.text().starts_with("permission denied");
    if plain && !known.is_empty() { known.to_owned() } else { error.text().to_owned() }
}
