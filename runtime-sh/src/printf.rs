//! printf(1) (POSIX.1): formats and what they make of their arguments.

use crate::commands::unescape;

/// Bytes that one field may be padded to.
const WIDEST: usize = 1 << 20;

/// What came of it.
pub(crate) struct Printed {
    pub text: Vec<u8>,
    /// What is wrong with the arguments, in dash's words.
    pub complaints: Vec<String>,
}

struct Printer<'a> {
    args: std::slice::Iter<'a, Vec<u8>>,
    printed: Printed,
    /// `\c` was met: nothing follows.
    ended: bool,
}

/// Prints `args` as `format` says, over and over while there are any.
pub(crate) fn print(format: &[u8], args: &[Vec<u8>]) -> Printed {
    let printed = Printed { text: Vec::new(), complaints: Vec::new() };
    let mut printer = Printer { args: args.iter(), printed, ended: false };
    loop {
        let before = printer.args.len();
        printer.once(format);
        let left = printer.args.len();
        if left == 0 || left == before || printer.ended {
            return printer.printed;
        }
    }
}

/// A conversion's flags, width and precision.
#[derive(Default)]
struct Spec {
    left: bool,
    plus: bool,
    space: bool,
    alternative: bool,
    zero: bool,
    width: usize,
    precision: Option<usize>,
}

impl Printer<'_> {
    fn once(&mut self, format: &[u8]) {
        let mut at = 0;
        while at < format.len() && !self.ended {
            match format[at] {
                b'\\' => at = self.escape(format, at + 1),
                b'%' if format.get(at + 1) == Some(&b'%') => {
                    self.printed.text.push(b'%');
                    at += 2;
                }
                b'%' => match self.conversion(format, at + 1) {
                    Some(next) => at = next,
                    None => return,
                },
                byte => {
                    self.printed.text.push(byte);
                    at += 1;
                }
            }
        }
    }

    /// An escape of the format, behind its backslash.
    fn escape(&mut self, format: &[u8], at: usize) -> usize {
        let Some(byte) = format.get(at) else {
            self.printed.text.push(b'\\');
            return at;
        };
        if (b'0'..=b'7').contains(byte) {
            let digits = format[at..].iter().take(3).take_while(|b| (b'0'..=b'7').contains(*b)).count();
            let value = format[at..at + digits].iter().fold(0u32, |value, b| value * 8 + u32::from(b - b'0'));
            self.printed.text.push(value as u8);
            return at + digits;
        }
        if *byte == b'c' {
            self.ended = true;
            return at + 1;
        }
        match byte {
            b'"' | b'\'' => self.printed.text.push(*byte),
            _ => {
                unescape(&[b'\\', *byte], &mut self.printed.text);
            }
        }
        at + 1
    }

    fn conversion(&mut self, format: &[u8], mut at: usize) -> Option<usize> {
        let from = at;
        let mut spec = Spec::default();
        while let Some(byte) = format.get(at) {
            match byte {
                b'-' => spec.left = true,
                b'+' => spec.plus = true,
                b' ' => spec.space = true,
                b'#' => spec.alternative = true,
                b'0' => spec.zero = true,
                _ => break,
            }
            at += 1;
        }
        spec.width = match self.size(format, &mut at) {
            Some(width) if width < 0 => {
                spec.left = true;
                width.unsigned_abs() as usize
            }
            width => width.unwrap_or(0) as usize,
        }
        .min(WIDEST);
        if format.get(at) == Some(&b'.') {
            at += 1;
            let precision = self.size(format, &mut at).unwrap_or(0);
            spec.precision = (precision >= 0).then_some((precision as usize).min(WIDEST));
        }
        let Some(kind) = format.get(at) else {
            let shown = String::from_utf8_lossy(&format[from..]);
            self.printed.complaints.push(format!("missing format character: %{shown}"));
            return None;
        };
        self.convert(*kind, &spec, &format[from - 1..=at]);
        self.printed
            .complaints
            .last()
            .is_none_or(|last| !last.contains("invalid directive"))
            .then_some(at + 1)
    }

    /// A width or precision: digits, or `*` and an argument.
    fn size(&mut self, format: &[u8], at: &mut usize) -> Option<i64> {
        if format.get(*at) == Some(&b'*') {
            *at += 1;
            return Some(self.integer());
        }
        let digits = format[*at..].iter().take_while(|b| b.is_ascii_digit()).count();
        let text = std::str::from_utf8(&format[*at..*at + digits]).ok()?;
        *at += digits;
        text.parse().ok().or((digits > 0).then_some(i64::MAX))
    }

    fn convert(&mut self, kind: u8, spec: &Spec, whole: &[u8]) {
        match kind {
            b's' | b'b' => {
                let arg = self.args.next().cloned().unwrap_or_default();
                let mut text = arg;
                if kind == b'b' {
                    let mut plain = Vec::new();
                    self.ended |= !unescape(&text, &mut plain);
                    text = plain;
                }
                if let Some(precision) = spec.precision {
                    text.truncate(precision);
                }
                self.pad(b"", &text, spec, false);
            }
            b'c' => {
                let text = self.args.next().and_then(|arg| arg.first()).copied();
                self.pad(b"", text.as_slice(), spec, false);
            }
            b'd' | b'i' => {
                let value = self.integer();
                let sign = if value < 0 {
                    "-"
                } else if spec.plus {
                    "+"
                } else if spec.space {
                    " "
                } else {
                    ""
                };
                self.number(sign, value.unsigned_abs().to_string(), spec);
            }
            b'u' => {
                let value = self.integer() as u64;
                self.number("", value.to_string(), spec);
            }
            b'o' => {
                let value = self.integer() as u64;
                let zero = if spec.alternative && value != 0 { "0" } else { "" };
                self.number("", format!("{zero}{value:o}"), spec);
            }
            b'x' => {
                let value = self.integer() as u64;
                self.number(
                    if spec.alternative && value != 0 { "0x" } else { "" },
                    format!("{value:x}"),
                    spec,
                );
            }
            b'X' => {
                let value = self.integer() as u64;
                self.number(
                    if spec.alternative && value != 0 { "0X" } else { "" },
                    format!("{value:X}"),
                    spec,
                );
            }
            b'e' | b'E' | b'f' | b'F' | b'g' | b'G' => {
                let value = self.float();
                let text = float(value, kind, spec.precision.unwrap_or(6), spec.alternative);
                let (sign, digits) = match text.strip_prefix('-') {
                    Some(digits) => ("-", digits.to_owned()),
                    None if spec.plus => ("+", text),
                    None if spec.space => (" ", text),
                    None => ("", text),
                };
                self.pad(sign.as_bytes(), digits.as_bytes(), spec, value.is_finite());
            }
            _ => {
                let shown = String::from_utf8_lossy(whole);
                self.printed.complaints.push(format!("{shown}: invalid directive"));
            }
        }
    }

    fn number(&mut self, prefix: &str, mut digits: String, spec: &Spec) {
        if let Some(precision) = spec.precision {
            if precision == 0 && digits == "0" {
                digits.clear();
            }
            digits = "0".repeat(precision.saturating_sub(digits.len())) + &digits;
        }
        self.pad(prefix.as_bytes(), digits.as_bytes(), spec, spec.precision.is_none());
    }

    fn pad(&mut self, prefix: &[u8], text: &[u8], spec: &Spec, zeros: bool) {
        let missing = spec.width.saturating_sub(prefix.len() + text.len());
        let out = &mut self.printed.text;
        let (before, inside, behind) = match (spec.left, spec.zero && zeros) {
            (true, _) => (0, 0, missing),
            (false, true) => (0, missing, 0),
            (false, false) => (missing, 0, 0),
        };
        out.resize(out.len() + before, b' ');
        out.extend_from_slice(prefix);
        out.resize(out.len() + inside, b'0');
        out.extend_from_slice(text);
        out.resize(out.len() + behind, b' ');
    }

    /// The next argument as an integer: a C constant, or the value of the character behind a quote.
    fn integer(&mut self) -> i64 {
        let Some(arg) = self.args.next() else { return 0 };
        if let Some(value) = quoted(arg) {
            return value;
        }
        let shown = || String::from_utf8_lossy(arg).into_owned();
        let text = arg.trim_ascii_start();
        let (negative, digits) = match text {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            _ => (false, text),
        };
        let (radix, digits) = match digits {
            [b'0', b'x' | b'X', rest @ ..] => (16, rest),
            [b'0', _, ..] => (8, digits),
            _ => (10, digits),
        };
        let length = digits.iter().take_while(|b| (**b as char).is_digit(radix)).count();
        let number = std::str::from_utf8(&digits[..length]).unwrap_or_default();
        let value = u64::from_str_radix(number, radix);
        let complaint = if length == 0 {
            (!arg.is_empty()).then_some("expected numeric value")
        } else if length < digits.len() {
            Some("not completely converted")
        } else if value.is_err() {
            Some("Numerical result out of range")
        } else {
            None
        };
        if let Some(complaint) = complaint {
            self.printed.complaints.push(format!("{}: {complaint}", shown()));
        }
        let value = match value {
            Ok(value) => value,
            Err(_) if length == 0 => 0,
            Err(_) => i64::MAX as u64,
        };
        if negative { (value as i64).wrapping_neg() } else { value as i64 }
    }

    fn float(&mut self) -> f64 {
        let Some(arg) = self.args.next() else { return 0.0 };
        if let Some(value) = quoted(arg) {
            return value as f64;
        }
        let text = String::from_utf8_lossy(arg).trim().to_owned();
        if text.is_empty() {
            return 0.0;
        }
        let longest = (1..=text.len()).rev().filter(|at| text.is_char_boundary(*at));
        let mut parsed = longest.filter_map(|at| Some((at, text[..at].parse::<f64>().ok()?)));
        match parsed.next() {
            Some((at, value)) if at == text.len() => value,
            Some((_, value)) => {
                self.printed.complaints.push(format!("{text}: not completely converted"));
                value
            }
            None => {
                self.printed.complaints.push(format!("{text}: expected numeric value"));
                0.0
            }
        }
    }
}

fn quoted(arg: &[u8]) -> Option<i64> {
    match arg {
        [b'\'' | b'"', value, ..] => Some(i64::from(*value)),
        [b'\'' | b'"'] => Some(0),
        _ => None,
    }
}

/// A number as printf(3) writes it.
fn float(value: f64, kind: u8, precision: usize, keeps_zeros: bool) -> String {
    let upper = kind.is_ascii_uppercase();
    let cased = |text: String| if upper { text.to_ascii_uppercase() } else { text };
    if !value.is_finite() {
        let text = if value.is_nan() {
            "nan"
        } else if value < 0.0 {
            "-inf"
        } else {
            "inf"
        };
        return cased(text.to_owned());
    }
    let exponential = |precision: usize| {
        let text = format!("{value:.precision$e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let exponent: i32 = exponent.parse().unwrap_or(0);
        (digits.to_owned(), exponent)
    };
    let written = |digits: &str, exponent: i32| {
        let sign = if exponent < 0 { '-' } else { '+' };
        format!("{digits}e{sign}{:02}", exponent.abs())
    };
    cased(match kind.to_ascii_lowercase() {
        b'f' => format!("{value:.precision$}"),
        b'e' => {
            let (digits, exponent) = exponential(precision);
            written(&digits, exponent)
        }
        _ => {
            let precision = precision.max(1);
            let (digits, exponent) = exponential(precision - 1);
            let trimmed = |text: String| match text.contains('.') && !keeps_zeros {
                true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
                false => text,
            };
            if exponent < -4 || exponent >= precision as i32 {
                written(&trimmed(digits), exponent)
            } else {
                let decimals = (precision as i32 - 1 - exponent).max(0) as usize;
                trimmed(format!("{value:.decimals$}"))
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::print;

    fn said(format: &str, args: &[&str]) -> String {
        let args: Vec<Vec<u8>> = args.iter().map(|arg| arg.as_bytes().to_vec()).collect();
        String::from_utf8(print(format.as_bytes(), &args).text).expect("text")
    }

    #[test]
    fn formats_are_those_of_printf() {
        for (format, args, expected) in [
            ("%s-%s\\n", &["a", "b", "c"][..], "a-b\nc-\n"),
            ("%5d|%-5d|%05d|%+d", &["1", "2", "-3", "4"], "    1|2    |-0003|+4"),
            ("%x %X %o %#x", &["255", "255", "8", "16"], "ff FF 10 0x10"),
            ("%.2f %e %g %g", &["3.14159", "12345", "0.0001", "1e10"], "3.14 1.234500e+04 0.0001 1e+10"),
            ("%c%c", &["abc", "x"], "ax"),
            ("%b|%s", &["a\\tb", "a\\tb"], "a\tb|a\\tb"),
            ("%d", &["'A"], "65"),
            ("\\101\\x%%", &[], "A\\x%"),
            ("%.3s|%*d", &["abcdef", "4", "7"], "abc|   7"),
            ("a\\cb", &[], "a"),
        ] {
            assert_eq!(said(format, args), expected, "{format}");
        }
    }

    #[test]
    fn what_is_no_number_is_said() {
        let printed = print(b"%d", &[b"abc".to_vec()]);
        assert_eq!(printed.text, b"0");
        assert_eq!(printed.complaints, ["abc: expected numeric value"]);
        assert_eq!(print(b"%z", &[]).complaints, ["%z: invalid directive"]);
    }
}
