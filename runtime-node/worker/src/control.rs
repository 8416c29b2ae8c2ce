//! The worker's control tree: what to run, its standard files, its signals, its end. See docs of the protocol.

use crate::files::OpenFile;
use crate::link::{CONTROL, Handle, Link, now, unexpected};
use nine::wire::{Data, NamesBuf, OpenFlags, Rmessage, Tmessage};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::io;
use std::sync::Arc;

/// The task, as the server describes it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Spec {
    pub id: u32,
    #[serde(default)]
    pub ppid: u32,
    /// The script; none where the command line is Node's own.
    pub program: Option<String>,
    #[serde(default)]
    pub args: Vec<String>,
    #[serde(default)]
    pub env: HashMap<String, String>,
    pub cwd: String,
    /// What stands behind each of its standard files: `tty`, `pipe`, `file`, `null`.
    #[serde(default)]
    pub stdio: Vec<String>,
    #[serde(default)]
    pub limits: Limits,
    pub hostname: String,
    #[serde(default)]
    pub uid: u32,
    #[serde(default)]
    pub gid: u32,
    #[serde(default)]
    pub groups: Vec<u32>,
    #[serde(default)]
    pub umask: u32,
    /// It was forked, and has a channel to its maker.
    #[serde(default)]
    pub ipc: bool,
}

/// The limits that a worker needs to know.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Limits {
    /// Bytes.
    pub memory: Option<u64>,
}

/// How a task ends.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Exit {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signal: Option<String>,
    /// How often the program waited for the server.
    pub round_trips: u64,
}

/// How much of lines is asked for at once: the longest has a path in it.
const LINES: u32 = 64 << 10;

/// The control tree, attached.
#[derive(Clone)]
pub struct Control {
    link: Arc<Link>,
}

impl Control {
    /// # Errors
    /// The server's refusal.
    pub fn attach(link: &Arc<Link>) -> io::Result<Control> {
        now(link.ask(&Link::attach(CONTROL, "worker", "worker")))?.done()?;
        Ok(Control { link: link.clone() })
    }

    /// Opens a file by its names.
    ///
    /// # Errors
    /// The server's.
    pub fn open(&self, names: &[&str], flags: OpenFlags) -> io::Result<Handle> {
        now(self.opened(names, flags))
    }

    async fn opened(&self, names: &[&str], flags: OpenFlags) -> io::Result<Handle> {
        let fid = self.link.fids.take();
        let mut batch = self.link.batch();
        let walk = NamesBuf::new(names).map_err(io::Error::other)?;
        batch.push(&Tmessage::Walk { fid: CONTROL, newfid: fid, names: walk.as_names() });
        batch.push(&Tmessage::Lopen { fid, flags });
        let handle = Handle::new(self.link.clone(), fid);
        for answer in batch.send()?.await {
            answer.done()?;
        }
        Ok(handle)
    }

    /// One write of `text` to a file.
    ///
    /// # Errors
    /// The server's.
    pub fn write(&self, names: &[&str], text: &[u8]) -> io::Result<()> {
        let handle = self.open(names, OpenFlags::WRONLY)?;
        let request = Tmessage::Write { fid: handle.fid(), offset: 0, data: Data(text) };
        now(self.link.ask(&request))?.done()
    }

    /// Writes `text` to a file and reads what it answers.
    ///
    /// # Errors
    /// The server's.
    pub async fn exchange(&self, names: &[&str], text: &[u8]) -> io::Result<String> {
        let handle = self.opened(names, OpenFlags::RDWR).await?;
        let (fid, count) = (handle.fid(), self.link.chunk() as u32);
        let mut batch = self.link.batch();
        batch.push(&Tmessage::Write { fid, offset: 0, data: Data(text) });
        batch.push(&Tmessage::Read { fid, offset: 0, count });
        let answers = batch.send()?.await;
        answers[0].done()?;
        match answers[1].reply()? {
            Rmessage::Read { data } => Ok(String::from_utf8_lossy(data.0).into_owned()),
            other => Err(unexpected(&other)),
        }
    }

    /// All of a short file.
    ///
    /// # Errors
    /// The server's.
    pub fn text(&self, names: &[&str]) -> io::Result<String> {
        now(async {
            let handle = self.opened(names, OpenFlags::empty()).await?;
            self.read(&handle).await
        })
    }

    /// Watches `path`, an absolute one, for as long as what comes back is held.
    ///
    /// # Errors
    /// The server's.
    pub async fn watch(&self, path: &str, recursive: bool) -> io::Result<Handle> {
        let handle = self.opened(&["watch"], OpenFlags::RDWR).await?;
        let option = if recursive { "-r " } else { "" };
        let line = format!("{option}'{}'", path.replace('\'', "''"));
        let request = Tmessage::Write { fid: handle.fid(), offset: 0, data: Data(line.as_bytes()) };
        self.link.ask(&request).await?.done()?;
        Ok(handle)
    }

    /// What an open file that gives lines as they come has to say.
    ///
    /// # Errors
    /// The server's.
    pub async fn read(&self, file: &Handle) -> io::Result<String> {
        let request = Tmessage::Read { fid: file.fid(), offset: 0, count: LINES };
        match self.link.ask(&request).await?.reply()? {
            Rmessage::Read { data } => Ok(String::from_utf8_lossy(data.0).into_owned()),
            other => Err(unexpected(&other)),
        }
    }

    /// Says that this worker is warm, and waits for its task.
    ///
    /// # Errors
    /// The server's, and a description that cannot be understood.
    pub fn wait_for_task(&self) -> io::Result<Spec> {
        self.write(&["ready"], b"ready")?;
        let handle = self.open(&["spec"], OpenFlags::empty())?;
        let mut text = Vec::new();
        loop {
            let (offset, count) = (text.len() as u64, self.link.chunk() as u32);
            let frame = now(self.link.ask(&Tmessage::Read { fid: handle.fid(), offset, count }))?;
            match frame.reply()? {
                Rmessage::Read { data } if data.0.is_empty() => break,
                Rmessage::Read { data } => text.extend_from_slice(data.0),
                other => return Err(unexpected(&other)),
            }
        }
        serde_json::from_slice(&text).map_err(|e| io::Error::other(format!("spec: {e}")))
    }

    /// One of the three standard files.
    ///
    /// # Errors
    /// The server's.
    pub fn stdio(&self, number: u32) -> io::Result<OpenFile> {
        let flags = if number == 0 { OpenFlags::empty() } else { OpenFlags::WRONLY };
        Ok(OpenFile::stdio(self.open(&["stdio", &number.to_string()], flags)?, flags))
    }

    /// Ends the task. Does not come back: after its answer the server kills this process.
    pub fn exit(&self, mut exit: Exit) -> ! {
        exit.round_trips = self.link.trips();
        let text = serde_json::to_vec(&exit).expect("numbers and strings are JSON");
        let code = exit.code.unwrap_or(1);
        if let Err(e) = self.write(&["exit"], &text) {
            crate::log::say(format_args!("exit: {e}"));
        }
        // SAFETY: it runs no destructors of a process whose threads are in the middle of something.
        unsafe { libc::_exit(code) }
    }
}
