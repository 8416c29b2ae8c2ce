//! A command component that is ready to start, and its run from the first instruction to its own end.

use super::Guest;
use crate::p1::ProcExit;
use task::Exit;
use wasmtime::Store;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, ComponentExportIndex, InstancePre, Linker};

/// Compiled, checked and linked.
#[derive(Clone)]
pub(crate) struct Command {
    instance: InstancePre<Guest>,
    run: ComponentExportIndex,
}

impl Command {
    /// Fails, in words, where `component` is no command, or wants what there is not.
    pub fn link(linker: &Linker<Guest>, component: &Component) -> Result<Command, String> {
        let ty = component.component_type();
        let exports: Vec<String> = ty.exports(component.engine()).map(|(name, _)| name.to_owned()).collect();
        let run = component
            .get_export_index(None, format!("wasi:cli/run@{}", super::VERSION))
            .and_then(|run| component.get_export(Some(&run), "run"));
        let Some((ComponentItem::ComponentFunc(_), run)) = run else {
            if let Some(newer) = exports.iter().find(|export| export.starts_with("wasi:cli/run@")) {
                return Err(format!("a program of another WASI than 0.2, which alone is served: {newer}"));
            }
            let exports = if exports.is_empty() { "nothing".to_owned() } else { exports.join(", ") };
            return Err(format!("no wasi:cli/run@0.2 is exported (but {exports}): a library, not a program"));
        };
        let instance = linker.instantiate_pre(component).map_err(|error| missing(&format!("{error:#}")))?;
        Ok(Command { instance, run })
    }
}

/// What a component imports that there is not, of the words that wasmtime has for it.
fn missing(why: &str) -> String {
    let behind = |words: &str| why.split_once(words).and_then(|(_, rest)| rest.split('`').nth(1));
    match (behind("instance export "), behind("imports ")) {
        (Some(name), Some(interface)) if why.contains("is missing") => {
            format!("it imports {name} of {interface}, which there is not")
        }
        (None, Some(import)) if why.contains("not found") => {
            format!("it imports {import}, which there is not")
        }
        _ => why.to_owned(),
    }
}

/// Runs it; an end by `exit` comes as the error [`ProcExit`].
pub(crate) async fn run(store: &mut Store<Guest>, command: &Command) -> wasmtime::Result<()> {
    let instance = command.instance.instantiate_async(&mut *store).await?;
    let run = instance.get_typed_func::<(), (Result<(), ()>,)>(&mut *store, command.run)?;
    match run.call_async(&mut *store, ()).await? {
        (Ok(()),) => Ok(()),
        (Err(()),) => Err(wasmtime::Error::new(ProcExit(Exit::with_code(1)))),
    }
}
