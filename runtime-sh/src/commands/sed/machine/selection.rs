//! Which lines a command is for.

use super::super::script::{Address, Until};
use super::{Machine, Range};
use crate::commands::Invocation;
use crate::commands::gnu::{Done, fail};
use crate::commands::pattern::Pattern;
use std::sync::Arc;

/// An address without the script that it stands in.
#[derive(Clone)]
enum Place {
    Line(u64),
    Last,
    Step(u64, u64),
    Match(Option<Arc<Pattern>>),
}

impl Place {
    fn of(address: &Address) -> Place {
        match address {
            Address::Line(line) => Place::Line(*line),
            Address::Last => Place::Last,
            Address::Step(first, step) => Place::Step(*first, *step),
            Address::Match(pattern) => Place::Match(pattern.clone()),
        }
    }
}

/// The range of the lines from `number` to `last`.
fn through(number: u64, last: u64) -> Range {
    if last > number { Range::Through(last) } else { Range::Closed }
}

impl Machine {
    async fn matches(&mut self, call: &mut Invocation<'_>, address: Place) -> Done<bool> {
        Ok(match address {
            Place::Line(line) => self.lines.number == line,
            Place::Last => self.lines.is_last(call, &self.settings).await?,
            Place::Step(first, 0) => self.lines.number == first,
            Place::Step(first, step) => {
                self.lines.number >= first && (self.lines.number - first).is_multiple_of(step)
            }
            Place::Match(pattern) => self.pattern(pattern)?.is_match(&self.space),
        })
    }

    /// The expression itself, or the one used last.
    pub(super) fn pattern(&mut self, given: Option<Arc<Pattern>>) -> Done<Arc<Pattern>> {
        match given.or_else(|| self.last.clone()) {
            Some(pattern) => {
                self.last = Some(pattern.clone());
                Ok(pattern)
            }
            None => fail("-e expression #1, char 0: no previous regular expression"),
        }
    }

    pub(super) async fn selects(&mut self, call: &mut Invocation<'_>, index: usize) -> Done<bool> {
        let at = &self.script.commands[index].at;
        let negated = at.negated;
        let Some(from) = at.from.as_ref().map(Place::of) else { return Ok(!negated) };
        let selected = match &at.to {
            None => self.matches(call, from).await?,
            Some(_) => self.in_range(call, index, from).await?,
        };
        Ok(selected != negated)
    }

    async fn in_range(&mut self, call: &mut Invocation<'_>, index: usize, from: Place) -> Done<bool> {
        let number = self.lines.number;
        // None where lines are counted.
        let to = match &self.script.commands[index].at.to {
            Some(Until::Address(address)) => Some(Place::of(address)),
            _ => None,
        };
        match self.ranges[index] {
            Range::Fresh | Range::Closed => {
                // The first line of a range may have been read by another command (n, N); a range of numbered lines comes once.
                let begins = match (self.ranges[index], &from) {
                    (Range::Fresh, Place::Line(first)) => number >= *first,
                    (_, Place::Line(_)) => false,
                    _ => self.matches(call, from.clone()).await?,
                };
                if !begins {
                    return Ok(false);
                }
                // Lines are counted from the first of the range on.
                self.ranges[index] = match &self.script.commands[index].at.to {
                    Some(Until::Further(lines)) => through(number, number.saturating_add(*lines)),
                    Some(Until::Multiple(step)) => {
                        let next = number
                            .checked_div(*step)
                            .map_or(number, |times| (times + 1).saturating_mul(*step));
                        through(number, next)
                    }
                    Some(Until::Address(Address::Line(line))) => through(number, *line),
                    _ => Range::Open,
                };
                Ok(match (from, to) {
                    (Place::Line(first), Some(Place::Line(last))) => number == first || number <= last,
                    (_, Some(Place::Last)) => {
                        if self.lines.is_last(call, &self.settings).await? {
                            self.ranges[index] = Range::Closed;
                        }
                        true
                    }
                    _ => true,
                })
            }
            Range::Through(last) => {
                if number >= last {
                    self.ranges[index] = Range::Closed;
                }
                // Where the lines up to the last were read by other commands, a line behind a numbered one is out.
                Ok(number <= last || !matches!(to, Some(Place::Line(_))))
            }
            Range::Open => {
                if let Some(to) = to
                    && self.matches(call, to).await?
                {
                    self.ranges[index] = Range::Closed;
                }
                Ok(true)
            }
        }
    }
}
