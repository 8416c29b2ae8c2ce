//! tac(1) and rev(1): lines from the last to the first, and lines from their ends.

use super::gnu::{Done, Program};
use super::messages::{named, quoted, say};
use super::options::Args;
use super::reach::or_stdin;
use super::{Invocation, words};

pub(super) const TAC: Program = Program::new(
    "[OPTION]... [FILE]...",
    "Write each FILE to standard output, last line first.",
    "b,before r,regex s,separator=",
);

pub(super) const REV: Program = Program::new("[FILE]...", "Reverse lines characterwise.", "");

pub(super) async fn tac(call: &mut Invocation<'_>, args: Args) -> Done {
    let separator = match args.value("s") {
        None => b"\n".to_vec(),
        Some([]) => vec![0],
        Some(text) => text.to_vec(),
    };
    let mut status = 0;
    for path in or_stdin(&args.operands) {
        let mut input = match call.open(&path).await {
            Ok(input) => input,
            Err(error) => {
                status = 1;
                call.warn(say!("failed to open ", quoted(&path), " for reading: ", words(&error))).await;
                continue;
            }
        };
        let text = match call.rest(&mut input).await {
            Ok(text) => text,
            Err(error) => {
                status = 1;
                call.warn(say!(named(&path), ": read error: ", words(&error))).await;
                continue;
            }
        };
        let ends: Vec<usize> = memchr::memmem::find_iter(&text, &separator).collect();
        let mut end = text.len();
        for at in ends.iter().rev() {
            super::turn(call.shell).await;
            let cut = if args.has("b") { *at } else { at + separator.len() };
            call.stdout.write(&text[cut..end]).await?;
            end = cut;
        }
        call.stdout.write(&text[..end]).await?;
    }
    Ok(status)
}

pub(super) async fn rev(call: &mut Invocation<'_>, args: Args) -> Done {
    let mut status = 0;
    for path in or_stdin(&args.operands) {
        let Some(mut input) = call.open_or_tell(&path).await else {
            status = 1;
            continue;
        };
        let mut line = Vec::new();
        loop {
            match call.line(&mut input, b'\n', &mut line).await {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    status = 1;
                    call.tell(&path, &error).await;
                    break;
                }
            }
            let ended = line.last() == Some(&b'\n');
            if ended {
                line.pop();
            }
            line.reverse();
            if ended {
                line.push(b'\n');
            }
            call.stdout.write(&line).await?;
        }
    }
    Ok(status)
}
