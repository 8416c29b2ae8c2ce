//! The quoting of rc(1) and tokenize(2): how ctl messages, command lines and namespaces are split into words, and words
//! written so that they are split back into themselves.
//!
//! Words are separated by spaces, tabs and line ends. Between single quotes everything is itself; `''` there is one quote.

use std::fmt;

/// A quote that is never closed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unbalanced;

impl fmt::Display for Unbalanced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unbalanced quote")
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// The words of `line`.
pub fn split(line: &[u8]) -> Result<Vec<Vec<u8>>, Unbalanced> {
    let mut words = Vec::new();
    let mut bytes = line.iter().copied().peekable();
    loop {
        while bytes.next_if(|b| is_space(*b)).is_some() {}
        if bytes.peek().is_none() {
            return Ok(words);
        }
        let mut word = Vec::new();
        while let Some(byte) = bytes.next_if(|b| !is_space(*b)) {
            if byte != b'\'' {
                word.push(byte);
                continue;
            }
            loop {
                match bytes.next().ok_or(Unbalanced)? {
                    b'\'' if bytes.next_if_eq(&b'\'').is_some() => word.push(b'\''),
                    b'\'' => break,
                    inside => word.push(inside),
                }
            }
        }
        words.push(word);
    }
}

/// The lines of a text; a line end between quotes is part of its line. A quote that is never closed runs to the end, for
/// [`split`] to complain of.
pub fn lines(text: &[u8]) -> Vec<&[u8]> {
    let mut lines = Vec::new();
    let (mut start, mut quoted) = (0, false);
    for (at, byte) in text.iter().enumerate() {
        match byte {
            b'\'' => quoted = !quoted,
            b'\n' if !quoted => {
                lines.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    if start < text.len() {
        lines.push(&text[start..]);
    }
    lines
}

/// Whether `word` must be quoted to be itself. A `#` begins a comment in rc only at the head of a word.
fn needs_quotes(word: &[u8]) -> bool {
    word.is_empty()
        || word[0] == b'#'
        || word.iter().any(|b| is_space(*b) || *b == b'\'' || b.is_ascii_control())
}

/// Adds `word` to `text`, quoted where it must be.
pub fn quote_into(text: &mut Vec<u8>, word: &[u8]) {
    if !needs_quotes(word) {
        text.extend_from_slice(word);
        return;
    }
    text.push(b'\'');
    for byte in word {
        if *byte == b'\'' {
            text.push(b'\'');
        }
        text.push(*byte);
    }
    text.push(b'\'');
}

/// `word`, quoted where it must be.
pub fn quote(word: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(word.len() + 2);
    quote_into(&mut text, word);
    text
}

/// The line that is split into `words`.
pub fn join<W: AsRef<[u8]>>(words: &[W]) -> Vec<u8> {
    let mut line = Vec::new();
    for (index, word) in words.iter().enumerate() {
        if index > 0 {
            line.push(b' ');
        }
        quote_into(&mut line, word.as_ref());
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(line: &str) -> Vec<String> {
        let words = split(line.as_bytes()).expect("balanced");
        words.into_iter().map(|w| String::from_utf8(w).expect("ascii")).collect()
    }

    #[test]
    fn words_are_separated_by_white_space_of_any_length() {
        assert_eq!(words("  start \t now\n"), ["start", "now"]);
        assert_eq!(words(" \n"), Vec::<String>::new());
    }

    #[test]
    fn quotes_keep_spaces_and_a_doubled_quote_is_one() {
        assert_eq!(words("echo 'a b' 'it''s' ''"), ["echo", "a b", "it's", ""]);
        assert_eq!(words("a'b c'd"), ["ab cd"]);
    }

    #[test]
    fn a_quote_that_is_never_closed_is_an_error() {
        assert_eq!(split(b"echo 'a b"), Err(Unbalanced));
        assert_eq!(split(b"'''"), Err(Unbalanced));
    }

    #[test]
    fn a_line_end_between_quotes_does_not_end_the_line() {
        assert_eq!(lines(b"a 'b\nc'\nd"), [&b"a 'b\nc'"[..], b"d"]);
    }

    proptest! {
        #[test]
        fn what_is_joined_is_split_into_the_same_words(
            all in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..8), 0..6)
        ) {
            let line = join(&all);
            prop_assert_eq!(lines(&line).len(), usize::from(!line.is_empty()));
            prop_assert_eq!(split(&line), Ok(all));
        }

        #[test]
        fn splitting_never_panics(line in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = split(&line);
            let _ = lines(&line);
        }
    }
}
