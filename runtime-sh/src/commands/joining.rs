//! paste(1), comm(1) and join(1): lines of several files side by side.

use super::gnu::{Done, Failure, Program, fail};
use super::messages::{named, quoted, say};
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

pub(super) const JOIN: Program = Program::new(
    "[OPTION]... FILE1 FILE2",
    "For each pair of input lines with identical join fields, write a line to standard output.",
    "a= e= i,ignore-case j= o= t= v= 1= 2= check-order nocheck-order header z,zero-terminated",
);

/// A file, line by line.
struct Lines {
    path: Vec<u8>,
    input: Option<Input>,
    end: u8,
}

impl Lines {
    async fn open(call: &mut Invocation<'_>, path: &[u8], end: u8) -> Done<Lines> {
        match call.open(path).await {
            Ok(input) => Ok(Lines { path: path.to_vec(), input: Some(input), end }),
            Err(error) => fail(say!(named(path), ": ", words(&error))),
        }
    }
    async fn next(&mut self, call: &mut Invocation<'_>) -> Done<Option<Vec<u8>>> {
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

/// What join prints of a pair: the join field, or a field of one of the files.
#[derive(Clone, Copy)]
enum Part {
    Joined,
    Field(usize, usize),
}

struct Join {
    fields: [usize; 2],
    separator: Option<u8>,
    folds: bool,
    empty: Vec<u8>,
    parts: Option<Vec<Part>>,
    end: u8,
}

impl Join {
    fn split(&self, line: &[u8]) -> Vec<Vec<u8>> {
        match self.separator {
            Some(separator) => line.split(|b| *b == separator).map(<[u8]>::to_vec).collect(),
            None => line
                .split(|b| matches!(b, b' ' | b'\t'))
                .filter(|f| !f.is_empty())
                .map(<[u8]>::to_vec)
                .collect(),
        }
    }
    fn key<'l>(&self, side: usize, line: &'l [Vec<u8>]) -> &'l [u8] {
        line.get(self.fields[side]).map_or(b"", Vec::as_slice)
    }
    fn compare(&self, a: &[Vec<u8>], b: &[Vec<u8>]) -> Ordering {
        let (a, b) = (self.key(0, a), self.key(1, b));
        if self.folds { a.to_ascii_lowercase().cmp(&b.to_ascii_lowercase()) } else { a.cmp(b) }
    }
    fn line(&self, pair: [Option<&Vec<Vec<u8>>>; 2]) -> Vec<u8> {
        let side = usize::from(pair[0].is_none());
        let key = pair[side].map_or(&b""[..], |line| self.key(side, line)).to_vec();
        let filled = |text: Option<&Vec<u8>>| {
            text.filter(|t| !t.is_empty()).cloned().unwrap_or_else(|| self.empty.clone())
        };
        let mut fields = Vec::new();
        match &self.parts {
            Some(parts) => {
                for part in parts {
                    fields.push(match part {
                        Part::Joined => filled(Some(&key)),
                        Part::Field(side, field) => filled(pair[*side].and_then(|line| line.get(*field))),
                    });
                }
            }
            None => {
                fields.push(key);
                for (side, line) in pair.iter().enumerate() {
                    for (index, field) in line.iter().flat_map(|line| line.iter().enumerate()) {
                        if index != self.fields[side] {
                            fields.push(filled(Some(field)));
                        }
                    }
                }
            }
        }
        let mut line = fields.join(&self.separator.unwrap_or(b' '));
        line.push(self.end);
        line
    }
}

pub(super) async fn join(call: &mut Invocation<'_>, args: Args) -> Done {
    let [first, second] = super::ln::two(&args)?;
    let field = |key: &str| -> Done<Option<usize>> {
        match args.value(key) {
            None => Ok(None),
            Some(text) => match super::size::parse(text, b"") {
                Some(number) if number > 0 => Ok(Some(number as usize - 1)),
                _ => fail(say!("invalid field number: ", quoted(text))),
            },
        }
    };
    let both = field("j")?;
    let mut parts = None;
    for given in args.options.iter().filter(|given| given.key == "o") {
        let list: &mut Vec<Part> = parts.get_or_insert_default();
        for spec in given.value.as_deref().unwrap_or_default().split(|b| matches!(b, b',' | b' ')) {
            match spec {
                b"0" => list.push(Part::Joined),
                [side @ (b'1' | b'2'), b'.', number @ ..]
                    if super::size::parse(number, b"").is_some_and(|n| n > 0) =>
                {
                    let number = super::size::parse(number, b"").unwrap_or(1) as usize - 1;
                    list.push(Part::Field(usize::from(side - b'1'), number));
                }
                _ => return fail(say!("invalid field specifier: ", quoted(spec))),
            }
        }
    }
    let separator = match args.value("t") {
        None => None,
        Some([byte]) => Some(*byte),
        Some(b"\\0") => Some(0),
        Some([]) => Some(b'\n'),
        Some(text) => return fail(say!("multi-character tab ", quoted(text))),
    };
    let how = Join {
        fields: [field("1")?.or(both).unwrap_or(0), field("2")?.or(both).unwrap_or(0)],
        separator,
        folds: args.has("i"),
        empty: args.value("e").unwrap_or_default().to_vec(),
        parts,
        end: if args.has("z") { 0 } else { b'\n' },
    };
    let side = |key: &str, number: &[u8]| {
        args.options.iter().any(|g| g.key == key && g.value.as_deref() == Some(number))
    };
    let alone = [side("a", b"1") || side("v", b"1"), side("a", b"2") || side("v", b"2")];
    let pairs = !args.has("v");
    let (mut a, mut b) =
        (Lines::open(call, first, how.end).await?, Lines::open(call, second, how.end).await?);
    let mut left = a.next(call).await?.map(|line| how.split(&line));
    let mut right = b.next(call).await?.map(|line| how.split(&line));
    if args.has("header") && (left.is_some() || right.is_some()) {
        let line = how.line([left.as_ref(), right.as_ref()]);
        call.stdout.write(&line).await?;
        left = a.next(call).await?.map(|line| how.split(&line));
        right = b.next(call).await?.map(|line| how.split(&line));
    }
    let mut held = call.shell.memory().hold(0)?;
    while left.is_some() || right.is_some() {
        let order = match (&left, &right) {
            (Some(left), Some(right)) => how.compare(left, right),
            (Some(_), None) => Ordering::Less,
            _ => Ordering::Greater,
        };
        match order {
            Ordering::Less => {
                if alone[0] {
                    let line = how.line([left.as_ref(), None]);
                    call.stdout.write(&line).await?;
                }
                left = a.next(call).await?.map(|line| how.split(&line));
            }
            Ordering::Greater => {
                if alone[1] {
                    let line = how.line([None, right.as_ref()]);
                    call.stdout.write(&line).await?;
                }
                right = b.next(call).await?.map(|line| how.split(&line));
            }
            Ordering::Equal => {
                // All lines of the second file that have the key, for each of the first.
                let mut same = Vec::new();
                let mut bytes = 0;
                while let Some(line) =
                    right.take_if(|line| left.as_ref().is_some_and(|left| how.compare(left, line).is_eq()))
                {
                    bytes += line.iter().map(|field| field.len() + 24).sum::<usize>();
                    held.set(bytes)?;
                    same.push(line);
                    right = b.next(call).await?.map(|line| how.split(&line));
                }
                while let Some(line) = left.take_if(|line| how.compare(line, &same[0]).is_eq()) {
                    if pairs {
                        for other in &same {
                            super::turn(call.shell).await;
                            let line = how.line([Some(&line), Some(other)]);
                            call.stdout.write(&line).await?;
                        }
                    }
                    left = a.next(call).await?.map(|line| how.split(&line));
                }
            }
        }
    }
    Ok(0)
}
