//! fold(1), expand(1), unexpand(1): lines by their columns.

use super::Invocation;
use super::gnu::{Done, Program, fail};
use super::messages::{quoted, say};
use super::options::Args;
use super::reach::or_stdin;

pub(super) const PROGRAM: Program = Program::new(
    "[OPTION]... [FILE]...",
    "Wrap input lines in each FILE, writing to standard output.",
    "b,bytes s,spaces w,width= 0 1 2 3 4 5 6 7 8 9",
);

pub(super) const EXPAND: Program = Program::new(
    "[OPTION]... [FILE]...",
    "Convert tabs in each FILE to spaces, writing to standard output.",
    "i,initial t,tabs=",
);

pub(super) const UNEXPAND: Program = Program::new(
    "[OPTION]... [FILE]...",
    "Convert blanks in each FILE to tabs, writing to standard output.",
    "a,all first-only t,tabs=",
);

fn advance(column: usize, byte: u8, bytes: bool) -> usize {
    match byte {
        _ if bytes => column + 1,
        b'\t' => column + 8 - column % 8,
        8 => column.saturating_sub(1),
        b'\r' => 0,
        _ => column + 1,
    }
}

pub(super) async fn run(call: &mut Invocation<'_>, args: Args) -> Done {
    let digits: String =
        args.options.iter().map(|given| given.key).filter(|key| key.as_bytes()[0].is_ascii_digit()).collect();
    let width = match args.value("w") {
        Some(text) => match super::size::parse(text, b"") {
            Some(width) if width > 0 => width as usize,
            _ => return fail(say!("invalid number of columns: ", quoted(text))),
        },
        None => digits.parse().unwrap_or(80),
    };
    let (bytes, words) = (args.has("b"), args.has("s"));
    each(call, &args, |line, out| {
        let (mut start, mut column) = (0, 0);
        let mut at = 0;
        while at < line.len() {
            let byte = line[at];
            if byte == b'\n' {
                at += 1;
                continue;
            }
            let next = advance(column, byte, bytes);
            if next > width && at > start {
                let blank = line[start..at].iter().rposition(|b| matches!(b, b' ' | b'\t')).filter(|_| words);
                let cut = blank.map_or(at, |blank| start + blank + 1);
                out.extend_from_slice(&line[start..cut]);
                out.push(b'\n');
                start = cut;
                column = line[cut..at].iter().fold(0, |column, byte| advance(column, *byte, bytes));
                continue;
            }
            column = next;
            at += 1;
        }
        out.extend_from_slice(&line[start..]);
    })
    .await
}

/// Does something with each line of each file.
async fn each(call: &mut Invocation<'_>, args: &Args, mut make: impl FnMut(&[u8], &mut Vec<u8>)) -> Done {
    let mut status = 0;
    for path in or_stdin(&args.operands) {
        let Some(mut input) = call.open_or_tell(&path).await else {
            status = 1;
            continue;
        };
        let (mut line, mut out) = (Vec::new(), Vec::new());
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
            make(&line, &mut out);
            call.stdout.write(&out).await?;
            out.clear();
        }
    }
    Ok(status)
}

/// Where the tabs are: one width for all, or each column.
fn stops(args: &Args) -> Done<Vec<usize>> {
    let mut stops = Vec::new();
    for text in
        args.options.iter().filter(|given| given.key == "t").filter_map(|given| given.value.as_deref())
    {
        for part in text.split(|b| matches!(b, b',' | b' ')) {
            match super::size::parse(part, b"") {
                Some(0) => return fail("tab size cannot be 0"),
                Some(stop) if stops.last().is_some_and(|before| *before as u64 >= stop) => {
                    return fail("tab sizes must be ascending");
                }
                Some(stop) => stops.push(stop as usize),
                None => return fail(say!("tab size contains invalid character(s): ", quoted(part))),
            }
        }
    }
    Ok(if stops.is_empty() { vec![8] } else { stops })
}

fn next_stop(stops: &[usize], column: usize) -> usize {
    match stops {
        [width] => column + width - column % width,
        stops => stops.iter().copied().find(|stop| *stop > column).unwrap_or(column + 1),
    }
}

pub(super) async fn expand(call: &mut Invocation<'_>, args: Args) -> Done {
    let (stops, initial) = (stops(&args)?, args.has("i"));
    each(call, &args, |line, out| {
        let (mut column, mut blank) = (0, true);
        for byte in line {
            match byte {
                b'\t' if blank || !initial => {
                    let to = next_stop(&stops, column);
                    out.extend(std::iter::repeat_n(b' ', to - column));
                    column = to;
                }
                byte => {
                    blank &= *byte == b' ';
                    column = if *byte == 8 { column.saturating_sub(1) } else { column + 1 };
                    out.push(*byte);
                }
            }
        }
    })
    .await
}

pub(super) async fn unexpand(call: &mut Invocation<'_>, args: Args) -> Done {
    let stops = stops(&args)?;
    let all = (args.has("a") || args.has("t")) && !args.has("first-only");
    each(call, &args, |line, out| {
        let (mut column, mut from, mut at) = (0, 0, 0);
        let mut converts = true;
        while at <= line.len() {
            let byte = line.get(at).copied();
            if converts && matches!(byte, Some(b' ' | b'\t')) {
                column = if byte == Some(b'\t') { next_stop(&stops, column) } else { column + 1 };
                at += 1;
                continue;
            }
            // The blanks between two columns: tabs as far as they reach, but not for a single blank in the middle of a line.
            let mut start = from;
            while start < column {
                let stop = next_stop(&stops, start);
                let single = column - from == 1 && from > 0 && line.get(at.wrapping_sub(1)) == Some(&b' ');
                if stop > column || (single && stop == column) {
                    out.extend(std::iter::repeat_n(b' ', column - start));
                    break;
                }
                out.push(b'\t');
                start = stop;
            }
            let Some(byte) = byte else { break };
            out.push(byte);
            column = if byte == 8 { column.saturating_sub(1) } else { column + 1 };
            from = column;
            at += 1;
            if !all && !matches!(byte, b' ' | b'\t') {
                converts = false;
            }
        }
    })
    .await
}
