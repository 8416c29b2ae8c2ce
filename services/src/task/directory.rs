//! `/task/<id>` and `/task/<id>/stdio`: what one task shows.

use crate::synth::{Attr, OpenDir, only_truncates};
use crate::task::report::{self, Report};
use crate::task::setting::{self, Setting};
use crate::task::{Shown, attr, ctl, file, ns, trace};
use std::sync::{Arc, Weak};
use task::stdio::StdioNode;
use vfs::{
    Caller, Errno, FileRef, Kind, Name, Nature, Node, NodeRef, Op, OpenFlags, Place, Qid, SetStat, Stat,
    Telling, Watch, Watcher,
};

pub(crate) fn node(task: Shown) -> NodeRef {
    Arc::new(Directory { attr: attr(&task, Kind::Dir, file::DIRECTORY, 0o755), task })
}

struct Directory {
    attr: Attr,
    task: Shown,
}

/// An entry of a task's directory.
#[derive(Clone, Copy)]
enum Entry {
    Ctl,
    Setting(Setting),
    Report(Report),
    Ns,
    Trace,
    Stdio,
    Root,
}

const ENTRIES: [(&str, Entry); 20] = [
    ("ctl", Entry::Ctl),
    ("type", Entry::Setting(Setting::Type)),
    ("cmd", Entry::Setting(Setting::Cmd)),
    ("argv", Entry::Setting(Setting::Argv)),
    ("env", Entry::Setting(Setting::Env)),
    ("cwd", Entry::Setting(Setting::Cwd)),
    ("alias", Entry::Setting(Setting::Alias)),
    ("limits", Entry::Setting(Setting::Limits)),
    ("caps", Entry::Setting(Setting::Caps)),
    ("ns", Entry::Ns),
    ("status", Entry::Report(Report::Status)),
    ("wait", Entry::Report(Report::Wait)),
    ("exitcode", Entry::Report(Report::ExitCode)),
    ("pid", Entry::Report(Report::Pid)),
    ("ppid", Entry::Report(Report::Ppid)),
    ("container", Entry::Report(Report::Container)),
    ("usage", Entry::Report(Report::Usage)),
    ("trace", Entry::Trace),
    ("stdio", Entry::Stdio),
    ("root", Entry::Root),
];

impl Entry {
    fn qid(self, task: &Shown) -> Qid {
        let (kind, number) = match self {
            Entry::Ctl => (Kind::File, file::CTL),
            Entry::Setting(setting) => (Kind::File, setting.number()),
            Entry::Report(report) => (Kind::File, report.number()),
            Entry::Ns => (Kind::File, file::NS),
            Entry::Trace => (Kind::File, file::TRACE),
            Entry::Stdio => (Kind::Dir, file::STDIO),
            Entry::Root => (Kind::Dir, file::ROOT),
        };
        Qid { kind, version: 0, path: task.path(number) }
    }

    fn node(self, task: &Shown) -> NodeRef {
        let task = task.clone();
        match self {
            Entry::Ctl => ctl::node(task),
            Entry::Setting(setting) => setting::node(task, setting),
            Entry::Report(report) => report::node(task, report),
            Entry::Ns => ns::node(task),
            Entry::Trace => trace::node(task),
            Entry::Stdio => Arc::new(StdioDir { attr: attr(&task, Kind::Dir, file::STDIO, 0o555), task }),
            Entry::Root => Arc::new(RootDir { attr: attr(&task, Kind::Dir, file::ROOT, 0o500), task }),
        }
    }
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
    /// Nothing is believed; but a kernel that knows names in here keeps them, and the task with them, until it is told.
    fn watch(&self, watcher: &Weak<dyn Watcher>, _what: Watch) -> Telling {
        self.task.watch(watcher);
        Telling::Nothing
    }
    fn walk<'a>(&'a self, who: &'a Caller, name: Name<'a>) -> Op<'a, NodeRef> {
        if self.task.was_removed() {
            return Op::err(Errno::ENOENT);
        }
        let Some((_, entry)) = ENTRIES.iter().find(|(known, _)| known.as_bytes() == name.as_bytes()) else {
            return Op::err(Errno::ENOENT);
        };
        // Behind the portal the mode bits are those of another tree's root, so they are asked before.
        if matches!(entry, Entry::Root) && !who.is_root() && who.uid != self.attr.uid {
            return Op::err(Errno::EACCES);
        }
        Op::ok(entry.node(&self.task))
    }
    /// A guest finds `root` by its name only: a program that looks through all of its own / (jest, chokidar, find) would meet
    /// each of its files again in every task.
    fn open<'a>(self: Arc<Self>, who: &'a Caller, _flags: OpenFlags) -> Op<'a, FileRef> {
        let shown = ENTRIES.iter().filter(|(_, entry)| who.task.is_none() || !matches!(entry, Entry::Root));
        let entries = shown.map(|(name, entry)| (*name, entry.qid(&self.task))).collect();
        Op::ok(OpenDir::open(self, entries))
    }
}

struct StdioDir {
    attr: Attr,
    task: Shown,
}

impl StdioDir {
    fn stream(&self, number: u8) -> NodeRef {
        let node = StdioNode::new(self.task.task.clone(), number);
        Arc::new(if self.task.aside { node.aside() } else { node })
    }
}

impl Node for StdioDir {
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
        match name.as_bytes() {
            _ if self.task.was_removed() => Op::err(Errno::ENOENT),
            [digit @ b'0'..=b'2'] => Op::ok(self.stream(digit - b'0')),
            _ => Op::err(Errno::ENOENT),
        }
    }
    fn open<'a>(self: Arc<Self>, _who: &'a Caller, _flags: OpenFlags) -> Op<'a, FileRef> {
        let entries =
            ["0", "1", "2"].into_iter().zip(0..).map(|(name, n)| (name, self.stream(n).qid())).collect();
        Op::ok(OpenDir::open(self, entries))
    }
}

/// `root`: whoever walks here goes on in the task's namespace. Seen through another such, it is an empty directory.
struct RootDir {
    attr: Attr,
    task: Shown,
}

impl Node for RootDir {
    fn qid(&self) -> Qid {
        self.attr.qid()
    }
    fn nature(&self) -> Nature {
        Nature::Device
    }
    fn stat(&self) -> Op<'_, Stat> {
        Op::ok(self.attr.stat())
    }
    fn portal(&self) -> Option<Place> {
        Some(self.task.namespace().root())
    }
    fn walk<'a>(&'a self, _who: &'a Caller, _name: Name<'a>) -> Op<'a, NodeRef> {
        Op::err(Errno::ENOENT)
    }
    fn open<'a>(self: Arc<Self>, _who: &'a Caller, _flags: OpenFlags) -> Op<'a, FileRef> {
        Op::ok(OpenDir::open(self, Vec::new()))
    }
}
