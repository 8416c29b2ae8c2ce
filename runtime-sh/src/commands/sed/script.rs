//! sed's script as it is run: commands, and where they apply.

use super::super::pattern::Pattern;
use super::replacement::Part;
use std::sync::Arc;

pub enum Address {
    Line(u64),
    Last,
    /// None: the expression used last.
    Match(Option<Arc<Pattern>>),
    /// From the first number on, every so many lines.
    Step(u64, u64),
}

pub enum Until {
    Address(Address),
    /// So many lines on.
    Further(u64),
    /// To the next line that is a multiple.
    Multiple(u64),
}

#[derive(Default)]
pub struct Where {
    pub from: Option<Address>,
    pub to: Option<Until>,
    pub negated: bool,
}

pub struct Command {
    pub at: Where,
    pub verb: Verb,
}

/// An output by its place in the script's list of files.
#[derive(Clone, Copy)]
pub enum Target {
    Stdout,
    Stderr,
    File(usize),
}

pub struct Substitution {
    pub pattern: Option<Arc<Pattern>>,
    pub parts: Vec<Part>,
    pub global: bool,
    pub print: bool,
    pub number: usize,
    pub write: Option<Target>,
}

pub enum Verb {
    /// `{`: where its block ends.
    Block(usize),
    EndBlock,
    Equals,
    Append(Vec<u8>),
    Insert(Vec<u8>),
    Change(Vec<u8>),
    /// b, and where to; none is the end of the script.
    Branch(Option<usize>),
    BranchIfDone(Option<usize>),
    BranchUnlessDone(Option<usize>),
    Label,
    Delete,
    DeleteFirst,
    Name,
    Get,
    GetAppend,
    Hold,
    HoldAppend,
    Exchange,
    List(Option<usize>),
    Next,
    NextAppend,
    Print,
    PrintFirst,
    Quit(u8),
    QuitSilently(u8),
    ReadFile(Vec<u8>),
    ReadLine(usize),
    Substitute(Box<Substitution>),
    Write(Target),
    WriteFirst(Target),
    Translate(Box<[u8; 256]>),
    Clear,
}

pub struct Script {
    pub commands: Vec<Command>,
    /// Files that w writes to, by name.
    pub outputs: Vec<Vec<u8>>,
    /// Files that R reads lines of.
    pub inputs: Vec<Vec<u8>>,
    /// The first line is `#n`.
    pub quiet: bool,
}
