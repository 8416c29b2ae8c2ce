//! `wasi:cli`: arguments, environment, stdio, terminals and the end.

use super::input::FileInput;
use super::output::{FileOutput, Position};
use super::{Guest, instance};
use crate::p1::ProcExit;
use task::Exit;
use vfs::Nature;
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource, ResourceType};
use wasmtime_wasi_io::streams::{DynInputStream, DynOutputStream};

/// A stream of stdio that is shown as a terminal. There is nothing that can be asked of one.
pub(super) struct TerminalInput;
pub(super) struct TerminalOutput;

type Store<'s> = StoreContextMut<'s, Guest>;

pub(super) fn define(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let mut environment = instance(linker, "cli/environment")?;
    environment.func_wrap("get-environment", |store: Store<'_>, (): ()| Ok((store.data().env.clone(),)))?;
    environment.func_wrap("get-arguments", |store: Store<'_>, (): ()| Ok((store.data().args.clone(),)))?;
    environment.func_wrap("initial-cwd", |store: Store<'_>, (): ()| Ok((Some(store.data().cwd.clone()),)))?;

    let mut exit = instance(linker, "cli/exit")?;
    exit.func_wrap("exit", |store: Store<'_>, (status,): (Result<(), ()>,)| {
        end(store.data(), status.is_err().into())
    })?;
    exit.func_wrap("exit-with-code", |store: Store<'_>, (code,): (u8,)| end(store.data(), code.into()))?;

    instance(linker, "cli/stdin")?
        .func_wrap("get-stdin", |mut store: Store<'_>, (): ()| Ok((stdin(store.data_mut())?,)))?;
    for (name, call, number) in [("cli/stdout", "get-stdout", 1), ("cli/stderr", "get-stderr", 2)] {
        instance(linker, name)?
            .func_wrap(call, move |mut store: Store<'_>, (): ()| Ok((output(store.data_mut(), number)?,)))?;
    }
    define_terminals(linker)
}

pub(super) fn stdin(guest: &mut Guest) -> wasmtime::Result<Resource<DynInputStream>> {
    let stream: DynInputStream = Box::new(FileInput::new(guest, guest.stdio[0].clone(), 0, 0));
    Ok(guest.table.push(stream)?)
}

/// Its standard output, 1, or error, 2.
pub(super) fn output(guest: &mut Guest, number: usize) -> wasmtime::Result<Resource<DynOutputStream>> {
    let file = guest.stdio[number].clone();
    let output = FileOutput::new(guest, file, number as u32, Position::End);
    let stream: DynOutputStream = Box::new(output.of_stdio());
    Ok(guest.table.push(stream)?)
}

/// Ends the guest: as an error, which is how that reaches those who run it.
pub(super) fn end(guest: &Guest, code: i32) -> wasmtime::Result<()> {
    let trace = &guest.trace;
    if trace.is_on() {
        trace.say(format_args!("exit({code})"));
    }
    Err(wasmtime::Error::new(ProcExit(Exit::with_code(code))))
}

/// A stream on stdio is shown as a terminal, so that programs write line by line and whoever follows the output sees it
/// live; a file is none.
fn is_terminal(guest: &Guest, number: usize) -> bool {
    guest.stdio[number].nature() == Nature::Stream
}

pub(super) fn terminal_input(guest: &mut Guest) -> wasmtime::Result<Option<Resource<TerminalInput>>> {
    Ok(is_terminal(guest, 0).then(|| guest.table.push(TerminalInput)).transpose()?)
}

pub(super) fn terminal_output(
    guest: &mut Guest,
    number: usize,
) -> wasmtime::Result<Option<Resource<TerminalOutput>>> {
    Ok(is_terminal(guest, number).then(|| guest.table.push(TerminalOutput)).transpose()?)
}

fn define_terminals(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    instance(linker, "cli/terminal-input")?.resource(
        "terminal-input",
        ResourceType::host::<TerminalInput>(),
        |mut store, rep| {
            store.data_mut().table.delete(Resource::<TerminalInput>::new_own(rep))?;
            Ok(())
        },
    )?;
    instance(linker, "cli/terminal-output")?.resource(
        "terminal-output",
        ResourceType::host::<TerminalOutput>(),
        |mut store, rep| {
            store.data_mut().table.delete(Resource::<TerminalOutput>::new_own(rep))?;
            Ok(())
        },
    )?;
    instance(linker, "cli/terminal-stdin")?
        .func_wrap("get-terminal-stdin", |mut store: Store<'_>, (): ()| {
            Ok((terminal_input(store.data_mut())?,))
        })?;
    let outputs = [
        ("cli/terminal-stdout", "get-terminal-stdout", 1),
        ("cli/terminal-stderr", "get-terminal-stderr", 2),
    ];
    for (name, call, number) in outputs {
        instance(linker, name)?.func_wrap(call, move |mut store: Store<'_>, (): ()| {
            Ok((terminal_output(store.data_mut(), number)?,))
        })?;
    }
    Ok(())
}
