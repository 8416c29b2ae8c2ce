//! The builtins: what only the shell itself can do, and what scripts do so often that no program should.

mod control;
mod directory;
mod jobs;
mod names;
mod options;
mod output;
mod read;
mod settings;
mod test;
mod variables;

use crate::shell::{Outcome, Shell, Stop};
use futures_util::future::BoxFuture;
use vfs::Errno;

type Run = for<'a> fn(&'a mut Shell, &'a [Vec<u8>]) -> BoxFuture<'a, Outcome<u8>>;

/// One of them.
pub(crate) struct Builtin {
    pub name: &'static str,
    /// POSIX's special ones: found before functions, their assignments stay, and their errors end a script.
    pub special: bool,
    pub run: Run,
}

macro_rules! builtins {
    ($($name:literal $special:literal $run:path;)*) => {
        &[$(Builtin { name: $name, special: $special, run: |shell, argv| Box::pin($run(shell, argv)) },)*]
    };
}

/// In the order of their names.
const ALL: &[Builtin] = builtins! {
    "." true control::dot;
    ":" true control::colon;
    "[" false test::bracket;
    "alias" false names::alias;
    "bg" false jobs::bg;
    "break" true control::leave;
    "cd" false directory::cd;
    "chdir" false directory::cd;
    "command" false names::command;
    "continue" true control::go_on;
    "echo" false output::echo;
    "eval" true control::eval;
    "exec" true control::exec;
    "exit" true control::exit;
    "export" true variables::export;
    "false" false control::no;
    "fg" false jobs::fg;
    "getopts" false options::getopts;
    "hash" false names::hash;
    "jobs" false jobs::jobs;
    "kill" false jobs::kill;
    "local" true variables::local;
    "printf" false output::printf;
    "pwd" false directory::pwd;
    "read" false read::read;
    "readonly" true variables::readonly;
    "return" true control::give_back;
    "set" true options::set;
    "shift" true variables::shift;
    "test" false test::test;
    "times" true settings::times;
    "trap" true settings::trap;
    "true" false control::colon;
    "type" false names::kind;
    "ulimit" false settings::ulimit;
    "umask" false settings::umask;
    "unalias" false names::unalias;
    "unset" true variables::unset;
    "wait" false jobs::wait;
};

pub(crate) fn find(name: &[u8]) -> Option<&'static Builtin> {
    ALL.binary_search_by(|builtin| builtin.name.as_bytes().cmp(name)).ok().map(|at| &ALL[at])
}

/// Whether the words behind these are assignments where they look so: they are neither split nor names of files.
pub(crate) fn takes_assignments(mut words: &[Vec<u8>]) -> bool {
    while let [first, rest @ ..] = words
        && first == b"command"
    {
        let options = rest.iter().take_while(|word| matches!(word.as_slice(), b"-p" | b"--")).count();
        words = &rest[options..];
    }
    matches!(words.first().map(Vec::as_slice), Some(b"alias" | b"export" | b"local" | b"readonly"))
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A number that is not negative.
fn count(word: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(word).ok()?;
    let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}

/// A word as the shell reads it back.
pub(crate) fn quoted(text: &[u8]) -> Vec<u8> {
    let mut shown = vec![b'\''];
    for byte in text {
        if *byte == b'\'' {
            shown.extend_from_slice(b"'\"'\"'");
        } else {
            shown.push(*byte);
        }
    }
    shown.push(b'\'');
    shown
}

impl Shell {
    /// Writes to standard output. A reader that is gone ends the shell, as the signal would.
    pub async fn put(&mut self, name: &str, text: &[u8]) -> Outcome<u8> {
        let Some(stdout) = self.fds.get(1).cloned() else {
            self.say(format!("{name}: I/O error")).await;
            return Ok(1);
        };
        match stdout.put(text).await {
            Ok(()) => Ok(0),
            Err(error) if error.is(Errno::EPIPE) => Err(Stop::Signal(libc::SIGPIPE)),
            Err(error) if error.is(Errno::ENOMEM) => Err(self.out_of(&error).await),
            Err(_) => {
                self.say(format!("{name}: I/O error")).await;
                Ok(1)
            }
        }
    }

    async fn illegal_option(&mut self, name: &str, option: char) -> Stop {
        self.fail(format!("{name}: Illegal option -{option}")).await
    }

    /// What a builtin's error is: a script's end where it is a special one; else its status.
    async fn wrong(&mut self, name: &str, text: impl AsRef<str>) -> Stop {
        self.fail(format!("{name}: {}", text.as_ref())).await
    }
}
