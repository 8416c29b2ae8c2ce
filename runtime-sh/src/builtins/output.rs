//! echo and printf, without a program.

use crate::commands::unescape;
use crate::printf;
use crate::shell::{Outcome, Shell};

pub(super) async fn echo(shell: &mut Shell, argv: &[Vec<u8>]) -> Outcome<u8> {
    let mut args = &argv[1..];
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
    shell.put("echo", &text).await
}

pub(super) async fn printf(shell: &mut Shell, argv: &[Vec<u8>]) -> Outcome<u8> {
    let args = match argv.get(1) {
        Some(first) if first == b"--" => &argv[2..],
        _ => &argv[1..],
    };
    let Some((format, args)) = args.split_first() else {
        return Err(shell.wrong("printf", "usage: printf format [arg ...]").await);
    };
    let printed = printf::print(format, args);
    let status = shell.put("printf", &printed.text).await?;
    for complaint in &printed.complaints {
        shell.say(format!("printf: {complaint}")).await;
    }
    Ok(if printed.complaints.is_empty() { status } else { 1 })
}
