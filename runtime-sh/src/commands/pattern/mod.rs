//! Regular expressions as grep and sed have them: basic and extended syntax, bytes and not characters, the leftmost longest match.
//!
//! Reading an expression is `syntax`; finding what it matches is `automaton`, and `backtrack` where it refers back to its own parts. What
//! is done with a match is left to the commands.

mod automaton;
mod backtrack;
mod bytes;
mod syntax;

pub use bytes::ByteSet;
pub use syntax::{Bounds, Syntax};

use automaton::Automaton;
use backtrack::Backtracker;
use std::ops::Range;
use syntax::{Parsed, Tree};

/// The whole match, then each subexpression; one that took no part has no bounds.
pub type Groups = Vec<Option<Range<usize>>>;

/// A compiled expression.
pub struct Pattern {
    matcher: Matcher,
    groups: usize,
}

enum Matcher {
    Automaton(Box<Automaton>),
    Backtracker(Backtracker),
}

impl Pattern {
    pub fn new(text: &[u8], syntax: Syntax) -> Result<Pattern, &'static str> {
        let parsed = syntax::parse(text, syntax)?;
        let matcher = if parsed.refers_back {
            Matcher::Backtracker(Backtracker::new(&parsed)?)
        } else {
            Matcher::Automaton(Box::new(Automaton::new(&parsed)?))
        };
        Ok(Pattern { matcher, groups: parsed.groups as usize })
    }

    /// All of `texts` in one, each for itself and without subexpressions: as many patterns as it takes, of which any may match.
    pub fn any(texts: &[Vec<u8>], syntax: Syntax, fixed: bool) -> Result<Vec<Pattern>, &'static str> {
        let mut patterns = Vec::new();
        let mut choices = Vec::new();
        for text in texts {
            if fixed {
                choices.push(syntax.bounds.around(syntax::fixed(text, syntax.ignore_case)));
                continue;
            }
            let parsed = syntax::parse(text, syntax)?;
            if parsed.refers_back {
                let matcher = Matcher::Backtracker(Backtracker::new(&parsed)?);
                patterns.push(Pattern { matcher, groups: parsed.groups as usize });
            } else {
                choices.push(ungrouped(parsed.tree));
            }
        }
        if !choices.is_empty() {
            let tree = if choices.len() == 1 { choices.remove(0) } else { Tree::Choice(choices) };
            let automaton = Automaton::new(&Parsed { tree, groups: 0, refers_back: false })?;
            patterns.push(Pattern { matcher: Matcher::Automaton(Box::new(automaton)), groups: 0 });
        }
        Ok(patterns)
    }

    /// An expression in Perl's syntax; the error says what is not understood.
    pub fn perl(text: &str, ignore_case: bool) -> Result<Pattern, String> {
        Ok(Pattern { matcher: Matcher::Automaton(Box::new(Automaton::perl(text, ignore_case)?)), groups: 0 })
    }

    /// How many subexpressions it has.
    pub fn groups(&self) -> usize {
        self.groups
    }

    pub fn is_match(&self, text: &[u8]) -> bool {
        match &self.matcher {
            Matcher::Automaton(automaton) => automaton.is_match(text, 0),
            Matcher::Backtracker(backtracker) => backtracker.captures(text, 0, &mut Vec::new()),
        }
    }

    /// The leftmost longest match that begins at `from` or later; what lies before is seen as context.
    pub fn find(&self, text: &[u8], from: usize) -> Option<Range<usize>> {
        match &self.matcher {
            Matcher::Automaton(automaton) => automaton.find(text, from),
            Matcher::Backtracker(backtracker) => {
                let mut groups = Vec::new();
                backtracker.captures(text, from, &mut groups).then(|| groups.swap_remove(0)).flatten()
            }
        }
    }

    /// [`Pattern::find`] with the bounds of the subexpressions.
    pub fn captures(&self, text: &[u8], from: usize, groups: &mut Groups) -> bool {
        match &self.matcher {
            Matcher::Automaton(automaton) => automaton.captures(text, from, groups),
            Matcher::Backtracker(backtracker) => backtracker.captures(text, from, groups),
        }
    }
}

/// The tree without its groups, which nobody asks for.
fn ungrouped(tree: Tree) -> Tree {
    match tree {
        Tree::Group(_, inner) => ungrouped(*inner),
        Tree::Sequence(parts) => Tree::Sequence(parts.into_iter().map(ungrouped).collect()),
        Tree::Choice(parts) => Tree::Choice(parts.into_iter().map(ungrouped).collect()),
        Tree::Repeat { what, min, max } => Tree::Repeat { what: Box::new(ungrouped(*what)), min, max },
        tree => tree,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str, extended: bool, pattern: &str) -> Option<Vec<String>> {
        let syntax = Syntax { extended, ..Syntax::default() };
        let pattern = Pattern::new(pattern.as_bytes(), syntax).unwrap();
        let mut groups = Vec::new();
        let shown =
            |range: &Option<Range<usize>>| range.clone().map_or("-".into(), |range| text[range].to_owned());
        pattern.captures(text.as_bytes(), 0, &mut groups).then(|| groups.iter().map(shown).collect())
    }

    #[test]
    fn of_the_leftmost_matches_the_longest_is_taken() {
        assert_eq!(found("xabcd", true, "ab|abcd").unwrap(), ["abcd"]);
        assert_eq!(found("abab", true, "(a|ab)(ab)?").unwrap()[0], "abab");
        assert_eq!(found("ab", true, "a?(ab)?").unwrap()[0], "ab");
    }

    #[test]
    fn basic_syntax_takes_operators_for_themselves_unless_escaped() {
        assert_eq!(found("a+b", false, "a+b").unwrap(), ["a+b"]);
        assert_eq!(found("aab", false, "a\\+b").unwrap(), ["aab"]);
        assert_eq!(found("*a", false, "*a").unwrap(), ["*a"]);
        assert_eq!(found("a^b", false, "a^b").unwrap(), ["a^b"]);
        assert_eq!(found("a$b", false, "a$b").unwrap(), ["a$b"]);
        assert_eq!(found("xx", false, "\\(x\\)\\{2\\}").unwrap(), ["xx", "x"]);
    }

    #[test]
    fn a_back_reference_is_what_its_group_matched() {
        assert_eq!(found("abcabc", false, "\\(abc\\)\\1").unwrap(), ["abcabc", "abc"]);
        assert_eq!(found("aab", true, "(a*)b\\1"), Some(vec!["b".into(), "".into()]));
        assert_eq!(found("xyzzy", true, "(.)\\1").unwrap(), ["zz", "z"]);
        assert_eq!(found("ab", true, "(a)\\1"), None);
    }

    #[test]
    fn a_search_that_would_never_end_is_given_up() {
        let text = "a".repeat(40) + "b";
        assert_eq!(found(&text, true, "((a*)*)*\\1c"), None);
    }

    #[test]
    fn brackets_know_classes_ranges_and_their_own_signs() {
        assert_eq!(found("a]b", false, "[]]").unwrap(), ["]"]);
        assert_eq!(found("x-1", false, "[^[:alpha:]-]").unwrap(), ["1"]);
        assert_eq!(found("a\\", false, "[\\]").unwrap(), ["\\"]);
    }

    #[test]
    fn what_is_wrong_is_said_in_regcomps_words() {
        let syntax = Syntax { extended: true, ..Syntax::default() };
        for (pattern, words) in [
            ("(a", "Unmatched ( or \\("),
            ("a)", "Unmatched ) or \\)"),
            ("[a", "Unmatched [, [^, [:, [., or [="),
            ("*a", "Invalid preceding regular expression"),
            ("a{2,1}", "Invalid content of \\{\\}"),
            ("\\1", "Invalid back reference"),
            ("[b-a]", "Invalid range end"),
            ("a\\", "Trailing backslash"),
        ] {
            assert_eq!(Pattern::new(pattern.as_bytes(), syntax).err(), Some(words), "{pattern}");
        }
    }
}
