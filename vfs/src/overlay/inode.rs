//! A file of an overlay as its clients hold it: one identity, whatever becomes of what it shows.

use super::attempt::{Need, Step};
use super::cell::{Cell, Content, Slot, State};
use super::{Generation, Tree};
use crate::mem::fifo::Fifo;
use crate::mem::space::PAGE;
use crate::*;
use parking_lot::{RwLock, RwLockReadGuard};
use std::any::Any;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};

/// As long as it is held, no fork begins.
pub(super) type Turn<'a> = RwLockReadGuard<'a, Generation>;

/// Whether there must be room for what is copied to memory. To remove something there need not be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    Asked,
    Given,
}

pub(super) struct Inode {
    tree: Arc<Tree>,
    number: u64,
    kind: Kind,
    me: Weak<Inode>,
    mark: Mark,
    /// Nothing leads to it any more: it ends with who holds it.
    nameless: AtomicBool,
    /// The same for all who look, until it is copied ([`Inode::own`]).
    cell: RwLock<Arc<Cell>>,
    /// A named pipe's, while somebody holds it.
    fifo: OnceLock<Arc<Fifo>>,
}

impl Inode {
    pub(super) fn of(tree: Arc<Tree>, slot: Slot, cell: Arc<Cell>) -> Arc<Inode> {
        Arc::new_cyclic(|me| Inode {
            tree,
            number: slot.number,
            kind: slot.kind,
            me: me.clone(),
            mark: Mark::default(),
            nameless: AtomicBool::new(false),
            cell: RwLock::new(cell),
            fifo: OnceLock::new(),
        })
    }

    pub(super) fn tree(&self) -> &Arc<Tree> {
        &self.tree
    }
    pub(super) fn number(&self) -> u64 {
        self.number
    }
    pub(super) fn is_dir(&self) -> bool {
        self.kind.is_dir()
    }
    pub(super) fn slot(&self) -> Slot {
        Slot { number: self.number, kind: self.kind }
    }
    pub(super) fn me(&self) -> Arc<Inode> {
        self.me.upgrade().expect("who calls holds a reference")
    }
    pub(super) fn fifo(&self) -> Arc<Fifo> {
        self.fifo.get_or_init(Arc::default).clone()
    }
    /// Its last name is gone. The caller holds the tree's turn.
    pub(super) fn lose_last_name(&self) {
        self.nameless.store(true, Ordering::Relaxed);
        self.tree.nameless.lock().insert(self.number);
    }
    pub(super) fn mark(&self) -> &Mark {
        &self.mark
    }

    pub(super) fn identity(&self) -> Qid {
        let version = self.cell.read().version.load(Ordering::Relaxed);
        Qid { kind: self.kind, version, path: self.tree.tag.path(self.number) }
    }

    /// The inode behind a node of this very tree; anything else is EXDEV.
    pub(super) fn of_this_tree(&self, node: &NodeRef) -> Result<Arc<Inode>> {
        let any: Arc<dyn Any + Send + Sync> = node.clone();
        match any.downcast::<Inode>() {
            Ok(inode) if Arc::ptr_eq(&inode.tree, &self.tree) => Ok(inode),
            _ => Errno::EXDEV.into(),
        }
    }

    /// Looks at it, as it is.
    pub(super) fn look<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        let cell = self.cell.read();
        look(&cell.state.read())
    }

    /// Changes how it is represented, but not what it is: in every tree that shares it.
    pub(super) fn refine<T>(&self, refine: impl FnOnce(&mut State) -> T) -> T {
        let cell = self.cell.read();
        refine(&mut cell.state.write())
    }

    pub(super) fn turn(&self) -> Turn<'_> {
        self.tree.generation.read()
    }

    /// Its cell, which only this tree has, and which may be changed while the turn lasts.
    pub(super) fn own(&self, turn: &Turn<'_>, room: Room) -> Result<Arc<Cell>> {
        {
            let cell = self.cell.read();
            if cell.generation == **turn {
                return Ok(cell.clone());
            }
        }
        let mut cell = self.cell.write();
        if cell.generation == **turn {
            return Ok(cell.clone());
        }
        let copy = Arc::new(cell.copy(**turn));
        if cell.generation == Generation::LOWER {
            let (space, held) = (&self.tree.space, copy.state.read().held_in_all());
            match room {
                Room::Given => space.count(held, 1),
                Room::Asked => space.take_all(held, 1)?,
            }
        }
        self.tree.table.write().insert(self.number, copy.clone());
        *cell = copy.clone();
        Ok(copy)
    }

    /// Changes the state, with its cell at hand.
    pub(super) fn change<T, E: From<Error>>(
        &self,
        change: impl FnOnce(&Cell, &mut State) -> std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        let turn = self.turn();
        let cell = self.own(&turn, Room::Asked)?;
        let mut state = cell.state.write();
        change(&cell, &mut state)
    }

    pub(super) fn stat(&self) -> Step<Stat> {
        match self.look(|state| state.dir().is_ok_and(|dir| !dir.counted)) {
            true => Err(Need::Names(self.me()).into()),
            false => Ok(self.stat_now()),
        }
    }

    /// Its attributes, but for the links of a directory that was never listed.
    pub(super) fn stat_now(&self) -> Stat {
        let qid = self.identity();
        self.look(|state| {
            let (size, blocks, rdev) = state.extent();
            Stat {
                qid,
                mode: Mode::new(state.mode),
                uid: state.uid,
                gid: state.gid,
                nlink: u64::from(state.nlink),
                size,
                blocks,
                blksize: PAGE as u32,
                rdev,
                atime: state.atime,
                mtime: state.mtime,
                ctime: state.ctime,
                btime: state.btime,
            }
        })
    }

    /// Tells those who watch this inode of what has happened to it. Call without a lock of the tree's.
    #[inline]
    pub(super) fn tell(&self, change: Change<'_>) {
        self.mark.tell(&self.tree.watchers, self.tree.tag.path(self.number), change);
    }

    /// Tells of a change of the content, which may have taken set-id bits along. Call without a lock of the tree's.
    pub(super) fn tell_content(&self, privileges: bool) {
        self.tell(Change::Content);
        if privileges {
            self.tell(Change::Status);
        }
    }

    /// A read has happened: relatime's rule, without its day, where noting it needs no copy. Call without a lock.
    pub(super) fn accessed(&self) {
        {
            let turn = self.turn();
            let cell = self.cell.read();
            if cell.generation != *turn {
                return;
            }
            cell.state.write().atime = crate::mem::clock::now();
        }
        self.tell(Change::Status);
    }

    /// Cuts or lengthens the regular file that `state` is of. Nothing of a layer's file is copied that would be cut at once.
    pub(super) fn cut(&self, state: &mut State, size: u64) -> Step<()> {
        let content = state.content_mut()?;
        if let Content::Lower(_) = content {
            if size > 0 {
                return Err(Need::Content(self.me()).into());
            }
            *content = Content::Own(Default::default());
        }
        match content {
            Content::Own(data) => Ok(data.set_size(&self.tree.space, size)?),
            Content::Lower(_) => unreachable!("just made our own"),
        }
    }

    pub(super) fn resize(&self, size: u64, writer: &Writer) -> Step<()> {
        let privileges = self.change(|cell, state| {
            self.cut(state, size)?;
            cell.changed(state);
            Step::Ok(state.lose_privileges(&self.tree.space, writer))
        })?;
        self.tell_content(privileges);
        Ok(())
    }

    /// All or nothing: what can fail comes first.
    pub(super) fn set(&self, who: &Caller, set: SetStat) -> Step<()> {
        self.change(|cell, state| {
            if let Some(size) = set.size {
                self.cut(state, size)?;
                cell.changed(state);
                state.lose_privileges(&self.tree.space, &Writer::new(who));
            }
            state.set(&self.tree.space, who, self.kind, set);
            Step::Ok(())
        })?;
        self.tell(if set.size.is_some() { Change::Content } else { Change::Status });
        Ok(())
    }

    /// Whether the directory's names are known, and there are none.
    pub(super) fn is_empty(&self) -> Step<bool> {
        self.look(|state| match state.dir()?.entries() {
            Some(entries) => Ok(entries.is_empty()),
            None => Err(Need::Names(self.me()).into()),
        })
    }
}

impl Drop for Inode {
    fn drop(&mut self) {
        self.tree.living.forget(self);
        if !*self.nameless.get_mut() {
            return;
        }
        // Nothing leads to it any more. Whoever drops it may be in a turn of his own.
        let _turn = self.tree.generation.read_recursive();
        let state = self.cell.get_mut().state.read();
        self.tree.space.give_bytes(state.held_in_all());
        self.tree.space.give_inode();
        self.tree.nameless.lock().remove(&self.number);
        self.tree.table.write().remove(self.number);
    }
}
