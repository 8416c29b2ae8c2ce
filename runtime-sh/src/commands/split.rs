//! split(1): a file in pieces.

use super::gnu::{Done, Program, fail, misused};
use super::messages::{named, quoted, say};
use super::options::Args;
use super::{Input, Invocation, Output, size, words};

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
    let chunks = args.value("n").map(Chunks::read).transpose()?;
    let (bytes, lines, packed) = (number("b", "bytes")?, number("l", "lines")?, number("C", "bytes")?);
    if [bytes, lines, packed].iter().flatten().count() + usize::from(chunks.is_some()) > 1 {
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
    if let Some(chunks) = &chunks {
        let stat = input.file().stat().await;
        let Some(size) = stat.ok().filter(|stat| stat.kind() == vfs::Kind::File).map(|stat| stat.size) else {
            return fail(say!(named(path), ": cannot determine file size"));
        };
        // As many letters as the last name takes, and no more for another.
        let last = if first < chunks.count { first.saturating_add(chunks.count) } else { chunks.count } - 1;
        let needed = std::iter::successors(Some(last), |rest| Some(rest / digits)).take_while(|r| *r > 0);
        let needed = needed.count().max(1);
        if length.is_some_and(|length| length < needed) {
            return fail(format!("the suffix length needs to be at least {needed}"));
        }
        let length = Some(length.unwrap_or(needed.max(2)));
        let pieces = Pieces { prefix, behind, length, digits, index: first, name: Vec::new(), output: None };
        let mut parting =
            Parting { path, chunks, size, end, elides: args.has("e"), verbose, pieces, begun: 0 };
        return parting.run(call, &mut input).await;
    }
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

/// What -n says: so many parts, or one of them.
struct Chunks {
    /// Lines are kept whole.
    lines: bool,
    /// This one alone, on standard output; the first is 0.
    only: Option<u64>,
    count: u64,
}

impl Chunks {
    fn read(text: &[u8]) -> Done<Chunks> {
        if text.starts_with(b"r/") {
            return fail("-n r/N is not supported");
        }
        let (lines, rest) = text.strip_prefix(b"l/").map_or((false, text), |rest| (true, rest));
        let (only, count) = match rest.iter().position(|b| *b == b'/') {
            Some(at) => (Some(&rest[..at]), &rest[at + 1..]),
            None => (None, rest),
        };
        let number = |text: &[u8], most: u64, what: &str| match size::parse(text, b"bkKMGTPE") {
            Some(number) if (1..=most).contains(&number) => Ok(number),
            Some(_) => fail(say!("invalid ", what, ": ", quoted(text), ": Numerical result out of range")),
            None => fail(say!("invalid ", what, ": ", quoted(text))),
        };
        let count = number(count, u64::MAX, "number of chunks")?;
        let only = only.map(|text| number(text, count, "chunk number")).transpose()?;
        Ok(Chunks { lines, only: only.map(|only| only - 1), count })
    }
}

/// A file of a known size on its way into so many pieces. A line belongs to the piece that its first byte falls into.
struct Parting<'a> {
    path: &'a [u8],
    chunks: &'a Chunks,
    size: u64,
    end: u8,
    /// Pieces without a byte are not made.
    elides: bool,
    verbose: bool,
    pieces: Pieces<'a>,
    /// Pieces that were begun, or passed over.
    begun: u64,
}

impl Parting<'_> {
    async fn run(&mut self, call: &mut Invocation<'_>, input: &mut Input) -> Done {
        let last = self.chunks.count - 1;
        let each = (self.size / self.chunks.count).max(1);
        let (mut at, mut chunk, mut in_line) = (0u64, 0, false);
        loop {
            let text = match call.fill(input).await {
                Ok([]) => break,
                Ok(text) => text.to_vec(),
                Err(error) => return fail(say!(named(self.path), ": ", words(&error))),
            };
            input.take(text.len());
            let mut rest = text.as_slice();
            while !rest.is_empty() {
                if !in_line {
                    chunk = (at / each).min(last);
                }
                let count = match (self.chunks.lines, chunk == last) {
                    (true, _) => memchr::memchr(self.end, rest).map_or(rest.len(), |end| end + 1),
                    (false, true) => rest.len(),
                    (false, false) => {
                        usize::try_from((chunk + 1) * each - at).unwrap_or(usize::MAX).min(rest.len())
                    }
                };
                let (now, behind) = rest.split_at(count);
                in_line = self.chunks.lines && now.last() != Some(&self.end);
                self.put(call, chunk, now).await?;
                at += count as u64;
                rest = behind;
            }
        }
        if !self.elides && self.chunks.only.is_none() {
            self.begin(call, last).await?;
        }
        self.pieces.close().await?;
        Ok(0)
    }

    async fn put(&mut self, call: &mut Invocation<'_>, chunk: u64, text: &[u8]) -> Done<()> {
        match self.chunks.only {
            Some(only) if only == chunk => Ok(call.stdout.write(text).await?),
            Some(_) => Ok(()),
            None => {
                self.begin(call, chunk).await?;
                self.pieces.write(text).await
            }
        }
    }

    /// Begins the pieces up to `chunk`.
    async fn begin(&mut self, call: &mut Invocation<'_>, chunk: u64) -> Done<()> {
        if self.elides && self.begun <= chunk {
            self.begun = chunk;
        }
        while self.begun <= chunk {
            super::turn(call.shell).await;
            self.pieces.next(call, self.verbose).await?;
            self.begun += 1;
        }
        Ok(())
    }
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
