//! dd's command line: `NAME=VALUE`, in any order, the last of a name counts.

use super::super::gnu::{Done, fail, misused};
use super::super::messages::{quoted, say};
use super::super::size;

/// What is told at the end.
#[derive(Clone, Copy, PartialEq)]
pub enum Status {
    All,
    Records,
    None,
}

#[derive(Clone, Copy)]
pub enum Case {
    Kept,
    Upper,
    Lower,
}

impl Case {
    pub fn of(self, byte: u8) -> u8 {
        match self {
            Case::Kept => byte,
            Case::Upper => byte.to_ascii_uppercase(),
            Case::Lower => byte.to_ascii_lowercase(),
        }
    }
}

/// A block may have so many bytes.
const LARGEST: u64 = 1 << 30;

pub struct Operands {
    pub input: Option<Vec<u8>>,
    pub output: Option<Vec<u8>>,
    pub ibs: usize,
    pub obs: usize,
    pub count: Option<u64>,
    pub count_bytes: bool,
    /// In bytes, as is `seek`.
    pub skip: u64,
    pub seek: u64,
    pub status: Status,
    /// Output is made of whole blocks, however input came.
    pub gathers: bool,
    pub case: Case,
    pub swaps: bool,
    pub pads: bool,
    pub goes_on: bool,
    pub truncates: bool,
    pub creates: bool,
    pub excludes: bool,
    pub syncs: bool,
    pub appends: bool,
    pub full_blocks: bool,
}

/// A number, and whether it counts bytes.
fn number(text: &[u8]) -> Done<(u64, bool)> {
    let (digits, bytes) = match text {
        [before @ .., last, b'B'] if last.is_ascii_digit() => (&text[..before.len() + 1], true),
        text => (text, false),
    };
    let factors = digits.split(|b| *b == b'x').map(|factor| size::parse(factor, b"cwbkKMGTPE"));
    let product = factors.into_iter().try_fold(1u64, |product, factor| product.checked_mul(factor?));
    match product {
        Some(product) => Ok((product, bytes)),
        None => fail(say!("invalid number: ", quoted(text))),
    }
}

fn block(text: &[u8]) -> Done<usize> {
    match number(text)?.0 {
        0 => fail(say!("invalid number: ", quoted(text))),
        size if size > LARGEST => fail(say!("a block has no more than 1G: ", quoted(text))),
        size => Ok(size as usize),
    }
}

/// The words of a list; what is none of `known` is `what`.
fn list<'v>(value: &'v [u8], known: &[&str], what: &str) -> Done<Vec<&'v [u8]>> {
    let words: Vec<&[u8]> = value.split(|b| *b == b',').collect();
    match words.iter().find(|word| !known.iter().any(|name| name.as_bytes() == **word)) {
        Some(unknown) => misused(say!("invalid ", what, ": ", quoted(unknown))),
        None => Ok(words),
    }
}

const CONVERSIONS: [&str; 11] = [
    "lcase",
    "ucase",
    "swab",
    "sync",
    "noerror",
    "notrunc",
    "nocreat",
    "excl",
    "sparse",
    "fsync",
    "fdatasync",
];
/// Those without an effect are about devices and caches.
const INPUT_FLAGS: [&str; 10] = [
    "fullblock",
    "count_bytes",
    "skip_bytes",
    "direct",
    "dsync",
    "sync",
    "nonblock",
    "noatime",
    "nocache",
    "noctty",
];
const OUTPUT_FLAGS: [&str; 9] =
    ["append", "seek_bytes", "direct", "dsync", "sync", "nonblock", "noatime", "nocache", "noctty"];

impl Operands {
    pub fn read(words: &[Vec<u8>]) -> Done<Operands> {
        let words = match words {
            [first, rest @ ..] if first == b"--" => rest,
            words => words,
        };
        let mut all = Operands {
            input: None,
            output: None,
            ibs: 512,
            obs: 512,
            count: None,
            count_bytes: false,
            skip: 0,
            seek: 0,
            status: Status::All,
            gathers: true,
            case: Case::Kept,
            swaps: false,
            pads: false,
            goes_on: false,
            truncates: true,
            creates: true,
            excludes: false,
            syncs: false,
            appends: false,
            full_blocks: false,
        };
        let (mut both, mut skip, mut seek) = (None, (0, false), (0, false));
        let mut conversions: Vec<&[u8]> = Vec::new();
        let mut flags: Vec<&[u8]> = Vec::new();
        for word in words {
            let Some(at) = word.iter().position(|b| *b == b'=') else {
                return misused(say!("unrecognized operand ", quoted(word)));
            };
            let (name, value) = (&word[..at], &word[at + 1..]);
            match name {
                b"if" => all.input = Some(value.to_vec()),
                b"of" => all.output = Some(value.to_vec()),
                b"bs" => both = Some(block(value)?),
                b"ibs" => all.ibs = block(value)?,
                b"obs" => all.obs = block(value)?,
                b"count" => {
                    let (count, bytes) = number(value)?;
                    (all.count, all.count_bytes) = (Some(count), bytes);
                }
                b"skip" | b"iseek" => skip = number(value)?,
                b"seek" | b"oseek" => seek = number(value)?,
                b"conv" => conversions.extend(list(value, &CONVERSIONS, "conversion")?),
                b"iflag" => flags.extend(list(value, &INPUT_FLAGS, "input flag")?),
                b"oflag" => flags.extend(list(value, &OUTPUT_FLAGS, "output flag")?),
                b"status" => {
                    all.status = match value {
                        b"none" => Status::None,
                        b"noxfer" => Status::Records,
                        b"progress" => Status::All,
                        _ => return misused(say!("invalid status level: ", quoted(value))),
                    }
                }
                _ => return misused(say!("unrecognized operand ", quoted(word))),
            }
        }
        if let Some(size) = both {
            (all.ibs, all.obs, all.gathers) = (size, size, false);
        }
        let has = |list: &[&[u8]], name: &str| list.contains(&name.as_bytes());
        let conv = |name: &str| has(&conversions, name);
        for (one, other) in [("lcase", "ucase"), ("excl", "nocreat")] {
            if conv(one) && conv(other) {
                return fail(format!("cannot combine {one} and {other}"));
            }
        }
        all.case = match (conv("ucase"), conv("lcase")) {
            (true, _) => Case::Upper,
            (_, true) => Case::Lower,
            _ => Case::Kept,
        };
        all.swaps = conv("swab");
        all.gathers |= all.swaps || !matches!(all.case, Case::Kept);
        (all.pads, all.goes_on) = (conv("sync"), conv("noerror"));
        (all.truncates, all.creates, all.excludes) = (!conv("notrunc"), !conv("nocreat"), conv("excl"));
        all.syncs = conv("fsync") || conv("fdatasync");
        all.appends = has(&flags, "append");
        all.full_blocks = has(&flags, "fullblock");
        all.count_bytes |= has(&flags, "count_bytes");
        let bytes = |(count, bytes): (u64, bool), flag: &str, block: usize| {
            if bytes || has(&flags, flag) { count } else { count.saturating_mul(block as u64) }
        };
        all.skip = bytes(skip, "skip_bytes", all.ibs);
        all.seek = bytes(seek, "seek_bytes", all.obs);
        Ok(all)
    }
}
