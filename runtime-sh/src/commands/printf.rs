//! printf(1): a format, used again as long as there are arguments.

use super::Invocation;
use super::gnu::{Done, Failure, Program, fail, misused};
use super::messages::{named, quoted, say};
use super::options::Args;

pub(super) const PROGRAM: Program =
    Program::new("FORMAT [ARGUMENT]...", "Print ARGUMENT(s) according to FORMAT.", "").raw();

/// What was printed so far, and what was wrong with it.
struct Printer<'a> {
    out: Vec<u8>,
    args: std::slice::Iter<'a, Vec<u8>>,
    warnings: Vec<Vec<u8>>,
    used: bool,
    stopped: bool,
}

#[derive(Default)]
struct Flags {
    left: bool,
    plus: bool,
    space: bool,
    alternate: bool,
    zero: bool,
    width: usize,
    precision: Option<usize>,
}

/// Fields beyond this are refused: nobody reads them, and they are memory.
const WIDEST: i64 = 1 << 20;

pub(super) async fn run(call: &mut Invocation<'_>, _none: Args) -> Done {
    let args = match call.args() {
        [first, rest @ ..] if first == b"--" => rest,
        args => args,
    };
    let Some((format, args)) = args.split_first() else { return misused("missing operand") };
    let mut printer =
        Printer { out: Vec::new(), args: args.iter(), warnings: Vec::new(), used: false, stopped: false };
    loop {
        super::turn(call.shell).await;
        printer.used = false;
        let done = printer.once(format);
        call.stdout.write(&printer.out).await?;
        printer.out.clear();
        done?;
        if printer.stopped || printer.args.len() == 0 || !printer.used {
            break;
        }
    }
    if let (Some(extra), false) = (printer.args.next(), printer.stopped) {
        printer.warnings.push(say!("warning: ignoring excess arguments, starting with ", quoted(extra)));
        for text in printer.warnings {
            call.warn(text).await;
        }
        return Ok(0);
    }
    let status = u8::from(!printer.warnings.is_empty());
    for text in printer.warnings {
        call.warn(text).await;
    }
    if status > 0 { Err(Failure::Status(status)) } else { Ok(0) }
}

impl Printer<'_> {
    fn next(&mut self) -> Option<Vec<u8>> {
        self.used = true;
        self.args.next().cloned()
    }

    fn once(&mut self, format: &[u8]) -> Done<()> {
        let mut at = 0;
        while at < format.len() {
            match format[at] {
                b'\\' => {
                    at += 1;
                    match escape(&format[at..], false, &mut self.out) {
                        Some(len) => at += len,
                        None => {
                            self.stopped = true;
                            return Ok(());
                        }
                    }
                }
                b'%' if format.get(at + 1) == Some(&b'%') => {
                    self.out.push(b'%');
                    at += 2;
                }
                b'%' => {
                    at += self.conversion(&format[at..])?;
                    if self.stopped {
                        return Ok(());
                    }
                }
                byte => {
                    self.out.push(byte);
                    at += 1;
                }
            }
        }
        Ok(())
    }

    /// A number that stands in the format, or the argument for its `*`.
    fn count(&mut self, text: &[u8], at: &mut usize) -> i64 {
        if text.get(*at) == Some(&b'*') {
            *at += 1;
            let word = self.next().unwrap_or_default();
            return self.integer(&word).clamp(-(1 << 31), 1 << 31) as i64;
        }
        let mut number = 0i64;
        while let Some(digit) = text.get(*at).filter(|b| b.is_ascii_digit()) {
            number = (number * 10 + i64::from(digit - b'0')).min(1 << 31);
            *at += 1;
        }
        number
    }

    /// One `%…`; how long it is.
    fn conversion(&mut self, text: &[u8]) -> Done<usize> {
        let mut flags = Flags::default();
        let mut at = 1;
        while let Some(flag) = text.get(at) {
            match flag {
                b'-' => flags.left = true,
                b'+' => flags.plus = true,
                b' ' => flags.space = true,
                b'#' => flags.alternate = true,
                b'0' => flags.zero = true,
                b'\'' => {}
                _ => break,
            }
            at += 1;
        }
        let width = self.count(text, &mut at);
        flags.left |= width < 0;
        if width.abs() > WIDEST {
            return fail(say!("invalid field width: ", width.to_string()));
        }
        flags.width = width.unsigned_abs() as usize;
        if text.get(at) == Some(&b'.') {
            at += 1;
            let precision = self.count(text, &mut at);
            if precision > WIDEST {
                return fail(say!("invalid precision: ", precision.to_string()));
            }
            flags.precision = usize::try_from(precision).ok();
        }
        while text.get(at).is_some_and(|b| b"hlLjtz".contains(b)) {
            at += 1;
        }
        let Some(letter) = text.get(at) else {
            return fail(say!(named(text), ": invalid conversion specification"));
        };
        at += 1;
        match letter {
            b's' => {
                let word = self.next().unwrap_or_default();
                self.text(&flags, &word);
            }
            b'b' => {
                let word = self.next().unwrap_or_default();
                let mut out = Vec::new();
                let mut rest = &word[..];
                while let Some((byte, tail)) = rest.split_first() {
                    rest = tail;
                    if *byte != b'\\' {
                        out.push(*byte);
                        continue;
                    }
                    match escape(rest, true, &mut out) {
                        Some(len) => rest = &rest[len..],
                        None => {
                            self.stopped = true;
                            break;
                        }
                    }
                }
                self.text(&flags, &out);
            }
            b'q' => {
                let word = named(&self.next().unwrap_or_default());
                self.text(&flags, &word);
            }
            b'c' => {
                let word = self.next().unwrap_or_default();
                let first = if word.is_empty() { &b"\0"[..] } else { &word[..1] };
                self.text(&Flags { precision: None, ..flags }, first);
            }
            b'd' | b'i' => {
                let value = match self.next() {
                    Some(word) => self.integer(&word).clamp(i64::MIN.into(), i64::MAX.into()),
                    None => 0,
                };
                let digits = value.unsigned_abs().to_string();
                self.number(&flags, value < 0, "", &digits);
            }
            b'u' | b'o' | b'x' | b'X' => {
                let value = match self.next() {
                    Some(word) => self.integer(&word),
                    None => 0,
                };
                let value = if value < 0 {
                    value.max(i64::MIN.into()) as i64 as u64
                } else {
                    value.min(u64::MAX.into()) as u64
                };
                let (digits, prefix) = match letter {
                    b'u' => (value.to_string(), ""),
                    b'o' => (format!("{value:o}"), if flags.alternate && value != 0 { "0" } else { "" }),
                    b'x' => (format!("{value:x}"), if flags.alternate && value != 0 { "0x" } else { "" }),
                    _ => (format!("{value:X}"), if flags.alternate && value != 0 { "0X" } else { "" }),
                };
                self.number(&Flags { plus: false, space: false, ..flags }, false, prefix, &digits);
            }
            b'e' | b'E' | b'f' | b'F' | b'g' | b'G' => {
                let value = match self.next() {
                    Some(word) => self.float(&word),
                    None => 0.0,
                };
                let digits = float(value.abs(), *letter, flags.precision, flags.alternate);
                let plain = value.is_finite();
                let flags = Flags { precision: None, zero: flags.zero && plain, ..flags };
                self.number(&flags, value.is_sign_negative() && !value.is_nan(), "", &digits);
            }
            _ => return fail(say!(&text[..at], ": invalid conversion specification")),
        }
        Ok(at)
    }

    fn text(&mut self, flags: &Flags, text: &[u8]) {
        let text = &text[..flags.precision.map_or(text.len(), |most| most.min(text.len()))];
        let fill = flags.width.saturating_sub(text.len());
        if !flags.left {
            self.out.extend(std::iter::repeat_n(b' ', fill));
        }
        self.out.extend_from_slice(text);
        if flags.left {
            self.out.extend(std::iter::repeat_n(b' ', fill));
        }
    }

    fn number(&mut self, flags: &Flags, negative: bool, prefix: &str, digits: &str) {
        let sign = match (negative, flags.plus, flags.space) {
            (true, _, _) => "-",
            (_, true, _) => "+",
            (_, _, true) => " ",
            _ => "",
        };
        let digits = match flags.precision {
            Some(0) if digits == "0" => String::new(),
            Some(least) => format!("{digits:0>least$}"),
            None => digits.to_owned(),
        };
        let len = sign.len() + prefix.len() + digits.len();
        let fill = flags.width.saturating_sub(len);
        let zeros = flags.zero && !flags.left && flags.precision.is_none();
        if !flags.left && !zeros {
            self.out.extend(std::iter::repeat_n(b' ', fill));
        }
        self.out.extend_from_slice(sign.as_bytes());
        self.out.extend_from_slice(prefix.as_bytes());
        if zeros {
            self.out.extend(std::iter::repeat_n(b'0', fill));
        }
        self.out.extend_from_slice(digits.as_bytes());
        if flags.left {
            self.out.extend(std::iter::repeat_n(b' ', fill));
        }
    }

    /// A C integer, or the value of the character behind a quote.
    fn integer(&mut self, word: &[u8]) -> i128 {
        if let [b'\'' | b'"', rest @ ..] = word {
            return rest.first().map_or(0, |byte| i128::from(*byte));
        }
        let text = word.trim_ascii_start();
        let (negative, body) = match text {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            _ => (false, text),
        };
        let (base, body) = match body {
            [b'0', b'x' | b'X', rest @ ..] => (16, rest),
            [b'0', rest @ ..] if !rest.is_empty() => (8, rest),
            _ => (10, body),
        };
        let digits = body.iter().take_while(|b| char::from(**b).is_digit(base)).count();
        let value = body[..digits].iter().fold(0i128, |value, b| {
            let digit = char::from(*b).to_digit(base).map_or(0, i128::from);
            (value * i128::from(base) + digit).min(1 << 100)
        });
        self.complain(word, digits, body.len());
        let most = if negative { 1i128 << 63 } else { u64::MAX.into() };
        if value > most {
            self.warnings.push(say!(quoted(word), ": Numerical result out of range"));
        }
        if negative { -value } else { value }
    }

    fn float(&mut self, word: &[u8]) -> f64 {
        if matches!(word, [b'\'' | b'"', ..]) {
            return self.integer(word) as f64;
        }
        let text = String::from_utf8_lossy(word.trim_ascii_start()).into_owned();
        let mut end = text.len();
        while end > 0 {
            if text.is_char_boundary(end)
                && let Ok(value) = text[..end].parse::<f64>()
            {
                self.complain(word, end, text.len());
                return value;
            }
            end -= 1;
        }
        self.complain(word, 0, text.len());
        0.0
    }

    fn complain(&mut self, word: &[u8], taken: usize, len: usize) {
        if taken == 0 {
            self.warnings.push(say!(quoted(word), ": expected a numeric value"));
        } else if taken < len {
            self.warnings.push(say!(quoted(word), ": value not completely converted"));
        }
    }
}

/// The digits of C's %e, %f and %g.
pub(super) fn float(value: f64, letter: u8, precision: Option<usize>, alternate: bool) -> String {
    let upper = letter.is_ascii_uppercase();
    if !value.is_finite() {
        let text = if value.is_nan() { "nan" } else { "inf" };
        return if upper { text.to_uppercase() } else { text.to_owned() };
    }
    let precision = precision.unwrap_or(6);
    let text = match letter.to_ascii_lowercase() {
        b'f' => {
            let text = format!("{value:.precision$}");
            if alternate && precision == 0 { text + "." } else { text }
        }
        b'e' => scientific(value, precision),
        _ => {
            let digits = precision.max(1);
            let shown = scientific(value, digits - 1);
            let exponent: i32 = shown.split_once('e').and_then(|(_, e)| e.parse().ok()).unwrap_or(0);
            let (mut body, tail) = if exponent < -4 || exponent >= digits as i32 {
                let (body, tail) = shown.split_once('e').unwrap_or((&shown, ""));
                (body.to_owned(), format!("e{tail}"))
            } else {
                (format!("{value:.0$}", (digits as i32 - 1 - exponent).max(0) as usize), String::new())
            };
            if !alternate && body.contains('.') {
                body.truncate(body.trim_end_matches('0').trim_end_matches('.').len());
            }
            body + &tail
        }
    };
    if upper { text.to_uppercase() } else { text }
}

/// `d.ddde+XX`.
fn scientific(value: f64, precision: usize) -> String {
    let text = format!("{value:.precision$e}");
    let (body, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{body}e{sign}{:02}", exponent.abs())
}

/// What stands behind a backslash, and how long it is; none is `\c`. In %b an octal number may have a 0 before its digits.
fn escape(text: &[u8], in_argument: bool, out: &mut Vec<u8>) -> Option<usize> {
    let octal = |text: &[u8]| {
        let digits = text.iter().take(3).take_while(|b| (b'0'..=b'7').contains(*b)).count();
        (text[..digits].iter().fold(0u32, |value, b| value * 8 + u32::from(b - b'0')) as u8, digits)
    };
    let Some(letter) = text.first() else {
        out.push(b'\\');
        return Some(0);
    };
    let byte = match letter {
        b'a' => 7,
        b'b' => 8,
        b'c' => return None,
        b'e' => 27,
        b'f' => 12,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'v' => 11,
        b'\\' => b'\\',
        b'"' => b'"',
        b'0'..=b'7' => {
            let zero = usize::from(in_argument && *letter == b'0');
            let (byte, digits) = octal(&text[zero..]);
            out.push(byte);
            return Some(digits + zero);
        }
        b'x' => {
            let digits = text[1..].iter().take(2).take_while(|b| b.is_ascii_hexdigit()).count();
            if digits == 0 {
                out.extend_from_slice(b"\\x");
                return Some(1);
            }
            let value = text[1..=digits]
                .iter()
                .fold(0, |value, b| value * 16 + char::from(*b).to_digit(16).unwrap_or(0));
            out.push(value as u8);
            return Some(1 + digits);
        }
        b'u' | b'U' => {
            let most = if *letter == b'u' { 4 } else { 8 };
            let digits = text[1..].iter().take(most).take_while(|b| b.is_ascii_hexdigit()).count();
            let value = text[1..=digits]
                .iter()
                .fold(0, |value, b| value * 16 + char::from(*b).to_digit(16).unwrap_or(0));
            let shown = char::from_u32(value).unwrap_or(char::REPLACEMENT_CHARACTER);
            out.extend_from_slice(shown.encode_utf8(&mut [0; 4]).as_bytes());
            return Some(1 + digits);
        }
        other => {
            out.extend_from_slice(&[b'\\', *other]);
            return Some(1);
        }
    };
    out.push(byte);
    Some(1)
}
