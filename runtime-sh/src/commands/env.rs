//! env(1): the environment, shown or changed for one command; printenv(1).

use super::find::start;
use super::gnu::{Done, Failure, Program, fail, misused};
use super::messages::{quoted, say};
use super::options::Args;
use super::{Env, Invocation, words};
use vfs::{Errno, Follow};

pub(super) const PROGRAM: Program = Program::new(
    "[OPTION]... [-] [NAME=VALUE]... [COMMAND [ARG]...]",
    "Set each NAME to VALUE in the environment and run COMMAND.",
    "i,ignore-environment 0,null u,unset= C,chdir= S,split-string= v,debug",
)
.stops()
.trouble(125);

pub(super) const PRINTENV: Program = Program::new(
    "[OPTION]... [VARIABLE]...",
    "Print the values of the specified environment VARIABLE(s).",
    "0,null",
)
.trouble(2);

pub(super) async fn run(call: &mut Invocation<'_>, args: Args) -> Done {
    let mut env = if args.has("i") { Env::default() } else { call.env.clone() };
    let mut line = args.operands.clone();
    if line.first().is_some_and(|word| word == b"-") {
        env = Env::default();
        line.remove(0);
    }
    for given in args.options.iter().filter(|given| given.key == "u") {
        let name = given.value.as_deref().unwrap_or_default();
        if name.is_empty() || name.contains(&b'=') {
            return fail(say!("cannot unset ", quoted(name), ": Invalid argument"));
        }
        env.remove(name);
    }
    if let Some(text) = args.value("S") {
        let words = text.split(|b| matches!(b, b' ' | b'\t')).filter(|word| !word.is_empty());
        line.splice(0..0, words.map(<[u8]>::to_vec));
    }
    while let Some(at) = line.first().and_then(|word| word.iter().position(|b| *b == b'=')) {
        let word = line.remove(0);
        env.set(&word[..at], &word[at + 1..]);
    }
    if line.is_empty() {
        if args.has("C") {
            return misused("must specify command with --chdir (-C)");
        }
        let end = if args.has("0") { 0 } else { b'\n' };
        for (name, value) in env.iter() {
            call.stdout.write(&say!(name, "=", value, [end])).await?;
        }
        return Ok(0);
    }
    if args.has("0") {
        return misused("cannot specify --null (-0) with command");
    }
    let mut cwd = call.cwd.clone();
    if let Some(path) = args.value("C") {
        cwd = match call.place(path, Follow::Yes).await {
            Ok(place) if place.kind().is_dir() => place,
            Ok(_) => return fail(say!("cannot change directory to ", quoted(path), ": Not a directory")),
            Err(error) => {
                return fail(say!("cannot change directory to ", quoted(path), ": ", words(&error)));
            }
        };
    }
    match start(call, &line, &env, &cwd).await {
        Ok(status) => Ok(status),
        Err(error) => {
            call.warn(say!(quoted(&line[0]), ": ", words(&error))).await;
            Err(Failure::Status(if error.is(Errno::ENOENT) { 127 } else { 126 }))
        }
    }
}

pub(super) async fn printenv(call: &mut Invocation<'_>, args: Args) -> Done {
    let end = if args.has("0") { 0 } else { b'\n' };
    if args.operands.is_empty() {
        let env = call.env;
        for (name, value) in env.iter() {
            call.stdout.write(&say!(name, "=", value, [end])).await?;
        }
        return Ok(0);
    }
    let mut status = 0;
    for name in &args.operands {
        match call.env.get(name) {
            Some(value) => call.stdout.write(&say!(value, [end])).await?,
            None => status = 1,
        }
    }
    Ok(status)
}
