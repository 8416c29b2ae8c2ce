//! Tasks that a worker's program makes (child_process). They are made as everyone makes tasks, by the files of /task, in the
//! name of the task: so they are its children, have no more than it has, and are seen where all tasks are.
//!
//! ```text
//! children/new ──JSON──► /task/new, type, argv, env, cwd, binds over stdio, start ──► children/<id>
//! ```
//!
//! A child whose end was read, or that was not detached when its maker ends, is killed and removed.

use crate::ipc::{Channel, Exchange};
use crate::link::Given;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use task::{rc, spec};
use vfs::{Errno, Error, FileRef, Follow, OpenFlags, Result, TaskId};

/// What `children/new` takes.
#[derive(Deserialize)]
struct Wanted {
    /// As execvp's: a path where it has a slash, else a name along PATH.
    file: String,
    #[serde(default)]
    args: Vec<String>,
    /// All of the environment; none for that of the maker.
    #[serde(default)]
    env: Option<BTreeMap<String, String>>,
    /// An absolute path; none for the directory that the maker was started in.
    #[serde(default)]
    cwd: Option<String>,
    #[serde(default)]
    stdio: [Stream; 3],
    /// A runtime's name.
    #[serde(default, rename = "type")]
    kind: Option<String>,
    /// It lives on when its maker ends.
    #[serde(default)]
    detached: bool,
    /// It has a channel to its maker.
    #[serde(default)]
    ipc: bool,
}

/// What stands behind one of a child's stdio.
#[derive(Deserialize, Clone, Default, PartialEq, Eq, Debug)]
#[serde(rename_all = "lowercase")]
enum Stream {
    #[default]
    Pipe,
    /// The maker's own.
    Inherit,
    /// Nothing: empty, and forgetting.
    Ignore,
    /// Where its own output goes: of stdio/2.
    Output,
    /// Another of the maker's own.
    #[serde(untagged)]
    Own { own: usize },
    #[serde(untagged)]
    File { path: String },
}

/// A child's end, as `children/<id>/wait` gives it.
#[derive(Serialize)]
struct Ended<'a> {
    code: Option<i32>,
    signal: Option<&'a str>,
    message: &'a str,
}

/// The children of one worker, by their numbers.
#[derive(Default)]
pub(crate) struct Children(Mutex<BTreeMap<u32, Child>>);

struct Child {
    detached: bool,
    ipc: Option<Arc<Channel>>,
}

impl Children {
    pub fn numbers(&self) -> Vec<u32> {
        self.0.lock().keys().copied().collect()
    }
    pub fn has(&self, id: u32) -> bool {
        self.0.lock().contains_key(&id)
    }

    /// Makes and starts what `document` says; its number.
    pub async fn make(&self, maker: &Given, exchange: &Exchange, document: &[u8]) -> Result<u32> {
        let wanted: Wanted = serde_json::from_slice(document)
            .map_err(|e| Error::new(Errno::EINVAL, format!("children/new: {e}")))?;
        let text = read_all(&open(maker, "/task/new", OpenFlags::READ).await?).await?;
        let id = std::str::from_utf8(&text).ok().and_then(|text| text.trim().parse().ok());
        let id = id.ok_or_else(|| Error::new(Errno::EIO, "/task/new gave no number"))?;
        // From here on it is ours to put away, also where whoever asked for it goes.
        let ipc = wanted.ipc.then(|| exchange.offer(id));
        self.0.lock().insert(id, Child { detached: wanted.detached, ipc });
        let started = set_up(maker, id, &wanted).await;
        // A program of another runtime has not taken its end.
        if let Some(channel) = exchange.take(id) {
            channel.close();
        }
        if started.is_err() {
            self.remove(maker, id).await;
        }
        started.map(|()| id)
    }

    /// The channel to a child that was forked.
    pub fn channel(&self, id: u32) -> Option<Arc<Channel>> {
        self.0.lock().get(&id).and_then(|child| child.ipc.clone())
    }

    /// Ends a child, where it has not ended, and takes it away.
    pub async fn remove(&self, maker: &Given, id: u32) {
        if self.0.lock().remove(&id).is_some() {
            let _ended_already = say(maker, id, "ctl", b"kill\n").await;
            let _gone_already = say(maker, id, "ctl", b"remove\n").await;
        }
    }

    /// The maker has ended.
    pub async fn leave(&self, maker: &Given) {
        let attached: Vec<u32> =
            self.0.lock().iter().filter(|(_, child)| !child.detached).map(|(id, _)| *id).collect();
        for id in attached {
            self.remove(maker, id).await;
        }
    }
}

async fn open(maker: &Given, path: &str, flags: OpenFlags) -> Result<FileRef> {
    let place = maker.root.resolve(&maker.who, path.as_bytes(), Follow::Yes).await;
    let place = place.map_err(|e| e.context(path))?;
    place.open(&maker.who, flags).await.map_err(|e| e.context(path))
}

/// One of a child's files.
pub(crate) async fn open_of(maker: &Given, id: u32, file: &str, flags: OpenFlags) -> Result<FileRef> {
    open(maker, &format!("/task/{id}/{file}"), flags).await
}

async fn read_all(file: &FileRef) -> Result<Vec<u8>> {
    let mut text = vec![0; 4096];
    let mut length = 0;
    while length < text.len() {
        match file.read(length as u64, &mut text[length..]).await? {
            0 => break,
            count => length += count,
        }
    }
    text.truncate(length);
    Ok(text)
}

/// Replaces what one of a child's files says.
async fn say(maker: &Given, id: u32, file: &str, text: &[u8]) -> Result<()> {
    let file = open_of(maker, id, file, OpenFlags::WRITE | OpenFlags::TRUNCATE).await?;
    file.write(0, text).await?;
    file.flush().await
}

async fn set_up(maker: &Given, id: u32, wanted: &Wanted) -> Result<()> {
    let line = |words: &[&str]| -> Vec<u8> {
        let words: Vec<Vec<u8>> = words.iter().map(|word| word.as_bytes().to_vec()).collect();
        [rc::join(&words), b"\n".to_vec()].concat()
    };
    if wanted.detached
        && let Some(child) = maker.tasks.upgrade().and_then(|tasks| tasks.get(TaskId(id)))
    {
        child.set_apart();
    }
    if let Some(kind) = &wanted.kind {
        say(maker, id, "type", format!("{kind}\n").as_bytes()).await?;
    }
    let words = std::iter::once(&wanted.file).chain(&wanted.args).map(|word| word.as_bytes());
    say(maker, id, "argv", &spec::show_words(words)).await?;
    if let Some(env) = &wanted.env {
        let lines: Vec<Vec<u8>> = env.iter().map(|(k, v)| format!("{k}={v}").into_bytes()).collect();
        say(maker, id, "env", &spec::show_words(lines.iter().map(Vec::as_slice))).await?;
    }
    if let Some(cwd) = &wanted.cwd {
        say(maker, id, "ctl", &line(&["cd", cwd])).await?;
    }
    for (number, stream) in wanted.stdio.iter().enumerate() {
        let own = format!("/task/{id}/stdio/{number}");
        let command = match (stream, number) {
            // What is not written any more has ended.
            (Stream::Pipe, 0) => line(&["hangup", "on"]),
            (Stream::Pipe, _) => continue,
            // What it is there may be open here alone: a shell's pipe has no name.
            (Stream::Inherit | Stream::Own { .. }, _) => {
                let own = if let Stream::Own { own } = stream { *own } else { number };
                let file = maker.stdio.get(own).ok_or(Errno::EBADF)?.clone();
                let task = maker.tasks.upgrade().and_then(|tasks| tasks.get(TaskId(id)));
                task.ok_or(Errno::ESRCH)?.give_stream(number, file)?;
                continue;
            }
            (Stream::Output, _) => line(&["bind", &format!("/task/{id}/stdio/1"), &own]),
            (Stream::Ignore, 0) => line(&["eof"]),
            (Stream::Ignore, _) => line(&["bind", "/dev/null", &own]),
            (Stream::File { path }, _) => line(&["bind", path, &own]),
        };
        say(maker, id, "ctl", &command).await?;
    }
    say(maker, id, "ctl", b"start\n").await
}

/// Waits for a child's end, and tells it.
pub(crate) async fn wait(maker: &Given, id: u32) -> Result<Vec<u8>> {
    let line = read_all(&open_of(maker, id, "wait", OpenFlags::READ).await?).await?;
    let code = read_all(&open_of(maker, id, "exitcode", OpenFlags::READ).await?).await?;
    let words = rc::split(&line).unwrap_or_default();
    let message = words.get(4).map(|word| String::from_utf8_lossy(word).into_owned()).unwrap_or_default();
    let code = std::str::from_utf8(&code).ok().and_then(|code| code.trim().parse().ok()).unwrap_or(1);
    Ok(tell(code, &message))
}

/// Whether a signal ended it the message says, and none else does: a status above 128 is a program's to give.
fn tell(code: i32, message: &str) -> Vec<u8> {
    let signal = message.strip_prefix("killed by ");
    let signal = signal.or_else(|| message.ends_with("reached").then_some("SIGKILL"));
    let ended = Ended { code: if signal.is_some() { None } else { Some(code) }, signal, message };
    serde_json::to_vec(&ended).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_words_or_a_path() {
        let text = br#"{"file":"x","stdio":["pipe",{"path":"/tmp/log"},"inherit"]}"#;
        let wanted: Wanted = serde_json::from_slice(text).expect("a child");
        let log = Stream::File { path: "/tmp/log".into() };
        assert_eq!(wanted.stdio, [Stream::Pipe, log, Stream::Inherit]);
        let wanted: Wanted =
            serde_json::from_slice(br#"{"file":"x","stdio":["ignore",{"own":2},"pipe"]}"#).expect("a child");
        assert_eq!(wanted.stdio, [Stream::Ignore, Stream::Own { own: 2 }, Stream::Pipe]);
        for text in [
            "{}",
            "{\"file\":\"x\",\"stdio\":[\"pipe\"]}",
            "{\"file\":\"x\",\"stdio\":[\"pipe\",\"pip\",\"pipe\"]}",
        ] {
            assert!(serde_json::from_str::<Wanted>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_end_is_a_code_or_a_signal() {
        let told = |code, message: &str| String::from_utf8(tell(code, message)).expect("JSON");
        assert_eq!(told(0, ""), r#"{"code":0,"signal":null,"message":""}"#);
        assert_eq!(
            told(143, "killed by SIGTERM"),
            r#"{"code":null,"signal":"SIGTERM","message":"killed by SIGTERM"}"#
        );
        assert_eq!(told(143, "exit status 143"), r#"{"code":143,"signal":null,"message":"exit status 143"}"#);
        assert!(told(152, "cpu limit 1s reached").contains("SIGKILL"));
    }
}
