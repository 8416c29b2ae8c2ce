//! tr(1): bytes replaced, squeezed and deleted.

use super::gnu::{Done, Program, fail, misused};
use super::messages::{quoted, say};
use super::options::Args;
use super::pattern::ByteSet;
use super::{Invocation, words};

pub(super) const PROGRAM: Program = Program::new(
    "[OPTION]... STRING1 [STRING2]",
    "Translate, squeeze, or delete characters from standard input, writing to standard output.",
    "c,C,complement d,delete s,squeeze-repeats t,truncate-set1",
)
.stops();

/// An array of bytes as it is written: `a-z`, `[:digit:]`, `[x*4]`, `\n`.
struct Array {
    bytes: Vec<u8>,
    /// Where `[x*]` stands, which fills up to the other array's length.
    fill: Option<(usize, u8)>,
    /// What was written as a class, and where its bytes begin.
    classes: Vec<(usize, Class)>,
    /// The last thing in it is a class.
    ends_in_class: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Class {
    /// `[:upper:]` or `[:lower:]`.
    Case,
    Other,
    /// `[=x=]`.
    Equivalents,
}

/// One byte, escapes included; whether it was escaped.
fn one(text: &[u8]) -> Option<(u8, usize, bool)> {
    match text {
        [] => None,
        [b'\\'] => Some((b'\\', 1, false)),
        [b'\\', b'0'..=b'7', ..] => {
            let mut digits = text[1..].iter().take(3).take_while(|b| (b'0'..=b'7').contains(*b)).count();
            let value =
                |digits: usize| text[1..=digits].iter().fold(0u32, |v, b| v * 8 + u32::from(b - b'0'));
            if value(digits) > 255 {
                digits -= 1;
            }
            Some((value(digits) as u8, 1 + digits, true))
        }
        [b'\\', letter, ..] => Some((
            match letter {
                b'a' => 7,
                b'b' => 8,
                b'f' => 12,
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                b'v' => 11,
                other => *other,
            },
            2,
            true,
        )),
        [byte, ..] => Some((*byte, 1, false)),
    }
}

fn array(text: &[u8], second: bool) -> Done<Array> {
    let mut array = Array { bytes: Vec::new(), fill: None, classes: Vec::new(), ends_in_class: false };
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        array.ends_in_class = false;
        if let [b'[', b':', inner @ ..] = rest
            && let Some(len) = inner.windows(2).position(|pair| pair == b":]")
        {
            let name = &inner[..len];
            let Some(class) = ByteSet::class(name) else {
                return fail(say!("invalid character class ", quoted(name)));
            };
            let kind = if matches!(name, b"upper" | b"lower") { Class::Case } else { Class::Other };
            array.classes.push((array.bytes.len(), kind));
            array.ends_in_class = true;
            array.bytes.extend((0..=255u8).filter(|b| class.contains(*b)));
            at += len + 4;
            continue;
        }
        if let [b'[', b'=', byte, b'=', b']', ..] = rest {
            array.classes.push((array.bytes.len(), Class::Equivalents));
            array.bytes.push(*byte);
            at += 5;
            continue;
        }
        if rest[0] == b'['
            && let Some((byte, len, _)) = one(&rest[1..])
            && rest.get(1 + len) == Some(&b'*')
            && let Some(close) = rest[2 + len..].iter().position(|b| *b == b']')
            && rest[2 + len..2 + len + close].iter().all(u8::is_ascii_digit)
        {
            let digits = std::str::from_utf8(&rest[2 + len..2 + len + close]).expect("digits are ASCII");
            let count =
                if digits.starts_with('0') { usize::from_str_radix(digits, 8) } else { digits.parse() };
            match count.unwrap_or(0) {
                0 if !second => return fail("the [c*] repeat construct may not appear in string1"),
                0 if array.fill.is_some() => {
                    return fail("only one [c*] repeat construct may appear in string2");
                }
                0 => array.fill = Some((array.bytes.len(), byte)),
                count => array.bytes.extend(std::iter::repeat_n(byte, count.min(256))),
            }
            at += 3 + len + close;
            continue;
        }
        let Some((first, len, _)) = one(rest) else { break };
        if rest.get(len) == Some(&b'-')
            && let Some((last, more, _)) = one(&rest[len + 1..])
        {
            if last < first {
                let shown = String::from_utf8_lossy(&rest[..len + 1 + more]).into_owned();
                return fail(format!("range-endpoints of '{shown}' are in reverse collating sequence order"));
            }
            array.bytes.extend(first..=last);
            at += len + 1 + more;
            continue;
        }
        array.bytes.push(first);
        at += len;
    }
    Ok(array)
}

/// Refuses classes in the second array that say nothing of what is to become of a byte: only case has two sides.
fn translates(first: &Array, second: &Array, missing: usize, complement: bool) -> Done<()> {
    let has = |class: Class| second.classes.iter().any(|(_, known)| *known == class);
    if has(Class::Equivalents) {
        return fail("[=c=] expressions may not appear in string2 when translating");
    }
    if has(Class::Other) {
        return fail(
            "when translating, the only character classes that may appear in\nstring2 are 'upper' and 'lower'",
        );
    }
    let behind_fill = |at: usize| match second.fill {
        Some((fill, _)) if fill <= at => at + missing,
        _ => at,
    };
    let aligned = |at: usize| first.classes.contains(&(behind_fill(at), Class::Case));
    if !complement && !second.classes.iter().all(|(at, _)| aligned(*at)) {
        return fail("misaligned [:upper:] and/or [:lower:] construct");
    }
    Ok(())
}

pub(super) async fn run(call: &mut Invocation<'_>, args: Args) -> Done {
    let (delete, squeeze) = (args.has("d"), args.has("s"));
    let most = if delete && !squeeze { 1 } else { 2 };
    let least = if delete == squeeze { 2 } else { 1 };
    let operands = &args.operands;
    if operands.is_empty() {
        return misused("missing operand");
    }
    if operands.len() < least {
        let why = if delete {
            "Two strings must be given when both deleting and squeezing repeats."
        } else {
            "Two strings must be given when translating."
        };
        return misused(say!("missing operand after ", quoted(&operands[0]), "\n", why));
    }
    if let Some(extra) = operands.get(most) {
        let why = if most == 1 && operands.len() == 2 {
            "\nOnly one string may be given when deleting without squeezing repeats."
        } else {
            ""
        };
        return misused(say!("extra operand ", quoted(extra), why));
    }
    let mut first = array(&operands[0], false)?;
    if args.has("c") {
        let mut set = ByteSet::default();
        first.bytes.iter().for_each(|b| set.insert(*b));
        first.bytes = (0..=255).filter(|b| !set.contains(*b)).collect();
    }
    let second = match operands.get(1) {
        Some(text) => Some(array(text, true)?),
        None => None,
    };
    let translate = second.is_some() && !delete;
    let mut table: [u8; 256] = std::array::from_fn(|byte| byte as u8);
    let mut deleted = ByteSet::default();
    let mut squeezed = ByteSet::default();
    if delete {
        first.bytes.iter().for_each(|b| deleted.insert(*b));
    }
    if let (true, Some(second)) = (translate, &second) {
        let mut to = second.bytes.clone();
        let missing = first.bytes.len().saturating_sub(to.len());
        if let Some((at, byte)) = second.fill {
            to.splice(at..at, std::iter::repeat_n(byte, missing));
        }
        translates(&first, second, missing, args.has("c"))?;
        if args.has("t") {
            first.bytes.truncate(to.len());
        } else if to.len() < first.bytes.len() && second.ends_in_class {
            return fail(
                "when translating with string1 longer than string2,\nthe latter string must not end with a character class",
            );
        } else if let Some(last) = to.last().copied() {
            to.resize(first.bytes.len().max(to.len()), last);
        } else if !first.bytes.is_empty() {
            return fail("when not truncating set1, string2 must be non-empty");
        }
        first.bytes.iter().zip(&to).for_each(|(from, to)| table[usize::from(*from)] = *to);
    }
    if squeeze {
        let set = second.as_ref().unwrap_or(&first);
        set.bytes.iter().chain(set.fill.iter().map(|(_, byte)| byte)).for_each(|b| squeezed.insert(*b));
    }
    let mut input = call.stdin.surrender();
    let mut before = None;
    loop {
        let next = match call.fill(&mut input).await {
            Ok([]) => return Ok(0),
            Ok(next) => next,
            Err(error) => return fail(say!("read error: ", words(&error))),
        };
        let mut out = Vec::with_capacity(next.len());
        for byte in next {
            if deleted.contains(*byte) {
                continue;
            }
            let byte = table[usize::from(*byte)];
            if before == Some(byte) && squeezed.contains(byte) {
                continue;
            }
            before = Some(byte);
            out.push(byte);
        }
        let count = next.len();
        input.take(count);
        call.stdout.write(&out).await?;
    }
}
