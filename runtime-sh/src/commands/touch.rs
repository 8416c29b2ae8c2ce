//! touch(1): files that are there, with the times that are asked for.

use super::gnu::{Done, Program, fail, misused};
use super::messages::{quoted, say};
use super::options::Args;
use super::{Invocation, times, words};
use vfs::{Errno, Follow, OpenFlags, SetStat, SetTime, Time};

pub(super) const PROGRAM: Program = Program::new(
    "[OPTION]... FILE...",
    "Update the access and modification times of each FILE to the current time.",
    "a c,no-create d,date= f h,no-dereference m r,reference= t= time=",
);

pub(super) async fn run(call: &mut Invocation<'_>, args: Args) -> Done {
    let (mut access, mut modify) = (args.has("a"), args.has("m"));
    match args.value("time") {
        None => {}
        Some(b"access" | b"atime" | b"use") => access = true,
        Some(b"modify" | b"mtime") => modify = true,
        Some(other) => return misused(say!("invalid argument ", quoted(other), " for '--time'")),
    }
    if !access && !modify {
        (access, modify) = (true, true);
    }
    let zone = times::zone(call.env);
    let mut to = (SetTime::Now, SetTime::Now);
    let follow = if args.has("h") { Follow::No } else { Follow::Yes };
    let mut base = Time::now();
    if let Some(path) = args.value("r") {
        match call.stat(path, follow).await {
            Ok(stat) => {
                to = (SetTime::To(stat.atime), SetTime::To(stat.mtime));
                base = stat.mtime;
            }
            Err(error) => {
                return fail(say!("failed to get attributes of ", quoted(path), ": ", words(&error)));
            }
        }
    }
    if let Some(text) = args.value("d") {
        match times::parse(text, times::zoned(base, &zone)) {
            Some(time) => to = (SetTime::To(time), SetTime::To(time)),
            None => return fail(say!("invalid date format ", quoted(text))),
        }
    }
    if let Some(text) = args.value("t") {
        match stamp(text, &times::zoned(base, &zone)) {
            Some(time) => to = (SetTime::To(time), SetTime::To(time)),
            None => return fail(say!("invalid date format ", quoted(text))),
        }
    }
    if args.operands.is_empty() {
        return misused("missing file operand");
    }
    let set = SetStat { atime: access.then_some(to.0), mtime: modify.then_some(to.1), ..SetStat::default() };
    let mut status = 0;
    for path in &args.operands {
        let place = match call.place(path, follow).await {
            Err(error) if error.is(Errno::ENOENT) && args.has("c") => continue,
            Err(error) if error.is(Errno::ENOENT) && follow == Follow::Yes => call
                .create(path, 0o666, OpenFlags::WRITE)
                .await
                .map(|created| created.place)
                .map_err(|e| ("cannot touch ", e)),
            Err(error) => {
                Err((if follow == Follow::Yes { "cannot touch " } else { "setting times of " }, error))
            }
            Ok(place) => Ok(place),
        };
        let touched = match place {
            Ok(place) => place.setstat(call.who, set).await.map_err(|error| ("setting times of ", error)),
            Err(error) => Err(error),
        };
        if let Err((what, error)) = touched {
            status = 1;
            call.warn(say!(what, quoted(path), ": ", words(&error))).await;
        }
    }
    Ok(status)
}

/// `[[CC]YY]MMDDhhmm[.ss]`.
fn stamp(text: &[u8], now: &jiff::Zoned) -> Option<Time> {
    let text = std::str::from_utf8(text).ok()?;
    let (digits, seconds) = text.split_once('.').map_or((text, "0"), |(digits, seconds)| (digits, seconds));
    if !digits.bytes().chain(seconds.bytes()).all(|b| b.is_ascii_digit())
        || (text.contains('.') && seconds.len() != 2)
    {
        return None;
    }
    let number = |range: std::ops::Range<usize>| digits.get(range)?.parse::<i16>().ok();
    let (year, rest) = match digits.len() {
        8 => (now.year(), 0),
        10 => (number(0..2).map(|yy| if yy < 69 { 2000 + yy } else { 1900 + yy })?, 2),
        12 => (number(0..4)?, 4),
        _ => return None,
    };
    let part = |at: usize| number(rest + at..rest + at + 2).map(|value| value as i8);
    let second: i8 = seconds.parse().ok()?;
    let date =
        jiff::civil::DateTime::new(year, part(0)?, part(2)?, part(4)?, part(6)?, second.min(59), 0).ok()?;
    Some(times::unzoned(&date.to_zoned(now.time_zone().clone()).ok()?))
}
