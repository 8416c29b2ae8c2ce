//! The order of versions (sort -V, ls -v): digits count as numbers, `~` comes before everything, a suffix like `.tar.gz` after the rest.

use std::cmp::Ordering;

pub fn version(a: &[u8], b: &[u8]) -> Ordering {
    if a == b {
        return Ordering::Equal;
    }
    // What is empty, `.` and `..` come first, and hidden names before others.
    for special in [&b""[..], b".", b".."] {
        match (a == special, b == special) {
            (true, false) => return Ordering::Less,
            (false, true) => return Ordering::Greater,
            _ => {}
        }
    }
    match (a[0] == b'.', b[0] == b'.') {
        (true, false) => return Ordering::Less,
        (false, true) => return Ordering::Greater,
        _ => {}
    }
    let (short_a, short_b) = (stem(a), stem(b));
    let order = revision(short_a, short_b);
    if order != Ordering::Equal || (short_a.len() == a.len() && short_b.len() == b.len()) {
        return order.then_with(|| a.cmp(b));
    }
    revision(a, b).then_with(|| a.cmp(b))
}

/// The name without its suffixes: `(\.[A-Za-z~][A-Za-z0-9~]*)*$`.
fn stem(name: &[u8]) -> &[u8] {
    let mut end = name.len();
    loop {
        let Some(dot) = name[..end].iter().rposition(|b| *b == b'.') else { return &name[..end] };
        let suffix = &name[dot + 1..end];
        let starts = suffix.first().is_some_and(|b| b.is_ascii_alphabetic() || *b == b'~');
        let rest = suffix.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'~');
        if dot == 0 || !starts || !rest {
            return &name[..end];
        }
        end = dot;
    }
}

fn rank(byte: Option<u8>) -> i32 {
    match byte {
        Some(b'~') => -1,
        None => 0,
        Some(b) if b.is_ascii_digit() => 0,
        Some(b) if b.is_ascii_alphabetic() => i32::from(b),
        Some(b) => i32::from(b) + 256,
    }
}

fn revision(mut a: &[u8], mut b: &[u8]) -> Ordering {
    while !a.is_empty() || !b.is_empty() {
        while a.first().is_some_and(|b| !b.is_ascii_digit()) || b.first().is_some_and(|b| !b.is_ascii_digit())
        {
            let order = rank(a.first().copied()).cmp(&rank(b.first().copied()));
            if order != Ordering::Equal {
                return order;
            }
            a = a.get(1..).unwrap_or_default();
            b = b.get(1..).unwrap_or_default();
        }
        let number = |text: &[u8]| {
            let zeros = text.iter().take_while(|b| **b == b'0').count();
            let digits = text[zeros..].iter().take_while(|b| b.is_ascii_digit()).count();
            (zeros, digits)
        };
        let ((zeros_a, len_a), (zeros_b, len_b)) = (number(a), number(b));
        let (number_a, number_b) = (&a[zeros_a..zeros_a + len_a], &b[zeros_b..zeros_b + len_b]);
        let order = len_a.cmp(&len_b).then_with(|| number_a.cmp(number_b));
        if order != Ordering::Equal {
            return order;
        }
        (a, b) = (&a[zeros_a + len_a..], &b[zeros_b + len_b..]);
    }
    Ordering::Equal
}

#[cfg(test)]
mod tests {
    use super::version;

    #[test]
    fn numbers_in_names_count_as_numbers() {
        let mut names = [
            "file10",
            "file2",
            "v1.10",
            "v1.9",
            "v1.0",
            "v1.0~rc1",
            "a.tar.gz",
            "a",
            ".x",
            "b-1.2.tar.gz",
            "b-1.10.tar.gz",
        ];
        names.sort_by(|a, b| version(a.as_bytes(), b.as_bytes()));
        assert_eq!(
            names,
            [
                ".x",
                "a",
                "a.tar.gz",
                "b-1.2.tar.gz",
                "b-1.10.tar.gz",
                "file2",
                "file10",
                "v1.0~rc1",
                "v1.0",
                "v1.9",
                "v1.10"
            ]
        );
    }
}
