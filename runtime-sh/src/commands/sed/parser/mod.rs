//! sed's script, read into commands (sed(1), POSIX.1 and GNU's additions). What is wrong is told with GNU's words and place.

mod address;
mod verb;

use super::replacement;
use super::script::{Script, Verb};

/// One -e or -f: its text, and how mistakes in it are placed.
pub struct Source {
    pub text: Vec<u8>,
    pub file: Option<Vec<u8>>,
}

pub fn parse(sources: &[Source], extended: bool) -> Result<Script, Vec<u8>> {
    let mut text = Vec::new();
    let mut starts = Vec::new();
    for source in sources {
        starts.push(text.len());
        text.extend_from_slice(&source.text);
        if !text.ends_with(b"\n") || source.file.is_none() {
            text.push(b'\n');
        }
    }
    text.pop();
    let first = sources.first().map_or(&b""[..], |source| &source.text);
    let quiet = first == b"#n" || first.starts_with(b"#n\n");
    let mut parser = Parser {
        text: &text,
        at: 0,
        extended,
        script: Script { commands: Vec::new(), outputs: Vec::new(), inputs: Vec::new(), quiet },
        blocks: Vec::new(),
        labels: Vec::new(),
        jumps: Vec::new(),
    };
    if let Err(Mistake { words, at }) = parser.script() {
        let Some(at) = at else { return Err(words.into_bytes()) };
        let mut ordinal = 0;
        let index = starts.iter().rposition(|start| *start <= at.saturating_sub(1)).unwrap_or(0);
        for source in &sources[..=index] {
            ordinal += usize::from(source.file.is_none());
        }
        let start = starts[index];
        let mut shown = match &sources[index].file {
            Some(file) => {
                let lines = text[start..at.min(text.len())].iter().filter(|b| **b == b'\n').count() + 1;
                [b"file ", &file[..], format!(" line {lines}: ").as_bytes()].concat()
            }
            None => {
                let char = (at - start).min(sources[index].text.len());
                let char = if words.starts_with("unmatched `{'") { 0 } else { char };
                format!("-e expression #{ordinal}, char {char}: ").into_bytes()
            }
        };
        shown.extend_from_slice(words.as_bytes());
        return Err(shown);
    }
    Ok(parser.script)
}

struct Mistake {
    words: String,
    /// How far the script was read; none where the mistake has no place.
    at: Option<usize>,
}

enum Jump {
    Always,
    IfDone,
    UnlessDone,
}

struct Parser<'a> {
    text: &'a [u8],
    at: usize,
    extended: bool,
    script: Script,
    blocks: Vec<usize>,
    /// Of several with one name the last is meant.
    labels: Vec<(Vec<u8>, usize)>,
    jumps: Vec<(usize, Vec<u8>, Jump)>,
}

type Parse<T> = Result<T, Mistake>;

impl<'a> Parser<'a> {
    fn wrong<T>(&self, words: impl Into<String>) -> Parse<T> {
        Err(Mistake { words: words.into(), at: Some(self.at) })
    }
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }
    fn take(&mut self) -> Option<u8> {
        let byte = self.peek();
        self.at += usize::from(byte.is_some());
        byte
    }
    fn skip(&mut self, these: &[u8]) {
        while self.peek().is_some_and(|b| these.contains(&b)) {
            self.at += 1;
        }
    }
    fn blanks(&mut self) {
        self.skip(b" \t");
    }

    fn script(&mut self) -> Parse<()> {
        loop {
            self.skip(b" \t\n;\r\x0b\x0c");
            if self.peek().is_none() {
                break;
            }
            let at = self.place()?;
            self.command(at)?;
        }
        if self.blocks.last().is_some() {
            return self.wrong("unmatched `{'");
        }
        for (command, label, jump) in std::mem::take(&mut self.jumps) {
            let to = if label.is_empty() {
                None
            } else {
                match self.labels.iter().rfind(|(name, _)| *name == label) {
                    Some((_, to)) => Some(*to),
                    None => {
                        let words =
                            format!("can't find label for jump to `{}'", String::from_utf8_lossy(&label));
                        return Err(Mistake { words, at: None });
                    }
                }
            };
            self.script.commands[command].verb = match jump {
                Jump::Always => Verb::Branch(to),
                Jump::IfDone => Verb::BranchIfDone(to),
                Jump::UnlessDone => Verb::BranchUnlessDone(to),
            };
        }
        Ok(())
    }

    fn number(&mut self) -> u64 {
        let mut number: u64 = 0;
        while let Some(digit) = self.peek().filter(u8::is_ascii_digit) {
            number = number.saturating_mul(10).saturating_add(u64::from(digit - b'0'));
            self.at += 1;
        }
        number
    }

    /// What stands before the next `delimiter`, which is taken too; in a pattern `\n` is a newline. None where it does not come.
    fn delimited(&mut self, delimiter: u8, pattern: bool) -> Option<Vec<u8>> {
        let mut text = Vec::new();
        loop {
            match self.take()? {
                byte if byte == delimiter => return Some(text),
                b'\\' => match self.take()? {
                    b'n' if pattern && delimiter != b'n' => text.push(b'\n'),
                    b'\n' if pattern => text.push(b'\n'),
                    byte if byte == delimiter && (pattern || byte != b'&') => text.push(byte),
                    byte => text.extend_from_slice(&[b'\\', byte]),
                },
                b'\n' if pattern => {
                    self.at -= 1;
                    return None;
                }
                // In brackets the delimiter is a byte like any other.
                b'[' if pattern => {
                    let start = self.at - 1;
                    let Some(end) = replacement::bracket_end(self.text, start) else {
                        self.at +=
                            memchr::memchr(b'\n', &self.text[self.at..]).unwrap_or(self.text.len() - self.at);
                        return None;
                    };
                    self.at = end;
                    text.extend_from_slice(&self.text[start..self.at]);
                }
                byte => text.push(byte),
            }
        }
    }
}
