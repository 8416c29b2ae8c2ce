//! echo: as dash and POSIX's XSI option have it, with `-n` and with escapes.

use super::Invocation;
use crate::printf::{Manner, replaced};
use vfs::Result;

pub(super) async fn echo(call: &mut Invocation<'_>) -> Result<u8> {
    let text = echoed(call.args());
    call.stdout.write(&text).await?;
    Ok(0)
}

/// What echo prints for `args`.
pub(crate) fn echoed(args: &[Vec<u8>]) -> Vec<u8> {
    let (args, end) = match args {
        [first, rest @ ..] if first == b"-n" => (rest, &b""[..]),
        _ => (args, &b"\n"[..]),
    };
    let mut text = Vec::new();
    for (index, arg) in args.iter().enumerate() {
        if index > 0 {
            text.push(b' ');
        }
        if !replaced(Manner::Dash, arg, &mut text) {
            return text;
        }
    }
    text.extend_from_slice(end);
    text
}
