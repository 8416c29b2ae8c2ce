//! Every input that a fuzzer found to be of interest is run again, and as many that nobody has looked at.

use std::fs;
use std::path::Path;

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let file = Path::new("corpus").join(format!("{target}.hex"));
    let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    fuzz::corpus::read(&text).unwrap_or_else(|line| panic!("{}: line {line} is no input", file.display()))
}

/// Runs `check` over the corpus, over pieces of it put together at random, and over noise.
fn replay(target: &str, check: fn(&[u8])) {
    let corpus = corpus(target);
    assert!(corpus.len() > 10, "{target}: the corpus is there");
    for input in &corpus {
        check(input);
    }
    // xorshift64: the same inputs on each run.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |bound: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % bound as u64) as usize
    };
    for round in 0..2000 {
        let mut input = Vec::new();
        if round % 4 == 0 {
            input.extend((0..random(300)).map(|_| random(256) as u8));
        } else {
            for _ in 0..=random(2) {
                let piece = &corpus[random(corpus.len())];
                let end = random(piece.len() + 1);
                input.extend_from_slice(&piece[random(end + 1)..end]);
            }
            for _ in 0..random(4).min(input.len()) {
                let at = random(input.len());
                input[at] = random(256) as u8;
            }
        }
        check(&input);
    }
}

#[test]
fn the_codec_gives_back_what_it_reads_and_panics_on_nothing() {
    replay("codec", fuzz::codec::check);
}

#[test]
fn texts_of_tasks_are_shown_as_they_are_taken_and_refused_without_a_trace() {
    replay("ctl", fuzz::ctl::check);
}

#[test]
fn names_binds_unions_and_dots_lead_where_a_plain_model_says() {
    replay("names", fuzz::names::check);
}

#[test]
fn sessions_answer_what_a_plain_model_says_each_request_once() {
    replay("session", fuzz::session::check);
}
