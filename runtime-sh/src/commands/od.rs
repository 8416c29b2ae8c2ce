//! od(1): bytes as numbers and characters, as POSIX and GNU lay them out. Floating-point types are refused.

use super::gnu::{Done, Program, fail};
use super::messages::{quoted, say};
use super::options::Args;
use super::reach::or_stdin;
use super::{Input, Invocation, size};

pub(super) const PROGRAM: Program = Program::new(
    "[OPTION]... [FILE]...",
    "Write an unambiguous representation, octal bytes by default, of FILE to standard output.",
    "A,address-radix= j,skip-bytes= N,read-bytes= t,format= v,output-duplicates w,width=?? endian= a b c d i l o s x",
);

/// What a column shows.
#[derive(Clone, Copy, PartialEq)]
enum Show {
    Octal,
    Hex,
    Signed,
    Unsigned,
    /// Printable, or as C writes it (-c).
    Char,
    /// By its name in ASCII (-a).
    Named,
}

/// A line of the dump for each line of bytes.
struct Format {
    show: Show,
    /// Bytes of one field.
    size: usize,
    /// The text behind the numbers (`z`).
    text: bool,
}

impl Format {
    /// Characters of a field, without what parts it from the one before.
    fn width(&self) -> usize {
        let of = |widths: [usize; 4]| widths[self.size.trailing_zeros() as usize];
        match self.show {
            Show::Octal => of([3, 6, 11, 22]),
            Show::Hex => of([2, 4, 8, 16]),
            Show::Signed => of([4, 6, 11, 20]),
            Show::Unsigned => of([3, 5, 10, 20]),
            Show::Char | Show::Named => 3,
        }
    }

    fn field(&self, bytes: &[u8], big: bool) -> String {
        let number = |acc: u64, byte: &u8| acc << 8 | u64::from(*byte);
        let value = if big { bytes.iter().fold(0, number) } else { bytes.iter().rev().fold(0, number) };
        let width = self.width();
        match self.show {
            Show::Octal => format!("{value:0width$o}"),
            Show::Hex => format!("{value:0width$x}"),
            Show::Unsigned => value.to_string(),
            Show::Signed => {
                let unused = 64 - 8 * self.size as u32;
                (((value << unused) as i64) >> unused).to_string()
            }
            Show::Char => match bytes[0] {
                0 => "\\0".into(),
                7 => "\\a".into(),
                8 => "\\b".into(),
                9 => "\\t".into(),
                10 => "\\n".into(),
                11 => "\\v".into(),
                12 => "\\f".into(),
                13 => "\\r".into(),
                byte @ 32..127 => char::from(byte).into(),
                byte => format!("{byte:03o}"),
            },
            Show::Named => {
                const NAMES: [&str; 33] = [
                    "nul", "soh", "stx", "etx", "eot", "enq", "ack", "bel", "bs", "ht", "nl", "vt", "ff",
                    "cr", "so", "si", "dle", "dc1", "dc2", "dc3", "dc4", "nak", "syn", "etb", "can", "em",
                    "sub", "esc", "fs", "gs", "rs", "us", "sp",
                ];
                match usize::from(bytes[0] & 0x7f) {
                    127 => "del".into(),
                    byte if byte < NAMES.len() => NAMES[byte].into(),
                    byte => char::from(byte as u8).into(),
                }
            }
        }
    }
}

/// The formats of a type string (`x1z`, `cx2`).
fn formats(text: &[u8]) -> Done<Vec<Format>> {
    let invalid = || say!("invalid type string ", quoted(text));
    let mut formats = Vec::new();
    let mut rest = text;
    while let Some((letter, tail)) = rest.split_first() {
        rest = tail;
        let show = match letter {
            b'a' => Show::Named,
            b'c' => Show::Char,
            b'd' => Show::Signed,
            b'o' => Show::Octal,
            b'u' => Show::Unsigned,
            b'x' => Show::Hex,
            b'f' => return fail(say!(invalid(), "; floating-point types are not supported here")),
            other => {
                return fail(say!("invalid character '", [*other], "' in type string ", quoted(text)));
            }
        };
        let mut size = 4;
        if matches!(show, Show::Named | Show::Char) {
            size = 1;
        } else if let Some(at) = rest.first().and_then(|b| b"CSIL".iter().position(|known| known == b)) {
            size = 1 << at;
            rest = &rest[1..];
        } else {
            let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
            if digits > 0 {
                let number = std::str::from_utf8(&rest[..digits]).ok().and_then(|text| text.parse().ok());
                size = match number {
                    Some(size @ (1 | 2 | 4 | 8)) => size,
                    _ => {
                        let told =
                            say!("invalid type string ", quoted(text), ";\nthis system doesn't provide a ");
                        return fail(say!(told, &rest[..digits], "-byte integral type"));
                    }
                };
                rest = &rest[digits..];
            }
        }
        let shows_text = rest.first() == Some(&b'z');
        rest = &rest[usize::from(shows_text)..];
        formats.push(Format { show, size, text: shows_text });
    }
    if formats.is_empty() { fail(invalid()) } else { Ok(formats) }
}

/// A count of bytes: decimal, octal after `0`, hexadecimal after `0x`, with a unit behind it.
fn bytes(option: &str, text: &[u8]) -> Done<u64> {
    let lossy = String::from_utf8_lossy(text);
    let based = |digits: &str, base| u64::from_str_radix(digits, base).ok();
    let found = match (lossy.strip_prefix("0x"), lossy.strip_prefix('0')) {
        (Some(hex), _) => based(hex, 16),
        (None, Some(octal)) if !octal.is_empty() && octal.bytes().all(|b| b.is_ascii_digit()) => {
            based(octal, 8)
        }
        _ => size::parse(text, b"bKMGTPEkm"),
    };
    match found {
        Some(count) => Ok(count),
        None => fail(say!("invalid ", option, " argument ", quoted(text))),
    }
}

struct Dump {
    formats: Vec<Format>,
    radix: u8,
    big: bool,
    /// Bytes of a line, and characters of the widest format's share of eight of them (or of less, where all are small).
    width: usize,
    block: usize,
    block_width: usize,
}

impl Dump {
    fn new(args: &Args) -> Done<Dump> {
        let mut all = Vec::new();
        for given in &args.options {
            all.extend(formats(match given.key {
                "t" => given.value.as_deref().unwrap_or_default(),
                "a" => b"a",
                "b" => b"o1",
                "c" => b"c",
                "d" => b"u2",
                "i" => b"dI",
                "l" => b"dL",
                "o" => b"o2",
                "s" => b"d2",
                "x" => b"x2",
                _ => continue,
            })?);
        }
        if all.is_empty() {
            all = formats(b"o2")?;
        }
        let radix = match args.value("A").unwrap_or(b"o") {
            [radix @ (b'd' | b'o' | b'x' | b'n'), ..] => *radix,
            other => {
                let first = &other[..other.len().min(1)];
                let text =
                    say!("invalid output address radix '", first, "'; it must be one character from [doxn]");
                return fail(text);
            }
        };
        let big = match args.value("endian") {
            None | Some(b"little") => false,
            Some(b"big") => true,
            Some(other) => return fail(say!("invalid argument ", quoted(other), " for '--endian'")),
        };
        let block = all.iter().map(|format| format.size).max().unwrap_or(1);
        let block_width =
            all.iter().map(|format| (format.width() + 1) * (block / format.size)).max().unwrap_or(0);
        let mut width = 16;
        if let Some(given) = args.options.iter().rev().find(|given| given.key == "w") {
            width = match &given.value {
                None => 32,
                Some(text) => bytes("-w", text)? as usize,
            };
            if width == 0 || width > 64 << 10 || !width.is_multiple_of(block) {
                width = block;
            }
        }
        Ok(Dump { formats: all, radix, big, width, block, block_width })
    }

    fn address(&self, at: u64) -> String {
        match self.radix {
            b'd' => format!("{at:07}"),
            b'x' => format!("{at:06x}"),
            b'o' => format!("{at:07o}"),
            _ => String::new(),
        }
    }

    /// The lines for `bytes`, a whole line of the file or its last.
    fn lines(&self, at: u64, bytes: &[u8], out: &mut Vec<u8>) {
        let mut full = bytes.to_vec();
        full.resize(self.width, 0);
        let address = self.address(at);
        for (index, format) in self.formats.iter().enumerate() {
            // Where one format needs more room than another, the fields of both stand below each other.
            let fields = self.width / format.size;
            let room = self.block_width * (self.width / self.block);
            let padding = room - format.width() * fields;
            out.extend_from_slice(
                if index == 0 { address.clone() } else { " ".repeat(address.len()) }.as_bytes(),
            );
            let mut column = 0;
            for field in 0..fields {
                let from = field * format.size;
                // What parts a field from the one before it grows with its place, so that it comes out even.
                let before = padding * (fields - field) / fields - padding * (fields - field - 1) / fields;
                let end = column + before + format.width();
                if from < bytes.len() {
                    let text = format.field(&full[from..from + format.size], self.big);
                    let width = before + format.width();
                    out.extend_from_slice(format!("{text:>width$}").as_bytes());
                } else if format.text {
                    out.extend_from_slice(" ".repeat(before + format.width()).as_bytes());
                }
                column = end;
            }
            if format.text {
                let shown = bytes.iter().map(|b| if (32..127).contains(b) { *b } else { b'.' });
                out.extend_from_slice(b"  >");
                out.extend(shown);
                out.push(b'<');
            }
            out.push(b'\n');
        }
    }
}

/// The files, one behind the other.
struct Chain {
    left: std::vec::IntoIter<Vec<u8>>,
    open: Option<Input>,
    /// Whether there was any.
    any: bool,
    failed: bool,
}

impl Chain {
    /// Up to `most` bytes of what comes next, added to `line`; false at the end.
    async fn next(&mut self, call: &mut Invocation<'_>, most: usize, line: &mut Vec<u8>) -> bool {
        loop {
            if self.open.is_none() {
                let Some(path) = self.left.next() else { return false };
                self.open = call.open_or_tell(&path).await;
                self.failed |= self.open.is_none();
                self.any |= self.open.is_some();
                continue;
            }
            let Some(input) = &mut self.open else { continue };
            match call.fill(input).await {
                Ok(next) if !next.is_empty() => {
                    let count = next.len().min(most);
                    line.extend_from_slice(&next[..count]);
                    input.take(count);
                    return true;
                }
                Ok(_) => {}
                Err(error) => {
                    self.failed = true;
                    call.warn(say!("read error: ", super::words(&error))).await;
                }
            }
            self.open = None;
        }
    }
}

pub(super) async fn run(call: &mut Invocation<'_>, args: Args) -> Done {
    let dump = Dump::new(&args)?;
    let skip = args.value("j").map_or(Ok(0), |text| bytes("-j", text))?;
    let most = args.value("N").map_or(Ok(u64::MAX), |text| bytes("-N", text))?;
    let mut chain =
        Chain { left: or_stdin(&args.operands).into_iter(), open: None, any: false, failed: false };
    let mut at = 0;
    let mut line = Vec::new();
    while at < skip {
        line.clear();
        let piece = usize::try_from(skip - at).unwrap_or(usize::MAX);
        if !chain.next(call, piece, &mut line).await {
            return fail("cannot skip past end of combined input");
        }
        at += line.len() as u64;
    }
    let end = skip.saturating_add(most);
    let (mut before, mut starred): (Vec<u8>, bool) = (Vec::new(), false);
    loop {
        line.clear();
        while line.len() < dump.width {
            let room = (dump.width - line.len()) as u64;
            let piece = room.min(end - at - line.len() as u64) as usize;
            if piece == 0 || !chain.next(call, piece, &mut line).await {
                break;
            }
        }
        if line.is_empty() {
            break;
        }
        let whole = line.len() == dump.width;
        let mut out = Vec::new();
        if whole && line == before && !args.has("v") {
            if !starred {
                out.extend_from_slice(b"*\n");
                starred = true;
            }
        } else {
            starred = false;
            dump.lines(at, &line, &mut out);
            before.clone_from(&line);
        }
        call.stdout.write(&out).await?;
        at += line.len() as u64;
        if !whole {
            break;
        }
    }
    if dump.radix != b'n' && (chain.any || !chain.failed) {
        call.stdout.write(format!("{}\n", dump.address(at)).as_bytes()).await?;
    }
    Ok(u8::from(chain.failed))
}
