//! printf(1) as a program: GNU's.

use super::Invocation;
use super::gnu::{Done, Failure, Program, fail, misused};
use super::messages::{quoted, say};
use super::options::Args;
use crate::printf::{Manner, Printer};

pub(super) const PROGRAM: Program =
    Program::new("FORMAT [ARGUMENT]...", "Print ARGUMENT(s) according to FORMAT.", "").raw();

pub(super) async fn run(call: &mut Invocation<'_>, _none: Args) -> Done {
    let args = match call.args() {
        [first, rest @ ..] if first == b"--" => rest,
        args => args,
    };
    let Some((format, args)) = args.split_first() else { return misused("missing operand") };
    let mut printer = Printer::new(Manner::Gnu, args);
    let refused = loop {
        super::turn(call.shell).await;
        let round = printer.round(format);
        call.stdout.write(&std::mem::take(&mut printer.text)).await?;
        match round {
            Ok(true) => {}
            Ok(false) => break None,
            Err(refused) => break Some(refused),
        }
    };
    let status = u8::from(!printer.complaints.is_empty());
    for text in std::mem::take(&mut printer.complaints) {
        call.warn(text).await;
    }
    if let Some(refused) = refused {
        return fail(refused);
    }
    if let Some(extra) = printer.excess() {
        call.warn(say!("warning: ignoring excess arguments, starting with ", quoted(extra))).await;
    }
    if status > 0 { Err(Failure::Status(status)) } else { Ok(0) }
}
