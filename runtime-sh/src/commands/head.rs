//! head(1): the first lines or bytes of files, or all but the last ones.

use super::gnu::{Done, Program, fail};
use super::messages::{quoted, say};
use super::options::Args;
use super::reach::or_stdin;
use super::{Input, Invocation, size, words};
use std::collections::VecDeque;

pub(super) const PROGRAM: Program = Program::new(
    "[OPTION]... [FILE]...",
    "Print the first 10 lines of each FILE to standard output.",
    "c,bytes= n,lines= q,quiet,silent v,verbose z,zero-terminated 0 1 2 3 4 5 6 7 8 9",
);

#[derive(Clone, Copy)]
enum Amount {
    Lines(u64),
    Bytes(u64),
    /// All but so many at the end.
    ButLines(u64),
    ButBytes(u64),
}

pub(super) async fn run(call: &mut Invocation<'_>, args: Args) -> Done {
    let mut amount = Amount::Lines(10);
    let mut digits = String::new();
    for given in &args.options {
        let value = given.value.as_deref().unwrap_or_default();
        match given.key {
            "n" | "c" => {
                let (but, text) = match value.strip_prefix(b"-") {
                    Some(text) => (true, text),
                    None => (false, value),
                };
                let text = text.strip_prefix(b"+").unwrap_or(text);
                let Some(number) = size::parse(text, b"bkKmMGTPE") else {
                    let what = if given.key == "n" { "lines" } else { "bytes" };
                    return fail(say!(
                        "invalid number of ",
                        what,
                        ": ",
                        quoted(value.strip_prefix(b"-").unwrap_or(value))
                    ));
                };
                amount = match (given.key, but) {
                    ("n", false) => Amount::Lines(number),
                    ("n", true) => Amount::ButLines(number),
                    (_, false) => Amount::Bytes(number),
                    (_, true) => Amount::ButBytes(number),
                };
            }
            key if key.as_bytes()[0].is_ascii_digit() => {
                digits.push_str(key);
                amount = Amount::Lines(digits.parse().unwrap_or(u64::MAX));
            }
            _ => {}
        }
    }
    let end = if args.has("z") { 0 } else { b'\n' };
    let files = or_stdin(&args.operands);
    let headers = match args.last(&["q", "v"]) {
        Some(key) => key == "v",
        None => files.len() > 1,
    };
    let (mut status, mut first) = (0, true);
    for path in &files {
        let mut input = match call.open(path).await {
            Ok(input) => input,
            Err(error) => {
                status = 1;
                call.warn(say!("cannot open ", quoted(path), " for reading: ", words(&error))).await;
                continue;
            }
        };
        if headers {
            let name = if path == b"-" { b"standard input" } else { &path[..] };
            let gap = if first { "" } else { "\n" };
            call.stdout.write(&say!(gap, "==> ", name, " <==\n")).await?;
        }
        first = false;
        if let Err(error) = copy(call, &mut input, amount, end).await? {
            status = 1;
            let name = if path == b"-" { b"standard input" } else { &path[..] };
            call.warn(say!("error reading ", quoted(name), ": ", words(&error))).await;
        }
    }
    Ok(status)
}

async fn copy(
    call: &mut Invocation<'_>,
    input: &mut Input,
    amount: Amount,
    end: u8,
) -> Done<vfs::Result<()>> {
    match amount {
        Amount::Bytes(mut left) => {
            while left > 0 {
                let next = match call.fill(input).await {
                    Ok([]) => break,
                    Ok(next) => next,
                    Err(error) => return Ok(Err(error)),
                };
                let count = next.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                let piece = next[..count].to_vec();
                input.take(count);
                call.stdout.write(&piece).await?;
                left -= count as u64;
            }
        }
        Amount::Lines(mut left) => {
            while left > 0 {
                let next = match call.fill(input).await {
                    Ok([]) => break,
                    Ok(next) => next,
                    Err(error) => return Ok(Err(error)),
                };
                let mut count = next.len();
                for at in memchr::memchr_iter(end, next) {
                    left -= 1;
                    if left == 0 {
                        count = at + 1;
                        break;
                    }
                }
                let piece = next[..count].to_vec();
                input.take(count);
                call.stdout.write(&piece).await?;
            }
        }
        Amount::ButLines(0) | Amount::ButBytes(0) => {
            return Box::pin(copy(call, input, Amount::Bytes(u64::MAX), end)).await;
        }
        Amount::ButLines(most) => {
            let mut kept: VecDeque<Vec<u8>> = VecDeque::new();
            let mut held = call.shell.memory().hold(0)?;
            let (mut line, mut bytes) = (Vec::new(), 0);
            loop {
                match call.line(input, end, &mut line).await {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(error) => return Ok(Err(error)),
                }
                bytes += line.len();
                kept.push_back(std::mem::take(&mut line));
                if kept.len() as u64 > most
                    && let Some(line) = kept.pop_front()
                {
                    call.stdout.write(&line).await?;
                    bytes -= line.len();
                }
                held.set(bytes)?;
            }
        }
        Amount::ButBytes(most) => {
            let mut kept: VecDeque<u8> = VecDeque::new();
            let mut held = call.shell.memory().hold(0)?;
            loop {
                let next = match call.fill(input).await {
                    Ok([]) => break,
                    Ok(next) => next,
                    Err(error) => return Ok(Err(error)),
                };
                kept.extend(next);
                let count = next.len();
                input.take(count);
                let over = kept.len().saturating_sub(usize::try_from(most).unwrap_or(usize::MAX));
                let piece: Vec<u8> = kept.drain(..over).collect();
                call.stdout.write(&piece).await?;
                held.set(kept.len())?;
            }
        }
    }
    Ok(Ok(()))
}
