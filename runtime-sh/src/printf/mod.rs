//! printf(1) (POSIX.1): a format, used again as long as there are arguments. The builtin of the shell is dash's, the program of
//! that name is GNU's: one printer, and what the two do otherwise is a [`Manner`].

mod escape;
mod number;

use crate::commands::{named, quoted};
use escape::escape;
pub(crate) use escape::replaced;
pub(crate) use number::shown as float;
use number::{Found, Sign};

/// Fields beyond this are refused: nobody reads them, and they are memory.
const WIDEST: i64 = 1 << 20;

/// Whose printf it is.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Manner {
    Dash,
    Gnu,
    /// GNU's echo -e: of printf it has the escapes alone.
    Echo,
}
use Manner::{Dash, Gnu};

pub(crate) struct Printer<'a> {
    manner: Manner,
    args: std::slice::Iter<'a, Vec<u8>>,
    /// What was printed. Who takes some of it away may.
    pub text: Vec<u8>,
    /// What is wrong with the arguments.
    pub complaints: Vec<Vec<u8>>,
    /// The round has taken an argument.
    used: bool,
    /// `\c` was met: nothing follows.
    ended: bool,
}

/// What makes the whole format useless: the words for it.
type Refused<T> = Result<T, Vec<u8>>;

/// A conversion's flags, width and precision.
#[derive(Clone, Copy, Default)]
struct Spec {
    left: bool,
    plus: bool,
    space: bool,
    alternate: bool,
    zero: bool,
    width: usize,
    precision: Option<usize>,
}

impl<'a> Printer<'a> {
    pub fn new(manner: Manner, args: &'a [Vec<u8>]) -> Printer<'a> {
        let (text, complaints) = (Vec::new(), Vec::new());
        Printer { manner, args: args.iter(), text, complaints, used: false, ended: false }
    }

    /// Prints the format once; true where arguments are left that another round would take.
    pub fn round(&mut self, format: &[u8]) -> Refused<bool> {
        self.used = false;
        let mut at = 0;
        while at < format.len() && !self.ended {
            match format[at] {
                b'\\' => match escape(self.manner, &format[at + 1..], false, &mut self.text) {
                    Some(len) => at += 1 + len,
                    None => self.ended = true,
                },
                b'%' if format.get(at + 1) == Some(&b'%') => {
                    self.text.push(b'%');
                    at += 2;
                }
                b'%' => at += self.conversion(&format[at..])?,
                byte => {
                    self.text.push(byte);
                    at += 1;
                }
            }
        }
        Ok(self.used && !self.ended && self.args.len() > 0)
    }

    /// The first argument that no round took, where that is of interest.
    pub fn excess(&mut self) -> Option<&'a [u8]> {
        if self.ended { None } else { self.args.next().map(Vec::as_slice) }
    }

    fn next(&mut self) -> Option<&'a [u8]> {
        self.used = true;
        self.args.next().map(Vec::as_slice)
    }

    /// One `%…`; how long it is.
    fn conversion(&mut self, text: &[u8]) -> Refused<usize> {
        let mut spec = Spec::default();
        let mut at = 1;
        while let Some(flag) = text.get(at) {
            match flag {
                b'-' => spec.left = true,
                b'+' => spec.plus = true,
                b' ' => spec.space = true,
                b'#' => spec.alternate = true,
                b'0' => spec.zero = true,
                b'\'' if self.manner == Gnu => {}
                _ => break,
            }
            at += 1;
        }
        let width = self.count(text, &mut at);
        if width.abs() > WIDEST {
            return Err(format!("invalid field width: {width}").into());
        }
        spec.left |= width < 0;
        spec.width = width.unsigned_abs() as usize;
        if text.get(at) == Some(&b'.') {
            at += 1;
            let precision = self.count(text, &mut at);
            if precision > WIDEST {
                return Err(format!("invalid precision: {precision}").into());
            }
            spec.precision = usize::try_from(precision).ok();
        }
        while self.manner == Gnu && text.get(at).is_some_and(|b| b"hlLjtz".contains(b)) {
            at += 1;
        }
        let Some(letter) = text.get(at) else { return Err(self.unended(text)) };
        at += 1;
        self.convert(*letter, spec).map(|()| at).ok_or_else(|| self.invalid(&text[..at]))
    }

    /// A width or precision: digits, or `*` and an argument.
    fn count(&mut self, text: &[u8], at: &mut usize) -> i64 {
        if text.get(*at) == Some(&b'*') {
            *at += 1;
            return self.integer(Sign::Kept) as i64;
        }
        let digits = text[*at..].iter().take_while(|b| b.is_ascii_digit());
        let (len, number) = digits
            .fold((0, 0i64), |(len, number), b| (len + 1, (number * 10 + i64::from(b - b'0')).min(1 << 31)));
        *at += len;
        number
    }

    /// Prints the next argument as `letter` says; nothing where it is no conversion.
    fn convert(&mut self, letter: u8, spec: Spec) -> Option<()> {
        match letter {
            b's' => {
                let word = self.next().unwrap_or_default();
                self.string(spec, word);
            }
            b'b' => {
                let word = self.next().unwrap_or_default();
                let mut text = Vec::new();
                self.ended = !replaced(self.manner, word, &mut text);
                self.string(spec, &text);
            }
            b'q' if self.manner == Gnu => {
                let word = named(self.next().unwrap_or_default());
                self.string(spec, &word);
            }
            b'c' if self.manner == Dash || spec.precision.is_none() => {
                let word = self.next().unwrap_or_default();
                // As C has it: the byte that ends an empty string.
                self.string(Spec { precision: None, ..spec }, word.get(..1).unwrap_or(b"\0"));
            }
            b'd' | b'i' => {
                let value = self.integer(Sign::Kept) as i64;
                self.number(spec, value < 0, "", &value.unsigned_abs().to_string());
            }
            b'u' | b'o' | b'x' | b'X' => {
                let value = self.integer(Sign::Wraps);
                let marked = spec.alternate && value != 0;
                let (digits, prefix) = match letter {
                    b'u' => (value.to_string(), ""),
                    b'o' => (format!("{value:o}"), if marked { "0" } else { "" }),
                    b'x' => (format!("{value:x}"), if marked { "0x" } else { "" }),
                    _ => (format!("{value:X}"), if marked { "0X" } else { "" }),
                };
                self.number(Spec { plus: false, space: false, ..spec }, false, prefix, &digits);
            }
            b'e' | b'E' | b'f' | b'F' | b'g' | b'G' => {
                let word = self.next().unwrap_or(b"0");
                let found = number::float(word);
                self.complain(word, &found);
                let value = found.value;
                let digits = float(value.abs(), letter, spec.precision, spec.alternate);
                let spec = Spec { precision: None, zero: spec.zero && value.is_finite(), ..spec };
                self.number(spec, value.is_sign_negative() && !value.is_nan(), "", &digits);
            }
            _ => return None,
        }
        Some(())
    }

    /// The next argument's 64 bits.
    fn integer(&mut self, sign: Sign) -> u64 {
        let word = self.next().unwrap_or(b"0");
        let found = number::integer(word, sign);
        self.complain(word, &found);
        found.value
    }

    fn string(&mut self, spec: Spec, text: &[u8]) {
        let text = &text[..spec.precision.map_or(text.len(), |most| most.min(text.len()))];
        self.field(Spec { zero: false, ..spec }, b"", text);
    }

    fn number(&mut self, spec: Spec, negative: bool, prefix: &str, digits: &str) {
        let sign = match (negative, spec.plus, spec.space) {
            (true, _, _) => "-",
            (_, true, _) => "+",
            (_, _, true) => " ",
            _ => "",
        };
        let digits = match spec.precision {
            Some(0) if digits == "0" => String::new(),
            Some(least) => format!("{digits:0>least$}"),
            None => digits.to_owned(),
        };
        let zero = spec.zero && spec.precision.is_none();
        self.field(Spec { zero, ..spec }, [sign, prefix].concat().as_bytes(), digits.as_bytes());
    }

    /// `prefix` and `text`, as wide as they have to be.
    fn field(&mut self, spec: Spec, prefix: &[u8], text: &[u8]) {
        let missing = spec.width.saturating_sub(prefix.len() + text.len());
        let (before, inside, behind) = match spec {
            Spec { left: true, .. } => (0, 0, missing),
            Spec { zero: true, .. } => (0, missing, 0),
            _ => (missing, 0, 0),
        };
        let out = &mut self.text;
        out.resize(out.len() + before, b' ');
        out.extend_from_slice(prefix);
        out.resize(out.len() + inside, b'0');
        out.extend_from_slice(text);
        out.resize(out.len() + behind, b' ');
    }

    fn complain<T>(&mut self, word: &[u8], found: &Found<T>) {
        let what = match self.manner {
            _ if word.is_empty() => None,
            Dash if found.nothing => Some("expected numeric value"),
            Dash if found.rest => Some("not completely converted"),
            Gnu if found.nothing => Some("expected a numeric value"),
            _ if found.beyond => Some("Numerical result out of range"),
            Gnu if found.rest => Some("value not completely converted"),
            _ => None,
        };
        let Some(what) = what else { return };
        let shown = if self.manner == Gnu { quoted(word) } else { word.to_vec() };
        self.complaints.push([&shown, &b": "[..], what.as_bytes()].concat());
    }

    fn unended(&self, text: &[u8]) -> Vec<u8> {
        match self.manner {
            Dash => b"missing format character".to_vec(),
            Gnu | Manner::Echo => [&named(text), &b": invalid conversion specification"[..]].concat(),
        }
    }

    fn invalid(&self, text: &[u8]) -> Vec<u8> {
        let what =
            if self.manner == Dash { ": invalid directive" } else { ": invalid conversion specification" };
        [text, what.as_bytes()].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(manner: Manner, format: &str, args: &[&str]) -> (String, Vec<String>) {
        let args: Vec<Vec<u8>> = args.iter().map(|arg| arg.as_bytes().to_vec()).collect();
        let mut printer = Printer::new(manner, &args);
        let refused = loop {
            match printer.round(format.as_bytes()) {
                Ok(true) => {}
                Ok(false) => break None,
                Err(refused) => break Some(refused),
            }
        };
        let complaints = std::mem::take(&mut printer.complaints).into_iter().chain(refused);
        let text = |bytes| String::from_utf8(bytes).expect("text");
        (text(printer.text), complaints.map(text).collect())
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
            ("\\101\\q%%", &[], "A\\q%"),
            ("%.3s|%*d|%*d|", &["abcdef", "4", "7", "-3", "1"], "abc|   7|1  |"),
            ("a\\cb", &[], "a"),
            ("%010f|%010f", &["inf", "1.5"], "       inf|001.500000"),
            ("%f %d %i", &["0x10", "0x10", "010"], "16.000000 16 8"),
        ] {
            for manner in [Dash, Gnu] {
                assert_eq!(said(manner, format, args), (expected.to_owned(), vec![]), "{format}");
            }
        }
    }

    #[test]
    fn what_is_no_number_is_said_in_the_words_of_each() {
        for (format, arg, shown, dash, gnu) in [
            ("%d", "abc", "0", "abc: expected numeric value", "'abc': expected a numeric value"),
            ("%d", "5 ", "5", "5 : not completely converted", "'5 ': value not completely converted"),
            (
                "%d",
                "9223372036854775808",
                "9223372036854775807",
                "9223372036854775808: Numerical result out of range",
                "'9223372036854775808': Numerical result out of range",
            ),
            ("a%z", "1", "a", "%z: invalid directive", "%z: invalid conversion specification"),
            ("%5.", "1", "", "missing format character", "%5.: invalid conversion specification"),
        ] {
            assert_eq!(said(Dash, format, &[arg]), (shown.to_owned(), vec![dash.to_owned()]), "{format}");
            assert_eq!(said(Gnu, format, &[arg]), (shown.to_owned(), vec![gnu.to_owned()]), "{format}");
        }
        assert_eq!(said(Dash, "%d", &[""]), ("0".to_owned(), vec![]));
        assert_eq!(said(Gnu, "%d", &[""]), ("0".to_owned(), vec![]));
    }

    #[test]
    fn a_field_that_is_too_wide_is_refused() {
        assert_eq!(said(Dash, "%9999999d", &["1"]).1, ["invalid field width: 9999999"]);
        assert_eq!(said(Gnu, "%.9999999f", &["1"]).1, ["invalid precision: 9999999"]);
    }
}
