//! uniq(1): lines that are equal to the one before, left out, counted, or the only ones shown.

use super::gnu::{Done, Program, fail, misused};
use super::messages::{named, quoted, say};
use super::options::Args;
use super::{Invocation, words};

pub(super) const PROGRAM: Program = Program::new(
    "[OPTION]... [INPUT [OUTPUT]]",
    "Filter adjacent matching lines from INPUT, writing to OUTPUT.",
    "c,count d,repeated D all-repeated=? f,skip-fields= group=? i,ignore-case s,skip-chars= u,unique z,zero-terminated w,check-chars=",
);

struct Compared {
    fields: usize,
    skip: usize,
    most: usize,
    folds: bool,
}

impl Compared {
    fn part<'l>(&self, line: &'l [u8]) -> &'l [u8] {
        let mut at = 0;
        for _ in 0..self.fields {
            at += line[at..].iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
            at += line[at..].iter().take_while(|b| !matches!(b, b' ' | b'\t')).count();
        }
        let rest = &line[at.min(line.len())..];
        let rest = &rest[self.skip.min(rest.len())..];
        &rest[..self.most.min(rest.len())]
    }
    fn equal(&self, a: &[u8], b: &[u8]) -> bool {
        let (a, b) = (self.part(a), self.part(b));
        if self.folds { a.eq_ignore_ascii_case(b) } else { a == b }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Gaps {
    None,
    Before,
    Between,
    After,
    Both,
}

pub(super) async fn run(call: &mut Invocation<'_>, args: Args) -> Done {
    let number = |key: &str, what: &str| -> Done<Option<usize>> {
        match args.value(key) {
            None => Ok(None),
            Some(text) => match super::size::parse(text, b"") {
                Some(number) => Ok(Some(number as usize)),
                None => fail(say!(text, ": invalid number of ", what)),
            },
        }
    };
    let compared = Compared {
        fields: number("f", "fields to skip")?.unwrap_or(0),
        skip: number("s", "bytes to skip")?.unwrap_or(0),
        most: number("w", "bytes to compare")?.unwrap_or(usize::MAX),
        folds: args.has("i"),
    };
    let all = args.has("D") || args.has("all-repeated");
    let group = args.has("group");
    let gaps = match args.value("all-repeated").or(args.value("group")) {
        _ if !all && !group => Gaps::None,
        Some(b"prepend") => Gaps::Before,
        Some(b"separate") => Gaps::Between,
        Some(b"append") => Gaps::After,
        Some(b"both") => Gaps::Both,
        None if group => Gaps::Between,
        _ => Gaps::None,
    };
    let (counts, repeated, unique) = (args.has("c"), args.has("d"), args.has("u"));
    if counts && all {
        return misused("printing all duplicated lines and repeat counts is meaningless");
    }
    if group && (counts || repeated || unique || all) {
        return misused("--group is mutually exclusive with -c/-d/-D/-u");
    }
    if let Some(extra) = args.operands.get(2) {
        return misused(say!("extra operand ", quoted(extra)));
    }
    let path = args.operands.first().map_or(&b"-"[..], Vec::as_slice);
    let mut input = match call.open(path).await {
        Ok(input) => input,
        Err(error) => return fail(say!(named(path), ": ", words(&error))),
    };
    if let Some(path) = args.operands.get(1).filter(|path| *path != b"-") {
        match call.output(path).await {
            Ok(output) => call.stdout = output,
            Err(error) => return fail(say!(named(path), ": ", words(&error))),
        }
    }
    let end = if args.has("z") { 0 } else { b'\n' };
    let (mut first, mut line) = (Vec::new(), Vec::new());
    let (mut count, mut groups) = (0u64, 0u64);
    let shows = |count: u64| if count > 1 { !unique } else { !repeated };
    loop {
        let any = match call.line(&mut input, end, &mut line).await {
            Ok(any) => any,
            Err(error) => return fail(say!("error reading ", quoted(path), ": ", words(&error))),
        };
        if line.last() == Some(&end) {
            line.pop();
        }
        let same = any && count > 0 && compared.equal(&first, &line);
        if all || group {
            // The first of a group is printed when it is known to be one.
            if same || (group && any) {
                if count == 1 && same && all || (group && !same) {
                    let gap = match gaps {
                        Gaps::None => false,
                        Gaps::Before | Gaps::Both => true,
                        Gaps::Between => groups > 0,
                        Gaps::After => groups > 0,
                    };
                    if gap {
                        call.stdout.write(&[end]).await?;
                    }
                    groups += 1;
                    if all {
                        call.stdout.write(&first).await?;
                        call.stdout.write(&[end]).await?;
                    }
                }
                call.stdout.write(&line).await?;
                call.stdout.write(&[end]).await?;
            }
        } else if !same && count > 0 && shows(count) {
            if counts {
                call.stdout.write(format!("{count:>7} ").as_bytes()).await?;
            }
            call.stdout.write(&first).await?;
            call.stdout.write(&[end]).await?;
        }
        if !any {
            break;
        }
        if same {
            count += 1;
        } else {
            count = 1;
            std::mem::swap(&mut first, &mut line);
        }
    }
    if groups > 0 && matches!(gaps, Gaps::After | Gaps::Both) {
        call.stdout.write(&[end]).await?;
    }
    Ok(0)
}
