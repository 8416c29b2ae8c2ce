//! What a worker starts from: the heap of an engine that has loaded its extensions (V8), and the sources that were not
//! needed for it. Made once, at build time; where there is none, the sources come from cargo's registry.
//!
//! `sources.bin` is a row of entries: `kind[1] name[4] source[4]`, then the two texts, lengths little-endian.

use super::{extensions, sources};
use deno_core::snapshot::{CreateSnapshotOptions, create_snapshot};
use deno_core::{ExtensionFileSource, FastStaticString, FastString, RuntimeOptions, v8};
use std::collections::{HashMap, HashSet};
use std::io;
use std::path::Path;
use std::rc::Rc;
use std::sync::{Arc, OnceLock};

/// Loaded by `loadExtScript`.
const SCRIPT: u8 = b's';
/// Loaded as a module, when it is first asked for.
const LAZY: u8 = b'l';
/// Evaluated at the start.
const EAGER: u8 = b'e';

type Pairs = &'static [(&'static str, &'static str)];

/// The lazy sources that are not in the snapshot, scripts and modules, sorted once for all of the process's threads.
static RESIDUAL: OnceLock<[Pairs; 2]> = OnceLock::new();
/// Every source as the engine reads it in place, where it can.
static EMBEDDED: OnceLock<HashMap<&'static str, Embedded>> = OnceLock::new();

/// The two files, as they are embedded.
#[derive(Clone, Copy)]
pub struct Seed {
    snapshot: &'static [u8],
    sources: &'static [u8],
}

impl Seed {
    pub const fn new(snapshot: &'static [u8], sources: &'static [u8]) -> Seed {
        Seed { snapshot, sources }
    }

    /// Has the engine start from this.
    pub(super) fn plant(self, options: &mut RuntimeOptions) {
        if self.sources.is_empty() {
            options.extension_transpiler = Some(Rc::new(sources::transpile));
            return;
        }
        if !self.snapshot.is_empty() {
            options.startup_snapshot = Some(self.snapshot);
            options.skip_op_registration = true;
            let [scripts, modules] = RESIDUAL.get_or_init(|| {
                let entries = entries(self.sources);
                [SCRIPT, LAZY].map(|kind| {
                    let mut of: Vec<_> = entries.iter().filter(|e| e.0 == kind).map(|e| (e.1, e.2)).collect();
                    // The engine searches by halves.
                    of.sort_unstable_by_key(|(name, _)| *name);
                    // Once a process.
                    &*of.leak()
                })
            });
            options.residual_lazy_js_sources = scripts;
            options.residual_lazy_esm_sources = modules;
            return;
        }
        let by_name = EMBEDDED.get_or_init(|| {
            entries(self.sources).into_iter().map(|(_, name, source)| (name, Embedded::new(source))).collect()
        });
        for extension in &mut options.extensions {
            for files in [
                &mut extension.js_files,
                &mut extension.esm_files,
                &mut extension.lazy_loaded_esm_files,
                &mut extension.lazy_loaded_js_files,
            ] {
                for file in files.to_mut() {
                    *file = by_name[file.specifier].file(file.specifier);
                }
            }
        }
    }
}

/// A source as the engine takes it, without a copy where it can read it in place.
enum Embedded {
    InPlace(&'static v8::OneByteConst),
    Copied(Arc<str>),
}

impl Embedded {
    fn new(source: &'static str) -> Embedded {
        if !source.is_ascii() {
            return Embedded::Copied(source.into());
        }
        // Once a process and file.
        let external = FastStaticString::create_external_onebyte_const(source.as_bytes());
        Embedded::InPlace(Box::leak(Box::new(external)))
    }

    fn file(&self, name: &'static str) -> ExtensionFileSource {
        match self {
            Embedded::InPlace(source) => ExtensionFileSource::new(name, FastStaticString::new(source)),
            Embedded::Copied(source) => ExtensionFileSource::new_computed(name, source.clone()),
        }
    }
}

fn entries(mut bytes: &'static [u8]) -> Vec<(u8, &'static str, &'static str)> {
    fn take(bytes: &mut &'static [u8], len: usize) -> &'static [u8] {
        let (taken, left) = bytes.split_at(len);
        *bytes = left;
        taken
    }
    fn length(bytes: &mut &'static [u8]) -> usize {
        u32::from_le_bytes(take(bytes, 4).try_into().expect("four bytes")) as usize
    }
    fn text(bytes: &mut &'static [u8], len: usize) -> &'static str {
        std::str::from_utf8(take(bytes, len)).expect("written from strings")
    }
    let mut entries = Vec::new();
    while !bytes.is_empty() {
        let kind = take(&mut bytes, 1)[0];
        let (name, source) = (length(&mut bytes), length(&mut bytes));
        entries.push((kind, text(&mut bytes, name), text(&mut bytes, source)));
    }
    entries
}

/// Writes both files into `folder`.
///
/// # Errors
/// A source that cannot be read or parsed; those of the folder.
pub fn write_seed(folder: &Path) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let (snapshot, known) =
        if cfg!(feature = "quickjs") { (Box::default(), HashSet::new()) } else { snapshot()? };
    let mut out = Vec::new();
    for extension in extensions::all() {
        for (kind, files) in [
            (EAGER, &extension.js_files),
            (EAGER, &extension.esm_files),
            (LAZY, &extension.lazy_loaded_esm_files),
            (SCRIPT, &extension.lazy_loaded_js_files),
        ] {
            for file in files.iter() {
                let is_in_snapshot =
                    !snapshot.is_empty() && (kind == EAGER || known.contains(file.specifier));
                if !is_in_snapshot {
                    put(&mut out, kind, file.specifier, &source(file)?);
                }
            }
        }
    }
    std::fs::write(folder.join("snapshot.bin"), snapshot)?;
    std::fs::write(folder.join("sources.bin"), out)
}

fn source(file: &ExtensionFileSource) -> io::Result<FastString> {
    let source = file.load().map_err(io::Error::other)?;
    let (source, _) =
        sources::transpile(FastString::from_static(file.specifier), source).map_err(io::Error::other)?;
    Ok(source)
}

fn put(out: &mut Vec<u8>, kind: u8, name: &str, source: &FastString) {
    let source = source.as_str();
    out.push(kind);
    for len in [name.len(), source.len()] {
        out.extend_from_slice(&u32::try_from(len).expect("no source is that long").to_le_bytes());
    }
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(source.as_bytes());
}

/// The heap after `main.js`, and the names of the lazy sources that are in it.
fn snapshot() -> io::Result<(Box<[u8]>, HashSet<String>)> {
    let output = create_snapshot(
        CreateSnapshotOptions {
            cargo_manifest_dir: env!("CARGO_MANIFEST_DIR"),
            startup_snapshot: None,
            skip_op_registration: false,
            extensions: extensions::all(),
            extension_transpiler: Some(Rc::new(sources::transpile)),
            // node:vm makes its contexts of one that is in the snapshot.
            with_runtime_cb: Some(Box::new(|runtime| {
                let isolate = runtime.v8_isolate();
                v8::scope!(scope, isolate);
                let mode = deno_node::ContextInitMode::ForSnapshot;
                let template = deno_node::init_global_template(scope, mode);
                let mode = deno_node::ContextInitMode::ForSnapshot;
                let context = deno_node::create_v8_context(scope, template, mode, std::ptr::null_mut());
                assert_eq!(scope.add_context(context), deno_node::VM_CONTEXT_INDEX);
            })),
        },
        None,
    )
    .map_err(|e| io::Error::other(e.to_string()))?;
    Ok((output.output, output.consumed_lazy_specifiers.into_iter().collect()))
}
