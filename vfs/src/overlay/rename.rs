//! rename(2): the one operation that touches two directories.
//!
//! All is looked at first, while nobody else changes names; then what is concerned is made our own, and changed.

use super::ROOT;
use super::attempt::Step;
use super::inode::{Inode, Room};
use crate::mem::clock::now;
use crate::*;
use std::sync::Arc;

impl Inode {
    pub(super) fn move_entry(
        &self,
        name: Name<'_>,
        to: &Inode,
        to_name: Name<'_>,
        flags: RenameFlags,
    ) -> Step<()> {
        if !self.is_dir() || !to.is_dir() {
            return Errno::ENOTDIR.into();
        }
        let exchange = flags.contains(RenameFlags::EXCHANGE);
        if exchange && flags.contains(RenameFlags::NOREPLACE) {
            return Errno::EINVAL.into();
        }
        let (moved, there);
        {
            let turn = self.turn();
            let _naming = self.tree().naming.lock();
            moved = self.lookup(name)?;
            if to.is_gone() {
                return Errno::ENOENT.into();
            }
            there = to.lookup_if_there(to_name)?;
            if there.is_some() && flags.contains(RenameFlags::NOREPLACE) {
                return Errno::EEXIST.into();
            }
            if moved.is_dir() && moved.leads_to(to) {
                return Err(Error::new(Errno::EINVAL, "a directory cannot be moved into itself").into());
            }
            match &there {
                // Two names of one file: nothing is moved.
                Some(there) if there.number() == moved.number() => return Ok(()),
                Some(there) if there.is_dir() && there.leads_to(self) => {
                    return if exchange { Errno::EINVAL.into() } else { Errno::ENOTEMPTY.into() };
                }
                Some(there) if !exchange => moved.may_replace(there)?,
                None if exchange => return Errno::ENOENT.into(),
                _ => {}
            }
            let leaves = there.as_ref().is_some_and(|there| there.is_dir());
            if moved.is_dir() && !leaves && to.look(|state| state.nlink) == u32::MAX {
                return Errno::EMLINK.into();
            }
            let (from_cell, to_cell) = (self.own(&turn, Room::Asked)?, to.own(&turn, Room::Asked)?);
            let moved_cell = moved.own(&turn, Room::Asked)?;
            let there_cell = there.as_ref().map(|there| there.own(&turn, Room::Asked)).transpose()?;

            // From here on nothing fails. Nobody else holds two directories, so their order does not matter.
            let names = &self.tree().names;
            let mut from_state = from_cell.state.write();
            let mut other_state = (self.number() != to.number()).then(|| to_cell.state.write());
            {
                let within = other_state.is_none();
                let state = other_state.as_deref_mut().unwrap_or(&mut from_state);
                let entries = state.names_mut()?;
                match entries.find(names, to_name) {
                    Some(at) => drop(entries.replace(at, moved.slot())),
                    // Its place in a listing stays.
                    None if within => {
                        if let Some(at) = entries.find(names, name) {
                            entries.relabel(names, at, to_name);
                        }
                    }
                    None => entries.insert(names, to_name, moved.slot()),
                }
                state.nlink = state.nlink - u32::from(leaves) + u32::from(moved.is_dir());
                to_cell.changed(state);
            }
            let entries = from_state.names_mut()?;
            if let Some(at) = entries.find(names, name) {
                match &there {
                    Some(there) if exchange => drop(entries.replace(at, there.slot())),
                    _ => drop(entries.remove(names, at)),
                }
            }
            from_state.nlink = from_state.nlink - u32::from(moved.is_dir()) + u32::from(exchange && leaves);
            from_cell.changed(&mut from_state);
            drop((from_state, other_state));
            {
                let mut state = moved_cell.state.write();
                state.ctime = now();
                if let Ok(dir) = state.dir_mut() {
                    dir.parent = to.number();
                }
            }
            if let (Some(there), Some(cell)) = (&there, there_cell) {
                if exchange {
                    let mut state = cell.state.write();
                    state.ctime = now();
                    if let Ok(dir) = state.dir_mut() {
                        dir.parent = self.number();
                    }
                } else {
                    there.lose_a_name(&cell);
                }
            }
        }
        self.tell(Change::Gone(name));
        to.tell(if there.is_some() { Change::Gone(to_name) } else { Change::Made(to_name) });
        moved.tell(Change::Status);
        if let Some(there) = there {
            there.tell(Change::Status);
        }
        Ok(())
    }

    /// Whether this directory is `other`, or above it.
    fn leads_to(&self, other: &Inode) -> bool {
        let mut number = other.number();
        loop {
            if number == self.number() {
                return true;
            }
            let above = self.tree().cell(number).and_then(|cell| Some(cell.state.read().dir().ok()?.parent));
            match above {
                Some(parent) if number != ROOT => number = parent,
                _ => return false,
            }
        }
    }

    /// Whether rename(2) lets `there` lose its name to this.
    fn may_replace(&self, there: &Arc<Inode>) -> Step<()> {
        match (self.is_dir(), there.is_dir()) {
            (true, true) if !there.is_empty()? => Errno::ENOTEMPTY.into(),
            (true, true) | (false, false) => Ok(()),
            (true, false) => Errno::ENOTDIR.into(),
            (false, true) => Errno::EISDIR.into(),
        }
    }
}
