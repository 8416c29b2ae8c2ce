//! `$name` and `${name…}` (POSIX.1, 2.6.2).

use super::{Field, Fields, How, Mark, pattern::Matching};
use crate::shell::{Outcome, Shell};
use crate::syntax::{Change, Parameter, Word};
use crate::vars::Value;
use std::borrow::Cow;

impl Shell {
    /// A parameter's value; none where it is unset. `@` and `*` are not asked for here.
    async fn value_of<'a>(&'a self, name: &'a [u8]) -> Option<Cow<'a, [u8]>> {
        let owned = |text: String| Some(Cow::Owned(text.into_bytes()));
        match name {
            b"#" => owned(self.args.len().to_string()),
            b"?" => owned(self.status.to_string()),
            b"-" => owned(self.options.letters()),
            b"$" => owned(self.setting.id.to_string()),
            b"!" => match &self.last_job {
                Some(job) => owned(job.pid().await.to_string()),
                None => None,
            },
            b"0" => Some(Cow::Borrowed(&self.name)),
            b"LINENO" => owned(self.line.to_string()),
            _ if name[0].is_ascii_digit() => {
                let number: usize = std::str::from_utf8(name).ok()?.parse().ok()?;
                if number == 0 {
                    return Some(Cow::Borrowed(&self.name));
                }
                self.args.get(number - 1).map(|value| Cow::Borrowed(value.bytes()))
            }
            _ => self.vars.get(name).map(Cow::Borrowed),
        }
    }

    pub(super) async fn parameter(&mut self, parameter: &Parameter, how: How, out: &mut Fields) -> Outcome {
        let Parameter { name, change } = parameter;
        if *change == Change::Bad {
            return Err(self.fail("Bad substitution").await);
        }
        if matches!(name.as_slice(), b"@" | b"*") {
            return self.all_arguments(parameter, how, out).await;
        }
        let mark = if how.quoted { Mark::Quoted } else { Mark::Expanded };
        let value = self.value_of(name).await.map(Cow::into_owned);
        let value = match (change, value) {
            (Change::Unset { colon, how: kind, word }, value) => {
                let counts = value.filter(|value| !(*colon && value.is_empty()));
                match (kind, counts) {
                    (b'+', None) => return Ok(()),
                    (b'+', Some(_)) => return self.instead(word, how, out).await,
                    (_, Some(value)) => value,
                    (b'-', None) => return self.instead(word, how, out).await,
                    (b'=', None) => {
                        let plain = How { quoted: how.quoted, split: false, inner: true, assigns: true };
                        let value = self.single(word, plain).await?.0.text();
                        if !crate::syntax::is_name(name) {
                            return Err(self.fail("Bad substitution").await);
                        }
                        self.assign(name, value.clone()).await?;
                        value
                    }
                    (_, None) => return Err(self.complain(name, word, *colon).await?),
                }
            }
            (_, None) if self.options.has('u') => return Err(self.unset(name).await),
            (Change::Length, value) => value.map_or(0, |value| value.len()).to_string().into_bytes(),
            (Change::Trim { suffix, longest, pattern }, value) => {
                let value = value.unwrap_or_default();
                self.trim(&value, *suffix, *longest, pattern).await?
            }
            (_, value) => value.unwrap_or_default(),
        };
        let pushed = out.push(&value, mark);
        self.room(pushed).await
    }

    /// The word of `${x-word}`.
    async fn instead(&mut self, word: &Word, how: How, out: &mut Fields) -> Outcome {
        self.parts(word, How { inner: true, ..how }, out).await
    }

    /// The end that `${x?word}` puts to a script.
    async fn complain(&mut self, name: &[u8], word: &Word, colon: bool) -> Outcome<crate::shell::Stop> {
        let shown = String::from_utf8_lossy(name).into_owned();
        let text = self.text(word).await?;
        let text = match text.as_slice() {
            b"" if colon => "parameter not set or null".into(),
            b"" => "parameter not set".into(),
            text => String::from_utf8_lossy(text).into_owned(),
        };
        Ok(self.fail(format!("{shown}: {text}")).await)
    }

    /// `$@`, `$*`, and what is made of them.
    async fn all_arguments(&mut self, parameter: &Parameter, how: How, out: &mut Fields) -> Outcome {
        let mark = if how.quoted { Mark::Quoted } else { Mark::Expanded };
        let mut values: Vec<Vec<u8>> = self.args.iter().map(Value::bytes).map(<[u8]>::to_vec).collect();
        match &parameter.change {
            Change::Length => {
                let pushed = out.push(values.len().to_string().as_bytes(), mark);
                return self.room(pushed).await;
            }
            Change::Unset { colon, how: kind, word } => {
                let null = *colon && values.iter().all(Vec::is_empty);
                let set = !values.is_empty() && !null;
                match (kind, set) {
                    (b'+', false) => return Ok(()),
                    (b'+', true) | (b'-', false) => return self.instead(word, how, out).await,
                    (b'?', false) => return Err(self.complain(&parameter.name, word, *colon).await?),
                    (b'=', false) => return Err(self.fail("Bad substitution").await),
                    _ => {}
                }
            }
            Change::Trim { suffix, longest, pattern } => {
                for value in &mut values {
                    *value = self.trim(value, *suffix, *longest, pattern).await?;
                }
            }
            Change::None | Change::Bad => {}
        }
        let between: Vec<u8> = match (parameter.name.as_slice(), self.vars.get(b"IFS")) {
            (b"*", Some(ifs)) => ifs.first().copied().into_iter().collect(),
            _ => vec![b' '],
        };
        let apart = how.split && (!how.quoted || parameter.name == b"@");
        for (index, value) in values.iter().enumerate() {
            if index > 0 {
                if apart {
                    out.part();
                } else {
                    let pushed = out.push(&between, mark);
                    self.room(pushed).await?;
                }
            }
            let pushed = out.push(value, mark);
            self.room(pushed).await?;
            if value.is_empty() && how.quoted {
                out.last.nothing();
            }
        }
        Ok(())
    }

    /// `value` without the shortest or longest part at one end that matches `pattern`.
    async fn trim(&mut self, value: &[u8], suffix: bool, longest: bool, pattern: &Word) -> Outcome<Vec<u8>> {
        let pattern = self.pattern(pattern).await?;
        let pattern = if suffix { pattern.reversed() } else { pattern };
        let mut matching = Matching::new(&pattern);
        let mut found = matching.is_whole().then_some(0);
        for at in 0..value.len() {
            if (found.is_some() && !longest) || matching.is_lost() {
                break;
            }
            matching.step(if suffix { value[value.len() - 1 - at] } else { value[at] });
            if matching.is_whole() {
                found = Some(at + 1);
            }
            if at % 1024 == 1023 && crate::process::used_up() {
                tokio::task::yield_now().await;
            }
        }
        let cut = found.unwrap_or(0);
        Ok(if suffix { value[..value.len() - cut].to_vec() } else { value[cut..].to_vec() })
    }
}

impl Field {
    /// Whether it has anything that a name is matched with.
    pub(super) fn is_pattern(&self) -> bool {
        let active = self.bytes.iter().zip(&self.marks);
        let mut active = active.filter(|(_, mark)| matches!(mark, Mark::Plain | Mark::Expanded));
        active.any(|(byte, _)| matches!(byte, b'*' | b'?' | b'['))
    }
}
