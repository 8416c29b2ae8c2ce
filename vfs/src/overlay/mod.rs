//! Trees over trees: read-only layers below, what was changed above them in memory, and forks that share all of it.
//!
//! An [`Overlay`] shows its layers merged, the first one topmost, and is written to like a memory tree: what is written goes
//! to memory, the layers are never touched. [`Overlay::fork`] gives a second one with the same files, from where both go on.
//!
//! ```text
//! Overlay ── Tree ── table: number ──► Cell (state of a file: attributes, names of a directory, bytes)
//!              │     living: number ──► Inode (what clients hold: identity, marks, locks, pipe)
//!              └─ Lineage, shared by all forks: layers, and the cells of what was found in them
//! ```
//!
//! There are no layers of changes, hence no whiteouts, no opaque directories and no lookups that become slower with each
//! snapshot. A directory is its list of names and numbers; a number means what the table says, or else what the lineage
//! found in the layers. The first look into a directory of the layers takes over its list of names, and from then on it is a
//! list like any other: removing, moving and linking are what they are in memory. The table is a persistent map
//! ([`table`]), so a fork is one more reference to it. A cell belongs to the tree and the generation that made it; each fork
//! begins a new generation on both sides, in which what is older is copied before it is changed ([`Inode::own`]). The copy
//! shares the bytes, chunk by chunk.
//!
//! Bytes of a layer's file are read from it until the file is written to: then they are copied to memory. What a look has
//! shown stays as it was seen: a layer must not change below an overlay. Times of the last access are kept where the
//! file has been changed since the last fork; reading copies nothing.
//!
//! The bounds are for what an overlay has beyond its layers, shared with forks or not: a fork starts with what its origin
//! uses, and no number of snapshots gives more room.
//!
//! Locks are taken in one order: the generation, `naming`, cells from the root downwards, the table, the living. None is
//! held across an await or while a caller's code runs.

mod attempt;
mod cell;
mod entry;
mod file;
mod graft;
mod inode;
mod living;
mod lower;
mod node;
mod reaper;
mod rename;
mod table;

use crate::lock::LockTable;
pub use crate::mem::space::Full;
use crate::mem::space::Space;
use crate::*;
use cell::{Body, Cell, Dir, Slot, State};
use hashbrown::DefaultHashBuilder;
use living::Living;
use lower::{Lineage, Lower};
use parking_lot::{Mutex, RwLock};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use table::Table;

pub(crate) use graft::graft;

/// The number of every overlay's root.
const ROOT: u64 = 0;

/// A generation of a tree; no two trees are ever in the same one.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Generation(u64);

impl Generation {
    /// That of what was found in the layers.
    const LOWER: Generation = Generation(0);

    fn next() -> Generation {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Generation(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// Read-only layers under private memory. Clones are the same tree; it goes when the last of them, of its nodes and of its
/// open files goes.
#[derive(Clone)]
pub struct Overlay {
    tree: Arc<Tree>,
}

struct Tree {
    tag: TreeTag,
    space: Space,
    lineage: Arc<Lineage>,
    /// Held for reading by everything that changes a cell, for writing by a fork.
    generation: RwLock<Generation>,
    /// Held by what changes the names in directories.
    naming: Mutex<()>,
    table: RwLock<Table<Arc<Cell>>>,
    living: Living,
    /// Files that have no name any more and are still held by somebody. A fork does not get them.
    nameless: Mutex<hashbrown::HashSet<u64>>,
    names: DefaultHashBuilder,
    locks: LockTable,
    watchers: Watchers,
}

impl Overlay {
    /// The merged `layers`, the first one topmost, each the root of some tree that does not change any more; with none an
    /// empty directory. `options` bound what is written, and say what the root looks like.
    pub fn new(layers: Vec<NodeRef>, options: MemOptions) -> Result<Overlay> {
        if let Some(odd) = layers.iter().find(|layer| !layer.kind().is_dir()) {
            let what = format!("a layer is a directory, not a {:?}", odd.kind());
            return Err(Error::new(Errno::ENOTDIR, what));
        }
        let space = Space::new(options.max_bytes, options.max_inodes);
        space.count(0, 1);
        let generation = Generation::next();
        let lowers = layers.into_iter().enumerate().map(|(layer, node)| Lower { layer, node }).collect();
        let dir = Dir::over(lowers, ROOT);
        let body = Body::Dir(Box::new(dir));
        let state = State::new(options.mode.bits(), options.uid, options.gid, 2, Default::default(), body);
        let mut table = Table::default();
        table.insert(ROOT, Arc::new(Cell::new(generation, state)));
        Overlay::of(Arc::default(), space, table, generation)
    }

    fn of(
        lineage: Arc<Lineage>,
        space: Space,
        table: Table<Arc<Cell>>,
        generation: Generation,
    ) -> Result<Overlay> {
        let tag = TreeTag::take()
            .ok_or_else(|| Error::new(Errno::ENFILE, "65535 trees live: no identity left for another"))?;
        let tree = Tree {
            tag,
            space,
            names: lineage.names.clone(),
            lineage,
            generation: RwLock::new(generation),
            naming: Mutex::new(()),
            table: RwLock::new(table),
            living: Living::default(),
            nameless: Mutex::default(),
            locks: LockTable::new(),
            watchers: Watchers::default(),
        };
        Ok(Overlay { tree: Arc::new(tree) })
    }

    pub fn root(&self) -> NodeRef {
        let root = Slot { number: ROOT, kind: Kind::Dir };
        self.tree.reach(root).expect("put into the table when the tree was made, and never removed")
    }

    /// Another overlay with the same files, as they are at this moment, with the same bounds and with nothing open. Takes no
    /// time that depends on their number. Who holds files of this one goes on with them unchanged.
    pub fn fork(&self) -> Result<Overlay> {
        let tree = &self.tree;
        let mut generation = tree.generation.write();
        let mut table = tree.table.read().clone();
        let space = Space::new(tree.space.max_bytes(), tree.space.max_inodes());
        space.count(tree.space.used_bytes(), tree.space.used_inodes());
        for number in tree.nameless.lock().iter() {
            if let Some(cell) = table.get(*number) {
                space.give_bytes(cell.state.read().held_in_all());
                space.give_inode();
                table.remove(*number);
            }
        }
        *generation = Generation::next();
        drop(generation);
        Overlay::of(tree.lineage.clone(), space, table, Generation::next())
    }

    /// Bytes and inodes that it has beyond its layers.
    pub fn usage(&self) -> (u64, u64) {
        (self.tree.space.used_bytes(), self.tree.space.used_inodes())
    }

    /// From now on `tell` hears of each thing that is refused for want of room; a fork has no such yet. It is called where the
    /// tree's locks are held, so it must neither wait nor ask the tree anything. The first that is set stays.
    pub fn when_full(&self, tell: impl Fn(Full) + Send + Sync + 'static) {
        self.tree.space.tell(tell);
    }

    /// Other bounds from now on, none where nothing is given; ENOSPC beyond. What is there already stays.
    pub fn set_room(&self, bytes: Option<u64>, inodes: Option<u64>) {
        self.tree.space.set_limits(bytes.unwrap_or(u64::MAX), inodes.unwrap_or(u64::MAX));
    }
}

impl Tree {
    /// The identity of what `slot` leads to, with its version where that is at hand.
    fn qid_of(&self, slot: Slot) -> Qid {
        let version = self.cell(slot.number).map_or(1, |cell| cell.version.load(Ordering::Relaxed));
        Qid { kind: slot.kind, version, path: self.tag.path(slot.number) }
    }

    /// Where the file with this number is, if it was looked at before.
    fn cell(&self, number: u64) -> Option<Arc<Cell>> {
        let own = self.table.read().get(number).cloned();
        own.or_else(|| self.lineage.cell(number))
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        reaper::reap((std::mem::take(self.table.get_mut()), std::mem::take(&mut self.lineage)));
    }
}
