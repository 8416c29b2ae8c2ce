//! Entries come and go: making, linking and removing files and directories.

use super::clock::now;
use super::inode::{Birth, Inode};
use crate::*;
use std::sync::Arc;

impl Inode {
    /// The entry `name`.
    pub(super) fn lookup(&self, name: Name<'_>) -> Result<Arc<Inode>> {
        let state = self.state.read();
        let entries = &state.dir()?.entries;
        entries
            .find(&self.tree().names, name)
            .map(|at| entries.get(at).clone())
            .ok_or_else(|| Errno::ENOENT.into())
    }

    /// Makes the entry `name`; gives what is there instead as an `Err` of the inner result.
    pub(super) fn make(
        &self,
        who: &Caller,
        name: Name<'_>,
        mode: Mode,
        birth: Birth,
    ) -> Result<std::result::Result<Arc<Inode>, Arc<Inode>>> {
        let names = &self.tree().names;
        let mut state = self.state.write();
        let dir = state.dir()?;
        if let Some(at) = dir.entries.find(names, name) {
            return Ok(Err(dir.entries.get(at).clone()));
        }
        if dir.gone {
            return Errno::ENOENT.into();
        }
        let is_dir = matches!(birth, Birth::Dir);
        if is_dir && state.nlink == u32::MAX {
            return Errno::EMLINK.into();
        }
        let child = self.child(&state, who, mode.bits(), birth)?;
        state.dir_mut()?.entries.insert(names, name, child.clone());
        state.nlink += u32::from(is_dir);
        self.changed(&mut state);
        drop(state);
        self.tell(Change::Made(name));
        Ok(Ok(child))
    }

    /// As [`Inode::make`], where what is there is in the way.
    pub(super) fn make_new(
        &self,
        who: &Caller,
        name: Name<'_>,
        mode: Mode,
        birth: Birth,
    ) -> Result<Arc<Inode>> {
        self.make(who, name, mode, birth)?.map_err(|_| Errno::EEXIST.into())
    }

    /// A further name for `target` (link(2)).
    pub(super) fn add_link(&self, target: Arc<Inode>, name: Name<'_>) -> Result<()> {
        let names = &self.tree().names;
        let mut state = self.state.write();
        let dir = state.dir_mut()?;
        if target.is_dir() {
            return Errno::EPERM.into();
        }
        if dir.gone {
            return Errno::ENOENT.into();
        }
        if dir.entries.find(names, name).is_some() {
            return Errno::EEXIST.into();
        }
        {
            let mut state = target.state.write();
            // A file whose last name is gone gets none again.
            if state.nlink == 0 {
                return Errno::ENOENT.into();
            }
            state.nlink = state.nlink.checked_add(1).ok_or(Errno::EMLINK)?;
            state.ctime = now();
        }
        dir.entries.insert(names, name, target.clone());
        self.changed(&mut state);
        drop(state);
        self.tell(Change::Made(name));
        target.tell(Change::Status);
        Ok(())
    }

    /// Removes the entry `name`, which is a directory where `dir` says so.
    pub(super) fn remove(&self, name: Name<'_>, dir: bool) -> Result<()> {
        let names = &self.tree().names;
        let mut state = self.state.write();
        let entries = &mut state.dir_mut()?.entries;
        let at = entries.find(names, name).ok_or(Errno::ENOENT)?;
        let child = entries.get(at);
        match (child.is_dir(), dir) {
            (true, true) => child.bury()?,
            (false, false) => child.lose_a_name(),
            (true, false) => return Errno::EISDIR.into(),
            (false, true) => return Errno::ENOTDIR.into(),
        }
        let child = entries.remove(names, at);
        state.nlink -= u32::from(dir);
        self.changed(&mut state);
        drop(state);
        self.tell(Change::Gone(name));
        child.tell(Change::Status);
        // What may be the end of a large file is not waited for by the directory's others.
        drop(child);
        Ok(())
    }

    /// One of a file's names is gone.
    pub(super) fn lose_a_name(&self) {
        let mut state = self.state.write();
        state.nlink -= 1;
        state.ctime = now();
    }

    /// Makes an empty directory one that is gone: it takes no new entries.
    pub(super) fn bury(&self) -> Result<()> {
        let mut state = self.state.write();
        let dir = state.dir_mut()?;
        if !dir.entries.is_empty() {
            return Errno::ENOTEMPTY.into();
        }
        dir.gone = true;
        state.nlink = 0;
        state.ctime = now();
        Ok(())
    }

    /// All or nothing: what can fail comes first.
    pub(super) fn set(&self, who: &Caller, set: SetStat) -> Result<()> {
        let mut state = self.state.write();
        if let Some(size) = set.size {
            state.data_mut()?.set_size(&self.tree().space, size)?;
            self.changed(&mut state);
            self.lose_privileges(&mut state, &Writer::new(who));
        }
        state.set(&self.tree().space, who, self.kind(), set);
        self.changed_hands();
        drop(state);
        self.tell(if set.size.is_some() { Change::Content } else { Change::Status });
        Ok(())
    }
}
