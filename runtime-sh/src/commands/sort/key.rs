//! What sort compares: a part of the line (`-k 2.3,4n`), and how: as text, number, month, size, version.

use super::version;
use std::cmp::Ordering;

#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub enum By {
    #[default]
    Text,
    Number,
    General,
    Human,
    Month,
    Version,
    Random,
}

/// A field and a byte in it, from 1; a byte of 0 is the field's end.
#[derive(Clone, Copy, Debug, Default)]
struct Position {
    field: usize,
    byte: usize,
    skips_blanks: bool,
}

#[derive(Clone, Debug, Default)]
pub struct Key {
    start: Option<Position>,
    end: Option<Position>,
    skips_blanks: bool,
    dictionary: bool,
    folds: bool,
    printing: bool,
    pub by: By,
    pub reversed: bool,
}

impl Key {
    pub fn option(&mut self, letter: u8) {
        match letter {
            b'b' => self.skips_blanks = true,
            b'd' => self.dictionary = true,
            b'f' => self.folds = true,
            b'i' => self.printing = true,
            b'g' => self.by = By::General,
            b'h' => self.by = By::Human,
            b'M' => self.by = By::Month,
            b'n' => self.by = By::Number,
            b'R' => self.by = By::Random,
            b'V' => self.by = By::Version,
            b'r' => self.reversed = true,
            _ => {}
        }
    }

    pub fn has_options(&self) -> bool {
        self.skips_blanks
            || self.dictionary
            || self.folds
            || self.printing
            || self.reversed
            || self.by != By::Text
    }

    /// The same part of the line, compared as `other` is.
    pub fn with(self, other: &Key) -> Key {
        let mut key = Key { start: self.start, end: self.end, ..other.clone() };
        if other.skips_blanks {
            for position in [&mut key.start, &mut key.end].into_iter().flatten() {
                position.skips_blanks = true;
            }
        }
        key
    }

    pub fn parse(text: &[u8]) -> Result<Key, String> {
        let shown = String::from_utf8_lossy(text).into_owned();
        let mut key = Key::default();
        let mut rest = text;
        let number = |rest: &mut &[u8], what: &str| -> Result<usize, String> {
            let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
            if digits == 0 {
                return Err(format!("{what}: invalid count at start of '{}'", String::from_utf8_lossy(rest)));
            }
            let value =
                std::str::from_utf8(&rest[..digits]).expect("digits are ASCII").parse().unwrap_or(usize::MAX);
            *rest = &rest[digits..];
            Ok(value)
        };
        let mut start = Position {
            field: number(&mut rest, "invalid number at field start")?,
            byte: 1,
            skips_blanks: false,
        };
        if start.field == 0 {
            return Err(format!("field number is zero: invalid field specification '{shown}'"));
        }
        if let Some(behind) = rest.strip_prefix(b".") {
            rest = behind;
            start.byte = number(&mut rest, "invalid number after '.'")?;
            if start.byte == 0 {
                return Err(format!("character offset is zero: invalid field specification '{shown}'"));
            }
        }
        let options = |rest: &mut &[u8], key: &mut Key, position: &mut Position| {
            while let [
                letter @ (b'b' | b'd' | b'f' | b'g' | b'h' | b'i' | b'M' | b'n' | b'R' | b'r' | b'V'),
                tail @ ..,
            ] = *rest
            {
                match letter {
                    b'b' => {
                        position.skips_blanks = true;
                        key.skips_blanks = true;
                    }
                    letter => key.option(*letter),
                }
                *rest = tail;
            }
        };
        options(&mut rest, &mut key, &mut start);
        key.start = Some(start);
        if let Some(behind) = rest.strip_prefix(b",") {
            rest = behind;
            let mut end = Position {
                field: number(&mut rest, "invalid number after ','")?,
                byte: 0,
                skips_blanks: false,
            };
            if end.field == 0 {
                return Err(format!("field number is zero: invalid field specification '{shown}'"));
            }
            if let Some(behind) = rest.strip_prefix(b".") {
                rest = behind;
                end.byte = number(&mut rest, "invalid number after '.'")?;
            }
            options(&mut rest, &mut key, &mut end);
            key.end = Some(end);
        }
        if !rest.is_empty() {
            return Err(format!("stray character in field spec: invalid field specification '{shown}'"));
        }
        Ok(key)
    }

    fn part<'l>(&self, line: &'l [u8], separator: Option<u8>) -> &'l [u8] {
        let Some(start) = self.start else {
            return if self.skips_blanks { &line[blanks(line)..] } else { line };
        };
        let mut from = begin(line, start.field, separator);
        if start.skips_blanks {
            from += blanks(&line[from..]);
        }
        from = (from + start.byte - 1).min(line.len());
        let to = match self.end {
            None => line.len(),
            Some(end) if end.byte == 0 => finish(line, end.field, separator),
            Some(end) => {
                let mut at = begin(line, end.field, separator);
                if end.skips_blanks {
                    at += blanks(&line[at..]);
                }
                (at + end.byte).min(line.len())
            }
        };
        &line[from..to.max(from)]
    }

    pub fn compare(&self, a: &[u8], b: &[u8], separator: Option<u8>) -> Ordering {
        let (a, b) = (self.part(a, separator), self.part(b, separator));
        let order = match self.by {
            By::Number => number(a, b),
            By::General => general(a).partial_cmp(&general(b)).unwrap_or(Ordering::Equal),
            By::Human => human(a, b),
            By::Month => month(a).cmp(&month(b)),
            By::Version => version(a, b),
            By::Random => hash(a).cmp(&hash(b)),
            By::Text => self.text(a, b),
        };
        if self.reversed { order.reverse() } else { order }
    }

    fn text(&self, a: &[u8], b: &[u8]) -> Ordering {
        if !(self.dictionary || self.folds || self.printing) {
            return a.cmp(b);
        }
        let kept = |byte: &u8| {
            let in_dictionary =
                !self.dictionary || byte.is_ascii_alphanumeric() || matches!(byte, b' ' | b'\t');
            in_dictionary && (!self.printing || (32..127).contains(byte))
        };
        let seen = |byte: &u8| if self.folds { byte.to_ascii_uppercase() } else { *byte };
        a.iter().filter(|b| kept(b)).map(seen).cmp(b.iter().filter(|b| kept(b)).map(seen))
    }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n')
}

fn blanks(text: &[u8]) -> usize {
    text.iter().take_while(|b| is_blank(**b)).count()
}

/// Where a field begins; without a separator the blanks before it are its own.
fn begin(line: &[u8], field: usize, separator: Option<u8>) -> usize {
    let mut at = 0;
    for _ in 1..field {
        match separator {
            Some(separator) => match memchr::memchr(separator, &line[at..]) {
                Some(end) => at += end + 1,
                None => return line.len(),
            },
            None => {
                at += blanks(&line[at..]);
                at += line[at..].iter().take_while(|b| !is_blank(**b)).count();
            }
        }
    }
    at
}

/// Where a field ends.
fn finish(line: &[u8], field: usize, separator: Option<u8>) -> usize {
    let at = begin(line, field, separator);
    match separator {
        Some(separator) => memchr::memchr(separator, &line[at..]).map_or(line.len(), |end| at + end),
        None => {
            let at = at + blanks(&line[at..]);
            at + line[at..].iter().take_while(|b| !is_blank(**b)).count()
        }
    }
}

/// A number as -n sees it: sign, digits without leading zeros, fraction without trailing ones.
struct Number<'t> {
    negative: bool,
    whole: &'t [u8],
    fraction: &'t [u8],
    rest: &'t [u8],
}

fn read(text: &[u8]) -> Number<'_> {
    let text = &text[blanks(text)..];
    let negative = text.first() == Some(&b'-');
    let text = &text[usize::from(negative)..];
    let digits = text.iter().take_while(|b| b.is_ascii_digit()).count();
    let zeros = text[..digits].iter().take_while(|b| **b == b'0').count();
    let (whole, mut rest) = (&text[zeros..digits], &text[digits..]);
    let mut fraction: &[u8] = &[];
    if rest.first() == Some(&b'.') {
        let digits = rest[1..].iter().take_while(|b| b.is_ascii_digit()).count();
        fraction = &rest[1..1 + digits];
        rest = &rest[1 + digits..];
        let end = fraction.iter().rposition(|b| *b != b'0').map_or(0, |last| last + 1);
        fraction = &fraction[..end];
    }
    Number { negative, whole, fraction, rest }
}

impl Number<'_> {
    fn is_zero(&self) -> bool {
        self.whole.is_empty() && self.fraction.is_empty()
    }
    fn sign(&self) -> i8 {
        match (self.is_zero(), self.negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        }
    }
    fn size(&self, other: &Number<'_>) -> Ordering {
        let whole = self.whole.len().cmp(&other.whole.len()).then_with(|| self.whole.cmp(other.whole));
        whole.then_with(|| self.fraction.cmp(other.fraction))
    }
}

fn number(a: &[u8], b: &[u8]) -> Ordering {
    let (a, b) = (read(a), read(b));
    a.sign().cmp(&b.sign()).then_with(|| if a.sign() < 0 { b.size(&a) } else { a.size(&b) })
}

/// As strtold reads it; what is no number comes first.
fn general(text: &[u8]) -> (bool, f64) {
    let text = &text[blanks(text)..];
    let end = text.iter().take_while(|b| b.is_ascii_alphanumeric() || b"+-.".contains(b)).count();
    let mut text = std::str::from_utf8(&text[..end]).unwrap_or_default();
    while !text.is_empty() {
        if let Ok(value) = text.parse::<f64>() {
            return (true, value);
        }
        text = &text[..text.len() - 1];
    }
    (false, 0.0)
}

fn human(a: &[u8], b: &[u8]) -> Ordering {
    let (a, b) = (read(a), read(b));
    let unit = |number: &Number<'_>| {
        let power = number.rest.first().and_then(|b| b"kKMGTPEZY".iter().position(|unit| unit == b));
        let power = power.map_or(0, |at| at.max(1) as i8);
        if number.sign() < 0 { -power } else { power }
    };
    let signs = a.sign().cmp(&b.sign());
    let units = if a.sign() == 0 { Ordering::Equal } else { unit(&a).cmp(&unit(&b)) };
    signs.then(units).then_with(|| if a.sign() < 0 { b.size(&a) } else { a.size(&b) })
}

fn month(text: &[u8]) -> usize {
    const MONTHS: [&[u8; 3]; 12] =
        [b"JAN", b"FEB", b"MAR", b"APR", b"MAY", b"JUN", b"JUL", b"AUG", b"SEP", b"OCT", b"NOV", b"DEC"];
    let text = &text[blanks(text)..];
    let name = text.get(..3).map(<[u8]>::to_ascii_uppercase).unwrap_or_default();
    MONTHS.iter().position(|month| month[..] == name[..]).map_or(0, |at| at + 1)
}

/// One order for each run of the server: equal lines stay together.
fn hash(text: &[u8]) -> u64 {
    use std::hash::BuildHasher;
    static STATE: std::sync::LazyLock<std::hash::RandomState> =
        std::sync::LazyLock::new(std::hash::RandomState::new);
    STATE.hash_one(text)
}
