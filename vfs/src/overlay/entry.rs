//! Entries come and go: making, linking and removing files and directories.
//!
//! Names are changed by one caller at a time, under `naming`; who only looks does not wait for him.

use super::attempt::{Need, Step, Stop};
use super::cell::{Body, Cell, Content, Dir, Slot, State};
use super::inode::{Inode, Room};
use crate::mem::clock::now;
use crate::mem::entries::Entries;
use crate::*;
use std::sync::Arc;

/// What is to be made.
#[derive(Clone, Copy)]
pub(super) enum Birth<'a> {
    File,
    Dir,
    Link(&'a [u8]),
    Special(Kind, Device),
}

impl Birth<'_> {
    fn kind(self) -> Kind {
        match self {
            Birth::File => Kind::File,
            Birth::Dir => Kind::Dir,
            Birth::Link(_) => Kind::Symlink,
            Birth::Special(kind, _) => kind,
        }
    }
}

/// What came of making something.
pub(super) enum Made {
    New(Arc<Inode>),
    /// It was there.
    There(Arc<Inode>),
}

impl State {
    /// The names of a directory that are known, as they are wherever names are changed.
    pub(super) fn names_mut(&mut self) -> Result<&mut Entries<Slot>> {
        Ok(self.dir_mut()?.entries_mut().expect("looked through before, and once known they stay"))
    }
}

impl Inode {
    /// The entry `name`.
    pub(super) fn lookup(&self, name: Name<'_>) -> Step<Arc<Inode>> {
        self.look(|state| {
            let entries = state.dir()?.entries().ok_or_else(|| Need::Names(self.me()))?;
            let at = entries.find(&self.tree().names, name).ok_or(Errno::ENOENT)?;
            let slot = *entries.get(at);
            let found = self.tree().reach(slot);
            found.ok_or_else(|| Need::Entry(self.me(), name.to_owned(), slot.number).into())
        })
    }

    /// The entry `name`, if there is one.
    pub(super) fn lookup_if_there(&self, name: Name<'_>) -> Step<Option<Arc<Inode>>> {
        match self.lookup(name) {
            Ok(there) => Ok(Some(there)),
            Err(Stop::Fail(error)) if error.is(Errno::ENOENT) => Ok(None),
            Err(stop) => Err(stop),
        }
    }

    /// Whether it was removed; as a file, never.
    pub(super) fn is_gone(&self) -> bool {
        self.look(|state| state.dir().is_ok_and(|dir| dir.gone))
    }

    pub(super) fn make(&self, who: &Caller, name: Name<'_>, mode: Mode, birth: Birth<'_>) -> Step<Made> {
        let tree = self.tree();
        let child;
        {
            let turn = self.turn();
            let _naming = tree.naming.lock();
            if let Some(there) = self.lookup_if_there(name)? {
                return Ok(Made::There(there));
            }
            if self.is_gone() {
                return Errno::ENOENT.into();
            }
            let is_dir = matches!(birth, Birth::Dir);
            if is_dir && self.look(|state| state.nlink) == u32::MAX {
                return Errno::EMLINK.into();
            }
            let cell = self.own(&turn, Room::Asked)?;
            let mut state = cell.state.write();
            let born = self.born(&state, who, mode.bits(), birth)?;
            let slot = Slot { number: tree.lineage.number(), kind: birth.kind() };
            tree.table.write().insert(slot.number, Arc::new(Cell::new(*turn, born)));
            state.names_mut()?.insert(&tree.names, name, slot);
            state.nlink += u32::from(is_dir);
            cell.changed(&mut state);
            child = tree.reach(slot).expect("just put into the table");
        }
        self.tell(Change::Made(name));
        Ok(Made::New(child))
    }

    /// What a new file in the directory whose state is `dir` begins with, in the name of `who`. Its room is taken.
    fn born(&self, dir: &State, who: &Caller, mode: u32, birth: Birth<'_>) -> Result<State> {
        let (mode, gid, acls) = dir.inherited(who, mode, birth.kind());
        let (body, nlink) = match birth {
            Birth::File => (Body::File(Content::Own(Default::default())), 1),
            Birth::Dir => (Body::Dir(Box::new(Dir::new(self.number()))), 2),
            Birth::Link(target) => (Body::Link(target.into()), 1),
            Birth::Special(_, device) => (Body::Special(device), 1),
        };
        self.tree().space.take_all(acls.held(), 1)?;
        Ok(State::new(mode, who.uid, gid, nlink, acls, body))
    }

    /// As [`Inode::make`], where what is there is in the way.
    pub(super) fn make_new(
        &self,
        who: &Caller,
        name: Name<'_>,
        mode: Mode,
        birth: Birth<'_>,
    ) -> Step<Arc<Inode>> {
        match self.make(who, name, mode, birth)? {
            Made::New(inode) => Ok(inode),
            Made::There(_) => Errno::EEXIST.into(),
        }
    }

    /// A further name for `target` (link(2)).
    pub(super) fn add_link(&self, target: &Arc<Inode>, name: Name<'_>) -> Step<()> {
        let tree = self.tree();
        {
            let turn = self.turn();
            let _naming = tree.naming.lock();
            self.look(|state| state.dir().map(|_| ()))?;
            if target.is_dir() {
                return Errno::EPERM.into();
            }
            if self.is_gone() {
                return Errno::ENOENT.into();
            }
            if self.lookup_if_there(name)?.is_some() {
                return Errno::EEXIST.into();
            }
            match target.look(|state| state.nlink) {
                // A file whose last name is gone gets none again.
                0 => return Errno::ENOENT.into(),
                u32::MAX => return Errno::EMLINK.into(),
                _ => {}
            }
            let (dir, file) = (self.own(&turn, Room::Asked)?, target.own(&turn, Room::Asked)?);
            {
                let mut state = file.state.write();
                state.nlink += 1;
                state.ctime = now();
            }
            let mut state = dir.state.write();
            state.names_mut()?.insert(&tree.names, name, target.slot());
            dir.changed(&mut state);
        }
        self.tell(Change::Made(name));
        target.tell(Change::Status);
        Ok(())
    }

    /// Removes the entry `name`, which is a directory where `dir` says so.
    pub(super) fn remove(&self, name: Name<'_>, dir: bool) -> Step<()> {
        let tree = self.tree();
        let child;
        {
            let turn = self.turn();
            let _naming = tree.naming.lock();
            child = self.lookup(name)?;
            match (child.is_dir(), dir) {
                (true, true) if !child.is_empty()? => return Errno::ENOTEMPTY.into(),
                (true, true) | (false, false) => {}
                (true, false) => return Errno::EISDIR.into(),
                (false, true) => return Errno::ENOTDIR.into(),
            }
            let own = self.own(&turn, Room::Given)?;
            child.lose_a_name(&*child.own(&turn, Room::Given)?);
            let mut state = own.state.write();
            let entries = state.names_mut()?;
            if let Some(at) = entries.find(&tree.names, name) {
                entries.remove(&tree.names, at);
            }
            state.nlink -= u32::from(dir);
            own.changed(&mut state);
        }
        self.tell(Change::Gone(name));
        child.tell(Change::Status);
        Ok(())
    }

    /// One of its names goes, and as a directory, which is empty, it goes itself: it takes no new entries.
    pub(super) fn lose_a_name(&self, own: &Cell) {
        let mut state = own.state.write();
        state.ctime = now();
        // A layer may count its links wrongly.
        state.nlink = state.nlink.saturating_sub(1);
        if let Body::Dir(dir) = &mut state.body {
            dir.gone = true;
            state.nlink = 0;
        }
        if state.nlink == 0 {
            self.lose_last_name();
        }
    }
}
