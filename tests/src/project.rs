//! A project in a container: its files, command lines run in it with nothing but files, what listens in it through the gateway.
//! And npm's real registry, as this machine's npm is set to reach it.

use crate::door::Door;
use crate::{Server, cannot_run, taskfs};
use nine::wire::Dialect;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// How long a command line may take.
const PATIENCE: Duration = Duration::from_secs(240);

/// Whether there are V8's worker and npm; says so where they are not.
pub fn has_npm(what: &str) -> bool {
    let beside = |name: &str| taskfs().with_file_name(name).exists();
    let there = beside("taskfs-node-v8") && beside("npm");
    if !there {
        cannot_run(what, "no V8 worker, or no npm beside taskfs (make npm)");
    }
    there
}

/// A server whose containers install from npm's registry, with `more` options; says so where that cannot be reached. The cache is
/// shared with other runs.
pub fn with_registry(what: &str, cache: &Path, more: &[&str]) -> Option<Server> {
    if !has_npm(what) {
        return None;
    }
    let npm = |args: &[&str]| {
        let output = Command::new("npm").args(args).output().ok().filter(|output| output.status.success())?;
        let said = String::from_utf8(output.stdout).ok()?.trim().to_owned();
        (!matches!(said.as_str(), "" | "null" | "undefined")).then_some(said)
    };
    let options = ["--fetch-retries=0", "--fetch-timeout=20000"];
    if npm(&["view", "ms@2.1.3", "version", options[0], options[1]]).is_none() {
        cannot_run(what, "this machine's npm reaches no registry");
        return None;
    }
    let mut args = vec!["--node-pool".to_owned(), "1".to_owned(), "--gateway".into(), "127.0.0.1:0".into()];
    args.extend(["--npm-cache".into(), cache.display().to_string()]);
    for (option, setting) in
        [("--npm-registry", "registry"), ("--npm-ca", "cafile"), ("--npm-proxy", "https-proxy")]
    {
        if let Some(value) = npm(&["config", "get", setting]) {
            args.extend([option.to_owned(), value]);
        }
    }
    let args: Vec<&str> = args.iter().map(String::as_str).chain(more.iter().copied()).collect();
    Some(Server::start(&args))
}

/// A container with a project.
pub struct Project {
    pub door: Door,
    pub dir: String,
}

impl Project {
    /// With a project in /app.
    pub fn new(server: &Server, manifest: &str) -> Project {
        Project::new_at(server, "/app", &[("package.json", manifest)])
    }

    /// With a project in `cwd`.
    pub fn new_at(server: &Server, cwd: &str, files: &[(&str, &str)]) -> Project {
        let door = Door::nine(server, Dialect::P9P2000L);
        let dir = format!("/web/container/{}", door.text("/web/container/new").trim());
        let project = Project { door, dir };
        for line in ["env HOME=/home", "cap spawn", "cap net:listen *:*"] {
            project.ctl(line);
        }
        let below = format!("{}/", cwd.trim_end_matches('/'));
        let dirs = files.iter().filter_map(|(name, _)| Some(format!("{below}{}", name.rsplit_once('/')?.0)));
        for dir in dirs.chain((cwd != "/").then(|| cwd.to_owned())) {
            project.ok(&format!("mkdir -p {dir}"));
        }
        project.ctl(&format!("cwd {cwd}"));
        for (name, text) in files {
            project.put(&format!("{below}{name}"), text);
        }
        project
    }

    pub fn ctl(&self, line: &str) {
        self.door.say(&format!("{}/ctl", self.dir), &format!("{line}\n"));
    }
    pub fn put(&self, path: &str, text: &str) {
        self.door.put(&format!("{}/mount{path}", self.dir), text.as_bytes());
    }
    pub fn text(&self, path: &str) -> String {
        self.door.text(&format!("{}/mount{path}", self.dir))
    }
    pub fn has(&self, path: &str) -> bool {
        self.door.exists(&format!("{}/mount{path}", self.dir))
    }

    pub fn start(&self, line: &str) -> String {
        let processes = format!("{}/processes", self.dir);
        let process = format!("{processes}/{}", self.door.text(&format!("{processes}/new")).trim());
        let cmd = match line.starts_with("np") {
            true => line.to_owned(),
            false => format!("sh -c '{}'", line.replace('\'', "''")),
        };
        self.door.say(&format!("{process}/cmd"), &format!("{cmd}\n"));
        self.door.say(&format!("{process}/ctl"), "start\n");
        process
    }

    /// How a command line ended, and what it said.
    pub fn run(&self, line: &str) -> (String, String) {
        let process = self.start(line);
        let deadline = Instant::now() + PATIENCE;
        while self.door.text(&format!("{process}/status")).trim() != "exited" {
            assert!(Instant::now() < deadline, "{line}: not done: {}", self.said(&process));
            std::thread::sleep(Duration::from_millis(20));
        }
        (self.door.end_of(&process), self.said(&process))
    }
    pub fn said(&self, process: &str) -> String {
        ["1", "2"].map(|n| self.door.text(&format!("{process}/stdio/{n}"))).concat()
    }

    /// What a command line said that must end well.
    pub fn ok(&self, line: &str) -> String {
        let (message, said) = self.run(line);
        assert_eq!(message, "", "{line}: {said}");
        said
    }
    /// What a command line said that must not.
    pub fn fails(&self, line: &str) -> String {
        let (message, said) = self.run(line);
        assert_ne!(message, "", "{line}: {said}");
        said
    }

    /// Spawns a line for the container's shell, and gives its process's directory.
    pub fn spawn(&self, line: &str) -> String {
        let processes = format!("{}/processes", self.dir);
        let before = self.door.list(&processes);
        self.ctl(&format!("spawn '{}'", line.replace('\'', "''")));
        let is_new = |name: &String| !before.contains(name) && name.parse::<u32>().is_ok();
        // The first that is there: what a shell spawns itself has a greater number.
        let new =
            self.door.list(&processes).into_iter().filter(is_new).min_by_key(|name| name.parse::<u32>().ok());
        format!("{processes}/{}", new.expect("the shell's process"))
    }

    /// What a spawned line said that must end well.
    pub fn spawned(&self, line: &str) -> String {
        let process = self.spawn(line);
        self.wait(&format!("{line} ends"), &process, || {
            self.door.text(&format!("{process}/status")).trim() == "exited"
        });
        let said = self.said(&process);
        assert_eq!(self.door.end_of(&process), "", "{line}: {said}");
        said
    }

    /// Spawns a line that goes on, and waits until something listens at `port`.
    pub fn serves(&self, line: &str, port: u16) -> String {
        let process = self.spawn(line);
        let ports = format!("{}/ports", self.dir);
        let open = || self.door.list(&ports).contains(&port.to_string());
        self.wait(&format!("{line} listens at {port}"), &process, || {
            let ended = self.door.text(&format!("{process}/status")).trim() == "exited";
            assert!(!ended, "{line}: ended: {}", self.said(&process));
            open()
        });
        process
    }

    fn wait(&self, what: &str, process: &str, done: impl Fn() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !done() {
            if Instant::now() > deadline {
                self.door.say(&format!("{process}/ctl"), "kill\n");
                panic!("not so: {what}: {}", self.said(process));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// A connection to the gateway, and the host that it knows `port` by.
    pub fn connect(&self, port: u16) -> (TcpStream, String) {
        let url = self.door.text(&format!("{}/ports/{port}/url", self.dir));
        let host = url.trim().strip_prefix("http://").and_then(|url| url.strip_suffix('/')).expect("a URL");
        let gateway: u16 = host.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
        let stream = TcpStream::connect(("127.0.0.1", gateway)).expect("the gateway listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time");
        (stream, host.to_owned())
    }

    /// The answer, with its head, to a request through the gateway.
    pub fn get(&self, port: u16, path: &str) -> String {
        let (mut stream, host) = self.connect(port);
        let head = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept: */*\r\nConnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).expect("it is sent");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("an answer in time");
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// A WebSocket through the gateway.
    pub fn socket(&self, port: u16, path: &str, protocol: Option<&str>) -> Socket {
        let (mut stream, host) = self.connect(port);
        let protocol = protocol.map(|name| format!("Sec-WebSocket-Protocol: {name}\r\n")).unwrap_or_default();
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             {protocol}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).expect("it is sent");
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).expect("an answer in time");
            answer.push(byte[0]);
        }
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
        // RFC 6455's own example: the answer to its key.
        assert!(answer.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{answer}");
        Socket(stream)
    }
}

/// A client's end of a WebSocket, for short messages of text (RFC 6455, section 5.2).
pub struct Socket(TcpStream);

impl Socket {
    pub fn send(&mut self, text: &str) {
        let length = u8::try_from(text.len()).ok().filter(|length| *length < 126).expect("short text");
        // A mask of zeros leaves what it masks as it is.
        let frame = [&[0x81, 0x80 | length, 0, 0, 0, 0], text.as_bytes()].concat();
        self.0.write_all(&frame).expect("it is sent");
    }

    pub fn receive(&mut self) -> String {
        let mut head = [0; 2];
        self.0.read_exact(&mut head).expect("a message in time");
        let length = match head[1] {
            126 => {
                let mut length = [0; 2];
                self.0.read_exact(&mut length).expect("its length");
                u16::from_be_bytes(length).into()
            }
            length => usize::from(length),
        };
        let mut text = vec![0; length];
        self.0.read_exact(&mut text).expect("all of it");
        String::from_utf8(text).expect("text")
    }
}
