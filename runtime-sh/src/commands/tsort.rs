//! tsort(1): names in an order in which each comes before those that it is given before.

use super::gnu::{Done, Failure, Program, fail, misused};
use super::messages::{named, quoted, say};
use super::options::Args;
use super::{Invocation, turn, words};
use std::collections::{BTreeMap, VecDeque};

pub(super) const PROGRAM: Program = Program::new(
    "[OPTION] [FILE]",
    "Write a totally ordered list consistent with the partial ordering in FILE: pairs of names.",
    "",
);

/// Bytes that a name or a pair costs beyond its own.
const OVERHEAD: usize = 96;

/// The names, by their own order, and what comes behind each.
struct Graph {
    names: Vec<Vec<u8>>,
    /// The pair that came last is first.
    behind: Vec<VecDeque<usize>>,
    /// Pairs in which a name is the second and whose first was not written yet.
    waits: Vec<usize>,
    written: Vec<bool>,
}

impl Graph {
    fn new(words: &[&[u8]]) -> Graph {
        let mut numbers: BTreeMap<&[u8], usize> = words.iter().map(|word| (*word, 0)).collect();
        numbers.values_mut().enumerate().for_each(|(at, number)| *number = at);
        let count = numbers.len();
        let mut graph = Graph {
            names: numbers.keys().map(|name| name.to_vec()).collect(),
            behind: vec![VecDeque::new(); count],
            waits: vec![0; count],
            written: vec![false; count],
        };
        for pair in words.chunks_exact(2) {
            let (first, second) = (numbers[pair[0]], numbers[pair[1]]);
            if first != second {
                graph.behind[first].push_front(second);
                graph.waits[second] += 1;
            }
        }
        graph
    }

    /// A loop, which is there where names are left that all wait, each name before those behind it. Its last pair is taken out.
    fn broken_loop(&mut self) -> Vec<usize> {
        let count = self.names.len();
        let waiting = |name: &usize| !self.written[*name];
        let Some(mut name) = (0..count).find(waiting) else { return Vec::new() };
        let mut chain = vec![name];
        // Who waits does so for one that waits itself: going back from one to the next comes to a name for the second time.
        loop {
            let before = (1..=count).map(|step| (name + step) % count);
            let Some(before) = before.filter(waiting).find(|before| self.behind[*before].contains(&name))
            else {
                return Vec::new();
            };
            // The first of all counts as seen when it is come to, as with GNU's: which pair is taken out goes by that.
            if let Some(at) = chain.iter().skip(1).position(|known| *known == before) {
                if let Some(pair) = self.behind[before].iter().position(|behind| *behind == name) {
                    self.behind[before].remove(pair);
                    self.waits[name] -= 1;
                }
                return chain.split_off(at + 1).into_iter().rev().collect();
            }
            chain.push(before);
            name = before;
        }
    }
}

pub(super) async fn run(call: &mut Invocation<'_>, args: Args) -> Done {
    if let Some(extra) = args.operands.get(1) {
        return misused(say!("extra operand ", quoted(extra)));
    }
    let path = args.operands.first().map_or(&b"-"[..], Vec::as_slice);
    let text = match call.open(path).await {
        Ok(mut input) => call.rest(&mut input).await,
        Err(error) => Err(error),
    };
    let text = match text {
        Ok(text) => text,
        Err(error) => return fail(say!(named(path), ": ", words(&error))),
    };
    let tokens: Vec<&[u8]> =
        text.split(|b| matches!(b, b' ' | b'\t' | b'\n')).filter(|word| !word.is_empty()).collect();
    if !tokens.len().is_multiple_of(2) {
        return fail(say!(named(path), ": input contains an odd number of tokens"));
    }
    let _held = call.shell.memory().hold(text.len() + tokens.len() * OVERHEAD)?;
    let mut graph = Graph::new(&tokens);
    let (mut left, mut status) = (graph.names.len(), 0);
    while left > 0 {
        let free = |name: &usize| graph.waits[*name] == 0 && !graph.written[*name];
        let mut ready: VecDeque<usize> = (0..graph.names.len()).filter(free).collect();
        while let Some(name) = ready.pop_front() {
            turn(call.shell).await;
            call.stdout.write(&say!(graph.names[name], "\n")).await?;
            graph.written[name] = true;
            left -= 1;
            for behind in std::mem::take(&mut graph.behind[name]) {
                graph.waits[behind] -= 1;
                if graph.waits[behind] == 0 {
                    ready.push_back(behind);
                }
            }
        }
        if left > 0 {
            turn(call.shell).await;
            status = 1;
            call.warn(say!(named(path), ": input contains a loop:")).await;
            for name in graph.broken_loop() {
                call.warn(&graph.names[name]).await;
            }
        }
    }
    if status > 0 { Err(Failure::Status(status)) } else { Ok(0) }
}
