//! sleep(1).

use super::Invocation;
use super::gnu::{Done, Program, misused};
use super::messages::{quoted, say};
use super::options::Args;
use std::time::Duration;

pub(super) const PROGRAM: Program =
    Program::new("NUMBER[SUFFIX]...", "Pause for the sum of the given times: s(econds), m, h or d.", "");

/// A time as sleep and tail take it.
pub fn seconds(text: &[u8]) -> Option<Duration> {
    let text = std::str::from_utf8(text).ok()?;
    let (number, unit) = match text.char_indices().last()? {
        (at, 's') => (&text[..at], 1.0),
        (at, 'm') => (&text[..at], 60.0),
        (at, 'h') => (&text[..at], 3600.0),
        (at, 'd') => (&text[..at], 86400.0),
        _ => (text, 1.0),
    };
    if number.starts_with('-') || number.is_empty() {
        return None;
    }
    let seconds: f64 = match number {
        "inf" | "infinity" => f64::INFINITY,
        number if number.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-')) => {
            number.parse().ok()?
        }
        _ => return None,
    };
    Some(Duration::try_from_secs_f64(seconds * unit).unwrap_or(Duration::from_secs(u32::MAX.into())))
}

pub(super) async fn run(call: &mut Invocation<'_>, args: Args) -> Done {
    if args.operands.is_empty() {
        return misused("missing operand");
    }
    let mut sum = Duration::ZERO;
    let mut wrong = Vec::new();
    for word in &args.operands {
        match seconds(word) {
            Some(time) => sum = sum.saturating_add(time),
            None => wrong.push(word),
        }
    }
    if let Some((last, before)) = wrong.split_last() {
        for word in before {
            call.warn(say!("invalid time interval ", quoted(word))).await;
        }
        return misused(say!("invalid time interval ", quoted(last)));
    }
    call.stdout.flush().await?;
    tokio::time::sleep(sum).await;
    Ok(0)
}
