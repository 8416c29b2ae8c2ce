//! xargs(1): command lines made of what comes in. They are run one after the other, whatever -P says.

use super::find::{start, substituted};
use super::gnu::{Done, Failure, Program, fail, misused};
use super::messages::{quoted, say};
use super::options::Args;
use super::{Input, Invocation, words};
use vfs::Errno;

pub(super) const PROGRAM: Program = Program::new(
    "[OPTION]... COMMAND [INITIAL-ARGS]...",
    "Run COMMAND with arguments INITIAL-ARGS and more arguments read from input.",
    "0,null a,arg-file= d,delimiter= E= e,eof=?? I= i,replace=?? L,max-lines= l=?? n,max-args= o,open-tty P,max-procs= p,interactive \
     process-slot-var= r,no-run-if-empty s,max-chars= show-limits t,verbose x,exit",
)
.stops();

/// Bytes of one command line, where -s does not say less.
const LINE: usize = 128 << 10;

enum Split {
    /// Blanks and newlines, with quotes and backslashes.
    Words,
    At(u8),
    /// Lines, without the blanks before them (-I).
    Lines,
}

struct Items {
    input: Input,
    split: Split,
    end: Option<Vec<u8>>,
    ended: bool,
}

struct Item {
    text: Vec<u8>,
    /// A line ended behind it.
    ends_line: bool,
}

impl Items {
    async fn byte(&mut self, call: &mut Invocation<'_>) -> Done<Option<u8>> {
        match call.fill(&mut self.input).await {
            Ok([]) => Ok(None),
            Ok([byte, ..]) => {
                let byte = *byte;
                self.input.take(1);
                Ok(Some(byte))
            }
            Err(error) => fail(say!("read error: ", words(&error))),
        }
    }

    async fn next(&mut self, call: &mut Invocation<'_>) -> Done<Option<Item>> {
        if self.ended {
            return Ok(None);
        }
        let item = match self.split {
            Split::At(end) => self.until(call, end).await?,
            Split::Lines => loop {
                // A line without anything but blanks is none.
                match self.word(call, true).await? {
                    Some(item) if item.text.is_empty() => {}
                    item => break item,
                }
            },
            Split::Words => self.word(call, false).await?,
        };
        if let (Some(item), Some(end)) = (&item, &self.end)
            && item.text == *end
        {
            self.ended = true;
            return Ok(None);
        }
        self.ended = item.is_none();
        Ok(item)
    }

    async fn until(&mut self, call: &mut Invocation<'_>, end: u8) -> Done<Option<Item>> {
        let mut text = Vec::new();
        match call.line(&mut self.input, end, &mut text).await {
            Ok(false) => return Ok(None),
            Ok(true) => {}
            Err(error) => return fail(say!("read error: ", words(&error))),
        }
        if text.last() == Some(&end) {
            text.pop();
        }
        Ok(Some(Item { text, ends_line: true }))
    }

    async fn word(&mut self, call: &mut Invocation<'_>, whole_line: bool) -> Done<Option<Item>> {
        let mut text = Vec::new();
        let mut any = false;
        let mut quote = None;
        loop {
            let Some(byte) = self.byte(call).await? else {
                if let Some(quote) = quote {
                    return unmatched(quote);
                }
                return Ok(any.then_some(Item { text, ends_line: true }));
            };
            if text.len() > LINE {
                return fail("argument line too long");
            }
            match (quote, byte) {
                (Some(open), byte) if byte == open => quote = None,
                (Some(open), b'\n') => return unmatched(open),
                (Some(_), byte) => text.push(byte),
                (None, b'\'' | b'"') => {
                    quote = Some(byte);
                    any = true;
                }
                (None, b'\\') => {
                    any = true;
                    text.extend(self.byte(call).await?);
                }
                (None, b'\n') if any || whole_line => return Ok(Some(Item { text, ends_line: true })),
                (None, b'\n') => {}
                (None, b' ' | b'\t') if whole_line && !any => {}
                (None, b' ' | b'\t') if !whole_line => {
                    if any {
                        return Ok(Some(Item { text, ends_line: self.blanks_to_end(call).await? }));
                    }
                }
                (None, byte) => {
                    any = true;
                    text.push(byte);
                }
            }
        }
    }

    /// Skips blanks; whether the line ends behind them. (A line that ends in a blank goes on in the next, for -L.)
    async fn blanks_to_end(&mut self, call: &mut Invocation<'_>) -> Done<bool> {
        loop {
            match call.fill(&mut self.input).await {
                Ok([b' ' | b'\t', ..]) => self.input.take(1),
                Ok(_) => return Ok(false),
                Err(error) => return fail(say!("read error: ", words(&error))),
            }
        }
    }
}

fn unmatched<T>(quote: u8) -> Done<T> {
    let what = if quote == b'"' { "double" } else { "single" };
    fail(format!(
        "unmatched {what} quote; by default quotes are special to xargs unless you use the -0 option"
    ))
}

fn delimiter(text: &[u8]) -> Option<u8> {
    match text {
        [byte] => Some(*byte),
        [b'\\', b'x', digits @ ..] => u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok(),
        [b'\\', digits @ ..] if digits[0].is_ascii_digit() => {
            u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok()
        }
        [b'\\', b'\\'] => Some(b'\\'),
        [b'\\', letter] => super::sed::letter_escape(*letter),
        _ => None,
    }
}

struct Runs {
    status: u8,
    command: Vec<Vec<u8>>,
    verbose: bool,
}

impl Runs {
    async fn run(&mut self, call: &mut Invocation<'_>, argv: &[Vec<u8>]) -> Done<()> {
        if self.verbose {
            let shown: Vec<Vec<u8>> = argv.iter().map(|word| super::messages::named(word)).collect();
            call.warn_bare(&say!(shown.join(&b' '), "\n")).await;
        }
        match start(call, argv, call.env, call.cwd).await {
            Ok(0) => Ok(()),
            Ok(255) => {
                call.warn(say!(argv[0], ": exited with status 255; aborting")).await;
                Err(Failure::Status(124))
            }
            Ok(_) => {
                self.status = 123;
                Ok(())
            }
            Err(error) => {
                call.warn(say!(argv[0], ": ", words(&error))).await;
                Err(Failure::Status(if error.is(Errno::ENOENT) { 127 } else { 126 }))
            }
        }
    }
}

pub(super) async fn run(call: &mut Invocation<'_>, args: Args) -> Done {
    let number = |key: &str| -> Done<Option<usize>> {
        match args.value(key) {
            None => Ok(None),
            Some(text) => match super::size::parse(text, b"") {
                Some(0) => fail(say!("value ", text, " for -", key, " option should be >= 1")),
                Some(number) => Ok(Some(number as usize)),
                None => misused(say!("invalid number \"", text, "\" for -", key, " option")),
            },
        }
    };
    let replace =
        args.value("I").or(args.value("i")).map(<[u8]>::to_vec).or(args.has("i").then(|| b"{}".to_vec()));
    let (most, lines) = (number("n")?, number("L")?.or(args.has("l").then_some(1)));
    let room = number("s")?.unwrap_or(LINE).min(LINE);
    let split = match (args.last(&["0", "d"]), args.value("d")) {
        (Some("0"), _) => Split::At(0),
        (Some("d"), Some(text)) => match delimiter(text) {
            Some(byte) => Split::At(byte),
            None => {
                return fail(say!(
                    "Invalid input delimiter specification ",
                    text,
                    ": the delimiter must be either a single character or an escape sequence starting with \\."
                ));
            }
        },
        _ if replace.is_some() => Split::Lines,
        _ => Split::Words,
    };
    let input = match args.value("a") {
        None => call.stdin.surrender(),
        Some(path) => match call.open_file(path).await {
            Ok(input) => input,
            Err(error) => return fail(say!("Cannot open input file ", quoted(path), ": ", words(&error))),
        },
    };
    let end = args.value("E").or(args.value("e")).map(<[u8]>::to_vec);
    let mut items = Items { input, split, end, ended: false };
    let command = if args.operands.is_empty() { vec![b"echo".to_vec()] } else { args.operands.clone() };
    let mut runs = Runs { status: 0, command, verbose: args.has("t") };
    if let Some(mark) = replace {
        while let Some(item) = items.next(call).await? {
            let argv: Vec<Vec<u8>> = runs
                .command
                .iter()
                .enumerate()
                .map(|(at, word)| if at == 0 { word.clone() } else { substituted(word, &mark, &item.text) })
                .collect();
            runs.run(call, &argv).await?;
        }
        return Ok(runs.status);
    }
    let fixed: usize = runs.command.iter().map(|word| word.len() + 1).sum();
    let mut argv = runs.command.clone();
    let (mut bytes, mut count, mut ended_lines, mut ran) = (fixed, 0, 0, false);
    loop {
        let item = items.next(call).await?;
        let full = item.as_ref().is_some_and(|item| bytes + item.text.len() + 1 > room) && count > 0;
        if let Some(item) = &item
            && count == 0
            && fixed + item.text.len() + 1 > room
        {
            return fail("argument line too long");
        }
        if full && args.has("x") {
            return fail("argument list too long");
        }
        let runs_now = item.is_none() && (count > 0 || (!ran && !args.has("r")));
        if full || runs_now {
            let line = std::mem::replace(&mut argv, runs.command.clone());
            runs.run(call, &line).await?;
            (bytes, count, ended_lines, ran) = (fixed, 0, 0, true);
        }
        let Some(item) = item else { return Ok(runs.status) };
        bytes += item.text.len() + 1;
        count += 1;
        ended_lines += usize::from(item.ends_line);
        argv.push(item.text);
        if most.is_some_and(|most| count >= most) || lines.is_some_and(|lines| ended_lines >= lines) {
            let line = std::mem::replace(&mut argv, runs.command.clone());
            runs.run(call, &line).await?;
            (bytes, count, ended_lines, ran) = (fixed, 0, 0, true);
        }
    }
}
