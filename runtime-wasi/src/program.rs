//! A program that is ready to start: a compiled module, checked and linked. What is no such program is refused here, with
//! words that say why.

use crate::guest::Guest;
use crate::limits::{MAX_MEMORIES, MAX_TABLES};
use crate::p1;
use vfs::{Errno, Error, Result};
use wasmtime::{Engine, ExternType, InstancePre, Linker, Module};

/// Compiled, checked and linked: starting it again costs microseconds.
#[derive(Clone)]
pub(crate) struct Program {
    pub instance: InstancePre<Guest>,
    /// Bytes of machine code and data that it holds.
    pub size: u64,
    /// Bytes of memory that it needs before it starts.
    pub memory: u64,
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
        Some([_, _, 1, 0]) => Err(refused(
            name,
            "a component (preview 2), which this server cannot run yet; build it for wasip1",
        )),
        Some(version) => {
            let version = u32::from_le_bytes(version.try_into().expect("four bytes"));
            Err(refused(name, format_args!("WebAssembly version {version} is unknown")))
        }
    }
}

/// wasmtime counts a module's needs in these.
const WASM_PAGE: u64 = 65_536;

/// Compiles; takes milliseconds to minutes.
pub(crate) fn compile(engine: &Engine, name: &str, bytes: &[u8]) -> Result<Module> {
    Module::new(engine, bytes).map_err(|error| {
        // The root is what the validator or parser found; what is around it names no file that a user knows.
        refused(name, format_args!("not a valid WebAssembly module: {}", error.root_cause()))
    })
}

/// Checks that `module` is a program that this host can run, and links it.
pub(crate) fn link(linker: &Linker<Guest>, name: &str, module: &Module) -> Result<Program> {
    for import in module.imports() {
        let known = p1::abi::Version::ALL.iter().any(|version| version.module() == import.module())
            && p1::is_call(import.name());
        if !known {
            let (module, import) = (import.module(), import.name());
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
    let needs = module.resources_required();
    if needs.num_memories as usize > MAX_MEMORIES || needs.num_tables as usize > MAX_TABLES {
        let (memories, tables) = (needs.num_memories, needs.num_tables);
        return Err(refused(
            name,
            format_args!(
                "{memories} memories and {tables} tables, of {MAX_MEMORIES} and {MAX_TABLES} allowed"
            ),
        ));
    }
    let instance = linker.instantiate_pre(module).map_err(|error| refused(name, error.root_cause()))?;
    let image = module.image_range();
    let size = image.end as u64 - image.start as u64;
    let memory = needs.max_initial_memory_size.unwrap_or(0).saturating_mul(WASM_PAGE);
    Ok(Program { instance, size, memory })
}
