//! A namespace as text: one bind or mount a line, as namespace(6) writes them.
//!
//! ```text
//! mount -c mem /
//! mount '#task' /task
//! bind -a /usr/bin /bin
//! cd /home
//! ```

use crate::ns::BindFlags;
use std::fmt;

/// One line. Words are quoted as rc(1) quotes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NsLine {
    Bind { flags: BindFlags, new: Vec<u8>, old: Vec<u8> },
    Mount { flags: BindFlags, spec: String, old: Vec<u8> },
    Cd { dir: Vec<u8> },
}

impl NsLine {
    pub(crate) fn bind(flags: BindFlags, new: &[u8], old: &[u8]) -> NsLine {
        NsLine::Bind { flags, new: new.to_vec(), old: old.to_vec() }
    }
    pub(crate) fn mount(flags: BindFlags, spec: &str, old: &[u8]) -> NsLine {
        NsLine::Mount { flags, spec: spec.to_owned(), old: old.to_vec() }
    }
    pub(crate) fn is_mount_of(&self, wanted: &[u8]) -> bool {
        matches!(self, NsLine::Mount { spec, .. } if spec.as_bytes() == wanted)
    }
}

fn flag_word(flags: BindFlags) -> String {
    let mut word = String::new();
    for (flag, letter) in [(BindFlags::BEFORE, 'b'), (BindFlags::AFTER, 'a'), (BindFlags::CREATE, 'c')] {
        if flags.contains(flag) {
            word.push(letter);
        }
    }
    if word.is_empty() { word } else { format!("-{word} ") }
}

fn quoted(word: &[u8]) -> String {
    let text = String::from_utf8_lossy(word);
    let plain =
        !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || c == '\'' || c.is_control());
    // `#` starts a comment in rc only at the head of a word.
    if plain && !text.starts_with('#') {
        text.into_owned()
    } else {
        format!("'{}'", text.replace('\'', "''"))
    }
}

impl fmt::Display for NsLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NsLine::Bind { flags, new, old } => {
                write!(f, "bind {}{} {}", flag_word(*flags), quoted(new), quoted(old))
            }
            NsLine::Mount { flags, spec, old } => {
                write!(f, "mount {}{} {}", flag_word(*flags), quoted(spec.as_bytes()), quoted(old))
            }
            NsLine::Cd { dir } => write!(f, "cd {}", quoted(dir)),
        }
    }
}
