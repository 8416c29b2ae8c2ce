//! test, also called `[`.

use super::lossy;
use crate::condition::{self, Asker};
use crate::files::Descriptors;
use crate::shell::{Outcome, Shell};

pub(super) async fn test(shell: &mut Shell, argv: &[Vec<u8>]) -> Outcome<u8> {
    evaluate(shell, "test", &argv[1..]).await
}

pub(super) async fn bracket(shell: &mut Shell, argv: &[Vec<u8>]) -> Outcome<u8> {
    match argv.split_last() {
        Some((last, rest)) if last == b"]" && !rest.is_empty() => evaluate(shell, "[", &rest[1..]).await,
        _ => {
            shell.say("[: missing ]").await;
            Ok(2)
        }
    }
}

async fn evaluate(shell: &mut Shell, name: &str, args: &[Vec<u8>]) -> Outcome<u8> {
    let asker = Asker { who: &shell.who, cwd: &shell.cwd };
    match condition::evaluate(&asker, args, &|fd| is_terminal(&shell.fds, fd)).await {
        Ok(yes) => Ok(u8::from(!yes)),
        Err(why) => {
            shell.say(format!("{name}: {why}")).await;
            Ok(2)
        }
    }
}

fn is_terminal(fds: &Descriptors, fd: &[u8]) -> Result<bool, String> {
    let number = super::count(fd).ok_or_else(|| format!("Illegal number: {}", lossy(fd)))?;
    Ok(fds.get(number).is_some_and(|file| file.is_terminal()))
}
