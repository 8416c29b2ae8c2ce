//! One overlay's tree becomes part of another one: all of it in one step, without a copy of any bytes.

use super::attempt::{Step, Stop, attempt};
use super::cell::{Cell, Slot};
use super::inode::{Inode, Room, Turn};
use super::{Overlay, Tree};
use crate::access::{check, check_sticky};
use crate::mem::entries::Entries;
use crate::*;
use std::any::Any;
use std::collections::HashMap;
use std::sync::Arc;

/// Puts what is in `from`, which has no layers and which nobody else holds, into the directory `onto` of another overlay, in
/// the name of `who`. Directories are merged and stay what they are; other files give way to files of their name. All of it
/// is there at once, or nothing.
pub(crate) async fn graft(who: &Caller, from: Overlay, onto: &NodeRef) -> Result<()> {
    let any: Arc<dyn Any + Send + Sync> = onto.clone();
    let Ok(onto) = any.downcast::<Inode>() else {
        return Err(Error::new(Errno::EOPNOTSUPP, "only an overlay takes a whole tree in one step"));
    };
    let (to, from) = (onto.tree().clone(), from.tree.clone());
    let changed = attempt(|| Graft { who, from: &from, to: &to }.run(&onto)).await?;
    for change in changed {
        for (name, there) in &change.names {
            let name = name.as_name();
            change.dir.tell(if there.is_some() { Change::Gone(name) } else { Change::Made(name) });
            if let Some(there) = there {
                there.tell(Change::Status);
            }
        }
    }
    Ok(())
}

struct Graft<'a> {
    who: &'a Caller,
    from: &'a Tree,
    to: &'a Arc<Tree>,
}

/// A directory that is there, and what it gets.
struct Merge {
    dir: Arc<Inode>,
    new: Vec<(NameBuf, Slot, Option<Arc<Inode>>)>,
}

/// What was changed: a directory's names, with what they led to before.
struct Changed {
    dir: Arc<Inode>,
    names: Vec<(NameBuf, Option<Arc<Inode>>)>,
}

impl Graft<'_> {
    fn run(&self, onto: &Arc<Inode>) -> Step<Vec<Changed>> {
        // Declared first, so dropped last: it may be the end of large files.
        let mut changed = Vec::new();
        let merges;
        {
            let turn = onto.turn();
            let _naming = self.to.naming.lock();
            let merged;
            (merges, merged) = self.plan(onto)?;
            let (bytes, inodes) = (self.from.space.used_bytes(), self.from.space.used_inodes());
            self.to.space.take_all(bytes, inodes - merged)?;
            let owned = merges.iter().map(|merge| {
                let dir = merge.dir.own(&turn, Room::Asked)?;
                let old = merge.new.iter().filter_map(|(_, _, there)| there.as_ref());
                for there in old {
                    there.own(&turn, Room::Asked)?;
                }
                Ok(dir)
            });
            let owned: Vec<Arc<Cell>> = match owned.collect::<Result<_>>() {
                Ok(owned) => owned,
                Err(error) => {
                    self.to.space.give_all(bytes, inodes - merged);
                    return Err(error.into());
                }
            };

            // From here on nothing fails, and nobody looks into any of the directories: nobody else waits for one while he holds
            // another.
            let mut states: Vec<_> = owned.iter().map(|cell| cell.state.write()).collect();
            let mut planted = Planted { graft: self, turn: &turn, numbers: HashMap::new(), todo: Vec::new() };
            for ((merge, cell), state) in merges.iter().zip(&owned).zip(&mut states) {
                let mut names = Vec::new();
                for (name, slot, there) in &merge.new {
                    let slot = planted.number(*slot, merge.dir.number());
                    planted.all();
                    state.nlink += u32::from(slot.kind.is_dir());
                    let Ok(entries) = state.names_mut() else { continue };
                    match entries.find(&self.to.names, name.as_name()) {
                        Some(at) => drop(entries.replace(at, slot)),
                        None => entries.insert(&self.to.names, name.as_name(), slot),
                    }
                    if let Some(there) = there
                        && let Ok(own) = there.own(&turn, Room::Given)
                    {
                        there.lose_a_name(&own);
                    }
                    names.push((name.clone(), there.clone()));
                }
                cell.changed(state);
                changed.push(Changed { dir: merge.dir.clone(), names });
            }
        }
        Ok(changed)
    }

    /// What goes where, and how many directories are there already. Changes nothing.
    fn plan(&self, onto: &Arc<Inode>) -> Step<(Vec<Merge>, u64)> {
        let mut merges = Vec::new();
        let mut merged = 0;
        let mut todo = vec![(onto.clone(), super::ROOT, Vec::new())];
        while let Some((dir, number, path)) = todo.pop() {
            merged += 1;
            let mut new = Vec::new();
            for (name, slot) in self.entries(number) {
                let mut path: Vec<u8> = path.clone();
                path.extend_from_slice(&name);
                let context =
                    |error: Error| Stop::Fail(error.context(String::from_utf8_lossy(&path).escape_debug()));
                match dir.lookup_if_there(name.as_name())? {
                    Some(there) if there.is_dir() && slot.kind.is_dir() => {
                        path.push(b'/');
                        todo.push((there, slot.number, path));
                        continue;
                    }
                    Some(there) if there.is_dir() => {
                        return Err(context(Error::new(Errno::EISDIR, "there is a directory of this name")));
                    }
                    Some(_) if slot.kind.is_dir() => {
                        return Err(context(Error::new(Errno::ENOTDIR, "what is there is no directory")));
                    }
                    there => {
                        self.permit(&dir, there.as_deref()).map_err(context)?;
                        new.push((name, slot, there));
                    }
                }
            }
            if dir.is_gone() {
                return Errno::ENOENT.into();
            }
            if !new.is_empty() {
                merges.push(Merge { dir, new });
            }
        }
        Ok((merges, merged))
    }

    /// Fails where `who` may not put an entry into `dir`, where `there` is now.
    fn permit(&self, dir: &Inode, there: Option<&Inode>) -> Result<()> {
        if self.who.checked || self.who.is_root() {
            return Ok(());
        }
        let stat = dir.stat_now();
        check(dir, self.who, &stat, Access::WRITE | Access::EXEC).or_again()?;
        there.map_or(Ok(()), |there| check_sticky(self.who, &stat, &there.stat_now()))
    }

    /// What is in a directory of the tree that is moved.
    fn entries(&self, number: u64) -> Vec<(NameBuf, Slot)> {
        let Some(cell) = self.from.cell(number) else { return Vec::new() };
        let state = cell.state.read();
        let entries = state.dir().ok().and_then(|dir| dir.entries());
        let entries = entries.into_iter().flat_map(|entries| entries.behind(0));
        entries.map(|(_, name, slot)| (name.clone(), *slot)).collect()
    }
}

/// What was taken over: its numbers there and here.
struct Planted<'g> {
    graft: &'g Graft<'g>,
    turn: &'g Turn<'g>,
    numbers: HashMap<u64, u64>,
    /// There, here, and the directory here that it is in.
    todo: Vec<(u64, Slot, u64)>,
}

impl Planted<'_> {
    /// What `slot` is here. Files with several names are one here too.
    fn number(&mut self, slot: Slot, parent: u64) -> Slot {
        if let Some(number) = self.numbers.get(&slot.number) {
            return Slot { number: *number, ..slot };
        }
        let here = Slot { number: self.graft.to.lineage.number(), ..slot };
        self.numbers.insert(slot.number, here.number);
        self.todo.push((slot.number, here, parent));
        here
    }

    /// Takes over what was numbered, and all below.
    fn all(&mut self) {
        let Graft { from, to, .. } = self.graft;
        while let Some((there, here, parent)) = self.todo.pop() {
            let Some(cell) = from.cell(there) else { continue };
            let copy = if here.kind.is_dir() {
                let mut entries = Entries::new();
                for (name, slot) in self.graft.entries(there) {
                    let slot = self.number(slot, here.number);
                    entries.insert(&to.names, name.as_name(), slot);
                }
                cell.with_entries(**self.turn, entries, parent)
            } else {
                cell.copy(**self.turn)
            };
            to.table.write().insert(here.number, Arc::new(copy));
        }
    }
}
