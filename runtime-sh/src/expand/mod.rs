//! Word expansion (POSIX.1, 2.6): from the words of a command to its arguments.
//!
//! ```text
//! ~  $name ${…} $(…) $((…))  ──►  fields: bytes, each marked  ──►  split at IFS  ──►  names that match  ──►  arguments
//! ```
//!
//! Each byte is marked with where it came from: only what an expansion gave is split, and only what is not quoted is a pattern.

pub(crate) mod arithmetic;
mod glob;
mod parameter;
pub(crate) mod pattern;
mod split;

use crate::builtins;
use crate::files::gather;
use crate::process::Held;
use crate::shell::{Outcome, Shell, Stop};
use crate::syntax::{Part, Word, assignment};
use arithmetic::Names;
use futures_util::future::BoxFuture;
use pattern::Pattern;
use vfs::Result;

/// Where a byte came from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mark {
    /// Written as it is, unquoted.
    Plain,
    Quoted,
    /// An expansion's, unquoted.
    Expanded,
    /// No byte: quotes with nothing in them, which make an argument all the same.
    Nothing,
}

/// A word on its way to an argument.
#[derive(Clone, Default, Debug)]
struct Field {
    bytes: Vec<u8>,
    marks: Vec<Mark>,
}

impl Field {
    fn push(&mut self, bytes: &[u8], mark: Mark) {
        self.bytes.extend_from_slice(bytes);
        self.marks.resize(self.bytes.len(), mark);
    }
    fn nothing(&mut self) {
        self.push(&[0], Mark::Nothing);
    }
    fn is_absent(&self) -> bool {
        self.bytes.is_empty()
    }
    fn text(&self) -> Vec<u8> {
        if !self.marks.contains(&Mark::Nothing) {
            return self.bytes.clone();
        }
        let marked = self.bytes.iter().zip(&self.marks);
        marked.filter(|(_, mark)| **mark != Mark::Nothing).map(|(byte, _)| *byte).collect()
    }
    fn without_nothing(&self) -> Field {
        let kept = self.bytes.iter().zip(&self.marks).filter(|(_, mark)| **mark != Mark::Nothing);
        let (bytes, marks) = kept.map(|(byte, mark)| (*byte, *mark)).unzip();
        Field { bytes, marks }
    }
    fn pattern(&self) -> Pattern {
        let field = self.without_nothing();
        Pattern::new(&field.bytes, &|at| field.marks[at] == Mark::Quoted)
    }
}

/// How a word is expanded.
#[derive(Clone, Copy)]
struct How {
    /// Within double quotes.
    quoted: bool,
    /// Each of `$@` is a field of its own.
    split: bool,
    /// What is written plainly counts as an expansion's: the word of `${x-word}`.
    inner: bool,
    /// `~` means something behind a colon too.
    assigns: bool,
}

/// What comes of a word.
struct Fields {
    done: Vec<Field>,
    last: Field,
    held: Held,
}

impl Fields {
    fn push(&mut self, bytes: &[u8], mark: Mark) -> Result<()> {
        if bytes.len() > 64 {
            self.held.grow(bytes.len() * 2)?;
        }
        self.last.push(bytes, mark);
        Ok(())
    }
    /// The end of one of `$@`.
    fn part(&mut self) {
        let field = std::mem::take(&mut self.last);
        if !field.is_absent() {
            self.done.push(field);
        }
    }
    fn all(mut self) -> (Vec<Field>, Held) {
        self.part();
        (self.done, self.held)
    }
}

impl Shell {
    /// The arguments that `words` come to, with `held` their memory.
    pub async fn arguments(&mut self, words: &[Word]) -> Outcome<(Vec<Vec<u8>>, Held)> {
        let mut arguments = Vec::with_capacity(words.len());
        let mut held = self.hold(0).await?;
        for word in words {
            self.argument(word, &mut arguments, &mut held).await?;
        }
        Ok((arguments, held))
    }

    /// A simple command's words: behind the name of one that takes assignments, those are expanded as such.
    pub async fn command_words(&mut self, words: &[Word]) -> Outcome<(Vec<Vec<u8>>, Held)> {
        let mut arguments = Vec::with_capacity(words.len());
        let mut held = self.hold(0).await?;
        for word in words {
            let assign = if builtins::takes_assignments(&arguments) { assignment(word) } else { None };
            match assign {
                Some((name, value)) => {
                    let value = self.value(&value).await?;
                    let grown = held.grow(value.len());
                    self.room(grown).await?;
                    arguments.push([&name, &b"="[..], &value].concat());
                }
                None => self.argument(word, &mut arguments, &mut held).await?,
            }
        }
        Ok((arguments, held))
    }

    async fn argument(&mut self, word: &Word, arguments: &mut Vec<Vec<u8>>, held: &mut Held) -> Outcome {
        if let [Part::Plain(bytes)] = word.as_slice()
            && !bytes.iter().any(|b| matches!(b, b'*' | b'?' | b'[' | b'~'))
        {
            arguments.push(bytes.clone());
            return Ok(());
        }
        let how = How { quoted: false, split: true, inner: false, assigns: false };
        let (fields, kept) = self.fields(word, how).await?;
        for field in fields {
            for part in split::split(field, self.ifs()) {
                self.names(part, arguments, held).await?;
            }
        }
        drop(kept);
        Ok(())
    }

    /// The one text that `word` comes to, neither split nor matched with names.
    pub async fn text(&mut self, word: &Word) -> Outcome<Vec<u8>> {
        if let [Part::Plain(bytes)] = word.as_slice()
            && !bytes.contains(&b'~')
        {
            return Ok(bytes.clone());
        }
        let how = How { quoted: false, split: false, inner: false, assigns: false };
        Ok(self.single(word, how).await?.0.text())
    }
    /// The value of an assignment.
    pub async fn value(&mut self, word: &Word) -> Outcome<Vec<u8>> {
        let how = How { quoted: false, split: false, inner: false, assigns: true };
        Ok(self.single(word, how).await?.0.text())
    }
    /// A here-document's text, a prompt's.
    pub async fn document(&mut self, word: &Word) -> Outcome<Vec<u8>> {
        let how = How { quoted: true, split: false, inner: false, assigns: false };
        Ok(self.single(word, how).await?.0.text())
    }
    pub async fn pattern(&mut self, word: &Word) -> Outcome<Pattern> {
        let how = How { quoted: false, split: false, inner: false, assigns: false };
        Ok(self.single(word, how).await?.0.pattern())
    }

    async fn single(&mut self, word: &[Part], how: How) -> Outcome<(Field, Held)> {
        let (mut fields, held) = self.fields(word, how).await?;
        Ok((fields.pop().unwrap_or_default(), held))
    }

    async fn fields(&mut self, word: &[Part], how: How) -> Outcome<(Vec<Field>, Held)> {
        let held = self.hold(0).await?;
        let mut out = Fields { done: Vec::new(), last: Field::default(), held };
        self.parts(word, how, &mut out).await?;
        Ok(out.all())
    }

    pub async fn hold(&mut self, bytes: usize) -> Outcome<Held> {
        match self.process().memory.hold(bytes) {
            Ok(held) => Ok(held),
            Err(error) => Err(self.out_of(&error).await),
        }
    }
    async fn room(&mut self, result: Result<()>) -> Outcome {
        match result {
            Ok(()) => Ok(()),
            Err(error) => Err(self.out_of(&error).await),
        }
    }

    fn parts<'a>(&'a mut self, word: &'a [Part], how: How, out: &'a mut Fields) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            for (index, part) in word.iter().enumerate() {
                let mark = match how {
                    How { quoted: true, .. } => Mark::Quoted,
                    How { inner: true, .. } => Mark::Expanded,
                    _ => Mark::Plain,
                };
                let given = if how.quoted { Mark::Quoted } else { Mark::Expanded };
                match part {
                    Part::Plain(bytes) => {
                        let text = if how.quoted { None } else { self.tilde(word, index, how) };
                        match text {
                            Some(pieces) => {
                                for (bytes, quoted) in pieces {
                                    let pushed = out.push(&bytes, if quoted { Mark::Quoted } else { mark });
                                    self.room(pushed).await?;
                                }
                            }
                            None => {
                                let pushed = out.push(bytes, mark);
                                self.room(pushed).await?;
                            }
                        }
                    }
                    Part::Quoted(bytes) if bytes.is_empty() => out.last.nothing(),
                    Part::Quoted(bytes) => {
                        let pushed = out.push(bytes, Mark::Quoted);
                        self.room(pushed).await?;
                    }
                    Part::Double(inner) => self.double(inner, how, out).await?,
                    Part::Parameter(parameter) => self.parameter(parameter, how, out).await?,
                    Part::Command(list) => {
                        let (text, _held) = self.substitute(list).await?;
                        let pushed = out.push(&text, given);
                        self.room(pushed).await?;
                    }
                    Part::Arithmetic(word) => {
                        let value = self.arithmetic(word).await?;
                        let pushed = out.push(value.to_string().as_bytes(), given);
                        self.room(pushed).await?;
                    }
                }
            }
            Ok(())
        })
    }

    async fn double(&mut self, inner: &Word, how: How, out: &mut Fields) -> Outcome {
        let before = (out.done.len(), out.last.bytes.len());
        self.parts(inner, How { quoted: true, inner: false, ..how }, out).await?;
        let all = |part: &Part| matches!(part, Part::Parameter(p) if p.name == b"@");
        let came = before != (out.done.len(), out.last.bytes.len());
        let no_arguments = how.split && self.args.is_empty() && inner.iter().any(all);
        if !came && !no_arguments {
            out.last.nothing();
        }
        Ok(())
    }

    /// What the plain text at `index` is with its tildes replaced: pieces, and whether they are as good as quoted. None where
    /// it has none.
    fn tilde(&self, word: &[Part], index: usize, how: How) -> Option<Vec<(Vec<u8>, bool)>> {
        let Part::Plain(bytes) = &word[index] else { return None };
        if !bytes.contains(&b'~') || (index > 0 && !how.assigns) {
            return None;
        }
        let home = self.vars.get(b"HOME")?;
        let mut pieces = Vec::new();
        let mut plain = Vec::new();
        for (at, byte) in bytes.iter().enumerate() {
            let begins = (at == 0 && index == 0) || (how.assigns && at > 0 && bytes[at - 1] == b':');
            let ends = match bytes.get(at + 1) {
                None => index + 1 == word.len(),
                Some(next) => *next == b'/' || (how.assigns && *next == b':'),
            };
            if *byte == b'~' && begins && ends {
                pieces.push((std::mem::take(&mut plain), false));
                pieces.push((home.to_vec(), true));
            } else {
                plain.push(*byte);
            }
        }
        pieces.push((plain, false));
        Some(pieces)
    }

    /// The output of a command substitution, without the line ends at its end.
    async fn substitute(&mut self, list: &[crate::syntax::Item]) -> Outcome<(Vec<u8>, Held)> {
        let (writer, gathered) = match gather(&self.process().memory) {
            Ok(both) => both,
            Err(error) => return Err(self.out_of(&error).await),
        };
        let mut inner = self.fork();
        inner.fds.set(1, Some(writer));
        let status = inner.subshell(list).await;
        drop(inner);
        let (mut text, held) = gathered.all().await;
        while text.last() == Some(&b'\n') {
            text.pop();
        }
        text.retain(|byte| *byte != 0);
        self.substituted = Some(status);
        Ok((text, held))
    }

    /// What `$((word))` comes to.
    async fn arithmetic(&mut self, word: &Word) -> Outcome<i64> {
        let how = How { quoted: true, split: false, inner: false, assigns: false };
        let text = self.single(word, how).await?.0.text();
        let outcome = arithmetic::calculate(&text, &Values(self));
        match outcome {
            Ok(outcome) => {
                for (name, value) in outcome.set {
                    self.assign(&name, value.to_string().into_bytes()).await?;
                }
                Ok(outcome.value)
            }
            Err(text) => Err(self.fail(text).await),
        }
    }
}

struct Values<'a>(&'a Shell);

impl Names for Values<'_> {
    fn value(&self, name: &[u8]) -> std::result::Result<i64, String> {
        let shown = || String::from_utf8_lossy(name).into_owned();
        if name == b"LINENO" {
            return Ok(i64::from(self.0.line));
        }
        let Some(value) = self.0.vars.get(name) else {
            if self.0.options.has('u') {
                return Err(format!("{}: parameter not set", shown()));
            }
            return Ok(0);
        };
        arithmetic::number(value).ok_or_else(|| format!("Illegal number: {}", String::from_utf8_lossy(value)))
    }
}

/// The error of `${x?word}` and of `set -u`.
fn not_set(name: &[u8]) -> String {
    format!("{}: parameter not set", String::from_utf8_lossy(name))
}

impl Shell {
    async fn unset(&mut self, name: &[u8]) -> Stop {
        self.fail(not_set(name)).await
    }
}
