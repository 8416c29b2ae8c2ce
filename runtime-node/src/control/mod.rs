//! The control tree of a worker: how it learns its task, feeds it and says how it ended. Only the worker sees it.
//!
//! ```text
//! ready       a write: it is warm
//! spec        a read waits for the task, and gives it as JSON
//! stdio/0     the task's input
//!       1 2   its output
//! tty         the terminal that it is at: a read gives its size and mode, a write of raw or cooked sets that
//! signals     a read waits for a signal: SIGINT, a line each; a write of SIGTSTP stops the task
//! exit        a write of JSON: the task's end
//! dns         a write of a name; a read gives its addresses, a line each
//! refused     what was refused, and why: a line each, the newest last
//! watch       a write of a path; a read waits for what happens there, and gives it as lines (task::Watched)
//! children/new            a write of JSON makes a child; a read gives its number
//!          <id>/stdio/0 1 2    the other ends of its stdio
//!               wait            a read waits for its end, and gives it as JSON
//!               ctl             as /task/<id>/ctl
//!               ipc             the channel to a child that was forked
//! ipc         the channel to the program that forked this one
//! ```

use crate::children;
use crate::ipc::{Channel, Side};
use crate::link::{Given, Link};
use crate::net;
use crate::spec;
use crate::terminal::Screen;
use parking_lot::Mutex;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use task::Watched;
use tokio::runtime::Handle;
use vfs::{
    Caller, Device, DirEntry, Errno, Error, FileRef, Gid, Interest, Kind, Mode, Name, Namespace, Nature,
    Node, NodeRef, Op, OpenFile, OpenFlags, Place, Qid, Result, SetStat, Sink, Stat, Time, TreeTag, Uid,
};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Entry {
    Root,
    Ready,
    Spec,
    Stdio,
    Stream(u8),
    Signals,
    Exit,
    Dns,
    Refused,
    Watch,
    Tty,
    Ipc,
    Children,
    New,
    Child(u32),
    ChildStdio(u32),
    ChildStream(u32, u8),
    ChildWait(u32),
    ChildCtl(u32),
    ChildIpc(u32),
}

const ROOT: [(&str, Entry); 11] = [
    ("ready", Entry::Ready),
    ("spec", Entry::Spec),
    ("stdio", Entry::Stdio),
    ("signals", Entry::Signals),
    ("exit", Entry::Exit),
    ("dns", Entry::Dns),
    ("refused", Entry::Refused),
    ("watch", Entry::Watch),
    ("tty", Entry::Tty),
    ("ipc", Entry::Ipc),
    ("children", Entry::Children),
];
const STDIO: [(&str, Entry); 3] = [("0", Entry::Stream(0)), ("1", Entry::Stream(1)), ("2", Entry::Stream(2))];

impl Entry {
    fn number(self) -> u64 {
        match self {
            Entry::Root => 1,
            Entry::Ready => 2,
            Entry::Spec => 3,
            Entry::Stdio => 4,
            Entry::Signals => 5,
            Entry::Exit => 6,
            Entry::Children => 7,
            Entry::Stream(n) => 8 + u64::from(n),
            Entry::New => 11,
            Entry::Dns => 12,
            Entry::Refused => 13,
            Entry::Ipc => 14,
            Entry::Watch => 15,
            Entry::Tty => 16,
            Entry::Child(id) => Entry::of_child(id, 0),
            Entry::ChildStdio(id) => Entry::of_child(id, 1),
            Entry::ChildStream(id, n) => Entry::of_child(id, 2 + u64::from(n)),
            Entry::ChildWait(id) => Entry::of_child(id, 5),
            Entry::ChildCtl(id) => Entry::of_child(id, 6),
            Entry::ChildIpc(id) => Entry::of_child(id, 7),
        }
    }
    fn of_child(id: u32, file: u64) -> u64 {
        u64::from(id) << 5 | file
    }
    fn is_dir(self) -> bool {
        matches!(self, Entry::Root | Entry::Stdio | Entry::Children | Entry::Child(_) | Entry::ChildStdio(_))
    }
    /// The names in a directory.
    fn entries(self, link: &Link) -> Vec<(String, Entry)> {
        let named = |entries: &[(&str, Entry)]| {
            entries.iter().map(|(name, entry)| ((*name).to_owned(), *entry)).collect()
        };
        match self {
            Entry::Root => named(&ROOT),
            Entry::Stdio => named(&STDIO),
            Entry::Child(id) => named(&[
                ("stdio", Entry::ChildStdio(id)),
                ("wait", Entry::ChildWait(id)),
                ("ctl", Entry::ChildCtl(id)),
                ("ipc", Entry::ChildIpc(id)),
            ]),
            Entry::ChildStdio(id) => (0..3).map(|n: u8| (n.to_string(), Entry::ChildStream(id, n))).collect(),
            Entry::Children => {
                let children = link.children.numbers().into_iter();
                let children = children.map(|id| (id.to_string(), Entry::Child(id)));
                std::iter::once(("new".to_owned(), Entry::New)).chain(children).collect()
            }
            _ => Vec::new(),
        }
    }
    fn walk(self, link: &Link, name: &[u8]) -> Option<Entry> {
        if self == Entry::Children && name != b"new" {
            let id = std::str::from_utf8(name).ok()?.parse().ok()?;
            return link.children.has(id).then_some(Entry::Child(id));
        }
        let find = |entries: &[(&str, Entry)]| {
            entries.iter().find(|(known, _)| known.as_bytes() == name).map(|(_, entry)| *entry)
        };
        match self {
            Entry::Root => find(&ROOT),
            Entry::Stdio => find(&STDIO),
            _ => self.entries(link).into_iter().find(|(known, _)| known.as_bytes() == name).map(|(_, e)| e),
        }
    }
    /// What it can be opened for.
    fn access(self) -> OpenFlags {
        match self {
            Entry::New
            | Entry::Dns
            | Entry::Watch
            | Entry::Tty
            | Entry::Signals
            | Entry::Ipc
            | Entry::ChildIpc(_) => OpenFlags::READ | OpenFlags::WRITE,
            Entry::Ready
            | Entry::Exit
            | Entry::Stream(1..)
            | Entry::ChildStream(_, 0)
            | Entry::ChildCtl(_) => OpenFlags::WRITE,
            _ => OpenFlags::READ,
        }
    }
}

struct Control {
    tag: Arc<TreeTag>,
    link: Arc<Link>,
    entry: Entry,
}

/// The root of the control tree of the worker behind `link`.
pub(crate) fn root(tag: &Arc<TreeTag>, link: &Arc<Link>) -> Place {
    let root = Arc::new(Control { tag: tag.clone(), link: link.clone(), entry: Entry::Root });
    Namespace::new(root, "#worker").root()
}

impl Control {
    fn at(&self, entry: Entry) -> Arc<Control> {
        Arc::new(Control { tag: self.tag.clone(), link: self.link.clone(), entry })
    }
    fn qid_of(&self, entry: Entry) -> Qid {
        let kind = if entry.is_dir() { Kind::Dir } else { Kind::File };
        // Unique within the connection, which is all that anybody sees of it.
        Qid { kind, version: 0, path: self.tag.path(entry.number()) }
    }

    /// The open file behind an entry that is another's: one of the task's stdio, or of a child's files.
    async fn behind(&self) -> Result<Option<FileRef>> {
        let (id, file, flags) = match self.entry {
            Entry::Stream(number) => return self.stream(number).map(Some),
            Entry::ChildStream(id, 0) => (id, "stdio/0".to_owned(), OpenFlags::WRITE),
            Entry::ChildStream(id, n) => (id, format!("stdio/{n}"), OpenFlags::READ),
            Entry::ChildCtl(id) => (id, "ctl".to_owned(), OpenFlags::WRITE),
            _ => return Ok(None),
        };
        children::open_of(&*self.given()?, id, &file, flags).await.map(Some)
    }
    /// The channel behind an entry that is one, and this worker's end of it.
    fn channel(&self) -> Result<Option<(Arc<Channel>, Side)>> {
        let (channel, side) = match self.entry {
            Entry::Ipc => (self.given()?.ipc.clone(), Side::Child),
            Entry::ChildIpc(id) => (self.link.children.channel(id), Side::Maker),
            _ => return Ok(None),
        };
        let none = || Error::new(Errno::ENXIO, "ipc: it was not forked, and has no channel");
        channel.map(|channel| Some((channel, side))).ok_or_else(none)
    }
    fn given(&self) -> Result<Arc<Given>> {
        self.link.given().ok_or_else(|| Error::new(Errno::ENXIO, "there is no task yet"))
    }

    /// The terminal that the task is at.
    fn screen<T>(&self, what: impl FnOnce(&Screen) -> Result<T>) -> Result<T> {
        match &self.given()?.screen {
            Some(screen) => what(screen),
            None => Err(Error::new(Errno::ENOTTY, "tty: the task is at no terminal")),
        }
    }
    /// A signal that stops a program, and that this one does not take: the task is stopped.
    fn stop(&self, signal: &[u8]) -> Result<()> {
        let word = String::from_utf8_lossy(signal);
        if !["SIGTSTP", "SIGTTIN", "SIGTTOU"].contains(&word.trim()) {
            return Err(Error::new(Errno::EINVAL, format!("signals: {}: does not stop", word.trim())));
        }
        let given = self.given()?;
        let task = given.tasks.upgrade().and_then(|tasks| tasks.get(given.id)).ok_or(Errno::ESRCH)?;
        task.life.stop()
    }

    /// The task's own open file.
    fn stream(&self, number: u8) -> Result<FileRef> {
        let none = || Error::new(Errno::ENXIO, format!("stdio/{number}: there is no task yet"));
        let given = self.link.given().ok_or_else(none)?;
        Ok(given.stdio[usize::from(number)].clone())
    }
}

impl Node for Control {
    fn qid(&self) -> Qid {
        self.qid_of(self.entry)
    }
    fn nature(&self) -> Nature {
        match self.entry {
            Entry::Signals
            | Entry::Spec
            | Entry::Stream(_)
            | Entry::ChildStream(..)
            | Entry::Watch
            | Entry::Ipc
            | Entry::ChildIpc(_)
            | Entry::ChildWait(_) => Nature::Stream,
            _ => Nature::Device,
        }
    }
    fn stat(&self) -> Op<'_, Stat> {
        let mode = if self.entry.is_dir() { 0o555 } else { 0o666 };
        let never = Time { secs: 0, nanos: 0 };
        Op::ok(Stat {
            qid: self.qid(),
            mode: Mode::new(mode),
            uid: Uid(0),
            gid: Gid(0),
            nlink: 1,
            size: 0,
            blocks: 0,
            blksize: 4096,
            rdev: Device::default(),
            atime: never,
            mtime: never,
            ctime: never,
            btime: never,
        })
    }
    fn walk<'a>(&'a self, _who: &'a Caller, name: Name<'a>) -> Op<'a, NodeRef> {
        match self.entry.walk(&self.link, name.as_bytes()) {
            Some(entry) => Op::ok(self.at(entry)),
            None if self.entry.is_dir() => Op::err(Errno::ENOENT),
            None => Op::err(Errno::ENOTDIR),
        }
    }
    fn setstat<'a>(&'a self, _who: &'a Caller, set: SetStat) -> Op<'a, ()> {
        // O_TRUNC of whoever opens for writing.
        if set.mode.is_some() || set.uid.is_some() { Op::err(Errno::EPERM) } else { Op::ok(()) }
    }
    fn open<'a>(self: Arc<Self>, _who: &'a Caller, flags: OpenFlags) -> Op<'a, FileRef> {
        let asked = flags & (OpenFlags::READ | OpenFlags::WRITE);
        if !self.entry.access().contains(asked) {
            return Op::err(Errno::EACCES);
        }
        Op::started(async move {
            let (stream, channel) = (self.behind().await?, self.channel()?);
            let listens = self.entry == Entry::Signals && flags.contains(OpenFlags::READ);
            if listens {
                self.link.add_listener();
            }
            let (node, ended) = (self.clone(), OnceLock::new());
            Ok(Arc::new(OpenControl {
                node,
                control: self,
                stream,
                channel,
                watched: Watched::default(),
                listens,
                answer: Mutex::default(),
                ended,
            }) as FileRef)
        })
    }
}

struct OpenControl {
    node: NodeRef,
    control: Arc<Control>,
    /// What stands behind it, where that is another's file.
    stream: Option<FileRef>,
    /// Of `ipc`: the channel and our end of it.
    channel: Option<(Arc<Channel>, Side)>,
    /// Of `watch`.
    watched: Watched,
    /// Of `signals`: it is for reading.
    listens: bool,
    /// Of `children/new` and `dns`: what came of the last write.
    answer: Mutex<String>,
    /// Of a child's `wait`: what was read of its end.
    ended: OnceLock<Vec<u8>>,
}

impl OpenControl {
    /// What was asked for was refused, and the program is to be told why.
    fn refused(&self, what: &str, error: &Error) {
        if error.is(Errno::EACCES) {
            self.control.link.refusals.add(format!("{what}: {error}"));
        }
    }
}

/// `buf` takes what it can of `text` from `offset` on.
fn copy(text: &[u8], offset: u64, buf: &mut [u8]) -> usize {
    let rest = text.get(usize::try_from(offset).unwrap_or(usize::MAX)..).unwrap_or_default();
    let count = rest.len().min(buf.len());
    buf[..count].copy_from_slice(&rest[..count]);
    count
}

impl OpenFile for OpenControl {
    fn node(&self) -> &NodeRef {
        &self.node
    }

    fn read<'a>(&'a self, offset: u64, buf: &'a mut [u8]) -> Op<'a, usize> {
        let link = &self.control.link;
        if let Some((channel, side)) = &self.channel {
            return channel.read(*side, buf);
        }
        match (self.control.entry, &self.stream) {
            (_, Some(file)) => file.read(offset, buf),
            (Entry::New | Entry::Dns, _) => Op::ok(copy(self.answer.lock().as_bytes(), offset, buf)),
            (Entry::Watch, _) => self.watched.read(buf),
            (Entry::Tty, _) => {
                self.control.screen(|screen| Ok(copy(screen.describe().as_bytes(), offset, buf))).into()
            }
            (Entry::Refused, _) => Op::ok(copy(link.refusals.text().as_bytes(), offset, buf)),
            (Entry::ChildWait(id), _) => Op::started(async move {
                if self.ended.get().is_none() {
                    let ended = children::wait(&*self.control.given()?, id).await?;
                    // Another read of this file may have been told meanwhile: the same.
                    let _told = self.ended.set(ended);
                }
                Ok(copy(self.ended.get().map(Vec::as_slice).unwrap_or_default(), offset, buf))
            }),
            (Entry::Spec, _) => match link.given() {
                Some(given) => Op::ok(copy(&given.spec, offset, buf)),
                None => Op::later(async move { Ok(copy(&link.task().await.spec, offset, buf)) }),
            },
            (Entry::Signals, _) => match link.take_signals(buf.len()) {
                Some(text) => Op::ok(copy(text.as_bytes(), 0, buf)),
                None => Op::later(async move { Ok(copy(link.signals(buf.len()).await.as_bytes(), 0, buf)) }),
            },
            _ => Op::err(Errno::EBADF),
        }
    }

    fn write<'a>(&'a self, _offset: u64, data: &'a [u8]) -> Op<'a, usize> {
        let link = &self.control.link;
        if let Some((channel, side)) = &self.channel {
            return channel.write(*side, data);
        }
        match (self.control.entry, &self.stream) {
            // As every program's output goes: at the end, whatever is bound there.
            (Entry::Stream(_), Some(file)) => file.append(data).map(|(count, _)| count),
            (_, Some(file)) => file.write(0, data),
            (Entry::New, _) => Op::started(async move {
                let made = link.children.make(&*self.control.given()?, &link.exchange, data).await;
                let id = made.inspect_err(|error| self.refused("spawn", error))?;
                *self.answer.lock() = format!("{id}\n");
                Ok(data.len())
            }),
            (Entry::Dns, _) => Op::started(async move {
                let found = net::look_up(&*self.control.given()?, data).await;
                let name = String::from_utf8_lossy(data);
                let name = name.split(' ').next().unwrap_or_default();
                let found = found.inspect_err(|error| self.refused(&format!("resolve {name}"), error))?;
                *self.answer.lock() = found;
                Ok(data.len())
            }),
            (Entry::Watch, _) => Op::started(async move {
                let given = self.control.given()?;
                self.watched.begin(&given.root, &given.who, &given.watches, data).await?;
                Ok(data.len())
            }),
            (Entry::Tty, _) => self.control.screen(|screen| screen.command(data).map(|()| data.len())).into(),
            (Entry::Signals, _) => self.control.stop(data).map(|()| data.len()).into(),
            (Entry::Ready, _) => {
                link.set_ready();
                Op::ok(data.len())
            }
            (Entry::Exit, _) if link.given().is_none() => {
                Op::err(Error::new(Errno::ENXIO, "exit: there is no task yet"))
            }
            (Entry::Exit, _) => {
                let told = spec::end(data).map(|(exit, round_trips)| {
                    link.round_trips.store(round_trips, Ordering::Relaxed);
                    link.end(exit);
                });
                told.map(|()| data.len()).into()
            }
            _ => Op::err(Errno::EBADF),
        }
    }

    fn ready(&self, interest: Interest) -> Op<'_, ()> {
        self.stream.as_ref().map_or(Op::ok(()), |file| file.ready(interest))
    }

    fn set_size(&self, _size: u64) -> Op<'_, ()> {
        Op::ok(())
    }

    fn readdir<'a>(&'a self, cookie: u64, sink: &'a mut Sink<'a>) -> Op<'a, ()> {
        if !self.control.entry.is_dir() {
            return Op::err(Errno::ENOTDIR);
        }
        let from = usize::try_from(cookie).unwrap_or(usize::MAX);
        let entries = self.control.entry.entries(&self.control.link);
        for (index, (name, entry)) in entries.iter().enumerate().skip(from) {
            let name = Name::new(name.as_bytes()).expect("a constant or a number");
            let entry = DirEntry { name, qid: self.control.qid_of(*entry), cookie: index as u64 + 1 };
            if !sink(entry) {
                break;
            }
        }
        Op::ok(())
    }
}

impl Drop for OpenControl {
    fn drop(&mut self) {
        let link = &self.control.link;
        if let Some((channel, _)) = &self.channel {
            channel.close();
        }
        match self.control.entry {
            Entry::Signals if self.listens => link.remove_listener(),
            // Whoever has read how it ended wants no more of it.
            Entry::ChildWait(id) if self.ended.get().is_some() => {
                if let (Some(given), Ok(runtime)) = (link.given(), Handle::try_current()) {
                    let link = link.clone();
                    runtime.spawn(async move { link.children.remove(&given, id).await });
                }
            }
            _ => {}
        }
    }
}
