//! mkdir(1).

use super::gnu::{Done, Program, fail, misused};
use super::messages::{quoted, say};
use super::options::Args;
use super::{Invocation, mode, words};
use vfs::{Errno, Follow, Kind, Mode, Place, SetStat};

pub(super) const PROGRAM: Program = Program::new(
    "[OPTION]... DIRECTORY...",
    "Create the DIRECTORY(ies), if they do not already exist.",
    "m,mode= p,parents v,verbose Z context=?",
);

pub(super) async fn run(call: &mut Invocation<'_>, args: Args) -> Done {
    if args.operands.is_empty() {
        return misused("missing operand");
    }
    let bits = match args.value("m") {
        None => None,
        Some(text) => match mode::parse(text) {
            Some(change) => Some(change.apply(0o777, true, call.shell.umask())),
            None => return fail(say!("invalid mode ", quoted(text))),
        },
    };
    let mut status = 0;
    for path in &args.operands {
        let made = if args.has("p") {
            with_parents(call, &args, path).await?
        } else {
            one(call, &args, path).await?
        };
        match made {
            Err((path, error)) => {
                status = 1;
                call.warn(say!("cannot create directory ", quoted(&path), ": ", words(&error))).await;
            }
            Ok(Some(place)) => {
                if let Some(bits) = bits {
                    let set = SetStat { mode: Some(Mode::new(bits)), ..SetStat::default() };
                    if let Err(error) = place.setstat(call.who, set).await {
                        status = 1;
                        call.warn(say!("cannot set permissions of ", quoted(path), ": ", words(&error)))
                            .await;
                    }
                }
            }
            Ok(None) => {}
        }
    }
    Ok(status)
}

type Made = Result<Option<Place>, (Vec<u8>, vfs::Error)>;

async fn one(call: &mut Invocation<'_>, args: &Args, path: &[u8]) -> Done<Made> {
    match call.make_directory(path, 0o777).await {
        Ok(place) => {
            if args.has("v") {
                let line = say!(call.name(), ": created directory ", quoted(path), "\n");
                call.stdout.write(&line).await?;
            }
            Ok(Ok(Some(place)))
        }
        Err(error) => Ok(Err((path.to_vec(), exists(call, path, error).await))),
    }
}

/// What ends in `.` or `..` is there, if it is a directory at all.
async fn exists(call: &Invocation<'_>, path: &[u8], error: vfs::Error) -> vfs::Error {
    if !error.is(Errno::EINVAL) {
        return error;
    }
    match call.place(path, Follow::Yes).await {
        Ok(_) => Errno::EEXIST.into(),
        Err(error) => error,
    }
}

async fn with_parents(call: &mut Invocation<'_>, args: &Args, path: &[u8]) -> Done<Made> {
    let mut last = None;
    let mut at = 0;
    while at < path.len() {
        let slashes = path[at..].iter().take_while(|b| **b == b'/').count();
        let name = path[at + slashes..].iter().take_while(|b| **b != b'/').count();
        at += slashes + name;
        if name == 0 {
            break;
        }
        let upto = &path[..at];
        match call.place(upto, Follow::Yes).await {
            Ok(place) if place.kind() == Kind::Dir => {
                last = None;
                continue;
            }
            Ok(_) if at == path.len() => return Ok(Err((path.to_vec(), Errno::EEXIST.into()))),
            Ok(_) => return Ok(Err((upto.to_vec(), Errno::ENOTDIR.into()))),
            Err(error) if error.is(Errno::ENOENT) => {}
            Err(error) => return Ok(Err((upto.to_vec(), error))),
        }
        match one(call, args, upto).await? {
            Ok(place) => last = place,
            // Somebody else was faster.
            Err((_, error)) if error.is(Errno::EEXIST) => last = None,
            Err(error) => return Ok(Err(error)),
        }
    }
    Ok(Ok(last))
}
