//! The way into the host for calls that are done at once: two plain calls, and no future.
//!
//! wasmtime asks every import that may wait for a future, which costs a guest more than many of the calls themselves. So a
//! guest's imports are not the host's functions but those of a small module between the two, which asks a function that
//! cannot wait first, and the one that can where that had no answer:
//!
//! ```text
//! guest ── fd_read ──► this module ──┬─ "at once" fd_read ──► quick::fd_read: done, or NOT_AT_ONCE
//!                                    └─ "waits" fd_read ────► io::fd_read, on the guest's fiber
//! ```
//! Functions of this module do not have the guest's memory to show; the host must know it before they are called. That is
//! from the end of instantiation on, so a module with a start function goes without.

use super::abi::Version;
use super::meant;
use crate::guest::Guest;
use std::fmt::Write;
use std::sync::Arc;
use wasmtime::{Error, Extern, Instance, InstancePre, Linker, Module, ModuleExport, Store};

/// The module of the functions that cannot wait, which no guest can name: its imports are checked before.
pub(super) const AT_ONCE: &str = "at once";

/// The module of those that can and were not done at once, likewise.
pub(super) const WAITS: &str = "waits";

/// Says that nothing was done yet. No errno is this.
pub(super) const NOT_AT_ONCE: u32 = u32::MAX;

/// A call that may be done at once, and the words that its parameters go to the host in. More than four do not fit in registers;
/// those that are left go over the stack, half a word is written there and a whole one read, and a processor waits for such a
/// read until the write is through. So calls that have more put two parameters in a word.
pub(super) struct Shape {
    pub name: &'static str,
    pub words: &'static [Word],
}

/// What a word of a call is, by its type as WebAssembly's text has it.
#[derive(Clone, Copy)]
pub(super) enum Word {
    One(&'static str),
    /// Two `i32`, the first in the upper half.
    Both,
}

impl Word {
    /// Of parameters of this Rust type; `others` is the second, if there is one.
    pub const fn new(rust: &str, others: &[&str]) -> Word {
        match (rust.as_bytes(), others) {
            (b"u32", []) => Word::One("i32"),
            (b"u32", [_]) => Word::Both,
            (b"u64" | b"i64", []) => Word::One("i64"),
            _ => panic!("a call's parameter is a u32, u64 or i64, and two in a word are u32"),
        }
    }
}

/// The two parameters in a word.
pub(super) fn both(word: u64) -> (u32, u32) {
    ((word >> 32) as u32, word as u32)
}

/// The module between, as text.
pub(crate) fn source() -> String {
    let (mut imports, mut functions) = (String::new(), String::new());
    for Shape { name, words } in super::QUICK {
        let (mut params, mut at_once, mut packed, mut count) =
            (String::new(), String::new(), String::new(), 0);
        for word in *words {
            match word {
                Word::One(ty) => {
                    params += &format!(" {ty}");
                    at_once += &format!(" {ty}");
                    packed += &format!(" local.get {count}");
                    count += 1;
                }
                Word::Both => {
                    params += " i32 i32";
                    at_once += " i64";
                    packed += &format!(
                        " local.get {count} i64.extend_i32_u i64.const 32 i64.shl \
                         local.get {} i64.extend_i32_u i64.or",
                        count + 1
                    );
                    count += 2;
                }
            }
        }
        let args: String = (0..count).map(|n| format!(" local.get {n}")).collect();
        // Writing to a string does not fail.
        let _ = write!(
            imports,
            "(import \"{AT_ONCE}\" \"{name}\" (func $quick_{name} (param{at_once}) (result i32)))\
             (import \"{WAITS}\" \"{name}\" (func $waits_{name} (param{params}) (result i32)))"
        );
        let _ = write!(
            functions,
            "(func (export \"{name}\") (param{params}) (result i32) (local i32){packed} call $quick_{name} \
             local.tee {count} i32.const {NOT_AT_ONCE} i32.eq \
             if (result i32){args} call $waits_{name} else local.get {count} end)"
        );
    }
    format!("(module {imports} {functions})")
}

/// The compiled module between, linked to the host.
pub(crate) struct Shortcut {
    between: InstancePre<Guest>,
    exports: Vec<(&'static str, ModuleExport)>,
    linker: Arc<Linker<Guest>>,
}

impl Shortcut {
    pub fn link(linker: &Arc<Linker<Guest>>, between: &Module) -> wasmtime::Result<Shortcut> {
        let export = |name| {
            let index = between.get_export_index(name);
            index.map(|index| (name, index)).ok_or_else(|| Error::msg(format!("{name} is not exported")))
        };
        let exports = super::QUICK.iter().map(|shape| export(shape.name)).collect::<wasmtime::Result<_>>()?;
        Ok(Shortcut { between: linker.instantiate_pre(between)?, exports, linker: linker.clone() })
    }
}

/// Where a guest's import comes from.
enum Import {
    Between(ModuleExport),
    /// The host, by module and name.
    Host(String, String),
}

/// A module that reaches the host through a [`Shortcut`].
#[derive(Clone)]
pub(crate) struct Shortened {
    module: Module,
    shortcut: Arc<Shortcut>,
    imports: Arc<[Import]>,
}

impl Shortened {
    /// `module`, which has no start function and imports nothing unknown. None where nothing would be shorter.
    pub fn new(module: &Module, shortcut: &Arc<Shortcut>) -> Option<Shortened> {
        let source = |import: &wasmtime::ImportType<'_>| {
            let (module, call) = meant(import.module(), import.name())?;
            let ours = module == Version::Preview1.module();
            let short = shortcut.exports.iter().find(|(name, _)| ours && *name == call);
            Some(match short {
                Some((_, export)) => Import::Between(*export),
                None => Import::Host(module.to_owned(), call.to_owned()),
            })
        };
        let imports: Arc<[Import]> = module.imports().map(|import| source(&import)).collect::<Option<_>>()?;
        let shorter = imports.iter().any(|import| matches!(import, Import::Between(_)));
        shorter.then(|| Shortened { module: module.clone(), shortcut: shortcut.clone(), imports })
    }

    pub async fn instantiate(&self, store: &mut Store<Guest>) -> wasmtime::Result<Instance> {
        let between = self.shortcut.between.instantiate_async(&mut *store).await?;
        let mut imports: Vec<Extern> = Vec::with_capacity(self.imports.len());
        for import in &*self.imports {
            let found = match import {
                Import::Between(export) => {
                    let found = between.get_module_export(&mut *store, export);
                    found.expect("an index of this very module")
                }
                Import::Host(module, name) => self.shortcut.linker.get(&mut *store, module, name)?,
            };
            imports.push(found);
        }
        Instance::new_async(store, &self.module, &imports).await
    }
}

/// Whether the module in `bytes` runs nothing before it is instantiated: it has no start section (8). Text may have.
pub(crate) fn has_no_start(bytes: &[u8]) -> bool {
    const HEADER: usize = 8;
    const START: u8 = 8;
    if !bytes.starts_with(crate::program::MAGIC) {
        return false;
    }
    let mut rest = bytes.get(HEADER..).unwrap_or_default();
    while let Some((&section, behind)) = rest.split_first() {
        if section == START {
            return false;
        }
        let Some((size, behind)) = unsigned(behind) else { return false };
        let Some(behind) = usize::try_from(size).ok().and_then(|size| behind.get(size..)) else {
            return false;
        };
        rest = behind;
    }
    true
}

/// An unsigned 32-bit number in LEB128, and what is behind it.
fn unsigned(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let mut number = 0;
    for (at, byte) in bytes.iter().enumerate().take(5) {
        number |= u32::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((number, &bytes[at + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binary(text: &str) -> Vec<u8> {
        wat::parse_str(text).unwrap()
    }

    #[test]
    fn a_module_with_a_start_function_is_told_from_one_without() {
        assert!(has_no_start(&binary("(module (func) (memory 1))")));
        assert!(!has_no_start(&binary("(module (func) (start 0))")));
        assert!(!has_no_start(b"(module)"), "text is not looked into");
        assert!(!has_no_start(b"\0asm\x01\0\0\0\x01\xff\xff\xff\xff\xff\xff"), "nor what is broken");
    }

    #[test]
    fn the_module_between_compiles_and_exports_every_quick_call() {
        let module = Module::new(&crate::engine::engine().unwrap(), source()).unwrap();
        let exported: Vec<_> = module.exports().map(|export| export.name().to_owned()).collect();
        let quick: Vec<_> = super::super::QUICK.iter().map(|shape| shape.name).collect();
        assert_eq!(exported, quick);
    }
}
