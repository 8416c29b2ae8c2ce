//! test(1) and `[`, as programs: what they decide is `condition`'s, as it is for the shell's own.

use super::Invocation;
use super::messages::say;
use crate::condition::{self, Asker};
use vfs::Result;

pub(super) async fn test(call: &mut Invocation<'_>) -> Result<u8> {
    decide(call, call.args()).await
}

pub(super) async fn bracket(call: &mut Invocation<'_>) -> Result<u8> {
    match call.args().split_last() {
        Some((last, words)) if last == b"]" => decide(call, words).await,
        _ => {
            call.warn("missing ']'").await;
            Ok(2)
        }
    }
}

async fn decide(call: &mut Invocation<'_>, words: &[Vec<u8>]) -> Result<u8> {
    let asker = Asker { who: call.who, cwd: call.cwd };
    let terminals =
        [call.stdin.file(), call.stdout.file(), call.stderr.file()].map(|file| file.terminal().is_some());
    let is_terminal = move |fd: &[u8]| {
        let number = std::str::from_utf8(fd).ok().and_then(|text| text.parse::<usize>().ok());
        Ok(number.and_then(|number| terminals.get(number).copied()).unwrap_or(false))
    };
    match condition::evaluate(&asker, words, &is_terminal).await {
        Ok(yes) => Ok(u8::from(!yes)),
        Err(why) => {
            call.warn(say!(why)).await;
            Ok(2)
        }
    }
}
