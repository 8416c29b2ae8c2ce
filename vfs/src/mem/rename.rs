//! rename(2): the one operation that touches two directories.
//!
//! Both are locked, the upper one first; which that is cannot change while the tree's `moving` lock is held. What is
//! moved and what is replaced are locked only for a moment each, under them.

use super::clock::now;
use super::inode::{Body, Inode, State};
use crate::*;
use std::sync::{Arc, Weak};

/// What was moved, and what was under the name before.
struct Moved {
    inode: Arc<Inode>,
    there: Option<Arc<Inode>>,
}

impl Inode {
    pub(super) fn move_entry(
        &self,
        name: Name<'_>,
        to: &Inode,
        to_name: Name<'_>,
        flags: RenameFlags,
    ) -> Result<()> {
        if !self.is_dir() || !to.is_dir() {
            return Errno::ENOTDIR.into();
        }
        if flags.contains(RenameFlags::NOREPLACE | RenameFlags::EXCHANGE) {
            return Errno::EINVAL.into();
        }
        // Dropped last: it may be the end of a large file.
        let moved;
        if self.number() == to.number() {
            let mut state = self.state.write();
            moved = self.move_within(&mut state, name, to_name, flags)?;
        } else {
            let _moving = self.tree().moving.lock();
            // The entry of the upper directory that leads to the lower one: it may be neither moved nor replaced.
            let below_self = to.way_up_to(self);
            let below_to = if below_self.is_none() { self.way_up_to(to) } else { None };
            let self_first = below_self.is_some() || (below_to.is_none() && self.number() < to.number());
            let (mut from_state, mut to_state);
            if self_first {
                from_state = self.state.write();
                to_state = to.state.write();
            } else {
                to_state = to.state.write();
                from_state = self.state.write();
            }
            let mut ends = Ends { from: self, from_state: &mut from_state, to, to_state: &mut to_state };
            moved = ends.move_across(name, to_name, flags, below_self, below_to)?;
        }
        // Two names of one file: nothing was moved.
        let Some(Moved { inode, there }) = moved else { return Ok(()) };
        self.tell(Change::Gone(name));
        to.tell(if there.is_some() { Change::Gone(to_name) } else { Change::Made(to_name) });
        inode.tell(Change::Status);
        if let Some(there) = there {
            there.tell(Change::Status);
        }
        Ok(())
    }

    /// The number of the entry of `upper` that leads down to this directory, if one does. The caller holds `moving`.
    fn way_up_to(&self, upper: &Inode) -> Option<u64> {
        let mut number = self.number();
        let mut parent = self.state.read().dir().ok()?.parent.upgrade()?;
        loop {
            if parent.number() == upper.number() {
                return Some(number);
            }
            number = parent.number();
            let next = parent.state.read().dir().ok()?.parent.upgrade()?;
            parent = next;
        }
    }

    /// It has another name now, in the directory `parent`.
    fn moved_under(&self, parent: &Weak<Inode>) {
        let mut state = self.state.write();
        state.ctime = now();
        if let Body::Dir(dir) = &mut state.body {
            dir.parent = parent.clone();
        }
    }

    fn move_within(
        &self,
        state: &mut State,
        name: Name<'_>,
        to_name: Name<'_>,
        flags: RenameFlags,
    ) -> Result<Option<Moved>> {
        let names = &self.tree().names;
        let entries = &mut state.dir_mut()?.entries;
        let source = entries.find(names, name).ok_or(Errno::ENOENT)?;
        let moved = entries.get(source).clone();
        let Some(target) = entries.find(names, to_name) else {
            if flags.contains(RenameFlags::EXCHANGE) {
                return Errno::ENOENT.into();
            }
            entries.relabel(names, source, to_name);
            self.changed(state);
            moved.state.write().ctime = now();
            return Ok(Some(Moved { inode: moved, there: None }));
        };
        let there = entries.get(target).clone();
        if flags.contains(RenameFlags::NOREPLACE) {
            return Errno::EEXIST.into();
        }
        if moved.number() == there.number() {
            return Ok(None);
        }
        if flags.contains(RenameFlags::EXCHANGE) {
            entries.replace(source, there.clone());
            entries.replace(target, moved.clone());
            there.state.write().ctime = now();
        } else {
            give_way(&moved, &there)?;
            entries.replace(target, moved.clone());
            entries.remove(names, source);
            state.nlink -= u32::from(there.is_dir());
        }
        self.changed(state);
        moved.state.write().ctime = now();
        Ok(Some(Moved { inode: moved, there: Some(there) }))
    }
}

/// Lets `there` lose its name to `moved`, where rename(2) allows it.
fn give_way(moved: &Inode, there: &Inode) -> Result<()> {
    match (moved.is_dir(), there.is_dir()) {
        (true, true) => there.bury(),
        (false, false) => {
            there.lose_a_name();
            Ok(())
        }
        (true, false) => Errno::ENOTDIR.into(),
        (false, true) => Errno::EISDIR.into(),
    }
}

/// Two directories, both locked.
struct Ends<'a> {
    from: &'a Inode,
    from_state: &'a mut State,
    to: &'a Inode,
    to_state: &'a mut State,
}

impl Ends<'_> {
    /// `below_from` and `below_to`: the entry of the one directory that leads to the other.
    fn move_across(
        &mut self,
        name: Name<'_>,
        to_name: Name<'_>,
        flags: RenameFlags,
        below_from: Option<u64>,
        below_to: Option<u64>,
    ) -> Result<Option<Moved>> {
        let names = &self.from.tree().names;
        let from_dir = self.from_state.dir_mut()?;
        let to_dir = self.to_state.dir_mut()?;
        let source = from_dir.entries.find(names, name).ok_or(Errno::ENOENT)?;
        if to_dir.gone {
            return Errno::ENOENT.into();
        }
        let moved = from_dir.entries.get(source).clone();
        let target = to_dir.entries.find(names, to_name);
        if target.is_some() && flags.contains(RenameFlags::NOREPLACE) {
            return Errno::EEXIST.into();
        }
        if below_from == Some(moved.number()) {
            return Err(Error::new(Errno::EINVAL, "a directory cannot be moved into itself"));
        }
        let exchange = flags.contains(RenameFlags::EXCHANGE);
        let there = target.map(|target| to_dir.entries.get(target).clone());
        if let Some(there) = &there {
            if there.number() == moved.number() {
                return Ok(None);
            }
            if below_to == Some(there.number()) {
                return if exchange { Errno::EINVAL.into() } else { Errno::ENOTEMPTY.into() };
            }
        }
        // Links that the directories get and lose by their subdirectories.
        let arrives = moved.is_dir();
        let leaves = there.as_ref().is_some_and(|there| there.is_dir());
        if arrives && !leaves && self.to_state.nlink == u32::MAX {
            return Errno::EMLINK.into();
        }
        let from_dir = self.from_state.dir_mut()?;
        let to_dir = self.to_state.dir_mut()?;
        match (target, &there) {
            (Some(target), Some(there)) if exchange => {
                from_dir.entries.replace(source, there.clone());
                to_dir.entries.replace(target, moved.clone());
                there.moved_under(from_dir.me());
                self.from_state.nlink += u32::from(leaves);
            }
            (Some(target), Some(there)) => {
                give_way(&moved, there)?;
                to_dir.entries.replace(target, moved.clone());
                from_dir.entries.remove(names, source);
            }
            _ if exchange => return Errno::ENOENT.into(),
            _ => {
                to_dir.entries.insert(names, to_name, moved.clone());
                from_dir.entries.remove(names, source);
            }
        }
        moved.moved_under(self.to_state.dir()?.me());
        self.from_state.nlink -= u32::from(arrives);
        self.to_state.nlink = self.to_state.nlink - u32::from(leaves) + u32::from(arrives);
        self.from.changed(self.from_state);
        self.to.changed(self.to_state);
        Ok(Some(Moved { inode: moved, there }))
    }
}
