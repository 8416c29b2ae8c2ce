//! sort(1): lines in order. The command line is read here, what keys are compared by is `key`, the order of versions is `versions`. All lines are
//! kept in memory, as much as the task may keep.

mod key;
mod versions;

pub(super) use versions::version;

use super::gnu::{Done, Failure, Program, fail};
use super::messages::{named, quoted, say};
use super::options::Args;
use super::reach::or_stdin;
use super::{Input, Invocation, turn, words};
use key::{By, Key};
use std::cmp::Ordering;

pub(super) const PROGRAM: Program = Program::new(
    "[OPTION]... [FILE]...",
    "Write sorted concatenation of all FILE(s) to standard output.",
    "b,ignore-leading-blanks d,dictionary-order f,ignore-case g,general-numeric-sort i,ignore-nonprinting M,month-sort h,human-numeric-sort \
     n,numeric-sort R,random-sort random-source= r,reverse sort= V,version-sort batch-size= c check=? C compress-program= debug \
     files0-from= k,key= m,merge o,output= s,stable S,buffer-size= t,field-separator= T,temporary-directory= parallel= u,unique \
     z,zero-terminated",
)
.trouble(2);

/// Bytes that a line costs beyond its own.
const OVERHEAD: usize = 48;

struct Order {
    keys: Vec<Key>,
    separator: Option<u8>,
    /// Lines that are equal by their keys are compared whole.
    last_resort: bool,
    reversed: bool,
}

impl Order {
    fn compare(&self, a: &[u8], b: &[u8]) -> Ordering {
        for key in &self.keys {
            let order = key.compare(a, b, self.separator);
            if order != Ordering::Equal {
                return order;
            }
        }
        if !self.last_resort {
            return Ordering::Equal;
        }
        if self.reversed { b.cmp(a) } else { a.cmp(b) }
    }
}

fn order(args: &Args) -> Done<(Order, bool)> {
    let mut whole = Key::default();
    for given in &args.options {
        match given.key {
            "sort" => {
                let by = match given.value.as_deref().unwrap_or_default() {
                    b"general-numeric" => By::General,
                    b"human-numeric" => By::Human,
                    b"month" => By::Month,
                    b"numeric" => By::Number,
                    b"version" => By::Version,
                    b"random" => By::Random,
                    value => return fail(say!("invalid argument ", quoted(value), " for '--sort'")),
                };
                whole.by = by;
            }
            key if key.len() == 1 => whole.option(key.as_bytes()[0]),
            _ => {}
        }
    }
    let separator = match args.value("t") {
        None => None,
        Some([byte]) => Some(*byte),
        Some(b"\\0") => Some(0),
        Some([]) => return fail("empty tab"),
        Some(text) => return fail(say!("multi-character tab ", quoted(text))),
    };
    let mut keys = Vec::new();
    for given in args.options.iter().filter(|given| given.key == "k") {
        let text = given.value.as_deref().unwrap_or_default();
        match Key::parse(text) {
            Ok(key) => keys.push(if key.has_options() { key } else { key.with(&whole) }),
            Err(words) => return fail(words),
        }
    }
    let plain = keys.is_empty() && !whole.has_options();
    if keys.is_empty() && whole.has_options() {
        keys.push(whole.clone());
    }
    let unique = args.has("u");
    let last_resort = !(args.has("s") || unique) || plain;
    Ok((Order { keys, separator, last_resort, reversed: whole.reversed }, unique))
}

/// Refuses `letters` where they say more than one way to compare.
fn compatible(letters: &[u8]) -> Done<()> {
    let ways = b"ghMn".iter().filter(|letter| letters.contains(letter)).count();
    // What is left out, versions and chance go together.
    let others = b"diRV".iter().any(|letter| letters.contains(letter));
    if ways + usize::from(others) < 2 {
        return Ok(());
    }
    let dictionary = letters.contains(&b'd');
    let shown = b"dfghiMnRV".iter().filter(|b| letters.contains(b) && !(**b == b'i' && dictionary));
    fail(say!("options '-", shown.copied().collect::<Vec<u8>>(), "' are incompatible"))
}

/// Refuses options that say two things.
fn agreeing(args: &Args) -> Done<()> {
    let quiet = |value: &[u8]| matches!(value, b"quiet" | b"silent");
    let checks = args.options.iter().filter_map(|given| match (given.key, &given.value) {
        ("check", Some(value)) if quiet(value) => Some("C"),
        ("c" | "check", _) => Some("c"),
        ("C", _) => Some("C"),
        _ => None,
    });
    let checks: Vec<&str> = checks.collect();
    if checks.contains(&"c") && checks.contains(&"C") {
        return fail("options '-cC' are incompatible");
    }
    let mut whole = Vec::new();
    let (mut keys, mut inherits) = (0, false);
    for given in &args.options {
        match (given.key, given.value.as_deref()) {
            ("sort", Some(way)) => whole.push(match way {
                b"general-numeric" => b'g',
                b"human-numeric" => b'h',
                b"month" => b'M',
                b"numeric" => b'n',
                b"random" => b'R',
                _ => b'V',
            }),
            ("k", Some(text)) => {
                let letters: Vec<u8> = text.iter().copied().filter(u8::is_ascii_alphabetic).collect();
                keys += 1;
                inherits |= letters.is_empty();
                compatible(&letters)?;
            }
            (key, None) if key.len() == 1 => whole.push(key.as_bytes()[0]),
            _ => {}
        }
    }
    if keys == 0 || inherits {
        compatible(&whole)?;
    }
    match checks.first() {
        Some(check) if args.has("o") => fail(format!("options '-{check}o' are incompatible")),
        _ => Ok(()),
    }
}

pub(super) async fn run(call: &mut Invocation<'_>, args: Args) -> Done {
    let (order, unique) = order(&args)?;
    agreeing(&args)?;
    let end = if args.has("z") { 0 } else { b'\n' };
    let mut files = or_stdin(&args.operands);
    if let Some(list) = args.value("files0-from") {
        let text = match call.open(list).await {
            Ok(mut input) => call.rest(&mut input).await,
            Err(error) => Err(error),
        };
        match text {
            Ok(text) => {
                files = text.split(|b| *b == 0).filter(|name| !name.is_empty()).map(<[u8]>::to_vec).collect()
            }
            Err(error) => return fail(say!("open failed: ", named(list), ": ", words(&error))),
        }
    }
    if let Some(check) = args.last(&["c", "C", "check"]) {
        if let [_, extra, ..] = &args.operands[..] {
            return fail(say!("extra operand ", quoted(extra), " not allowed with -", &check[..1]));
        }
        let quiet =
            check == "C" || args.value("check").is_some_and(|how| matches!(how, b"quiet" | b"silent"));
        return checked(call, &files[0], &order, unique, end, quiet).await;
    }
    let mut lines = Lines { text: Vec::new(), starts: Vec::new() };
    // How many lines each file has, where they are in order already.
    let mut runs = Vec::new();
    let mut held = call.shell.memory().hold(0)?;
    for path in &files {
        let mut input = open(call, path).await?;
        let (mut line, before) = (Vec::new(), lines.starts.len());
        loop {
            match call.line(&mut input, end, &mut line).await {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => return fail(say!("read failed: ", named(path), ": ", words(&error))),
            }
            if line.last() == Some(&end) {
                line.pop();
            }
            lines.starts.push((lines.text.len(), line.len()));
            lines.text.extend_from_slice(&line);
            // Asked for in large steps, and before they are taken.
            if lines.starts.len() % 1024 == 1 || line.len() > 64 << 10 {
                held.set(lines.text.capacity() + lines.starts.len() * OVERHEAD + (64 << 10))?;
            }
        }
        runs.push(lines.starts.len() - before);
    }
    let runs = if args.has("m") { runs } else { Vec::new() };
    sorted(call, &mut lines, &order, runs).await;
    let mut output = match args.value("o") {
        None => None,
        Some(path) => match call.output(path).await {
            Ok(output) => Some((output, path)),
            Err(error) => return fail(say!("open failed: ", named(path), ": ", words(&error))),
        },
    };
    let mut before: Option<&[u8]> = None;
    for index in 0..lines.starts.len() {
        turn(call.shell).await;
        let line = lines.get(index);
        if unique && before.is_some_and(|before| order.compare(before, line) == Ordering::Equal) {
            continue;
        }
        before = Some(line);
        let written = match &mut output {
            None => {
                call.stdout.write(line).await?;
                call.stdout.write(&[end]).await?;
                Ok(())
            }
            Some((output, path)) => {
                let first = output.write(line).await;
                let both = if first.is_ok() { output.write(&[end]).await } else { first };
                both.map_err(|error| (error, *path))
            }
        };
        if let Err((error, path)) = written {
            return fail(say!("write failed: ", named(path), ": ", words(&error)));
        }
    }
    if let Some((output, path)) = &mut output
        && let Err(error) = output.flush().await
    {
        return fail(say!("write failed: ", named(path), ": ", words(&error)));
    }
    Ok(0)
}

async fn open(call: &mut Invocation<'_>, path: &[u8]) -> Done<Input> {
    match call.open(path).await {
        Ok(input) => Ok(input),
        Err(error) => fail(say!("cannot read: ", named(path), ": ", words(&error))),
    }
}

/// All lines in one text.
struct Lines {
    text: Vec<u8>,
    /// Where each begins, and its length.
    starts: Vec<(usize, usize)>,
}

impl Lines {
    fn get(&self, index: usize) -> &[u8] {
        let (start, len) = self.starts[index];
        &self.text[start..start + len]
    }
}

/// Merge sort in runs, so that others get their turn between them. `runs` are those that are in order already; none are: all are made.
async fn sorted(call: &Invocation<'_>, lines: &mut Lines, order: &Order, mut runs: Vec<usize>) {
    const RUN: usize = 4096;
    let text = std::mem::take(&mut lines.text);
    let line = |(start, len): (usize, usize)| &text[start..start + len];
    if runs.is_empty() {
        for run in lines.starts.chunks_mut(RUN) {
            tokio::task::yield_now().await;
            run.sort_by(|a, b| order.compare(line(*a), line(*b)));
            runs.push(run.len());
        }
    }
    let mut from = std::mem::take(&mut lines.starts);
    let mut to = Vec::with_capacity(from.len());
    while runs.len() > 1 {
        let mut rest = &from[..];
        let mut merged = Vec::with_capacity(runs.len().div_ceil(2));
        for pair in runs.chunks(2) {
            let both: usize = pair.iter().sum();
            let (mut left, mut right) = rest[..both].split_at(pair[0]);
            rest = &rest[both..];
            while let ([a, ..], [b, ..]) = (left, right) {
                if to.len() % 256 == 0 {
                    turn(call.shell).await;
                }
                if order.compare(line(*a), line(*b)) == Ordering::Greater {
                    to.push(*b);
                    right = &right[1..];
                } else {
                    to.push(*a);
                    left = &left[1..];
                }
            }
            to.extend_from_slice(left);
            to.extend_from_slice(right);
            merged.push(both);
        }
        runs = merged;
        std::mem::swap(&mut from, &mut to);
        to.clear();
    }
    lines.starts = from;
    lines.text = text;
}

/// -c: the first line that is out of order.
async fn checked(
    call: &mut Invocation<'_>,
    path: &[u8],
    order: &Order,
    unique: bool,
    end: u8,
    quiet: bool,
) -> Done {
    let mut input = open(call, path).await?;
    let (mut before, mut line, mut number) = (Vec::new(), Vec::new(), 0u64);
    loop {
        match call.line(&mut input, end, &mut line).await {
            Ok(true) => {}
            Ok(false) => return Ok(0),
            Err(error) => return fail(say!("read failed: ", named(path), ": ", words(&error))),
        }
        if line.last() == Some(&end) {
            line.pop();
        }
        number += 1;
        if number > 1 {
            let compared = order.compare(&before, &line);
            if compared == Ordering::Greater || (unique && compared == Ordering::Equal) {
                if !quiet {
                    call.warn(say!(path, ":", number.to_string(), ": disorder: ", line)).await;
                }
                return Err(Failure::Status(1));
            }
        }
        std::mem::swap(&mut before, &mut line);
    }
}
