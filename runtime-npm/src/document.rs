//! A project's package.json as a text that is written back: its fields in their order, its indentation and line ends as they are,
//! its dependencies in the order of their names, as npm saves them.

use crate::order;
use crate::unusual::{Plain, Unusual};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// Beyond it JavaScript's numbers leave some out.
const MOST: u64 = (1 << 53) - 1;
/// What `JSON.stringify` takes for an indentation, and no more of it.
const WIDEST: usize = 10;

pub struct Document {
    fields: Vec<(String, Json)>,
    /// Empty where all is on one line.
    indent: String,
    /// Empty where there is one line, which does not end.
    newline: String,
}

/// How npm indents what it writes beside a package.json, and ends its lines.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Style {
    pub indent: String,
    pub newline: String,
}

enum Json {
    /// As `JSON.stringify` has it.
    Plain(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

/// Of how a text begins: the indentation of its first field, and the end of its first line.
fn format(text: &str) -> Plain<(String, String)> {
    let unusual = || Unusual::new("package.json: its indentation");
    if let Some(ends) = text.strip_prefix("{}").filter(|ends| ends.trim_matches(['\r', '\n']).is_empty()) {
        return match ends {
            "" | "\n" => Ok(("  ".into(), "\n".into())),
            "\r\n" => Ok(("  ".into(), ends.into())),
            _ => Err(unusual()),
        };
    }
    let text = text.trim_start().strip_prefix('{').ok_or_else(unusual)?;
    let rest = text.trim_start_matches(['\r', '\n']);
    let newline = &text[..text.len() - rest.len()];
    if newline.is_empty() {
        return Ok((String::new(), String::new()));
    }
    let indent: String = rest.chars().take_while(|sign| sign.is_whitespace()).collect();
    let is_plain = indent.bytes().all(|byte| matches!(byte, b' ' | b'\t')) && indent.len() <= WIDEST;
    match newline {
        "\n" | "\r\n" if is_plain => Ok((indent, newline.into())),
        _ => Err(unusual()),
    }
}

impl Document {
    /// Of a project that has no package.json yet.
    pub fn new() -> Document {
        Document { fields: Vec::new(), indent: "  ".into(), newline: "\n".into() }
    }

    /// # Errors
    /// What is no object, or would not come out of JavaScript as it went in.
    pub fn parse(text: &str) -> Plain<Document> {
        let (indent, newline) = format(text)?;
        match serde_json::from_str(text) {
            Ok(Json::Object(fields)) => Ok(Document { fields, indent, newline }),
            Ok(_) => Err(Unusual::new("package.json: no object")),
            Err(error) => Err(Unusual::new(format!("package.json: {error}"))),
        }
    }

    pub fn style(&self) -> Style {
        let or = |text: &String, instead: &str| match text.is_empty() {
            true => instead.to_owned(),
            false => text.clone(),
        };
        Style { indent: or(&self.indent, "  "), newline: or(&self.newline, "\n") }
    }

    /// Packages and what is wanted of them; a list without any is left out.
    pub fn set(&mut self, key: &str, mut packages: Vec<(String, String)>) {
        packages.sort_by(|a, b| order::compare(&a.0, &b.0));
        let json = packages.into_iter().map(|(name, spec)| (name, Json::Plain(order::string(&spec))));
        let json = Json::Object(json.collect());
        let at = self.fields.iter().position(|(name, _)| name == key);
        match (at, matches!(&json, Json::Object(all) if all.is_empty())) {
            (Some(at), true) => drop(self.fields.remove(at)),
            (Some(at), false) => self.fields[at].1 = json,
            (None, true) => {}
            (None, false) => self.fields.push((key.to_owned(), json)),
        }
    }

    pub fn text(&self) -> String {
        let mut text = String::new();
        object(&mut text, &self.fields, &self.indent, 0);
        text.push('\n');
        text.replace('\n', &self.newline)
    }
}

fn list<T>(
    text: &mut String,
    (open, close): (char, char),
    items: &[T],
    (indent, depth): (&str, usize),
    each: impl Fn(&mut String, &T),
) {
    let line = |text: &mut String, depth: usize| {
        if !indent.is_empty() {
            text.push('\n');
            text.push_str(&indent.repeat(depth));
        }
    };
    text.push(open);
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        line(text, depth + 1);
        each(text, item);
    }
    if !items.is_empty() {
        line(text, depth);
    }
    text.push(close);
}

fn object(text: &mut String, fields: &[(String, Json)], indent: &str, depth: usize) {
    list(text, ('{', '}'), fields, (indent, depth), |text, (name, value)| {
        text.push_str(&order::string(name));
        text.push_str(if indent.is_empty() { ":" } else { ": " });
        value.write(text, indent, depth + 1);
    });
}

impl Json {
    fn write(&self, text: &mut String, indent: &str, depth: usize) {
        match self {
            Json::Plain(word) => text.push_str(word),
            Json::List(items) => list(text, ('[', ']'), items, (indent, depth), |text, item| {
                item.write(text, indent, depth + 1);
            }),
            Json::Object(fields) => object(text, fields, indent, depth),
        }
    }
}

struct Reading;

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Json, D::Error> {
        from.deserialize_any(Reading)
    }
}

impl<'de> Visitor<'de> for Reading {
    type Value = Json;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON that JavaScript writes as it is")
    }
    fn visit_bool<E: Error>(self, is: bool) -> Result<Json, E> {
        Ok(Json::Plain(is.to_string()))
    }
    fn visit_unit<E: Error>(self) -> Result<Json, E> {
        Ok(Json::Plain("null".into()))
    }
    fn visit_u64<E: Error>(self, number: u64) -> Result<Json, E> {
        if number > MOST {
            return Err(E::custom(format_args!("the number {number}")));
        }
        Ok(Json::Plain(number.to_string()))
    }
    fn visit_i64<E: Error>(self, number: i64) -> Result<Json, E> {
        if number.unsigned_abs() > MOST {
            return Err(E::custom(format_args!("the number {number}")));
        }
        Ok(Json::Plain(number.to_string()))
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<Json, E> {
        Ok(Json::Plain(order::string(text)))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Json, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = from.next_element()? {
            items.push(item);
        }
        Ok(Json::List(items))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Json, A::Error> {
        let mut fields: Vec<(String, Json)> = Vec::new();
        while let Some((name, value)) = from.next_entry::<String, Json>()? {
            // Numbers come first in an object of JavaScript's, and of two of a name one is left.
            let is_number = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
            if is_number || name == "__proto__" || fields.iter().any(|(known, _)| *known == name) {
                return Err(A::Error::custom(format_args!("the field {name}")));
            }
            fields.push((name, value));
        }
        Ok(Json::Object(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_comes_back_as_it_was_in_each_style() {
        for text in [
            "{\n  \"b\": 1,\n  \"a\": [\n    true,\n    {}\n  ],\n  \"c\": []\n}\n",
            "{\n\t\"b\": {\n\t\t\"x\": \"\\u0001é\\n\"\n\t}\n}\n",
            "{\r\n    \"b\": null\r\n}\r\n",
            r#"{"b":-1,"a":{"x":"y"}}"#,
        ] {
            assert_eq!(Document::parse(text).expect(text).text(), text);
        }
        let style = |text: &str| Document::parse(text).expect(text).style();
        assert_eq!(style("{\"a\":1}"), Style { indent: "  ".into(), newline: "\n".into() });
        assert_eq!(style("{\r\n\t\"a\":1}"), Style { indent: "\t".into(), newline: "\r\n".into() });
        for other in ["[]", "{\"a\":1.5}", "{\"1\":1}", "{\"a\":1,\"a\":2}", "{\n\n  \"a\":1}", "{\"a\":1e3}"]
        {
            assert!(Document::parse(other).is_err(), "{other}");
        }
    }

    #[test]
    fn dependencies_are_sorted_come_last_where_they_are_new_and_go_where_there_are_none() {
        let mut document =
            Document::parse("{\n  \"devDependencies\": {},\n  \"name\": \"x\"\n}\n").expect("plain");
        document.set("devDependencies", Vec::new());
        document.set("dependencies", vec![("b".into(), "1".into()), ("@a/c".into(), "^2".into())]);
        let wanted =
            "{\n  \"name\": \"x\",\n  \"dependencies\": {\n    \"@a/c\": \"^2\",\n    \"b\": \"1\"\n  }\n}\n";
        assert_eq!(document.text(), wanted);
        assert_eq!(Document::new().text(), "{}\n");
    }
}
