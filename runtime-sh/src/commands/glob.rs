//! File name patterns as fnmatch(3) has them: `*`, `?`, brackets, a backslash before what stands for itself. A leading dot and a slash are
//! bytes like others, as find and grep want it.

use super::pattern::ByteSet;

#[derive(Clone, Debug)]
enum Piece {
    Many,
    One(ByteSet),
}

/// A pattern to match whole names with.
#[derive(Clone, Debug)]
pub struct Glob(Vec<Piece>);

impl Glob {
    pub fn new(text: &[u8], ignore_case: bool) -> Glob {
        let mut pieces = Vec::new();
        let mut at = 0;
        let fold = |set: ByteSet| if ignore_case { set.folded() } else { set };
        while at < text.len() {
            match text[at] {
                b'*' => {
                    if !matches!(pieces.last(), Some(Piece::Many)) {
                        pieces.push(Piece::Many);
                    }
                    at += 1;
                }
                b'?' => {
                    pieces.push(Piece::One(ByteSet::all()));
                    at += 1;
                }
                b'[' if let Some((set, len)) = bracket(&text[at..]) => {
                    pieces.push(Piece::One(fold(set)));
                    at += len;
                }
                b'\\' if at + 1 < text.len() => {
                    pieces.push(Piece::One(fold(ByteSet::one(text[at + 1]))));
                    at += 2;
                }
                byte => {
                    pieces.push(Piece::One(fold(ByteSet::one(byte))));
                    at += 1;
                }
            }
        }
        Glob(pieces)
    }

    pub fn matches(&self, name: &[u8]) -> bool {
        let (mut piece, mut at) = (0, 0);
        // Where to go on if the last star takes a byte more: it never helps to give an earlier one more.
        let mut star: Option<(usize, usize)> = None;
        loop {
            match self.0.get(piece) {
                Some(Piece::Many) => {
                    star = Some((piece + 1, at));
                    piece += 1;
                    continue;
                }
                Some(Piece::One(set)) if name.get(at).is_some_and(|byte| set.contains(*byte)) => {
                    piece += 1;
                    at += 1;
                    continue;
                }
                None if at == name.len() => return true,
                _ => {}
            }
            match star {
                Some((behind, taken)) if taken < name.len() => {
                    star = Some((behind, taken + 1));
                    (piece, at) = (behind, taken + 1);
                }
                _ => return false,
            }
        }
    }
}

/// The bracket expression that `text` begins with, and its length; none where it does not end.
fn bracket(text: &[u8]) -> Option<(ByteSet, usize)> {
    let mut at = 1;
    let negated = matches!(text.get(at), Some(b'!' | b'^'));
    at += usize::from(negated);
    let start = at;
    let mut set = ByteSet::default();
    loop {
        match &text[at..] {
            [] => return None,
            [b']', ..] if at > start => break,
            [b'[', b':', rest @ ..] if let Some(len) = rest.windows(2).position(|pair| pair == b":]") => {
                set.add(&ByteSet::class(&rest[..len]).unwrap_or_default());
                at += len + 4;
            }
            [b'\\', byte, ..] => {
                set.insert(*byte);
                at += 2;
            }
            [low, b'-', high, ..] if *high != b']' => {
                (*low..=*high).for_each(|byte| set.insert(byte));
                at += 3;
            }
            [byte, ..] => {
                set.insert(*byte);
                at += 1;
            }
        }
    }
    Some((if negated { set.complement() } else { set }, at + 1))
}

#[cfg(test)]
mod tests {
    use super::Glob;

    #[test]
    fn names_match_as_fnmatch_has_it() {
        for (pattern, name, matches) in [
            ("*.rs", "main.rs", true),
            ("*.rs", ".rs", true),
            ("a*b*c", "aXbYbc", true),
            ("a*b*c", "aXbYb", false),
            ("[!a-c]?", "d1", true),
            ("[!a-c]?", "b1", false),
            ("[]x]", "]", true),
            ("\\*", "*", true),
            ("\\*", "x", false),
            ("[[:digit:]]*", "7up", true),
            ("[", "[", true),
            ("", "", true),
            ("*", "", true),
        ] {
            assert_eq!(
                Glob::new(pattern.as_bytes(), false).matches(name.as_bytes()),
                matches,
                "{pattern} {name}"
            );
        }
        assert!(Glob::new(b"*.TXT", true).matches(b"a.txt"));
    }

    #[test]
    fn many_stars_take_no_time() {
        let pattern = "*a".repeat(30) + "b";
        assert!(!Glob::new(pattern.as_bytes(), false).matches("a".repeat(2000).as_bytes()));
    }
}
