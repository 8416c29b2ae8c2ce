//! split(1): a file in pieces.

use super::gnu::{Done, Program, fail, misused};
use super::messages::{named, quoted, say};
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
    let verbose = args.has("verbose");
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
    let mut pieces = Pieces { prefix, behind, length, digits, index: first, name: Vec::new(), output: None };
    // What the current piece still takes.
    let mut left = 0;
    let mut line = Vec::new();
    loop {
        let read = match bytes {
            Some(_) => call.fill(&mut input).await.map(|next| {
                line.clear();
                line.extend_from_slice(next);
            }),
            None => call.line(&mut input, end, &mut line).await.map(|_| ()),
        };
        if let Err(error) = read {
            return fail(say!(named(path), ": ", words(&error)));
        }
        if line.is_empty() {
            break;
        }
        if bytes.is_some() {
            input.take(line.len());
        }
        let Some(size) = bytes.or(packed) else {
            if left == 0 {
                pieces.next(call, verbose).await?;
                left = lines.unwrap_or(1000);
            }
            pieces.write(&line).await?;
            left -= 1;
            continue;
        };
        // A line that is no longer than a piece stays whole.
        if packed.is_some() && left < line.len() as u64 {
            left = 0;
        }
        let mut text = line.as_slice();
        while !text.is_empty() {
            if left == 0 {
                pieces.next(call, verbose).await?;
                left = size;
            }
            let (now, rest) = text.split_at(usize::try_from(left).unwrap_or(usize::MAX).min(text.len()));
            pieces.write(now).await?;
            left -= now.len() as u64;
            text = rest;
        }
    }
    pieces.close().await?;
    Ok(0)
}

/// The files that are made, one after the other.
struct Pieces<'a> {
    prefix: &'a [u8],
    /// What stands behind the suffixes.
    behind: &'a [u8],
    length: Option<usize>,
    digits: u64,
    /// The number of the next one.
    index: u64,
    /// The current one.
    name: Vec<u8>,
    output: Option<Output>,
}

impl Pieces<'_> {
    async fn next(&mut self, call: &mut Invocation<'_>, verbose: bool) -> Done<()> {
        self.close().await?;
        let Some(suffix) = suffix(self.index, self.length, self.digits) else {
            return fail("output file suffixes exhausted");
        };
        self.index += 1;
        self.name = say!(self.prefix, suffix, self.behind);
        if verbose {
            call.stdout.write(&say!("creating file ", quoted(&self.name), "\n")).await?;
        }
        match call.output(&self.name).await {
            Ok(output) => self.output = Some(output),
            Err(error) => return self.failed(&error),
        }
        Ok(())
    }

    async fn write(&mut self, text: &[u8]) -> Done<()> {
        match &mut self.output {
            Some(output) => output.write(text).await.or_else(|error| self.failed(&error)),
            None => Ok(()),
        }
    }

    async fn close(&mut self) -> Done<()> {
        match self.output.take() {
            Some(mut output) => output.flush().await.or_else(|error| self.failed(&error)),
            None => Ok(()),
        }
    }

    fn failed(&self, error: &vfs::Error) -> Done<()> {
        fail(say!(named(&self.name), ": ", words(error)))
    }
}
