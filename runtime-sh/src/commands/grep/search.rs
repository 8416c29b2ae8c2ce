//! One file of grep's: its lines, which of them match, and what is printed: lines with their context, parts of lines, counts, names.

use super::super::gnu::{Done, Failure, fail};
use super::super::messages::say;
use super::super::options::Args;
use super::super::pattern::Pattern;
use super::super::{Input, Invocation};
use std::collections::VecDeque;
use std::ops::Range;
use vfs::Error;

#[derive(Clone, Copy, PartialEq)]
enum Shows {
    Lines,
    Parts,
    Counts,
    NamesWith,
    NamesWithout,
    Nothing,
}

#[derive(Clone, Copy, PartialEq)]
enum Binary {
    /// A word instead of its lines.
    Told,
    Text,
    WithoutMatch,
}

pub struct Search {
    patterns: Vec<Pattern>,
    inverted: bool,
    shows: Shows,
    names: Option<bool>,
    numbers: bool,
    offsets: bool,
    tabs: bool,
    /// What ends a name (-Z).
    name_end: Option<u8>,
    end: u8,
    before: usize,
    after: usize,
    /// Groups of lines are set apart.
    context: bool,
    most: u64,
    binary: Binary,
    label: Vec<u8>,
    line_buffered: bool,
    /// Something was printed.
    printed: bool,
}

/// Why a file was not searched to its end.
pub enum Fault {
    Input(Error),
    End(Failure),
}

struct Line {
    number: u64,
    offset: u64,
    text: Vec<u8>,
}

impl Search {
    pub fn new(args: &Args, patterns: Vec<Pattern>) -> Done<Search> {
        let length = |key: &str, what: &str| -> Done<Option<u64>> {
            let Some(text) = args.value(key) else { return Ok(None) };
            match std::str::from_utf8(text).ok().and_then(|text| text.parse::<i64>().ok()) {
                Some(number) if number < 0 && key == "m" => Ok(Some(u64::MAX)),
                Some(number) if number >= 0 => Ok(Some(number as u64)),
                _ => fail(say!(text, ": ", what)),
            }
        };
        let context = "invalid context length argument";
        let digits: String =
            args.options.iter().map(|given| given.key).filter(|k| k.as_bytes()[0].is_ascii_digit()).collect();
        let both = match digits.parse::<u64>() {
            Ok(number) => Some(number),
            Err(_) => length("C", context)?,
        };
        let before = length("B", context)?.or(both);
        let after = length("A", context)?.or(both);
        let shows = if args.has("q") {
            Shows::Nothing
        } else if let Some(list) = args.last(&["l", "L"]) {
            if list == "l" { Shows::NamesWith } else { Shows::NamesWithout }
        } else if args.has("c") {
            Shows::Counts
        } else if args.has("o") {
            Shows::Parts
        } else {
            Shows::Lines
        };
        let binary = match (args.last(&["a", "I", "binary-files", "U"]), args.value("binary-files")) {
            (Some("a"), _) | (Some("binary-files"), Some(b"text")) => Binary::Text,
            (Some("I"), _) | (Some("binary-files"), Some(b"without-match")) => Binary::WithoutMatch,
            (Some("binary-files"), value) if value != Some(b"binary") => {
                return fail("unknown binary-files type");
            }
            _ => Binary::Told,
        };
        Ok(Search {
            patterns,
            inverted: args.has("v"),
            shows,
            names: args.last(&["H", "h"]).map(|key| key == "H"),
            numbers: args.has("n"),
            offsets: args.has("b"),
            tabs: args.has("T"),
            name_end: args.has("Z").then_some(0),
            end: if args.has("z") { 0 } else { b'\n' },
            before: before.unwrap_or(0) as usize,
            after: after.unwrap_or(0) as usize,
            context: before.is_some() || after.is_some(),
            most: length("m", "invalid max count")?.unwrap_or(u64::MAX),
            binary,
            label: args.value("label").unwrap_or(b"(standard input)").to_vec(),
            line_buffered: args.has("line-buffered"),
            printed: false,
        })
    }

    /// Whether names are shown, where no option says it.
    pub fn show_names_if(&mut self, many: bool) {
        self.names.get_or_insert(many);
    }

    /// The first match that begins at `from` or later.
    fn find(&self, text: &[u8], from: usize) -> Option<Range<usize>> {
        let found = self.patterns.iter().filter_map(|pattern| pattern.find(text, from));
        found.min_by_key(|range| (range.start, usize::MAX - range.end))
    }

    fn selects(&self, text: &[u8]) -> bool {
        self.patterns.iter().any(|pattern| pattern.is_match(text)) != self.inverted
    }

    /// Searches one file; whether a line was selected.
    pub async fn file(
        &mut self,
        call: &mut Invocation<'_>,
        path: &[u8],
        mut input: Input,
    ) -> Result<bool, Fault> {
        let shown = if path == b"-" { self.label.clone() } else { path.to_vec() };
        if self.most == 0 {
            return Ok(false);
        }
        let lines_shown = matches!(self.shows, Shows::Lines | Shows::Parts);
        let mut binary = false;
        if self.end != 0 && self.binary != Binary::Text {
            let first = call.fill(&mut input).await.map_err(Fault::Input)?;
            binary = memchr::memchr(0, first).is_some();
            if binary && self.binary == Binary::WithoutMatch {
                return Ok(false);
            }
        }
        let (mut number, mut offset, mut count, mut owed) = (0, 0, 0, 0);
        let mut behind: VecDeque<Line> = VecDeque::new();
        let mut text = Vec::new();
        let mut last_shown = 0;
        while call.line(&mut input, self.end, &mut text).await.map_err(Fault::Input)? {
            number += 1;
            let start = offset;
            offset += text.len() as u64;
            if text.last() == Some(&self.end) {
                text.pop();
            }
            let selected = count < self.most && self.selects(&text);
            if !selected {
                if owed > 0 {
                    owed -= 1;
                    last_shown = number;
                    let line = Line { number, offset: start, text: std::mem::take(&mut text) };
                    self.print(call, &shown, &line, b'-').await?;
                    text = line.text;
                } else if count >= self.most {
                    break;
                } else if self.before > 0 && lines_shown {
                    if behind.len() == self.before {
                        behind.pop_front();
                    }
                    behind.push_back(Line { number, offset: start, text: std::mem::take(&mut text) });
                }
                continue;
            }
            count += 1;
            match self.shows {
                Shows::Nothing => return Ok(true),
                Shows::NamesWith | Shows::NamesWithout => break,
                Shows::Counts => {
                    if count >= self.most {
                        break;
                    }
                    continue;
                }
                Shows::Lines | Shows::Parts => {}
            }
            binary |= self.end != 0 && self.binary != Binary::Text && memchr::memchr(0, &text).is_some();
            if binary {
                if self.binary == Binary::Told && !(self.shows == Shows::Parts && self.inverted) {
                    call.warn(say!(shown, ": binary file matches")).await;
                }
                break;
            }
            let first = behind.front().map_or(number, |line| line.number);
            if self.context && self.printed && (last_shown == 0 || first > last_shown + 1) {
                call.stdout.write(b"--\n").await.map_err(Failure::from)?;
            }
            for line in std::mem::take(&mut behind) {
                self.print(call, &shown, &line, b'-').await?;
            }
            let line = Line { number, offset: start, text: std::mem::take(&mut text) };
            self.print(call, &shown, &line, b':').await?;
            text = line.text;
            last_shown = number;
            self.printed = true;
            owed = self.after;
            if self.line_buffered {
                call.stdout.flush().await.map_err(Failure::from)?;
            }
            if count >= self.most && owed == 0 {
                break;
            }
        }
        self.summary(call, &shown, count).await?;
        Ok(count > 0)
    }

    async fn summary(&self, call: &mut Invocation<'_>, shown: &[u8], count: u64) -> Done<()> {
        let with = self.names == Some(true);
        match self.shows {
            Shows::Counts => {
                let name = if with { say!(shown, [self.name_end.unwrap_or(b':')]) } else { Vec::new() };
                call.stdout.write(&say!(name, count.to_string(), "\n")).await?;
            }
            Shows::NamesWith if count > 0 => {
                call.stdout.write(&say!(shown, [self.name_end.unwrap_or(b'\n')])).await?;
            }
            Shows::NamesWithout if count == 0 => {
                call.stdout.write(&say!(shown, [self.name_end.unwrap_or(b'\n')])).await?;
            }
            _ => {}
        }
        Ok(())
    }

    async fn print(&self, call: &mut Invocation<'_>, shown: &[u8], line: &Line, mark: u8) -> Done<()> {
        if self.shows != Shows::Parts {
            self.prefix(call, shown, line.number, line.offset, mark).await?;
            call.stdout.write(&line.text).await?;
            call.stdout.write(&[self.end]).await?;
            return Ok(());
        }
        if self.inverted || mark != b':' {
            return Ok(());
        }
        let mut from = 0;
        while let Some(found) = self.find(&line.text, from) {
            from = if found.is_empty() { found.end + 1 } else { found.end };
            if !found.is_empty() {
                self.prefix(call, shown, line.number, line.offset + found.start as u64, mark).await?;
                call.stdout.write(&line.text[found]).await?;
                call.stdout.write(&[self.end]).await?;
            }
            if from > line.text.len() {
                break;
            }
        }
        Ok(())
    }

    async fn prefix(
        &self,
        call: &mut Invocation<'_>,
        shown: &[u8],
        number: u64,
        offset: u64,
        mark: u8,
    ) -> Done<()> {
        let mut text = Vec::new();
        if self.names == Some(true) {
            text.extend_from_slice(shown);
            text.push(self.name_end.unwrap_or(mark));
        }
        if self.numbers {
            text.extend_from_slice(number.to_string().as_bytes());
            text.push(mark);
        }
        if self.offsets {
            text.extend_from_slice(offset.to_string().as_bytes());
            text.push(mark);
        }
        if self.tabs && !text.is_empty() {
            text.push(b'\t');
        }
        call.stdout.write(&text).await?;
        Ok(())
    }
}
