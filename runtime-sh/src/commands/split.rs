//! split(1): a file in pieces.

use super::gnu::{Done, Program, fail, misused};
use super::messages::{quoted, say};
use super::options::Args;
use super::{Invocation, Output, size, words};

pub(super) const PROGRAM: Program = Program::new(
    "[OPTION]... [FILE [PREFIX]]",
    "Output pieces of FILE to PREFIXaa, PREFIXab, ...",
    "a,suffix-length= additional-suffix= b,bytes= C,line-bytes= d numeric-suffixes=? e,elide-empty-files l,lines= n,number= t,separator= verbose x hex-suffixes=?",
);

/// The name of the piece `index`; none where the suffixes are used up.
fn suffix(index: u64, length: Option<usize>, digits: u64) -> Option<Vec<u8>> {
    let letter = |digit: u64| match digits {
        26 => b'a' + digit as u8,
        _ => b"0123456789abcdef"[digit as usize],
    };
    let fixed = |index: u64, length: usize| -> Option<Vec<u8>> {
        let mut text = vec![0; length];
        let mut rest = index;
        for byte in text.iter_mut().rev() {
            *byte = letter(rest % digits);
            rest /= digits;
        }
        (rest == 0).then_some(text)
    };
    if let Some(length) = length {
        return fixed(index, length);
    }
    // Two letters; when the last first letter comes, one more on each side: …yz, zaaa.
    let (mut length, mut index, mut lead) = (2, index, Vec::new());
    loop {
        let room = digits.checked_pow(length as u32 - 1)? * (digits - 1);
        if index < room {
            lead.extend(fixed(index, length)?);
            return Some(lead);
        }
        index -= room;
        lead.push(letter(digits - 1));
        length += 1;
        if length > 12 {
            return None;
        }
    }
}

pub(super) async fn run(call: &mut Invocation<'_>, args: Args) -> Done {
    if let Some(extra) = args.operands.get(2) {
        return misused(say!("extra operand ", quoted(extra)));
    }
    let number = |key: &str, what: &str| -> Done<Option<u64>> {
        match args.value(key) {
            None => Ok(None),
            Some(text) => match size::parse(text, b"bkKmMGTPE") {
                Some(number) if number > 0 => Ok(Some(number)),
                Some(_) => fail(say!(
                    "invalid number of ",
                    what,
                    ": ",
                    quoted(text),
                    ": Numerical result out of range"
                )),
                None => fail(say!("invalid number of ", what, ": ", quoted(text))),
            },
        }
    };
    if args.has("n") {
        return fail("-n is not supported: say -l or -b");
    }
    let (bytes, lines, packed) = (number("b", "bytes")?, number("l", "lines")?, number("C", "bytes")?);
    if [bytes, lines, packed].iter().flatten().count() > 1 {
        return misused("cannot split in more than one way");
    }
    let length = number("a", "suffix length")?.map(|length| length.min(255) as usize);
    let digits = if args.has("d") || args.has("numeric-suffixes") {
        10
    } else if args.has("x") || args.has("hex-suffixes") {
        16
    } else {
        26
    };
    let end = match args.value("t") {
        None => b'\n',
        Some(b"\\0") => 0,
        Some([byte]) => *byte,
        Some(text) => return fail(say!("multi-character separator ", quoted(text))),
    };
    let path = args.operands.first().map_or(&b"-"[..], Vec::as_slice);
    let prefix = args.operands.get(1).map_or(&b"x"[..], Vec::as_slice);
    let behind = args.value("additional-suffix").unwrap_or_default();
    let mut input = match call.open(path).await {
        Ok(input) => input,
        Err(error) => return fail(say!("cannot open ", quoted(path), " for reading: ", words(&error))),
    };
    let first = match args.value("numeric-suffixes").or(args.value("hex-suffixes")) {
        Some(text) => size::parse(text, b"").unwrap_or(0),
        None => 0,
    };
    let (mut index, mut piece, mut name) = (first, None::<Output>, Vec::new());
    // What the current piece still takes.
    let mut left = 0;
    let whole = lines.unwrap_or(1000);
    loop {
        let read = if bytes.is_some() {
            match call.fill(&mut input).await {
                Ok(next) => Ok(next.to_vec()),
                Err(error) => Err(error),
            }
        } else {
            let mut line = Vec::new();
            call.line(&mut input, end, &mut line).await.map(|_| line)
        };
        let mut text = match read {
            Ok(text) => text,
            Err(error) => return fail(say!(super::messages::named(path), ": ", words(&error))),
        };
        if text.is_empty() {
            break;
        }
        let fresh = match (bytes, packed) {
            (Some(_), _) => left == 0,
            (_, Some(_)) => left < text.len() as u64,
            _ => left == 0,
        };
        if fresh || piece.is_none() {
            close(&mut piece, &name).await?;
            let Some(suffix) = suffix(index, length, digits) else {
                return fail("output file suffixes exhausted");
            };
            name = say!(prefix, suffix, behind);
            if args.has("verbose") {
                call.stdout.write(&say!("creating file ", quoted(&name), "\n")).await?;
            }
            piece = match call.output(&name).await {
                Ok(output) => Some(output),
                Err(error) => return fail(say!(super::messages::named(&name), ": ", words(&error))),
            };
            index += 1;
            left = bytes.or(packed).unwrap_or(whole);
        }
        let taken = match (bytes, packed) {
            (Some(_), _) | (_, Some(_)) => {
                text.truncate(usize::try_from(left).unwrap_or(usize::MAX));
                left -= text.len() as u64;
                text.len()
            }
            _ => {
                left -= 1;
                0
            }
        };
        if bytes.is_some() {
            input.take(taken);
        }
        if let Some(output) = &mut piece
            && let Err(error) = output.write(&text).await
        {
            return fail(say!(super::messages::named(&name), ": ", words(&error)));
        }
    }
    close(&mut piece, &name).await?;
    Ok(0)
}

async fn close(piece: &mut Option<Output>, name: &[u8]) -> Done<()> {
    if let Some(mut output) = piece.take()
        && let Err(error) = output.flush().await
    {
        return fail(say!(super::messages::named(name), ": ", words(&error)));
    }
    Ok(())
}
