//! Components that are one module and the glue around it, as tools make them of programs that know nothing of components. The module
//! is run: what the glue makes of a call is done in the same namespace, with the same rights, without it.
//!
//! ```text
//! calls preview 1, through an adapter    as it is:   module ─► adapter ─► canonical ABI ─► p2 ─► vfs   an fstat: 450 ns besides
//! (wasm-tools component new, jco)        as we run:  module ─────────────────────────────► p1 ─► vfs     the file's own; 30
//!
//! calls preview 2 itself                 as it is:   module ────────────► canonical ABI ─► p2 ─► vfs   480
//! (wasi-libc for wasm32-wasip2)          as we run:  module ─► p2::lowered ──────────────► p2 ─► vfs   120
//! ```
//!
//! What an adapter has no words for (an exit's code, O_APPEND, names that are not UTF-8) gets lost in it besides. An adapter is known
//! by its imports and exports. One that keeps calls to itself is left alone: for each call of the module it must import the
//! interface that the call belongs to. A program that calls preview 2 itself must call nothing but what [`p2::lowered`](crate::p2::lowered)
//! has: sockets, http and what is no WASI's are left to wasmtime. That the glue joins each import to the call of its name, as tools
//! do it, is taken for granted.

use crate::p1;
use crate::p2::lowered::{self, Lowered};
use std::ops::Range;
use wasmparser::{ExternalKind, Parser, Payload, Result, Validator};

const PREVIEW1: &str = "wasi_snapshot_preview1";

/// The program to run where `bytes` is one: the module that it was made of, or itself.
pub(crate) fn unwrapped(bytes: Vec<u8>, lowered: &Lowered) -> Vec<u8> {
    match module(&bytes, lowered) {
        Some(module) => bytes[module].to_vec(),
        None => bytes,
    }
}

/// Where in the component `bytes` the module is that can be run in its place.
fn module(bytes: &[u8], lowered: &Lowered) -> Option<Range<usize>> {
    if !Parser::is_component(bytes) {
        return None;
    }
    let parts = Parts::of(bytes).ok()?;
    let found = parts.command().or_else(|| parts.direct(lowered))?;
    // What is no component is refused as one, whatever is in it.
    Validator::new().validate_all(bytes).is_ok().then_some(found)
}

/// A module within a component.
#[derive(Default)]
struct Module<'a> {
    range: Range<usize>,
    imports: Vec<(&'a str, &'a str)>,
    exports: Vec<(&'a str, ExternalKind)>,
    /// It has a start function.
    starts: bool,
}

impl<'a> Module<'a> {
    fn exports(&self, name: &str, kind: ExternalKind) -> bool {
        self.exports.contains(&(name, kind))
    }

    fn imports_from(&self, from: &str) -> impl Iterator<Item = &'a str> {
        self.imports.iter().filter(move |(module, _)| *module == from).map(|(_, name)| *name)
    }

    /// A command of calls that modules can make.
    fn is_command(&self) -> bool {
        self.exports("_start", ExternalKind::Func)
            && self.exports("memory", ExternalKind::Memory)
            && self.imports.iter().all(|(module, name)| p1::meant(module, name).is_some())
    }

    /// A command that calls preview 2 itself.
    fn is_direct(&self, lowered: &Lowered) -> bool {
        self.exports.iter().any(|(name, kind)| lowered::is_run(name) && *kind == ExternalKind::Func)
            && self.exports("memory", ExternalKind::Memory)
            && self.exports("cabi_realloc", ExternalKind::Func)
            && !self.exports("_initialize", ExternalKind::Func)
            && !self.starts
            && self.imports.iter().all(|(interface, call)| lowered.has(interface, call))
    }

    fn is_adapter(&self) -> bool {
        self.imports_from("__main_module__").any(|name| name == "_start")
            && self.imports_from("env").any(|name| name == "memory")
            && self.exports.iter().any(|(name, _)| is_run(name.strip_suffix("#run").unwrap_or_default()))
    }

    /// The table by which the module's calls reach the adapter, which is there only after the module.
    fn is_shim(&self) -> bool {
        self.imports.is_empty() && self.exports("$imports", ExternalKind::Table)
    }

    /// What fills that table.
    fn is_fixup(&self) -> bool {
        self.exports.is_empty() && self.imports.iter().any(|(_, name)| *name == "$imports")
    }

    /// Whether the call `name` is done by the interface that it belongs to, behind this adapter.
    fn passes_on(&self, name: &str) -> bool {
        let wanted: &[&str] = match name {
            _ if name.starts_with("fd_prestat") => &["wasi:filesystem/preopens"],
            "fd_write" => &["wasi:io/streams", "wasi:cli/stdout"],
            "fd_read" => &["wasi:io/streams", "wasi:cli/stdin"],
            _ if name.starts_with("fd_") || name.starts_with("path_") => &["wasi:filesystem/types"],
            _ if name.starts_with("args_") || name.starts_with("environ_") => &["wasi:cli/environment"],
            "clock_time_get" => &["wasi:clocks/monotonic-clock", "wasi:clocks/wall-clock"],
            "clock_res_get" => &["wasi:clocks/monotonic-clock"],
            "poll_oneoff" => &["wasi:io/poll"],
            "random_get" => &["wasi:random/random"],
            "proc_exit" => &["wasi:cli/exit"],
            "sched_yield" => &[],
            // It has none of these: whoever calls them traps.
            "sock_accept" | "sock_recv" | "sock_send" | "sock_shutdown" => &[],
            _ => return false,
        };
        let imports = |interface: &str| {
            self.imports.iter().any(|(module, _)| {
                module.strip_prefix(interface).is_some_and(|version| version.starts_with("@0.2."))
            })
        };
        wanted.iter().all(|interface| imports(interface))
    }
}

/// Whether this is what a command exports.
fn is_run(interface: &str) -> bool {
    interface.starts_with("wasi:cli/run@0.2.")
}

/// What a component is made of.
#[derive(Default)]
struct Parts<'a> {
    modules: Vec<Module<'a>>,
    exports: Vec<&'a str>,
    /// There is more in it than the glue around a module.
    is_more: bool,
}

impl<'a> Parts<'a> {
    fn of(bytes: &'a [u8]) -> Result<Parts<'a>> {
        let mut parts = Parts::default();
        let mut depth = 0;
        for payload in Parser::new(0).parse_all(bytes) {
            match payload? {
                Payload::ModuleSection { unchecked_range: range, .. } => {
                    parts.is_more |= depth > 0;
                    parts.modules.push(Module { range, ..Module::default() });
                    depth += 1;
                }
                Payload::ComponentSection { .. } => depth += 1,
                Payload::End(_) => depth -= 1,
                Payload::ImportSection(imports) => {
                    let Some(module) = parts.modules.last_mut() else { continue };
                    for import in imports.into_imports() {
                        let import = import?;
                        module.imports.push((import.module, import.name));
                    }
                }
                Payload::ExportSection(exports) => {
                    let Some(module) = parts.modules.last_mut() else { continue };
                    for export in exports {
                        let export = export?;
                        module.exports.push((export.name, export.kind));
                    }
                }
                Payload::StartSection { .. } => {
                    let Some(module) = parts.modules.last_mut() else { continue };
                    module.starts = true;
                }
                Payload::ComponentExportSection(exports) if depth == 0 => {
                    for export in exports {
                        parts.exports.push(export?.name.name);
                    }
                }
                _ => {}
            }
        }
        Ok(parts)
    }

    /// The module, where the component is a preview 1 command and an adapter.
    fn command(&self) -> Option<Range<usize>> {
        let one = |is: fn(&Module<'a>) -> bool| self.modules.iter().find(|module| is(module));
        let (command, adapter) = (one(Module::is_command)?, one(Module::is_adapter)?);
        one(Module::is_shim)?;
        one(Module::is_fixup)?;
        let mut calls = command.imports.iter().filter_map(|(module, name)| p1::meant(module, name));
        let passes = calls.all(|(module, call)| match module {
            PREVIEW1 => adapter.passes_on(call),
            _ => module.starts_with("wasi:"),
        });
        (self.is_run() && self.modules.len() == 4 && passes).then(|| command.range.clone())
    }

    /// The module, where the component is one that calls preview 2 itself.
    fn direct(&self, lowered: &Lowered) -> Option<Range<usize>> {
        let main = self.modules.iter().find(|module| module.is_direct(lowered))?;
        let one = |is: fn(&Module<'a>) -> bool| self.modules.iter().any(is);
        let glued = match self.modules.len() {
            1 => true,
            3 => one(Module::is_shim) && one(Module::is_fixup),
            _ => false,
        };
        (self.is_run() && glued).then(|| main.range.clone())
    }

    /// It is a command, and nothing besides.
    fn is_run(&self) -> bool {
        matches!(self.exports[..], [export] if is_run(export)) && !self.is_more
    }
}
