//! tar(1): archives made, listed and unpacked in the namespace, plain, gzip or zstd, through `vfs::archive` like a container's import
//! and export. What is compressed is found out when it is read.
//!
//! ```text
//! create    operands ──► walk ──► Packer ──► (gzip) ──► pipe ──► FILE            create
//! FILE ──► pipe ──► Archive (what compression, headers) ──► list, or files      extract
//! ```
//!
//! The pipe is between two halves that run side by side: what reads or writes the archive's file, and what it is made of.

mod create;
mod extract;

use super::glob::Glob;
use super::gnu::{Done, Failure, Program, fail, misused};
use super::messages::say;
use super::options::{self, Args};
use super::{Input, Invocation, Output, words};
use vfs::Error;

pub(super) const PROGRAM: Program = Program::new(
    "{-c|-t|-x}[OPTION]... [FILE]...",
    "Save many files together in an archive, and restore them from it.",
    OPTIONS,
)
.raw()
.trouble(2);

const OPTIONS: &str = "c,create t,list x,extract,get f,file= C,directory= z,gzip,gunzip zstd j,bzip2 J,xz a,auto-compress v,verbose \
     k,keep-old-files O,to-stdout p,preserve-permissions,same-permissions m,touch o,no-same-owner same-owner no-same-permissions h,dereference \
     P,absolute-names strip-components= exclude= T,files-from= n,no-recursion overwrite";

/// How much of an archive is between its two halves.
const PIPE: usize = 64 << 10;

#[derive(Clone, Copy, PartialEq)]
enum Squeeze {
    No,
    Gzip,
    Zstd,
}

/// The operands, each with the directory that it is looked for in.
struct Operand {
    dir: Vec<u8>,
    name: Vec<u8>,
}

pub(super) async fn run(call: &mut Invocation<'_>, _args: Args) -> Done {
    let words = old_style(call.args());
    let args = match options::read(OPTIONS, false, &words) {
        Ok(args) => args,
        Err(text) => return misused(text),
    };
    if args.has("j") || args.has("J") {
        return fail("bzip2 and xz are not supported here: use -z or --zstd");
    }
    let modes: Vec<&str> = ["c", "t", "x"].into_iter().filter(|mode| args.has(mode)).collect();
    let done = match modes.as_slice() {
        ["c"] => create::run(call, &args).await,
        ["t" | "x"] => extract::run(call, &args).await,
        [] => return misused("You must specify one of the '-Acdtrux', '--delete' or '--test-label' options"),
        _ => {
            return misused(
                "You may not specify more than one '-Acdtrux', '--delete' or  '--test-label' option",
            );
        }
    };
    if let Ok(2) = done {
        call.warn("Exiting with failure status due to previous errors").await;
    }
    match done {
        Err(Failure::Said(text)) => {
            call.warn(text).await;
            call.warn("Error is not recoverable: exiting now").await;
            Ok(2)
        }
        done => done,
    }
}

/// `tar czf FILE` is `tar -c -z -f FILE`.
fn old_style(words: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let Some((first, rest)) = words.split_first() else { return Vec::new() };
    if first.starts_with(b"-") || first.is_empty() {
        return words.to_vec();
    }
    let mut rest = rest.iter();
    let mut new = Vec::new();
    for letter in first {
        new.push(vec![b'-', *letter]);
        if b"fCT".contains(letter) {
            new.extend(rest.next().cloned());
        }
    }
    new.extend(rest.cloned());
    new
}

/// The operands and the directories that -C names before them, one in another.
fn operands(args: &Args) -> Vec<Operand> {
    let mut dir: Vec<u8> = Vec::new();
    let mut changes = args.options.iter().filter(|given| given.key == "C").peekable();
    let mut operands = Vec::new();
    for (index, name) in args.operands.iter().enumerate() {
        while let Some(change) = changes.next_if(|change| change.before <= index) {
            dir = below(&dir, change.value.as_deref().unwrap_or_default());
        }
        operands.push(Operand { dir: dir.clone(), name: name.clone() });
    }
    operands
}

/// `path` as it is seen from `dir`.
fn below(dir: &[u8], path: &[u8]) -> Vec<u8> {
    if dir.is_empty() || path.starts_with(b"/") { path.to_vec() } else { super::reach::joined(dir, path) }
}

/// What --exclude names, at any place of a path.
struct Excluded(Vec<Glob>);

impl Excluded {
    fn new(args: &Args) -> Excluded {
        let patterns = args.options.iter().filter(|given| given.key == "exclude");
        Excluded(patterns.map(|given| Glob::new(given.value.as_deref().unwrap_or_default(), false)).collect())
    }

    /// Whether it, or a directory that it is in, is excluded.
    fn has_above(&self, path: &[u8]) -> bool {
        let ends = path.iter().enumerate().filter(|(_, b)| **b == b'/').map(|(at, _)| at);
        !self.0.is_empty() && ends.chain([path.len()]).any(|end| self.has(&path[..end]))
    }

    fn has(&self, path: &[u8]) -> bool {
        let starts = path.iter().enumerate().filter(|(_, b)| **b == b'/').map(|(at, _)| at + 1);
        self.0.iter().any(|glob| std::iter::once(0).chain(starts.clone()).any(|at| glob.matches(&path[at..])))
    }
}

/// How much at a name's beginning leads out of where it stands: `/`, and all up to the last `..`.
fn lead(path: &[u8]) -> usize {
    let (mut safe, mut at) = (0, 0);
    for part in path.split_inclusive(|b| *b == b'/') {
        at += part.len();
        if (part == b"/" && safe == at - 1) || matches!(part, b"../" | b"..") {
            safe = at;
        }
    }
    safe
}

/// The archive's file, to be read.
async fn source(call: &mut Invocation<'_>, args: &Args) -> Done<Input> {
    match args.value("f") {
        None | Some(b"-") => Ok(call.stdin.surrender()),
        Some(path) => match call.open_file(path).await {
            Ok(input) => Ok(input),
            Err(error) => fail(say!(path, ": Cannot open: ", words(&error))),
        },
    }
}

/// The archive's file, to be written, and what it is known by, where it is one.
async fn target(call: &mut Invocation<'_>, args: &Args) -> Done<(Output, Option<u64>)> {
    match args.value("f") {
        None | Some(b"-") => Ok((Output::new(call.stdout.file().clone()), None)),
        Some(path) => {
            let opened = async {
                let output = call.output(path).await?;
                let stat = output.file().stat().await?;
                Ok((output, Some(stat.qid.path)))
            };
            opened.await.or_else(|error: Error| fail(say!(path, ": Cannot open: ", words(&error))))
        }
    }
}
