//! The bytes of a text, with the lines counted, backslash and line end left out, and aliases put in.

use super::{Aliases, DEPTH, Fault};

/// Bytes that aliases may make of one command.
const MAX_ALIASED: usize = 1 << 20;

pub(crate) struct Scanner {
    text: Vec<u8>,
    at: usize,
    pub line: u32,
    /// Nothing comes behind the text.
    whole: bool,
    depth: u32,
    /// Aliases whose text is being read: their names, and how much of the whole text follows behind them.
    active: Vec<(Vec<u8>, usize)>,
    aliased: usize,
    /// What aliases were put in since the last mark.
    put_in: Vec<Substitution>,
}

/// An alias's text, so long and there, in the place of its name.
struct Substitution {
    from: usize,
    length: usize,
    name: Vec<u8>,
}

/// Where a command begins.
pub(crate) struct Mark {
    at: usize,
    line: u32,
    active: Vec<(Vec<u8>, usize)>,
}

impl Scanner {
    pub fn new(line: u32) -> Scanner {
        let (text, active, put_in) = (Vec::new(), Vec::new(), Vec::new());
        Scanner { text, at: 0, line, whole: false, depth: 0, active, aliased: 0, put_in }
    }
    pub fn add(&mut self, text: &[u8]) {
        self.text.drain(..std::mem::take(&mut self.at));
        self.text.extend_from_slice(text);
        self.active.iter_mut().for_each(|(_, tail)| *tail += text.len());
    }
    pub fn end(&mut self) {
        self.whole = true;
    }
    /// Takes what follows away, but for what is an alias's and not of the text.
    pub fn take_rest(&mut self) -> Vec<u8> {
        self.text.drain(..std::mem::take(&mut self.at));
        let left = self.text.len();
        self.active.retain(|(_, tail)| left > *tail);
        let rest = self.text.split_off(self.active.first().map_or(0, |(_, tail)| left - tail));
        self.active.iter_mut().for_each(|(_, tail)| *tail -= rest.len());
        rest
    }
    pub fn position(&self) -> (usize, u32) {
        (self.at, self.line)
    }
    /// A command begins here.
    pub fn mark(&mut self) -> Mark {
        self.put_in.clear();
        self.aliased = 0;
        Mark { at: self.at, line: self.line, active: self.active.clone() }
    }
    /// Back to where a command began, for when more of it is there: its text is as it was before aliases were put in.
    pub fn back(&mut self, mark: Mark) {
        while let Some(Substitution { from, length, name }) = self.put_in.pop() {
            self.text.splice(from..from + length, name);
        }
        (self.at, self.line, self.active) = (mark.at, mark.line, mark.active);
        self.depth = 0;
    }
    pub fn is_within_line(&self) -> bool {
        self.at > 0 && self.text.get(self.at - 1) != Some(&b'\n')
    }
    pub fn between(&self, from: usize) -> &[u8] {
        self.text.get(from..self.at).unwrap_or_default()
    }

    /// The byte `ahead` of the next, as it stands.
    pub fn raw(&self, ahead: usize) -> Option<u8> {
        self.text.get(self.at + ahead).copied()
    }
    /// The next byte, behind any line continuation. None at the end of the text: then [`Scanner::ended`] says whether that is all.
    pub fn peek(&mut self) -> Option<u8> {
        while self.raw(0) == Some(b'\\') && self.raw(1) == Some(b'\n') {
            self.at += 2;
            self.line += 1;
        }
        self.raw(0)
    }
    /// Takes the next byte as it stands.
    pub fn next(&mut self) -> Option<u8> {
        let byte = self.raw(0)?;
        self.at += 1;
        if byte == b'\n' {
            self.line += 1;
        }
        Some(byte)
    }
    pub fn take(&mut self, byte: u8) -> bool {
        let is = self.peek() == Some(byte);
        if is {
            self.next();
        }
        is
    }
    /// At the end of the text: fails where more may come.
    pub fn ended(&self) -> Result<(), Fault> {
        if self.whole { Ok(()) } else { Err(Fault::Incomplete) }
    }
    pub fn is_whole(&self) -> bool {
        self.whole
    }
    pub fn fault(&self, text: impl Into<String>) -> Fault {
        Fault::Syntax { line: self.line, text: text.into() }
    }
    /// What is wrong at the end of the text, where nothing more comes.
    pub fn cut<T>(&self, text: &str) -> Result<T, Fault> {
        self.ended()?;
        Err(self.fault(text))
    }

    pub fn deeper(&mut self) -> Result<(), Fault> {
        self.depth += 1;
        if self.depth > DEPTH { Err(self.fault(format!("nested more than {DEPTH} deep"))) } else { Ok(()) }
    }
    pub fn shallower(&mut self) {
        self.depth -= 1;
    }
    pub fn depth(&self) -> u32 {
        self.depth
    }
    pub fn at_depth(mut self, depth: u32) -> Scanner {
        self.depth = depth;
        self
    }

    /// Blanks and comments.
    pub fn skip_blanks(&mut self) {
        while let Some(byte) = self.peek() {
            match byte {
                b' ' | b'\t' => {
                    self.next();
                }
                b'#' => {
                    while self.raw(0).is_some_and(|b| b != b'\n') {
                        self.next();
                    }
                }
                _ => break,
            }
        }
    }

    /// Puts an alias's text in the place of `name`, which was just read and began at `from`. False where `name` is none, or is
    /// read from its own text; else whether the next word is looked up too.
    pub fn substitute(&mut self, aliases: &Aliases, name: &[u8], from: usize) -> Option<bool> {
        let behind = |scanner: &Scanner| scanner.text.len() - scanner.at;
        let left = behind(self);
        self.active.retain(|(_, tail)| left > *tail);
        let value = aliases.get(name)?;
        if self.active.iter().any(|(known, _)| known == name) || self.aliased + value.len() > MAX_ALIASED {
            return None;
        }
        self.aliased += value.len();
        self.active.push((name.to_vec(), left));
        let name = self.text.splice(from..self.at, value.iter().copied()).collect();
        self.put_in.push(Substitution { from, length: value.len(), name });
        self.at = from;
        Some(value.last().is_some_and(|b| matches!(b, b' ' | b'\t')))
    }
}

/// The lines of a here-document, cut off the text. Where `joins`, a backslash at a line's end makes one of it and the next
/// before it is compared with `end`; the text is given as it stands.
pub(super) fn heredoc(scanner: &mut Scanner, end: &[u8], tabs: bool, joins: bool) -> Result<Vec<u8>, Fault> {
    let mut text = Vec::new();
    loop {
        while tabs && scanner.raw(0) == Some(b'\t') {
            scanner.next();
        }
        let began = text.len();
        // What the line comes to, joined; and whether a backslash stands before the next byte.
        let mut line = Vec::new();
        let (mut whole, mut escaped) = (false, false);
        while let Some(byte) = scanner.next() {
            text.push(byte);
            if byte == b'\n' && escaped && joins {
                line.pop();
                escaped = false;
                continue;
            }
            if byte == b'\n' {
                whole = true;
                break;
            }
            line.push(byte);
            escaped = byte == b'\\' && !escaped;
        }
        if line == end && (whole || scanner.is_whole()) {
            text.truncate(began);
            return Ok(text);
        }
        if !whole {
            // dash takes what is there where the text ends.
            scanner.ended()?;
            return Ok(text);
        }
    }
}
