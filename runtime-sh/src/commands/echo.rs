//! echo: as dash and POSIX's XSI option have it, with `-n` and with escapes.

use super::Invocation;
use vfs::Result;

pub(super) async fn echo(call: &mut Invocation<'_>) -> Result<u8> {
    let mut args = call.args();
    let mut end: &[u8] = b"\n";
    if let [first, rest @ ..] = args
        && first == b"-n"
    {
        (args, end) = (rest, b"");
    }
    let mut text = Vec::new();
    for (index, arg) in args.iter().enumerate() {
        if index > 0 {
            text.push(b' ');
        }
        if !unescape(arg, &mut text) {
            end = b"";
            break;
        }
    }
    text.extend_from_slice(end);
    call.stdout.write(&text).await?;
    Ok(0)
}

/// Adds `arg` with its escapes replaced; false where `\c` ends the output.
pub(crate) fn unescape(arg: &[u8], text: &mut Vec<u8>) -> bool {
    let mut rest = arg;
    while let [first, tail @ ..] = rest {
        rest = tail;
        let [kind, tail @ ..] = tail else {
            text.push(*first);
            break;
        };
        if *first != b'\\' {
            text.push(*first);
            continue;
        }
        rest = tail;
        let byte = match kind {
            b'a' => 7,
            b'b' => 8,
            b'c' => return false,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'v' => 11,
            b'\\' => b'\\',
            b'0' => {
                let digits = rest.iter().take(3).take_while(|b| (b'0'..=b'7').contains(*b)).count();
                let value = rest[..digits].iter().fold(0u32, |value, b| value * 8 + u32::from(b - b'0'));
                rest = &rest[digits..];
                value as u8
            }
            other => {
                text.push(b'\\');
                *other
            }
        };
        text.push(byte);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::unescape;

    #[test]
    fn escapes_are_replaced_and_c_ends_the_output() {
        let said = |arg: &[u8]| {
            let mut text = Vec::new();
            let goes_on = unescape(arg, &mut text);
            (text, goes_on)
        };
        assert_eq!(said(b"a\\tb\\0101\\\\\\q\\"), (b"a\tbA\\\\q\\".to_vec(), true));
        assert_eq!(said(b"one\\ctwo"), (b"one".to_vec(), false));
    }
}
