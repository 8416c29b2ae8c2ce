//! sed(1): POSIX's commands and GNU's additions but for `e`, which would run commands. `parser` reads the `script`, `replacement` what
//! stands for what was found; `machine` runs it over the lines that `lines` gives.

mod lines;
mod machine;
mod parser;
mod replacement;
mod script;

pub(super) use replacement::{bracket_end, letter_escape};

use super::gnu::{Done, Failure, Program, fail};
use super::messages::say;
use super::options::Args;
use super::{Invocation, words};
use machine::Machine;
use parser::Source;

pub(super) const PROGRAM: Program = Program::new(
    "[OPTION]... {SCRIPT} [FILE]...",
    "Edit lines: run SCRIPT over each line of each FILE, or of standard input.",
    "n,quiet,silent e,expression= f,file= E,r,regexp-extended i,in-place=?? s,separate z,null-data u,unbuffered l,line-length= posix sandbox",
);

/// What the options say.
pub(super) struct Settings {
    pub quiet: bool,
    /// Each file has lines of its own numbers, and its own last line.
    pub separate: bool,
    /// Files are changed; where there is a suffix or pattern, the old one is kept under that name.
    pub in_place: Option<Vec<u8>>,
    /// What ends a line.
    pub end: u8,
    pub unbuffered: bool,
    pub width: usize,
    pub posix: bool,
}

pub(super) async fn run(call: &mut Invocation<'_>, args: Args) -> Done {
    let mut sources = Vec::new();
    for given in &args.options {
        match (given.key, &given.value) {
            ("e", Some(text)) => sources.push(Source { text: text.clone(), file: None }),
            ("f", Some(path)) => {
                let text = match call.open(path).await {
                    Ok(mut input) => call.rest(&mut input).await,
                    Err(error) => Err(error),
                };
                match text {
                    Ok(text) => sources.push(Source { text, file: Some(path.clone()) }),
                    Err(error) => return fail(say!("couldn't open file ", path, ": ", words(&error))),
                }
            }
            _ => {}
        }
    }
    let mut files = args.operands.as_slice();
    if sources.is_empty() {
        let Some((text, rest)) = files.split_first() else {
            let usage = "Usage: sed [OPTION]... {script-only-if-no-other-script} [input-file]...\n\n";
            call.warn_bare(usage.as_bytes()).await;
            return Err(Failure::Status(1));
        };
        sources.push(Source { text: text.clone(), file: None });
        files = rest;
    }
    let script = match parser::parse(&sources, args.has("E")) {
        Ok(script) => script,
        Err(words) => {
            let lost = words.starts_with(b"can't find label");
            call.warn(words).await;
            return Err(Failure::Status(if lost { 4 } else { 1 }));
        }
    };
    let in_place = args.has("i").then(|| args.value("i").unwrap_or_default().to_vec());
    let width = match args.value("l") {
        None => 70,
        Some(text) => match std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()) {
            Some(width) => width,
            None => return fail(say!("invalid line length: ", text)),
        },
    };
    let settings = Settings {
        quiet: args.has("n") || script.quiet,
        separate: args.has("s") || in_place.is_some(),
        in_place,
        end: if args.has("z") { 0 } else { b'\n' },
        unbuffered: args.has("u"),
        width,
        posix: args.has("posix"),
    };
    let files = if files.is_empty() { vec![b"-".to_vec()] } else { files.to_vec() };
    Machine::new(script, settings, files).run(call).await
}
