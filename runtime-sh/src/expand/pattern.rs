//! Patterns (POSIX.1, 2.14): `*`, `?` and `[…]`, matched by all ways at once, so that no pattern takes longer than its length times
//! the text's.

/// A pattern's parts.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Piece {
    Byte(u8),
    Any,
    Star,
    Set { not: bool, ranges: Vec<(u8, u8)>, classes: Vec<fn(&u8) -> bool> },
}

/// A pattern, ready to be matched.
#[derive(Clone, Debug)]
pub(crate) struct Pattern(Vec<Piece>);

impl Pattern {
    /// Of bytes, and for each whether it stands only for itself.
    pub fn new(bytes: &[u8], literal: &dyn Fn(usize) -> bool) -> Pattern {
        let mut pieces = Vec::with_capacity(bytes.len());
        let mut at = 0;
        while at < bytes.len() {
            let byte = bytes[at];
            at += 1;
            pieces.push(match byte {
                _ if literal(at - 1) => Piece::Byte(byte),
                b'*' if pieces.last() == Some(&Piece::Star) => continue,
                b'*' => Piece::Star,
                b'?' => Piece::Any,
                b'[' => match set(bytes, literal, at) {
                    Some((piece, end)) => {
                        at = end;
                        piece
                    }
                    None => Piece::Byte(b'['),
                },
                b'\\' if at < bytes.len() => {
                    at += 1;
                    Piece::Byte(bytes[at - 1])
                }
                _ => Piece::Byte(byte),
            });
        }
        Pattern(pieces)
    }

    /// A pattern as it is written: a backslash takes the next byte's meaning.
    #[cfg(test)]
    pub fn parse(bytes: &[u8]) -> Pattern {
        Pattern::new(bytes, &|_| false)
    }

    /// Whether a text that begins with a dot is matched as names are: only where the dot is written.
    pub fn begins_with_dot(&self) -> bool {
        self.0.first() == Some(&Piece::Byte(b'.'))
    }

    pub fn reversed(mut self) -> Pattern {
        self.0.reverse();
        self
    }

    pub fn matches(&self, text: &[u8]) -> bool {
        let mut matching = Matching::new(self);
        for byte in text {
            matching.step(*byte);
            if matching.is_lost() {
                return false;
            }
        }
        matching.is_whole()
    }
}

/// What follows a `[`: the set, and where it ends.
fn set(bytes: &[u8], literal: &dyn Fn(usize) -> bool, mut at: usize) -> Option<(Piece, usize)> {
    let plain = |at: usize, byte: u8| bytes.get(at) == Some(&byte) && !literal(at);
    let not = plain(at, b'!') || plain(at, b'^');
    at += usize::from(not);
    let (mut ranges, mut classes) = (Vec::new(), Vec::new());
    let first = at;
    loop {
        let byte = *bytes.get(at)?;
        if byte == b']' && !literal(at) && at > first {
            return Some((Piece::Set { not, ranges, classes }, at + 1));
        }
        if plain(at, b'[') && plain(at + 1, b':') {
            let end = bytes[at + 2..].windows(2).position(|two| two == b":]").map(|end| at + 2 + end);
            if let Some((end, class)) = end.and_then(|end| Some((end, class(&bytes[at + 2..end])?))) {
                classes.push(class);
                at = end + 2;
                continue;
            }
        }
        let mut low = byte;
        if byte == b'\\' && !literal(at) && at + 1 < bytes.len() {
            at += 1;
            low = bytes[at];
        }
        at += 1;
        let mut high = low;
        if plain(at, b'-') && bytes.get(at + 1).is_some_and(|b| *b != b']' || literal(at + 1)) {
            at += 1;
            if plain(at, b'\\') && at + 1 < bytes.len() {
                at += 1;
            }
            high = bytes[at];
            at += 1;
        }
        ranges.push((low, high));
    }
}

fn class(name: &[u8]) -> Option<fn(&u8) -> bool> {
    Some(match name {
        b"alnum" => u8::is_ascii_alphanumeric,
        b"alpha" => u8::is_ascii_alphabetic,
        b"blank" => |b| matches!(b, b' ' | b'\t'),
        b"cntrl" => u8::is_ascii_control,
        b"digit" => u8::is_ascii_digit,
        b"graph" => u8::is_ascii_graphic,
        b"lower" => u8::is_ascii_lowercase,
        b"print" => |b| b.is_ascii_graphic() || *b == b' ',
        b"punct" => u8::is_ascii_punctuation,
        b"space" => |b| b.is_ascii_whitespace() || *b == 11,
        b"upper" => u8::is_ascii_uppercase,
        b"xdigit" => u8::is_ascii_hexdigit,
        _ => return None,
    })
}

impl Piece {
    fn takes(&self, byte: u8) -> bool {
        match self {
            Piece::Byte(own) => *own == byte,
            Piece::Any | Piece::Star => true,
            Piece::Set { not, ranges, classes } => {
                let inside = ranges.iter().any(|(low, high)| (*low..=*high).contains(&byte))
                    || classes.iter().any(|class| class(&byte));
                inside != *not
            }
        }
    }
}

/// A text being matched, a byte at a time.
pub(crate) struct Matching<'p> {
    pattern: &'p [Piece],
    /// How far into the pattern the text so far can have come.
    reached: Vec<usize>,
    next: Vec<usize>,
}

impl<'p> Matching<'p> {
    pub fn new(pattern: &'p Pattern) -> Matching<'p> {
        let mut matching = Matching { pattern: &pattern.0, reached: Vec::new(), next: Vec::new() };
        matching.reach(0);
        std::mem::swap(&mut matching.reached, &mut matching.next);
        matching
    }
    fn reach(&mut self, mut state: usize) {
        // States come in order: one that is there already is the last.
        while self.next.last().is_none_or(|last| *last < state) {
            self.next.push(state);
            if self.pattern.get(state) != Some(&Piece::Star) {
                break;
            }
            state += 1;
        }
    }
    pub fn step(&mut self, byte: u8) {
        self.next.clear();
        for index in 0..self.reached.len() {
            let state = self.reached[index];
            match self.pattern.get(state) {
                Some(Piece::Star) => self.reach(state),
                Some(piece) if piece.takes(byte) => self.reach(state + 1),
                _ => {}
            }
        }
        std::mem::swap(&mut self.reached, &mut self.next);
    }
    /// Whether the text so far is all that the pattern asks for.
    pub fn is_whole(&self) -> bool {
        self.reached.last() == Some(&self.pattern.len())
    }
    /// Whether nothing that follows can match any more.
    pub fn is_lost(&self) -> bool {
        self.reached.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_sets_and_classes_match_what_posix_says() {
        let yes: [(&str, &str); 12] = [
            ("*", ""),
            ("a*c", "abc"),
            ("a*c", "ac"),
            ("?b", "ab"),
            ("[a-c]x", "bx"),
            ("[!a-c]x", "dx"),
            ("[]a]", "]"),
            ("[[:digit:]]*", "1a"),
            ("a\\*", "a*"),
            ("*.*", "a.b.c"),
            ("[a", "[a"),
            ("**a**", "xay"),
        ];
        for (pattern, text) in yes {
            assert!(Pattern::parse(pattern.as_bytes()).matches(text.as_bytes()), "{pattern} {text}");
        }
        for (pattern, text) in
            [("a", "ab"), ("?", ""), ("[!a]", "a"), ("a\\*", "ab"), ("*b", "abc"), ("[b-a]", "a")]
        {
            assert!(!Pattern::parse(pattern.as_bytes()).matches(text.as_bytes()), "{pattern} {text}");
        }
    }

    #[test]
    fn a_pattern_of_many_stars_takes_no_longer_for_it() {
        let pattern = Pattern::parse("*a".repeat(64).as_bytes());
        assert!(
            !pattern.matches(&[b'a'; 20_000].map(|b| b).iter().chain(b"b").copied().collect::<Vec<u8>>())
        );
    }
}
