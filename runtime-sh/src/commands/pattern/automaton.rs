//! What an expression without back-references matches: the leftmost match, and of those the longest, in time linear in the text.
//!
//! Crate `regex-automata` finds where the leftmost match begins; a lazily built automaton run from there with all matches kept finds the
//! longest, which POSIX asks for and Perl's order of choices does not give; the subexpressions are found within those bounds.

use super::syntax::{Edge, Parsed, Tree};
use parking_lot::Mutex;
use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::nfa::thompson;
use regex_automata::util::captures::Captures;
use regex_automata::{Anchored, Input, MatchKind, meta};
use regex_syntax::hir::{Capture, Class, ClassBytes, ClassBytesRange, Hir, Look, Repetition};
use std::ops::Range;

/// Bytes that one compiled expression may take.
const ROOM: usize = 8 << 20;

pub struct Automaton {
    finds: meta::Regex,
    /// Where the first match found need not be the longest.
    longest: Option<(DFA, Mutex<Cache>)>,
    /// The same expression, to the end of the text: the subexpressions of a match whose bounds are known.
    within: Option<meta::Regex>,
}

const TOO_BIG: &str = "Regular expression too big";

impl Automaton {
    pub fn new(parsed: &Parsed) -> Result<Automaton, &'static str> {
        let hir = hir(&parsed.tree);
        let finds = compiled(&hir)?;
        let ambiguous = ambiguous(&parsed.tree);
        let longest = if ambiguous {
            let nfa = thompson::Compiler::new()
                .configure(thompson::Config::new().utf8(false).nfa_size_limit(Some(ROOM)))
                .build_from_hir(&hir)
                .map_err(|_| TOO_BIG)?;
            let config = DFA::config().match_kind(MatchKind::All).skip_cache_capacity_check(true);
            let dfa = DFA::builder().configure(config).build_from_nfa(nfa).map_err(|_| TOO_BIG)?;
            let cache = Mutex::new(dfa.create_cache());
            Some((dfa, cache))
        } else {
            None
        };
        let within = if ambiguous && parsed.groups > 0 {
            Some(compiled(&Hir::concat(vec![hir, Hir::look(Look::End)]))?)
        } else {
            None
        };
        Ok(Automaton { finds, longest, within })
    }

    /// An expression in Perl's syntax, as far as crate `regex` has it: its first match is the one that counts.
    pub fn perl(text: &str, ignore_case: bool) -> Result<Automaton, String> {
        let syntax = regex_automata::util::syntax::Config::new()
            .unicode(false)
            .utf8(false)
            .case_insensitive(ignore_case);
        let config = meta::Config::new().utf8_empty(false).nfa_size_limit(Some(ROOM));
        let finds = meta::Builder::new().configure(config).syntax(syntax).build(text);
        let finds = finds
            .map_err(|error| error.syntax_error().map_or_else(|| TOO_BIG.to_owned(), |e| e.to_string()))?;
        Ok(Automaton { finds, longest: None, within: None })
    }

    pub fn is_match(&self, text: &[u8], from: usize) -> bool {
        self.finds.is_match(Input::new(text).range(from..))
    }

    pub fn find(&self, text: &[u8], from: usize) -> Option<Range<usize>> {
        let first = self.finds.find(Input::new(text).range(from..))?.range();
        let Some((dfa, cache)) = &self.longest else { return Some(first) };
        let input = Input::new(text).range(first.start..).anchored(Anchored::Yes);
        let end = dfa.try_search_fwd(&mut cache.lock(), &input).ok().flatten();
        Some(first.start..end.map_or(first.end, |half| half.offset()))
    }

    /// The bounds of the whole match and of its subexpressions.
    pub fn captures(&self, text: &[u8], from: usize, groups: &mut Vec<Option<Range<usize>>>) -> bool {
        groups.clear();
        let (regex, input) = match &self.within {
            Some(within) => {
                let Some(found) = self.find(text, from) else { return false };
                (within, Input::new(&text[..found.end]).range(found.start..).anchored(Anchored::Yes))
            }
            None if self.longest.is_some() || self.finds.captures_len() == 1 => {
                groups.extend(self.find(text, from).map(Some));
                return !groups.is_empty();
            }
            None => (&self.finds, Input::new(text).range(from..)),
        };
        let mut found: Captures = regex.create_captures();
        regex.search_captures(&input, &mut found);
        if !found.is_match() {
            return false;
        }
        groups.extend((0..regex.captures_len()).map(|group| found.get_group(group).map(|span| span.range())));
        true
    }
}

fn compiled(hir: &Hir) -> Result<meta::Regex, &'static str> {
    let config = meta::Config::new().utf8_empty(false).nfa_size_limit(Some(ROOM));
    meta::Builder::new().configure(config).build_from_hir(hir).map_err(|_| TOO_BIG)
}

/// Whether the order in which choices are tried can end in a match that is not the longest.
fn ambiguous(tree: &Tree) -> bool {
    match tree {
        Tree::Choice(_) => true,
        Tree::Repeat { what, .. } => !matches!(**what, Tree::Bytes(_)),
        Tree::Group(_, inner) => ambiguous(inner),
        Tree::Sequence(parts) => parts.iter().any(ambiguous),
        Tree::Empty | Tree::Bytes(_) | Tree::Edge(_) | Tree::Back(_) => false,
    }
}

fn hir(tree: &Tree) -> Hir {
    match tree {
        Tree::Empty => Hir::empty(),
        Tree::Bytes(set) => {
            let ranges = set.ranges().into_iter().map(|(first, last)| ClassBytesRange::new(first, last));
            Hir::class(Class::Bytes(ClassBytes::new(ranges)))
        }
        Tree::Edge(edge) => Hir::look(match edge {
            Edge::LineStart => Look::StartLF,
            Edge::LineEnd => Look::EndLF,
            Edge::TextStart => Look::Start,
            Edge::TextEnd => Look::End,
            Edge::Word => Look::WordAscii,
            Edge::NotWord => Look::WordAsciiNegate,
            Edge::WordStart => Look::WordStartAscii,
            Edge::WordEnd => Look::WordEndAscii,
            Edge::FreeBefore => Look::WordStartHalfAscii,
            Edge::FreeBehind => Look::WordEndHalfAscii,
        }),
        Tree::Group(index, inner) => {
            Hir::capture(Capture { index: *index, name: None, sub: Box::new(hir(inner)) })
        }
        Tree::Sequence(parts) => Hir::concat(parts.iter().map(hir).collect()),
        Tree::Choice(parts) => Hir::alternation(parts.iter().map(hir).collect()),
        Tree::Repeat { what, min, max } => {
            Hir::repetition(Repetition { min: *min, max: *max, greedy: true, sub: Box::new(hir(what)) })
        }
        Tree::Back(_) => unreachable!("expressions that refer back are matched by Backtracker"),
    }
}
