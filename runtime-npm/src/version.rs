//! Versions, and ranges of them, as npm's `semver` reads them where nothing has to be forgiven
//! (<https://github.com/npm/node-semver#ranges>).

use crate::unusual::{Plain, Unusual};
use std::cmp::Ordering;
use std::fmt;

/// Beyond it JavaScript's numbers leave some out.
const MOST: u64 = (1 << 53) - 1;

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Version {
    numbers: [u64; 3],
    /// Before that version, where there is any.
    pre: Vec<Part>,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Part {
    Number(u64),
    Word(String),
}

fn unusual(text: &str) -> Unusual {
    Unusual::new(format!("the version {text}"))
}

fn number(text: &str) -> Option<u64> {
    let is = !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|number| is && *number <= MOST)
}

fn pre(text: &str) -> Option<Vec<Part>> {
    let part = |text: &str| {
        if let Some(number) = number(text) {
            return Some(Part::Number(number));
        }
        let is_word = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        let has_letter = text.bytes().any(|byte| !byte.is_ascii_digit());
        (is_word && has_letter).then(|| Part::Word(text.to_owned()))
    };
    text.split('.').map(part).collect()
}

impl Ord for Version {
    fn cmp(&self, other: &Version) -> Ordering {
        self.numbers.cmp(&other.numbers).then_with(|| match (self.pre.is_empty(), other.pre.is_empty()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) => self.pre.cmp(&other.pre),
        })
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Version) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.numbers;
        write!(f, "{major}.{minor}.{patch}")?;
        for (at, part) in self.pre.iter().enumerate() {
            f.write_str(if at == 0 { "-" } else { "." })?;
            match part {
                Part::Number(number) => write!(f, "{number}")?,
                Part::Word(word) => f.write_str(word)?,
            }
        }
        Ok(())
    }
}

impl Version {
    pub fn parse(text: &str) -> Plain<Version> {
        match Partial::parse(text).ok_or_else(|| unusual(text))? {
            Partial { numbers, known: 3, pre } => Ok(Version { numbers, pre }),
            _ => Err(unusual(text)),
        }
    }

    fn release(numbers: [u64; 3]) -> Version {
        Version { numbers, pre: Vec::new() }
    }
    /// Before all that comes before it.
    fn first(numbers: [u64; 3]) -> Version {
        Version { numbers, pre: vec![Part::Number(0)] }
    }
}

/// A version whose last numbers may be missing, or `x`.
struct Partial {
    /// Zero where they are not known.
    numbers: [u64; 3],
    known: usize,
    pre: Vec<Part>,
}

impl Partial {
    fn parse(text: &str) -> Option<Partial> {
        let (text, build) = text.split_once('+').map_or((text, None), |(text, build)| (text, Some(build)));
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-.".contains(&byte);
        if build.is_some_and(|build| build.is_empty() || !build.bytes().all(plain)) {
            return None;
        }
        let (text, before) = text.split_once('-').map_or((text, None), |(text, before)| (text, Some(before)));
        let (mut numbers, mut known, mut open) = ([0; 3], 0, false);
        for (at, part) in text.split('.').enumerate() {
            match part {
                _ if at == 3 => return None,
                "x" | "X" | "*" => open = true,
                _ if open => return None,
                part => {
                    numbers[at] = number(part)?;
                    known = at + 1;
                }
            }
        }
        let pre = match before {
            Some(_) if known < 3 => return None,
            Some(before) => pre(before)?,
            None => Vec::new(),
        };
        Some(Partial { numbers, known, pre })
    }

    fn low(&self) -> Version {
        Version { numbers: self.numbers, pre: self.pre.clone() }
    }
    /// The first that differs in one of the first `places` numbers.
    fn next(&self, places: usize) -> [u64; 3] {
        let mut numbers = [0; 3];
        numbers[..places].copy_from_slice(&self.numbers[..places]);
        numbers[places - 1] += 1;
        numbers
    }
}

#[derive(Clone, Copy, Debug)]
enum Is {
    Below,
    AtMost,
    AtLeast,
    Above,
    Equal,
}

/// Alternatives, in each of which all must hold.
#[derive(Debug)]
pub struct Range(Vec<Vec<(Is, Version)>>);

impl Range {
    pub fn parse(text: &str) -> Plain<Range> {
        let alternatives = text.split("||").map(|part| alternative(part.trim()));
        Ok(Range(alternatives.collect::<Option<_>>().ok_or_else(|| unusual(text))?))
    }

    pub fn has(&self, version: &Version) -> bool {
        self.0.iter().any(|all| {
            let holds = |(is, bound): &(Is, Version)| match is {
                Is::Below => version < bound,
                Is::AtMost => version <= bound,
                Is::AtLeast => version >= bound,
                Is::Above => version > bound,
                Is::Equal => version == bound,
            };
            // What is not released counts only where it is asked for.
            let asked =
                |(_, bound): &(Is, Version)| !bound.pre.is_empty() && bound.numbers == version.numbers;
            all.iter().all(holds) && (version.pre.is_empty() || all.iter().any(asked))
        })
    }
}

/// What is compatible with a version (`^`), or it alone.
#[derive(Clone, Copy)]
pub enum From<'v> {
    Compatible(&'v Version),
    Exactly(&'v Version),
}

impl Range {
    /// Whether all of it is in one of the alternatives, as `semver.subset` tells; none where something is not released yet.
    pub fn has_all(&self, of: From<'_>) -> Option<bool> {
        let (From::Compatible(low) | From::Exactly(low)) = of;
        let is_exact = matches!(of, From::Exactly(_));
        let first = [Part::Number(0)];
        let bounds = || self.0.iter().flatten();
        let is_known = |(is, bound): &(Is, Version)| {
            bound.pre.is_empty() || matches!(is, Is::Below) && bound.pre == first
        };
        if !low.pre.is_empty() || !bounds().all(is_known) {
            return None;
        }
        let known = Partial { numbers: low.numbers, known: 3, pre: Vec::new() };
        let places = low.numbers.iter().position(|number| *number > 0).map_or(3, |at| at + 1);
        let end = Version::first(known.next(places));
        let holds = |(is, bound): &(Is, Version)| match is {
            Is::AtLeast => low >= bound,
            Is::Above => low > bound,
            Is::Below => {
                if is_exact {
                    low < bound
                } else {
                    end <= *bound
                }
            }
            Is::AtMost => {
                if is_exact {
                    low <= bound
                } else {
                    end <= *bound
                }
            }
            Is::Equal => is_exact && low == bound,
        };
        Some(self.0.iter().any(|all| all.iter().all(holds)))
    }
}

fn alternative(text: &str) -> Option<Vec<(Is, Version)>> {
    let words: Vec<&str> = text.split_whitespace().collect();
    if let [from, "-", to] = words[..] {
        return between(Partial::parse(from)?, Partial::parse(to)?);
    }
    let (mut bounds, mut words) = (Vec::new(), words.into_iter());
    while let Some(word) = words.next() {
        let at = word.find(|sign: char| !"<>=~^".contains(sign)).unwrap_or(word.len());
        let (sign, version) = word.split_at(at);
        // There may be a space between the two.
        let version = if version.is_empty() && !sign.is_empty() { words.next()? } else { version };
        bounds.extend(bound(sign, &Partial::parse(version.strip_prefix('v').unwrap_or(version))?)?);
    }
    Some(bounds)
}

fn between(from: Partial, to: Partial) -> Option<Vec<(Is, Version)>> {
    let end = match to.known {
        0 => return None,
        3 => (Is::AtMost, to.low()),
        places => (Is::Below, Version::first(to.next(places))),
    };
    (from.known > 0).then(|| vec![(Is::AtLeast, from.low()), end])
}

fn bound(sign: &str, of: &Partial) -> Option<Vec<(Is, Version)>> {
    let below = |places: usize| (Is::Below, Version::first(of.next(places)));
    let from = (Is::AtLeast, of.low());
    if of.known == 0 {
        // Of what is not known all or nothing is meant; nothing is left to others.
        return matches!(sign, "" | "=" | "^" | "~" | "~>" | ">=")
            .then(|| vec![(Is::AtLeast, Version::release([0; 3]))]);
    }
    Some(match (sign, of.known) {
        ("^", known) => {
            // Up to the first number that is not zero.
            let first = of.numbers[..known].iter().position(|number| *number > 0);
            vec![from, below(first.map_or(known, |at| at + 1))]
        }
        ("~" | "~>", known) => vec![from, below(known.min(2))],
        ("" | "=", 3) => vec![(Is::Equal, of.low())],
        ("" | "=", known) => vec![from, below(known)],
        (">=", _) => vec![from],
        (">", 3) => vec![(Is::Above, of.low())],
        (">", known) => vec![(Is::AtLeast, Version::release(of.next(known)))],
        ("<", 3) => vec![(Is::Below, of.low())],
        ("<", _) => vec![(Is::Below, Version::first(of.numbers))],
        ("<=", 3) => vec![(Is::AtMost, of.low())],
        ("<=", known) => vec![below(known)],
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        Version::parse(text).expect(text)
    }

    #[test]
    fn what_is_compatible_lies_in_a_range_or_not() {
        let all = |range: &str, of: &str| {
            let version = version(of.trim_start_matches('^'));
            let of = if of.starts_with('^') { From::Compatible(&version) } else { From::Exactly(&version) };
            Range::parse(range).expect(range).has_all(of)
        };
        for (range, of) in [
            ("4", "^4.21.2"),
            ("^4", "^4.21.2"),
            (">=1", "^4.21.2"),
            ("1 || 4", "^4.1.0"),
            ("~0.3", "^0.3.1"),
            ("<5", "^4.0.0"),
            ("*", "^1.0.0"),
            ("<=5.0.0", "^4.0.0"),
            ("~1.2", "1.2.3"),
            ("<=1.2.3", "1.2.3"),
        ] {
            assert_eq!(all(range, of), Some(true), "{range} {of}");
        }
        for (range, of) in [
            ("~4.1", "^4.1.0"),
            ("4.1.x", "^4.1.0"),
            (">=1 <4.9", "^4.1.0"),
            (">=3 <4.5 || >=4.5 <5", "^4.1.0"),
            ("^1", "2.0.0"),
        ] {
            assert_eq!(all(range, of), Some(false), "{range} {of}");
        }
        assert_eq!(all("^1.0.0-beta.1", "^1.2.0"), None);
        assert_eq!(all("^1", "^1.2.0-beta.1"), None);
    }

    #[test]
    fn versions_are_in_their_order() {
        let sorted = [
            "0.9.9",
            "1.0.0-0",
            "1.0.0-1",
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-beta",
            "1.0.0",
            "1.0.1",
            "1.10.0",
        ];
        for pair in sorted.windows(2) {
            assert!(version(pair[0]) < version(pair[1]), "{pair:?}");
        }
        assert_eq!(version("1.0.0+a"), version("1.0.0+b"));
        assert_eq!(version("1.0.0-rc.1").to_string(), "1.0.0-rc.1");
        for bad in [
            "1",
            "1.0",
            "1.0.0.0",
            "01.0.0",
            "1.0.0-",
            "1.0.0-a..b",
            "1.0.0-01",
            "a.b.c",
            "",
            "1.0.x",
            "1.0.0-é",
        ] {
            assert!(Version::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn ranges_have_what_npm_says_that_they_have() {
        for (range, has, lacks) in [
            ("^1.2.3", "1.9.0", "2.0.0"),
            ("^0.2.3", "0.2.9", "0.3.0"),
            ("^0.0.3", "0.0.3", "0.0.4"),
            ("^0.0", "0.0.9", "0.1.0"),
            ("^0.x", "0.9.0", "1.0.0"),
            ("^1", "1.0.0", "2.0.0-0"),
            ("^1.0.0-beta.2", "1.0.0-beta.3", "1.0.1-beta.3"),
            ("~1.2", "1.2.9", "1.3.0"),
            ("~1", "1.9.9", "2.0.0"),
            ("~> 1.2.3", "1.2.9", "1.2.2"),
            ("1.x", "1.0.0", "2.0.0"),
            ("1.2.*", "1.2.0", "1.3.0"),
            ("*", "3.0.0", "3.0.0-a"),
            ("", "3.0.0", "3.0.0-a"),
            (">= 1.0.0 <2", "1.9.0", "2.0.0-0"),
            (">1", "2.0.0", "1.9.9"),
            (">1.2", "1.3.0", "1.2.9"),
            ("<=1", "1.9.9", "2.0.0"),
            ("<1.2", "1.1.9", "1.2.0"),
            ("=v1.2.3", "1.2.3", "1.2.4"),
            ("1.2.3 - 2.3", "2.3.9", "2.4.0"),
            ("1.2 - 2.3.4", "2.3.4", "2.3.5"),
            ("1 || >=2.5.0 || 5.0.0 - 7.2.3", "2.5.0", "2.4.0"),
        ] {
            let range = (range, Range::parse(range).expect(range));
            assert!(range.1.has(&version(has)), "{} {has}", range.0);
            assert!(!range.1.has(&version(lacks)), "{} {lacks}", range.0);
        }
        for other in ["latest", "1.x-beta", "x.1", ">", "=>1", "1 - *", "<*", "git://x", "1,2", "1.2.3.4"] {
            assert!(Range::parse(other).is_err(), "{other}");
        }
    }
}
