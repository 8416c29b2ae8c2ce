//! What GNU's commands have in common: options read the same way, `--help`, a usage error's words, what becomes of a write error.

use super::messages::say;
use super::options::{self, Args};
use super::{BROKEN_PIPE, Invocation, words};
use vfs::{Errno, Error};

/// How a command is called, for its options and its `--help`.
pub struct Program {
    usage: &'static str,
    about: &'static str,
    options: &'static str,
    stops: bool,
    raw: bool,
    shows_usage: bool,
    hints_by_name: bool,
    trouble: u8,
}

impl Program {
    /// `options` as [`options::read`] takes them.
    pub const fn new(usage: &'static str, about: &'static str, options: &'static str) -> Program {
        Program {
            usage,
            about,
            options,
            stops: false,
            raw: false,
            shows_usage: false,
            hints_by_name: false,
            trouble: 1,
        }
    }
    /// Its options end at the first operand.
    pub const fn stops(mut self) -> Program {
        self.stops = true;
        self
    }
    /// Its words are no options: it reads them itself, but for a lone `--help` or `--version`.
    pub const fn raw(mut self) -> Program {
        self.raw = true;
        self
    }
    /// It says how it is called before it says where help is.
    pub const fn shows_usage(mut self) -> Program {
        self.shows_usage = true;
        self
    }
    /// It says its name before it says where help is.
    pub const fn hints_by_name(mut self) -> Program {
        self.hints_by_name = true;
        self
    }
    /// Its exit status where it could not do its work, if that is not 1.
    pub const fn trouble(mut self, status: u8) -> Program {
        self.trouble = status;
        self
    }
}

/// Why a command ends before its time.
#[derive(Debug)]
pub enum Failure {
    /// Standard output cannot be written to.
    Output(Error),
    /// What is to be said, without the command's name.
    Said(Vec<u8>),
    /// The command line is wrong.
    Usage(Vec<u8>),
    /// It has all been said.
    Status(u8),
}

pub type Done<T = u8> = Result<T, Failure>;

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        // A limit on memory is no fault of the output's.
        if error.is(Errno::ENOMEM) {
            Failure::Said(words(&error).into_bytes())
        } else {
            Failure::Output(error)
        }
    }
}

/// The end of a command with these words.
pub fn fail<T>(text: impl Into<Vec<u8>>) -> Done<T> {
    Err(Failure::Said(text.into()))
}

/// The end of a command whose line is wrong.
pub fn misused<T>(text: impl Into<Vec<u8>>) -> Done<T> {
    Err(Failure::Usage(text.into()))
}

impl Invocation<'_> {
    /// The options and operands, unless the line asks for help or is wrong.
    pub(super) async fn options(&mut self, program: &Program) -> Done<Args> {
        let words = match self.args() {
            [word] if program.raw && (word == b"--help" || word == b"--version") => self.args(),
            _ if program.raw => return Ok(Args::default()),
            words => words,
        };
        let args = match options::read(program.options, program.stops, words) {
            Ok(args) => args,
            Err(text) => return misused(text),
        };
        let text = if args.has("help") {
            let listing = options::listing(program.options);
            format!("Usage: {} {}\n{}\n\n{listing}", self.name(), program.usage, program.about)
        } else if args.has("version") {
            format!("{} (taskfs) {}\n", self.name(), env!("CARGO_PKG_VERSION"))
        } else {
            return Ok(args);
        };
        self.stdout.write(text.as_bytes()).await?;
        Err(Failure::Status(0))
    }

    /// `NAME: text`, on standard error. What has been written to standard output comes first.
    pub(super) async fn warn(&mut self, text: impl AsRef<[u8]>) {
        let line = say!(self.name(), b": ", text, b"\n");
        self.warn_bare(&line).await;
    }

    /// The same without a name before it or a line's end behind.
    pub(super) async fn warn_bare(&mut self, text: &[u8]) {
        // Whoever cannot be told of an error cannot be told of that either.
        let _unheard = self.stdout.flush().await;
        if self.stderr.write(text).await.is_ok() {
            let _unheard = self.stderr.flush().await;
        }
    }

    /// Says what is left to say and gives the exit status.
    pub(super) async fn close(&mut self, program: &Program, done: Done) -> u8 {
        let done = match (done, self.stdout.flush().await) {
            (Ok(_), Err(error)) => Err(Failure::Output(error)),
            (done, _) => done,
        };
        match done {
            Ok(status) | Err(Failure::Status(status)) => return status,
            Err(Failure::Output(error)) if error.is(Errno::EPIPE) => return BROKEN_PIPE,
            Err(Failure::Output(error)) => self.warn(say!("write error: ", words(&error))).await,
            Err(Failure::Said(text)) => self.warn(text).await,
            Err(Failure::Usage(text)) => {
                let name = self.name();
                let again = if program.hints_by_name { format!("{name}: ") } else { String::new() };
                let hint = format!("{again}Try '{name} --help' for more information.\n");
                let usage = format!("Usage: {name} {}\n", program.usage);
                let usage = if program.shows_usage { usage } else { String::new() };
                self.warn_bare(&say!(name, ": ", text, "\n", usage, hint)).await;
            }
        }
        program.trouble
    }
}
