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
    each(call, &args, 1, |line, out| {
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

/// Does something with each line of each file. A tab in it becomes `widest` bytes at most.
async fn each(
    call: &mut Invocation<'_>,
    args: &Args,
    widest: usize,
    mut make: impl FnMut(&[u8], &mut Vec<u8>),
) -> Done {
    let mut status = 0;
    let mut held = call.shell.memory().hold(0)?;
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
            let tabs = memchr::memchr_iter(b'\t', &line).count();
            let made = tabs.saturating_mul(widest).saturating_add(line.len());
            held.set(if made > 64 << 10 { made } else { 0 })?;
            make(&line, &mut out);
            call.stdout.write(&out).await?;
            out.clear();
        }
    }
    Ok(status)
}

/// Where the tabs are: columns, and what comes behind the last of them.
struct Stops {
    columns: Vec<usize>,
    then: Then,
}

enum Then {
    /// A blank for each tab.
    Single,
    /// A tab at each multiple (`/6`, or where one width is all that is said).
    Multiple(usize),
    /// One after so many columns again and again (`+6`).
    Every(usize),
}

impl Stops {
    fn read(args: &Args) -> Done<Stops> {
        let mut columns: Vec<usize> = Vec::new();
        let mut last: Option<(u8, usize)> = None;
        let lists = args.options.iter().filter(|given| given.key == "t");
        let lists = lists.filter_map(|given| given.value.as_deref());
        for part in lists.flat_map(|text| text.split(|b| matches!(b, b',' | b' ' | b'\t'))) {
            if part.is_empty() {
                continue;
            }
            let mark = part[0];
            let (number, marked) =
                if matches!(mark, b'/' | b'+') { (&part[1..], true) } else { (part, false) };
            if let Some(at) = number.iter().position(|b| matches!(b, b'/' | b'+')) {
                let shown = quoted(&number[at..]);
                return fail(say!("'", &number[at..=at], "' specifier not at start of number: ", shown));
            }
            if let Some(at) = number.iter().position(|b| !b.is_ascii_digit()) {
                return fail(say!("tab size contains invalid character(s): ", quoted(&number[at..])));
            }
            let size = match super::size::parse(number, b"") {
                Some(size) => usize::try_from(size).unwrap_or(usize::MAX),
                None if number.is_empty() => 0,
                None => return fail(say!("tab stop is too large ", quoted(number))),
            };
            if let Some((before, _)) = last {
                return fail(match marked && before != mark {
                    true => "'/' specifier is mutually exclusive with '+'".to_owned(),
                    false => format!("'{}' specifier only allowed with the last value", char::from(before)),
                });
            }
            if marked {
                last = Some((mark, size));
                continue;
            }
            match columns.last() {
                _ if size == 0 => return fail("tab size cannot be 0"),
                Some(before) if *before >= size => return fail("tab sizes must be ascending"),
                _ => columns.push(size),
            }
        }
        Ok(match (last, &columns[..]) {
            (Some((b'/', size)), _) if size > 0 => Stops { columns, then: Then::Multiple(size) },
            (Some((b'+', size)), []) if size > 0 => Stops { columns, then: Then::Multiple(size) },
            (Some((_, size)), [_, ..]) if size > 0 => Stops { columns, then: Then::Every(size) },
            (_, []) => Stops { columns, then: Then::Multiple(8) },
            (_, [width]) => Stops { then: Then::Multiple(*width), columns: Vec::new() },
            _ => Stops { columns, then: Then::Single },
        })
    }

    /// How far a tab leads at most.
    fn widest(&self) -> usize {
        let behind = match self.then {
            Then::Single => 1,
            Then::Multiple(width) | Then::Every(width) => width,
        };
        behind.max(self.columns.last().copied().unwrap_or(0))
    }

    /// Where a tab at `column` leads.
    fn next(&self, column: usize) -> usize {
        if let Some(stop) = self.columns.iter().find(|stop| **stop > column) {
            return *stop;
        }
        match self.then {
            Then::Single => column + 1,
            Then::Multiple(width) => (column - column % width).saturating_add(width),
            Then::Every(width) => {
                let past = column - self.columns.last().copied().unwrap_or(0);
                (column - past % width).saturating_add(width)
            }
        }
    }
}

pub(super) async fn expand(call: &mut Invocation<'_>, args: Args) -> Done {
    let (stops, initial) = (Stops::read(&args)?, args.has("i"));
    each(call, &args, stops.widest(), |line, out| {
        let (mut column, mut blank) = (0, true);
        for byte in line {
            match byte {
                b'\t' if blank || !initial => {
                    let to = stops.next(column);
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
    let stops = Stops::read(&args)?;
    let all = (args.has("a") || args.has("t")) && !args.has("first-only");
    each(call, &args, 1, |line, out| {
        let (mut column, mut from, mut at) = (0, 0, 0);
        let mut converts = true;
        while at <= line.len() {
            let byte = line.get(at).copied();
            if converts && matches!(byte, Some(b' ' | b'\t')) {
                column = if byte == Some(b'\t') { stops.next(column) } else { column + 1 };
                at += 1;
                continue;
            }
            // The blanks between two columns: tabs as far as they reach, but not for a single blank in the middle of a line.
            let mut start = from;
            while start < column {
                let stop = stops.next(start);
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
