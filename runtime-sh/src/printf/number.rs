//! Numbers as strtol(3) and strtod(3) read them, and as printf(3) writes those with a fraction.

/// What a word has of a number.
pub(super) struct Found<T> {
    pub value: T,
    /// There is none.
    pub nothing: bool,
    /// Something stands behind it.
    pub rest: bool,
    /// It is beyond what its type holds, and is as near to it as can be.
    pub beyond: bool,
}

/// What a minus does to 64 bits.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Sign {
    /// strtoimax: there are negative numbers.
    Kept,
    /// strtoumax: it counts down from the top.
    Wraps,
}

/// A C integer, or the value of the character behind a quote.
pub(super) fn integer(word: &[u8], sign: Sign) -> Found<u64> {
    if let Some(value) = character(word) {
        return Found { value: value.into(), nothing: false, rest: false, beyond: false };
    }
    let (negative, body) = signed(word.trim_ascii_start());
    let (base, body) = match body {
        [b'0', b'x' | b'X', rest @ ..] if rest.first().is_some_and(u8::is_ascii_hexdigit) => (16, rest),
        [b'0', ..] => (8, body),
        _ => (10, body),
    };
    let digits = body.iter().map_while(|b| char::from(*b).to_digit(base));
    let (len, size) = digits.fold((0, 0u128), |(len, size), digit| {
        (len + 1, size.saturating_mul(base.into()).saturating_add(digit.into()))
    });
    let most = match (sign, negative) {
        (Sign::Wraps, _) => u64::MAX,
        (Sign::Kept, true) => 1 << 63,
        (Sign::Kept, false) => i64::MAX as u64,
    };
    let beyond = size > most.into();
    let size = size.min(most.into()) as u64;
    let down = negative && !(beyond && sign == Sign::Wraps);
    let value = if down { size.wrapping_neg() } else { size };
    Found { value, nothing: len == 0, rest: len < body.len(), beyond }
}

/// A number with a fraction or an exponent, in decimal or in hexadecimal; `inf`, `nan`, or a character as above.
pub(super) fn float(word: &[u8]) -> Found<f64> {
    if let Some(value) = character(word) {
        return Found { value: value.into(), nothing: false, rest: false, beyond: false };
    }
    let (negative, body) = signed(word.trim_ascii_start());
    let (size, len) = match body {
        [b'0', b'x' | b'X', rest @ ..] if rest.first().is_some_and(u8::is_ascii_hexdigit) => {
            let (size, len) = hexadecimal(rest);
            (size, len + 2)
        }
        _ => decimal(body),
    };
    let beyond = size.is_infinite() && body.first().is_some_and(u8::is_ascii_digit);
    let value = if negative { -size } else { size };
    Found { value, nothing: len == 0, rest: len < body.len(), beyond }
}

/// The value of the character behind a quote.
fn character(word: &[u8]) -> Option<u8> {
    match word {
        [b'\'' | b'"', rest @ ..] => Some(rest.first().copied().unwrap_or(0)),
        _ => None,
    }
}

fn signed(text: &[u8]) -> (bool, &[u8]) {
    match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    }
}

/// How long the exponent behind `mark` is, where there is one.
fn exponent(text: &[u8], mark: u8) -> usize {
    let [first, rest @ ..] = text else { return 0 };
    let digits = signed(rest).1.iter().take_while(|b| b.is_ascii_digit()).count();
    if first.eq_ignore_ascii_case(&mark) && digits > 0 {
        1 + rest.len() - signed(rest).1.len() + digits
    } else {
        0
    }
}

/// What is read of `text`, and how much that is.
fn decimal(text: &[u8]) -> (f64, usize) {
    for (name, value) in [(&b"infinity"[..], f64::INFINITY), (b"inf", f64::INFINITY), (b"nan", f64::NAN)] {
        if text.get(..name.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(name)) {
            return (value, name.len());
        }
    }
    let digits = |text: &[u8]| text.iter().take_while(|b| b.is_ascii_digit()).count();
    let whole = digits(text);
    let behind = if text.get(whole) == Some(&b'.') { digits(&text[whole + 1..]) } else { 0 };
    if whole + behind == 0 {
        return (0.0, 0);
    }
    let point = usize::from(text.get(whole) == Some(&b'.'));
    let mut len = whole + point + behind;
    len += exponent(&text[len..], b'e');
    let number = std::str::from_utf8(&text[..len]).ok().and_then(|text| text.parse().ok());
    (number.unwrap_or(0.0), len)
}

/// The same behind `0x`: digits, a point, and an exponent of two.
fn hexadecimal(text: &[u8]) -> (f64, usize) {
    let mut size = 0.0;
    let mut behind = 0;
    let mut len = 0;
    let mut point = false;
    for byte in text {
        match char::from(*byte).to_digit(16) {
            Some(digit) => {
                size = size * 16.0 + f64::from(digit);
                behind += i32::from(point);
            }
            None if *byte == b'.' && !point => point = true,
            None => break,
        }
        len += 1;
    }
    let tail = exponent(&text[len..], b'p');
    let power =
        std::str::from_utf8(&text[len..len + tail]).ok().and_then(|text| text.get(1..)?.parse::<i32>().ok());
    let power = power.unwrap_or(0).saturating_sub(behind.saturating_mul(4));
    (size * 2f64.powi(power), len + tail)
}

/// The digits of C's %e, %f and %g.
pub(crate) fn shown(value: f64, letter: u8, precision: Option<usize>, alternate: bool) -> String {
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

#[cfg(test)]
mod tests {
    use super::{Sign, float, integer};

    #[test]
    fn integers_are_read_as_c_reads_them() {
        for (word, kept, wraps) in [
            ("12", 12, 12),
            ("-1", -1, u64::MAX),
            ("0x1f", 31, 31),
            ("0x", 0, 0),
            ("010", 8, 8),
            ("9223372036854775808", i64::MAX, 1 << 63),
            ("-9223372036854775809", i64::MIN, (1 << 63) - 1),
            ("99999999999999999999", i64::MAX, u64::MAX),
            ("-99999999999999999999", i64::MIN, u64::MAX),
            ("18446744073709551615", i64::MAX, u64::MAX),
        ] {
            assert_eq!(integer(word.as_bytes(), Sign::Kept).value as i64, kept, "{word}");
            assert_eq!(integer(word.as_bytes(), Sign::Wraps).value, wraps, "{word}");
        }
        assert!(!integer(b"18446744073709551615", Sign::Wraps).beyond);
        assert!(integer(b"18446744073709551616", Sign::Wraps).beyond);
        assert!(integer(b"0x", Sign::Kept).rest && integer(b"-", Sign::Kept).nothing);
    }

    #[test]
    fn fractions_are_read_as_c_reads_them() {
        for (word, value, rest) in [
            ("1.5e3", 1500.0, false),
            (".5", 0.5, false),
            ("5.", 5.0, false),
            ("1e", 1.0, true),
            ("0x1.8p1", 3.0, false),
            ("-inf", f64::NEG_INFINITY, false),
            (" 1x", 1.0, true),
        ] {
            let found = float(word.as_bytes());
            assert_eq!(
                (found.value, found.rest, found.nothing, found.beyond),
                (value, rest, false, false),
                "{word}"
            );
        }
        assert!(float(b"1e999").beyond && float(b".").nothing && float(b"x").nothing);
    }
}
