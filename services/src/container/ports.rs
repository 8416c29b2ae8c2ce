//! `ports`: what listens in a container, and a way in.
//!
//! ```text
//! ports/<n>/status   open or closed; then name value lines: task, and an address a line
//!           url      where the server's gateway shows it; empty where there is no gateway
//!           data     a byte stream to it: every open is a connection of its own
//! ```
//!
//! Opened for reading and writing, `data` is that connection: what is written is sent, a read waits for what comes, the peer's
//! end is the end of the file, closing it closes it. A shell's `printf ... >data; cat data` is two opens: one for writing alone
//! has its answer kept, and closing it says that no more is sent (half-close). One for reading alone reads the oldest such
//! answer of the same user's, or, where there is none, a connection of its own, for servers that speak first.

use crate::container::{attr, file};
use crate::synth::{Attr, OpenDir, Show, Text, only_looks, only_truncates, unless_blocking};
use ::container::Container;
use rustix::net::{Shutdown, shutdown};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use task::Group;
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use vfs::{
    Caller, DirEntry, Errno, Error, FileRef, Interest, Kind, Name, Nature, Node, NodeRef, Op, OpenFile,
    OpenFlags, Qid, Result, SetStat, Sink, Stat,
};

pub(super) fn node(container: Arc<Container>) -> NodeRef {
    Arc::new(Ports { attr: attr(&container, Kind::Dir, file::PORTS, 0o700), container })
}

/// A file of a port's directory; 0 is the directory.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Entry {
    Status = 1,
    Url = 2,
    Data = 3,
}

const ENTRIES: [(&str, Entry); 3] = [("status", Entry::Status), ("url", Entry::Url), ("data", Entry::Data)];

/// One port of a container, whether somebody listens or not.
#[derive(Clone)]
struct Port {
    container: Arc<Container>,
    number: u16,
}

impl Port {
    fn group(&self) -> &Arc<Group> {
        self.container.group()
    }
    fn attr(&self, kind: Kind, entry: u16, mode: u32) -> Attr {
        let path = self.container.port_path(self.number, entry);
        Attr { path, ..attr(&self.container, kind, file::PORTS, mode) }
    }
    fn entry(&self, entry: Entry) -> NodeRef {
        let (port, number) = (self.clone(), entry as u16);
        match entry {
            Entry::Status => Text::node(self.attr(Kind::File, number, 0o400), Status(port)),
            Entry::Url => Text::node(self.attr(Kind::File, number, 0o400), Url(port)),
            Entry::Data => Arc::new(Data { attr: self.attr(Kind::File, number, 0o600), port }),
        }
    }
    fn directory(self) -> NodeRef {
        Arc::new(Directory { attr: self.attr(Kind::Dir, 0, 0o700), port: self })
    }

    /// Where what is left to do for it is done.
    fn handle(&self) -> Option<Handle> {
        Some(self.container.table().ok()?.handle().clone())
    }

    async fn connect(&self) -> Result<Arc<TcpStream>> {
        let nobody = || {
            let text = format!("nobody listens at port {} of container {}", self.number, self.container.id);
            Error::new(Errno::ECONNREFUSED, text)
        };
        self.group().charge_network(0)?;
        let loopback = self.group().has_loopback().ok_or_else(nobody)?;
        match loopback.connect(self.number).await {
            Ok(stream) => Ok(Arc::new(stream)),
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => Err(nobody()),
            Err(error) => Err(Error::from(error).context(format!("port {}", self.number))),
        }
    }
}

/// The ports that somebody listens at.
fn open_ports(container: &Container) -> Result<BTreeMap<u16, Vec<SocketAddr>>> {
    let mut ports: BTreeMap<u16, Vec<SocketAddr>> = BTreeMap::new();
    let Some(loopback) = container.group().has_loopback() else { return Ok(ports) };
    for address in loopback.listeners()? {
        ports.entry(address.port()).or_default().push(address);
    }
    Ok(ports)
}

struct Status(Port);

impl Show for Status {
    fn show(&self) -> Op<'_, Vec<u8>> {
        let Port { container, number } = &self.0;
        let addresses = match open_ports(container) {
            Ok(mut ports) => ports.remove(number),
            Err(error) => return Op::err(error),
        };
        let mut text = if addresses.is_some() { "open\n" } else { "closed\n" }.to_owned();
        let task = container.group().listens(*number).filter(|_| addresses.is_some());
        text.extend(task.map(|task| format!("task {task}\n")));
        text.extend(addresses.iter().flatten().map(|address| format!("address {address}\n")));
        Op::ok(text.into_bytes())
    }
}

struct Url(Port);

impl Show for Url {
    fn show(&self) -> Op<'_, Vec<u8>> {
        let url = self.0.group().url(self.0.number);
        Op::ok(url.map_or_else(Vec::new, |url| format!("{url}\n").into_bytes()))
    }
}

struct Ports {
    attr: Attr,
    container: Arc<Container>,
}

impl Node for Ports {
    fn qid(&self) -> Qid {
        self.attr.qid()
    }
    fn nature(&self) -> Nature {
        Nature::Device
    }
    fn stat(&self) -> Op<'_, Stat> {
        Op::ok(self.attr.stat())
    }
    fn setstat<'a>(&'a self, _who: &'a Caller, set: SetStat) -> Op<'a, ()> {
        only_truncates(set).map(|_| ()).into()
    }
    fn walk<'a>(&'a self, _who: &'a Caller, name: Name<'a>) -> Op<'a, NodeRef> {
        let name = std::str::from_utf8(name.as_bytes()).unwrap_or_default();
        // As it is listed: a sign or a zero in front is another name.
        let number = name.parse().ok().filter(|number: &u16| number.to_string() == name);
        let Some(number) = number else { return Op::err(Errno::ENOENT) };
        match open_ports(&self.container) {
            Ok(ports) if ports.contains_key(&number) => {
                Op::ok(Port { container: self.container.clone(), number }.directory())
            }
            Ok(_) => Op::err(Errno::ENOENT),
            Err(error) => Op::err(error),
        }
    }
    fn open<'a>(self: Arc<Self>, _who: &'a Caller, _flags: OpenFlags) -> Op<'a, FileRef> {
        match open_ports(&self.container) {
            Ok(ports) => {
                let ports = ports.into_keys().collect();
                let container = self.container.clone();
                Op::ok(Arc::new(OpenPorts { node: self, container, ports }))
            }
            Err(error) => Op::err(error),
        }
    }
}

/// The ports that were open when it was opened; a port's cookie is its number.
struct OpenPorts {
    node: NodeRef,
    container: Arc<Container>,
    ports: Vec<u16>,
}

impl OpenFile for OpenPorts {
    fn node(&self) -> &NodeRef {
        &self.node
    }
    fn readdir<'a>(&'a self, cookie: u64, sink: &'a mut Sink<'a>) -> Op<'a, ()> {
        for number in self.ports.iter().copied().filter(|number| u64::from(*number) > cookie) {
            let qid = Port { container: self.container.clone(), number }.attr(Kind::Dir, 0, 0o700).qid();
            let text = number.to_string();
            // Digits are a name.
            let Ok(name) = Name::new(text.as_bytes()) else { continue };
            if !sink(DirEntry { name, qid, cookie: number.into() }) {
                break;
            }
        }
        Op::ok(())
    }
}

struct Directory {
    attr: Attr,
    port: Port,
}

impl Node for Directory {
    fn qid(&self) -> Qid {
        self.attr.qid()
    }
    fn nature(&self) -> Nature {
        Nature::Device
    }
    fn stat(&self) -> Op<'_, Stat> {
        Op::ok(self.attr.stat())
    }
    fn setstat<'a>(&'a self, _who: &'a Caller, set: SetStat) -> Op<'a, ()> {
        only_truncates(set).map(|_| ()).into()
    }
    fn walk<'a>(&'a self, _who: &'a Caller, name: Name<'a>) -> Op<'a, NodeRef> {
        match ENTRIES.iter().find(|(known, _)| known.as_bytes() == name.as_bytes()) {
            Some((_, entry)) => Op::ok(self.port.entry(*entry)),
            None => Op::err(Errno::ENOENT),
        }
    }
    fn open<'a>(self: Arc<Self>, _who: &'a Caller, _flags: OpenFlags) -> Op<'a, FileRef> {
        let entries = ENTRIES.iter().map(|(name, entry)| (*name, self.port.entry(*entry).qid())).collect();
        Op::ok(OpenDir::open(self, entries))
    }
}

struct Data {
    attr: Attr,
    port: Port,
}

impl Node for Data {
    fn qid(&self) -> Qid {
        self.attr.qid()
    }
    fn nature(&self) -> Nature {
        Nature::Stream
    }
    /// Not 0: see [`task::stdio::Log::len`].
    fn stat(&self) -> Op<'_, Stat> {
        Op::ok(Stat { size: 1, ..self.attr.stat() })
    }
    fn setstat<'a>(&'a self, _who: &'a Caller, set: SetStat) -> Op<'a, ()> {
        only_truncates(set).map(|_| ()).into()
    }
    fn open<'a>(self: Arc<Self>, who: &'a Caller, flags: OpenFlags) -> Op<'a, FileRef> {
        let writes = flags.contains(OpenFlags::WRITE);
        let alone = flags.contains(OpenFlags::READ) != writes;
        let port = self.port.clone();
        let open = move |stream| {
            let (port, nonblock) = (self.port.clone(), flags.contains(OpenFlags::NONBLOCK));
            let file = OpenData { node: self, port, stream, last_word: writes && alone, nonblock };
            Arc::new(file) as FileRef
        };
        // grep -r from outside takes it for a regular file, and would wait for its end.
        if who.task.is_none() && only_looks(flags) {
            return Op::ok(open(None));
        }
        let uid = who.uid;
        Op::started(async move {
            let container = &port.container;
            if alone
                && !writes
                && let Some(stream) = container.answers().take(port.number, uid)
            {
                return Ok(open(Some(stream)));
            }
            let stream = port.connect().await?;
            if alone && writes {
                container.answers().expect(port.number, uid, stream.clone());
            }
            Ok(open(Some(stream)))
        })
    }
}

/// One connection, or the share in one of who writes or reads alone.
struct OpenData {
    node: NodeRef,
    port: Port,
    /// None where somebody only looks around.
    stream: Option<Arc<TcpStream>>,
    /// Closing it says that no more is sent.
    last_word: bool,
    nonblock: bool,
}

impl OpenData {
    async fn receive(&self, stream: &TcpStream, buf: &mut [u8]) -> Result<usize> {
        loop {
            match stream.try_read(buf) {
                Ok(count) => {
                    self.port.group().charge_network(count as u64)?;
                    return Ok(count);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => stream.readable().await?,
                Err(error) => return Err(error.into()),
            }
        }
    }
    async fn send(&self, stream: &TcpStream, data: &[u8]) -> Result<usize> {
        loop {
            match stream.try_write(data) {
                Ok(count) => {
                    self.port.group().charge_network(count as u64)?;
                    return Ok(count);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => stream.writable().await?,
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl OpenFile for OpenData {
    fn node(&self) -> &NodeRef {
        &self.node
    }
    fn read<'a>(&'a self, _offset: u64, buf: &'a mut [u8]) -> Op<'a, usize> {
        match &self.stream {
            Some(stream) => unless_blocking(self.nonblock, Op::started(self.receive(stream, buf))),
            None => Op::ok(0),
        }
    }
    fn write<'a>(&'a self, _offset: u64, data: &'a [u8]) -> Op<'a, usize> {
        match &self.stream {
            Some(stream) => unless_blocking(self.nonblock, Op::started(self.send(stream, data))),
            None => Op::err(Errno::EBADF),
        }
    }
    fn ready(&self, interest: Interest) -> Op<'_, ()> {
        let Some(stream) = &self.stream else { return Op::ok(()) };
        Op::started(async move {
            // What is wrong with it a read or write tells.
            let _either_way = match interest {
                Interest::Read => stream.readable().await,
                Interest::Write => stream.writable().await,
            };
            Ok(())
        })
    }
    /// A shell's `>` truncates.
    fn set_size(&self, _size: u64) -> Op<'_, ()> {
        Op::ok(())
    }
}

impl Drop for OpenData {
    fn drop(&mut self) {
        let Some(stream) = self.stream.take().filter(|_| self.last_word) else { return };
        // The peer may have closed it by now.
        let _said = shutdown(&*stream, Shutdown::Write);
        let container = self.port.container.clone();
        if let Some(handle) = self.port.handle() {
            handle.spawn(async move { container.answers().expire(stream).await });
        }
    }
}
