//! Field splitting (POSIX.1, 2.6.5): what an expansion gave is cut at the bytes of IFS.

use super::{Field, Mark};

/// The fields that `field` is cut into.
pub(super) fn split(field: Field, ifs: &[u8]) -> Vec<Field> {
    let cuts = |at: usize| field.marks[at] == Mark::Expanded && ifs.contains(&field.bytes[at]);
    let length = field.bytes.len();
    if !(0..length).any(cuts) {
        return vec![field];
    }
    let blank = |at: usize| cuts(at) && matches!(field.bytes[at], b' ' | b'\t' | b'\n');
    let mut fields = Vec::new();
    let mut now = Field::default();
    let mut at = 0;
    while at < length {
        if !cuts(at) {
            now.push(&field.bytes[at..=at], field.marks[at]);
            at += 1;
            continue;
        }
        // Blanks, with one other byte of IFS among them at most, are one cut.
        let blanks = |mut at: usize| {
            while at < length && blank(at) {
                at += 1;
            }
            at
        };
        at = blanks(at);
        let other = at < length && cuts(at);
        if other {
            at = blanks(at + 1);
        }
        if other || !now.is_absent() {
            if now.is_absent() {
                now.nothing();
            }
            fields.push(std::mem::take(&mut now));
        }
    }
    if !now.is_absent() {
        fields.push(now);
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str, ifs: &str) -> Vec<String> {
        let mut field = Field::default();
        field.push(text.as_bytes(), Mark::Expanded);
        let fields = split(field, ifs.as_bytes());
        fields.iter().map(|field| String::from_utf8(field.text()).expect("text")).collect()
    }

    #[test]
    fn blanks_at_the_ends_go_and_other_bytes_make_empty_fields() {
        assert_eq!(parts("  a  b ", " "), ["a", "b"]);
        assert_eq!(parts(":a::b:", ":"), ["", "a", "", "b"]);
        assert_eq!(parts("a : b", " :"), ["a", "b"]);
        assert_eq!(parts(" :a", " :"), ["", "a"]);
        assert_eq!(parts("   ", " "), [""; 0]);
        assert_eq!(parts("a b", ""), ["a b"]);
    }
}
