//! Each command line of a table is run twice, by the machine's own coreutils, grep, sed and findutils and by ours, in two directories that
//! begin with the same files. What they print, their status, and what they leave behind must be the same, byte for byte.

mod archives;
mod blocks;
mod expressions;
mod faults;
mod files;
mod joined;
mod lines;
mod more;
mod mutations;
mod others;
mod ranges;
mod text;

use super::{Call, Env, Input, Invocation, Output, Spawn, find};
use crate::process::Memory;
use futures_util::future::BoxFuture;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use vfs::{BindFlags, Caller, Errno, FileRef, HostTree, MemTree, Mode, Name, Namespace, OpenFlags, Place};

/// A caller of commands with nothing around it.
struct Desk {
    ns: Namespace,
    who: Caller,
    memory: Memory,
    /// Each turn is given away.
    busy: bool,
}

impl Desk {
    fn new(ns: Namespace) -> Desk {
        Desk { ns, who: Caller::me(), memory: Memory::new(Arc::default()), busy: false }
    }

    async fn call(&self, call: Call<'_>) -> Option<u8> {
        let command = find(call.argv.first()?)?;
        let [stdin, stdout, stderr] = call.stdio;
        let invocation = Invocation {
            argv: call.argv,
            env: call.env,
            cwd: call.cwd,
            root: &self.ns,
            who: &self.who,
            stdin: Input::new(stdin),
            stdout: Output::new(stdout),
            stderr: Output::new(stderr),
            shell: self,
        };
        Some(command(invocation).await)
    }
}

impl Spawn for Desk {
    fn run<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, vfs::Result<u8>> {
        Box::pin(async move {
            match self.call(call).await {
                Some(status) => Ok(status),
                None => Errno::ENOENT.into(),
            }
        })
    }
    fn which<'a>(&'a self, _name: &'a [u8], _path: &'a [u8]) -> BoxFuture<'a, Option<Vec<u8>>> {
        Box::pin(async { None })
    }
    fn memory(&self) -> &Memory {
        &self.memory
    }
    fn used_up(&self) -> bool {
        self.busy
    }
    fn umask(&self) -> u32 {
        0o022
    }
}

/// What came of one command line.
#[derive(PartialEq)]
struct Outcome {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    status: u8,
    /// The files behind it, where they are of interest.
    left: Vec<String>,
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Outcome { stdout, stderr, status, left } = self;
        writeln!(f, "    status {status}")?;
        writeln!(f, "    stdout {}", cut(stdout))?;
        writeln!(f, "    stderr {}", cut(stderr))?;
        left.iter().try_for_each(|line| writeln!(f, "    {line}"))
    }
}

fn cut(text: &[u8]) -> String {
    let shown = text[..text.len().min(2000)].escape_ascii().to_string();
    if text.len() > 2000 { format!("{shown}… ({} bytes)", text.len()) } else { shown }
}

/// The words of a line: quotes and backslashes as in sh, `$'…'` not.
fn split(line: &str) -> Vec<Vec<u8>> {
    let mut words: Vec<Vec<u8>> = Vec::new();
    let mut word: Option<Vec<u8>> = None;
    let mut bytes = line.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b' ' => words.extend(word.take()),
            b'\'' => {
                let text = word.get_or_insert_default();
                text.extend(bytes.by_ref().take_while(|b| *b != b'\''));
            }
            b'"' => {
                let text = word.get_or_insert_default();
                while let Some(byte) = bytes.next().filter(|b| *b != b'"') {
                    text.push(if byte == b'\\' {
                        bytes.next().expect("something behind a backslash")
                    } else {
                        byte
                    });
                }
            }
            b'\\' => word.get_or_insert_default().push(bytes.next().expect("something behind a backslash")),
            byte => word.get_or_insert_default().push(byte),
        }
    }
    words.extend(word);
    words
}

/// The command line, and the file that is its standard input (`< FILE` at its end).
fn parsed(line: &str) -> (Vec<Vec<u8>>, Option<Vec<u8>>) {
    let mut argv = split(line);
    let stdin = (argv.len() > 2 && argv[argv.len() - 2] == b"<").then(|| {
        let file = argv.pop().expect("just counted");
        argv.pop();
        file
    });
    (argv, stdin)
}

fn by_the_machine(dir: &Path, line: &str) -> Outcome {
    let (argv, stdin) = parsed(line);
    let words: Vec<&std::ffi::OsStr> = argv.iter().map(|word| std::ffi::OsStr::from_bytes(word)).collect();
    let stdin = match stdin {
        Some(file) => std::fs::File::open(dir.join(std::ffi::OsStr::from_bytes(&file)))
            .expect("a file of the tree")
            .into(),
        None => Stdio::null(),
    };
    let run = Command::new("env")
        .args(["-i", "LC_ALL=C", "TZ=UTC", "PATH=/usr/bin:/bin:/usr/sbin:/sbin"])
        .args(words)
        .current_dir(dir)
        .stdin(stdin)
        .output()
        .expect("env runs");
    let status = run.status.code().or(run.status.signal().map(|signal| 128 + signal)).unwrap_or(255) as u8;
    Outcome { stdout: run.stdout, stderr: run.stderr, status, left: Vec::new() }
}

async fn host(dir: &Path) -> (Namespace, Place) {
    let ns = Namespace::new(MemTree::new().root(), "mem");
    let (root, me, mode) = (ns.root(), Caller::me(), Mode::new(0o755));
    let etc = root.mkdir(&me, Name::new(b"etc").expect("a name"), mode).await.expect("room");
    for file in ["passwd", "group"] {
        let text = std::fs::read(format!("/etc/{file}")).unwrap_or_default();
        let name = Name::new(file.as_bytes()).expect("a name");
        let made = etc.create(&me, name, mode, OpenFlags::WRITE).await.expect("room");
        made.file.write(0, &text).await.expect("room");
    }
    root.mkdir(&me, Name::new(b"work").expect("a name"), mode).await.expect("room");
    let at = root.walk(&me, b"work").await.expect("just made");
    ns.mount(HostTree::open(dir).expect("a directory").root(), "host", &at, BindFlags::default())
        .expect("a directory");
    let cwd = ns.root().walk(&me, b"work").await.expect("just made");
    (ns, cwd)
}

async fn sink(tree: &Namespace, name: &[u8]) -> FileRef {
    // What commands started by a command write comes behind what it wrote: in a shell the file that they share sees to that.
    let flags = OpenFlags::READ | OpenFlags::WRITE | OpenFlags::APPEND;
    let name = Name::new(name).expect("a name");
    tree.root().create(&Caller::me(), name, Mode::new(0o600), flags).await.expect("room").file
}

async fn all_of(file: &FileRef) -> Vec<u8> {
    let mut text = vec![0; file.stat().await.expect("a file of memory").size as usize];
    let mut have = 0;
    while have < text.len() {
        have += file.read(have as u64, &mut text[have..]).await.expect("a file of memory");
    }
    text
}

async fn by_us(dir: &Path, line: &str) -> Outcome {
    let (argv, stdin) = parsed(line);
    let (ns, cwd) = host(dir).await;
    let desk = Desk::new(ns);
    let side = Namespace::new(MemTree::new().root(), "mem");
    let input = match stdin {
        Some(path) => {
            let place = cwd.resolve(&desk.who, &path, vfs::Follow::Yes).await.expect("a file of the tree");
            place.open(&desk.who, OpenFlags::READ).await.expect("a file of the tree")
        }
        None => sink(&side, b"in").await,
    };
    let (out, err) = (sink(&side, b"out").await, sink(&side, b"err").await);
    let env: Env =
        [(b"TZ".to_vec(), b"UTC".to_vec()), (b"LC_ALL".to_vec(), b"C".to_vec())].into_iter().collect();
    let call = Call { argv: &argv, env: &env, cwd: &cwd, stdio: [input, out.clone(), err.clone()] };
    let status = desk.call(call).await.unwrap_or_else(|| panic!("no command for {line}"));
    Outcome { stdout: all_of(&out).await, stderr: all_of(&err).await, status, left: Vec::new() }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(future)
}

/// Whether the machine's commands say what the table expects of their messages: those of Debian 12 do.
fn messages_count() -> bool {
    let run = Command::new("ls").arg("--version").output();
    run.is_ok_and(|run| run.stdout.starts_with(b"ls (GNU coreutils) 9.1\n"))
}

/// The same order wherever the order is the file system's business.
fn sorted(text: &[u8]) -> Vec<u8> {
    let mut lines: Vec<&[u8]> = text.split_inclusive(|b| *b == b'\n').collect();
    lines.sort();
    lines.concat()
}

/// How the lines of a table are looked at.
#[derive(Clone, Copy, Default)]
struct Look {
    /// Output in any order.
    unordered: bool,
    /// The files behind, too; every line begins with fresh ones.
    files: bool,
    /// What the machine's sh does to the files before.
    before: &'static str,
}

/// Runs `script` in `dir` by the machine's own commands.
fn prepare(dir: &Path, script: &str) {
    let mut sh = Command::new("sh");
    let ran = sh.args(["-ec", script]).current_dir(dir).env("LC_ALL", "C").env("TZ", "UTC").output();
    let ran = ran.expect("sh runs");
    assert!(ran.status.success(), "{script}: {}", String::from_utf8_lossy(&ran.stderr));
}

fn compare(lines: &[&str], look: Look) {
    let messages = messages_count();
    let mut wrong = Vec::new();
    let make = || {
        let dir = tempfile::tempdir().expect("a temporary directory");
        files::make(dir.path());
        prepare(dir.path(), look.before);
        dir
    };
    let shared = make();
    for line in lines {
        let (theirs_in, ours_in) = if look.files { (Some(make()), Some(make())) } else { (None, None) };
        let mut theirs = by_the_machine(theirs_in.as_ref().unwrap_or(&shared).path(), line);
        let mut ours = block_on(by_us(ours_in.as_ref().unwrap_or(&shared).path(), line));
        for outcome in [&mut theirs, &mut ours] {
            if look.unordered {
                outcome.stdout = sorted(&outcome.stdout);
                outcome.stderr = sorted(&outcome.stderr);
            }
            if !messages {
                outcome.stderr.clear();
            }
        }
        if let (Some(theirs_in), Some(ours_in)) = (&theirs_in, &ours_in) {
            theirs.left = files::listing(theirs_in.path());
            ours.left = files::listing(ours_in.path());
            let both: Vec<String> =
                theirs.left.iter().filter(|line| ours.left.contains(line)).cloned().collect();
            theirs.left.retain(|line| !both.contains(line));
            ours.left.retain(|line| !both.contains(line));
        }
        if theirs != ours {
            wrong.push(format!("{line}\n  theirs:\n{theirs}  ours:\n{ours}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {} lines differ:\n{}", wrong.len(), lines.len(), wrong.join("\n"));
}
