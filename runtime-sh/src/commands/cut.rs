//! cut(1): parts of lines, by bytes or fields.

use super::Invocation;
use super::gnu::{Done, Program, misused};
use super::messages::{quoted, say};
use super::options::Args;
use super::reach::or_stdin;

pub(super) const PROGRAM: Program = Program::new(
    "OPTION... [FILE]...",
    "Print selected parts of lines from each FILE to standard output.",
    "b,bytes= c,characters= d,delimiter= f,fields= n complement s,only-delimited output-delimiter= z,zero-terminated",
);

/// First and last of each range, from 1, in order and apart.
fn ranges(text: &[u8], fields: bool) -> Done<Vec<(usize, usize)>> {
    let what = if fields { "field" } else { "byte/character position" };
    let mut ranges = Vec::new();
    for part in text.split(|b| matches!(b, b',' | b' ' | b'\t')) {
        let number = |digits: &[u8]| -> Done<Option<usize>> {
            if digits.is_empty() {
                return Ok(None);
            }
            match std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|b| b.is_ascii_digit())) {
                Some(text) => Ok(Some(text.parse().unwrap_or(usize::MAX))),
                None if fields => misused(say!("invalid field value ", quoted(digits))),
                None => misused(say!("invalid byte/character position ", quoted(digits))),
            }
        };
        let range = match part.iter().position(|b| *b == b'-') {
            None => {
                let one = number(part)?;
                (one.unwrap_or(0), one.unwrap_or(0))
            }
            Some(dash) => match (number(&part[..dash])?, number(&part[dash + 1..])?) {
                (None, None) => return misused("invalid range with no endpoint: -"),
                (first, last) => (first.unwrap_or(1), last.unwrap_or(usize::MAX)),
            },
        };
        if range.0 == 0 {
            return misused(if fields {
                "fields are numbered from 1"
            } else {
                "byte/character positions are numbered from 1"
            });
        }
        if range.1 < range.0 {
            return misused("invalid decreasing range");
        }
        ranges.push(range);
    }
    if ranges.is_empty() {
        return misused(say!("missing list of ", what, "s"));
    }
    ranges.sort();
    let mut merged: Vec<(usize, usize)> = Vec::new();
    for (first, last) in ranges {
        match merged.last_mut() {
            Some(before) if first <= before.1 => before.1 = before.1.max(last),
            _ => merged.push((first, last)),
        }
    }
    Ok(merged)
}

/// All that is in none of `ranges`.
fn complement(ranges: &[(usize, usize)]) -> Vec<(usize, usize)> {
    let mut others = Vec::new();
    let mut next = 1usize;
    for (first, last) in ranges {
        if *first > next {
            others.push((next, first - 1));
        }
        next = last.saturating_add(1);
    }
    if next < usize::MAX {
        others.push((next, usize::MAX));
    }
    others
}

pub(super) async fn run(call: &mut Invocation<'_>, args: Args) -> Done {
    let lists: Vec<_> = args.options.iter().filter(|given| matches!(given.key, "b" | "c" | "f")).collect();
    let list = match lists[..] {
        [] => return misused("you must specify a list of bytes, characters, or fields"),
        [list] => list,
        _ => return misused("only one list may be specified"),
    };
    let fields = list.key == "f";
    let mut wanted = ranges(list.value.as_deref().unwrap_or_default(), fields)?;
    if args.has("complement") {
        wanted = complement(&wanted);
    }
    let delimiter = match args.value("d") {
        None => b'\t',
        Some(_) if !fields => {
            return misused("an input delimiter may be specified only when operating on fields");
        }
        Some([]) => 0,
        Some([byte]) => *byte,
        Some(_) => return misused("the delimiter must be a single character"),
    };
    if args.has("s") && !fields {
        return misused("suppressing non-delimited lines makes sense\n\tonly when operating on fields");
    }
    let between = args.value("output-delimiter").map(<[u8]>::to_vec);
    let end = if args.has("z") { 0 } else { b'\n' };
    let mut status = 0;
    for path in or_stdin(&args.operands) {
        let Some(mut input) = call.open_or_tell(&path).await else {
            status = 1;
            continue;
        };
        let mut line = Vec::new();
        loop {
            match call.line(&mut input, end, &mut line).await {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    status = 1;
                    call.tell(&path, &error).await;
                    break;
                }
            }
            if line.last() == Some(&end) {
                line.pop();
            }
            let mut out = Vec::new();
            if fields {
                if !line.contains(&delimiter) {
                    if args.has("s") {
                        continue;
                    }
                    out.extend_from_slice(&line);
                } else {
                    let gap = between.as_deref().unwrap_or(std::slice::from_ref(&delimiter));
                    let mut first = true;
                    let mut ranges = wanted.iter().peekable();
                    for (index, field) in line.split(|b| *b == delimiter).enumerate() {
                        while ranges.next_if(|(_, last)| *last < index + 1).is_some() {}
                        let Some((start, _)) = ranges.peek() else { break };
                        if *start <= index + 1 {
                            if !first {
                                out.extend_from_slice(gap);
                            }
                            first = false;
                            out.extend_from_slice(field);
                        }
                    }
                }
            } else {
                for (index, (start, last)) in wanted.iter().enumerate() {
                    let from = (start - 1).min(line.len());
                    let to = (*last).min(line.len());
                    if from >= to {
                        break;
                    }
                    if index > 0 {
                        out.extend_from_slice(between.as_deref().unwrap_or_default());
                    }
                    out.extend_from_slice(&line[from..to]);
                }
            }
            out.push(end);
            call.stdout.write(&out).await?;
        }
    }
    Ok(status)
}
