//! What s puts in the place of a match, and the escapes that sed knows in patterns and texts (`\t`, `\x41`, `\d065` ...).

use std::ops::Range;

/// A piece of a replacement.
#[derive(Clone, PartialEq, Debug)]
pub enum Part {
    Text(Vec<u8>),
    /// A subexpression; 0 is the whole match.
    Group(usize),
    Case(Case),
}

/// `\U`, `\L`, `\E`, `\u`, `\l`.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Case {
    Upper,
    Lower,
    End,
    NextUpper,
    NextLower,
}

/// What a letter behind a backslash stands for.
pub fn letter_escape(letter: u8) -> Option<u8> {
    Some(match letter {
        b'a' => 7,
        b'f' => 12,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'v' => 11,
        _ => return None,
    })
}

/// The byte that `\dNNN`, `\oNNN`, `\xNN` or `\cX` (without the backslash) begins with, and how long it is.
fn numbered(text: &[u8]) -> Option<(u8, usize)> {
    let (base, most) = match text.first()? {
        b'd' => (10, 3),
        b'o' => (8, 3),
        b'x' => (16, 2),
        b'c' => return text.get(1).map(|byte| (byte.to_ascii_uppercase() ^ 0x40, 2)),
        _ => return None,
    };
    let digits = text[1..].iter().take(most).take_while(|b| char::from(**b).is_digit(base)).count();
    let digits = &text[1..1 + digits];
    let value = digits.iter().fold(0, |value, b| value * base + char::from(*b).to_digit(base).unwrap_or(0));
    (!digits.is_empty()).then_some((value as u8, 1 + digits.len()))
}

/// A pattern with its byte escapes replaced. What they give is a byte, never an operator.
pub fn unescape_pattern(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        match text[at] {
            b'\\' if at + 1 < text.len() => {
                let next = text[at + 1];
                if let Some((byte, len)) = numbered(&text[at + 1..]) {
                    if b"*.[]\\^$+?(){}|".contains(&byte) {
                        out.push(b'\\');
                    }
                    out.push(byte);
                    at += 1 + len;
                } else if let (Some(byte), false) = (letter_escape(next), next == b'n') {
                    out.push(byte);
                    at += 2;
                } else {
                    out.extend_from_slice(&[b'\\', next]);
                    at += 2;
                }
            }
            b'[' => {
                let end = bracket_end(text, at).unwrap_or(text.len());
                bracket(&text[at..end], &mut out);
                at = end;
            }
            byte => {
                out.push(byte);
                at += 1;
            }
        }
    }
    out
}

/// Where the bracket expression that begins at `start` ends, if it does in its line.
pub fn bracket_end(text: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    at += usize::from(text.get(at) == Some(&b'^'));
    at += usize::from(text.get(at) == Some(&b']'));
    while at < text.len() {
        match &text[at..] {
            [b'\n', ..] => return None,
            [b']', ..] => return Some(at + 1),
            [b'[', mark @ (b':' | b'.' | b'='), rest @ ..] => {
                match rest.windows(2).position(|pair| pair == [*mark, b']']) {
                    Some(len) => at += len + 4,
                    None => at += 1,
                }
            }
            _ => at += 1,
        }
    }
    None
}

fn bracket(text: &[u8], out: &mut Vec<u8>) {
    let mut at = 0;
    while at < text.len() {
        if text[at] == b'\\' && at + 1 < text.len() {
            if let Some((byte, len)) = numbered(&text[at + 1..]) {
                out.push(byte);
                at += 1 + len;
                continue;
            }
            if let Some(byte) = letter_escape(text[at + 1]) {
                out.push(byte);
                at += 2;
                continue;
            }
        }
        out.push(text[at]);
        at += 1;
    }
}

/// The strings of y.
pub fn unescape(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        if text[at] == b'\\' && at + 1 < text.len() {
            let next = text[at + 1];
            if let Some((byte, len)) = numbered(&text[at + 1..]) {
                out.push(byte);
                at += 1 + len;
            } else {
                match letter_escape(next) {
                    Some(byte) => out.push(byte),
                    None if next == b'\\' => out.push(b'\\'),
                    None if next == b'\n' => out.push(b'\n'),
                    None => out.extend_from_slice(&[b'\\', next]),
                }
                at += 2;
            }
            continue;
        }
        out.push(text[at]);
        at += 1;
    }
    out
}

pub fn parse(text: &[u8]) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut plain = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let part = match text[at] {
            b'&' => {
                at += 1;
                Part::Group(0)
            }
            b'\\' if at + 1 < text.len() => {
                let next = text[at + 1];
                let numbered = numbered(&text[at + 1..]);
                at += numbered.map_or(2, |(_, len)| 1 + len);
                match next {
                    b'0'..=b'9' => Part::Group(usize::from(next - b'0')),
                    b'U' => Part::Case(Case::Upper),
                    b'L' => Part::Case(Case::Lower),
                    b'E' => Part::Case(Case::End),
                    b'u' => Part::Case(Case::NextUpper),
                    b'l' => Part::Case(Case::NextLower),
                    _ => {
                        plain.push(numbered.map_or(letter_escape(next).unwrap_or(next), |(byte, _)| byte));
                        continue;
                    }
                }
            }
            byte => {
                plain.push(byte);
                at += 1;
                continue;
            }
        };
        if !plain.is_empty() {
            parts.push(Part::Text(std::mem::take(&mut plain)));
        }
        parts.push(part);
    }
    if !plain.is_empty() {
        parts.push(Part::Text(plain));
    }
    parts
}

/// Puts the replacement of one match behind `out`.
pub fn apply(parts: &[Part], text: &[u8], groups: &[Option<Range<usize>>], out: &mut Vec<u8>) {
    let (mut mode, mut next) = (Case::End, None);
    for part in parts {
        let piece = match part {
            Part::Case(case @ (Case::NextUpper | Case::NextLower)) => {
                next = Some(*case);
                continue;
            }
            Part::Case(case) => {
                mode = *case;
                next = None;
                continue;
            }
            Part::Text(text) => text,
            Part::Group(number) => match groups.get(*number).cloned().flatten() {
                Some(range) => &text[range],
                None => continue,
            },
        };
        let start = out.len();
        out.extend_from_slice(piece);
        match mode {
            Case::Upper => out[start..].make_ascii_uppercase(),
            Case::Lower => out[start..].make_ascii_lowercase(),
            _ => {}
        }
        if start < out.len()
            && let Some(case) = next.take()
        {
            match case {
                Case::NextUpper => out[start].make_ascii_uppercase(),
                _ => out[start].make_ascii_lowercase(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_escape_in_a_pattern_is_never_an_operator() {
        assert_eq!(unescape_pattern(b"a\\x2eb\\tc"), b"a\\.b\tc");
        assert_eq!(unescape_pattern(b"[\\t\\]x"), b"[\t\\]x");
        assert_eq!(unescape_pattern(b"\\o101\\d066"), b"AB");
    }

    #[test]
    fn case_changes_reach_over_groups_until_their_end() {
        let parts = parse(b"\\u&-\\U\\1\\Ex\\l\\1");
        let mut out = Vec::new();
        apply(&parts, b"heLLo", &[Some(0..5), Some(2..4)], &mut out);
        assert_eq!(out, b"HeLLo-LLxlL");
    }
}
