//! The control tree of a worker: how it learns its task, feeds it and says how it ended. Only the worker sees it.
//!
//! ```text
//! ready       a write: it is warm
//! spec        a read waits for the task, and gives it as JSON
//! stdio/0     the task's input
//!       1 2   its output
//! signals     a read waits for a signal: SIGINT, a line each
//! exit        a write of JSON: the task's end
//! ```

use crate::link::Link;
use crate::spec;
use std::sync::Arc;
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
}

const ROOT: [(&str, Entry); 5] = [
    ("ready", Entry::Ready),
    ("spec", Entry::Spec),
    ("stdio", Entry::Stdio),
    ("signals", Entry::Signals),
    ("exit", Entry::Exit),
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
            Entry::Stream(n) => 8 + u64::from(n),
        }
    }
    fn children(self) -> Option<&'static [(&'static str, Entry)]> {
        match self {
            Entry::Root => Some(&ROOT),
            Entry::Stdio => Some(&STDIO),
            _ => None,
        }
    }
    /// What it can be opened for.
    fn access(self) -> OpenFlags {
        match self {
            Entry::Ready | Entry::Exit | Entry::Stream(1..) => OpenFlags::WRITE,
            Entry::Spec | Entry::Signals | Entry::Stream(0) | Entry::Root | Entry::Stdio => OpenFlags::READ,
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
        let kind = if entry.children().is_some() { Kind::Dir } else { Kind::File };
        Qid { kind, version: 0, path: self.tag.path(self.link.number << 8 | entry.number()) }
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
            Entry::Signals | Entry::Spec | Entry::Stream(_) => Nature::Stream,
            _ => Nature::Device,
        }
    }
    fn stat(&self) -> Op<'_, Stat> {
        let mode = if self.entry.children().is_some() { 0o555 } else { 0o666 };
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
        let Some(children) = self.entry.children() else { return Op::err(Errno::ENOTDIR) };
        match children.iter().find(|(known, _)| known.as_bytes() == name.as_bytes()) {
            Some((_, entry)) => Op::ok(self.at(*entry)),
            None => Op::err(Errno::ENOENT),
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
        let stream = match self.entry {
            Entry::Stream(number) => match self.stream(number) {
                Ok(file) => Some(file),
                Err(error) => return Op::err(error),
            },
            _ => None,
        };
        if self.entry == Entry::Signals {
            self.link.add_listener();
        }
        Op::ok(Arc::new(OpenControl { node: self.clone(), control: self, stream }))
    }
}

struct OpenControl {
    node: NodeRef,
    control: Arc<Control>,
    /// What stands behind one of stdio.
    stream: Option<FileRef>,
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
        match (self.control.entry, &self.stream) {
            (Entry::Stream(_), Some(file)) => file.read(offset, buf),
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
        match (self.control.entry, &self.stream) {
            // As every program's output goes: at the end, whatever is bound there.
            (Entry::Stream(_), Some(file)) => file.append(data).map(|(count, _)| count),
            (Entry::Ready, _) => {
                link.set_ready();
                Op::ok(data.len())
            }
            (Entry::Exit, _) if link.given().is_none() => {
                Op::err(Error::new(Errno::ENXIO, "exit: there is no task yet"))
            }
            (Entry::Exit, _) => spec::end(data).map(|exit| link.end(exit)).map(|()| data.len()).into(),
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
        let Some(children) = self.control.entry.children() else { return Op::err(Errno::ENOTDIR) };
        let from = usize::try_from(cookie).unwrap_or(usize::MAX);
        for (index, (name, entry)) in children.iter().enumerate().skip(from) {
            let name = Name::new(name.as_bytes()).expect("a constant without slashes");
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
        if self.control.entry == Entry::Signals {
            self.control.link.remove_listener();
        }
    }
}
