//! paste(1) and comm(1): lines of several files side by side. So is join(1), in a file of its own.

use super::gnu::{Done, Failure, Program, fail};
use super::messages::{named, say};
use super::options::Args;
use super::reach::or_stdin;
use super::{Input, Invocation, words};
use std::cmp::Ordering;

pub(super) const PASTE: Program = Program::new(
    "[OPTION]... [FILE]...",
    "Write lines consisting of the sequentially corresponding lines from each FILE.",
    "d,delimiters= s,serial z,zero-terminated",
);

pub(super) const COMM: Program = Program::new(
    "[OPTION]... FILE1 FILE2",
    "Compare sorted files FILE1 and FILE2 line by line.",
    "1 2 3 check-order nocheck-order output-delimiter= total z,zero-terminated",
);

/// A file, line by line.
pub(super) struct Lines {
    path: Vec<u8>,
    input: Option<Input>,
    end: u8,
}

impl Lines {
    pub(super) async fn open(call: &mut Invocation<'_>, path: &[u8], end: u8) -> Done<Lines> {
        match call.open(path).await {
            Ok(input) => Ok(Lines { path: path.to_vec(), input: Some(input), end }),
            Err(error) => fail(say!(named(path), ": ", words(&error))),
        }
    }
    pub(super) async fn next(&mut self, call: &mut Invocation<'_>) -> Done<Option<Vec<u8>>> {
        let Some(input) = &mut self.input else { return Ok(None) };
        let mut line = Vec::new();
        match call.line(input, self.end, &mut line).await {
            Ok(true) => {
                if line.last() == Some(&self.end) {
                    line.pop();
                }
                Ok(Some(line))
            }
            Ok(false) => {
                self.input = None;
                Ok(None)
            }
            Err(error) => fail(say!(named(&self.path), ": ", words(&error))),
        }
    }
}

pub(super) async fn paste(call: &mut Invocation<'_>, args: Args) -> Done {
    let end = if args.has("z") { 0 } else { b'\n' };
    let mut delimiters: Vec<Vec<u8>> = Vec::new();
    let mut list = args.value("d").unwrap_or(b"\t").iter();
    while let Some(byte) = list.next() {
        delimiters.push(match byte {
            b'\\' => match list.next() {
                Some(b'0') => Vec::new(),
                Some(letter) => vec![super::sed::letter_escape(*letter).unwrap_or(*letter)],
                None => {
                    return fail(say!(
                        "delimiter list ends with an unescaped backslash: ",
                        args.value("d").unwrap_or_default()
                    ));
                }
            },
            byte => vec![*byte],
        });
    }
    if delimiters.is_empty() {
        delimiters.push(Vec::new());
    }
    let files = or_stdin(&args.operands);
    if args.has("s") {
        let mut status = 0;
        for path in &files {
            let Some(input) = call.open_or_tell(path).await else {
                status = 1;
                continue;
            };
            let mut lines = Lines { path: path.clone(), input: Some(input), end };
            let mut gaps = delimiters.iter().cycle();
            let mut first = true;
            while let Some(line) = lines.next(call).await? {
                if !first {
                    call.stdout.write(gaps.next().expect("a cycle of at least one")).await?;
                }
                first = false;
                call.stdout.write(&line).await?;
            }
            call.stdout.write(&[end]).await?;
        }
        return Ok(status);
    }
    let mut all = Vec::new();
    // Standard input may be named more than once: each takes the next of its lines.
    let mut stdin = Lines { path: b"-".to_vec(), input: None, end };
    for path in &files {
        let lines = if path == b"-" { None } else { Some(Lines::open(call, path, end).await?) };
        if lines.is_none() && stdin.input.is_none() {
            stdin = Lines::open(call, path, end).await?;
        }
        all.push(lines);
    }
    loop {
        let mut row = Vec::new();
        let mut any = false;
        let mut gaps = delimiters.iter().cycle();
        for (index, lines) in all.iter_mut().enumerate() {
            if index > 0 {
                row.extend_from_slice(gaps.next().expect("a cycle of at least one"));
            }
            if let Some(line) = lines.as_mut().unwrap_or(&mut stdin).next(call).await? {
                any = true;
                row.extend(line);
            }
        }
        if !any {
            return Ok(0);
        }
        row.push(end);
        call.stdout.write(&row).await?;
    }
}

pub(super) async fn comm(call: &mut Invocation<'_>, args: Args) -> Done {
    let [first, second] = super::ln::two(&args)?;
    let end = if args.has("z") { 0 } else { b'\n' };
    let gap = match args.value("output-delimiter") {
        None => b"\t".to_vec(),
        Some([]) => vec![0],
        Some(gap) => gap.to_vec(),
    };
    let hidden = [args.has("1"), args.has("2"), args.has("3")];
    let (mut a, mut b) = (Lines::open(call, first, end).await?, Lines::open(call, second, end).await?);
    let (mut left, mut right) = (a.next(call).await?, b.next(call).await?);
    let mut totals = [0u64; 3];
    let mut disorder = [false; 2];
    let mut unpaired = false;
    while left.is_some() || right.is_some() {
        let order = match (&left, &right) {
            (Some(left), Some(right)) => left.cmp(right),
            (Some(_), None) => Ordering::Less,
            _ => Ordering::Greater,
        };
        let column = match order {
            Ordering::Less => 0,
            Ordering::Greater => 1,
            Ordering::Equal => 2,
        };
        totals[column] += 1;
        unpaired |= column != 2;
        let line = if column == 1 { right.clone() } else { left.clone() }.unwrap_or_default();
        if !hidden[column] {
            for before in &hidden[..column] {
                if !before {
                    call.stdout.write(&gap).await?;
                }
            }
            call.stdout.write(&say!(line, [end])).await?;
        }
        for (side, lines, now, taken) in
            [(0, &mut a, &mut left, column != 1), (1, &mut b, &mut right, column != 0)]
        {
            if !taken {
                continue;
            }
            let next = lines.next(call).await?;
            let wrong = matches!((&*now, &next), (Some(now), Some(next)) if next < now);
            let matters = args.has("check-order") || (unpaired && !args.has("nocheck-order"));
            if wrong && !disorder[side] && matters {
                disorder[side] = true;
                call.warn(format!("file {} is not in sorted order", side + 1)).await;
                if args.has("check-order") {
                    return Err(Failure::Status(1));
                }
            }
            *now = next;
        }
    }
    if args.has("total") {
        let line = say!(
            totals[0].to_string(),
            gap,
            totals[1].to_string(),
            gap,
            totals[2].to_string(),
            gap,
            "total",
            [end]
        );
        call.stdout.write(&line).await?;
    }
    if disorder.contains(&true) {
        return fail("input is not in sorted order");
    }
    Ok(0)
}
