//! date(1). The clock is the machine's, and not to be set.

use super::gnu::{Done, Program, fail, misused};
use super::messages::{named, quoted, say};
use super::options::Args;
use super::{Env, Invocation, times, words};
use vfs::{Follow, Time};

pub(super) const PROGRAM: Program = Program::new(
    "[OPTION]... [+FORMAT]",
    "Display date and time in the given FORMAT.",
    "d,date= debug f,file= I,iso-8601=?? resolution R,rfc-email rfc-3339= r,reference= s,set= u,utc,universal",
);

pub(super) async fn run(call: &mut Invocation<'_>, args: Args) -> Done {
    let zone = if args.has("u") { times::zone(&Env::default()) } else { times::zone(call.env) };
    let mut formats: Vec<Vec<u8>> = Vec::new();
    for operand in &args.operands {
        match operand.strip_prefix(b"+") {
            Some(format) if formats.is_empty() => formats.push(format.to_vec()),
            Some(_) => return misused(say!("extra operand ", quoted(operand))),
            None if !formats.is_empty() => return misused(say!("extra operand ", quoted(operand))),
            None if operand.iter().all(u8::is_ascii_digit) => {
                return fail("cannot set date: Operation not permitted");
            }
            None => return fail(say!("invalid date ", quoted(operand))),
        }
    }
    if args.has("s") {
        return fail("cannot set date: Operation not permitted");
    }
    for given in &args.options {
        let value = given.value.as_deref();
        formats.push(match (given.key, value) {
            ("I", None | Some(b"date")) => b"%Y-%m-%d".to_vec(),
            ("I", Some(b"hours")) => b"%Y-%m-%dT%H%:z".to_vec(),
            ("I", Some(b"minutes")) => b"%Y-%m-%dT%H:%M%:z".to_vec(),
            ("I", Some(b"seconds")) => b"%Y-%m-%dT%H:%M:%S%:z".to_vec(),
            ("I", Some(b"ns")) => b"%Y-%m-%dT%H:%M:%S,%N%:z".to_vec(),
            ("rfc-3339", Some(b"date")) => b"%Y-%m-%d".to_vec(),
            ("rfc-3339", Some(b"seconds")) => b"%Y-%m-%d %H:%M:%S%:z".to_vec(),
            ("rfc-3339", Some(b"ns")) => b"%Y-%m-%d %H:%M:%S.%N%:z".to_vec(),
            ("I", Some(value)) => {
                return misused(say!("invalid argument ", quoted(value), " for '--iso-8601'"));
            }
            ("rfc-3339", Some(value)) => {
                return misused(say!("invalid argument ", quoted(value), " for '--rfc-3339'"));
            }
            ("R", _) => b"%a, %d %b %Y %H:%M:%S %z".to_vec(),
            _ => continue,
        });
    }
    if formats.len() > 1 {
        return fail("multiple output formats specified");
    }
    let format = formats.pop().unwrap_or_else(|| b"%a %b %e %H:%M:%S %Z %Y".to_vec());
    if let Some(path) = args.value("f") {
        let mut input = match call.open(path).await {
            Ok(input) => input,
            Err(error) => return fail(say!(named(path), ": ", words(&error))),
        };
        let (mut line, mut status) = (Vec::new(), 0);
        while call
            .line(&mut input, b'\n', &mut line)
            .await
            .map_err(|error| super::gnu::Failure::Said(say!(named(path), ": ", words(&error))))?
        {
            if line.last() == Some(&b'\n') {
                line.pop();
            }
            match times::parse(&line, times::zoned(Time::now(), &zone)) {
                Some(time) => {
                    let text = times::format(&times::zoned(time, &zone), &format);
                    call.stdout.write(&say!(text, "\n")).await?;
                }
                None => {
                    status = 1;
                    call.warn(say!("invalid date ", quoted(&line))).await;
                }
            }
        }
        return Ok(status);
    }
    let mut time = Time::now();
    if let Some(path) = args.value("r") {
        time = match call.stat(path, Follow::Yes).await {
            Ok(stat) => stat.mtime,
            Err(error) => return fail(say!(named(path), ": ", words(&error))),
        };
    }
    if let Some(text) = args.value("d") {
        time = match times::parse(text, times::zoned(time, &zone)) {
            Some(time) => time,
            None => return fail(say!("invalid date ", quoted(text))),
        };
    }
    let text = times::format(&times::zoned(time, &zone), &format);
    call.stdout.write(&say!(text, "\n")).await?;
    Ok(0)
}
