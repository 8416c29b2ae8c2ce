//! base64(1).

use super::gnu::{Done, Program, fail, misused};
use super::messages::{named, quoted, say};
use super::options::Args;
use super::{Invocation, words};
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

pub(super) const PROGRAM: Program = Program::new(
    "[OPTION]... [FILE]",
    "Base64 encode or decode FILE, or standard input, to standard output.",
    "d,decode i,ignore-garbage w,wrap=",
);

const ENGINE: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::RequireCanonical),
);

pub(super) async fn run(call: &mut Invocation<'_>, args: Args) -> Done {
    if let Some(extra) = args.operands.get(1) {
        return misused(say!("extra operand ", quoted(extra)));
    }
    let wrap = match args.value("w") {
        None => 76,
        Some(text) => match super::size::parse(text, b"") {
            Some(wrap) => wrap as usize,
            None => return fail(say!("invalid wrap size: ", quoted(text))),
        },
    };
    let path = args.operands.first().map_or(&b"-"[..], Vec::as_slice);
    let mut input = match call.open(path).await {
        Ok(input) => input,
        Err(error) => return fail(say!(named(path), ": ", words(&error))),
    };
    let decode = args.has("d");
    // What is left over from one piece to the next, and how far the line is.
    let (mut rest, mut column) = (Vec::new(), 0);
    loop {
        let next = match call.fill(&mut input).await {
            Ok(next) => next,
            Err(error) => return fail(say!("read error: ", words(&error))),
        };
        let count = next.len();
        if decode {
            let kept = |b: &u8| b.is_ascii_alphanumeric() || b"+/=".contains(b);
            let garbage = args.has("i");
            rest.extend(next.iter().filter(|b| **b != b'\n' && (!garbage || kept(b))));
        } else {
            rest.extend_from_slice(next);
        }
        input.take(count);
        let unit = if decode { 4 } else { 3 };
        let whole = if count == 0 { rest.len() } else { rest.len() - rest.len() % unit };
        let piece: Vec<u8> = rest.drain(..whole).collect();
        if decode {
            // Padding ends one text; another may follow it.
            for group in piece.chunks(4 << 10) {
                match ENGINE.decode(group) {
                    Ok(bytes) => call.stdout.write(&bytes).await?,
                    Err(_) => {
                        for quad in group.chunks(4) {
                            match ENGINE.decode(quad) {
                                Ok(bytes) => call.stdout.write(&bytes).await?,
                                Err(_) => return fail("invalid input"),
                            }
                        }
                    }
                }
            }
        } else {
            let text = ENGINE.encode(&piece).into_bytes();
            if wrap == 0 {
                call.stdout.write(&text).await?;
            } else {
                let mut at = 0;
                while at < text.len() {
                    let len = (wrap - column).min(text.len() - at);
                    call.stdout.write(&text[at..at + len]).await?;
                    at += len;
                    column += len;
                    if column == wrap {
                        call.stdout.write(b"\n").await?;
                        column = 0;
                    }
                }
            }
        }
        if count == 0 {
            break;
        }
    }
    if !decode && wrap > 0 && column > 0 {
        call.stdout.write(b"\n").await?;
    }
    Ok(0)
}
