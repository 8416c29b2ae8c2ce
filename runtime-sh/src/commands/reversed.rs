//! tac(1) and rev(1): lines from the last to the first, and lines from their ends.

use super::gnu::{Done, Program, fail};
use super::messages::{named, quoted, say};
use super::options::Args;
use super::pattern::{Pattern, Syntax};
use super::reach::or_stdin;
use super::{Invocation, words};
use std::collections::VecDeque;
use std::ops::Range;

pub(super) const TAC: Program = Program::new(
    "[OPTION]... [FILE]...",
    "Write each FILE to standard output, last line first.",
    "b,before r,regex s,separator=",
);

pub(super) const REV: Program = Program::new("[FILE]...", "Reverse lines characterwise.", "");

pub(super) async fn tac(call: &mut Invocation<'_>, args: Args) -> Done {
    let separator = match args.value("s") {
        Some([]) if args.has("r") => return fail("separator cannot be empty"),
        Some([]) => &[0],
        Some(text) => text,
        None => b"\n",
    };
    let expression = match args
        .has("r")
        .then(|| Pattern::new(&basic(separator), Syntax { multi_line: true, ..Syntax::default() }))
        .transpose()
    {
        Ok(expression) => expression,
        Err(words) => return fail(words),
    };
    let mut status = 0;
    for path in or_stdin(&args.operands) {
        let mut input = match call.open(&path).await {
            Ok(input) => input,
            Err(error) => {
                status = 1;
                call.warn(say!("failed to open ", quoted(&path), " for reading: ", words(&error))).await;
                continue;
            }
        };
        let text = match call.rest(&mut input).await {
            Ok(text) => text,
            Err(error) => {
                status = 1;
                call.warn(say!(named(&path), ": read error: ", words(&error))).await;
                continue;
            }
        };
        let separators: VecDeque<Range<usize>> = match &expression {
            Some(expression) => found_from_the_end(call, expression, &text).await,
            None => memchr::memmem::find_iter(&text, separator).map(|at| at..at + separator.len()).collect(),
        };
        let mut end = text.len();
        for found in separators.iter().rev() {
            super::turn(call.shell).await;
            let cut = if args.has("b") { found.start } else { found.end };
            call.stdout.write(&text[cut..end]).await?;
            end = cut;
        }
        call.stdout.write(&text[..end]).await?;
    }
    Ok(status)
}

/// An expression of tac's as a basic one. GNU's reads it as Emacs does: `+` and `?` are operators and `\+` and `\?` are not, there are
/// no counts in braces, and a dot is no newline.
fn basic(expression: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    let mut at = 0;
    while let Some(byte) = expression.get(at) {
        let begins = text.is_empty() || text.ends_with(b"\\(") || text.ends_with(b"\\|");
        let (part, len): (&[u8], usize) = match (byte, expression.get(at + 1)) {
            (b'\\', Some(b'+' | b'?' | b'{' | b'}')) => (&expression[at + 1..at + 2], 2),
            (b'\\', Some(_)) => (&expression[at..at + 2], 2),
            (b'+', _) if !begins => (b"\\+", 1),
            (b'?', _) if !begins => (b"\\?", 1),
            (b'.', _) => (b"[^\n]", 1),
            (b'[', _) => {
                let end = super::sed::bracket_end(expression, at).unwrap_or(expression.len());
                (&expression[at..end], end - at)
            }
            _ => (std::slice::from_ref(byte), 1),
        };
        text.extend_from_slice(part);
        at += len;
    }
    text
}

/// The separators as GNU's tac finds them, from the end on: each begins as far behind as can be, and ends before the one that was
/// found before it.
async fn found_from_the_end(
    call: &mut Invocation<'_>,
    expression: &Pattern,
    text: &[u8],
) -> VecDeque<Range<usize>> {
    let mut separators = VecDeque::new();
    let mut end = text.len();
    while let Some(found) = last_before(call, expression, &text[..end]).await {
        end = found.start;
        separators.push_front(found);
    }
    separators
}

/// The match in `text` that begins last.
async fn last_before(call: &mut Invocation<'_>, expression: &Pattern, text: &[u8]) -> Option<Range<usize>> {
    let mut behind = 1;
    while behind <= text.len() {
        super::turn(call.shell).await;
        let mut last = None;
        let mut from = text.len() - behind;
        while let Some(found) = expression.find(text, from).filter(|found| found.start < text.len()) {
            super::turn(call.shell).await;
            from = found.start + 1;
            last = Some(found);
        }
        if last.is_some() || behind == text.len() {
            return last;
        }
        behind = (behind * 2).min(text.len());
    }
    None
}

pub(super) async fn rev(call: &mut Invocation<'_>, args: Args) -> Done {
    let mut status = 0;
    for path in or_stdin(&args.operands) {
        let Some(mut input) = call.open_or_tell(&path).await else {
            status = 1;
            continue;
        };
        let mut line = Vec::new();
        loop {
            match call.line(&mut input, b'\n', &mut line).await {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    status = 1;
                    call.tell(&path, &error).await;
                    break;
                }
            }
            let ended = line.last() == Some(&b'\n');
            if ended {
                line.pop();
            }
            line.reverse();
            if ended {
                line.push(b'\n');
            }
            call.stdout.write(&line).await?;
        }
    }
    Ok(status)
}
