//! Tokens: words, operators and the ends of lines.

use super::{Parsed, Reader};
use crate::syntax::word::word;
use crate::syntax::*;

/// What the parser looks at next.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Token {
    Word {
        word: Word,
        /// The word as it stands, where nothing in it is quoted or stands for something else.
        literal: Option<Vec<u8>>,
    },
    /// The digit before a redirection.
    Number(u32),
    Operator(&'static str),
    Newline,
    End,
}

const OPERATORS: [&str; 16] =
    ["<<-", "<<", "<&", "<>", "<", ">>", ">&", ">|", ">", "&&", "&", "||", "|", ";;", ";", "("];

const KEYWORDS: [&str; 16] = [
    "!", "case", "do", "done", "elif", "else", "esac", "fi", "for", "if", "in", "then", "until", "while",
    "{", "}",
];

pub(crate) fn is_keyword(word: &[u8]) -> bool {
    KEYWORDS.iter().any(|keyword| keyword.as_bytes() == word)
}

impl Reader<'_> {
    pub(super) fn peek(&mut self) -> Parsed<&Token> {
        if self.token.is_none() {
            let token = self.scan()?;
            self.token = Some(token);
        }
        Ok(self.token.as_ref().expect("just read"))
    }
    pub(super) fn next(&mut self) -> Parsed<Token> {
        self.peek()?;
        Ok(self.token.take().expect("just read"))
    }

    pub(super) fn scan(&mut self) -> Parsed<Token> {
        self.scanner.skip_blanks();
        self.began = self.scanner.position().0;
        let Some(byte) = self.scanner.peek() else {
            self.scanner.ended()?;
            if !self.pending.is_empty() {
                self.read_documents()?;
            }
            return Ok(Token::End);
        };
        self.began = self.scanner.position().0;
        if byte == b'\n' {
            self.scanner.next();
            self.read_documents()?;
            return Ok(Token::Newline);
        }
        if byte == b')' {
            self.scanner.next();
            return Ok(Token::Operator(")"));
        }
        if matches!(byte, b'<' | b'>' | b'&' | b'|' | b';' | b'(') {
            return self.operator();
        }
        if byte.is_ascii_digit() && matches!(self.scanner.raw(1), Some(b'<' | b'>')) {
            self.scanner.next();
            return Ok(Token::Number(u32::from(byte - b'0')));
        }
        // A digit at the end of what is there: what follows decides.
        let word = word(self.scanner, self.aliases)?;
        let literal = match word.as_slice() {
            [Part::Plain(bytes)] => Some(bytes.clone()),
            _ => None,
        };
        Ok(Token::Word { word, literal })
    }

    pub(super) fn operator(&mut self) -> Parsed<Token> {
        let mut found = Vec::new();
        while let Some(byte) = self.scanner.peek() {
            found.push(byte);
            if !OPERATORS.iter().any(|operator| operator.as_bytes().starts_with(&found)) {
                found.pop();
                break;
            }
            self.scanner.next();
        }
        if self.scanner.peek().is_none() && found != b";" {
            self.scanner.ended()?;
        }
        let known = OPERATORS.iter().find(|operator| operator.as_bytes() == found);
        Ok(Token::Operator(known.expect("every beginning of an operator is one")))
    }

    pub(super) fn unexpected<T>(&mut self, expected: Option<&str>) -> Parsed<T> {
        let shown = match self.peek()?.clone() {
            Token::End => "end of file".to_owned(),
            Token::Newline => "newline".to_owned(),
            Token::Number(_) => "redirection".to_owned(),
            Token::Operator(op) if op.contains(['<', '>']) => "redirection".to_owned(),
            Token::Operator(op) => format!("\"{op}\""),
            Token::Word { literal: Some(literal), .. } if is_keyword(&literal) => {
                format!("\"{}\"", String::from_utf8_lossy(&literal))
            }
            Token::Word { .. } => "word".to_owned(),
        };
        let expected = expected.map_or_else(String::new, |word| format!(" (expecting \"{word}\")"));
        // dash has counted the line end that it did not expect.
        Err(self.scanner.fault(format!("{shown} unexpected{expected}")))
    }

    pub(super) fn is_operator(&mut self, operator: &str) -> Parsed<bool> {
        Ok(matches!(self.peek()?, Token::Operator(op) if *op == operator))
    }
    pub(super) fn take_operator(&mut self, operator: &str) -> Parsed<bool> {
        let is = self.is_operator(operator)?;
        if is {
            self.next()?;
        }
        Ok(is)
    }
    pub(super) fn is_keyword(&mut self, keyword: &str) -> Parsed<bool> {
        Ok(
            matches!(self.peek()?, Token::Word { literal: Some(literal), .. } if literal == keyword.as_bytes()),
        )
    }
    pub(super) fn take_keyword(&mut self, keyword: &str) -> Parsed<bool> {
        let is = self.is_keyword(keyword)?;
        if is {
            self.next()?;
        }
        Ok(is)
    }
    pub(super) fn expect(&mut self, what: &str) -> Parsed<()> {
        let taken = if what == ")" { self.take_operator(what)? } else { self.take_keyword(what)? };
        if taken { Ok(()) } else { self.unexpected(Some(what)) }
    }
    /// Up to where a command is to begin, which aliases may lead to.
    pub(super) fn skip_to_command(&mut self) -> Parsed<()> {
        loop {
            self.alias()?;
            if !matches!(self.peek()?, Token::Newline) {
                return Ok(());
            }
            self.next()?;
        }
    }
    pub(super) fn skip_newlines(&mut self) -> Parsed<()> {
        while matches!(self.peek()?, Token::Newline) {
            self.next()?;
        }
        Ok(())
    }
}
