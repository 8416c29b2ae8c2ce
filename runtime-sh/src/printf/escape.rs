//! What stands behind a backslash, in printf's formats, in the arguments of its %b, and in what echo prints.

use super::Manner;

/// Adds what `text`, behind a backslash, stands for; how long that was, or none where it is `\c`. In an argument an octal number
/// may have a 0 before its digits.
pub(crate) fn escape(manner: Manner, text: &[u8], in_argument: bool, out: &mut Vec<u8>) -> Option<usize> {
    let digits = |text: &[u8], radix: u32, most: usize| {
        let digits = text.iter().take(most).map_while(|b| char::from(*b).to_digit(radix));
        digits.fold((0u32, 0), |(value, len), digit| (value.wrapping_mul(radix) + digit, len + 1))
    };
    let gnu = manner == Manner::Gnu;
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
        b'"' if gnu => b'"',
        b'0'..=b'7' => {
            let zero = usize::from(in_argument && *letter == b'0');
            let (value, len) = digits(&text[zero..], 8, 3);
            out.push(value as u8);
            return Some(len + zero);
        }
        b'x' if manner != Manner::Dash => {
            let (value, len) = digits(&text[1..], 16, 2);
            if len == 0 {
                out.extend_from_slice(b"\\x");
            } else {
                out.push(value as u8);
            }
            return Some(1 + len);
        }
        b'u' | b'U' if gnu => {
            let (value, len) = digits(&text[1..], 16, if *letter == b'u' { 4 } else { 8 });
            let shown = char::from_u32(value).unwrap_or(char::REPLACEMENT_CHARACTER);
            out.extend_from_slice(shown.encode_utf8(&mut [0; 4]).as_bytes());
            return Some(1 + len);
        }
        // What follows may still be a conversion.
        _ if !gnu => {
            out.push(b'\\');
            return Some(0);
        }
        other => {
            out.extend_from_slice(&[b'\\', *other]);
            return Some(1);
        }
    };
    out.push(byte);
    Some(1)
}

/// Adds an argument with its escapes replaced; false where `\c` ended it.
pub(crate) fn replaced(manner: Manner, mut arg: &[u8], out: &mut Vec<u8>) -> bool {
    while let [first, rest @ ..] = arg {
        arg = rest;
        if *first != b'\\' {
            out.push(*first);
            continue;
        }
        let Some(len) = escape(manner, rest, true, out) else { return false };
        arg = &rest[len..];
    }
    true
}

#[cfg(test)]
mod tests {
    use super::{Manner, replaced};

    #[test]
    fn escapes_of_arguments_are_replaced_and_c_ends_them() {
        let said = |arg: &[u8]| {
            let mut text = Vec::new();
            let goes_on = replaced(Manner::Dash, arg, &mut text);
            (text, goes_on)
        };
        assert_eq!(said(b"a\\tb\\0101\\101\\\\\\q\\"), (b"a\tbAA\\\\q\\".to_vec(), true));
        assert_eq!(said(b"one\\ctwo"), (b"one".to_vec(), false));
    }
}
