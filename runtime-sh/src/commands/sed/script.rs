//! sed's script, read into commands (sed(1), POSIX.1 and GNU's additions). What is wrong is told with GNU's words and place.

use super::super::pattern::{Pattern, Syntax};
use super::replacement::{self, Part};
use std::sync::Arc;

pub enum Address {
    Line(u64),
    Last,
    /// None: the expression used last.
    Match(Option<Arc<Pattern>>),
    /// From the first number on, every so many lines.
    Step(u64, u64),
}

pub enum Until {
    Address(Address),
    /// So many lines on.
    Further(u64),
    /// To the next line that is a multiple.
    Multiple(u64),
}

#[derive(Default)]
pub struct Where {
    pub from: Option<Address>,
    pub to: Option<Until>,
    pub negated: bool,
}

pub struct Command {
    pub at: Where,
    pub verb: Verb,
}

/// An output by its place in the script's list of files.
#[derive(Clone, Copy)]
pub enum Target {
    Stdout,
    Stderr,
    File(usize),
}

pub struct Substitution {
    pub pattern: Option<Arc<Pattern>>,
    pub parts: Vec<Part>,
    pub global: bool,
    pub print: bool,
    pub number: usize,
    pub write: Option<Target>,
}

pub enum Verb {
    /// `{`: where its block ends.
    Block(usize),
    EndBlock,
    Equals,
    Append(Vec<u8>),
    Insert(Vec<u8>),
    Change(Vec<u8>),
    /// b, and where to; none is the end of the script.
    Branch(Option<usize>),
    BranchIfDone(Option<usize>),
    BranchUnlessDone(Option<usize>),
    Label,
    Delete,
    DeleteFirst,
    Name,
    Get,
    GetAppend,
    Hold,
    HoldAppend,
    Exchange,
    List(Option<usize>),
    Next,
    NextAppend,
    Print,
    PrintFirst,
    Quit(u8),
    QuitSilently(u8),
    ReadFile(Vec<u8>),
    ReadLine(usize),
    Substitute(Box<Substitution>),
    Write(Target),
    WriteFirst(Target),
    Translate(Box<[u8; 256]>),
    Clear,
}

pub struct Script {
    pub commands: Vec<Command>,
    /// Files that w writes to, by name.
    pub outputs: Vec<Vec<u8>>,
    /// Files that R reads lines of.
    pub inputs: Vec<Vec<u8>>,
    /// The first line is `#n`.
    pub quiet: bool,
}

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
                match self.labels.iter().find(|(name, _)| *name == label) {
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

    fn place(&mut self) -> Parse<Where> {
        let mut place = Where { from: self.address()?, ..Where::default() };
        if place.from.is_some() {
            self.blanks();
            if self.peek() == Some(b',') {
                self.at += 1;
                self.blanks();
                place.to = Some(match self.peek() {
                    Some(b'+') => {
                        self.at += 1;
                        Until::Further(self.number())
                    }
                    Some(b'~') => {
                        self.at += 1;
                        Until::Multiple(self.number())
                    }
                    _ => match self.address()? {
                        Some(address) => Until::Address(address),
                        None => {
                            self.take();
                            return self.wrong("unexpected `,'");
                        }
                    },
                });
            }
            let zero = matches!(place.from, Some(Address::Line(0)));
            if zero && !matches!(place.to, Some(Until::Address(Address::Match(_)))) {
                self.at += 1;
                return self.wrong("invalid usage of line address 0");
            }
        } else if self.peek() == Some(b',') {
            self.at += 1;
            return self.wrong("unknown command: `,'");
        }
        self.blanks();
        while self.peek() == Some(b'!') {
            if place.negated {
                self.at += 1;
                return self.wrong("multiple `!'s");
            }
            place.negated = true;
            self.at += 1;
            self.blanks();
        }
        Ok(place)
    }

    fn address(&mut self) -> Parse<Option<Address>> {
        match self.peek() {
            Some(b'$') => {
                self.at += 1;
                Ok(Some(Address::Last))
            }
            Some(b'0'..=b'9') => {
                let first = self.number();
                self.blanks();
                if self.peek() == Some(b'~') {
                    self.at += 1;
                    return Ok(Some(Address::Step(first, self.number())));
                }
                Ok(Some(Address::Line(first)))
            }
            Some(b'/' | b'\\') => {
                if self.take() == Some(b'\\') && self.take().is_none() {
                    return self.wrong("unexpected `,'");
                }
                let delimiter = self.text[self.at - 1];
                let Some(text) = self.delimited(delimiter, true) else {
                    return self.wrong("unterminated address regex");
                };
                let (mut ignore_case, mut multi_line) = (false, false);
                loop {
                    match self.peek() {
                        Some(b'I') => ignore_case = true,
                        Some(b'M') => multi_line = true,
                        _ => break,
                    }
                    self.at += 1;
                }
                Ok(Some(Address::Match(self.pattern(&text, ignore_case, multi_line)?)))
            }
            _ => Ok(None),
        }
    }

    fn pattern(&self, text: &[u8], ignore_case: bool, multi_line: bool) -> Parse<Option<Arc<Pattern>>> {
        if text.is_empty() {
            return Ok(None);
        }
        let text = replacement::unescape_pattern(text);
        let syntax = Syntax { extended: self.extended, ignore_case, multi_line, ..Syntax::default() };
        match Pattern::new(&text, syntax) {
            Ok(pattern) => Ok(Some(Arc::new(pattern))),
            Err("Unmatched { or \\{") => {
                self.wrong(if self.extended { "Unmatched { or \\{" } else { "Unmatched \\{" })
            }
            Err(words) => self.wrong(words),
        }
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

    fn command(&mut self, at: Where) -> Parse<()> {
        let Some(letter) = self.take() else { return self.wrong("missing command") };
        match letter {
            b'#' => {
                if at.from.is_some() {
                    return self.wrong("comments don't accept any addresses");
                }
                while self.peek().is_some_and(|b| b != b'\n') {
                    self.at += 1;
                }
                return Ok(());
            }
            b':' if at.from.is_some() => return self.wrong(": doesn't want any addresses"),
            b'}' if at.from.is_some() => return self.wrong("} doesn't want any addresses"),
            b'q' | b'Q' if at.to.is_some() => return self.wrong("command only uses one address"),
            b'\n' | b';' => return self.wrong("missing command"),
            _ => {}
        }
        let index = self.script.commands.len();
        let verb = match letter {
            b'{' => {
                self.blocks.push(index);
                self.script.commands.push(Command { at, verb: Verb::Block(0) });
                return Ok(());
            }
            b'}' => {
                let Some(open) = self.blocks.pop() else { return self.wrong("unexpected `}'") };
                self.script.commands[open].verb = Verb::Block(index);
                self.ends()?;
                Verb::EndBlock
            }
            b'=' => self.plain(Verb::Equals)?,
            b'd' => self.plain(Verb::Delete)?,
            b'D' => self.plain(Verb::DeleteFirst)?,
            b'F' => self.plain(Verb::Name)?,
            b'g' => self.plain(Verb::Get)?,
            b'G' => self.plain(Verb::GetAppend)?,
            b'h' => self.plain(Verb::Hold)?,
            b'H' => self.plain(Verb::HoldAppend)?,
            b'x' => self.plain(Verb::Exchange)?,
            b'n' => self.plain(Verb::Next)?,
            b'N' => self.plain(Verb::NextAppend)?,
            b'p' => self.plain(Verb::Print)?,
            b'P' => self.plain(Verb::PrintFirst)?,
            b'z' => self.plain(Verb::Clear)?,
            b'l' | b'q' | b'Q' => {
                self.blanks();
                let given = self.peek().is_some_and(|b| b.is_ascii_digit());
                let number = self.number();
                self.ends()?;
                match letter {
                    b'l' => Verb::List(given.then_some(number as usize)),
                    b'q' => Verb::Quit(number as u8),
                    _ => Verb::QuitSilently(number as u8),
                }
            }
            b'a' | b'i' | b'c' => {
                let text = self.text_argument()?;
                match letter {
                    b'a' => Verb::Append(text),
                    b'i' => Verb::Insert(text),
                    _ => Verb::Change(text),
                }
            }
            b':' => {
                let label = self.label(b" \t\n;");
                if label.is_empty() {
                    return self.wrong("\":\" lacks a label");
                }
                self.labels.push((label, index));
                Verb::Label
            }
            b'b' | b't' | b'T' => {
                let label = self.label(b" \t\n;}");
                self.ends()?;
                let jump = match letter {
                    b'b' => Jump::Always,
                    b't' => Jump::IfDone,
                    _ => Jump::UnlessDone,
                };
                self.jumps.push((index, label, jump));
                Verb::Branch(None)
            }
            b'r' => Verb::ReadFile(self.file_name()?),
            b'R' => {
                let name = self.file_name()?;
                Verb::ReadLine(place_of(&mut self.script.inputs, name))
            }
            b'w' => Verb::Write(self.target()?),
            b'W' => Verb::WriteFirst(self.target()?),
            b's' => self.substitution()?,
            b'y' => self.translation()?,
            b'v' => {
                self.label(b" \t\n;}");
                self.ends()?;
                Verb::Label
            }
            b'e' => return self.wrong("e/r/w commands disabled in sandbox mode"),
            other => return self.wrong(format!("unknown command: `{}'", char::from(other))),
        };
        self.script.commands.push(Command { at, verb });
        Ok(())
    }

    fn plain(&mut self, verb: Verb) -> Parse<Verb> {
        self.ends()?;
        Ok(verb)
    }

    /// The end of a command: a newline, `;`, a comment or a closing brace.
    fn ends(&mut self) -> Parse<()> {
        self.skip(b" \t\r");
        match self.peek() {
            None | Some(b'}' | b'#') => Ok(()),
            Some(b'\n' | b';') => {
                self.at += 1;
                Ok(())
            }
            Some(_) => {
                self.at += 1;
                self.wrong("extra characters after command")
            }
        }
    }

    fn label(&mut self, ends: &[u8]) -> Vec<u8> {
        self.blanks();
        let start = self.at;
        while self.peek().is_some_and(|b| !ends.contains(&b)) {
            self.at += 1;
        }
        self.text[start..self.at].to_vec()
    }

    fn file_name(&mut self) -> Parse<Vec<u8>> {
        self.blanks();
        let start = self.at;
        while self.peek().is_some_and(|b| b != b'\n') {
            self.at += 1;
        }
        if start == self.at {
            return self.wrong("missing filename in r/R/w/W commands");
        }
        Ok(self.text[start..self.at].to_vec())
    }

    fn target(&mut self) -> Parse<Target> {
        let name = self.file_name()?;
        Ok(match name.as_slice() {
            b"/dev/stdout" => Target::Stdout,
            b"/dev/stderr" => Target::Stderr,
            _ => Target::File(place_of(&mut self.script.outputs, name)),
        })
    }

    /// The text of a, i and c: the lines after `\`, or the rest of the line.
    fn text_argument(&mut self) -> Parse<Vec<u8>> {
        self.blanks();
        if self.peek().is_none() {
            return self.wrong("expected \\ after `a', `c' or `i'");
        }
        if self.peek() == Some(b'\\') {
            let mut behind = self.at + 1;
            while self.text.get(behind).is_some_and(|b| b" \t".contains(b)) {
                behind += 1;
            }
            match self.text.get(behind) {
                Some(b'\n') => {
                    self.at = behind + 1;
                }
                None => self.at = behind,
                // A backslash keeps the blanks behind it.
                Some(_) => self.at += 1,
            }
        }
        let mut text = Vec::new();
        loop {
            match self.take() {
                None | Some(b'\n') => break,
                Some(b'\\') => match self.take() {
                    None => break,
                    Some(b'\n') => text.push(b'\n'),
                    Some(byte) => match replacement::letter_escape(byte) {
                        Some(meant) => text.push(meant),
                        None => text.push(byte),
                    },
                },
                Some(byte) => text.push(byte),
            }
        }
        text.push(b'\n');
        Ok(text)
    }

    fn substitution(&mut self) -> Parse<Verb> {
        const UNTERMINATED: &str = "unterminated `s' command";
        let Some(delimiter) = self.take() else { return self.wrong(UNTERMINATED) };
        if delimiter == b'\n' || delimiter == b'\\' {
            return self.wrong(UNTERMINATED);
        }
        let Some(text) = self.delimited(delimiter, true) else { return self.wrong(UNTERMINATED) };
        let Some(new) = self.delimited(delimiter, false) else { return self.wrong(UNTERMINATED) };
        let (mut global, mut print, mut number, mut write) = (false, false, 0, None);
        let (mut ignore_case, mut multi_line) = (false, false);
        loop {
            match self.take() {
                Some(b'g') if global => return self.wrong("multiple `g' options to `s' command"),
                Some(b'g') => global = true,
                Some(b'p') if print => return self.wrong("multiple `p' options to `s' command"),
                Some(b'p') => print = true,
                Some(b'i' | b'I') => ignore_case = true,
                Some(b'm' | b'M') => multi_line = true,
                Some(b'0'..=b'9') if number > 0 => {
                    return self.wrong("multiple number options to `s' command");
                }
                Some(b'0'..=b'9') => {
                    self.at -= 1;
                    number = self.number() as usize;
                    if number == 0 {
                        return self.wrong("number option to `s' command may not be zero");
                    }
                }
                Some(b'w') => {
                    write = Some(self.target()?);
                    break;
                }
                Some(b'}' | b'#') => {
                    self.at -= 1;
                    break;
                }
                None | Some(b'\n' | b';') => break,
                Some(b' ' | b'\t' | b'\r') => {}
                Some(_) => return self.wrong("unknown option to `s'"),
            }
        }
        let pattern = self.pattern(&text, ignore_case, multi_line)?;
        let parts = replacement::parse(&new);
        let highest =
            parts.iter().filter_map(|part| if let Part::Group(n) = part { Some(*n) } else { None }).max();
        if let (Some(highest), Some(pattern)) = (highest, &pattern)
            && highest > pattern.groups()
        {
            return self.wrong(format!("invalid reference \\{highest} on `s' command's RHS"));
        }
        Ok(Verb::Substitute(Box::new(Substitution {
            pattern,
            parts,
            global,
            print,
            number: number.max(1),
            write,
        })))
    }

    fn translation(&mut self) -> Parse<Verb> {
        const UNTERMINATED: &str = "unterminated `y' command";
        let Some(delimiter) = self.take() else { return self.wrong(UNTERMINATED) };
        let Some(from) = self.delimited(delimiter, false) else { return self.wrong(UNTERMINATED) };
        let Some(to) = self.delimited(delimiter, false) else { return self.wrong(UNTERMINATED) };
        let (from, to) = (replacement::unescape(&from), replacement::unescape(&to));
        if from.len() != to.len() {
            return self.wrong("strings for `y' command are different lengths");
        }
        let mut table = [0; 256];
        (0..=255).for_each(|byte: u8| table[usize::from(byte)] = byte);
        from.iter().zip(&to).for_each(|(from, to)| table[usize::from(*from)] = *to);
        self.ends()?;
        Ok(Verb::Translate(Box::new(table)))
    }
}

fn place_of(names: &mut Vec<Vec<u8>>, name: Vec<u8>) -> usize {
    names.iter().position(|known| *known == name).unwrap_or_else(|| {
        names.push(name);
        names.len() - 1
    })
}
