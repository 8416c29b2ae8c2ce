//! tee(1): standard input to standard output and to files.

use super::gnu::{Done, Program};
use super::messages::{named, say};
use super::options::Args;
use super::{Invocation, Output, words};
use vfs::{Errno, OpenFlags};

pub(super) const PROGRAM: Program = Program::new(
    "[OPTION]... [FILE]...",
    "Copy standard input to each FILE, and also to standard output.",
    "a,append i,ignore-interrupts p output-error=?",
);

pub(super) async fn run(call: &mut Invocation<'_>, args: Args) -> Done {
    let mut status = 0;
    let how = if args.has("a") { OpenFlags::APPEND } else { OpenFlags::TRUNCATE };
    let mut outputs = Vec::new();
    for path in &args.operands {
        match call.create(path, 0o666, OpenFlags::WRITE | how).await {
            Ok(created) => outputs.push(Some(Output::new(created.file))),
            Err(error) => {
                status = 1;
                call.tell(path, &error).await;
                outputs.push(None);
            }
        }
    }
    let mut input = call.stdin.surrender();
    let goes_on = args.has("p") || args.has("output-error");
    let mut stdout_gone = false;
    loop {
        let next = match call.fill(&mut input).await {
            Ok([]) => break,
            Ok(next) => next.to_vec(),
            Err(error) => {
                status = 1;
                call.warn(say!("read error: ", words(&error))).await;
                break;
            }
        };
        input.take(next.len());
        if !stdout_gone {
            let mut written = call.stdout.write(&next).await;
            if written.is_ok() {
                written = call.stdout.flush().await;
            }
            match written {
                Ok(()) => {}
                Err(error) if goes_on && error.is(Errno::EPIPE) => stdout_gone = true,
                Err(error) => return Err(error.into()),
            }
        }
        for (output, path) in outputs.iter_mut().zip(&args.operands) {
            let Some(file) = output else { continue };
            let mut written = file.write(&next).await;
            if written.is_ok() {
                written = file.flush().await;
            }
            if let Err(error) = written {
                status = 1;
                *output = None;
                call.warn(say!(named(path), ": ", words(&error))).await;
            }
        }
    }
    Ok(status)
}
