//! cat(1): files one after the other.

use super::gnu::{Done, Failure, Program};
use super::messages::{named, say};
use super::options::Args;
use super::reach::{Passing, or_stdin};
use super::{Invocation, words};
use vfs::Errno;

pub(super) const PROGRAM: Program = Program::new(
    "[OPTION]... [FILE]...",
    "Concatenate FILEs to standard output.",
    "A,show-all b,number-nonblank e E,show-ends n,number s,squeeze-blank t T,show-tabs u v,show-nonprinting",
);

struct Shows {
    ends: bool,
    tabs: bool,
    controls: bool,
    numbers: bool,
    nonblank: bool,
    squeeze: bool,
}

/// What goes on from file to file.
struct State {
    number: u64,
    blanks: u64,
    at_start: bool,
}

pub(super) async fn run(call: &mut Invocation<'_>, args: Args) -> Done {
    let any = |keys: &[&str]| keys.iter().any(|key| args.has(key));
    let shows = Shows {
        ends: any(&["A", "E", "e"]),
        tabs: any(&["A", "T", "t"]),
        controls: any(&["A", "v", "e", "t"]),
        numbers: any(&["n", "b"]),
        nonblank: any(&["b"]),
        squeeze: any(&["s"]),
    };
    let plain = !(shows.ends || shows.tabs || shows.controls || shows.numbers || shows.squeeze);
    let mut state = State { number: 0, blanks: 0, at_start: true };
    let mut status = 0;
    for path in or_stdin(&args.operands) {
        let Some(mut input) = call.open_or_tell(&path).await else {
            status = 1;
            continue;
        };
        let passed = if plain {
            call.pass_on(&mut input).await
        } else {
            loop {
                match call.fill(&mut input).await {
                    Err(error) => break Err(Passing::Input(error)),
                    Ok([]) => break Ok(()),
                    Ok(next) => {
                        let shown = shows.show(next, &mut state);
                        let count = next.len();
                        input.take(count);
                        call.stdout.write(&shown).await?;
                    }
                }
            }
        };
        match passed {
            Ok(()) => {}
            Err(Passing::Output(error)) => return Err(Failure::Output(error)),
            Err(Passing::Input(error)) => {
                status = 1;
                let text = if error.is(Errno::EISDIR) { "Is a directory".to_owned() } else { words(&error) };
                call.warn(say!(named(&path), ": ", text)).await;
            }
        }
    }
    Ok(status)
}

impl Shows {
    fn show(&self, text: &[u8], state: &mut State) -> Vec<u8> {
        let mut out = Vec::with_capacity(text.len() * 2);
        for byte in text {
            if state.at_start {
                let blank = *byte == b'\n';
                state.blanks = if blank { state.blanks + 1 } else { 0 };
                if blank && self.squeeze && state.blanks > 1 {
                    continue;
                }
                if self.numbers && !(blank && self.nonblank) {
                    state.number += 1;
                    out.extend_from_slice(format!("{:>6}\t", state.number).as_bytes());
                }
            }
            state.at_start = *byte == b'\n';
            match byte {
                b'\n' => {
                    if self.ends {
                        out.push(b'$');
                    }
                    out.push(b'\n');
                }
                b'\t' if self.tabs => out.extend_from_slice(b"^I"),
                b'\t' => out.push(b'\t'),
                byte if self.controls => visible(*byte, &mut out),
                byte => out.push(*byte),
            }
        }
        out
    }
}

/// `^X` and `M-X`.
fn visible(byte: u8, out: &mut Vec<u8>) {
    let low = if byte >= 128 {
        out.extend_from_slice(b"M-");
        byte - 128
    } else {
        byte
    };
    match low {
        127 => out.extend_from_slice(b"^?"),
        0..32 => out.extend_from_slice(&[b'^', low + 64]),
        low => out.push(low),
    }
}
