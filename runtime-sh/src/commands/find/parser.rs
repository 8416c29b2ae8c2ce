//! find's expression, read from the words of the command line.

use super::expression::{Clock, Compare, Exec, Expression, Node, PermissionTest};
use crate::commands::glob::Glob;
use crate::commands::messages::say;
use crate::commands::pattern::{Bounds, Pattern, Syntax};
use vfs::{Kind, Time};

/// What must be looked up before an expression can be read: a file's times, a user's number.
pub enum Question {
    /// The file, and which of its times.
    Time(Vec<u8>, Clock),
    Same(Vec<u8>),
    User(Vec<u8>),
    Group(Vec<u8>),
    /// A time in words (-newermt).
    Words(Vec<u8>),
}

/// The answer to a [`Question`].
#[derive(Clone, Copy)]
pub enum Answer {
    Time(Time),
    Number(u64),
}

/// The questions that `words` ask, with the place of the word that asks; the words that are no expression answer none.
pub fn questions(words: &[Vec<u8>]) -> Vec<(usize, Question)> {
    let mut all = Vec::new();
    for (at, pair) in words.windows(2).enumerate() {
        let value = pair[1].clone();
        let question = match pair[0].as_slice() {
            b"-newer" | b"-mnewer" => Question::Time(value, Clock::Modify),
            b"-anewer" => Question::Time(value, Clock::Modify),
            b"-cnewer" => Question::Time(value, Clock::Modify),
            b"-samefile" => Question::Same(value),
            b"-user" => Question::User(value),
            b"-group" => Question::Group(value),
            word => match word.strip_prefix(b"-newer") {
                Some([b'a' | b'c' | b'm', b't']) => Question::Words(value),
                Some([b'a' | b'c' | b'm', other]) => match clock(*other) {
                    Some(clock) => Question::Time(value, clock),
                    None => continue,
                },
                _ => continue,
            },
        };
        all.push((at, question));
    }
    all
}

fn clock(letter: u8) -> Option<Clock> {
    Some(match letter {
        b'a' => Clock::Access,
        b'c' => Clock::Change,
        b'm' => Clock::Modify,
        _ => return None,
    })
}

pub struct Parser<'a> {
    words: &'a [Vec<u8>],
    at: usize,
    answers: &'a [(usize, Answer)],
    expression: Expression,
    open: usize,
}

type Parse<T> = Result<T, Vec<u8>>;

pub fn parse(words: &[Vec<u8>], answers: &[(usize, Answer)]) -> Parse<Expression> {
    let expression = Expression {
        root: Node::True,
        min_depth: 0,
        max_depth: usize::MAX,
        depth_first: false,
        one_tree: false,
        follow: false,
        batches: 0,
        acts: false,
    };
    let mut parser = Parser { words, at: 0, answers, expression, open: 0 };
    if words.is_empty() {
        parser.expression.root = Node::Print(b'\n');
        return Ok(parser.expression);
    }
    let root = parser.list()?;
    if parser.at < words.len() {
        return Err(b"you have too many ')'".to_vec());
    }
    let acts = parser.expression.acts;
    parser.expression.root =
        if acts { root } else { Node::And(Box::new(root), Box::new(Node::Print(b'\n'))) };
    Ok(parser.expression)
}

impl Parser<'_> {
    fn peek(&self) -> Option<&[u8]> {
        self.words.get(self.at).map(Vec::as_slice)
    }

    fn list(&mut self) -> Parse<Node> {
        let mut left = self.or()?;
        while self.peek() == Some(b",") {
            self.at += 1;
            left = Node::List(Box::new(left), Box::new(self.or()?));
        }
        Ok(left)
    }

    fn or(&mut self) -> Parse<Node> {
        let mut left = self.and()?;
        while matches!(self.peek(), Some(b"-o" | b"-or")) {
            let operator = self.peek().unwrap_or_default().to_vec();
            self.at += 1;
            if self.peek().is_none() {
                return Err(say!("expected an expression after '", operator, "'"));
            }
            left = Node::Or(Box::new(left), Box::new(self.and()?));
        }
        Ok(left)
    }

    fn and(&mut self) -> Parse<Node> {
        let mut left = self.not()?;
        loop {
            match self.peek() {
                Some(b"-a" | b"-and") => {
                    let operator = self.peek().unwrap_or_default().to_vec();
                    self.at += 1;
                    if self.peek().is_none() {
                        return Err(say!("expected an expression after '", operator, "'"));
                    }
                }
                None | Some(b"-o" | b"-or" | b")" | b",") => return Ok(left),
                Some(_) => {}
            }
            left = Node::And(Box::new(left), Box::new(self.not()?));
        }
    }

    fn not(&mut self) -> Parse<Node> {
        match self.peek() {
            Some(word @ (b"!" | b"-not")) => {
                let word = word.to_vec();
                self.at += 1;
                if self.peek().is_none() {
                    return Err(say!("expected an expression after '", word, "'"));
                }
                Ok(Node::Not(Box::new(self.not()?)))
            }
            Some(b"(") => {
                self.at += 1;
                self.open += 1;
                if self.open > 500 {
                    return Err(b"expression nested too deeply".to_vec());
                }
                if self.peek().is_none() {
                    return Err(b"invalid expression; expected to find a ')' but didn't see one. Perhaps you need an extra predicate after '('".to_vec());
                }
                if self.peek() == Some(b")") {
                    return Err(b"invalid expression; empty parentheses are not allowed.".to_vec());
                }
                let inner = self.list()?;
                if self.peek() != Some(b")") {
                    return Err(
                        b"invalid expression; I was expecting to find a ')' somewhere but did not see one."
                            .to_vec(),
                    );
                }
                self.at += 1;
                self.open -= 1;
                Ok(inner)
            }
            Some(b")") if self.open == 0 => Err(b"invalid expression; you have too many ')'".to_vec()),
            Some(word @ (b"-o" | b"-or" | b"-a" | b"-and" | b"," | b")")) => Err(say!(
                "invalid expression; you have used a binary operator '",
                word,
                "' with nothing before it."
            )),
            _ => self.primary(),
        }
    }

    fn value(&mut self, word: &[u8]) -> Parse<Vec<u8>> {
        match self.words.get(self.at) {
            Some(value) => {
                self.at += 1;
                Ok(value.clone())
            }
            None => Err(say!("missing argument to `", word, "'")),
        }
    }

    fn answer(&self, at: usize) -> Parse<Answer> {
        let found = self.answers.iter().find(|(place, _)| *place == at);
        found.map(|(_, answer)| *answer).ok_or_else(|| say!("missing argument to `", self.words[at], "'"))
    }

    fn compare(&mut self, word: &[u8]) -> Parse<Compare> {
        let value = self.value(word)?;
        compare(&value).ok_or_else(|| say!("invalid argument `", value, "' to `", word, "'"))
    }

    fn number(&mut self, word: &[u8]) -> Parse<usize> {
        let value = self.value(word)?;
        let number = std::str::from_utf8(&value).ok().filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
        number.and_then(|text| text.parse().ok()).ok_or_else(|| {
            say!("Expected a positive decimal integer argument to ", word, ", but got '", value, "'")
        })
    }

    fn primary(&mut self) -> Parse<Node> {
        let place = self.at;
        let Some(word) = self.words.get(self.at).cloned() else { return Ok(Node::True) };
        self.at += 1;
        let acts = |this: &mut Self, node| {
            this.expression.acts = true;
            Ok(node)
        };
        Ok(match word.as_slice() {
            b"-true" => Node::True,
            b"-false" => Node::False,
            b"-daystart" | b"-noleaf" | b"-ignore_readdir_race" | b"-nowarn" | b"-warn" => Node::True,
            b"-name" => Node::Name(Glob::new(&self.value(&word)?, false)),
            b"-iname" => Node::Name(Glob::new(&self.value(&word)?, true)),
            b"-path" | b"-wholename" => Node::Path(Glob::new(&self.value(&word)?, false)),
            b"-ipath" | b"-iwholename" => Node::Path(Glob::new(&self.value(&word)?, true)),
            b"-lname" => Node::LinkName(Glob::new(&self.value(&word)?, false)),
            b"-ilname" => Node::LinkName(Glob::new(&self.value(&word)?, true)),
            b"-regextype" => {
                self.value(&word)?;
                Node::True
            }
            b"-regex" | b"-iregex" => {
                let text = self.value(&word)?;
                let syntax = Syntax {
                    extended: self.words.windows(2).any(|pair| {
                        pair[0] == b"-regextype"
                            && !pair[1].ends_with(b"basic")
                            && !matches!(&pair[1][..], b"emacs" | b"sed" | b"grep" | b"ed")
                    }),
                    ignore_case: word == b"-iregex",
                    lenient: true,
                    bounds: Bounds::Line,
                    ..Syntax::default()
                };
                let emacs = !self.words.iter().any(|word| word == b"-regextype");
                let text = if emacs { from_emacs(&text) } else { text };
                Node::Regex(
                    Pattern::new(&text, syntax).map_err(|error| {
                        say!("failed to compile regular expression '", text, "': ", error)
                    })?,
                )
            }
            b"-type" => Node::Type(self.kinds(&word)?),
            b"-xtype" => Node::TypeBehind(self.kinds(&word)?),
            b"-maxdepth" => {
                self.expression.max_depth = self.number(&word)?;
                Node::True
            }
            b"-mindepth" => {
                self.expression.min_depth = self.number(&word)?;
                Node::True
            }
            b"-depth" | b"-d" => {
                self.expression.depth_first = true;
                Node::True
            }
            b"-xdev" | b"-mount" => {
                self.expression.one_tree = true;
                Node::True
            }
            b"-follow" => {
                self.expression.follow = true;
                Node::True
            }
            b"-newer" | b"-mnewer" => self.newer(place, &word, Clock::Modify)?,
            b"-anewer" => self.newer(place, &word, Clock::Access)?,
            b"-cnewer" => self.newer(place, &word, Clock::Change)?,
            b"-mtime" | b"-atime" | b"-ctime" | b"-mmin" | b"-amin" | b"-cmin" => {
                let clock = clock(word[1]).expect("one of the three letters above");
                let unit = if word.ends_with(b"time") { 86400 } else { 60 };
                Node::Age { clock, unit, compare: self.compare(&word)? }
            }
            b"-size" => {
                let value = self.value(&word)?;
                let invalid = || say!("invalid argument `", value, "' to `-size'");
                let (digits, unit) = match value.last() {
                    Some(b'c') => (&value[..value.len() - 1], 1),
                    Some(b'w') => (&value[..value.len() - 1], 2),
                    Some(b'b') => (&value[..value.len() - 1], 512),
                    Some(b'k') => (&value[..value.len() - 1], 1 << 10),
                    Some(b'M') => (&value[..value.len() - 1], 1 << 20),
                    Some(b'G') => (&value[..value.len() - 1], 1 << 30),
                    Some(letter) if letter.is_ascii_alphabetic() => {
                        return Err(say!("invalid -size type `", [*letter], "'"));
                    }
                    _ => (&value[..], 512),
                };
                Node::Size { unit, compare: compare(digits).ok_or_else(invalid)? }
            }
            b"-empty" => Node::Empty,
            b"-perm" => {
                let value = self.value(&word)?;
                let invalid = || say!("invalid mode ", super::super::messages::quoted(&value));
                let (all, text) = match value.split_first() {
                    Some((b'-', rest)) => (Some(true), rest),
                    Some((b'/', rest)) => (Some(false), rest),
                    _ => (None, &value[..]),
                };
                let bits = super::super::mode::parse(text).ok_or_else(invalid)?.apply(0, false, 0);
                Node::Permission(match all {
                    Some(true) => PermissionTest::All(bits),
                    Some(false) => PermissionTest::Any(bits),
                    None => PermissionTest::Exactly(bits),
                })
            }
            b"-user" | b"-group" => {
                self.value(&word)?;
                let Answer::Number(number) = self.answer(place)? else { return Ok(Node::False) };
                if word == b"-user" { Node::User(number as u32) } else { Node::Group(number as u32) }
            }
            b"-uid" => Node::Uid(self.compare(&word)?),
            b"-gid" => Node::Gid(self.compare(&word)?),
            b"-nouser" => Node::NoUser,
            b"-nogroup" => Node::NoGroup,
            b"-links" => Node::Links(self.compare(&word)?),
            b"-inum" => Node::Inode(self.compare(&word)?),
            b"-samefile" => {
                self.value(&word)?;
                let Answer::Number(path) = self.answer(place)? else { return Ok(Node::False) };
                Node::SameFile(path)
            }
            b"-readable" => Node::Access(vfs::Access::READ),
            b"-writable" => Node::Access(vfs::Access::WRITE),
            b"-executable" => Node::Access(vfs::Access::EXEC),
            b"-prune" => Node::Prune,
            b"-quit" => Node::Quit,
            b"-print" => return acts(self, Node::Print(b'\n')),
            b"-print0" => return acts(self, Node::Print(0)),
            b"-ls" => return acts(self, Node::Ls),
            b"-printf" => {
                let format = self.value(&word)?;
                return acts(self, Node::Format(format));
            }
            b"-delete" => {
                self.expression.depth_first = true;
                return acts(self, Node::Delete);
            }
            b"-exec" | b"-execdir" => {
                let exec = self.exec(&word)?;
                return acts(self, Node::Exec(exec));
            }
            _ => {
                if let Some([first @ (b'a' | b'c' | b'm'), _]) = word.strip_prefix(b"-newer") {
                    let clock = clock(*first).expect("one of the three letters above");
                    return self.newer(place, &word, clock);
                }
                if word.starts_with(b"-") {
                    return Err(say!("unknown predicate `", word, "'"));
                }
                return Err(say!("paths must precede expression: `", word, "'"));
            }
        })
    }

    fn newer(&mut self, place: usize, word: &[u8], clock: Clock) -> Parse<Node> {
        self.value(word)?;
        match self.answer(place)? {
            Answer::Time(time) => Ok(Node::Newer(clock, time)),
            Answer::Number(_) => Ok(Node::False),
        }
    }

    fn kinds(&mut self, word: &[u8]) -> Parse<Vec<Kind>> {
        let value = self.value(word)?;
        let mut kinds = Vec::new();
        for part in value.split(|b| *b == b',') {
            kinds.push(match part {
                b"f" => Kind::File,
                b"d" => Kind::Dir,
                b"l" => Kind::Symlink,
                b"p" => Kind::Fifo,
                b"s" => Kind::Socket,
                b"c" => Kind::CharDevice,
                b"b" => Kind::BlockDevice,
                [] => {
                    return Err(say!(
                        "Last file type in list argument to ",
                        word,
                        " is missing, i.e., list is ending on: ','"
                    ));
                }
                [_, _, ..] => return Err(say!("Must separate multiple arguments to ", word, " using: ','")),
                other => return Err(say!("Unknown argument to ", word, ": ", other)),
            });
        }
        Ok(kinds)
    }

    fn exec(&mut self, word: &[u8]) -> Parse<Exec> {
        let mut words = Vec::new();
        loop {
            let Some(next) = self.words.get(self.at).cloned() else {
                return Err(say!("missing argument to `", word, "'"));
            };
            self.at += 1;
            if next == b";" {
                break;
            }
            if next == b"+" && words.last().is_some_and(|last: &Vec<u8>| last == b"{}") {
                words.pop();
                let batch = self.expression.batches;
                self.expression.batches += 1;
                return Ok(Exec { words, batch: Some(batch), in_directory: word == b"-execdir" });
            }
            words.push(next);
        }
        if words.is_empty() {
            return Err(say!("invalid argument `;' to `", word, "'"));
        }
        Ok(Exec { words, batch: None, in_directory: word == b"-execdir" })
    }
}

fn compare(text: &[u8]) -> Option<Compare> {
    let (sign, digits) = match text.split_first()? {
        (sign @ (b'+' | b'-'), digits) => (Some(*sign), digits),
        _ => (None, text),
    };
    let number = std::str::from_utf8(digits)
        .ok()
        .filter(|text| text.bytes().all(|b| b.is_ascii_digit()))?
        .parse()
        .ok()?;
    Some(match sign {
        Some(b'+') => Compare::More(number),
        Some(_) => Compare::Less(number),
        None => Compare::Exactly(number),
    })
}

/// Emacs's syntax has `+` and `?` as operators and otherwise is the basic one.
fn from_emacs(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => {
                out.push(b'\\');
                out.extend(bytes.next());
            }
            b'+' | b'?' => out.extend_from_slice(&[b'\\', *byte]),
            byte => out.push(*byte),
        }
    }
    out
}
