//! A set of bytes: what a bracket expression, a dot or one letter stands for.

/// One bit for each of the 256 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ByteSet([u64; 4]);

impl ByteSet {
    pub fn one(byte: u8) -> ByteSet {
        let mut set = ByteSet::default();
        set.insert(byte);
        set
    }
    pub fn all() -> ByteSet {
        ByteSet([u64::MAX; 4])
    }
    /// Those for which `test` holds.
    pub fn of(test: impl Fn(u8) -> bool) -> ByteSet {
        let mut set = ByteSet::default();
        (0..=255).filter(|b| test(*b)).for_each(|b| set.insert(b));
        set
    }
    pub fn insert(&mut self, byte: u8) {
        self.0[usize::from(byte >> 6)] |= 1 << (byte & 63);
    }
    pub fn contains(&self, byte: u8) -> bool {
        self.0[usize::from(byte >> 6)] & (1 << (byte & 63)) != 0
    }
    pub fn add(&mut self, other: &ByteSet) {
        self.0.iter_mut().zip(other.0).for_each(|(mine, more)| *mine |= more);
    }
    pub fn complement(&self) -> ByteSet {
        ByteSet(self.0.map(|word| !word))
    }
    /// Each letter in both cases.
    pub fn folded(&self) -> ByteSet {
        ByteSet::of(|b| self.contains(b.to_ascii_lowercase()) || self.contains(b.to_ascii_uppercase()))
    }
    /// The runs of bytes in the set, first and last of each.
    pub fn ranges(&self) -> Vec<(u8, u8)> {
        let mut ranges: Vec<(u8, u8)> = Vec::new();
        for byte in (0..=255).filter(|b| self.contains(*b)) {
            match ranges.last_mut() {
                Some((_, last)) if *last + 1 == byte => *last = byte,
                _ => ranges.push((byte, byte)),
            }
        }
        ranges
    }

    /// A class of ctype(3) by its name, in the C locale.
    pub fn class(name: &[u8]) -> Option<ByteSet> {
        let test: fn(u8) -> bool = match name {
            b"alpha" => |b| b.is_ascii_alphabetic(),
            b"digit" => |b| b.is_ascii_digit(),
            b"alnum" => |b| b.is_ascii_alphanumeric(),
            b"upper" => |b| b.is_ascii_uppercase(),
            b"lower" => |b| b.is_ascii_lowercase(),
            b"space" => |b| b == b' ' || (9..=13).contains(&b),
            b"blank" => |b| b == b' ' || b == b'\t',
            b"punct" => |b| b.is_ascii_punctuation(),
            b"print" => |b| (32..127).contains(&b),
            b"graph" => |b| (33..127).contains(&b),
            b"cntrl" => |b| b < 32 || b == 127,
            b"xdigit" => |b| b.is_ascii_hexdigit(),
            _ => return None,
        };
        Some(ByteSet::of(test))
    }
}
