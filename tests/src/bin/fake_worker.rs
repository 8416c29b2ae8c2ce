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
//! connect, dial ADDR    speaks TCP       listen ADDR    the other side
//! datagram ADDR   UDP                       resolve NAME   asks for addresses
//! ask ADDR ADDR   may go to the first alone, and tries to get to the other
//! fork PATH       a child that it asks something         answer    what such a child does
//! shout           prints for ever           fids           takes all it can
//! ```

use nine::client::{Client, Fid};
use nine::wire::{Dialect, Mode, Msize, OpenFlags};
use std::io::{Read, Write};
use std::os::unix::fs::FileExt;
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

    /// Listens, says where, and gives back what the first who comes says.
    async fn listen(&self, address: &str) -> std::io::Result<String> {
        let listener = std::net::TcpListener::bind(address)?;
        let said = format!("listening on {}\n", listener.local_addr()?);
        self.print(said.as_bytes()).await.map_err(|e| std::io::Error::other(e.to_string()))?;
        let (mut stream, _) = listener.accept()?;
        let mut text = [0; 64];
        let count = stream.read(&mut text)?;
        stream.write_all(&text[..count])?;
        Ok(String::from_utf8_lossy(&text[..count]).into_owned())
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
            "fork" => {
                let new = open(&self.control, "children/new", OpenFlags::RDWR).await?;
                new.write(0, format!("{{\"file\":\"{rest}\",\"ipc\":true}}").as_bytes()).await?;
                let id = String::from_utf8(new.read(0, 64).await?.to_vec())?.trim().to_owned();
                let ipc = open(&self.control, &format!("children/{id}/ipc"), OpenFlags::RDWR).await?;
                ipc.write_all(0, b"question").await?;
                let answer = ipc.read(0, 64).await?;
                let end = ipc.read(0, 64).await?;
                let text = format!("{} {}\n", String::from_utf8_lossy(&answer), end.len());
                self.print(text.as_bytes()).await?;
            }
            "answer" => {
                let ipc = open(&self.control, "ipc", OpenFlags::RDWR).await?;
                let question = ipc.read(0, 64).await?;
                ipc.write_all(0, &[&b"answer to "[..], &question].concat()).await?;
            }
            "spawn" => self.spawn(rest).await?,
            "connect" | "dial" | "listen" | "datagram" | "ask" => {
                let done = match verb {
                    "connect" => net::connect(rest),
                    "dial" => net::dial(rest).await,
                    "listen" => self.listen(rest).await,
                    "datagram" => net::datagram(rest),
                    _ => net::ask(rest),
                };
                let line = match done {
                    Ok(text) => format!("{verb}: {text}\n"),
                    Err(error) => {
                        let refused = self.control.read_file(["refused"]).await?;
                        let errno = error.raw_os_error().unwrap_or(0);
                        let refused = String::from_utf8_lossy(&refused);
                        format!("{verb}: errno {errno} {}\n", refused.lines().last().unwrap_or_default())
                    }
                };
                self.print(line.as_bytes()).await?;
            }
            "resolve" => {
                let dns = open(&self.control, "dns", OpenFlags::RDWR).await?;
                match dns.write(0, rest.as_bytes()).await {
                    Ok(_) => self.print(&dns.read(0, 4096).await?).await?,
                    Err(error) => self.print(format!("{error}\n").as_bytes()).await?,
                }
            }
            "" => {}
            _ => self.print(format!("{verb}: unknown\n").as_bytes()).await?,
        }
        Ok(())
    }
}

/// What a program does with sockets.
mod net {
    use std::io::{Error, Read, Result, Write};
    use std::net::{TcpStream, UdpSocket};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    /// Connects, and says what it is told there.
    pub fn connect(address: &str) -> Result<String> {
        let mut stream = TcpStream::connect(address)?;
        let (mut text, mine) = (String::new(), stream.peer_addr()?);
        stream.write_all(b"from a task")?;
        stream.shutdown(std::net::Shutdown::Write)?;
        stream.read_to_string(&mut text)?;
        Ok(format!("{mine} says {text}"))
    }

    /// The same without blocking.
    pub async fn dial(address: &str) -> Result<String> {
        let address: std::net::SocketAddr = address.parse().map_err(Error::other)?;
        let mut stream = tokio::net::TcpStream::connect(address).await?;
        let mut text = String::new();
        stream.write_all(b"from a task").await?;
        stream.shutdown().await?;
        stream.read_to_string(&mut text).await?;
        Ok(format!("{address} says {text}"))
    }

    /// Sends a datagram and says what comes back.
    pub fn datagram(address: &str) -> Result<String> {
        let socket = UdpSocket::bind("0.0.0.0:0")?;
        socket.send_to(b"from a task", address)?;
        let mut text = [0; 64];
        let (count, from) = socket.recv_from(&mut text)?;
        Ok(format!("{from} says {}", String::from_utf8_lossy(&text[..count])))
    }

    fn port(address: &str) -> Result<[u8; 2]> {
        let port = address.rsplit(':').next().and_then(|port| port.parse::<u16>().ok());
        Ok(port.ok_or(Error::other("127.0.0.1:PORT"))?.to_be_bytes())
    }

    /// Tries to get to the second port of 127.0.0.1, where it may go to the first alone; tells which trick was not refused.
    pub fn ask(addresses: &str) -> Result<String> {
        let (allowed, other) = addresses.split_once(' ').ok_or(Error::other("two addresses"))?;
        let (allowed, other) = (port(allowed)?, port(other)?);
        let mut name = [0u8; 16];
        name[0] = libc::AF_INET as u8;
        name[2..4].copy_from_slice(&other);
        name[4..8].copy_from_slice(&[127, 0, 0, 1]);
        // SAFETY: the address is of its full length and lives as long as the process; the rest are numbers.
        unsafe {
            let stream = libc::socket(libc::AF_INET, libc::SOCK_STREAM, 0);
            let at = name.as_ptr();
            if libc::sendto(stream, at.cast(), 16, libc::MSG_FASTOPEN, at.cast(), 16) >= 0 {
                return Ok("MSG_FASTOPEN".into());
            }
            // Whatever stands at the socket to the server must not go elsewhere.
            if libc::connect(3, at.cast(), 16) >= 0 {
                return Ok("the server's own socket".into());
            }
            // Another thread changes the port while it is looked at: only what was looked at may be connected to.
            let at = Box::leak(Box::new(name)).as_mut_ptr() as usize;
            let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
            let stopped = stop.clone();
            let changer = std::thread::spawn(move || {
                while !stopped.load(std::sync::atomic::Ordering::Relaxed) {
                    for port in [allowed, other] {
                        (at as *mut u8).add(2).cast::<[u8; 2]>().write_volatile(port);
                    }
                }
            });
            let mut through = 0;
            for _ in 0..2000 {
                let stream = libc::socket(libc::AF_INET, libc::SOCK_STREAM, 0);
                through += i32::from(libc::connect(stream, at as *const libc::sockaddr, 16) >= 0);
                libc::close(stream);
            }
            stop.store(true, std::sync::atomic::Ordering::Relaxed);
            let _joined = changer.join();
            Ok(if through > 0 { "through where it may" } else { "never through" }.into())
        }
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

/// What the worker does whose executable is called `fake_worker-that-lies`: of the memory that it shares with the server it says
/// that there is more in it than can be.
fn lie() -> Result<(), Error> {
    let (socket, memory) = wall::enter_with_memory()?;
    let memory = memory.ok_or("memory")?;
    // The number of bytes in the worker's direction (nine::shm).
    std::fs::File::from(memory).write_all_at(&u32::MAX.to_ne_bytes(), 256)?;
    let mut socket = StdStream::from(socket);
    // A bell for a server that sleeps, and then its answer, which is the end.
    socket.write_all(&[0])?;
    let _reset_or_closed = socket.read_to_end(&mut Vec::new());
    eprintln!("it was thrown out");
    std::process::exit(1);
}

fn main() -> Result<(), Error> {
    if std::env::args().len() > 1 {
        println!("taskfs-node 0.0.0 v8 0 (a fake for tests)");
        return Ok(());
    }
    if std::env::args().next().is_some_and(|name| name.ends_with("-that-lies")) {
        return lie();
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
