//! which(1): where the programs of some names are found along PATH.

use super::Invocation;
use super::gnu::{Done, Failure, Program};
use super::messages::say;
use super::options::Args;

pub(super) const PROGRAM: Program = Program::new("[-a] NAME...", "Locate a command along PATH.", "a s");

pub(super) async fn run(call: &mut Invocation<'_>, args: Args) -> Done {
    let path = call.env.get(b"PATH").unwrap_or(b"/bin").to_vec();
    let mut status = u8::from(args.operands.is_empty());
    for name in &args.operands {
        // With -a each directory by itself; a name with a slash is what it says.
        let all = args.has("a") && !name.contains(&b'/');
        let mut found = Vec::new();
        if all {
            for dir in path.split(|b| *b == b':') {
                found.extend(call.shell.which(name, dir).await);
            }
        } else {
            found.extend(call.shell.which(name, &path).await);
        }
        if found.is_empty() {
            status = 1;
        }
        for one in found {
            if !args.has("s") {
                call.stdout.write(&say!(one, "\n")).await?;
            }
        }
    }
    if status > 0 { Err(Failure::Status(status)) } else { Ok(0) }
}
