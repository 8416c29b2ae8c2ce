//! Where a command applies.

use super::super::replacement;
use super::super::script::{Address, Until, Where};
use super::{Parse, Parser};
use crate::commands::pattern::{Pattern, Syntax};
use std::sync::Arc;

impl Parser<'_> {
    pub(super) fn place(&mut self) -> Parse<Where> {
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

    pub(super) fn address(&mut self) -> Parse<Option<Address>> {
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

    pub(super) fn pattern(
        &self,
        text: &[u8],
        ignore_case: bool,
        multi_line: bool,
    ) -> Parse<Option<Arc<Pattern>>> {
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
}
