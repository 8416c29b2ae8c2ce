//! JSON as npm writes it into lock files: names in the order of the locale `en`, what is an object behind what is none.

use crate::document::Style;
use crate::unusual::{Plain, Unusual};
use serde_json::{Map, Value};
use std::cmp::Ordering;
use std::fmt::Write;

/// What comes first in a lock file, in this order, wherever it is met.
const FIRST: [&str; 8] =
    ["name", "version", "lockfileVersion", "resolved", "integrity", "requires", "packages", "dependencies"];
/// The printable characters of ASCII that are no letters, in the order of Unicode's collation (CLDR's root, which `en` is).
const SIGNS: &[u8] = b" _-,;:!?.'\"()[]{}@*/\\&#%`^+<=>|~$0123456789";

fn weight(byte: u8) -> usize {
    match SIGNS.iter().position(|sign| *sign == byte) {
        Some(at) => at,
        None => SIGNS.len() + usize::from(byte.to_ascii_lowercase() - b'a'),
    }
}

/// Whether [`compare`] knows the order of names like this one.
pub fn is_sortable(name: &str) -> bool {
    // An object of JavaScript's has its numbers first.
    let is_number = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
    !is_number && name.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
}

/// `a.localeCompare(b, 'en')` of names that are [`is_sortable`].
pub fn compare(a: &str, b: &str) -> Ordering {
    let letters = a.bytes().map(weight).cmp(b.bytes().map(weight));
    // Small letters come first, where nothing else decides.
    letters.then_with(|| {
        a.bytes().map(|byte| byte.is_ascii_uppercase()).cmp(b.bytes().map(|byte| byte.is_ascii_uppercase()))
    })
}

fn rank(name: &str) -> usize {
    FIRST.iter().position(|first| *first == name).unwrap_or(FIRST.len())
}

fn order(a: (&String, &Value), b: (&String, &Value)) -> Ordering {
    let by_kind = a.1.is_object().cmp(&b.1.is_object());
    by_kind.then_with(|| rank(a.0).cmp(&rank(b.0))).then_with(|| compare(a.0, b.0))
}

/// The text of a file of it.
///
/// # Errors
/// Names whose order is not known here, numbers that JavaScript writes otherwise.
pub fn text(value: &Map<String, Value>, style: &Style) -> Plain<String> {
    let mut text = String::new();
    object(&mut text, value, (&style.indent, 0))?;
    text.push('\n');
    Ok(if style.newline == "\n" { text } else { text.replace('\n', &style.newline) })
}

fn object(text: &mut String, map: &Map<String, Value>, (indent, depth): (&str, usize)) -> Plain<()> {
    if let Some(name) = map.keys().find(|name| !is_sortable(name)) {
        return Err(Unusual::new(format!("a name in a manifest: {name}")));
    }
    let mut entries: Vec<(&String, &Value)> = map.iter().collect();
    entries.sort_by(|a, b| order(*a, *b));
    list(text, ('{', '}'), (indent, depth), entries, |text, (name, value)| {
        text.push_str(&string(name));
        text.push_str(": ");
        any(text, value, (indent, depth + 1))
    })
}

fn any(text: &mut String, value: &Value, (indent, depth): (&str, usize)) -> Plain<()> {
    match value {
        Value::Object(map) => object(text, map, (indent, depth)),
        Value::Array(values) => list(text, ('[', ']'), (indent, depth), values, |text, value| {
            any(text, value, (indent, depth + 1))
        }),
        Value::String(word) => {
            text.push_str(&string(word));
            Ok(())
        }
        Value::Number(number) if !number.is_i64() => {
            Err(Unusual::new(format!("a number in a manifest: {number}")))
        }
        Value::Number(_) | Value::Bool(_) | Value::Null => {
            // A string takes what is written to it.
            let _ = write!(text, "{value}");
            Ok(())
        }
    }
}

fn list<T>(
    text: &mut String,
    (open, close): (char, char),
    (indent, depth): (&str, usize),
    items: impl IntoIterator<Item = T>,
    mut each: impl FnMut(&mut String, T) -> Plain<()>,
) -> Plain<()> {
    text.push(open);
    let mut is_empty = true;
    for item in items {
        text.push_str(if is_empty { "\n" } else { ",\n" });
        is_empty = false;
        text.push_str(&indent.repeat(depth + 1));
        each(text, item)?;
    }
    if !is_empty {
        text.push('\n');
        text.push_str(&indent.repeat(depth));
    }
    text.push(close);
    Ok(())
}

/// A string as `JSON.stringify` has it.
pub fn string(word: &str) -> String {
    serde_json::to_string(word).expect("a string is JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_in_the_order_of_a_collation_and_not_of_their_bytes() {
        let sorted = ["a", "a_b", "a-", "a-b", "a.b", "a@b", "a/b", "a1", "ab", "aB", "Ab", "AB", "b"];
        for (at, pair) in sorted.windows(2).enumerate() {
            assert_eq!(compare(pair[0], pair[1]), Ordering::Less, "{at}: {pair:?}");
        }
        assert_eq!(compare("node_modules/@a/b", "node_modules/a"), Ordering::Less);
        assert_eq!(compare("Ab", "aa"), Ordering::Greater);
        assert!(is_sortable("@a/b_c.d") && !is_sortable("17") && !is_sortable("ä"));
    }

    #[test]
    fn what_is_an_object_comes_last_and_the_names_of_lock_files_first() {
        let value = serde_json::json!({"z": 1, "b": {"name": 1, "a": []}, "version": "1", "name": "\u{1}/é", "a": {}});
        let Value::Object(map) = value else { unreachable!("it is one") };
        let wanted = "{\n  \"name\": \"\\u0001/é\",\n  \"version\": \"1\",\n  \"z\": 1,\n  \"a\": {},\n  \"b\": {\n    \"name\": 1,\n    \"a\": []\n  }\n}\n";
        let style = |indent: &str, newline: &str| Style { indent: indent.into(), newline: newline.into() };
        assert_eq!(text(&map, &style("  ", "\n")).expect("plain"), wanted);
        let wanted = wanted.replace("  ", "\t").replace('\n', "\r\n");
        assert_eq!(text(&map, &style("\t", "\r\n")).expect("plain"), wanted);
    }
}
