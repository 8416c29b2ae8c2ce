//! Components that are one module of preview 2's calls, run as that module: its calls are functions of the host, with the
//! component model's canonical ABI done here ([`abi`]).
//!
//! ```text
//! as it is:   module ─► wasmtime's canonical ABI ─► p2 ─► vfs      some 240 ns of an fstat's two calls each
//! as we run:  module ─► ours ─────────────────────► p2 ─► vfs      some 60
//! ```
//!
//! That is what languages make that have been told nothing of components but their calls (wasi-libc for wasm32-wasip2, and
//! all that stands on it). [`crate::inner`] knows them. Who imports sockets or http is left to wasmtime.

mod abi;
mod calls;
mod files;
mod process;
mod streams;

use super::Guest;
use crate::p1::ProcExit;
pub(super) use abi::Rooms;
use calls::{Calls, Way};
use std::sync::Arc;
use task::Exit;
use wasmtime::{
    Engine, Error, Extern, ExternType, Instance, InstancePre, Linker, Module, ModuleExport, Ref, Result,
    Store,
};

/// What the guest makes room with.
const REALLOC: &str = "cabi_realloc";

/// All calls.
pub(crate) struct Lowered(Calls);

impl Lowered {
    pub fn new(engine: &Engine) -> Result<Lowered> {
        let mut calls = Calls::new(Linker::new(engine));
        calls::define_take(&mut calls)?;
        files::define(&mut calls)?;
        streams::define(&mut calls)?;
        process::define(&mut calls)?;
        Ok(Lowered(calls))
    }

    /// Whether `call` is one of these, of the interface `interface` of any version.
    pub fn has(&self, interface: &str, call: &str) -> bool {
        self.meant(interface, call).is_some()
    }

    fn meant(&self, interface: &str, call: &str) -> Option<(calls::Name, Way)> {
        self.0.way(unversioned(interface)?, call)
    }

    /// The module between guests and most of the calls, as text.
    pub fn source(&self) -> String {
        self.0.source()
    }
}

/// `interface` without its version, where that is one of 0.2's.
fn unversioned(interface: &str) -> Option<&str> {
    interface.split_once("@0.2.").map(|(name, _)| name)
}

/// Whether this is what a command exports as what it runs.
pub(crate) fn is_run(export: &str) -> bool {
    export.strip_suffix("#run").and_then(unversioned) == Some("wasi:cli/run")
}

/// All calls, ready to be linked to.
pub(crate) struct Linked {
    lowered: Arc<Lowered>,
    between: Module,
    instance: InstancePre<Guest>,
}

impl Linked {
    /// `between` is the compiled [`Lowered::source`].
    pub fn new(lowered: Arc<Lowered>, between: Module) -> Result<Linked> {
        Ok(Linked { instance: lowered.0.linker.instantiate_pre(&between)?, between, lowered })
    }
}

/// Where a guest's import comes from.
enum Import {
    Between(ModuleExport),
    Host(calls::Name),
}

/// A module of these calls that is ready to start.
#[derive(Clone)]
pub(crate) struct Command {
    module: Module,
    linked: Arc<Linked>,
    imports: Arc<[Import]>,
    run: Arc<str>,
}

impl Command {
    /// Fails, in words, where `module` is no command, or wants what there is not.
    pub fn link(linked: &Arc<Linked>, module: &Module) -> Result<Command, String> {
        let import = |import: wasmtime::ImportType<'_>| {
            let (interface, call) = (import.module(), import.name());
            let meant = linked.lowered.meant(interface, call);
            let (name, way) = meant.ok_or_else(|| format!("unknown import {interface}.{call}"))?;
            Ok(match way {
                Way::Host => Import::Host(name),
                Way::Between => {
                    let export = linked.between.get_export_index(&calls::full_name(name));
                    Import::Between(export.ok_or_else(|| format!("{interface}.{call} is not there"))?)
                }
            })
        };
        let imports = module.imports().map(import).collect::<Result<_, String>>()?;
        let run = module.exports().find(|export| is_run(export.name()));
        let run =
            run.ok_or_else(|| "no wasi:cli/run@0.2 is exported: a library, not a program".to_owned())?;
        let run = run.name().into();
        match module.get_export("memory") {
            Some(ExternType::Memory(memory)) if !memory.is_shared() && !memory.is_64() => {}
            _ => return Err("it exports no memory of 32 bits that is its own".to_owned()),
        }
        Ok(Command { module: module.clone(), linked: linked.clone(), imports, run })
    }

    /// Runs it; an end by `exit` comes as the error [`ProcExit`].
    pub async fn run(&self, store: &mut Store<Guest>) -> Result<()> {
        let between = self.linked.instance.instantiate_async(&mut *store).await?;
        let mut imports: Vec<Extern> = Vec::with_capacity(self.imports.len());
        for import in &*self.imports {
            imports.push(match import {
                Import::Between(export) => {
                    let found = between.get_module_export(&mut *store, export);
                    found.expect("an index of this very module")
                }
                Import::Host((interface, call)) => {
                    self.linked.lowered.0.linker.get(&mut *store, interface, call)?
                }
            });
        }
        let guest = Instance::new_async(&mut *store, &self.module, &imports).await?;
        store.data_mut().memory = guest.get_memory(&mut *store, "memory");
        if let Some(realloc) = guest.get_func(&mut *store, REALLOC) {
            let table = between.get_table(&mut *store, calls::REALLOC).expect("of this very module");
            table.set(&mut *store, 0, Ref::Func(Some(realloc)))?;
        }
        let run = guest.get_typed_func::<(), u32>(&mut *store, &self.run)?;
        match run.call_async(&mut *store, ()).await? {
            0 => Ok(()),
            _ => Err(Error::new(ProcExit(Exit::with_code(1)))),
        }
    }
}
