//! The directories `/web` and `/web/container`: new, clone, snapshots, and a directory a container.

use crate::container::make::{MakesContainers, clone, new};
use crate::container::{attr, attr_of_none, directory, file, number};
use crate::synth::{Attr, Dir, Show, Text, only_truncates};
use crate::task::id;
use ::container::{Container, ContainerTable};
use std::sync::Arc;
use vfs::{
    Caller, DirEntry, Errno, FileRef, Kind, Name, Nature, Node, NodeRef, Op, OpenFile, OpenFlags, Qid,
    SetStat, Sink, Stat, Time,
};

/// Containers listed under one lock of the table.
const BATCH: usize = 256;
/// Cookies below are those of new, clone and snapshots; a container's is its number above this.
const FIRST: u64 = 16;

/// `#web`.
pub(crate) fn tree(table: &Arc<ContainerTable>) -> NodeRef {
    let born = Time::now();
    let fixed = |kind, number, mode| attr_of_none(table, kind, number, mode, born);
    let root = Arc::new(Root {
        // Sticky is what lets an owner remove a directory of his own and nobody else's; mode bits let all try.
        attr: fixed(Kind::Dir, number::ROOT, 0o1777),
        new: new(fixed(Kind::File, number::NEW, 0o444), MakesContainers(table.clone())),
        clone: clone(fixed(Kind::File, number::CLONE, 0o666), MakesContainers(table.clone())),
        snapshots: Text::node(fixed(Kind::File, number::SNAPSHOTS, 0o444), Snapshots(table.clone())),
        table: table.clone(),
    });
    Dir::new(fixed(Kind::Dir, number::WEB, 0o555), vec![("container", root)])
}

struct Snapshots(Arc<ContainerTable>);

impl Show for Snapshots {
    fn show(&self) -> Op<'_, Vec<u8>> {
        Op::ok(Vec::new())
    }
    fn show_to<'a>(&'a self, who: &'a Caller) -> Op<'a, Vec<u8>> {
        self.0.snapshots().list(who.uid).map(String::into_bytes).into()
    }
}

struct Root {
    attr: Attr,
    table: Arc<ContainerTable>,
    new: NodeRef,
    clone: NodeRef,
    snapshots: NodeRef,
}

impl Root {
    fn get(&self, who: &Caller, name: &[u8]) -> Option<Arc<Container>> {
        let container = id(name).and_then(|id| self.table.get(id.0))?;
        container.reachable_by(who).is_ok().then_some(container)
    }
}

impl Node for Root {
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

    fn walk<'a>(&'a self, who: &'a Caller, name: Name<'a>) -> Op<'a, NodeRef> {
        match name.as_bytes() {
            b"new" => Op::ok(self.new.clone()),
            b"clone" => Op::ok(self.clone.clone()),
            b"snapshots" => Op::ok(self.snapshots.clone()),
            name => match self.get(who, name) {
                Some(container) => Op::ok(directory::node(container)),
                None => Op::err(Errno::ENOENT),
            },
        }
    }

    /// Seen through a task's or a container's root it is empty.
    fn behind_portal(&self) -> Option<NodeRef> {
        Some(Dir::new(Attr { mode: 0o555, ..self.attr }, Vec::new()))
    }

    fn rmdir<'a>(&'a self, who: &'a Caller, name: Name<'a>) -> Op<'a, ()> {
        if id(name.as_bytes()).is_none() {
            return Op::err(Errno::EPERM);
        }
        let Some(container) = self.get(who, name.as_bytes()) else { return Op::err(Errno::ENOENT) };
        Op::started(async move { container.destroy().await })
    }

    fn open<'a>(self: Arc<Self>, who: &'a Caller, _flags: OpenFlags) -> Op<'a, FileRef> {
        Op::ok(Arc::new(OpenRoot { node: self.clone(), root: self, who: who.clone() }))
    }
}

struct OpenRoot {
    node: NodeRef,
    root: Arc<Root>,
    who: Caller,
}

impl OpenFile for OpenRoot {
    fn node(&self) -> &NodeRef {
        &self.node
    }

    fn readdir<'a>(&'a self, cookie: u64, sink: &'a mut Sink<'a>) -> Op<'a, ()> {
        let root = &self.root;
        let fixed =
            [("new", root.new.qid()), ("clone", root.clone.qid()), ("snapshots", root.snapshots.qid())];
        for (index, (name, qid)) in fixed.into_iter().enumerate() {
            let next = index as u64 + 1;
            let Ok(name) = Name::new(name.as_bytes()) else { continue };
            if next > cookie && !sink(DirEntry { name, qid, cookie: next }) {
                return Op::ok(());
            }
        }
        let mut after = u32::try_from(cookie.saturating_sub(FIRST)).unwrap_or(u32::MAX);
        loop {
            let batch = root.table.after(after, BATCH);
            let Some(last) = batch.last() else { return Op::ok(()) };
            after = last.id;
            for container in batch.iter().filter(|container| container.reachable_by(&self.who).is_ok()) {
                let text = container.id.to_string();
                let qid = attr(container, Kind::Dir, file::DIRECTORY, 0).qid();
                // Digits are a name.
                let Ok(name) = Name::new(text.as_bytes()) else { continue };
                if !sink(DirEntry { name, qid, cookie: FIRST + u64::from(container.id) }) {
                    return Op::ok(());
                }
            }
        }
    }
}
