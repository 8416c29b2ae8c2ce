//! seq(1), yes(1): numbers, and the same line again and again.

use super::Invocation;
use super::gnu::{Done, Program, fail, misused};
use super::messages::{quoted, say};
use super::options::Args;
use crate::printf::float;

pub(super) const PROGRAM: Program = Program::new(
    "[OPTION]... LAST\n  or:  seq [OPTION]... FIRST LAST\n  or:  seq [OPTION]... FIRST INCREMENT LAST",
    "Print numbers from FIRST to LAST, in steps of INCREMENT.",
    "f,format= s,separator= w,equal-width",
)
.raw();

const OPTIONS: &str = "f,format= s,separator= w,equal-width";

pub(super) const YES: Program =
    Program::new("[STRING]...", "Repeatedly output a line with all specified STRING(s), or 'y'.", "");

pub(super) async fn yes(call: &mut Invocation<'_>, args: Args) -> Done {
    let mut line = if args.operands.is_empty() { b"y".to_vec() } else { args.operands.join(&b' ') };
    line.push(b'\n');
    let block = line.repeat((8192 / line.len()).max(1));
    loop {
        super::turn(call.shell).await;
        call.stdout.write(&block).await?;
    }
}

struct Number {
    value: f64,
    /// Digits behind the point, and all of its characters.
    precision: usize,
    whole: usize,
    exact: Option<i128>,
}

fn number(text: &[u8]) -> Done<Number> {
    let wrong = || misused(say!("invalid floating point argument: ", quoted(text)));
    let Ok(shown) = std::str::from_utf8(text) else { return wrong() };
    let shown = shown.trim_start();
    let bare = shown.strip_prefix('+').unwrap_or(shown);
    if let Some(value) = hexadecimal(bare) {
        return Ok(Number { value: value as f64, precision: 0, whole: 0, exact: Some(value) });
    }
    let Ok(value) = bare.parse::<f64>() else { return wrong() };
    if value.is_nan() {
        return misused(say!("invalid 'not-a-number' argument: ", quoted(text)));
    }
    let mantissa = bare.split(['e', 'E']).next().unwrap_or(bare);
    let exponent: i64 = bare.split(['e', 'E']).nth(1).and_then(|e| e.parse().ok()).unwrap_or(0);
    let digits = mantissa.split_once('.').map_or(0, |(_, behind)| behind.len());
    let precision = (digits as i64 - exponent).clamp(0, 1000) as usize;
    let whole = if exponent == 0 {
        mantissa.split('.').next().map_or(0, str::len)
    } else {
        format!("{value:.0}").len()
    };
    Ok(Number { value, precision, whole, exact: bare.parse().ok() })
}

/// A whole number in hexadecimal. Its digits are none that others are made as wide as.
fn hexadecimal(text: &str) -> Option<i128> {
    let (sign, size) = match text.strip_prefix('-') {
        Some(size) => (-1, size),
        None => (1, text),
    };
    let digits = size.strip_prefix("0x").or(size.strip_prefix("0X"))?;
    let plain = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    if plain { i64::from_str_radix(digits, 16).ok().map(|size| sign * i128::from(size)) } else { None }
}

pub(super) async fn run(call: &mut Invocation<'_>, _none: Args) -> Done {
    // A negative number is no option.
    let number_at = call
        .args()
        .iter()
        .position(|word| word.len() > 1 && word[0] == b'-' && (word[1].is_ascii_digit() || word[1] == b'.'));
    let mut line = call.args().to_vec();
    if let Some(at) = number_at {
        line.insert(at, b"--".to_vec());
    }
    let args = match super::options::read(OPTIONS, true, &line) {
        Ok(args) => args,
        Err(text) => return misused(text),
    };
    if args.has("f") && args.has("w") {
        return misused("format string may not be specified when printing equal width strings");
    }
    let operands: Vec<Vec<u8>> = args.operands.iter().filter(|word| *word != b"--").cloned().collect();
    let (first, step, last) = match &operands[..] {
        [] => return misused("missing operand"),
        [last] => (number(b"1")?, number(b"1")?, number(last)?),
        [first, last] => (number(first)?, number(b"1")?, number(last)?),
        [first, step, last] => (number(first)?, number(step)?, number(last)?),
        [_, _, _, extra, ..] => return misused(say!("extra operand ", quoted(extra))),
    };
    if step.value == 0.0 {
        return misused(say!("invalid Zero increment value: ", quoted(&operands[1])));
    }
    let separator = args.value("s").unwrap_or(b"\n");
    let precision = first.precision.max(step.precision);
    let width = if args.has("w") {
        let wide = |number: &Number| number.whole + if precision > 0 { precision + 1 } else { 0 };
        wide(&first).max(wide(&last))
    } else {
        0
    };
    let format = match args.value("f") {
        None => None,
        Some(format) => match directive(format) {
            Ok(parts) => Some(parts),
            Err(text) => return fail(text),
        },
    };
    let mut count: u64 = 0;
    loop {
        super::turn(call.shell).await;
        let text = match (first.exact, step.exact, &format) {
            (Some(start), Some(by), None) => {
                let value = start + by * i128::from(count);
                if (by > 0 && value as f64 > last.value) || (by < 0 && (value as f64) < last.value) {
                    break;
                }
                padded(value < 0, value.unsigned_abs().to_string(), width)
            }
            _ => {
                let value = first.value + step.value * count as f64;
                // What is printed as the last number is the last number.
                let shown = format!("{:.*}", precision, value);
                let near: f64 = shown.parse().unwrap_or(value);
                let over = |value: f64| {
                    (step.value > 0.0 && value > last.value) || (step.value < 0.0 && value < last.value)
                };
                if over(value) && (over(near) || format.is_some()) {
                    break;
                }
                match &format {
                    None => padded(
                        value < 0.0 && shown.starts_with('-'),
                        shown.trim_start_matches('-').to_owned(),
                        width,
                    ),
                    Some((before, flags, digits, letter, behind)) => {
                        let text = float(value.abs(), *letter, *digits, false);
                        let (left, zero, wide) = *flags;
                        let signed = if value < 0.0 { format!("-{text}") } else { text };
                        let field = match (left, zero) {
                            (true, _) => format!("{signed:<wide$}"),
                            (_, true) => padded(value < 0.0, signed.trim_start_matches('-').to_owned(), wide),
                            _ => format!("{signed:>wide$}"),
                        };
                        format!("{before}{field}{behind}")
                    }
                }
            }
        };
        if count > 0 {
            call.stdout.write(separator).await?;
        }
        call.stdout.write(text.as_bytes()).await?;
        count += 1;
    }
    if count > 0 {
        call.stdout.write(b"\n").await?;
    }
    Ok(0)
}

fn padded(negative: bool, digits: String, width: usize) -> String {
    let sign = if negative { "-" } else { "" };
    let width = width.saturating_sub(sign.len());
    format!("{sign}{digits:0>width$}")
}

/// Before, (left, zero, width), precision, letter, behind.
type Directive = (String, (bool, bool, usize), Option<usize>, u8, String);

/// The one conversion of a format, taken apart.
fn directive(format: &[u8]) -> Result<Directive, Vec<u8>> {
    let text = String::from_utf8_lossy(format).into_owned();
    let none = || say!("format ", quoted(format), " has no % directive");
    let at = text.find('%').ok_or_else(none)?;
    let before = text[..at].replace("%%", "%");
    let rest = &text[at + 1..];
    let flags = rest.len() - rest.trim_start_matches(['-', '0', '+', ' ', '#']).len();
    let (flag, rest) = rest.split_at(flags);
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (width, mut rest) = rest.split_at(digits);
    let mut precision = None;
    if let Some(behind) = rest.strip_prefix('.') {
        let digits = behind.bytes().take_while(u8::is_ascii_digit).count();
        precision = Some(behind[..digits].parse().unwrap_or(0).min(1000));
        rest = &behind[digits..];
    }
    let letter = rest.bytes().next().ok_or_else(|| say!("format ", quoted(format), " ends in %"))?;
    if !b"efgEFG".contains(&letter) {
        return Err(say!("format ", quoted(format), " has unknown %", [letter], " directive"));
    }
    let width = width.parse().unwrap_or(0usize).min(1 << 16);
    let flags = (flag.contains('-'), flag.contains('0'), width);
    Ok((before, flags, precision, letter, rest[1..].replace("%%", "%")))
}
