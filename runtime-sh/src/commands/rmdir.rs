//! rmdir(1).

use super::gnu::{Done, Program, misused};
use super::messages::{quoted, say};
use super::options::Args;
use super::{Invocation, words};
use vfs::Errno;

pub(super) const PROGRAM: Program = Program::new(
    "[OPTION]... DIRECTORY...",
    "Remove the DIRECTORY(ies), if they are empty.",
    "ignore-fail-on-non-empty p,parents v,verbose",
);

pub(super) async fn run(call: &mut Invocation<'_>, args: Args) -> Done {
    if args.operands.is_empty() {
        return misused("missing operand");
    }
    let mut status = 0;
    for given in &args.operands {
        let mut path = given.clone();
        let mut first = true;
        loop {
            if args.has("v") {
                let line = say!(call.name(), ": removing directory, ", quoted(&path), "\n");
                call.stdout.write(&line).await?;
            }
            let removed = match call.parent(&path).await {
                Ok(parent) => parent.dir.rmdir(call.who, parent.name.as_name()).await,
                Err(error) => Err(error),
            };
            if let Err(error) = removed {
                if !(error.is(Errno::ENOTEMPTY) && args.has("ignore-fail-on-non-empty")) {
                    status = 1;
                    let what = if first { "failed to remove " } else { "failed to remove directory " };
                    call.warn(say!(what, quoted(&path), ": ", words(&error))).await;
                }
                break;
            }
            first = false;
            if !args.has("p") {
                break;
            }
            while path.ends_with(b"/") {
                path.pop();
            }
            match path.iter().rposition(|b| *b == b'/') {
                Some(0) | None => break,
                Some(slash) => path.truncate(slash),
            }
        }
    }
    Ok(status)
}
