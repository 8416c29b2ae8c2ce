//! The directory `/task`: new, clone, self, and a directory a task.

use crate::synth::{Attr, Dir, only_truncates};
use crate::task::{Makes, Shown, attr_of_none, directory, make, number, own};
use std::sync::Arc;
use task::TaskTable;
use vfs::{
    Caller, DirEntry, Errno, Error, FileRef, Kind, Name, Nature, Node, NodeRef, Op, OpenFile, OpenFlags, Qid,
    SetStat, Sink, Stat, TaskId, Time,
};

/// Tasks listed under one lock of the table.
const BATCH: usize = 256;
/// Cookies below are those of new, clone and self; a task's is its number above this.
const FIRST_TASK: u64 = 16;

pub(crate) fn tree(table: &Arc<TaskTable>) -> NodeRef {
    let born = Time::now();
    Arc::new(Root {
        // Sticky is what lets an owner remove a directory of his own and nobody else's; mode bits let all try.
        attr: attr_of_none(table, Kind::Dir, number::ROOT, 0o1777, born),
        new: make::new(attr_of_none(table, Kind::File, number::NEW, 0o444, born), Makes(table.clone())),
        clone: make::clone(attr_of_none(table, Kind::File, number::CLONE, 0o666, born), Makes(table.clone())),
        table: table.clone(),
    })
}

struct Root {
    attr: Attr,
    table: Arc<TaskTable>,
    new: NodeRef,
    clone: NodeRef,
}

/// The number that `name` is written as: decimal, without leading zeros.
pub(crate) fn id(name: &[u8]) -> Option<TaskId> {
    let text = std::str::from_utf8(name).ok()?;
    let plain = !text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit());
    if plain { text.parse().ok().map(TaskId) } else { None }
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
            b"new" => return Op::ok(self.new.clone()),
            b"clone" => return Op::ok(self.clone.clone()),
            b"self" => {
                let nobody = || Error::new(Errno::ENOENT, "/task/self: who asks is not a task");
                return own(&self.table, who).ok_or_else(nobody).into();
            }
            _ => {}
        }
        let Some(task) = id(name.as_bytes()).and_then(|id| self.table.get(id)) else {
            return Op::err(Errno::ENOENT);
        };
        task.reachable_by(who).map(|()| directory(Shown::first(task))).into()
    }

    /// Seen through a task's root it is empty: ls -R over /task would otherwise list every task once for each task.
    fn behind_portal(&self) -> Option<NodeRef> {
        Some(Dir::new(Attr { mode: 0o555, ..self.attr }, Vec::new()))
    }

    fn rmdir<'a>(&'a self, who: &'a Caller, name: Name<'a>) -> Op<'a, ()> {
        let Some(id) = id(name.as_bytes()) else { return Op::err(Errno::EPERM) };
        let Some(task) = self.table.get(id) else { return Op::err(Errno::ENOENT) };
        task.reachable_by(who).and_then(|()| self.table.remove(id)).into()
    }

    fn open<'a>(self: Arc<Self>, who: &'a Caller, _flags: OpenFlags) -> Op<'a, FileRef> {
        let own = own(&self.table, who).map(|node| node.qid());
        Op::ok(Arc::new(OpenRoot { node: self.clone(), root: self, who: who.clone(), own }))
    }
}

struct OpenRoot {
    node: NodeRef,
    root: Arc<Root>,
    who: Caller,
    own: Option<Qid>,
}

impl OpenFile for OpenRoot {
    fn node(&self) -> &NodeRef {
        &self.node
    }

    fn readdir<'a>(&'a self, cookie: u64, sink: &'a mut Sink<'a>) -> Op<'a, ()> {
        let fixed =
            [("new", Some(self.root.new.qid())), ("clone", Some(self.root.clone.qid())), ("self", self.own)];
        for (index, (name, qid)) in fixed.into_iter().enumerate() {
            let next = index as u64 + 1;
            let (Some(qid), Ok(name)) = (qid, Name::new(name.as_bytes())) else { continue };
            if next > cookie && !sink(DirEntry { name, qid, cookie: next }) {
                return Op::ok(());
            }
        }
        let mut after = u32::try_from(cookie.saturating_sub(FIRST_TASK)).unwrap_or(u32::MAX);
        loop {
            let batch = self.root.table.after(after, BATCH);
            let Some(last) = batch.last() else { return Op::ok(()) };
            after = last.id.0;
            for task in &batch {
                if task.reachable_by(&self.who).is_err() {
                    continue;
                }
                let text = task.id.to_string();
                let qid = Shown::first(task.clone()).qid();
                let cookie = FIRST_TASK + u64::from(task.id.0);
                // Digits are a name.
                let Ok(name) = Name::new(text.as_bytes()) else { continue };
                if !sink(DirEntry { name, qid, cookie }) {
                    return Op::ok(());
                }
            }
        }
    }
}
