//! What a task is to run: its type, words, environment and directory, and how they are written as text.
//!
//! argv and env are one word a line. A line is its word as it stands; a word that holds a line end, is empty or begins with
//! a quote is quoted as rc(1) quotes.

use crate::rc;
use vfs::{Errno, Error, Result};

/// argv and the environment together may be this long (ARG_MAX of many systems, in bytes).
const MAX_WORDS: usize = 1 << 20;

#[derive(Clone, Debug)]
pub struct Spec {
    /// A runtime's name, or `auto`.
    pub kind: String,
    pub argv: Vec<Vec<u8>>,
    /// The program's path, where its first word does not lead to it.
    pub program: Option<Vec<u8>>,
    pub env: Vec<(Vec<u8>, Vec<u8>)>,
    /// An absolute path of the task's namespace.
    pub cwd: Vec<u8>,
    pub alias: String,
}

impl Default for Spec {
    fn default() -> Spec {
        Spec {
            kind: "auto".into(),
            argv: Vec::new(),
            program: None,
            env: Vec::new(),
            cwd: b"/".to_vec(),
            alias: String::new(),
        }
    }
}

fn bad(text: impl Into<String>) -> Error {
    Error::new(Errno::EINVAL, text.into())
}

fn checked(words: Vec<Vec<u8>>) -> Result<Vec<Vec<u8>>> {
    if let Some(word) = words.iter().find(|w| w.contains(&0)) {
        return Err(bad(format!("NUL in \"{}\"", word.escape_ascii())));
    }
    if words.iter().map(|w| w.len() + 1).sum::<usize>() > MAX_WORDS {
        return Err(Error::new(
            Errno::E2BIG,
            format!("the words are longer than {MAX_WORDS} bytes together"),
        ));
    }
    Ok(words)
}

/// A command line: one line of quoted words.
pub fn parse_cmd(text: &[u8]) -> Result<Vec<Vec<u8>>> {
    if rc::lines(text).iter().filter(|l| !l.is_empty()).count() > 1 {
        return Err(bad("cmd is one line; argv takes a word a line"));
    }
    checked(rc::split(text).map_err(|e| bad(format!("{e} in \"{}\"", text.trim_ascii_end().escape_ascii())))?)
}

/// A word a line.
pub fn parse_words(text: &[u8]) -> Result<Vec<Vec<u8>>> {
    let mut words = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let quoted = rest[0] == b'\'';
        let line =
            if quoted { rc::lines(rest)[0] } else { rest.split(|b| *b == b'\n').next().unwrap_or(rest) };
        rest = rest.get(line.len() + 1..).unwrap_or_default();
        if quoted {
            let shown = || format!("\"{}\"", line.escape_ascii());
            match rc::split(line).map_err(|e| bad(format!("{e} in {}", shown())))?.as_slice() {
                [word] => words.push(word.clone()),
                _ => return Err(bad(format!("more than one word in {}", shown()))),
            }
        } else if !line.is_empty() {
            words.push(line.to_vec());
        }
    }
    checked(words)
}

/// The lines that [`parse_words`] reads back.
pub fn show_words<'a>(words: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut text = Vec::new();
    for word in words {
        let plain = !word.is_empty() && word[0] != b'\'' && !word.contains(&b'\n');
        if plain {
            text.extend_from_slice(word);
        } else {
            text.push(b'\'');
            word.iter().for_each(|b| {
                text.extend_from_slice(if *b == b'\'' { b"''" } else { std::slice::from_ref(b) })
            });
            text.push(b'\'');
        }
        text.push(b'\n');
    }
    text
}

impl Spec {
    pub fn add_argv(&mut self, words: Vec<Vec<u8>>) -> Result<()> {
        self.argv = checked(self.argv.drain(..).chain(words).collect())?;
        Ok(())
    }

    /// Sets the variables of `text` (`NAME=value` lines), over those of the same name.
    pub fn add_env(&mut self, text: &[u8]) -> Result<()> {
        let mut new = Vec::new();
        for word in parse_words(text)? {
            match word.iter().position(|b| *b == b'=') {
                Some(at) if at > 0 => new.push((word[..at].to_vec(), word[at + 1..].to_vec())),
                _ => return Err(bad(format!("want NAME=value, not \"{}\"", word.escape_ascii()))),
            }
        }
        for (name, value) in new {
            match self.env.iter_mut().find(|(have, _)| *have == name) {
                Some(have) => have.1 = value,
                None => self.env.push((name, value)),
            }
        }
        Ok(())
    }

    pub fn show_env(&self) -> Vec<u8> {
        let words: Vec<Vec<u8>> = self.env.iter().map(|(n, v)| [n.as_slice(), b"=", v].concat()).collect();
        show_words(words.iter().map(Vec::as_slice))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_line_is_a_word_whatever_is_in_it() {
        assert_eq!(
            parse_words(b"-c\nprint('a  b')\n\n'two\nlines'\n"),
            Ok(vec![b"-c".to_vec(), b"print('a  b')".to_vec(), b"two\nlines".to_vec()])
        );
    }

    #[test]
    fn a_later_variable_of_the_same_name_counts() {
        let mut spec = Spec::default();
        spec.add_env(b"A=1\nB=2\n").expect("two lines");
        spec.add_env(b"A=3=4").expect("no line end");
        assert_eq!(spec.show_env(), b"A=3=4\nB=2\n");
        assert!(spec.add_env(b"C=1\n=2\n").is_err());
        assert_eq!(spec.show_env(), b"A=3=4\nB=2\n", "a bad text changes nothing");
    }

    #[test]
    fn a_command_is_one_line() {
        assert_eq!(parse_cmd(b"echo 'a b'\n"), Ok(vec![b"echo".to_vec(), b"a b".to_vec()]));
        assert!(parse_cmd(b"echo\necho\n").is_err());
        assert!(parse_cmd(b"echo 'a\n").is_err());
        assert!(parse_cmd(b"echo \0\n").is_err());
    }

    proptest! {
        #[test]
        fn words_are_read_back_as_they_are_shown(
            all in prop::collection::vec(prop::collection::vec(1..=255u8, 0..8), 0..6)
        ) {
            let text = show_words(all.iter().map(Vec::as_slice));
            prop_assert_eq!(parse_words(&text), Ok(all));
        }
    }
}
