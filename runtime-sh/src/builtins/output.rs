//! echo and printf, without a program.

use crate::commands::echoed;
use crate::printf::{Manner, Printer};
use crate::shell::{Outcome, Shell};

pub(super) async fn echo(shell: &mut Shell, argv: &[Vec<u8>]) -> Outcome<u8> {
    shell.put("echo", &echoed(&argv[1..])).await
}

pub(super) async fn printf(shell: &mut Shell, argv: &[Vec<u8>]) -> Outcome<u8> {
    let args = match argv.get(1) {
        Some(first) if first == b"--" => &argv[2..],
        Some(first) if first.len() > 1 && first[0] == b'-' => {
            return Err(shell.illegal_option("printf", first[1] as char).await);
        }
        _ => &argv[1..],
    };
    let Some((format, args)) = args.split_first() else {
        return Err(shell.wrong("printf", "usage: printf format [arg ...]").await);
    };
    let mut printer = Printer::new(Manner::Dash, args);
    let refused = loop {
        match printer.round(format) {
            Ok(true) => {}
            Ok(false) => break None,
            Err(refused) => break Some(refused),
        }
    };
    let mut status = shell.put("printf", &printer.text).await?;
    for complaint in printer.complaints {
        status = 1;
        shell.say(format!("printf: {}", String::from_utf8_lossy(&complaint))).await;
    }
    match refused {
        Some(refused) => Err(shell.wrong("printf", &String::from_utf8_lossy(&refused)).await),
        None => Ok(status),
    }
}
