//! The ways into a server, as one: a mount, or a 9P connection in one of the dialects. What holds for one must hold for
//! all of them, so a test that is written against a [`Door`] is run through every one.

use crate::Server;
use nine::client::{Client, ClientError, Fid};
use nine::wire::{Dialect, Mode, Msize, OpenFlags, Uid};
use std::fmt;
use std::fs::{File, OpenOptions};
use std::future::Future;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;
use tokio::runtime::Runtime;

/// Nothing that a test asks for may take longer.
const PATIENCE: Duration = Duration::from_secs(120);

/// What a request failed with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub errno: i32,
    /// The server's own words, which 9P2000.u alone carries beside the errno.
    pub words: Option<String>,
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Failure {
        Failure { errno: error.raw_os_error().expect("an error of the kernel"), words: None }
    }
}

/// One way in.
pub enum Door {
    Mount(PathBuf),
    Nine(Fid),
}

/// A file that was opened through a door.
pub enum Opened {
    Mount(File),
    Nine(Fid),
}

fn tokio() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        runtime.expect("threads for the 9P clients")
    })
}

fn wait<T>(what: &str, ask: impl Future<Output = T>) -> T {
    let answer = tokio().block_on(async { tokio::time::timeout(PATIENCE, ask).await });
    answer.unwrap_or_else(|_| panic!("{what}: no answer within {PATIENCE:?}"))
}

fn failure(what: &str, dialect: Dialect, error: ClientError) -> Failure {
    match error {
        ClientError::Refused { errno, text } => {
            Failure { errno: errno as i32, words: (dialect == Dialect::P9P2000U).then_some(text) }
        }
        other => panic!("{what}: {other}"),
    }
}

fn names(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|name| !name.is_empty())
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Door::Mount(_) => f.write_str("FUSE"),
            Door::Nine(root) => write!(f, "{}", root.client().dialect()),
        }
    }
}

impl Door {
    /// A connection of its own to the server's unix socket.
    pub fn nine(server: &Server, dialect: Dialect) -> Door {
        let socket = server.path("sock");
        let root = wait("connect", async {
            let stream = tokio::net::UnixStream::connect(socket).await.expect("the server listens");
            let client =
                Client::connect(stream, dialect, Msize(1 << 20)).await.expect("it speaks the dialect");
            let uid = Uid(rustix::process::geteuid().as_raw());
            client.attach(b"", Some(uid), b"/").await.expect("it has a root")
        });
        Door::Nine(root)
    }

    /// Every door that errors with an errno come through: 9P2000.u, 9P2000.L, and the mount where there is one.
    pub fn all(server: &Server, mount: Option<&Path>) -> Vec<Door> {
        let nine = [Dialect::P9P2000U, Dialect::P9P2000L].map(|dialect| Door::nine(server, dialect));
        nine.into_iter().chain(mount.map(|dir| Door::Mount(dir.to_owned()))).collect()
    }

    fn host(dir: &Path, path: &str) -> PathBuf {
        dir.join(path.trim_start_matches('/'))
    }

    /// `flags` are open(2)'s.
    pub fn open(&self, path: &str, flags: OpenFlags) -> Result<Opened, Failure> {
        match self {
            Door::Mount(dir) => {
                let access = flags.bits() & 3;
                let mut options = OpenOptions::new();
                options.read(access != 1).write(access != 0).truncate(flags.contains(OpenFlags::TRUNC));
                Ok(Opened::Mount(options.open(Door::host(dir, path))?))
            }
            Door::Nine(root) => wait(path, async {
                let mut fid = root.walk(names(path)).await?;
                fid.open(flags).await?;
                Ok(Opened::Nine(fid))
            })
            .map_err(|e| failure(path, root.client().dialect(), e)),
        }
    }

    pub fn read(&self, path: &str) -> Result<Vec<u8>, Failure> {
        let file = self.open(path, OpenFlags::empty())?;
        let mut all = Vec::new();
        loop {
            let more = file.read(all.len() as u64, 32 << 10)?;
            if more.is_empty() {
                return Ok(all);
            }
            all.extend(more);
        }
    }

    /// A file's text, which must be readable.
    pub fn text(&self, path: &str) -> String {
        let bytes = self.read(path).unwrap_or_else(|e| panic!("{self:?}: {path}: {e:?}"));
        String::from_utf8(bytes).unwrap_or_else(|_| panic!("{path}: not text"))
    }

    /// As `echo > path` does it: the file is there, is truncated, and gets `data` in one write.
    pub fn write(&self, path: &str, data: &[u8]) -> Result<(), Failure> {
        let file = self.open(path, OpenFlags::WRONLY | OpenFlags::TRUNC)?;
        file.write_all(data)?;
        file.close()
    }

    /// A write that must succeed.
    pub fn say(&self, path: &str, data: &str) {
        self.write(path, data.as_bytes())
            .unwrap_or_else(|e| panic!("{self:?}: {path}: {data:?}: {e:?}\n{}", self.last_error(path)));
    }

    fn last_error(&self, ctl: &str) -> String {
        let text = self.read(ctl).unwrap_or_default();
        String::from_utf8_lossy(&text).lines().last().unwrap_or_default().to_owned()
    }

    /// Makes a storage file of `data`.
    pub fn put(&self, path: &str, data: &[u8]) {
        match self {
            Door::Mount(dir) => std::fs::write(Door::host(dir, path), data).expect(path),
            Door::Nine(root) => {
                let (dir, name) = path.rsplit_once('/').expect("an absolute path");
                let made = wait(path, async {
                    let mut fid = root.walk(names(dir)).await?;
                    fid.create(name.as_bytes(), OpenFlags::WRONLY | OpenFlags::TRUNC, Mode(0o644)).await?;
                    fid.write_all(0, data).await?;
                    fid.clunk().await
                });
                made.unwrap_or_else(|e| panic!("{path}: {e}"));
            }
        }
    }

    /// Removes a file or an empty directory.
    pub fn remove(&self, path: &str) -> Result<(), Failure> {
        match self {
            Door::Mount(dir) => {
                let path = Door::host(dir, path);
                let removed = match path.symlink_metadata()?.is_dir() {
                    true => std::fs::remove_dir(path),
                    false => std::fs::remove_file(path),
                };
                Ok(removed?)
            }
            Door::Nine(root) => wait(path, async { root.walk(names(path)).await?.remove().await })
                .map_err(|e| failure(path, root.client().dialect(), e)),
        }
    }

    pub fn symlink(&self, path: &str, target: &str) -> Result<(), Failure> {
        match self {
            Door::Mount(dir) => Ok(std::os::unix::fs::symlink(target, Door::host(dir, path))?),
            Door::Nine(root) => {
                let (dir, name) = path.rsplit_once('/').expect("an absolute path");
                wait(path, async {
                    root.walk(names(dir)).await?.symlink(name.as_bytes(), target.as_bytes()).await
                })
                .map(|_| ())
                .map_err(|e| failure(path, root.client().dialect(), e))
            }
        }
    }

    pub fn exists(&self, path: &str) -> bool {
        match self {
            Door::Mount(dir) => Door::host(dir, path).symlink_metadata().is_ok(),
            Door::Nine(root) => wait(path, async { root.walk(names(path)).await }).is_ok(),
        }
    }

    /// The names in a directory.
    pub fn list(&self, path: &str) -> Vec<String> {
        let mut all: Vec<String> = match self {
            Door::Mount(dir) => {
                let entries = std::fs::read_dir(Door::host(dir, path)).expect(path);
                entries.map(|e| e.expect(path).file_name().to_string_lossy().into_owned()).collect()
            }
            Door::Nine(root) => {
                let items = wait(path, async {
                    let mut fid = root.walk(names(path)).await?;
                    fid.open(OpenFlags::empty()).await?;
                    fid.ls().await
                });
                let items = items.unwrap_or_else(|e| panic!("{path}: {e}"));
                items.into_iter().map(|item| String::from_utf8_lossy(&item.name).into_owned()).collect()
            }
        };
        all.retain(|name| name != "." && name != "..");
        all.sort();
        all
    }

    /// Makes a task that would run `cmd`; its directory.
    pub fn task(&self, cmd: &str) -> String {
        let dir = format!("/task/{}", self.text("/task/new").trim());
        if !cmd.is_empty() {
            self.say(&format!("{dir}/cmd"), &format!("{cmd}\n"));
        }
        dir
    }

    /// Makes a task with `limits` and starts it; its directory.
    pub fn start(&self, cmd: &str, limits: &str) -> String {
        let dir = self.task(cmd);
        if !limits.is_empty() {
            self.say(&format!("{dir}/ctl"), &format!("limit {limits}\n"));
        }
        self.say(&format!("{dir}/ctl"), "start\n");
        dir
    }

    /// The message that wait gives at the end of the task in `dir`.
    pub fn end_of(&self, dir: &str) -> String {
        let line = self.text(&format!("{dir}/wait"));
        let message = line.split_once('\'').and_then(|(_, rest)| rest.strip_suffix("'\n"));
        message.unwrap_or_else(|| panic!("a wait line: {line:?}")).to_owned()
    }
}

impl Opened {
    pub fn read(&self, offset: u64, count: usize) -> Result<Vec<u8>, Failure> {
        match self {
            Opened::Mount(file) => {
                let mut bytes = vec![0; count];
                // What cannot seek reads where it is; the mount's files all take an offset.
                let n = file.read_at(&mut bytes, offset)?;
                bytes.truncate(n);
                Ok(bytes)
            }
            Opened::Nine(fid) => wait("read", fid.read(offset, count))
                .map(|bytes| bytes.to_vec())
                .map_err(|e| failure("read", fid.client().dialect(), e)),
        }
    }

    pub fn write_all(&self, data: &[u8]) -> Result<(), Failure> {
        use std::io::Write;
        match self {
            Opened::Mount(file) => Ok((&mut &*file).write_all(data)?),
            // An empty write is a message too.
            Opened::Nine(fid) if data.is_empty() => wait("write", fid.write(0, data))
                .map(|_| ())
                .map_err(|e| failure("write", fid.client().dialect(), e)),
            Opened::Nine(fid) => {
                wait("write", fid.write_all(0, data)).map_err(|e| failure("write", fid.client().dialect(), e))
            }
        }
    }

    pub fn close(self) -> Result<(), Failure> {
        match self {
            Opened::Mount(_) => Ok(()),
            Opened::Nine(fid) => {
                let dialect = fid.client().dialect();
                wait("clunk", fid.clunk()).map_err(|e| failure("clunk", dialect, e))
            }
        }
    }
}

/// One write at an offset.
pub fn write_at(fid: &Fid, offset: u64, data: &[u8]) {
    wait("write", fid.write_all(offset, data)).expect("writable");
}
