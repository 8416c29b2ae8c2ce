//! What happens in a container, as its files tell it, and the ways to what listens there.

use crate::door::{Door, Opened};
use crate::{Server, cannot_run, taskfs};
use nine::wire::{Dialect, OpenFlags};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// A server with a gateway, where there is an engine to run programs with.
pub fn server(what: &str) -> Option<(Server, Door)> {
    if !["v8", "quickjs"]
        .iter()
        .any(|engine| taskfs().with_file_name(format!("taskfs-node-{engine}")).exists())
    {
        cannot_run(what, "no worker for Node programs was built");
        return None;
    }
    let server = Server::start(&["--gateway", "127.0.0.1:0"]);
    let door = Door::nine(&server, Dialect::P9P2000U);
    Some((server, door))
}

/// A container, and what happens in it.
pub struct Inside<'d> {
    pub door: &'d Door,
    pub id: String,
    events: Opened,
    /// How much of them was read, and what of that has not been looked at.
    read: u64,
    seen: String,
    programs: usize,
    /// The limits that events told of, as far as they were read.
    pub limits: Vec<String>,
}

impl<'d> Inside<'d> {
    pub fn new(door: &'d Door) -> Inside<'d> {
        let id = door.text("/web/container/new").trim().to_owned();
        let events =
            door.open(&format!("/web/container/{id}/events"), OpenFlags::empty()).expect("its events");
        Inside { door, id, events, read: 0, seen: String::new(), programs: 0, limits: Vec::new() }
    }
    pub fn path(&self, name: &str) -> String {
        format!("/web/container/{}/{name}", self.id)
    }
    /// Makes a file of its own.
    pub fn put(&self, path: &str, data: &[u8]) {
        self.door.put(&self.path(&format!("mount{path}")), data);
    }
    pub fn ctl(&self, line: &str) {
        self.door.say(&self.path("ctl"), &format!("{line}\n"));
    }
    /// Puts a program in and starts it; its number is what the event says.
    pub fn run(&mut self, program: &str) -> String {
        self.programs += 1;
        let name = format!("/tmp/{}.cjs", self.programs);
        self.put(&name, program.as_bytes());
        self.spawn(&format!("node {name}"))
    }
    /// Starts a program that is there; its number is what the event says.
    pub fn spawn(&mut self, words: &str) -> String {
        self.ctl(&format!("spawn {words}"));
        let line = self.until(|line| line.starts_with("process ") && line.contains(" started "));
        line.split(' ').nth(1).expect("a number").to_owned()
    }
    /// Runs a program that is there to its end, as long as it takes to compile it: what starts it next finds it compiled.
    pub fn compile(&mut self, server: &Server, words: &str) {
        let line = format!("{} container exec {} -- {words}", taskfs().display(), self.id);
        let done = crate::sh(&line, &[("TASKFS_SERVER", &server.unix())], Duration::from_secs(240));
        crate::text(done);
        self.until(|line| line.starts_with("process ") && line.contains(" exited "));
    }
    /// The next event that fits.
    pub fn until(&mut self, fits: impl Fn(&str) -> bool) -> String {
        loop {
            while let Some((line, rest)) = self.seen.split_once('\n') {
                let (line, rest) = (line.to_owned(), rest.to_owned());
                self.seen = rest;
                if line.starts_with("limit ") {
                    self.limits.push(line.clone());
                }
                if fits(&line) {
                    return line;
                }
            }
            let more = self.events.read(self.read, 4096).expect("events go on");
            assert!(!more.is_empty(), "the events ended");
            self.read += more.len() as u64;
            self.seen += std::str::from_utf8(&more).expect("text");
        }
    }
    pub fn opened(&mut self, port: u16) {
        self.until(|line| line.starts_with(&format!("port {port} open")));
    }
    /// What process `id` printed, and how it ended.
    pub fn said(&mut self, id: &str) -> String {
        self.until(|line| line.starts_with(&format!("process {id} exited")));
        self.door.text(&self.path(&format!("processes/{id}/stdio/1")))
    }
    /// The host that the gateway knows `port` by, and where the gateway is.
    pub fn url(&self, port: u16) -> (String, u16) {
        let url = self.door.text(&self.path(&format!("ports/{port}/url")));
        let host = url.trim().strip_prefix("http://").and_then(|url| url.strip_suffix('/')).expect("a URL");
        let gateway = host.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
        (host.to_owned(), gateway)
    }
}

/// A server that answers with `word` and the path.
pub fn hello(port: u16, word: &str) -> String {
    format!("require('http').createServer((q, r) => r.end('{word} ' + q.url)).listen({port})")
}

pub fn request(gateway: u16, head: &str) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", gateway)).expect("the gateway listens");
    stream.write_all(head.replace('\n', "\r\n").as_bytes()).expect("it takes requests");
    stream
}

/// The whole answer to a GET of `path` at `host`.
pub fn get(gateway: u16, host: &str, path: &str) -> String {
    let mut stream = request(gateway, &format!("GET {path} HTTP/1.1\nHost: {host}\nConnection: close\n\n"));
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    String::from_utf8_lossy(&answer).into_owned()
}
