//! A guest written as a list of calls, each with the errno that it must come to, and what runs it.
#![allow(dead_code)]

use crate::host::{Host, With, component};
use A::*;
use runtime_wasi::Config;
use task::Exit;
use vfs::host::HostTree;
use vfs::mem::MemTree;

pub const EBADF: u32 = 8;
pub const EBUSY: u32 = 10;
pub const EEXIST: u32 = 20;
pub const EINVAL: u32 = 28;
pub const EISDIR: u32 = 31;
pub const ELOOP: u32 = 32;
pub const ENAMETOOLONG: u32 = 37;
pub const ENOENT: u32 = 44;
pub const ENOTDIR: u32 = 54;
pub const ENOTEMPTY: u32 = 55;
pub const ENOTSOCK: u32 = 57;
pub const EROFS: u32 = 69;
pub const ESPIPE: u32 = 70;
pub const ENOTCAPABLE: u32 = 76;

/// An argument of a call.
#[derive(Clone, Copy)]
pub enum A {
    I(i32),
    L(i64),
    /// A string: its address and its length.
    S(&'static str),
    /// Where the call puts its result; see [`Script::gives`].
    Out,
}

const OUT: u32 = 16;
const KEPT: u32 = 0x800;
const BUF: u32 = 0x8000;
const STRINGS: u32 = 0x1000;

pub const CREAT: i32 = 1;
pub const DIRECTORY: i32 = 2;
pub const EXCL: i32 = 4;
pub const TRUNC: i32 = 8;
pub const READ: i64 = 2;
pub const WRITE: i64 = 64;
pub const FOLLOW: i32 = 1;

#[derive(Default)]
pub struct Script {
    imports: Vec<(String, String)>,
    strings: String,
    end: u32,
    body: String,
    steps: u32,
    preview0: bool,
}

impl Script {
    pub fn new() -> Script {
        Script { end: STRINGS, ..Script::default() }
    }
    pub fn preview0() -> Script {
        Script { preview0: true, ..Script::new() }
    }

    fn string(&mut self, text: &str) -> u32 {
        let at = self.end;
        let escaped: String = text.bytes().map(|b| format!("\\{b:02x}")).collect();
        self.strings.push_str(&format!("(data (i32.const {at}) \"{escaped}\")\n"));
        self.end += text.len() as u32;
        at
    }

    /// Calls `name`, which must come to `errno`; the guest ends with 100 times the step's number plus the errno otherwise.
    pub fn call(mut self, name: &str, args: &[A], errno: u32) -> Script {
        let (mut types, mut values) = (String::new(), String::new());
        for arg in args {
            let (ty, value) = match arg {
                I(n) => ("i32", format!("(i32.const {n})")),
                L(n) => ("i64", format!("(i64.const {n})")),
                Out => ("i32", format!("(i32.const {OUT})")),
                S(text) => {
                    ("i32 i32", format!("(i32.const {}) (i32.const {})", self.string(text), text.len()))
                }
            };
            types.push_str(&format!(" {ty}"));
            values.push_str(&value);
        }
        if !self.imports.iter().any(|(known, _)| known == name) {
            self.imports.push((name.to_owned(), types));
        }
        self.steps += 1;
        let step = self.steps;
        self.body.push_str(&format!(
            "(call $expect (call ${name} {values}) (i32.const {errno}) (i32.const {step}))\n"
        ));
        self
    }

    fn check(mut self, value: &str, wanted: u32) -> Script {
        self.steps += 1;
        let step = self.steps;
        self.body.push_str(&format!("(call $expect {value} (i32.const {wanted}) (i32.const {step}))\n"));
        self
    }

    /// The result of the call before must be `wanted`.
    pub fn gives(self, wanted: u32) -> Script {
        self.check(&format!("(i32.load (i32.const {OUT}))"), wanted)
    }
    /// The 64-bit number at `offset` of what the call before put at its result.
    pub fn has(self, offset: u32, wanted: u64) -> Script {
        let low = OUT + offset;
        self.check(&format!("(i32.load (i32.const {low}))"), wanted as u32)
            .check(&format!("(i32.load (i32.const {}))", low + 4), (wanted >> 32) as u32)
    }

    /// Keeps the 64-bit number at `offset` of what the call before put at its result.
    pub fn keep(mut self, offset: u32) -> Script {
        let at = OUT + offset;
        self.body.push_str(&format!("(i64.store (i32.const {KEPT}) (i64.load (i32.const {at})))\n"));
        self
    }
    /// Whether the number at `offset` now must be the one that was kept, or another.
    pub fn has_kept(self, offset: u32, same: bool) -> Script {
        let at = OUT + offset;
        let equal = format!("(i64.eq (i64.load (i32.const {KEPT})) (i64.load (i32.const {at})))");
        self.check(&equal, u32::from(same))
    }

    /// Opens `path` below / and gets `fd`, or fails with `errno`.
    pub fn open(self, path: &'static str, oflags: i32, rights: i64, want: Result<u32, u32>) -> Script {
        let args = [I(3), I(FOLLOW), S(path), I(oflags), L(rights), L(0), I(0), Out];
        match want {
            Ok(fd) => self.call("path_open", &args, 0).gives(fd),
            Err(errno) => self.call("path_open", &args, errno),
        }
    }
    pub fn write(mut self, fd: i32, text: &'static str) -> Script {
        let at = self.string(text);
        self.body.push_str(&format!("(i32.store (i32.const 0) (i32.const {at}))"));
        self.body.push_str(&format!("(i32.store (i32.const 4) (i32.const {}))\n", text.len()));
        self.call("fd_write", &[I(fd), I(0), I(1), Out], 0).gives(text.len() as u32)
    }
    /// Writes all of them in one call.
    pub fn write_all(mut self, fd: i32, texts: &[&'static str]) -> Script {
        for (index, text) in texts.iter().enumerate() {
            let (entry, at) = (index * 8, self.string(text));
            self.body.push_str(&format!("(i32.store (i32.const {entry}) (i32.const {at}))"));
            self.body.push_str(&format!(
                "(i32.store (i32.const {}) (i32.const {}))\n",
                entry + 4,
                text.len()
            ));
        }
        let sum = texts.iter().map(|text| text.len() as u32).sum();
        // The result is beyond three entries.
        self.call("fd_write", &[I(fd), I(0), I(texts.len() as i32), I(64)], 0)
            .check("(i32.load (i32.const 64))", sum)
    }
    /// Reads `len` bytes at `offset`: a call that must come to `errno`.
    pub fn pread(mut self, fd: i32, len: u32, offset: i64, errno: u32) -> Script {
        self.body.push_str(&format!(
            "(i32.store (i32.const 0) (i32.const {BUF})) (i32.store (i32.const 4) (i32.const {len}))\n"
        ));
        self.call("fd_pread", &[I(fd), I(0), I(1), L(offset), Out], errno)
    }
    /// Asks whether the files are ready to be read, or to be written: all are, at once.
    pub fn all_ready(mut self, files: &[(i32, bool)]) -> Script {
        let (asked, told) = (BUF, BUF + 0x1000);
        for (index, (fd, write)) in files.iter().enumerate() {
            let (at, tag) = (asked + 48 * index as u32, if *write { 2 } else { 1 });
            self.body.push_str(&format!(
                "(i32.store8 (i32.const {}) (i32.const {tag})) (i32.store (i32.const {}) (i32.const {fd}))\n",
                at + 8,
                at + 16
            ));
        }
        let count = files.len() as i32;
        let mut script = self
            .call("poll_oneoff", &[I(asked as i32), I(told as i32), I(count), Out], 0)
            .gives(count as u32);
        for index in 0..files.len() as u32 {
            let event = told + 32 * index;
            // No error, and nobody hung up.
            script = script
                .check(&format!("(i32.load16_u (i32.const {}))", event + 8), 0)
                .check(&format!("(i32.load16_u (i32.const {}))", event + 24), 0);
        }
        script
    }
    /// Reads from `fd` and must get exactly `text`.
    pub fn read(mut self, fd: i32, text: &'static str) -> Script {
        self.body.push_str(&format!(
            "(i32.store (i32.const 0) (i32.const {BUF})) (i32.store (i32.const 4) (i32.const 999))\n"
        ));
        self.call("fd_read", &[I(fd), I(0), I(1), Out], 0).gives(text.len() as u32).buffer_is(text.as_bytes())
    }
    /// The buffer, [`BUF`], must start with `bytes`.
    pub fn buffer_is(mut self, bytes: &[u8]) -> Script {
        for (index, byte) in bytes.iter().enumerate() {
            self =
                self.check(&format!("(i32.load8_u (i32.const {}))", BUF as usize + index), u32::from(*byte));
        }
        self
    }
    pub fn buf() -> A {
        I(BUF as i32)
    }

    pub fn wat(self) -> String {
        let module = if self.preview0 { "wasi_unstable" } else { "wasi_snapshot_preview1" };
        let imports: String = self
            .imports
            .iter()
            .map(|(name, types)| {
                format!("(import \"{module}\" \"{name}\" (func ${name} (param{types}) (result i32)))\n")
            })
            .collect();
        format!(
            "(module (import \"{module}\" \"proc_exit\" (func $proc_exit (param i32)))\n{imports}
             (memory (export \"memory\") 1)\n{}
             (func $expect (param $got i32) (param $wanted i32) (param $step i32)
               (if (i32.ne (local.get $got) (local.get $wanted)) (then (call $proc_exit
                 (i32.add (i32.mul (local.get $step) (i32.const 100)) (local.get $got))))))
             (func (export \"_start\")\n{}))",
            self.strings, self.body
        )
    }
}

/// Runs a script in a namespace that has /tmp; every step must come out as it says.
pub async fn runs(host: &Host, form: &str, program: impl AsRef<[u8]>) {
    host.mkdir("/tmp").await;
    let (exit, task) = host.run(program, With::default()).await;
    let (step, errno) = (exit.code / 100, exit.code % 100);
    assert_eq!(exit, Exit::success(), "{form}: step {step} came to {errno}; {}", task.stderr.text());
}

/// Runs a script that only a module can be.
pub async fn comes_out_of_a_module(script: Script) {
    runs(&Host::new(), "a module", script.wat()).await;
}

/// Runs a script as a module and as a component, on a memory tree and on a host directory. Each time /tmp/`name` is to have
/// these bytes at the end.
pub async fn leaves(script: Script, name: &str, bytes: &[u8]) {
    let path = format!("/tmp/{name}");
    comes_out_and(script, async |host| assert_eq!(host.get(&path).await.expect("there"), bytes)).await;
}

pub async fn comes_out(script: Script) {
    comes_out_and(script, async |_| ()).await;
}

pub async fn comes_out_and(script: Script, afterwards: impl AsyncFn(&Host)) {
    let module = script.wat().into_bytes();
    let component = component(str::from_utf8(&module).expect("text"));
    for (kind, program) in [("a module", &module), ("a component", &component)] {
        let dir = tempfile::tempdir().expect("a directory");
        let tree = HostTree::open(dir.path()).expect("a tree");
        for (where_, root) in [("memory", MemTree::new().root()), ("a host directory", tree.root())] {
            let host = Host::over(root, Config::default());
            runs(&host, &format!("{kind} on {where_}"), program).await;
            afterwards(&host).await;
        }
    }
}
