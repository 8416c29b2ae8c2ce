//! Basic and extended regular expressions, read as GNU reads them in the C locale (regex(7), POSIX.1 chapter 9, and GNU's `\+ \? \| \w \W \s
//! \S \b \B \< \> \` \'`). What comes out is a tree; finding what it matches is the matchers' business.

use super::bytes::ByteSet;

/// Where a match may begin and end.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Bounds {
    #[default]
    Any,
    /// It is no part of a longer word (grep -w).
    Word,
    /// It is the whole line (grep -x).
    Line,
}

impl Bounds {
    /// The expression with its bounds.
    pub fn around(self, tree: Tree) -> Tree {
        let (before, behind) = match self {
            Bounds::Any => return tree,
            Bounds::Word => (Edge::FreeBefore, Edge::FreeBehind),
            Bounds::Line => (Edge::TextStart, Edge::TextEnd),
        };
        Tree::Sequence(vec![Tree::Edge(before), tree, Tree::Edge(behind)])
    }
}

/// Text that stands for itself.
pub fn fixed(text: &[u8], ignore_case: bool) -> Tree {
    let one = |byte: &u8| {
        let set = ByteSet::one(*byte);
        Tree::Bytes(if ignore_case { set.folded() } else { set })
    };
    Tree::Sequence(text.iter().map(one).collect())
}

/// How an expression is written, and what becomes of an operator that has nothing before it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Syntax {
    pub extended: bool,
    pub ignore_case: bool,
    /// grep takes `*a` for `a`, and `{1` for itself; to sed both are mistakes.
    pub lenient: bool,
    /// `^` and `$` hold at every line of what is searched (sed's M).
    pub multi_line: bool,
    pub bounds: Bounds,
}

/// What holds between two bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Edge {
    LineStart,
    LineEnd,
    TextStart,
    TextEnd,
    Word,
    NotWord,
    WordStart,
    WordEnd,
    /// No letter of a word stands before, or behind (grep -w).
    FreeBefore,
    FreeBehind,
}

#[derive(Clone, PartialEq, Debug)]
pub enum Tree {
    Empty,
    Bytes(ByteSet),
    Edge(Edge),
    /// A subexpression with its number, from 1.
    Group(u32, Box<Tree>),
    Sequence(Vec<Tree>),
    Choice(Vec<Tree>),
    Repeat {
        what: Box<Tree>,
        min: u32,
        max: Option<u32>,
    },
    /// What the subexpression of this number matched, once more.
    Back(u32),
}

/// An expression as it was read.
pub struct Parsed {
    pub tree: Tree,
    pub groups: u32,
    pub refers_back: bool,
}

/// RE_DUP_MAX, as glibc has it.
const MOST_REPEATS: u32 = 32767;
/// Deeper nesting is refused: whoever walks the tree does it with the stack.
const DEEPEST: u32 = 200;

pub fn parse(text: &[u8], syntax: Syntax) -> Result<Parsed, &'static str> {
    let mut parser =
        Parser { text, at: 0, syntax, groups: 0, open: Vec::new(), closed: Vec::new(), back: false };
    let tree = parser.choice(0)?;
    if parser.at < text.len() {
        return Err("Unmatched ) or \\)");
    }
    let tree = syntax.bounds.around(tree);
    Ok(Parsed { tree, groups: parser.groups, refers_back: parser.back })
}

struct Parser<'a> {
    text: &'a [u8],
    at: usize,
    syntax: Syntax,
    groups: u32,
    open: Vec<u32>,
    closed: Vec<u32>,
    back: bool,
}

pub fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

impl Parser<'_> {
    fn rest(&self) -> &[u8] {
        &self.text[self.at..]
    }
    /// The operator `plain` in extended syntax, `\plain` in basic.
    fn sees(&self, operator: u8) -> bool {
        match self.rest() {
            [b'\\', b, ..] if !self.syntax.extended => *b == operator,
            [b, ..] if self.syntax.extended => *b == operator,
            _ => false,
        }
    }
    fn skip_operator(&mut self) {
        self.at += if self.syntax.extended { 1 } else { 2 };
    }

    fn choice(&mut self, depth: u32) -> Result<Tree, &'static str> {
        if depth > DEEPEST {
            return Err("Regular expression too big");
        }
        let mut choices = vec![self.sequence(depth)?];
        while self.sees(b'|') {
            self.skip_operator();
            choices.push(self.sequence(depth)?);
        }
        Ok(if choices.len() == 1 { choices.remove(0) } else { Tree::Choice(choices) })
    }

    fn sequence(&mut self, depth: u32) -> Result<Tree, &'static str> {
        let mut parts: Vec<Tree> = Vec::new();
        // Nothing that could be repeated stands before: a star is itself in basic syntax.
        let mut fresh = true;
        while self.at < self.text.len() && !self.sees(b'|') && !self.ends_group(depth) {
            if let Some((min, max)) = self.repeats(fresh)? {
                if fresh {
                    if !self.syntax.lenient {
                        return Err("Invalid preceding regular expression");
                    }
                    continue;
                }
                let what = parts.pop().expect("something stands before, for it is not fresh");
                parts.push(repeated(what, min, max));
                continue;
            }
            let (part, repeatable) = self.atom(depth, fresh)?;
            fresh = !repeatable;
            parts.push(part);
        }
        Ok(match parts.len() {
            0 => Tree::Empty,
            1 => parts.remove(0),
            _ => Tree::Sequence(parts),
        })
    }

    fn ends_group(&self, depth: u32) -> bool {
        self.sees(b')') && (depth > 0 || !(self.syntax.extended && self.syntax.lenient))
    }

    /// A repetition, if one stands here.
    fn repeats(&mut self, fresh: bool) -> Result<Option<(u32, Option<u32>)>, &'static str> {
        let extended = self.syntax.extended;
        if self.rest().first() == Some(&b'*') && (extended || !fresh) {
            self.at += 1;
            return Ok(Some((0, None)));
        }
        for (operator, min, max) in [(b'+', 1, None), (b'?', 0, Some(1))] {
            if self.sees(operator) && (extended || !fresh) {
                self.skip_operator();
                return Ok(Some((min, max)));
            }
        }
        if !self.sees(b'{') {
            return Ok(None);
        }
        let start = self.at;
        self.skip_operator();
        match self.interval() {
            Ok(bounds) => Ok(Some(bounds)),
            // GNU grep -E takes a brace that begins no interval for itself.
            Err(_) if extended && self.syntax.lenient => {
                self.at = start;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn number(&mut self) -> Option<u32> {
        let digits = self.rest().iter().take_while(|b| b.is_ascii_digit()).count();
        let text = std::str::from_utf8(&self.rest()[..digits]).expect("digits are ASCII");
        let number = if digits == 0 { None } else { Some(text.parse().unwrap_or(u32::MAX)) };
        self.at += digits;
        number
    }

    fn interval(&mut self) -> Result<(u32, Option<u32>), &'static str> {
        let min = self.number();
        let max = if self.rest().first() == Some(&b',') {
            self.at += 1;
            self.number()
        } else {
            min
        };
        let bounded = max.is_some() || self.text.get(self.at - 1) != Some(&b',');
        if !self.sees(b'}') {
            return Err(if self.rest().is_empty() {
                "Unmatched { or \\{"
            } else {
                "Invalid content of \\{\\}"
            });
        }
        self.skip_operator();
        let min = match (min, max) {
            (None, None) if bounded => return Err("Invalid content of \\{\\}"),
            (min, _) => min.unwrap_or(0),
        };
        if max.is_some_and(|max| max < min) {
            return Err("Invalid content of \\{\\}");
        }
        if min > MOST_REPEATS || max.is_some_and(|max| max > MOST_REPEATS) {
            return Err("Regular expression too big");
        }
        Ok((min, max))
    }

    /// One thing to match, and whether an operator may follow it.
    fn atom(&mut self, depth: u32, fresh: bool) -> Result<(Tree, bool), &'static str> {
        if self.sees(b'(') {
            self.skip_operator();
            self.groups += 1;
            let number = self.groups;
            self.open.push(number);
            let inner = self.choice(depth + 1)?;
            if !self.sees(b')') {
                return Err("Unmatched ( or \\(");
            }
            self.skip_operator();
            self.open.pop();
            self.closed.push(number);
            return Ok((Tree::Group(number, Box::new(inner)), true));
        }
        let byte = self.text[self.at];
        self.at += 1;
        match byte {
            b'\\' => self.escaped(),
            b'[' => Ok((Tree::Bytes(self.bracket()?), true)),
            b'.' => Ok((Tree::Bytes(ByteSet::all()), true)),
            b'^' if self.syntax.extended || (fresh && self.begins()) => {
                let edge = if self.syntax.multi_line { Edge::LineStart } else { Edge::TextStart };
                Ok((Tree::Edge(edge), false))
            }
            b'$' if self.syntax.extended || self.rest().is_empty() || self.sees(b'|') || self.sees(b')') => {
                let edge = if self.syntax.multi_line { Edge::LineEnd } else { Edge::TextEnd };
                Ok((Tree::Edge(edge), self.syntax.extended))
            }
            byte => Ok((self.literal(byte), true)),
        }
    }

    /// Whether the byte just read is the first of its expression, group or choice (basic syntax).
    fn begins(&self) -> bool {
        let before = &self.text[..self.at - 1];
        before.is_empty() || before.ends_with(b"\\(") || before.ends_with(b"\\|")
    }

    fn literal(&self, byte: u8) -> Tree {
        let set = ByteSet::one(byte);
        Tree::Bytes(if self.syntax.ignore_case { set.folded() } else { set })
    }

    fn escaped(&mut self) -> Result<(Tree, bool), &'static str> {
        let Some(byte) = self.text.get(self.at).copied() else { return Err("Trailing backslash") };
        self.at += 1;
        let space = ByteSet::class(b"space").expect("a class of ctype(3)");
        let tree = match byte {
            b'w' => Tree::Bytes(ByteSet::of(is_word)),
            b'W' => Tree::Bytes(ByteSet::of(is_word).complement()),
            b's' => Tree::Bytes(space),
            b'S' => Tree::Bytes(space.complement()),
            b'b' => Tree::Edge(Edge::Word),
            b'B' => Tree::Edge(Edge::NotWord),
            b'<' => Tree::Edge(Edge::WordStart),
            b'>' => Tree::Edge(Edge::WordEnd),
            b'`' => Tree::Edge(Edge::TextStart),
            b'\'' => Tree::Edge(Edge::TextEnd),
            b'1'..=b'9' => {
                let number = u32::from(byte - b'0');
                if !self.closed.contains(&number) {
                    return Err("Invalid back reference");
                }
                self.back = true;
                Tree::Back(number)
            }
            byte => self.literal(byte),
        };
        Ok((tree, true))
    }

    /// The rest of a bracket expression, behind its `[`.
    fn bracket(&mut self) -> Result<ByteSet, &'static str> {
        const UNMATCHED: &str = "Unmatched [, [^, [:, [., or [=";
        let negated = self.rest().first() == Some(&b'^');
        self.at += usize::from(negated);
        let mut set = ByteSet::default();
        let start = self.at;
        loop {
            let first = *self.rest().first().ok_or(UNMATCHED)?;
            if first == b']' && self.at > start {
                self.at += 1;
                break;
            }
            if let [b'[', b':', ..] = self.rest() {
                let name = self.named(b':').ok_or(UNMATCHED)?;
                let mut class = ByteSet::class(&name).ok_or("Invalid character class name")?;
                if self.syntax.ignore_case {
                    class = class.folded();
                }
                set.add(&class);
                continue;
            }
            let low = self.element()?;
            let ranges = matches!(self.rest(), [b'-', next, ..] if *next != b']');
            let high = if ranges {
                self.at += 1;
                self.element()?
            } else {
                low
            };
            if low > high {
                return Err("Invalid range end");
            }
            (low..=high).for_each(|byte| set.insert(byte));
        }
        if self.syntax.ignore_case {
            set = set.folded();
        }
        Ok(if negated { set.complement() } else { set })
    }

    /// One byte in brackets, `[.x.]` and `[=x=]` included.
    fn element(&mut self) -> Result<u8, &'static str> {
        const UNMATCHED: &str = "Unmatched [, [^, [:, [., or [=";
        match self.rest() {
            [b'[', mark @ (b'.' | b'='), ..] => {
                let mark = *mark;
                match self.named(mark).ok_or(UNMATCHED)?[..] {
                    [byte] => Ok(byte),
                    _ => Err("Invalid collation character"),
                }
            }
            [byte, ..] => {
                let byte = *byte;
                self.at += 1;
                Ok(byte)
            }
            [] => Err(UNMATCHED),
        }
    }

    /// What stands between `[m` and `m]`.
    fn named(&mut self, mark: u8) -> Option<Vec<u8>> {
        let rest = &self.rest()[2..];
        let len = rest.windows(2).position(|pair| pair == [mark, b']'])?;
        let name = rest[..len].to_vec();
        self.at += len + 4;
        Some(name)
    }
}

/// `what` so many times; a repetition of a repetition is one where that is the same, so that `a**` costs what `a*` does.
fn repeated(what: Tree, min: u32, max: Option<u32>) -> Tree {
    match what {
        Tree::Repeat { min: 0, max: None, .. } if min <= 1 => what,
        Tree::Repeat { what, min: 1, max: None } if max.is_none() && min <= 1 => {
            Tree::Repeat { what, min, max }
        }
        what => Tree::Repeat { what: Box::new(what), min, max },
    }
}
