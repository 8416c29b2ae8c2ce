//! `/web/container/<id>`: what one container shows.

use crate::container::make::{Forks, new};
use crate::container::report::{self, Report};
use crate::container::setting::{self, Setting};
use crate::container::{archive, attr, ctl, events, file, ports, processes};
use crate::synth::{Attr, OpenDir, only_truncates};
use ::container::Container;
use std::sync::{Arc, Weak};
use vfs::{
    Caller, Errno, FileRef, Kind, Name, Nature, Node, NodeRef, Op, OpenFlags, Place, Qid, SetStat, Stat,
    Telling, Watch, Watcher,
};

pub(super) fn node(container: Arc<Container>) -> NodeRef {
    Arc::new(Directory { attr: attr(&container, Kind::Dir, file::DIRECTORY, 0o755), container })
}

struct Directory {
    attr: Attr,
    container: Arc<Container>,
}

/// An entry of a container's directory.
#[derive(Clone, Copy)]
enum Entry {
    Ctl,
    Report(Report),
    Setting(Setting),
    Mount,
    Processes,
    Ports,
    Events,
    Export,
    Import,
    Fork,
}

const ENTRIES: [(&str, Entry); 12] = [
    ("ctl", Entry::Ctl),
    ("status", Entry::Report(Report::Status)),
    ("mount", Entry::Mount),
    ("processes", Entry::Processes),
    ("ports", Entry::Ports),
    ("events", Entry::Events),
    ("export", Entry::Export),
    ("import", Entry::Import),
    ("fork", Entry::Fork),
    ("limits", Entry::Setting(Setting::Limits)),
    ("caps", Entry::Setting(Setting::Caps)),
    ("usage", Entry::Report(Report::Usage)),
];

impl Entry {
    fn node(self, container: &Arc<Container>) -> NodeRef {
        let container = container.clone();
        match self {
            Entry::Ctl => ctl::node(container),
            Entry::Report(report) => report::node(container, report),
            Entry::Setting(setting) => setting::node(container, setting),
            Entry::Mount => {
                Arc::new(Mount { attr: attr(&container, Kind::Dir, file::MOUNT, 0o700), container })
            }
            Entry::Processes => processes::node(container),
            Entry::Ports => ports::node(container),
            Entry::Events => events::node(container),
            Entry::Export => archive::export(container),
            Entry::Import => archive::import(container),
            Entry::Fork => new(attr(&container, Kind::File, file::FORK, 0o400), Forks(container)),
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
    /// Nothing is believed; but a kernel that knows names in here keeps them, and the container with them, until it is told.
    fn watch(&self, watcher: &Weak<dyn Watcher>, _what: Watch) -> Telling {
        self.container.watch(watcher);
        Telling::Nothing
    }
    fn walk<'a>(&'a self, who: &'a Caller, name: Name<'a>) -> Op<'a, NodeRef> {
        if self.container.was_destroyed() {
            return Op::err(Errno::ENOENT);
        }
        let Some((_, entry)) = ENTRIES.iter().find(|(known, _)| known.as_bytes() == name.as_bytes()) else {
            return Op::err(Errno::ENOENT);
        };
        // Behind the portal the mode bits are those of another tree's root, so they are asked before.
        if matches!(entry, Entry::Mount) && !who.is_root() && who.uid != self.attr.uid {
            return Op::err(Errno::EACCES);
        }
        Op::ok(entry.node(&self.container))
    }
    fn open<'a>(self: Arc<Self>, _who: &'a Caller, _flags: OpenFlags) -> Op<'a, FileRef> {
        let entries =
            ENTRIES.iter().map(|(name, entry)| (*name, entry.node(&self.container).qid())).collect();
        Op::ok(OpenDir::open(self, entries))
    }
}

/// `mount`: whoever walks here goes on in the container's files.
struct Mount {
    attr: Attr,
    container: Arc<Container>,
}

impl Node for Mount {
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
        Some(self.container.root())
    }
    fn walk<'a>(&'a self, _who: &'a Caller, _name: Name<'a>) -> Op<'a, NodeRef> {
        Op::err(Errno::ENOENT)
    }
    fn open<'a>(self: Arc<Self>, _who: &'a Caller, _flags: OpenFlags) -> Op<'a, FileRef> {
        Op::ok(OpenDir::open(self, Vec::new()))
    }
}
