//! The shell's language (POSIX.1-2024, Shell Command Language): from bytes to commands.
//!
//! ```text
//! Scanner   bytes, lines, line continuation, aliases              scanner.rs
//! words     quotes, ${…}, $(…), $((…)), here-documents            word.rs
//! Parser    lists, pipelines, compound commands                   parser.rs
//! ```
//!
//! The parser is handed a text line by line: it gives one whole command list at a time, so that what stands before an error
//! runs, and an alias holds from the next line on. It recurses no deeper than [`DEPTH`], whatever a script nests.

mod parser;
mod scanner;
mod word;

pub(crate) use parser::{Parser, is_keyword};
pub(crate) use word::prompt;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

/// How deep commands and words may nest.
pub(crate) const DEPTH: u32 = 200;

/// What a name stands for where a command begins.
pub(crate) type Aliases = BTreeMap<Vec<u8>, Vec<u8>>;

/// Why a text gives no command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    /// It ends within a command, and more of it may come.
    Incomplete,
    /// dash's words behind `Syntax error: `, and the line.
    Syntax { line: u32, text: String },
}

/// A word, as its parts follow each other.
pub(crate) type Word = Vec<Part>;

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Part {
    /// As it stands: what it has of `*`, `?`, `[` and `~` means something.
    Plain(Vec<u8>),
    /// What a backslash or single quotes keep from meaning anything.
    Quoted(Vec<u8>),
    /// Within double quotes.
    Double(Word),
    Parameter(Box<Parameter>),
    Command(Arc<[Item]>),
    Arithmetic(Word),
}

/// `$name`, `${name…}`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Parameter {
    /// A name, digits, or one of `@*#?-$!`.
    pub name: Vec<u8>,
    pub change: Change,
}

/// What is made of a parameter's value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Change {
    None,
    /// `${#name}`.
    Length,
    /// `${name-word}`, `=`, `?`, `+`; with a colon, null counts as unset.
    Unset {
        colon: bool,
        how: u8,
        word: Word,
    },
    /// `${name#word}`, `##`, `%`, `%%`.
    Trim {
        suffix: bool,
        longest: bool,
        pattern: Word,
    },
    /// Something that no shell knows: an error when it is expanded.
    Bad,
}

/// A list's part up to `;`, `&` or the line's end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Item {
    pub list: Arc<AndOr>,
    pub background: bool,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct AndOr {
    pub first: Pipeline,
    /// Whether it is `&&`, and what comes then.
    pub rest: Vec<(bool, Pipeline)>,
    /// Its text, for jobs(1).
    pub text: Vec<u8>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Pipeline {
    pub bang: bool,
    pub stages: Vec<Arc<Command>>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Command {
    pub kind: Kind,
    pub redirects: Vec<Redirect>,
    pub line: u32,
}

type List = Arc<[Item]>;

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Simple { assigns: Vec<(Vec<u8>, Word)>, words: Vec<Word> },
    Group(List),
    Subshell(List),
    If { arms: Vec<(List, List)>, otherwise: Option<List> },
    For { name: Vec<u8>, words: Option<Vec<Word>>, body: List },
    While { until: bool, test: List, body: List },
    Case { word: Word, arms: Vec<(Vec<Word>, List)> },
    Function { name: Vec<u8>, body: Arc<Command>, size: usize },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Towards {
    Read,
    Write,
    /// `>|`: also where noclobber is set.
    Clobber,
    Append,
    ReadWrite,
    /// `<&`, `>&`.
    Copy,
    Here,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Redirect {
    pub fd: u32,
    pub towards: Towards,
    pub target: Word,
    /// Of a here-document; its text is only known at the line's end.
    pub text: Arc<OnceLock<Word>>,
}

/// The name and the value of a word that begins with a plain `name=`.
pub(crate) fn assignment(word: &Word) -> Option<(Vec<u8>, Word)> {
    let Some(Part::Plain(first)) = word.first() else { return None };
    let at = first.iter().position(|b| *b == b'=').filter(|at| is_name(&first[..*at]))?;
    let mut value = word.clone();
    value[0] = Part::Plain(first[at + 1..].to_vec());
    Some((first[..at].to_vec(), value))
}

/// Whether `name` is a variable's.
pub(crate) fn is_name(name: &[u8]) -> bool {
    let first = |b: u8| b.is_ascii_alphabetic() || b == b'_';
    name.first().is_some_and(|b| first(*b)) && name.iter().all(|b| first(*b) || b.is_ascii_digit())
}
