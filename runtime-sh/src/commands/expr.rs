//! expr(1) (POSIX.1 and GNU's additions): words taken as an expression, of numbers without bound and of strings.
//!
//! ```text
//! or       and { | and }
//! and      compared { & compared }
//! compared sum { < <= = == != >= > sum }
//! sum      product { + - product }         numbers
//! product  match { * / % match }
//! match    word { : word }                 a basic regular expression, from the string's beginning on
//! word     + WORD | length, match, index, substr and words | ( or ) | WORD
//! ```

use super::Invocation;
use super::gnu::{Done, Failure, Program};
use super::messages::{quoted, say};
use super::options::Args;
use super::pattern::{Pattern, Syntax};
use num_bigint::{BigInt, Sign};
use std::cmp::Ordering;

pub(super) const PROGRAM: Program = Program::new(
    "EXPRESSION",
    "Print the value of EXPRESSION to standard output. Operators, the weakest first: | & < <= = == != >= > + - * / % :, then\n\
     match STRING REGEXP, substr STRING POS LENGTH, index STRING CHARS, length STRING, + TOKEN, ( EXPRESSION ).",
    "",
)
.raw()
.trouble(3);

/// How deep an expression may nest.
const DEPTH: u32 = 200;

/// How many bytes a number may have that is computed with: each step of a computation is over in a moment.
const WIDEST: u64 = 16 << 10;

pub(super) async fn run(call: &mut Invocation<'_>, _none: Args) -> Done {
    let words = match call.args() {
        [first, rest @ ..] if first == b"--" => rest,
        words => words,
    };
    if words.is_empty() {
        let name = call.name();
        let text = format!("{name}: missing operand\nTry '{name} --help' for more information.\n");
        call.warn_bare(text.as_bytes()).await;
        return Err(Failure::Status(2));
    }
    match value(words) {
        Ok(value) => {
            call.stdout.write(&say!(value.text(), "\n")).await?;
            Ok(u8::from(value.is_null()))
        }
        Err(text) => {
            call.warn(text).await;
            Err(Failure::Status(2))
        }
    }
}

#[derive(Clone, Debug)]
enum Value {
    Text(Vec<u8>),
    Number(BigInt),
}

impl Value {
    fn text(&self) -> Vec<u8> {
        match self {
            Value::Text(text) => text.clone(),
            Value::Number(number) => number.to_string().into_bytes(),
        }
    }
    /// Nothing, or zero however it is written.
    fn is_null(&self) -> bool {
        match self {
            Value::Text(text) => {
                let digits = text.strip_prefix(b"-").unwrap_or(text);
                text.is_empty() || (!digits.is_empty() && digits.iter().all(|digit| *digit == b'0'))
            }
            Value::Number(number) => number.sign() == Sign::NoSign,
        }
    }
    fn number(&self) -> Outcome<BigInt> {
        match self {
            Value::Text(text) => integer(text).unwrap_or_else(|| Err(b"non-integer argument".to_vec())),
            Value::Number(number) => Ok(number.clone()),
        }
    }
}

/// What is wrong with an expression, in words.
type Outcome<T> = Result<T, Vec<u8>>;

/// The number that `text` is, where it is one.
fn integer(text: &[u8]) -> Option<Outcome<BigInt>> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    if digits.len() as u64 > WIDEST * 2 {
        return Some(Err(too_large()));
    }
    BigInt::parse_bytes(text, 10).map(Ok)
}

fn too_large() -> Vec<u8> {
    format!("a number has more than {WIDEST} bytes").into_bytes()
}

fn value(words: &[Vec<u8>]) -> Outcome<Value> {
    let mut reading = Reading { words, at: 0, depth: 0 };
    let value = reading.or(true)?;
    match reading.words.get(reading.at) {
        Some(word) => Err(say!("syntax error: unexpected argument ", quoted(word))),
        None => Ok(value),
    }
}

struct Reading<'a> {
    words: &'a [Vec<u8>],
    at: usize,
    depth: u32,
}

impl Reading<'_> {
    /// The next word, where it is one of `operators`.
    fn takes(&mut self, operators: &[&'static str]) -> Option<&'static str> {
        let next = self.words.get(self.at)?;
        let found = operators.iter().find(|operator| operator.as_bytes() == next)?;
        self.at += 1;
        Some(found)
    }

    /// Any word.
    fn word(&mut self) -> Outcome<Value> {
        match self.words.get(self.at) {
            Some(word) => {
                self.at += 1;
                Ok(Value::Text(word.clone()))
            }
            None => Err(self.missing()),
        }
    }

    fn missing(&self) -> Vec<u8> {
        say!("syntax error: missing argument after ", quoted(&self.words[self.at - 1]))
    }

    /// Where it is not `live`, an expression is read and not computed.
    fn or(&mut self, live: bool) -> Outcome<Value> {
        let mut left = self.and(live)?;
        while self.takes(&["|"]).is_some() {
            let right = self.and(live && left.is_null())?;
            if left.is_null() {
                left = if right.is_null() { Value::Number(BigInt::ZERO) } else { right };
            }
        }
        Ok(left)
    }

    fn and(&mut self, live: bool) -> Outcome<Value> {
        let mut left = self.compared(live)?;
        while self.takes(&["&"]).is_some() {
            let right = self.compared(live && !left.is_null())?;
            if left.is_null() || right.is_null() {
                left = Value::Number(BigInt::ZERO);
            }
        }
        Ok(left)
    }

    fn compared(&mut self, live: bool) -> Outcome<Value> {
        let mut left = self.sum(live)?;
        while let Some(operator) = self.takes(&["<", "<=", "=", "==", "!=", ">=", ">"]) {
            let right = self.sum(live)?;
            if !live {
                continue;
            }
            let order = order(&left, &right)?;
            let holds = match operator {
                "<" => order.is_lt(),
                "<=" => order.is_le(),
                "!=" => order.is_ne(),
                ">=" => order.is_ge(),
                ">" => order.is_gt(),
                _ => order.is_eq(),
            };
            left = Value::Number(u8::from(holds).into());
        }
        Ok(left)
    }

    fn sum(&mut self, live: bool) -> Outcome<Value> {
        let mut left = self.product(live)?;
        while let Some(operator) = self.takes(&["+", "-"]) {
            let right = self.product(live)?;
            if live {
                left = computed(operator, &left, &right)?;
            }
        }
        Ok(left)
    }

    fn product(&mut self, live: bool) -> Outcome<Value> {
        let mut left = self.matched(live)?;
        while let Some(operator) = self.takes(&["*", "/", "%"]) {
            let right = self.matched(live)?;
            if live {
                left = computed(operator, &left, &right)?;
            }
        }
        Ok(left)
    }

    fn matched(&mut self, live: bool) -> Outcome<Value> {
        let mut left = self.unit(live)?;
        while self.takes(&[":"]).is_some() {
            let right = self.unit(live)?;
            if live {
                left = found(&left, &right)?;
            }
        }
        Ok(left)
    }

    fn unit(&mut self, live: bool) -> Outcome<Value> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(format!("an expression nests {DEPTH} deep at most").into_bytes());
        }
        let value = self.unit_at_depth(live);
        self.depth -= 1;
        value
    }

    fn unit_at_depth(&mut self, live: bool) -> Outcome<Value> {
        match self.takes(&["+", "length", "match", "index", "substr", "(", ")"]) {
            Some("+") => self.word(),
            Some("length") => Ok(Value::Number(self.unit(live)?.text().len().into())),
            Some("match") => {
                let (text, expression) = (self.unit(live)?, self.unit(live)?);
                if live { found(&text, &expression) } else { Ok(text) }
            }
            Some("index") => {
                let (text, bytes) = (self.unit(live)?.text(), self.unit(live)?.text());
                let at = text.iter().position(|byte| bytes.contains(byte));
                Ok(Value::Number(at.map_or(0, |at| at + 1).into()))
            }
            Some("substr") => {
                let (text, from, len) = (self.unit(live)?.text(), self.unit(live)?, self.unit(live)?);
                Ok(Value::Text(part(&text, &from, &len).to_vec()))
            }
            Some("(") => {
                let value = self.or(live)?;
                match self.words.get(self.at) {
                    Some(word) if word == b")" => {
                        self.at += 1;
                        Ok(value)
                    }
                    Some(word) => Err(say!("syntax error: expecting ')' instead of ", quoted(word))),
                    None => {
                        let last = quoted(&self.words[self.at - 1]);
                        Err(say!("syntax error: expecting ')' after ", last))
                    }
                }
            }
            Some(_) => Err(b"syntax error: unexpected ')'".to_vec()),
            None => self.word(),
        }
    }
}

/// As numbers where both are, else as strings.
fn order(left: &Value, right: &Value) -> Outcome<Ordering> {
    let (left, right) = (left.text(), right.text());
    Ok(match (integer(&left), integer(&right)) {
        (Some(left), Some(right)) => left?.cmp(&right?),
        _ => left.cmp(&right),
    })
}

fn computed(operator: &str, left: &Value, right: &Value) -> Outcome<Value> {
    let (left, right) = (left.number()?, right.number()?);
    if left.bits().max(right.bits()) > WIDEST * 8 {
        return Err(too_large());
    }
    if matches!(operator, "/" | "%") && right.sign() == Sign::NoSign {
        return Err(b"division by zero".to_vec());
    }
    Ok(Value::Number(match operator {
        "+" => left + right,
        "-" => left - right,
        "*" => left * right,
        "/" => left / right,
        _ => left % right,
    }))
}

/// What the first subexpression matched, or how long the match is where there is none.
fn found(text: &Value, expression: &Value) -> Outcome<Value> {
    let syntax = Syntax { lenient: true, ..Syntax::default() };
    let pattern = Pattern::new(&expression.text(), syntax).map_err(|words| match words {
        "Unmatched { or \\{" => "Unmatched \\{",
        words => words,
    })?;
    let text = text.text();
    let mut groups = Vec::new();
    let any = pattern.captures(&text, 0, &mut groups);
    // Of all matches the leftmost was found: one that begins further on is none from the beginning.
    let whole = groups.first().cloned().flatten().filter(|whole| any && whole.start == 0);
    if pattern.groups() == 0 {
        return Ok(Value::Number(whole.map_or(0, |whole| whole.end).into()));
    }
    let group = whole.and_then(|_| groups.get(1).cloned().flatten());
    Ok(Value::Text(group.map(|group| text[group].to_vec()).unwrap_or_default()))
}

/// `len` bytes of `text`, of which the first is number 1.
fn part<'t>(text: &'t [u8], from: &Value, len: &Value) -> &'t [u8] {
    // What is no number, or none that counts, is 0; what is too large reaches to the end.
    let count = |value: &Value| match value.number() {
        Ok(number) if number.sign() == Sign::Minus => 0,
        Ok(number) => usize::try_from(number).unwrap_or(usize::MAX),
        Err(_) => 0,
    };
    let Some(start) = count(from).checked_sub(1) else { return b"" };
    let start = start.min(text.len());
    &text[start..start.saturating_add(count(len)).min(text.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(line: &str) -> String {
        let words: Vec<Vec<u8>> = line.split(' ').map(|word| word.as_bytes().to_vec()).collect();
        match value(&words) {
            Ok(value) => String::from_utf8(value.text()).expect("text"),
            Err(text) => String::from_utf8(text).expect("text"),
        }
    }

    #[test]
    fn what_would_take_too_long_or_nest_too_deep_is_refused() {
        assert_eq!(said(&"( ".repeat(50_000)), "an expression nests 200 deep at most");
        assert_eq!(said(&"length ".repeat(50_000)), "an expression nests 200 deep at most");
        let wide = "9".repeat(40_000);
        assert_eq!(said(&format!("{wide} + 1")), "a number has more than 16384 bytes");
        let squares = vec!["9".repeat(10_000); 40].join(" * ");
        assert_eq!(said(&squares), "a number has more than 16384 bytes");
        assert_eq!(said(&format!("length {wide}")), "40000");
    }
}
