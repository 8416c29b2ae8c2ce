//! `$((…))`: integers of 64 bits, with C's operators and POSIX's assignments.

use std::collections::HashMap;

/// How deep parentheses and operators may nest.
const DEPTH: u32 = 200;

/// What a calculation asks for.
pub(crate) trait Names {
    fn value(&self, name: &[u8]) -> Result<i64, String>;
}

/// What came of it: the value, and the variables that it set, in order.
pub(crate) struct Outcome {
    pub value: i64,
    pub set: Vec<(Vec<u8>, i64)>,
}

struct Calculation<'a> {
    text: &'a [u8],
    at: usize,
    names: &'a dyn Names,
    set: Vec<(Vec<u8>, i64)>,
    now: HashMap<Vec<u8>, i64>,
    depth: u32,
    /// Whether what is read counts: the side of `&&`, `||` and `?:` that is not taken does not.
    counts: bool,
}

type Value = Result<i64, String>;

/// Calculates `text`; an error is in dash's words.
pub(crate) fn calculate(text: &[u8], names: &dyn Names) -> Result<Outcome, String> {
    let mut calculation =
        Calculation { text, at: 0, names, set: Vec::new(), now: HashMap::new(), depth: 0, counts: true };
    calculation.skip();
    if calculation.at == text.len() {
        return Ok(Outcome { value: 0, set: Vec::new() });
    }
    let value = calculation.assignment()?;
    if calculation.at < text.len() {
        return Err(calculation.wrong("expecting EOF"));
    }
    Ok(Outcome { value, set: calculation.set })
}

/// Binary operators by how strongly they bind, the weakest first.
const LEVELS: [&[&str]; 10] = [
    &["||"],
    &["&&"],
    &["|"],
    &["^"],
    &["&"],
    &["==", "!="],
    &["<=", ">=", "<", ">"],
    &["<<", ">>"],
    &["+", "-"],
    &["*", "/", "%"],
];

const ASSIGNMENTS: [&str; 11] = ["=", "*=", "/=", "%=", "+=", "-=", "<<=", ">>=", "&=", "^=", "|="];

impl Calculation<'_> {
    fn wrong(&self, what: &str) -> String {
        format!("arithmetic expression: {what}: \"{}\"", String::from_utf8_lossy(self.text))
    }
    fn skip(&mut self) {
        while self.text.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
    }
    fn rest(&self) -> &[u8] {
        &self.text[self.at..]
    }
    fn deeper(&mut self) -> Result<(), String> {
        self.depth += 1;
        if self.depth > DEPTH { Err(self.wrong("nested too deep")) } else { Ok(()) }
    }
    fn take(&mut self, what: &str) -> bool {
        let is = self.rest().starts_with(what.as_bytes());
        if is {
            self.at += what.len();
            self.skip();
        }
        is
    }

    fn name(&self) -> Option<Vec<u8>> {
        let name = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_';
        let length = self.rest().iter().take_while(|b| name(b)).count();
        let first = self.rest().first()?;
        (length > 0 && !first.is_ascii_digit()).then(|| self.rest()[..length].to_vec())
    }
    fn lookup(&self, name: &[u8]) -> Value {
        match self.now.get(name) {
            Some(value) => Ok(*value),
            None if self.counts => self.names.value(name),
            None => Ok(0),
        }
    }

    fn assignment(&mut self) -> Value {
        self.deeper()?;
        let from = self.at;
        if let Some(name) = self.name() {
            self.at += name.len();
            self.skip();
            let operator = ASSIGNMENTS.iter().find(|operator| {
                self.rest().starts_with(operator.as_bytes())
                    && !(**operator == "=" && self.rest().starts_with(b"=="))
            });
            if let Some(operator) = operator {
                self.take(operator);
                let right = self.assignment()?;
                let value = match operator.strip_suffix('=') {
                    Some("") | None => right,
                    Some(binary) => self.apply(binary, self.lookup(&name)?, right)?,
                };
                if self.counts {
                    self.now.insert(name.clone(), value);
                    self.set.push((name, value));
                }
                self.depth -= 1;
                return Ok(value);
            }
            self.at = from;
        }
        let value = self.conditional()?;
        self.depth -= 1;
        Ok(value)
    }

    fn conditional(&mut self) -> Value {
        let test = self.binary(0)?;
        if !self.take("?") {
            return Ok(test);
        }
        let counted = self.counts;
        self.counts = counted && test != 0;
        let yes = self.assignment()?;
        if !self.take(":") {
            return Err(self.wrong("expecting ':'"));
        }
        self.counts = counted && test == 0;
        self.deeper()?;
        let no = self.conditional()?;
        self.depth -= 1;
        self.counts = counted;
        Ok(if test != 0 { yes } else { no })
    }

    fn binary(&mut self, level: usize) -> Value {
        let Some(operators) = LEVELS.get(level) else { return self.unary() };
        let mut left = self.binary(level + 1)?;
        loop {
            let rest = self.rest();
            let found = operators.iter().find(|operator| {
                let behind = rest.get(operator.len());
                let doubled = operator.len() == 1
                    && behind == rest.first()
                    && matches!(rest.first(), Some(b'&' | b'|' | b'<' | b'>'));
                let assigns =
                    behind == Some(&b'=') && !matches!(**operator, "==" | "!=" | "<=" | ">=" | "&&" | "||");
                rest.starts_with(operator.as_bytes()) && !doubled && !assigns
            });
            let Some(operator) = found.copied() else { return Ok(left) };
            self.take(operator);
            if matches!(operator, "&&" | "||") {
                let decided = (operator == "&&") == (left == 0);
                let counted = self.counts;
                self.counts = counted && !decided;
                let right = self.binary(level + 1)?;
                self.counts = counted;
                left = i64::from(if operator == "&&" {
                    left != 0 && right != 0
                } else {
                    left != 0 || right != 0
                });
            } else {
                let right = self.binary(level + 1)?;
                left = self.apply(operator, left, right)?;
            }
        }
    }

    fn apply(&self, operator: &str, left: i64, right: i64) -> Value {
        Ok(match operator {
            "|" => left | right,
            "^" => left ^ right,
            "&" => left & right,
            "==" => i64::from(left == right),
            "!=" => i64::from(left != right),
            "<" => i64::from(left < right),
            ">" => i64::from(left > right),
            "<=" => i64::from(left <= right),
            ">=" => i64::from(left >= right),
            "<<" => left.wrapping_shl(right as u32),
            ">>" => left.wrapping_shr(right as u32),
            "+" => left.wrapping_add(right),
            "-" => left.wrapping_sub(right),
            "*" => left.wrapping_mul(right),
            _ if right == 0 && !self.counts => 0,
            _ if right == 0 => return Err(self.wrong("division by zero")),
            "/" => left.wrapping_div(right),
            _ => left.wrapping_rem(right),
        })
    }

    fn unary(&mut self) -> Value {
        self.deeper()?;
        let value = match self.rest().first() {
            Some(b'!') if self.rest().get(1) != Some(&b'=') => {
                self.take("!");
                i64::from(self.unary()? == 0)
            }
            Some(b'~') => {
                self.take("~");
                !self.unary()?
            }
            Some(b'-') => {
                self.take("-");
                self.unary()?.wrapping_neg()
            }
            Some(b'+') => {
                self.take("+");
                self.unary()?
            }
            Some(b'(') => {
                self.take("(");
                let value = self.assignment()?;
                if !self.take(")") {
                    return Err(self.wrong("expecting ')'"));
                }
                value
            }
            Some(byte) if byte.is_ascii_digit() => self.number()?,
            _ => match self.name() {
                Some(name) => {
                    self.at += name.len();
                    self.skip();
                    self.lookup(&name)?
                }
                None => return Err(self.wrong("expecting primary")),
            },
        };
        self.depth -= 1;
        Ok(value)
    }

    fn number(&mut self) -> Value {
        let length = prefix(self.rest());
        let value = integer(&self.rest()[..length]).unwrap_or(i64::MAX);
        self.at += length;
        self.skip();
        Ok(value)
    }
}

/// How many bytes at the start of `text` are a C constant.
fn prefix(text: &[u8]) -> usize {
    let count = |text: &[u8], is: fn(&u8) -> bool| text.iter().take_while(|b| is(b)).count();
    match text {
        [b'0', b'x' | b'X', rest @ ..] if rest.first().is_some_and(u8::is_ascii_hexdigit) => {
            2 + count(rest, u8::is_ascii_hexdigit)
        }
        [b'0', ..] => count(text, |b| (b'0'..=b'7').contains(b)),
        _ => count(text, u8::is_ascii_digit),
    }
}

/// A C constant, decimal, octal or hexadecimal.
fn integer(text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?;
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) => i64::from_str_radix(hex, 16).ok(),
        None if text.len() > 1 && text.starts_with('0') => i64::from_str_radix(text, 8).ok(),
        None => text.parse().ok(),
    }
}

/// A variable's value as a number; none where it is not one.
pub(crate) fn number(text: &[u8]) -> Option<i64> {
    let text = text.trim_ascii();
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    if digits.is_empty() {
        return text.is_empty().then_some(0);
    }
    if !digits[0].is_ascii_digit() || prefix(digits) != digits.len() {
        return None;
    }
    // Of the least number there is no positive one.
    let value = integer(digits).map(|value| if negative { -value } else { value });
    Some(value.unwrap_or(if negative { i64::MIN } else { i64::MAX }))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct None_;
    impl Names for None_ {
        fn value(&self, name: &[u8]) -> Result<i64, String> {
            Ok(name.len() as i64)
        }
    }

    fn value(text: &str) -> Result<i64, String> {
        calculate(text.as_bytes(), &None_).map(|outcome| outcome.value)
    }

    #[test]
    fn operators_bind_as_in_c() {
        for (text, expected) in [
            ("1+2*3", 7),
            ("(1+2)*3", 9),
            ("10-2-3", 5),
            ("7/2", 3),
            ("-7%3", -1),
            ("1<<4|1", 17),
            ("!0+1", 2),
            ("~0", -1),
            ("1?2:3", 2),
            ("0?2:0?4:5", 5),
            ("1&&0||1", 1),
            ("3>2", 1),
            ("0x1F", 31),
            ("010", 8),
            ("abc+1", 4),
            ("a=5, 1".split(',').next().unwrap_or_default(), 5),
            ("x+=2", 3),
            ("1 ? 2 : 1/0", 2),
            ("0 && 1/0", 0),
            ("", 0),
            ("1==1!=0", 1),
            ("5&3^1", 0),
            ("a<b", 0),
        ] {
            assert_eq!(value(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_expression_is_said_in_dashs_words() {
        assert_eq!(value("1+"), Err("arithmetic expression: expecting primary: \"1+\"".into()));
        assert_eq!(value("1/0"), Err("arithmetic expression: division by zero: \"1/0\"".into()));
        assert_eq!(value("1 2"), Err("arithmetic expression: expecting EOF: \"1 2\"".into()));
        assert!(value(&"(".repeat(10_000)).is_err(), "no depth of nesting ends the server");
        assert!(value(&"-".repeat(10_000)).is_err());
    }
}
