//! Directories whose entries do not change.

use crate::synth::Attr;
use std::sync::{Arc, Weak};
use vfs::{
    Caller, DirEntry, Errno, FileRef, Name, Nature, Node, NodeRef, Op, OpenFile, OpenFlags, Qid, Result,
    SetStat, Sink, Stat, Telling, Watch, Watcher,
};

/// A directory with fixed entries, in the order they are listed.
pub(crate) struct Dir {
    attr: Attr,
    entries: Vec<(&'static str, NodeRef)>,
    /// It is empty where it is reached through a portal.
    once: bool,
}

impl Dir {
    pub fn new(attr: Attr, entries: Vec<(&'static str, NodeRef)>) -> Arc<Dir> {
        Arc::new(Dir { attr, entries, once: false })
    }
    /// One that holds much, and the same in every namespace: walks over all tasks are not to meet it in each task's root.
    pub fn shown_once(attr: Attr, entries: Vec<(&'static str, NodeRef)>) -> Arc<Dir> {
        Arc::new(Dir { attr, entries, once: true })
    }
}

impl Node for Dir {
    fn qid(&self) -> Qid {
        self.attr.qid()
    }
    fn nature(&self) -> Nature {
        Nature::Device
    }
    fn stat(&self) -> Op<'_, Stat> {
        Op::ok(self.attr.stat())
    }
    /// There is nothing to tell of the entries: they never change.
    fn watch(&self, _watcher: &Weak<dyn Watcher>, what: Watch) -> Telling {
        if what == Watch::NAMES { Telling::EveryChange } else { Telling::Nothing }
    }
    fn behind_portal(&self) -> Option<NodeRef> {
        self.once.then(|| Dir::new(self.attr, Vec::new()) as NodeRef)
    }
    fn setstat<'a>(&'a self, _who: &'a Caller, set: SetStat) -> Op<'a, ()> {
        super::only_truncates(set).map(|_| ()).into()
    }
    fn walk<'a>(&'a self, _who: &'a Caller, name: Name<'a>) -> Op<'a, NodeRef> {
        match self.entries.iter().find(|(known, _)| known.as_bytes() == name.as_bytes()) {
            Some((_, node)) => Op::ok(node.clone()),
            None => Op::err(Errno::ENOENT),
        }
    }
    fn open<'a>(self: Arc<Self>, _who: &'a Caller, _flags: OpenFlags) -> Op<'a, FileRef> {
        let entries = self.entries.iter().map(|(name, node)| (*name, node.qid())).collect();
        Op::ok(OpenDir::open(self, entries))
    }
}

/// An open directory whose entries are known when it is opened.
pub(crate) struct OpenDir {
    node: NodeRef,
    entries: Vec<(&'static str, Qid)>,
}

impl OpenDir {
    pub fn open(node: NodeRef, entries: Vec<(&'static str, Qid)>) -> FileRef {
        Arc::new(OpenDir { node, entries })
    }
}

impl OpenFile for OpenDir {
    fn node(&self) -> &NodeRef {
        &self.node
    }
    fn readdir<'a>(&'a self, cookie: u64, sink: &'a mut Sink<'a>) -> Op<'a, ()> {
        list(&self.entries, cookie, sink).into()
    }
}

fn list(entries: &[(&'static str, Qid)], cookie: u64, sink: &mut Sink<'_>) -> Result<()> {
    let from = usize::try_from(cookie).unwrap_or(usize::MAX);
    for (index, (name, qid)) in entries.iter().enumerate().skip(from) {
        let entry = DirEntry { name: Name::new(name.as_bytes())?, qid: *qid, cookie: index as u64 + 1 };
        if !sink(entry) {
            break;
        }
    }
    Ok(())
}
