//! `taskfs ls`, `cat`, `write` and `bind`: a server's files without a mount.

use super::Server;
use super::stdio::{self, Patient};
use crate::fault::Fault;
use crate::remote::{Remote, fault};
use clap::Args;
use nine::patience::Arrivals;
use nine::wire::{Attr, AttrMask, Mode, OpenFlags};
use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

/// Connects and does `what`, on this thread alone: most of it is a request after the other, and where answers come soon it
/// looks for them instead of sleeping.
pub fn run<T>(
    server: Server,
    what: impl AsyncFnOnce(&Remote) -> Result<T, Fault>,
) -> Result<ExitCode, Fault> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(super::no_threads)?;
    let arrivals = Arc::new(Arrivals::default());
    let asked = async {
        let remote = Remote::connect(&server.addr(), &server.tls).await?;
        remote.tell_arrivals(arrivals.clone());
        what(&remote).await
    };
    let result = runtime.block_on(async {
        tokio::select! {
            result = asked => result,
            () = arrivals.look_for_more() => unreachable!("it never ends"),
        }
    });
    runtime.shutdown_timeout(std::time::Duration::from_millis(100));
    result.map(|_| ExitCode::SUCCESS)
}

pub(super) fn print(bytes: &[u8]) -> Result<(), Fault> {
    let mut out = Patient(std::io::stdout().lock());
    match out.write_all(bytes).and_then(|()| out.flush()) {
        // As SIGPIPE, which Rust programs do not get, would have it: `taskfs cat f | head` says nothing.
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(128 + 13),
        result => result.map_err(|e| Fault::io(format!("standard output: {e}"))),
    }
}

#[derive(Args, Debug)]
pub struct Ls {
    #[command(flatten)]
    pub server: Server,
    /// One line an entry: mode, links, owner, group, size, name
    #[arg(short, long)]
    long: bool,
    #[arg(default_value = "/")]
    paths: Vec<String>,
}

impl Ls {
    pub async fn list(self, remote: &Remote) -> Result<(), Fault> {
        let many = self.paths.len() > 1;
        for path in &self.paths {
            let place = remote.walk(path).await?;
            let attr = place.getattr(AttrMask::BASIC).await.map_err(|e| fault(path, &e))?;
            if many && attr.mode.is_dir() {
                print(format!("{path}:\n").as_bytes())?;
            }
            let mut text = Vec::new();
            if attr.mode.is_dir() {
                for item in remote.list(path).await? {
                    if item.name == b"." || item.name == b".." {
                        continue;
                    }
                    if self.long {
                        // An entry may go between the listing and the look at it: a task that is removed.
                        let Ok(entry) = place.walk([&item.name]).await else { continue };
                        let Ok(attr) = entry.getattr(AttrMask::BASIC).await else { continue };
                        describe(&attr, &mut text);
                    }
                    named(&item.name, &mut text);
                }
            } else {
                if self.long {
                    describe(&attr, &mut text);
                }
                named(path.as_bytes(), &mut text);
            }
            print(&text)?;
        }
        Ok(())
    }
}

/// What stands before a name in a long listing.
fn describe(attr: &Attr, text: &mut Vec<u8>) {
    let kind = match attr.mode.kind() {
        Mode::DIRECTORY => 'd',
        Mode::SYMLINK => 'l',
        _ => '-',
    };
    let bits: String = (0..9)
        .rev()
        .map(|bit| if attr.mode.0 >> bit & 1 == 1 { ["x", "w", "r"][bit % 3] } else { "-" })
        .collect();
    let line = format!("{kind}{bits} {:>3} {:>5} {:>5} {:>9} ", attr.nlink, attr.uid, attr.gid, attr.size);
    text.extend_from_slice(line.as_bytes());
}

fn named(name: &[u8], text: &mut Vec<u8>) {
    text.extend_from_slice(name);
    text.push(b'\n');
}

#[derive(Args, Debug)]
pub struct Cat {
    #[command(flatten)]
    pub server: Server,
    #[arg(required = true)]
    paths: Vec<String>,
}

impl Cat {
    pub async fn print(self, remote: &Remote) -> Result<(), Fault> {
        for path in &self.paths {
            let fid = remote.open(path, OpenFlags::empty()).await?;
            if fid.qid().is_dir() {
                return Err(Fault::io(format!("{path}: is a directory")));
            }
            let mut offset = 0;
            loop {
                let data = fid.read(offset, usize::MAX).await.map_err(|e| fault(path, &e))?;
                if data.is_empty() {
                    break;
                }
                print(&data)?;
                offset += data.len() as u64;
            }
        }
        Ok(())
    }
}

#[derive(Args, Debug)]
pub struct Write {
    #[command(flatten)]
    pub server: Server,
    /// Write at the end instead of emptying the file first
    #[arg(short, long)]
    append: bool,
    path: String,
    /// The line to write; without any, standard input is written
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

impl Write {
    pub async fn write(self, remote: &Remote) -> Result<(), Fault> {
        let fid = remote.open_to_write(&self.path, self.append).await?;
        let refused = |e| fault(&self.path, &e);
        let mut offset = 0;
        if self.append {
            // For a server that does not know how to append.
            offset = fid.getattr(AttrMask::SIZE).await.map_err(refused)?.size;
        }
        if !self.words.is_empty() {
            let line = format!("{}\n", self.words.join(" "));
            fid.write_all(offset, line.as_bytes()).await.map_err(refused)?;
        } else {
            let mut input = stdio::input();
            while let Some(data) = input.recv().await {
                let data = data?;
                fid.write_all(offset, &data).await.map_err(refused)?;
                offset += data.len() as u64;
            }
        }
        fid.clunk().await.map_err(refused)
    }
}

#[derive(Args, Debug)]
pub struct Bind {
    #[command(flatten)]
    pub server: Server,
    /// NEW is searched before what is at OLD
    #[arg(short, long, conflicts_with = "after")]
    before: bool,
    /// NEW is searched after what is at OLD
    #[arg(short, long)]
    after: bool,
    /// New files of the union may be made in NEW
    #[arg(short, long)]
    create: bool,
    /// The task whose namespace is changed; without, the server's own: what is attached to and what new tasks get
    #[arg(short, long, value_name = "ID")]
    task: Option<u32>,
    new: String,
    old: String,
}

impl Bind {
    pub async fn bind(self, remote: &Remote) -> Result<(), Fault> {
        let mut flags = String::new();
        for (set, letter) in [(self.before, 'b'), (self.after, 'a'), (self.create, 'c')] {
            if set {
                flags.push(letter);
            }
        }
        let flags = if flags.is_empty() { flags } else { format!("-{flags} ") };
        let ctl = self.task.map_or_else(|| "/dev/ns".to_owned(), |id| format!("/task/{id}/ctl"));
        let line = format!("bind {flags}{} {}\n", quoted(&self.new), quoted(&self.old));
        remote.write(&ctl, line.as_bytes()).await
    }
}

/// A word of a ctl line.
pub fn quoted(word: &str) -> String {
    String::from_utf8_lossy(&task::rc::quote(word.as_bytes())).into_owned()
}
