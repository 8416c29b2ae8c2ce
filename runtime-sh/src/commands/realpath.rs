//! realpath(1) and readlink(1): what a name means when all links are followed.

use super::gnu::{Done, Failure, Program, misused};
use super::messages::{named, say};
use super::options::Args;
use super::{Invocation, words};
use vfs::{Errno, Error, Follow, Kind, Place};

pub(super) const PROGRAM: Program = Program::new(
    "[OPTION]... FILE...",
    "Print the resolved absolute file name; all but the last component must exist.",
    "e,canonicalize-existing m,canonicalize-missing L,logical P,physical q,quiet relative-to= relative-base= s,strip,no-symlinks z,zero",
);

pub(super) const READLINK: Program = Program::new(
    "[OPTION]... FILE...",
    "Print value of a symbolic link or canonical file name.",
    "f,canonicalize e,canonicalize-existing m,canonicalize-missing n,no-newline q,quiet s,silent v,verbose z,zero",
);

#[derive(Clone, Copy, PartialEq)]
enum Must {
    /// All of it is there.
    Exist,
    /// All but the last component is.
    AllButLast,
    Nothing,
}

/// The absolute path without links, dots and double slashes.
async fn resolved(call: &Invocation<'_>, path: &[u8], must: Must) -> vfs::Result<Vec<u8>> {
    if path.is_empty() {
        return Errno::ENOENT.into();
    }
    match call.place(path, Follow::Yes).await {
        Ok(place) => return Ok(place.path()),
        Err(error) if must == Must::Exist => return Err(error),
        Err(error) if error.is(Errno::ELOOP) && must != Must::Nothing => return Err(error),
        Err(_) => {}
    }
    let mut here: Place = if path.starts_with(b"/") { call.root.root() } else { call.cwd.clone() };
    // What is not there any more, by names alone.
    let mut missing: Vec<Vec<u8>> = Vec::new();
    let mut todo: Vec<Vec<u8>> =
        path.split(|b| *b == b'/').filter(|c| !c.is_empty()).rev().map(<[u8]>::to_vec).collect();
    let mut links = 0;
    while let Some(component) = todo.pop() {
        if !missing.is_empty() {
            if must == Must::AllButLast {
                return Errno::ENOENT.into();
            }
            match &component[..] {
                b"." => {}
                b".." => drop(missing.pop()),
                _ => missing.push(component),
            }
            continue;
        }
        match here.walk(call.who, &component).await {
            Ok(next) if next.kind() == Kind::Symlink => {
                links += 1;
                if links > 40 {
                    return Errno::ELOOP.into();
                }
                let target = next.readlink().await?;
                if target.starts_with(b"/") {
                    here = call.root.root();
                }
                todo.extend(target.split(|b| *b == b'/').filter(|c| !c.is_empty()).rev().map(<[u8]>::to_vec));
            }
            Ok(next) => here = next,
            Err(error) if must == Must::AllButLast && !error.is(Errno::ENOENT) => return Err(error),
            Err(_) => missing.push(component),
        }
    }
    let mut full = here.path();
    for name in missing {
        full = super::reach::joined(&full, &name);
    }
    Ok(full)
}

/// The way from the directory `from` to `to`, both absolute.
pub fn between(from: &[u8], to: &[u8]) -> Vec<u8> {
    let parts = |path: &[u8]| -> Vec<Vec<u8>> {
        path.split(|b| *b == b'/').filter(|c| !c.is_empty()).map(<[u8]>::to_vec).collect()
    };
    let (from, to) = (parts(from), parts(to));
    let common = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let mut way: Vec<Vec<u8>> = vec![b"..".to_vec(); from.len() - common];
    way.extend_from_slice(&to[common..]);
    if way.is_empty() { b".".to_vec() } else { way.join(&b'/') }
}

pub(super) async fn run(call: &mut Invocation<'_>, args: Args) -> Done {
    if args.operands.is_empty() {
        return misused("missing operand");
    }
    let must = match args.last(&["e", "m"]) {
        Some("e") => Must::Exist,
        Some(_) => Must::Nothing,
        None => Must::AllButLast,
    };
    let mut relative = None;
    if let Some(path) = args.value("relative-to").or(args.value("relative-base")) {
        relative = match resolved(call, path, must).await {
            Ok(full) => Some(full),
            Err(error) => return super::gnu::fail(say!(named(path), ": ", words(&error))),
        };
    }
    let end = if args.has("z") { 0 } else { b'\n' };
    let mut status = 0;
    for path in &args.operands {
        match resolved(call, path, must).await {
            Ok(full) => {
                let inside = relative.as_ref().filter(|base| {
                    args.has("relative-to")
                        || full == **base
                        || full.starts_with(&super::reach::joined(base, b""))
                });
                let shown = inside.map_or(full.clone(), |base| between(base, &full));
                call.stdout.write(&say!(shown, [end])).await?;
            }
            Err(error) => {
                status = 1;
                if !args.has("q") {
                    call.warn(say!(named(path), ": ", words(&error))).await;
                }
            }
        }
    }
    Ok(status)
}

pub(super) async fn readlink(call: &mut Invocation<'_>, args: Args) -> Done {
    if args.operands.is_empty() {
        return misused("missing operand");
    }
    let must = match args.last(&["f", "e", "m"]) {
        None => None,
        Some("e") => Some(Must::Exist),
        Some("f") => Some(Must::AllButLast),
        Some(_) => Some(Must::Nothing),
    };
    let mut bare = args.has("n");
    if bare && args.operands.len() > 1 {
        bare = false;
        call.warn("ignoring --no-newline with multiple arguments").await;
    }
    let end: &[u8] = if bare {
        b""
    } else if args.has("z") {
        b"\0"
    } else {
        b"\n"
    };
    let mut status = 0;
    for path in &args.operands {
        let read: Result<Vec<u8>, Error> = match must {
            Some(must) => resolved(call, path, must).await,
            None => match call.place(path, Follow::No).await {
                Ok(place) => place.readlink().await.map(|to| to.to_vec()),
                Err(error) => Err(error),
            },
        };
        match read {
            Ok(text) => call.stdout.write(&say!(text, end)).await?,
            Err(error) => {
                status = 1;
                if args.has("v") {
                    call.warn(say!(named(path), ": ", words(&error))).await;
                }
            }
        }
    }
    if status > 0 { Err(Failure::Status(status)) } else { Ok(0) }
}
