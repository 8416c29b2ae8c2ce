//! A worker without an engine, for the tests: it speaks to the server as PROTOCOL.md says, and its "programs" are lists of
//! commands, a line each.
//!
//! ```text
//! print WORDS     to its output             cat PATH       a file of its namespace to its output
//! spec            what it was told          write PATH W   makes a file
//! exit N          its end                   die NAME       of that signal
//! copy            input to output           wait           for a signal, which it prints
//! crash           as a bug would: abort     segfault       the same
//! say WORDS       to its log                grow           allocates for ever
//! loop, sleep     for ever                  garbage        sends what is no 9P
//! hangup          closes its socket         flood          asks and never reads an answer
//! spawn WORD JSON a child, WORD to its input, its output and end printed; left alone where JSON says leave
//! shout           prints for ever           fids           takes all it can
//! ```

use nine::client::{Client, Fid};
use nine::wire::{Dialect, Mode, Msize, OpenFlags};
use std::io::Write;
use std::os::unix::net::UnixStream as StdStream;
use tokio::net::UnixStream;

type Error = Box<dyn std::error::Error>;

async fn open(root: &Fid, path: &str, flags: OpenFlags) -> Result<Fid, Error> {
    let names: Vec<&str> = path.split('/').filter(|name| !name.is_empty()).collect();
    let mut fid = root.walk(&names).await?;
    fid.open(flags).await?;
    Ok(fid)
}

struct Worker {
    control: Fid,
    root: Fid,
    output: Fid,
    socket: StdStream,
}

impl Worker {
    async fn print(&self, text: &[u8]) -> Result<(), Error> {
        Ok(self.output.write_all(0, text).await?)
    }

    async fn exit(&self, document: &str) -> Result<(), Error> {
        let exit = open(&self.control, "exit", OpenFlags::WRONLY).await?;
        exit.write(0, document.as_bytes()).await?;
        // The server ends it.
        std::future::pending().await
    }

    /// Makes the child that `rest` says, after its first word, which goes to its input; prints its output and its end.
    async fn spawn(&self, rest: &str) -> Result<(), Error> {
        let (input, document) = rest.split_once(' ').ok_or("spawn WORD JSON")?;
        let new = open(&self.control, "children/new", OpenFlags::RDWR).await?;
        if let Err(error) = new.write(0, document.as_bytes()).await {
            return self.print(format!("{error}\n").as_bytes()).await;
        }
        let id = String::from_utf8(new.read(0, 64).await?.to_vec())?.trim().to_owned();
        if input != "-" {
            let stdin = open(&self.control, &format!("children/{id}/stdio/0"), OpenFlags::WRONLY).await?;
            stdin.write_all(0, input.as_bytes()).await?;
            stdin.clunk().await?;
        }
        if document.contains("leave") {
            return self.print(format!("left {id}\n").as_bytes()).await;
        }
        if !document.contains("inherit") {
            let output = open(&self.control, &format!("children/{id}/stdio/1"), OpenFlags::empty()).await?;
            self.print(&output.read_to_end().await?).await?;
        }
        let end = self.control.read_file(["children", &id, "wait"]).await?;
        self.print(&[&b"ended "[..], &end, b"\n"].concat()).await
    }

    async fn run(&self, command: &str) -> Result<(), Error> {
        let (verb, rest) = command.split_once(' ').unwrap_or((command, ""));
        match verb {
            "print" => self.print(format!("{rest}\n").as_bytes()).await?,
            "cat" => {
                let names: Vec<&str> = rest.split('/').filter(|name| !name.is_empty()).collect();
                let text = self.root.read_file(&names).await;
                match text {
                    Ok(text) => self.print(&text).await?,
                    Err(error) => self.print(format!("{rest}: {error}\n").as_bytes()).await?,
                }
            }
            "write" => {
                let (path, text) = rest.split_once(' ').ok_or("write PATH WORDS")?;
                let (dir, name) = path.rsplit_once('/').ok_or("an absolute path")?;
                let names: Vec<&str> = dir.split('/').filter(|name| !name.is_empty()).collect();
                let mut fid = self.root.walk(&names).await?;
                let made =
                    fid.create(name.as_bytes(), OpenFlags::WRONLY | OpenFlags::CREAT, Mode(0o644)).await;
                match made {
                    Ok(()) => fid.write_all(0, text.as_bytes()).await?,
                    Err(error) => self.print(format!("{path}: {error}\n").as_bytes()).await?,
                }
            }
            "spec" => {
                let spec = self.control.read_file(["spec"]).await?;
                self.print(&[&spec[..], b"\n"].concat()).await?;
            }
            "copy" => {
                let input = open(&self.control, "stdio/0", OpenFlags::empty()).await?;
                loop {
                    let data = input.read(0, 4096).await?;
                    if data.is_empty() {
                        break;
                    }
                    self.print(&data).await?;
                }
            }
            "wait" => {
                let signals = open(&self.control, "signals", OpenFlags::empty()).await?;
                self.print(b"waiting\n").await?;
                let line = signals.read(0, 4096).await?;
                self.print(&line).await?;
            }
            "exit" => self.exit(&format!("{{\"code\":{rest}}}")).await?,
            "die" => self.exit(&format!("{{\"signal\":\"{rest}\"}}")).await?,
            "say" => eprintln!("{rest}"),
            "crash" => std::process::abort(),
            "loop" => loop {
                std::hint::spin_loop();
            },
            "shout" => loop {
                self.print(&[b'x'; 4096]).await?;
            },
            "sleep" => std::future::pending().await,
            "grow" => {
                let mut held: Vec<Vec<u8>> = Vec::new();
                loop {
                    held.push(vec![1; 1 << 20]);
                    std::hint::black_box(&held);
                }
            }
            "hangup" => {
                self.socket.shutdown(std::net::Shutdown::Both)?;
                std::future::pending().await
            }
            "garbage" => {
                (&self.socket).write_all(&[0xff; 64])?;
                std::future::pending().await
            }
            "segfault" => {
                // SAFETY: none: that is what it is for.
                unsafe { std::ptr::without_provenance_mut::<u8>(8).write_volatile(1) }
            }
            "flood" => {
                // Tstat-like requests of the root's attributes, of which nobody reads the answers.
                let mut frame = vec![19, 0, 0, 0, 24, 1, 0];
                frame.extend(0u32.to_le_bytes());
                frame.extend(u64::MAX.to_le_bytes());
                self.socket.set_nonblocking(false)?;
                let mut tag = 0u16;
                loop {
                    tag = tag.wrapping_add(1);
                    frame[5..7].copy_from_slice(&tag.to_le_bytes());
                    (&self.socket).write_all(&frame)?;
                }
            }
            "fids" => {
                let mut held = Vec::new();
                let refused = loop {
                    match self.root.walk::<&str>([]).await {
                        Ok(fid) => held.push(fid),
                        Err(error) => break error,
                    }
                };
                self.print(format!("{} {refused}\n", held.len()).as_bytes()).await?;
                for fid in held {
                    fid.clunk().await?;
                }
            }
            "spawn" => self.spawn(rest).await?,
            "" => {}
            _ => self.print(format!("{verb}: unknown\n").as_bytes()).await?,
        }
        Ok(())
    }
}

async fn work(socket: std::os::fd::OwnedFd) -> Result<(), Error> {
    let socket = StdStream::from(socket);
    let raw = socket.try_clone()?;
    socket.set_nonblocking(true)?;
    let stream = UnixStream::from_std(socket)?;
    let client = Client::connect(stream, Dialect::P9P2000L, Msize(1 << 16)).await?;
    let control = client.attach(b"", None, b"worker").await?;
    let ready = open(&control, "ready", OpenFlags::WRONLY).await?;
    ready.write(0, b"1").await?;
    // Waits for the task.
    let spec: serde_json::Value = serde_json::from_slice(&control.read_file(["spec"]).await?)?;
    let program = spec["program"].as_str().ok_or("a program")?;
    let root = client.attach(b"", None, b"").await?;
    let names: Vec<&str> = program.split('/').filter(|name| !name.is_empty()).collect();
    let script = root.read_file(&names).await?;
    let output = open(&control, "stdio/1", OpenFlags::WRONLY).await?;
    let worker = Worker { control, root, output, socket: raw };
    for line in String::from_utf8(script)?.lines() {
        if !line.starts_with("#!") {
            worker.run(line).await?;
        }
    }
    worker.exit("{\"code\":0}").await
}

fn main() -> Result<(), Error> {
    if std::env::args().len() > 1 {
        println!("taskfs-node 0.0.0 v8 0 (a fake for tests)");
        return Ok(());
    }
    let socket = wall::enter()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let done = runtime.block_on(async {
        tokio::task::yield_now().await;
        work(socket).await
    });
    // Nobody reads more than the last line of this.
    if let Err(error) = &done {
        eprintln!("fake worker: {error}");
    }
    done
}
