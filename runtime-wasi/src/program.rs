//! A program that is ready to start: a module or a component, compiled, checked and linked. What is no such program is
//! refused here, with words that say why.

use crate::engine::Linkers;
use crate::guest::Guest;
use crate::life::Command;
use crate::limits::Parts;
use crate::p1::shortcut::{Shortcut, Shortened};
use crate::{p1, p2};
use std::borrow::Cow;
use std::sync::Arc;
use vfs::{Errno, Error, Result};
use wasmtime::component::Component;
use wasmtime::{Engine, ExternType, InstancePre, Linker, Module, ResourcesRequired};

/// Compiled, checked and linked: starting it again costs microseconds.
#[derive(Clone)]
pub(crate) struct Program {
    pub entry: Entry,
    /// Bytes of machine code and data that it holds.
    pub size: u64,
    /// Bytes of memory that it needs before it starts.
    pub memory: u64,
    /// Memories that it has.
    pub memories: usize,
}

/// What is run: a preview 1 module's `_start`, or a preview 2 component's `wasi:cli/run`.
#[derive(Clone)]
pub(crate) enum Entry {
    Module(Command),
    Component(p2::Command),
    /// A component that is one module.
    Lowered(p2::lowered::Command),
}

/// What stands between a module and the host.
pub(crate) enum Between<'b> {
    /// What makes calls that are done at once shorter, where it can take that.
    Shortcut(Option<&'b Arc<Shortcut>>),
    Lowered(&'b Arc<p2::lowered::Linked>),
}

/// Whether the module calls preview 2 itself.
pub(crate) fn is_lowered(module: &Module) -> bool {
    module.exports().any(|export| p2::lowered::is_run(export.name()))
}

/// What the compiler makes of a program.
pub(crate) enum Code {
    Module(Module),
    Component(Component),
}

/// Which of the two a file holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Layer {
    Module,
    Component,
}

/// `\0asm`, and then a version (16 bits) and a layer (16 bits): 0 is a module, 1 a component.
pub(crate) const MAGIC: &[u8; 4] = b"\0asm";

fn refused(name: &str, why: impl std::fmt::Display) -> Error {
    Error::new(Errno::ENOEXEC, format!("{name}: {}", on_one_line(&why.to_string())))
}

/// An error is one line, in ctl and on the wire: of what the text format's parser draws, the picture goes and the place
/// stays.
fn on_one_line(why: &str) -> String {
    let lines = why.lines().map(str::trim).take_while(|line| *line != "|").filter(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join(" ")
}

/// Refuses what cannot be compiled before the compiler sees it. Text is a program only by its name.
pub(crate) fn check_header(name: &str, bytes: &[u8]) -> Result<()> {
    if name.ends_with(".wat") {
        return Ok(());
    }
    if bytes.is_empty() {
        return Err(refused(name, "not a WebAssembly module: the file is empty"));
    }
    if !bytes.starts_with(MAGIC) {
        let head = bytes[..bytes.len().min(8)].escape_ascii();
        return Err(refused(name, format_args!("not a WebAssembly module: it starts with \"{head}\"")));
    }
    match bytes.get(4..8) {
        None => Err(refused(name, "truncated WebAssembly module: its header has 8 bytes")),
        Some([1, 0, 0, 0]) => Ok(()),
        // Components have counted their own versions since before the first.
        Some([13, 0, 1, 0]) => Ok(()),
        Some([version, _, 1, 0]) => {
            Err(refused(name, format_args!("a component of version {version}, which is unknown")))
        }
        Some(version) => {
            let version = u32::from_le_bytes(version.try_into().expect("four bytes"));
            Err(refused(name, format_args!("WebAssembly version {version} is unknown")))
        }
    }
}

/// Which of the two `bytes` are, text or binary.
pub(crate) fn layer(bytes: &[u8]) -> Layer {
    let component = match bytes.strip_prefix(MAGIC) {
        Some(rest) => matches!(rest.get(..4), Some([_, _, 1, 0])),
        None => first_word(bytes) == b"component",
    };
    if component { Layer::Component } else { Layer::Module }
}

/// The first word of a program's text behind its parenthesis: comments are `;; …` to the line's end, and `(; … ;)`.
fn first_word(text: &[u8]) -> &[u8] {
    let mut rest = text.trim_ascii_start();
    loop {
        let after = match rest {
            [b';', b';', ..] => rest.iter().position(|b| *b == b'\n'),
            [b'(', b';', ..] => rest.windows(2).position(|pair| pair == b";)").map(|at| at + 2),
            _ => break,
        };
        rest = rest[after.unwrap_or(rest.len())..].trim_ascii_start();
    }
    let word = rest.strip_prefix(b"(").unwrap_or_default().trim_ascii_start();
    let end = word.iter().position(|b| !b.is_ascii_alphanumeric()).unwrap_or(word.len());
    &word[..end]
}

/// wasmtime counts a program's needs in these.
const WASM_PAGE: u64 = 65_536;

/// Compiles; takes milliseconds to minutes.
pub(crate) fn compile(engine: &Engine, name: &str, bytes: &[u8]) -> Result<Code> {
    let (kind, code) = match layer(bytes) {
        Layer::Module => ("module", Module::new(engine, bytes).map(Code::Module)),
        Layer::Component => ("component", Component::new(engine, bytes).map(Code::Component)),
    };
    code.map_err(|error| {
        if error.root_cause().to_string().contains("component model async feature") {
            return refused(
                name,
                "a component with asynchronous functions, as WASI 0.3 has them: 0.2 is served",
            );
        }
        // The root is what the validator or parser found; what is around it names no file that a user knows.
        refused(name, format_args!("not a valid WebAssembly {kind}: {}", error.root_cause()))
    })
}

/// Checks that `code` is a program that this host can run, and links it: by a shortcut where it has none of its own start.
pub(crate) fn link(linkers: &Linkers, name: &str, code: &Code, between: &Between<'_>) -> Result<Program> {
    let (entry, needs, image) = match code {
        Code::Module(module) => {
            let needs = module.resources_required();
            let entry = match between {
                Between::Shortcut(shortcut) => {
                    let whole = link_module(&linkers.modules, name, module, &needs)?;
                    let shortened = shortcut.and_then(|shortcut| Shortened::new(module, shortcut));
                    Entry::Module(Command { whole, shortened })
                }
                Between::Lowered(linked) => {
                    check_parts(name, &needs, Parts::OF_MODULE)?;
                    let command = p2::lowered::Command::link(linked, module);
                    Entry::Lowered(command.map_err(|why| refused(name, why))?)
                }
            };
            (entry, needs, module.image_range())
        }
        Code::Component(component) => {
            let needs = component.resources_required();
            let needs = needs.ok_or_else(|| refused(name, "it wants modules to be given to it"))?;
            check_parts(name, &needs, Parts::OF_COMPONENT)?;
            let command = p2::Command::link(&linkers.components, component);
            (Entry::Component(command.map_err(|why| refused(name, why))?), needs, component.image_range())
        }
    };
    let size = image.end as u64 - image.start as u64;
    let memory = needs.max_initial_memory_size.unwrap_or(0).saturating_mul(WASM_PAGE);
    Ok(Program { entry, size, memory, memories: needs.num_memories as usize })
}

fn check_parts(name: &str, needs: &ResourcesRequired, parts: Parts) -> Result<()> {
    let (memories, tables) = (needs.num_memories, needs.num_tables);
    if memories as usize <= parts.memories && tables as usize <= parts.tables {
        return Ok(());
    }
    let (most, most_tables) = (parts.memories, parts.tables);
    Err(refused(
        name,
        format_args!("{memories} memories and {tables} tables, of {most} and {most_tables} allowed"),
    ))
}

fn link_module(
    linker: &Linker<Guest>,
    name: &str,
    module: &Module,
    needs: &ResourcesRequired,
) -> Result<InstancePre<Guest>> {
    for import in module.imports() {
        let (module, import) = (import.module(), import.name());
        if p1::meant(module, import).is_none() {
            return Err(refused(name, format_args!("unknown import {module}.{import}")));
        }
    }
    match module.get_export("_start") {
        Some(ExternType::Func(start)) if start.params().len() == 0 && start.results().len() == 0 => {}
        Some(_) => return Err(refused(name, "its export _start is not a function without parameters")),
        None => return Err(refused(name, "no _start is exported: a library, not a program")),
    }
    let shared = module.exports().any(|export| matches!(export.ty(), ExternType::Memory(m) if m.is_shared()));
    if shared {
        return Err(refused(name, "it has a shared memory: threads cannot be run"));
    }
    check_parts(name, needs, Parts::OF_MODULE)?;
    let linked = with_all_names(linker, module).and_then(|linker| linker.instantiate_pre(module));
    linked.map_err(|error| refused(name, error.root_cause()))
}

/// The linker, in which calls have the names too by which `module` asks for them.
fn with_all_names<'a>(
    linker: &'a Linker<Guest>,
    module: &Module,
) -> wasmtime::Result<Cow<'a, Linker<Guest>>> {
    let mut linker = Cow::Borrowed(linker);
    for import in module.imports() {
        let asked = (import.module(), import.name());
        match p1::meant(asked.0, asked.1) {
            Some(meant) if meant != asked => {
                // A module may ask for the same one twice.
                linker.to_mut().allow_shadowing(true).alias(meant.0, meant.1, asked.0, asked.1)?;
            }
            _ => {}
        }
    }
    Ok(linker)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_is_told_from_a_module_by_its_header_or_its_first_word() {
        assert_eq!(layer(b"\0asm\x0d\0\x01\0"), Layer::Component);
        assert_eq!(layer(b"\0asm\x01\0\0\0"), Layer::Module);
        for text in ["(component)", " ;; (module)\n(component $c)", "(; (module) ;) ( component"] {
            assert_eq!(layer(text.as_bytes()), Layer::Component, "{text}");
        }
        for text in ["(module (; component ;))", "", "component", ";; (component)", "(components)"] {
            assert_eq!(layer(text.as_bytes()), Layer::Module, "{text}");
        }
    }
}
