//! cmp(1): where two files begin to differ.

use super::gnu::{Done, Failure, Program, fail, misused};
use super::messages::{named, quoted, say};
use super::options::Args;
use super::{Input, Invocation, words};

pub(super) const PROGRAM: Program = Program::new(
    "[OPTION]... FILE1 [FILE2 [SKIP1 [SKIP2]]]",
    "Compare two files byte by byte.",
    "b,print-bytes i,ignore-initial= l,verbose n,bytes= s,quiet,silent",
)
.hints_by_name()
.trouble(2);

pub(super) async fn run(call: &mut Invocation<'_>, args: Args) -> Done {
    let (first, second) = match &args.operands[..] {
        [] => return misused(say!("missing operand after ", quoted(call.name().as_bytes()))),
        [first] => (first.clone(), b"-".to_vec()),
        [first, second, ..] => (first.clone(), second.clone()),
    };
    let number = |text: &[u8], what: &str| -> Done<u64> {
        match super::size::parse(text, b"kKMGTPE") {
            Some(number) => Ok(number),
            None => misused(say!("invalid ", what, " value ", quoted(text))),
        }
    };
    let mut skips = [0, 0];
    if let Some(text) = args.value("i") {
        let mut parts = text.splitn(2, |b| *b == b':');
        skips[0] = number(parts.next().unwrap_or_default(), "--ignore-initial")?;
        skips[1] = parts.next().map_or(Ok(skips[0]), |part| number(part, "--ignore-initial"))?;
    }
    for (skip, text) in skips.iter_mut().zip(args.operands.iter().skip(2)) {
        *skip = number(text, "--ignore-initial")?;
    }
    let most = args.value("n").map_or(Ok(u64::MAX), |text| number(text, "--bytes"))?;
    let mut inputs = Vec::new();
    for path in [&first, &second] {
        match call.open(path).await {
            Ok(input) => inputs.push(input),
            Err(error) => {
                if !args.has("s") {
                    call.warn(say!(named(path), ": ", words(&error))).await;
                }
                return Err(Failure::Status(2));
            }
        }
    }
    let (mut b, mut a) = (inputs.pop().expect("two were opened"), inputs.pop().expect("two were opened"));
    skip(call, &mut a, skips[0], &first).await?;
    skip(call, &mut b, skips[1], &second).await?;
    let (mut offset, mut line, mut differs) = (0u64, 1u64, false);
    let (mut last, verbose) = (b'\n', args.has("l"));
    while offset < most {
        let left = call
            .fill(&mut a)
            .await
            .map_err(|error| Failure::Said(say!(named(&first), ": ", words(&error))))?;
        let right = call
            .fill(&mut b)
            .await
            .map_err(|error| Failure::Said(say!(named(&second), ": ", words(&error))))?;
        let count = left.len().min(right.len()).min(usize::try_from(most - offset).unwrap_or(usize::MAX));
        if count == 0 {
            if left.is_empty() && right.is_empty() {
                break;
            }
            if args.has("s") {
                return Ok(1);
            }
            let short = if left.is_empty() { &first } else { &second };
            let text = if offset == 0 {
                say!("EOF on ", short, " which is empty")
            } else if verbose {
                say!("EOF on ", short, " after byte ", offset.to_string())
            } else if last == b'\n' {
                say!("EOF on ", short, " after byte ", offset.to_string(), ", line ", (line - 1).to_string())
            } else {
                say!("EOF on ", short, " after byte ", offset.to_string(), ", in line ", line.to_string())
            };
            call.warn(text).await;
            return Ok(1);
        }
        let (left, right) = (left[..count].to_vec(), right[..count].to_vec());
        a.take(count);
        b.take(count);
        if left != right {
            if args.has("s") {
                return Ok(1);
            }
            differs = true;
            for (at, (x, y)) in left.iter().zip(&right).enumerate().filter(|(_, (x, y))| x != y) {
                let place = offset + at as u64 + 1;
                if verbose {
                    let bytes = if args.has("b") {
                        format!("{x:>3o} {:<4} {y:>3o} {}", shown(*x), shown(*y))
                    } else {
                        format!("{x:>3o} {y:>3o}")
                    };
                    let width =
                        if most == u64::MAX { size_width(&a, &b).await } else { most.to_string().len() };
                    call.stdout.write(format!("{place:>width$} {bytes}\n").as_bytes()).await?;
                    continue;
                }
                let line = line + memchr::memchr_iter(b'\n', &left[..at]).count() as u64;
                let bytes = if args.has("b") {
                    format!(" is {x:>3o} {} {y:>3o} {}", shown(*x), shown(*y))
                } else {
                    String::new()
                };
                let unit = if args.has("b") { "byte" } else { "char" };
                let text = say!(
                    first,
                    " ",
                    second,
                    " differ: ",
                    unit,
                    " ",
                    place.to_string(),
                    ", line ",
                    line.to_string(),
                    bytes,
                    "\n"
                );
                call.stdout.write(&text).await?;
                return Ok(1);
            }
        }
        line += memchr::memchr_iter(b'\n', &left).count() as u64;
        last = left[count - 1];
        offset += count as u64;
    }
    Ok(u8::from(differs))
}

async fn skip(call: &mut Invocation<'_>, input: &mut Input, mut bytes: u64, path: &[u8]) -> Done<()> {
    while bytes > 0 {
        let next = match call.fill(input).await {
            Ok(next) => next.len(),
            Err(error) => return fail(say!(named(path), ": ", words(&error))),
        };
        if next == 0 {
            break;
        }
        let count = next.min(usize::try_from(bytes).unwrap_or(usize::MAX));
        input.take(count);
        bytes -= count as u64;
    }
    Ok(())
}

/// As wide as the last offset can be.
async fn size_width(a: &Input, b: &Input) -> usize {
    let (a, b) = (a.file().stat().await, b.file().stat().await);
    match (a, b) {
        (Ok(a), Ok(b)) => a.size.min(b.size).to_string().len(),
        _ => 1,
    }
}

fn shown(byte: u8) -> String {
    let low = byte & 127;
    let meta = if byte >= 128 { "M-" } else { "" };
    match low {
        127 => format!("{meta}^?"),
        0..32 => format!("{meta}^{}", char::from(low + 64)),
        low => format!("{meta}{}", char::from(low)),
    }
}
