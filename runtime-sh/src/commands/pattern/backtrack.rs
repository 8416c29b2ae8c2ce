//! What an expression with back-references matches, which no automaton can tell: tried step by step, with a list of the points to go back
//! to. The steps for one text are bounded, since there are expressions that would take longer than anybody waits.

use super::bytes::ByteSet;
use super::syntax::{Edge, Parsed, Tree, is_word};
use std::ops::Range;

/// Steps for one search.
const PATIENCE: u32 = 2_000_000;
/// Instructions of one program.
const ROOM: usize = 100_000;

enum Step {
    Byte(ByteSet),
    Edge(Edge),
    /// Tries the first, and the second if that fails.
    Fork(usize, usize),
    Jump(usize),
    /// Notes the position.
    Save(usize),
    /// Goes on only where the position is another than was noted: a loop that took nothing ends.
    Moved(usize),
    Back(usize),
    Matched,
}

pub struct Backtracker {
    steps: Vec<Step>,
    groups: usize,
    slots: usize,
}

enum Undo {
    Go { step: usize, at: usize },
    Restore { slot: usize, value: usize },
}

const UNSET: usize = usize::MAX;

impl Backtracker {
    pub fn new(parsed: &Parsed) -> Result<Backtracker, &'static str> {
        let groups = parsed.groups as usize + 1;
        let mut this = Backtracker { steps: Vec::new(), groups, slots: groups * 2 };
        this.compile(&parsed.tree)?;
        this.steps.push(Step::Matched);
        Ok(this)
    }

    fn compile(&mut self, tree: &Tree) -> Result<(), &'static str> {
        if self.steps.len() > ROOM {
            return Err("Regular expression too big");
        }
        match tree {
            Tree::Empty => {}
            Tree::Bytes(set) => self.steps.push(Step::Byte(*set)),
            Tree::Edge(edge) => self.steps.push(Step::Edge(*edge)),
            Tree::Back(group) => self.steps.push(Step::Back(*group as usize)),
            Tree::Group(group, inner) => {
                self.steps.push(Step::Save(*group as usize * 2));
                self.compile(inner)?;
                self.steps.push(Step::Save(*group as usize * 2 + 1));
            }
            Tree::Sequence(parts) => parts.iter().try_for_each(|part| self.compile(part))?,
            Tree::Choice(parts) => {
                let mut ends = Vec::new();
                for (index, part) in parts.iter().enumerate() {
                    let last = index + 1 == parts.len();
                    let fork = self.steps.len();
                    if !last {
                        self.steps.push(Step::Fork(fork + 1, 0));
                    }
                    self.compile(part)?;
                    if !last {
                        ends.push(self.steps.len());
                        self.steps.push(Step::Jump(0));
                        self.steps[fork] = Step::Fork(fork + 1, self.steps.len());
                    }
                }
                let end = self.steps.len();
                ends.into_iter().for_each(|jump| self.steps[jump] = Step::Jump(end));
            }
            Tree::Repeat { what, min, max } => {
                for _ in 0..*min {
                    self.compile(what)?;
                }
                match max {
                    None => {
                        let slot = self.slots;
                        self.slots += 1;
                        let fork = self.steps.len();
                        self.steps.push(Step::Fork(fork + 1, 0));
                        self.steps.push(Step::Save(slot));
                        self.compile(what)?;
                        self.steps.push(Step::Moved(slot));
                        self.steps.push(Step::Jump(fork));
                        self.steps[fork] = Step::Fork(fork + 1, self.steps.len());
                    }
                    Some(max) => {
                        let mut forks = Vec::new();
                        for _ in *min..*max {
                            forks.push(self.steps.len());
                            self.steps.push(Step::Fork(0, 0));
                            self.compile(what)?;
                        }
                        let end = self.steps.len();
                        forks.into_iter().for_each(|fork| self.steps[fork] = Step::Fork(fork + 1, end));
                    }
                }
            }
        }
        Ok(())
    }

    /// The bounds of the leftmost match, the longest of those that patience finds, and of its subexpressions.
    pub fn captures(&self, text: &[u8], from: usize, groups: &mut Vec<Option<Range<usize>>>) -> bool {
        groups.clear();
        let mut patience = PATIENCE;
        for start in from..=text.len() {
            if let Some((end, slots)) = self.match_at(text, start, &mut patience) {
                groups.push(Some(start..end));
                groups.extend((1..self.groups).map(|group| {
                    let (first, last) = (slots[group * 2], slots[group * 2 + 1]);
                    (first != UNSET && last != UNSET && first <= last).then_some(first..last)
                }));
                return true;
            }
            if patience == 0 {
                break;
            }
        }
        false
    }

    fn match_at(&self, text: &[u8], start: usize, patience: &mut u32) -> Option<(usize, Vec<usize>)> {
        let mut slots = vec![UNSET; self.slots];
        let mut undo: Vec<Undo> = Vec::new();
        let mut best: Option<(usize, Vec<usize>)> = None;
        let (mut step, mut at) = (0, start);
        while *patience > 0 {
            *patience -= 1;
            let goes_on = match &self.steps[step] {
                Step::Byte(set) => {
                    text.get(at).is_some_and(|byte| set.contains(*byte)) && {
                        at += 1;
                        true
                    }
                }
                Step::Edge(edge) => holds(*edge, text, at),
                Step::Fork(first, second) => {
                    undo.push(Undo::Go { step: *second, at });
                    step = *first;
                    continue;
                }
                Step::Jump(to) => {
                    step = *to;
                    continue;
                }
                Step::Save(slot) => {
                    undo.push(Undo::Restore { slot: *slot, value: slots[*slot] });
                    slots[*slot] = at;
                    true
                }
                Step::Moved(slot) => slots[*slot] != at,
                Step::Back(group) => {
                    let (first, last) = (slots[group * 2], slots[group * 2 + 1]);
                    first != UNSET && last != UNSET && first <= last && {
                        let again = &text[first..last];
                        text[at..].starts_with(again) && {
                            at += again.len();
                            true
                        }
                    }
                }
                Step::Matched => {
                    if best.as_ref().is_none_or(|(end, _)| at > *end) {
                        best = Some((at, slots.clone()));
                    }
                    if at == text.len() {
                        return best;
                    }
                    false
                }
            };
            if goes_on {
                step += 1;
                continue;
            }
            loop {
                match undo.pop() {
                    None => return best,
                    Some(Undo::Restore { slot, value }) => slots[slot] = value,
                    Some(Undo::Go { step: back, at: position }) => {
                        (step, at) = (back, position);
                        break;
                    }
                }
            }
        }
        best
    }
}

fn holds(edge: Edge, text: &[u8], at: usize) -> bool {
    let before = at > 0 && is_word(text[at - 1]);
    let after = text.get(at).is_some_and(|byte| is_word(*byte));
    match edge {
        Edge::TextStart => at == 0,
        Edge::TextEnd => at == text.len(),
        Edge::LineStart => at == 0 || text[at - 1] == b'\n',
        Edge::LineEnd => at == text.len() || text[at] == b'\n',
        Edge::Word => before != after,
        Edge::NotWord => before == after,
        Edge::WordStart => !before && after,
        Edge::WordEnd => before && !after,
        Edge::FreeBefore => !before,
        Edge::FreeBehind => !after,
    }
}
