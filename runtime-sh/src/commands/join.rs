//! join(1): the lines of two files that have a field in common, side by side. Both files are read once, in step: they are in the order of
//! that field, and where they are not that is told as soon as it matters.

use super::gnu::{Done, Failure, Program, fail};
use super::joining::Lines;
use super::messages::{named, quoted, say};
use super::options::Args;
use super::{Invocation, size};
use std::cmp::Ordering;

pub(super) const PROGRAM: Program = Program::new(
    "[OPTION]... FILE1 FILE2",
    "For each pair of input lines with identical join fields, write a line to standard output.",
    "a= e= i,ignore-case j= o= t= v= 1= 2= check-order nocheck-order header z,zero-terminated",
);

/// What is printed of a pair: the join field, or a field of one of the files.
#[derive(Clone, Copy)]
enum Part {
    Joined,
    Field(usize, usize),
}

/// Which lines are printed, and how.
struct Join {
    fields: [usize; 2],
    separator: Option<u8>,
    folds: bool,
    /// What stands for a field that is empty or missing.
    filler: Vec<u8>,
    parts: Option<Vec<Part>>,
    /// -o auto: the fields of the files' first lines are those of all.
    counts: Option<[usize; 2]>,
    end: u8,
    /// Lines of the first or second file that are alone.
    alone: [bool; 2],
    pairs: bool,
}

/// Whether lines out of order end the command (true), are told where a line found none to pair with (none), or are not looked at.
type Check = Option<bool>;

type Row = Vec<Vec<u8>>;

impl Join {
    fn read(args: &Args) -> Done<Join> {
        let (parts, auto) = parts(args)?;
        let separator = match only(args, "t", "incompatible tabs")? {
            None => None,
            Some([byte]) => Some(*byte),
            Some(b"\\0") => Some(0),
            Some([]) => Some(b'\n'),
            Some(text) => return fail(say!("multi-character tab ", quoted(text))),
        };
        let filler = only(args, "e", "conflicting empty-field replacement strings")?.unwrap_or_default();
        let side = |key: &'static str| -> Done<[bool; 2]> {
            let mut sides = [false; 2];
            for given in args.options.iter().filter(|given| given.key == key) {
                match given.value.as_deref() {
                    Some(b"1") => sides[0] = true,
                    Some(b"2") => sides[1] = true,
                    text => return fail(say!("invalid field number: ", quoted(text.unwrap_or_default()))),
                }
            }
            Ok(sides)
        };
        let (also, alone) = (side("a")?, side("v")?);
        Ok(Join {
            fields: fields(args)?,
            separator,
            folds: args.has("i"),
            filler: filler.to_vec(),
            parts,
            counts: auto.then_some([0; 2]),
            end: if args.has("z") { 0 } else { b'\n' },
            alone: [also[0] || alone[0], also[1] || alone[1]],
            pairs: !args.has("v"),
        })
    }

    /// Blanks before the first field are none of it; those behind the last one are followed by an empty field, and an empty line has none.
    fn split(&self, line: &[u8]) -> Row {
        let blank = |b: &u8| matches!(b, b' ' | b'\t' | b'\n');
        if line.is_empty() {
            return Row::new();
        }
        match self.separator {
            Some(b'\n') => vec![line.to_vec()],
            Some(separator) => line.split(|b| *b == separator).map(<[u8]>::to_vec).collect(),
            None => {
                let Some(begin) = line.iter().position(|b| !blank(b)) else { return Row::new() };
                let mut row = Row::new();
                let mut rest = &line[begin..];
                while let Some(at) = rest.iter().position(blank) {
                    row.push(rest[..at].to_vec());
                    let next = rest[at..].iter().position(|b| !blank(b)).map_or(rest.len(), |gap| at + gap);
                    rest = &rest[next..];
                }
                row.push(rest.to_vec());
                row
            }
        }
    }

    fn key<'l>(&self, side: usize, row: &'l Row) -> &'l [u8] {
        row.get(self.fields[side]).map_or(b"", Vec::as_slice)
    }

    fn compare(&self, a: (usize, &Row), b: (usize, &Row)) -> Ordering {
        let (a, b) = (self.key(a.0, a.1), self.key(b.0, b.1));
        if self.folds { a.to_ascii_uppercase().cmp(&b.to_ascii_uppercase()) } else { a.cmp(b) }
    }

    fn line(&self, pair: [Option<&Row>; 2]) -> Vec<u8> {
        let side = usize::from(pair[0].is_none());
        let filled = |text: Option<&Vec<u8>>| {
            text.filter(|t| !t.is_empty()).cloned().unwrap_or_else(|| self.filler.clone())
        };
        let field = |side: usize, field: usize| filled(pair[side].and_then(|row| row.get(field)));
        let mut fields = Vec::new();
        match &self.parts {
            Some(parts) => fields.extend(parts.iter().map(|part| match part {
                Part::Joined => field(side, self.fields[side]),
                Part::Field(side, number) => field(*side, *number),
            })),
            None => {
                fields.push(field(side, self.fields[side]));
                for side in 0..2 {
                    let count = self.counts.map_or(pair[side].map_or(0, Vec::len), |counts| counts[side]);
                    fields.extend((0..count).filter(|n| *n != self.fields[side]).map(|n| field(side, n)));
                }
            }
        }
        let mut line = fields.join(&self.separator.unwrap_or(b' '));
        line.push(self.end);
        line
    }
}

/// The value of an option that must not be given two.
fn only<'a>(args: &'a Args, key: &str, conflict: &str) -> Done<Option<&'a [u8]>> {
    let value = args.value(key);
    let other = args.options.iter().any(|given| given.key == key && given.value.as_deref() != value);
    if other { fail(conflict) } else { Ok(value) }
}

/// The join fields, of which the options must not say two things.
fn fields(args: &Args) -> Done<[usize; 2]> {
    let mut fields: [Option<usize>; 2] = [None; 2];
    for given in &args.options {
        let sides: &[usize] = match given.key {
            "1" => &[0],
            "2" => &[1],
            "j" => &[0, 1],
            _ => continue,
        };
        let text = given.value.as_deref().unwrap_or_default();
        let Some(number) = size::parse(text, b"").filter(|number| *number > 0) else {
            return fail(say!("invalid field number: ", quoted(text)));
        };
        let field = usize::try_from(number).unwrap_or(usize::MAX) - 1;
        for side in sides {
            match fields[*side] {
                Some(before) if before != field => {
                    return fail(format!("incompatible join fields {}, {}", before + 1, field + 1));
                }
                _ => fields[*side] = Some(field),
            }
        }
    }
    Ok(fields.map(Option::unwrap_or_default))
}

/// What -o says: a list of parts, and whether `auto` was said.
fn parts(args: &Args) -> Done<(Option<Vec<Part>>, bool)> {
    let (mut parts, mut auto) = (None, false);
    for given in args.options.iter().filter(|given| given.key == "o") {
        let text = given.value.as_deref().unwrap_or_default();
        if text == b"auto" {
            auto = true;
            continue;
        }
        let list: &mut Vec<Part> = parts.get_or_insert_default();
        for spec in text.split(|b| matches!(b, b',' | b' ' | b'\t')) {
            list.push(match spec {
                b"0" => Part::Joined,
                [b'0', ..] => return fail(say!("invalid field specifier: ", quoted(spec))),
                [side @ (b'1' | b'2'), b'.', number @ ..] => match size::parse(number, b"") {
                    Some(field) if field > 0 => Part::Field(usize::from(side - b'1'), field as usize - 1),
                    _ => return fail(say!("invalid field number: ", quoted(number))),
                },
                [b'1' | b'2'] => return fail(say!("invalid field specifier: ", quoted(spec))),
                _ => return fail(say!("invalid file number in field spec: ", quoted(spec))),
            });
        }
    }
    Ok((parts, auto))
}

/// One of the two files: its rows, and whether they are in order.
struct Side {
    number: usize,
    lines: Lines,
    name: Vec<u8>,
    count: u64,
    /// Whether this file was found to be out of order, which is told once.
    disorder: bool,
}

impl Side {
    async fn open(call: &mut Invocation<'_>, number: usize, path: &[u8], end: u8) -> Done<Side> {
        let lines = Lines::open(call, path, end).await?;
        Ok(Side { number, lines, name: path.to_vec(), count: 0, disorder: false })
    }

    /// The next row, which comes behind `before`.
    async fn next(
        &mut self,
        call: &mut Invocation<'_>,
        how: &Join,
        before: Option<&Row>,
        check: Check,
    ) -> Done<Option<Row>> {
        let Some(line) = self.lines.next(call).await? else { return Ok(None) };
        self.count += 1;
        let row = how.split(&line);
        let Some(strict) = check else { return Ok(Some(row)) };
        let wrong =
            before.is_some_and(|before| how.compare((self.number, before), (self.number, &row)).is_gt());
        if wrong && !self.disorder {
            self.disorder = true;
            let told = say!(named(&self.name), ":", self.count.to_string(), ": is not sorted: ", line);
            call.warn(told).await;
            if strict {
                return Err(Failure::Status(1));
            }
        }
        Ok(Some(row))
    }
}

pub(super) async fn run(call: &mut Invocation<'_>, args: Args) -> Done {
    let mut how = Join::read(&args)?;
    let [first, second] = super::ln::two(&args)?;
    if first == b"-" && second == b"-" {
        return fail("both files cannot be standard input");
    }
    let order = args.last(&["check-order", "nocheck-order"]);
    // Lines out of order are no matter before one has found none to pair with.
    let check = |unpaired: bool| match order {
        Some("check-order") => Some(true),
        None if unpaired => Some(false),
        _ => None,
    };
    let mut unpaired = false;
    let mut a = Side::open(call, 0, first, how.end).await?;
    let mut b = Side::open(call, 1, second, how.end).await?;
    let mut left = a.next(call, &how, None, None).await?;
    let mut right = b.next(call, &how, None, None).await?;
    if let Some(counts) = &mut how.counts {
        *counts = [left.as_ref().map_or(0, Vec::len), right.as_ref().map_or(0, Vec::len)];
    }
    if args.has("header") && (left.is_some() || right.is_some()) {
        let line = how.line([left.as_ref(), right.as_ref()]);
        call.stdout.write(&line).await?;
        left = a.next(call, &how, None, None).await?;
        right = b.next(call, &how, None, None).await?;
    }
    let mut held = call.shell.memory().hold(0)?;
    while let (Some(l), Some(r)) = (&left, &right) {
        match how.compare((0, l), (1, r)) {
            Ordering::Less => {
                if how.alone[0] {
                    call.stdout.write(&how.line([Some(l), None])).await?;
                }
                left = a.next(call, &how, Some(l), check(unpaired)).await?;
                unpaired = true;
            }
            Ordering::Greater => {
                if how.alone[1] {
                    call.stdout.write(&how.line([None, Some(r)])).await?;
                }
                right = b.next(call, &how, Some(r), check(unpaired)).await?;
                unpaired = true;
            }
            Ordering::Equal => {
                // All lines of both files that have the key.
                let mut same: [Vec<Row>; 2] = [Vec::new(), Vec::new()];
                let key = l.clone();
                let mut bytes = 0;
                for (side, next, rows) in [(&mut a, &mut left, 0), (&mut b, &mut right, 1)] {
                    while let Some(row) =
                        next.take_if(|row| how.compare((0, &key), (side.number, row)).is_eq())
                    {
                        *next = side.next(call, &how, Some(&row), check(unpaired)).await?;
                        bytes += row.iter().map(|field| field.len() + 24).sum::<usize>();
                        held.set(bytes)?;
                        same[rows].push(row);
                    }
                }
                for row in same[0].iter().filter(|_| how.pairs) {
                    for other in &same[1] {
                        super::turn(call.shell).await;
                        call.stdout.write(&how.line([Some(row), Some(other)])).await?;
                    }
                }
            }
        }
    }
    // What is left of one file is read for its order, too.
    for (side, mut next) in [(&mut a, left), (&mut b, right)] {
        while let Some(row) = next {
            if how.alone[side.number] {
                let mut pair = [None, None];
                pair[side.number] = Some(&row);
                call.stdout.write(&how.line(pair)).await?;
            } else if order == Some("nocheck-order") || side.disorder {
                break;
            }
            next = side.next(call, &how, Some(&row), check(unpaired)).await?;
        }
    }
    if a.disorder || b.disorder {
        return fail("input is not in sorted order");
    }
    Ok(0)
}
