//! The parser: a text read a line of commands at a time, by recursive descent, with the here-documents that follow it. Its messages
//! are dash's.

mod grammar;
mod token;

use token::Token;
pub(crate) use token::is_keyword;

use super::scanner::{Scanner, heredoc};
use super::word::document;
use super::*;

/// A here-document whose text is still to come.
struct Pending {
    text: Arc<OnceLock<Word>>,
    end: Vec<u8>,
    quoted: bool,
    tabs: bool,
}

/// Reads one text.
pub(crate) struct Parser {
    scanner: Scanner,
}

/// The reading of one command list.
struct Reader<'s> {
    scanner: &'s mut Scanner,
    aliases: &'s Aliases,
    token: Option<Token>,
    pending: Vec<Pending>,
    /// The word behind an alias is looked up too.
    next_too: bool,
    /// Where the token that was looked at last began.
    began: usize,
}

type Parsed<T> = Result<T, Fault>;

impl Parser {
    pub fn new(line: u32) -> Parser {
        Parser { scanner: Scanner::new(line) }
    }
    /// More of the text.
    pub fn add(&mut self, text: &[u8]) {
        self.scanner.add(text);
    }
    /// There is no more.
    pub fn end(&mut self) {
        self.scanner.end();
    }
    /// What has not been read, taken away.
    pub fn take_rest(&mut self) -> Vec<u8> {
        self.scanner.take_rest()
    }
    pub fn line(&self) -> u32 {
        self.scanner.line
    }
    /// What was read ends within a line.
    pub fn is_within_line(&self) -> bool {
        self.scanner.is_within_line()
    }

    /// The next line's commands: none at the end, and empty for an empty line. [`Fault::Incomplete`] asks for more text.
    pub fn next(&mut self, aliases: &Aliases) -> Parsed<Option<Arc<[Item]>>> {
        let start = self.scanner.mark();
        let read = Reader::new(&mut self.scanner, aliases).line();
        if read == Err(Fault::Incomplete) {
            self.scanner.back(start);
        }
        read
    }

    /// All of a text that is whole.
    pub(super) fn all(scanner: &mut Scanner, aliases: &Aliases) -> Parsed<Arc<[Item]>> {
        let mut items = Vec::new();
        while let Some(list) = Reader::new(scanner, aliases).line()? {
            items.extend_from_slice(&list);
        }
        Ok(items.into())
    }

    /// What stands in `$(`, up to its parenthesis, which is taken.
    pub(super) fn substituted(scanner: &mut Scanner, aliases: &Aliases) -> Parsed<Arc<[Item]>> {
        let mut reader = Reader::new(scanner, aliases);
        let list = reader.list()?;
        reader.expect(")")?;
        reader.no_documents()?;
        Ok(list)
    }
}

impl<'s> Reader<'s> {
    fn new(scanner: &'s mut Scanner, aliases: &'s Aliases) -> Reader<'s> {
        Reader { scanner, aliases, token: None, pending: Vec::new(), next_too: false, began: 0 }
    }

    /// Here-documents whose line ended within a substitution.
    fn no_documents(&mut self) -> Parsed<()> {
        for pending in std::mem::take(&mut self.pending) {
            let _given_once = pending.text.set(Word::new());
        }
        Ok(())
    }

    fn read_documents(&mut self) -> Parsed<()> {
        for Pending { text, end, quoted, tabs } in std::mem::take(&mut self.pending) {
            let line = self.scanner.line;
            let bytes = heredoc(self.scanner, &end, tabs, !quoted)?;
            let word = match quoted {
                true => vec![Part::Quoted(bytes)],
                false => document(&bytes, line, self.scanner.depth(), self.aliases)?,
            };
            let _given_once = text.set(word);
        }
        Ok(())
    }
}
