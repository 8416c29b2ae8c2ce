//! A runtime of a few programs, and a server's tree around it: what the tests of /task drive.
//!
//! A program is a file that begins `TOY name`; its words are argv.
#![allow(dead_code)] // Each test file uses its part.

use container::ContainerTable;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use task::{Capability, Exit, Fit, Limits, Program, Registry, Running, Runtime, Start, TaskTable};
use tokio::sync::watch;
use vfs::mem::MemTree;
use vfs::{
    Caller, Errno, Error, FileRef, Follow, Mode, Namespace, Op, OpenFlags, Place, Result, SetStat, Stat,
};

pub struct Toy;

#[derive(Clone, Default)]
struct Wish {
    stopped: bool,
    killed: Option<Exit>,
}

struct ToyRunning {
    wish: watch::Sender<Wish>,
    end: watch::Receiver<Option<Exit>>,
    stubborn: bool,
}

impl Running for ToyRunning {
    fn stop(&self) {
        self.wish.send_modify(|wish| wish.stopped = true);
    }
    fn cont(&self) {
        self.wish.send_modify(|wish| wish.stopped = false);
    }
    fn kill(&self, exit: Exit) {
        if !self.stubborn {
            self.wish.send_modify(|wish| _ = wish.killed.get_or_insert(exit));
        }
    }
    fn set_limits(&self, _limits: Limits) {}
    fn wait(&self) -> BoxFuture<'static, Exit> {
        let mut end = self.end.clone();
        async move {
            match end.wait_for(Option::is_some).await {
                Ok(exit) => exit.clone().expect("waited for"),
                Err(_) => Exit::killed(1, "the toy broke"),
            }
        }
        .boxed()
    }
}

impl Runtime for Toy {
    fn name(&self) -> &'static str {
        "toy"
    }
    fn version(&self) -> String {
        "toy 1".into()
    }
    fn capabilities(&self) -> Vec<Capability> {
        vec![Capability { name: "runs", value: "toys".into() }]
    }
    fn detect(&self, program: Program<'_>) -> Fit {
        if program.head.starts_with(b"TOY ") { Fit::ByMagic } else { Fit::No }
    }
    fn start(&self, start: Start) -> Op<'_, Arc<dyn Running>> {
        Op::started(async move {
            let file = start.program.open(&start.who, OpenFlags::READ).await?;
            let text = String::from_utf8(all(&file).await?).map_err(|_| Errno::ENOEXEC)?;
            let name = text.strip_prefix("TOY ").map(|n| n.trim().to_owned());
            let name = name.ok_or_else(|| Error::new(Errno::ENOEXEC, "not a toy"))?;
            if name == "slow-to-start" {
                std::future::pending::<()>().await;
            }
            let stubborn = name == "stubborn";
            let (wish, mut wishes) = watch::channel(Wish::default());
            let (ending, end) = watch::channel(None);
            let mut program = program(name, start).boxed();
            tokio::spawn(async move {
                let exit = loop {
                    let wish = wishes.borrow_and_update().clone();
                    if let Some(exit) = wish.killed {
                        break exit;
                    }
                    tokio::select! {
                        exit = &mut program, if !wish.stopped => break exit,
                        _ = wishes.changed() => {}
                    }
                };
                drop(program);
                ending.send_replace(Some(exit));
            });
            Ok(Arc::new(ToyRunning { wish, end, stubborn }) as Arc<dyn Running>)
        })
    }
}

async fn program(name: String, start: Start) -> Exit {
    match run(&name, &start).await {
        Ok(code) => Exit::with_code(code),
        Err(error) => {
            let _ = put(&start.stdio[2], format!("{name}: {error}\n").as_bytes()).await;
            Exit::with_code(1)
        }
    }
}

async fn run(name: &str, start: &Start) -> Result<i32> {
    let [stdin, stdout, _] = &start.stdio;
    let arg = |n: usize| start.argv.get(n).cloned().unwrap_or_default();
    match name {
        "echo" => {
            let mut line = start.argv[1..].join(&b' ');
            line.push(b'\n');
            put(stdout, &line).await?;
        }
        "cat" => {
            let mut offset = 0;
            let mut buf = [0; 4096];
            loop {
                let count = stdin.read(offset, &mut buf).await?;
                if count == 0 {
                    break;
                }
                offset += count as u64;
                put(stdout, &buf[..count]).await?;
            }
        }
        "exit" => return Ok(String::from_utf8_lossy(&arg(1)).parse().unwrap_or(1)),
        "env" => {
            for (name, value) in &start.env {
                put(stdout, &[name.as_slice(), b"=", value, b"\n"].concat()).await?;
            }
        }
        "sleep" | "stubborn" => std::future::pending().await,
        "spin" => loop {
            start.usage.user_ns.fetch_add(1_000_000, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(1)).await;
        },
        "flood" => loop {
            put(stdout, &[b'x'; 4096]).await?;
            tokio::task::yield_now().await;
        },
        // The guest reads and writes the files of its namespace as itself.
        "get" => {
            start.trace.say(format_args!("open {:?}", String::from_utf8_lossy(&arg(1))));
            let place = start.cwd.resolve(&start.who, &arg(1), Follow::Yes).await?;
            let file = place.open(&start.who, OpenFlags::READ).await?;
            put(stdout, &all(&file).await?).await?;
        }
        "put" => {
            let place = start.cwd.resolve(&start.who, &arg(1), Follow::Yes).await?;
            let file = place.open(&start.who, OpenFlags::WRITE).await?;
            put(&file, &arg(2)).await?;
        }
        _ => return Err(Error::new(Errno::ENOEXEC, format!("no such toy: {name}"))),
    }
    Ok(0)
}

async fn put(file: &FileRef, mut data: &[u8]) -> Result<()> {
    let mut offset = 0;
    while !data.is_empty() {
        let count = match file.nature() {
            vfs::Nature::Storage => file.append(data).await?.0,
            _ => file.write(offset, data).await?,
        };
        offset += count as u64;
        data = &data[count..];
    }
    Ok(())
}

async fn all(file: &FileRef) -> Result<Vec<u8>> {
    let (mut text, mut buf) = (Vec::new(), vec![0; 8192]);
    loop {
        match file.read(text.len() as u64, &mut buf).await? {
            0 => return Ok(text),
            count => text.extend_from_slice(&buf[..count]),
        }
    }
}

/// A server's namespace, and a user who looks at it from outside.
pub struct Server {
    pub ns: Namespace,
    pub table: Arc<TaskTable>,
    pub containers: Arc<ContainerTable>,
    pub who: Caller,
}

pub const PROGRAMS: [&str; 11] =
    ["echo", "cat", "exit", "env", "sleep", "stubborn", "spin", "flood", "get", "put", "slow-to-start"];

impl Server {
    pub async fn new() -> Server {
        Server::with(|_| ()).await
    }

    /// With containers as `change` has them.
    pub async fn containing(change: impl FnOnce(&mut container::Config)) -> Server {
        Server::made(|_| (), change).await
    }
    pub async fn with(change: impl FnOnce(&mut task::Config)) -> Server {
        Server::made(change, |_| ()).await
    }

    async fn made(
        change: impl FnOnce(&mut task::Config),
        change_containers: impl FnOnce(&mut container::Config),
    ) -> Server {
        let ns = Namespace::new(MemTree::new().root(), "mem");
        let who = Caller::me();
        for dir in ["bin", "tmp"] {
            let name = vfs::Name::new(dir.as_bytes()).expect("a name");
            ns.root().mkdir(&who, name, Mode::new(0o755)).await.expect(dir);
        }
        let mut config = task::Config::new(Registry::new(vec![Arc::new(Toy)]));
        change(&mut config);
        let table = TaskTable::new(config).expect("a table");
        let services = services::Services::new(&table).expect("services");
        let mut config = container::Config::new(&table, services.furniture());
        change_containers(&mut config);
        let containers = ContainerTable::new(config).expect("a table");
        services.containing(&containers).mount(&ns).expect("services");
        table.set_home(ns.clone());
        let server = Server { ns, table, containers, who };
        for program in PROGRAMS {
            server.make(&format!("/bin/{program}"), format!("TOY {program}\n").as_bytes()).await;
        }
        server
    }

    /// Makes a storage file.
    pub async fn make(&self, path: &str, data: &[u8]) {
        let parent = self.ns.root().resolve_parent(&self.who, path.as_bytes()).await.expect(path);
        let created = parent
            .dir
            .create(&self.who, parent.name.as_name(), Mode::new(0o644), OpenFlags::READ | OpenFlags::WRITE)
            .await
            .expect(path);
        put(&created.file, data).await.expect(path);
    }

    pub async fn place(&self, path: &str) -> Result<Place> {
        self.ns.root().resolve(&self.who, path.as_bytes(), Follow::Yes).await
    }
    pub async fn open(&self, path: &str, flags: OpenFlags) -> Result<FileRef> {
        self.place(path).await?.open(&self.who, flags).await
    }
    pub async fn stat(&self, path: &str) -> Result<Stat> {
        self.place(path).await?.stat(&self.who).await
    }

    /// `cat path`.
    pub async fn cat(&self, path: &str) -> Result<String> {
        let file = self.open(path, OpenFlags::READ).await?;
        Ok(String::from_utf8_lossy(&all(&file).await?).into_owned())
    }
    /// `echo text > path`, as a kernel without atomic truncation does it.
    pub async fn echo(&self, text: &str, path: &str) -> Result<()> {
        let place = self.place(path).await?;
        let file = place.open(&self.who, OpenFlags::WRITE).await?;
        place.setstat(&self.who, SetStat { size: Some(0), ..SetStat::default() }).await?;
        file.write(0, format!("{text}\n").as_bytes()).await.map(|_| ())
    }
    /// `echo text >> path`.
    pub async fn add(&self, text: &str, path: &str) -> Result<()> {
        let file = self.open(path, OpenFlags::WRITE | OpenFlags::APPEND).await?;
        file.write(0, format!("{text}\n").as_bytes()).await.map(|_| ())
    }
    pub async fn ls(&self, path: &str) -> Result<Vec<String>> {
        let dir = self.open(path, OpenFlags::READ | OpenFlags::DIRECTORY).await?;
        let mut names = Vec::new();
        let mut sink = |entry: vfs::DirEntry<'_>| {
            names.push(entry.name.to_string());
            true
        };
        dir.readdir(0, &mut sink).await?;
        Ok(names)
    }
    pub async fn rmdir(&self, dir: &str, name: &str) -> Result<()> {
        let name = vfs::Name::new(name.as_bytes())?;
        self.place(dir).await?.rmdir(&self.who, name).await
    }

    /// `cat /web/container/new`, and the container's directory, with the toys in its /bin.
    pub async fn new_container(&self) -> String {
        let id = self.cat("/web/container/new").await.expect("a container");
        let container = format!("/web/container/{}", id.trim_end());
        for program in PROGRAMS {
            let path = format!("{container}/mount/bin/{program}");
            self.make(&path, format!("TOY {program}\n").as_bytes()).await;
        }
        container
    }
    /// `echo command > ctl`.
    pub async fn ctl(&self, dir: &str, command: &str) -> Result<()> {
        self.echo(command, &format!("{dir}/ctl")).await
    }
    /// A process of `container` that runs `cmd`: its directory.
    pub async fn process(&self, container: &str, cmd: &str) -> String {
        let id = self.cat(&format!("{container}/processes/new")).await.expect("a process");
        let process = format!("{container}/processes/{}", id.trim_end());
        self.echo(cmd, &format!("{process}/cmd")).await.expect(cmd);
        self.ctl(&process, "start").await.expect(cmd);
        process
    }

    /// `cat /task/new`, and the task's directory.
    pub async fn new_task(&self) -> String {
        let id = self.cat("/task/new").await.expect("a task");
        format!("/task/{}", id.trim_end())
    }
    /// A new task with `cmd`, started.
    pub async fn start(&self, cmd: &str) -> String {
        let task = self.new_task().await;
        self.echo(cmd, &format!("{task}/cmd")).await.expect(cmd);
        self.echo("start", &format!("{task}/ctl")).await.expect(cmd);
        task
    }
    /// Runs `cmd` to its end: its wait line's message, and its output.
    pub async fn run(&self, cmd: &str) -> (String, String) {
        let task = self.start(cmd).await;
        self.end(&task).await
    }
    pub async fn end(&self, task: &str) -> (String, String) {
        let line = self.cat(&format!("{task}/wait")).await.expect("wait");
        let message =
            line.split_once('\'').expect("a message").1.trim_end().trim_end_matches('\'').to_owned();
        (message, self.cat(&format!("{task}/stdio/1")).await.expect("stdio/1"))
    }
}

/// Whether `future` is still waiting after a moment.
pub async fn waits<T>(future: impl Future<Output = T>) -> bool {
    tokio::time::timeout(Duration::from_millis(50), future).await.is_err()
}

/// The text of an error.
pub fn text<T: std::fmt::Debug>(result: Result<T>) -> String {
    result.expect_err("an error").text().to_owned()
}
