//! Modes as chmod(1) writes them: octal, or `u+rw,go-w,a=X`.

/// What becomes of a mode.
#[derive(Clone, PartialEq, Debug)]
pub struct Change(Vec<Clause>);

#[derive(Clone, PartialEq, Debug)]
enum Clause {
    /// The bits, all of them.
    Octal { bits: u32, special: bool },
    /// Whom it concerns (none: everybody, but for the umask), `+`, `-` or `=`, and what.
    Symbolic { who: u32, sign: u8, what: What },
}

#[derive(Clone, PartialEq, Debug)]
enum What {
    /// rwx in all three places, s and t in theirs; and X.
    Bits { bits: u32, search: bool },
    /// Those of the user, group or others.
    Of(u32),
}

pub fn parse(text: &[u8]) -> Option<Change> {
    if text.first()?.is_ascii_digit() {
        let bits = text.iter().try_fold(0u32, |bits, b| match b {
            b'0'..=b'7' => Some((bits << 3) | u32::from(b - b'0')).filter(|bits| *bits <= 0o7777),
            _ => None,
        })?;
        return Some(Change(vec![Clause::Octal { bits, special: text.len() > 4 }]));
    }
    let mut clauses = Vec::new();
    for clause in text.split(|b| *b == b',') {
        let mut rest = clause;
        let mut who = 0;
        while let [letter @ (b'u' | b'g' | b'o' | b'a'), tail @ ..] = rest {
            who |= match letter {
                b'u' => 0o4700,
                b'g' => 0o2070,
                b'o' => 0o1007,
                _ => 0o7777,
            };
            rest = tail;
        }
        if rest.is_empty() {
            return None;
        }
        while let [sign @ (b'+' | b'-' | b'='), tail @ ..] = rest {
            rest = tail;
            let what = match rest {
                [letter @ (b'u' | b'g' | b'o'), tail @ ..] => {
                    rest = tail;
                    What::Of(match letter {
                        b'u' => 6,
                        b'g' => 3,
                        _ => 0,
                    })
                }
                [b'0'..=b'7', ..] => {
                    let digits = rest.iter().take_while(|b| (b'0'..=b'7').contains(*b)).count();
                    let bits = rest[..digits].iter().fold(0u32, |bits, b| (bits << 3) | u32::from(b - b'0'));
                    rest = &rest[digits..];
                    What::Bits { bits: bits & 0o7777, search: false }
                }
                _ => {
                    let (mut bits, mut search) = (0, false);
                    while let [letter, tail @ ..] = rest {
                        match letter {
                            b'r' => bits |= 0o444,
                            b'w' => bits |= 0o222,
                            b'x' => bits |= 0o111,
                            b's' => bits |= 0o6000,
                            b't' => bits |= 0o1000,
                            b'X' => search = true,
                            _ => break,
                        }
                        rest = tail;
                    }
                    What::Bits { bits, search }
                }
            };
            clauses.push(Clause::Symbolic { who, sign: *sign, what });
        }
        if !rest.is_empty() {
            return None;
        }
    }
    Some(Change(clauses))
}

impl Change {
    /// What `mode` becomes.
    pub fn apply(&self, mode: u32, dir: bool, umask: u32) -> u32 {
        self.0.iter().fold(mode, |mode, clause| match clause {
            // A directory keeps its set-id bits where the digits do not reach to them.
            Clause::Octal { bits, special } if dir && !special => bits | (mode & 0o6000),
            Clause::Octal { bits, .. } => *bits,
            Clause::Symbolic { who, sign, what } => {
                let bits = match what {
                    What::Of(shift) => ((mode >> shift) & 7) * 0o111,
                    What::Bits { bits, search } => {
                        let searched = *search && (dir || mode & 0o111 != 0);
                        bits | if searched { 0o111 } else { 0 }
                    }
                };
                let (concerned, given) = if *who == 0 { (0o7777, bits & !umask) } else { (*who, bits & who) };
                match sign {
                    b'+' => mode | given,
                    b'-' => mode & !given,
                    _ => {
                        let kept = if dir { 0o6000 & !(bits & 0o6000) } else { 0 };
                        (mode & !(concerned & !kept)) | given
                    }
                }
            }
        })
    }
}

/// `rwxr-xr-x`, with the set-id and sticky bits as ls shows them.
pub fn shown(bits: u32) -> String {
    let mut text = String::new();
    for (shift, special, letter) in [(6, 0o4000, 's'), (3, 0o2000, 's'), (0, 0o1000, 't')] {
        let digit = bits >> shift;
        text.push(if digit & 4 != 0 { 'r' } else { '-' });
        text.push(if digit & 2 != 0 { 'w' } else { '-' });
        text.push(match (digit & 1 != 0, bits & special != 0) {
            (true, false) => 'x',
            (false, false) => '-',
            (true, true) => letter,
            (false, true) => letter.to_ascii_uppercase(),
        });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_changed_as_chmod_does() {
        for (text, mode, dir, becomes) in [
            ("755", 0o644, false, 0o755),
            ("u+x", 0o644, false, 0o744),
            ("go-rwx", 0o755, false, 0o700),
            ("+x", 0o644, false, 0o755),
            ("+w", 0o444, false, 0o644),
            ("a+X", 0o644, false, 0o644),
            ("a+X", 0o644, true, 0o755),
            ("u=rw,g=u,o=", 0o777, false, 0o660),
            ("u+s,+t", 0o755, false, 0o5755),
            ("755", 0o2700, true, 0o2755),
            ("g=o", 0o604, false, 0o644),
        ] {
            let change = parse(text.as_bytes()).unwrap();
            assert_eq!(change.apply(mode, dir, 0o022), becomes, "{text} of {mode:o}");
        }
        assert!(
            parse(b"u+q").is_none()
                && parse(b"99").is_none()
                && parse(b"").is_none()
                && parse(b"u").is_none()
        );
        assert_eq!(shown(0o5754), "rwsr-xr-T");
    }
}
