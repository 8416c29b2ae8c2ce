//! Lists, pipelines, compound and simple commands.

use super::token::{Token, is_keyword};
use super::{Parsed, Pending, Reader};
use crate::syntax::*;

impl Reader<'_> {
    /// One line's commands.
    pub(super) fn line(&mut self) -> Parsed<Option<Arc<[Item]>>> {
        self.alias()?;
        match self.peek()? {
            Token::End => return Ok(None),
            Token::Newline => {
                self.next()?;
                return Ok(Some(Arc::new([])));
            }
            _ => {}
        }
        let mut items = Vec::new();
        loop {
            items.push(self.item()?);
            let ended = self.separator(&mut items)?;
            if ended {
                self.alias()?;
            }
            match self.peek()? {
                Token::End => break,
                Token::Newline => {
                    self.next()?;
                    break;
                }
                _ if !ended => return self.unexpected(None),
                _ => {}
            }
        }
        Ok(Some(items.into()))
    }

    /// Whether `;` or `&` follows; it is taken, and noted.
    pub(super) fn separator(&mut self, items: &mut [Item]) -> Parsed<bool> {
        if self.take_operator("&")? {
            if let Some(last) = items.last_mut() {
                last.background = true;
            }
            return Ok(true);
        }
        self.take_operator(";")
    }

    /// The commands within another, up to what cannot begin one; at least one.
    pub(super) fn list(&mut self) -> Parsed<Arc<[Item]>> {
        let mut items = Vec::new();
        self.skip_to_command()?;
        while !self.ends_list()? {
            items.push(self.item()?);
            let separated = self.separator(&mut items)?;
            if separated {
                self.alias()?;
            }
            let newline = matches!(self.peek()?, Token::Newline);
            if !separated && !newline {
                break;
            }
            self.skip_to_command()?;
        }
        Ok(items.into())
    }

    /// [`Reader::list`] where a compound command needs one.
    pub(super) fn body(&mut self, then: &str) -> Parsed<Arc<[Item]>> {
        let list = self.list()?;
        if list.is_empty() {
            let expected = matches!(self.peek()?, Token::End).then_some(then);
            return self.unexpected(expected);
        }
        Ok(list)
    }

    pub(super) fn ends_list(&mut self) -> Parsed<bool> {
        const ENDS: [&str; 9] = ["do", "done", "elif", "else", "esac", "fi", "then", "}", "in"];
        Ok(match self.peek()? {
            Token::End => true,
            Token::Operator(op) => matches!(*op, ")" | ";;"),
            Token::Word { literal: Some(word), .. } => {
                ENDS[..8].iter().any(|end| end.as_bytes() == word.as_slice())
            }
            _ => false,
        })
    }

    pub(super) fn item(&mut self) -> Parsed<Item> {
        self.peek()?;
        let from = self.began;
        let first = self.pipeline()?;
        let mut rest = Vec::new();
        loop {
            let and = if self.take_operator("&&")? {
                true
            } else if self.take_operator("||")? {
                false
            } else {
                break;
            };
            self.skip_to_command()?;
            rest.push((and, self.pipeline()?));
        }
        // The token that is looked at is not of it.
        let text = self.scanner.between(from);
        let text = match self.token {
            Some(_) => &text[..self.began.saturating_sub(from).min(text.len())],
            None => text,
        };
        let text = text.trim_ascii().to_vec();
        Ok(Item { list: Arc::new(AndOr { first, rest, text }), background: false })
    }

    pub(super) fn pipeline(&mut self) -> Parsed<Pipeline> {
        self.alias()?;
        let bang = self.take_keyword("!")?;
        let mut stages = vec![Arc::new(self.command()?)];
        while self.take_operator("|")? {
            self.skip_to_command()?;
            stages.push(Arc::new(self.command()?));
        }
        Ok(Pipeline { bang, stages })
    }

    /// Replaces the word that is looked at, where it is an alias.
    pub(super) fn alias(&mut self) -> Parsed<()> {
        if self.aliases.is_empty() {
            return Ok(());
        }
        while let Token::Word { literal: Some(literal), .. } = self.peek()? {
            let name = literal.clone();
            if is_keyword(&name) {
                return Ok(());
            }
            let Some(next_too) = self.scanner.substitute(self.aliases, &name, self.began) else {
                return Ok(());
            };
            self.next_too |= next_too;
            self.token = None;
        }
        Ok(())
    }

    pub(super) fn command(&mut self) -> Parsed<Command> {
        self.scanner.deeper()?;
        self.alias()?;
        self.peek()?;
        let line = self.scanner.line;
        let kind = match self.peek()?.clone() {
            Token::Operator("(") => {
                self.next()?;
                let list = self.body(")")?;
                self.expect(")")?;
                Some(Kind::Subshell(list))
            }
            Token::Word { literal: Some(word), .. } => self.compound(&word)?,
            _ => None,
        };
        let command = match kind {
            Some(kind) => {
                let mut redirects = Vec::new();
                while let Some(redirect) = self.redirect()? {
                    redirects.push(redirect);
                }
                Command { kind, redirects, line }
            }
            None => self.simple(line)?,
        };
        self.scanner.shallower();
        Ok(command)
    }

    pub(super) fn compound(&mut self, keyword: &[u8]) -> Parsed<Option<Kind>> {
        let kind = match keyword {
            b"{" => {
                self.next()?;
                let list = self.body("}")?;
                self.expect("}")?;
                Kind::Group(list)
            }
            b"if" => self.conditional()?,
            b"while" | b"until" => {
                self.next()?;
                let test = self.body("do")?;
                self.expect("do")?;
                let body = self.body("done")?;
                self.expect("done")?;
                Kind::While { until: keyword == b"until", test, body }
            }
            b"for" => self.counted()?,
            b"case" => self.cases()?,
            _ if is_keyword(keyword) && keyword != b"in" => return self.unexpected(None),
            _ => return Ok(None),
        };
        Ok(Some(kind))
    }

    pub(super) fn conditional(&mut self) -> Parsed<Kind> {
        let mut arms = Vec::new();
        let mut otherwise = None;
        loop {
            // `if` or `elif`.
            self.next()?;
            let test = self.body("then")?;
            self.expect("then")?;
            arms.push((test, self.body("fi")?));
            if self.is_keyword("elif")? {
                continue;
            }
            if self.take_keyword("else")? {
                otherwise = Some(self.body("fi")?);
            }
            self.expect("fi")?;
            return Ok(Kind::If { arms, otherwise });
        }
    }

    pub(super) fn counted(&mut self) -> Parsed<Kind> {
        self.next()?;
        let name = match self.next()? {
            Token::Word { literal: Some(name), .. } if is_name(&name) => name,
            _ => return Err(self.scanner.fault("Bad for loop variable")),
        };
        let mut words = None;
        let newline = matches!(self.peek()?, Token::Newline);
        self.skip_newlines()?;
        if self.take_keyword("in")? {
            let mut list = Vec::new();
            while let Token::Word { word, .. } = self.peek()? {
                list.push(word.clone());
                self.next()?;
            }
            words = Some(list);
            if !self.take_operator(";")? && !matches!(self.peek()?, Token::Newline) {
                return self.unexpected(None);
            }
        } else if !newline {
            self.take_operator(";")?;
        }
        self.skip_newlines()?;
        self.expect("do")?;
        let body = self.body("done")?;
        self.expect("done")?;
        Ok(Kind::For { name, words, body })
    }

    pub(super) fn cases(&mut self) -> Parsed<Kind> {
        self.next()?;
        let Token::Word { word, .. } = self.peek()?.clone() else { return self.unexpected(None) };
        self.next()?;
        self.skip_newlines()?;
        self.expect("in")?;
        let mut arms = Vec::new();
        self.skip_newlines()?;
        while !self.is_keyword("esac")? {
            let parenthesis = self.take_operator("(")?;
            let mut patterns = Vec::new();
            loop {
                match self.peek()?.clone() {
                    Token::Word { word, .. } => patterns.push(word),
                    Token::End if !parenthesis => return self.unexpected(Some("esac")),
                    _ => return self.unexpected(None),
                }
                self.next()?;
                if !self.take_operator("|")? {
                    break;
                }
            }
            self.expect(")")?;
            let list = self.list()?;
            if matches!(self.peek()?, Token::End) {
                return self.unexpected(Some(";;"));
            }
            arms.push((patterns, list));
            if !self.take_operator(";;")? {
                break;
            }
            self.skip_newlines()?;
        }
        self.expect("esac")?;
        Ok(Kind::Case { word, arms })
    }

    pub(super) fn redirect(&mut self) -> Parsed<Option<Redirect>> {
        let number = match self.peek()? {
            Token::Number(number) => Some(*number),
            Token::Operator(op) if op.contains(['<', '>']) => None,
            _ => return Ok(None),
        };
        if number.is_some() {
            self.next()?;
        }
        let Token::Operator(operator) = self.next()? else { return self.unexpected(None) };
        let (towards, default) = match operator {
            "<" => (Towards::Read, 0),
            ">" => (Towards::Write, 1),
            ">|" => (Towards::Clobber, 1),
            ">>" => (Towards::Append, 1),
            "<>" => (Towards::ReadWrite, 0),
            "<&" => (Towards::Copy, 0),
            ">&" => (Towards::Copy, 1),
            _ => (Towards::Here, 0),
        };
        let Token::Word { word, .. } = self.peek()?.clone() else { return self.unexpected(None) };
        self.next()?;
        let text = Arc::new(OnceLock::new());
        if towards == Towards::Here {
            let (end, quoted) = delimiter(&word);
            self.pending.push(Pending { text: text.clone(), end, quoted, tabs: operator == "<<-" });
        }
        Ok(Some(Redirect { fd: number.unwrap_or(default), towards, target: word, text }))
    }

    pub(super) fn simple(&mut self, line: u32) -> Parsed<Command> {
        let (mut assigns, mut words, mut redirects) = (Vec::new(), Vec::new(), Vec::new());
        let mut aliased = true;
        loop {
            if let Some(redirect) = self.redirect()? {
                redirects.push(redirect);
                continue;
            }
            if words.is_empty() && (!assigns.is_empty() || !redirects.is_empty()) && aliased {
                self.alias()?;
                if self.token.is_none() {
                    continue;
                }
            }
            match self.peek()?.clone() {
                Token::Word { word, .. } => {
                    match assignment(&word).filter(|_| words.is_empty()) {
                        Some(assign) => assigns.push(assign),
                        None => {
                            words.push(word);
                            aliased = false;
                        }
                    }
                    self.next()?;
                    if std::mem::take(&mut self.next_too) {
                        self.alias()?;
                    }
                }
                Token::Operator("(") if words.len() == 1 && assigns.is_empty() && redirects.is_empty() => {
                    return self.function(&words[0], line);
                }
                _ => break,
            }
        }
        if words.is_empty() && assigns.is_empty() && redirects.is_empty() {
            return self.unexpected(None);
        }
        Ok(Command { kind: Kind::Simple { assigns, words }, redirects, line })
    }

    pub(super) fn function(&mut self, name: &Word, line: u32) -> Parsed<Command> {
        let from = self.began;
        self.next()?;
        self.expect(")")?;
        let name = match name.as_slice() {
            [Part::Plain(name)] if is_name(name) || is_function_name(name) => name.clone(),
            _ => return Err(self.scanner.fault("Bad function name")),
        };
        self.skip_newlines()?;
        let body = Arc::new(self.command()?);
        let size = self.scanner.position().0.saturating_sub(from);
        Ok(Command { kind: Kind::Function { name, body, size }, redirects: Vec::new(), line })
    }
}

/// dash takes any word that is no special builtin's name; so do scripts.
fn is_function_name(name: &[u8]) -> bool {
    !name.is_empty()
        && !name.iter().any(|b| matches!(b, b'=' | b'*' | b'?' | b'[' | b'~'))
        && !is_keyword(name)
}

/// A here-document's end as it is looked for, and whether anything in it was quoted.
fn delimiter(word: &Word) -> (Vec<u8>, bool) {
    let (mut end, mut quoted) = (Vec::new(), false);
    for part in word {
        match part {
            Part::Plain(bytes) => end.extend_from_slice(bytes),
            Part::Quoted(bytes) => {
                end.extend_from_slice(bytes);
                quoted = true;
            }
            Part::Double(inner) => {
                end.extend(delimiter(inner).0);
                quoted = true;
            }
            Part::Parameter(parameter) => {
                end.push(b'$');
                end.extend_from_slice(&parameter.name);
            }
            Part::Command(_) | Part::Arithmetic(_) => {}
        }
    }
    (end, quoted)
}
