//! Programs that call preview 2 themselves, written call by call, and what is made of them.
#![allow(dead_code)]

use std::fmt::Write;
use wasi_preview1_component_adapter_provider as adapter;

/// Every call that a module can make without wasmtime's help: interface, name, and the types of its parameters and result.
const CALLS: &[(&str, &str, &str)] = &[
    ("wasi:cli/environment", "get-environment", "(param i32)"),
    ("wasi:cli/environment", "get-arguments", "(param i32)"),
    ("wasi:cli/environment", "initial-cwd", "(param i32)"),
    ("wasi:cli/exit", "exit", "(param i32)"),
    ("wasi:cli/stdin", "get-stdin", "(result i32)"),
    ("wasi:cli/stdout", "get-stdout", "(result i32)"),
    ("wasi:cli/stderr", "get-stderr", "(result i32)"),
    ("wasi:cli/terminal-stdin", "get-terminal-stdin", "(param i32)"),
    ("wasi:cli/terminal-stdout", "get-terminal-stdout", "(param i32)"),
    ("wasi:cli/terminal-stderr", "get-terminal-stderr", "(param i32)"),
    ("wasi:cli/terminal-input", "[resource-drop]terminal-input", "(param i32)"),
    ("wasi:cli/terminal-output", "[resource-drop]terminal-output", "(param i32)"),
    ("wasi:clocks/monotonic-clock", "now", "(result i64)"),
    ("wasi:clocks/monotonic-clock", "resolution", "(result i64)"),
    ("wasi:clocks/monotonic-clock", "subscribe-duration", "(param i64) (result i32)"),
    ("wasi:clocks/monotonic-clock", "subscribe-instant", "(param i64) (result i32)"),
    ("wasi:clocks/wall-clock", "now", "(param i32)"),
    ("wasi:clocks/wall-clock", "resolution", "(param i32)"),
    ("wasi:filesystem/preopens", "get-directories", "(param i32)"),
    ("wasi:filesystem/types", "filesystem-error-code", "(param i32 i32)"),
    ("wasi:filesystem/types", "[method]descriptor.advise", "(param i32 i64 i64 i32 i32)"),
    ("wasi:filesystem/types", "[method]descriptor.append-via-stream", "(param i32 i32)"),
    ("wasi:filesystem/types", "[method]descriptor.create-directory-at", "(param i32 i32 i32 i32)"),
    ("wasi:filesystem/types", "[method]descriptor.get-flags", "(param i32 i32)"),
    ("wasi:filesystem/types", "[method]descriptor.get-type", "(param i32 i32)"),
    ("wasi:filesystem/types", "[method]descriptor.is-same-object", "(param i32 i32) (result i32)"),
    ("wasi:filesystem/types", "[method]descriptor.link-at", "(param i32 i32 i32 i32 i32 i32 i32 i32)"),
    ("wasi:filesystem/types", "[method]descriptor.metadata-hash", "(param i32 i32)"),
    ("wasi:filesystem/types", "[method]descriptor.metadata-hash-at", "(param i32 i32 i32 i32 i32)"),
    ("wasi:filesystem/types", "[method]descriptor.open-at", "(param i32 i32 i32 i32 i32 i32 i32)"),
    ("wasi:filesystem/types", "[method]descriptor.read", "(param i32 i64 i64 i32)"),
    ("wasi:filesystem/types", "[method]descriptor.read-directory", "(param i32 i32)"),
    ("wasi:filesystem/types", "[method]descriptor.read-via-stream", "(param i32 i64 i32)"),
    ("wasi:filesystem/types", "[method]descriptor.readlink-at", "(param i32 i32 i32 i32)"),
    ("wasi:filesystem/types", "[method]descriptor.remove-directory-at", "(param i32 i32 i32 i32)"),
    ("wasi:filesystem/types", "[method]descriptor.rename-at", "(param i32 i32 i32 i32 i32 i32 i32)"),
    ("wasi:filesystem/types", "[method]descriptor.set-size", "(param i32 i64 i32)"),
    ("wasi:filesystem/types", "[method]descriptor.set-times", "(param i32 i32 i64 i32 i32 i64 i32 i32)"),
    (
        "wasi:filesystem/types",
        "[method]descriptor.set-times-at",
        "(param i32 i32 i32 i32 i32 i64 i32 i32 i64 i32 i32)",
    ),
    ("wasi:filesystem/types", "[method]descriptor.stat", "(param i32 i32)"),
    ("wasi:filesystem/types", "[method]descriptor.stat-at", "(param i32 i32 i32 i32 i32)"),
    ("wasi:filesystem/types", "[method]descriptor.symlink-at", "(param i32 i32 i32 i32 i32 i32)"),
    ("wasi:filesystem/types", "[method]descriptor.sync", "(param i32 i32)"),
    ("wasi:filesystem/types", "[method]descriptor.sync-data", "(param i32 i32)"),
    ("wasi:filesystem/types", "[method]descriptor.unlink-file-at", "(param i32 i32 i32 i32)"),
    ("wasi:filesystem/types", "[method]descriptor.write", "(param i32 i32 i32 i64 i32)"),
    ("wasi:filesystem/types", "[method]descriptor.write-via-stream", "(param i32 i64 i32)"),
    ("wasi:filesystem/types", "[method]directory-entry-stream.read-directory-entry", "(param i32 i32)"),
    ("wasi:filesystem/types", "[resource-drop]descriptor", "(param i32)"),
    ("wasi:filesystem/types", "[resource-drop]directory-entry-stream", "(param i32)"),
    ("wasi:io/error", "[method]error.to-debug-string", "(param i32 i32)"),
    ("wasi:io/error", "[resource-drop]error", "(param i32)"),
    ("wasi:io/poll", "poll", "(param i32 i32 i32)"),
    ("wasi:io/poll", "[method]pollable.block", "(param i32)"),
    ("wasi:io/poll", "[method]pollable.ready", "(param i32) (result i32)"),
    ("wasi:io/poll", "[resource-drop]pollable", "(param i32)"),
    ("wasi:io/streams", "[method]input-stream.blocking-read", "(param i32 i64 i32)"),
    ("wasi:io/streams", "[method]input-stream.blocking-skip", "(param i32 i64 i32)"),
    ("wasi:io/streams", "[method]input-stream.read", "(param i32 i64 i32)"),
    ("wasi:io/streams", "[method]input-stream.skip", "(param i32 i64 i32)"),
    ("wasi:io/streams", "[method]input-stream.subscribe", "(param i32) (result i32)"),
    ("wasi:io/streams", "[method]output-stream.blocking-flush", "(param i32 i32)"),
    ("wasi:io/streams", "[method]output-stream.blocking-splice", "(param i32 i32 i64 i32)"),
    ("wasi:io/streams", "[method]output-stream.blocking-write-and-flush", "(param i32 i32 i32 i32)"),
    ("wasi:io/streams", "[method]output-stream.blocking-write-zeroes-and-flush", "(param i32 i64 i32)"),
    ("wasi:io/streams", "[method]output-stream.check-write", "(param i32 i32)"),
    ("wasi:io/streams", "[method]output-stream.flush", "(param i32 i32)"),
    ("wasi:io/streams", "[method]output-stream.splice", "(param i32 i32 i64 i32)"),
    ("wasi:io/streams", "[method]output-stream.subscribe", "(param i32) (result i32)"),
    ("wasi:io/streams", "[method]output-stream.write", "(param i32 i32 i32 i32)"),
    ("wasi:io/streams", "[method]output-stream.write-zeroes", "(param i32 i64 i32)"),
    ("wasi:io/streams", "[resource-drop]input-stream", "(param i32)"),
    ("wasi:io/streams", "[resource-drop]output-stream", "(param i32)"),
    ("wasi:random/insecure", "get-insecure-random-bytes", "(param i64 i32)"),
    ("wasi:random/insecure", "get-insecure-random-u64", "(result i64)"),
    ("wasi:random/insecure-seed", "insecure-seed", "(param i32)"),
    ("wasi:random/random", "get-random-bytes", "(param i64 i32)"),
    ("wasi:random/random", "get-random-u64", "(result i64)"),
];

/// What a call is called in a program: `descriptor.read`, `drop.pollable`, `wall-clock.now`.
fn id(interface: &str, name: &str) -> String {
    if let Some(method) = name.strip_prefix("[method]") {
        return method.to_owned();
    }
    if let Some(resource) = name.strip_prefix("[resource-drop]") {
        return format!("drop.{resource}");
    }
    format!("{}.{name}", interface.rsplit('/').next().unwrap_or(interface))
}

/// Where calls write what they give.
pub const RESULT: u32 = 1024;
/// As much of it is cleared before each.
const ROOM: u32 = 256;

/// A program of calls, each of which is noted with what it gave. At its end the notes are written to standard output.
#[derive(Default)]
pub struct Program {
    data: Vec<u8>,
    globals: usize,
    body: String,
}

impl Program {
    /// A string, as two parameters.
    pub fn text(&mut self, text: impl AsRef<[u8]>) -> String {
        let at = self.data.len();
        self.data.extend_from_slice(text.as_ref());
        assert!(self.data.len() <= RESULT as usize, "the strings fit");
        format!("(i32.const {at}) (i32.const {})", text.as_ref().len())
    }

    pub fn line(&mut self, line: impl AsRef<str>) {
        self.body += line.as_ref();
        self.body += "\n";
    }

    /// Calls, and notes the first `len` bytes that it gave.
    pub fn call(&mut self, id: &str, args: &str, len: u32) {
        self.line(format!(
            "(call $clear) (call ${id} {args} (i32.const {RESULT})) (call $note (i32.const {RESULT}) (i32.const {len}))"
        ));
    }

    /// Notes the bytes that the call before gave, whose pointer is so many bytes behind the beginning of what it gave.
    pub fn given_at(&mut self, pointer: u32) {
        let (at, len) = (RESULT + pointer, RESULT + pointer + 4);
        self.line(format!("(call $note (i32.load (i32.const {at})) (i32.load (i32.const {len})))"));
    }

    /// Calls what gives a handle in a result, and keeps that: an expression for it.
    pub fn open(&mut self, id: &str, args: &str) -> String {
        self.call(id, args, 1);
        self.keep(&format!("(i32.load (i32.const {}))", RESULT + 4))
    }

    pub fn keep(&mut self, value: &str) -> String {
        let global = self.globals;
        self.globals += 1;
        self.line(format!("(global.set $g{global} {value})"));
        format!("(global.get $g{global})")
    }

    pub fn note(&mut self, number: &str) {
        self.line(format!(
            "(i32.store (i32.const {RESULT}) {number}) (call $note (i32.const {RESULT}) (i32.const 4))"
        ));
    }

    /// The module, with every import, or only those that it uses.
    pub fn module(&self, version: &str) -> Vec<u8> {
        let mut imports = String::new();
        for (interface, name, ty) in CALLS {
            let id = id(interface, name);
            writeln!(imports, r#"(import "{interface}@{version}" "{name}" (func ${id} {ty}))"#)
                .expect("written");
        }
        let globals: String =
            (0..self.globals).map(|n| format!("(global $g{n} (mut i32) (i32.const 0))\n")).collect();
        let data: String = self.data.iter().map(|byte| format!("\\{byte:02x}")).collect();
        let body = &self.body;
        let text = format!(
            r#"(module {imports}
(memory (export "memory") 8)
(data (i32.const 0) "{data}")
{globals}
(global $notes (mut i32) (i32.const 262144))
(global $free (mut i32) (i32.const 65536))
(func (export "cabi_realloc") (param $old i32) (param $size i32) (param $align i32) (param $new i32) (result i32)
  (local $at i32)
  (local.set $at (i32.and
    (i32.add (global.get $free) (i32.sub (local.get $align) (i32.const 1)))
    (i32.sub (i32.const 0) (local.get $align))))
  (global.set $free (i32.add (local.get $at) (local.get $new)))
  (if (i32.gt_u (global.get $free) (i32.const 262144)) (then unreachable))
  (memory.copy (local.get $at) (local.get $old)
    (select (local.get $size) (local.get $new) (i32.lt_u (local.get $size) (local.get $new))))
  (local.get $at))
(func $clear (memory.fill (i32.const {RESULT}) (i32.const 0) (i32.const {ROOM})))
(func $note (param $at i32) (param $len i32)
  (memory.copy (global.get $notes) (local.get $at) (local.get $len))
  (global.set $notes (i32.add (global.get $notes) (local.get $len)))
  (i32.store8 (global.get $notes) (i32.const 10))
  (global.set $notes (i32.add (global.get $notes) (i32.const 1))))
(func $say (local $to i32) (local $at i32)
  (local.set $to (call $stdout.get-stdout))
  (local.set $at (i32.const 262144))
  (loop $more
    (call $output-stream.blocking-write-and-flush (local.get $to) (local.get $at)
      (select (i32.const 4096) (i32.sub (global.get $notes) (local.get $at))
        (i32.gt_u (i32.sub (global.get $notes) (local.get $at)) (i32.const 4096)))
      (i32.const {RESULT}))
    (local.set $at (i32.add (local.get $at) (i32.const 4096)))
    (br_if $more (i32.lt_u (local.get $at) (global.get $notes))))
  (call $drop.output-stream (local.get $to)))
(func (export "wasi:cli/run@{version}#run") (result i32)
{body}
  (call $say)
  (i32.const 0)))"#
        );
        wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
    }

    /// The same program as a component that is run as its module, and as one that is not.
    pub fn components(&self) -> [Vec<u8>; 2] {
        let component = component_of(|version| self.module(version));
        let more = super::component::with_an_empty_module(component.clone());
        [component, more]
    }
}

/// The component of a module whose calls are of this version.
pub fn component_of(module: impl FnOnce(&str) -> Vec<u8>) -> Vec<u8> {
    // The adapter's own metadata has all of WASI's interfaces.
    let (_, wasi) = wit_component::metadata::decode(adapter::WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER)
        .expect("the adapter's metadata");
    let world = &wasi.resolve.worlds[wasi.world];
    let names = world.exports.keys().map(|key| wasi.resolve.name_world_key(key));
    let run = names.into_iter().find_map(|name| name.strip_prefix("wasi:cli/run@").map(str::to_owned));
    let mut module = module(&run.expect("a command's world"));
    let encoding = wit_component::StringEncoding::UTF8;
    wit_component::embed_component_metadata(&mut module, &wasi.resolve, wasi.world, encoding)
        .expect("its interfaces");
    let component = wit_component::ComponentEncoder::default().module(&module).expect("a module");
    component.validate(true).encode().expect("a component")
}
