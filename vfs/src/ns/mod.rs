//! A namespace: a mount table in the manner of Plan 9 (bind(1), bind(2), namespace(6)).
//!
//! The table maps a place to the places that were bound over it. Binding before or after makes a union directory, whose
//! entries are those of its members in turn; one made there goes to the first member bound with CREATE. The table is
//! copied on write: forking is one reference count. It prints as the lines that rebuild it.

mod attributes;
mod files;
mod line;
mod notices;
mod place;
mod quick;
mod recall;
mod resolve;
mod steps;
mod union;
mod watch;

pub use files::setstat;
pub use line::NsLine;
pub use notices::{Happening, Notice, Notices, WatchRoom};
pub use place::{Created, Place};
pub use quick::{Aspect, Opened};
pub use recall::Recall;
pub use resolve::{Follow, Parent};

use crate::*;
use bitflags::bitflags;
use hashbrown::HashMap;
use parking_lot::RwLock;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

bitflags! {
    /// bind(1): neither BEFORE nor AFTER is replace.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
    pub struct BindFlags: u32 {
        const BEFORE = 1;
        const AFTER = 2;
        /// New entries of the union may be made in this member (-c).
        const CREATE = 4;
    }
}

/// A number in every identity seen through a bind or another task's root, so that one node seen at two names is two files
/// to clients that key on identity (the kernel refuses one directory with two parents). 0 is the plain view.
pub(crate) type View = u64;

static NEXT_VIEW: AtomicU64 = AtomicU64::new(1);

pub(crate) fn fresh_view() -> View {
    mix(0x7461_736b_6673, NEXT_VIEW.fetch_add(1, Ordering::Relaxed))
}

/// The identity of `path` in `view`: itself in the plain one, else a 64-bit mix (splitmix64's finaliser, a bijection for
/// each view).
pub(crate) fn mix(path: u64, view: View) -> u64 {
    if view == 0 {
        return path;
    }
    let mut x = path ^ view.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// One tree or directory bound at a mount point.
#[derive(Clone)]
pub(crate) struct Member {
    pub node: NodeRef,
    pub view: View,
    pub create: bool,
    /// The line that put it there; none for the mounted-upon directory itself.
    line: Option<u64>,
}

/// What is bound at one mount point, in the order it is searched.
#[derive(Clone)]
pub(crate) struct Mount {
    pub members: Vec<Member>,
    /// The tree whose directory or file was mounted upon, as [`tree_of`] gives it.
    upon: u64,
}

#[derive(Clone)]
struct Line {
    id: u64,
    line: NsLine,
    tree: Option<NodeRef>,
}

/// Mount points by the identity of the mounted-upon place; `lines` in the order they were made.
#[derive(Clone)]
pub(crate) struct Table {
    root: NodeRef,
    mounts: HashMap<u64, Arc<Mount>>,
    lines: Vec<Line>,
    next_line: u64,
    /// The [`bit`]s of all mount points.
    bits: u64,
    /// The [`bit`]s of the trees that have a mount point below their root.
    trees: u64,
}

/// A shared mount table: clones see each other's binds, [`Namespace::fork`] gives one that does not.
#[derive(Clone)]
pub struct Namespace(Arc<Shared>);

struct Shared {
    table: RwLock<Arc<Table>>,
    /// Counts the changes of the table, under its write lock: what was looked up at one count is good until the next.
    changes: AtomicU64,
    /// A bit for each mount point's identity ([`bit`]): what has none set is no mount point, which needs no lock to know.
    /// Written under the write lock, before `changes`.
    bits: AtomicU64,
    trees: AtomicU64,
    watchers: Watchers,
}

impl Shared {
    /// `table` has been changed, and its write lock is held.
    fn changed(&self, table: &mut Table) {
        table.bits = table.mounts.keys().fold(0, |bits, key| bits | bit(*key));
        table.trees = table.trees_mounted_upon();
        self.bits.store(table.bits, Ordering::Relaxed);
        self.trees.store(table.trees, Ordering::Relaxed);
        self.changes.fetch_add(1, Ordering::Release);
    }
}

/// One of 64 bits for a mount point's identity.
fn bit(key: u64) -> u64 {
    1 << (key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58)
}

/// The tree that a node is of, by its identity ([`crate::TreeTag`]); memory trees count as one.
fn tree_of(path: u64) -> u64 {
    path >> 48
}

impl Namespace {
    /// A namespace whose `/` is `root`, a tree known as `spec` (the first line of its text).
    pub fn new(root: NodeRef, spec: &str) -> Namespace {
        let line =
            Line { id: 0, line: NsLine::mount(BindFlags::CREATE, spec, b"/"), tree: Some(root.clone()) };
        let key = root.qid().path;
        let members = vec![Member { node: root.clone(), view: 0, create: true, line: Some(0) }];
        let mounts = HashMap::from([(key, Arc::new(Mount { members, upon: tree_of(key) }))]);
        Namespace::of(Arc::new(Table {
            root,
            mounts,
            lines: vec![line],
            next_line: 1,
            bits: bit(key),
            trees: 0,
        }))
    }

    fn of(table: Arc<Table>) -> Namespace {
        let (bits, trees) = (AtomicU64::new(table.bits), AtomicU64::new(table.trees));
        Namespace(Arc::new(Shared {
            table: RwLock::new(table),
            changes: AtomicU64::new(0),
            bits,
            trees,
            watchers: Watchers::default(),
        }))
    }

    /// A copy that later binds do not touch, nor it them (rfork's RFNAMEG). O(1).
    pub fn fork(&self) -> Namespace {
        Namespace::of(self.0.table.read().clone())
    }

    /// The same table?
    pub fn same(&self, other: &Namespace) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The place called `/`.
    pub fn root(&self) -> Place {
        let root = self.0.table.read().root.clone();
        Place::root(self.clone(), root)
    }

    /// What is bound at `key`, and the count of changes until which that is so.
    pub(crate) fn mount_at(&self, key: u64) -> (Option<Arc<Mount>>, u64) {
        let changes = self.changes();
        if self.0.bits.load(Ordering::Relaxed) & bit(key) == 0 {
            return (None, changes);
        }
        (self.0.table.read().mounts.get(&key).cloned(), changes)
    }

    /// Whether something may be mounted below the root of the tree that the node `path` is of: it mostly is not.
    pub(crate) fn mounts_in(&self, path: u64) -> bool {
        self.0.trees.load(Ordering::Acquire) & bit(tree_of(path)) != 0
    }

    /// The table as it is now.
    pub(crate) fn table(&self) -> Arc<Table> {
        self.0.table.read().clone()
    }

    pub(crate) fn changes(&self) -> u64 {
        self.0.changes.load(Ordering::Acquire)
    }

    /// Mounts the tree whose root is `node`, known as `spec`, at `old` (mount(1)).
    pub fn mount(&self, node: NodeRef, spec: &str, old: &Place, flags: BindFlags) -> Result<()> {
        let line = NsLine::mount(flags, spec, &old.path());
        self.attach(node.clone(), 0, Some(node), old, flags, line)
    }

    /// Makes `new` appear at `old` (bind(1)). Both must be directories, or neither.
    pub fn bind(&self, new: &Place, old: &Place, flags: BindFlags) -> Result<()> {
        if new.key() == old.key() {
            return Err(Error::new(Errno::EINVAL, format!("{}: bound to itself", new.shown())));
        }
        let line = NsLine::bind(flags, &new.path(), &old.path());
        // A union that is bound elsewhere takes its members along.
        match new.mount() {
            Some(mount) if mount.members.len() > 1 => {
                let view = fresh_view();
                let members: Vec<Member> = mount
                    .members
                    .iter()
                    .map(|m| Member {
                        view,
                        create: m.create && flags.contains(BindFlags::CREATE),
                        ..m.clone()
                    })
                    .collect();
                self.attach_members(members, None, old, flags, line)
            }
            _ => self.attach(new.node().clone(), fresh_view(), None, old, flags, line),
        }
    }

    fn attach(
        &self,
        node: NodeRef,
        view: View,
        tree: Option<NodeRef>,
        old: &Place,
        flags: BindFlags,
        line: NsLine,
    ) -> Result<()> {
        let create = flags.contains(BindFlags::CREATE);
        self.attach_members(vec![Member { node, view, create, line: None }], tree, old, flags, line)
    }

    fn attach_members(
        &self,
        mut new: Vec<Member>,
        tree: Option<NodeRef>,
        old: &Place,
        flags: BindFlags,
        line: NsLine,
    ) -> Result<()> {
        let dirs = new.iter().all(|m| m.node.kind().is_dir());
        if dirs != old.kind().is_dir() {
            let text = if dirs {
                format!("{}: a directory cannot be bound over a file", old.shown())
            } else {
                format!("{}: a file cannot be bound over a directory", old.shown())
            };
            return Err(Error::new(Errno::ENOTDIR, text));
        }
        let union = flags.intersects(BindFlags::BEFORE | BindFlags::AFTER);
        if union && !dirs {
            return Err(Error::new(
                Errno::ENOTDIR,
                format!("{}: only directories make a union", old.shown()),
            ));
        }
        let key = old.key();
        let mut slot = self.0.table.write();
        let table = Arc::make_mut(&mut slot);
        let id = table.next_line;
        table.next_line += 1;
        for member in &mut new {
            member.line = Some(id);
        }
        let mut members = match table.mounts.get(&key) {
            Some(mount) if union => mount.members.clone(),
            None if union => {
                vec![Member { node: old.under().clone(), view: old.under_view(), create: true, line: None }]
            }
            _ => Vec::new(),
        };
        if flags.contains(BindFlags::BEFORE) {
            members.splice(0..0, new);
        } else {
            members.extend(new);
        }
        let upon = tree_of(old.under().qid().path);
        table.mounts.insert(key, Arc::new(Mount { members, upon }));
        table.lines.push(Line { id, line, tree });
        table.forget_unused_lines();
        self.0.changed(table);
        drop(slot);
        self.0.watchers.tell(key, Change::Bound);
        Ok(())
    }

    /// Undoes what was bound at `old`: all of it, or only `new` (unmount(1)). ENOENT-like errors name what is not mounted.
    pub fn unmount(&self, new: Option<&Place>, old: &Place) -> Result<()> {
        let key = old.key();
        let mut slot = self.0.table.write();
        let not_mounted = || Error::new(Errno::EINVAL, format!("{}: not mounted", old.shown()));
        let mount = slot.mounts.get(&key).cloned().ok_or_else(not_mounted)?;
        let mut members = mount.members.clone();
        match new {
            None => members.retain(|m| m.line.is_none() || m.line == Some(0)),
            Some(new) => {
                let wanted = new.node().qid().path;
                members.retain(|m| m.line.is_none() || m.line == Some(0) || m.node.qid().path != wanted);
            }
        }
        if members.len() == mount.members.len() {
            let text = match new {
                Some(new) => format!("{}: not mounted on {}", new.shown(), old.shown()),
                None => format!("{}: not mounted", old.shown()),
            };
            return Err(Error::new(Errno::EINVAL, text));
        }
        let table = Arc::make_mut(&mut slot);
        let only_itself = members.iter().all(|m| m.line.is_none());
        if only_itself {
            table.mounts.remove(&key);
        } else {
            table.mounts.insert(key, Arc::new(Mount { members, upon: mount.upon }));
        }
        table.forget_unused_lines();
        self.0.changed(table);
        drop(slot);
        self.0.watchers.tell(key, Change::Bound);
        Ok(())
    }

    /// The lines that rebuild this namespace, in order (namespace(6)).
    pub fn lines(&self) -> Vec<NsLine> {
        self.0.table.read().lines.iter().map(|l| l.line.clone()).collect()
    }

    /// The tree that is mounted here as `spec`: what a `mount` line may name.
    pub fn tree(&self, spec: &[u8]) -> Option<NodeRef> {
        self.0.table.read().lines.iter().find(|l| l.line.is_mount_of(spec)).and_then(|l| l.tree.clone())
    }
}

impl Table {
    /// [`Namespace::mounts_in`], of this table.
    fn mounted_below(&self, path: u64) -> bool {
        self.trees & bit(tree_of(path)) != 0
    }

    /// What is mounted over the root is over no entry of a directory.
    fn trees_mounted_upon(&self) -> u64 {
        let root = self.root.qid().path;
        let below = self.mounts.iter().filter(|(key, _)| **key != root);
        below.fold(0, |bits, (_, mount)| bits | bit(mount.upon))
    }

    /// Drops the lines whose members are all gone (replaced or unmounted).
    fn forget_unused_lines(&mut self) {
        let used: std::collections::HashSet<u64> =
            self.mounts.values().flat_map(|m| m.members.iter().filter_map(|m| m.line)).collect();
        self.lines.retain(|l| used.contains(&l.id));
    }
}
