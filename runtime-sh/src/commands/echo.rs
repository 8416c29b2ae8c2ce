//! echo: the program is GNU's, which replaces escapes for `-e` alone; the builtin of the shell is that of dash and of POSIX's XSI
//! option, which always does.

use super::Invocation;
use super::gnu::{Done, Program};
use super::options::Args;
use crate::printf::{Manner, replaced};

pub(super) const PROGRAM: Program =
    Program::new("[SHORT-OPTION]... [STRING]...", "Echo the STRING(s) to standard output.", "n e E").raw();

pub(super) async fn run(call: &mut Invocation<'_>, _none: Args) -> Done {
    let (mut escapes, mut ends) = (false, true);
    let mut args = call.args();
    while let [first, rest @ ..] = args
        && let [b'-', letters @ ..] = first.as_slice()
        && !letters.is_empty()
        && letters.iter().all(|letter| b"neE".contains(letter))
    {
        for letter in letters {
            match letter {
                b'n' => ends = false,
                letter => escapes = *letter == b'e',
            }
        }
        args = rest;
    }
    let text = if escapes { replacing(Manner::Echo, args, ends) } else { ended(args.join(&b' '), ends) };
    call.stdout.write(&text).await?;
    Ok(0)
}

/// What the builtin prints for `args`.
pub(crate) fn echoed(args: &[Vec<u8>]) -> Vec<u8> {
    match args {
        [first, rest @ ..] if first == b"-n" => replacing(Manner::Dash, rest, false),
        _ => replacing(Manner::Dash, args, true),
    }
}

fn replacing(manner: Manner, args: &[Vec<u8>], ends: bool) -> Vec<u8> {
    let mut text = Vec::new();
    for (index, arg) in args.iter().enumerate() {
        if index > 0 {
            text.push(b' ');
        }
        if !replaced(manner, arg, &mut text) {
            return text;
        }
    }
    ended(text, ends)
}

fn ended(mut text: Vec<u8>, ends: bool) -> Vec<u8> {
    if ends {
        text.push(b'\n');
    }
    text
}
