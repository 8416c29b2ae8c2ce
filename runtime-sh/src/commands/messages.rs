//! What commands say when something goes wrong: names quoted as GNU quotes them in the C locale.

/// The name in quotes, in a way that a shell reads back.
pub fn quoted(name: &[u8]) -> Vec<u8> {
    shell_quoted(name, true)
}

/// The name, in quotes where it needs them.
pub fn named(name: &[u8]) -> Vec<u8> {
    shell_quoted(name, false)
}

fn shell_quoted(name: &[u8], always: bool) -> Vec<u8> {
    let special = |b: &u8| b" !\"$&'()*:;<=>?[\\^`|".contains(b) || !(32..127).contains(b);
    let leading = |b: &u8| b"#~".contains(b);
    let brace = name == b"{" || name == b"}";
    if !always
        && !name.is_empty()
        && !brace
        && !name.iter().any(special)
        && !name.first().is_some_and(leading)
    {
        return name.to_vec();
    }
    let unprintable = |b: &u8| !(32..127).contains(b);
    // Double quotes where only an apostrophe asks for quotes.
    if name.contains(&b'\'') && !name.iter().any(|b| b"\"$`\\!".contains(b) || unprintable(b)) {
        return [b"\"", name, b"\""].concat();
    }
    let mut text = vec![b'\''];
    let mut escaped = false;
    for byte in name {
        if unprintable(byte) {
            if !escaped {
                text.extend_from_slice(b"'$'");
                escaped = true;
            }
            match byte {
                7 => text.extend_from_slice(b"\\a"),
                8 => text.extend_from_slice(b"\\b"),
                9 => text.extend_from_slice(b"\\t"),
                10 => text.extend_from_slice(b"\\n"),
                11 => text.extend_from_slice(b"\\v"),
                12 => text.extend_from_slice(b"\\f"),
                13 => text.extend_from_slice(b"\\r"),
                byte => text.extend_from_slice(format!("\\{byte:03o}").as_bytes()),
            }
            continue;
        }
        if escaped {
            text.extend_from_slice(b"''");
            escaped = false;
        }
        match byte {
            b'\'' => text.extend_from_slice(b"'\\''"),
            byte => text.push(*byte),
        }
    }
    text.push(b'\'');
    text
}

/// Pieces of a message put together: names are bytes, whatever they are.
macro_rules! say {
    ($($piece:expr),* $(,)?) => {{
        let mut text: Vec<u8> = Vec::new();
        $(text.extend_from_slice(AsRef::<[u8]>::as_ref(&$piece));)*
        text
    }};
}
pub(crate) use say;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_as_gnu_does() {
        for (name, shown) in [
            (&b"a b"[..], "'a b'"),
            (b"plain", "plain"),
            (b"it's", "\"it's\""),
            (b"it's $x", "'it'\\''s $x'"),
            (b"a\nb", "'a'$'\\n''b'"),
            (b"\xff", "''$'\\377'"),
            (b"", "''"),
        ] {
            assert_eq!(named(name), shown.as_bytes(), "{}", name.escape_ascii());
        }
        assert_eq!(quoted(b"plain"), b"'plain'");
    }
}
