//! An inode: what every file of the tree has (inode(7)), and the body that its kind asks for.

use super::Tree;
use super::acl::Acls;
use super::clock::{after, now};
use super::data::Data;
use super::entries::Entries;
use super::fifo::Fifo;
use super::space::PAGE;
use crate::*;
use parking_lot::RwLock;
use std::any::Any;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Weak};

/// Numbers for the inodes of all memory trees, which share the tree tag 0 ([`TreeTag`]s start at 1): none is ever used
/// twice, and a million new files a second use them up in nine years.
static NEXT_NUMBER: AtomicU64 = AtomicU64::new(1);

pub(super) struct Inode {
    tree: Arc<Tree>,
    number: u64,
    kind: Kind,
    /// Changes with the content, and of a directory with who may search it; under the state's write lock.
    version: AtomicU32,
    mark: Mark,
    pub(super) state: RwLock<State>,
}

pub(super) type State = super::state::State<Body>;

pub(super) enum Body {
    File(Data),
    Dir(Box<Dir>),
    Link(Arc<[u8]>),
    Fifo(Arc<Fifo>),
    /// Sockets and devices: inodes without content here.
    Special(Device),
}

pub(super) struct Dir {
    pub entries: Entries<Arc<Inode>>,
    /// Nothing for the root.
    pub parent: Weak<Inode>,
    /// Itself, for the children's `parent`.
    me: Weak<Inode>,
    /// Removed: it is empty and stays so.
    pub gone: bool,
}

/// What is to be made.
pub(super) enum Birth {
    File,
    Dir,
    Link(Arc<[u8]>),
    Special(Kind, Device),
}

impl Birth {
    fn kind(&self) -> Kind {
        match self {
            Birth::File => Kind::File,
            Birth::Dir => Kind::Dir,
            Birth::Link(_) => Kind::Symlink,
            Birth::Special(kind, _) => *kind,
        }
    }
}

impl Dir {
    pub(super) fn me(&self) -> &Weak<Inode> {
        &self.me
    }
}

impl Inode {
    pub(super) fn root(tree: Arc<Tree>, mode: Mode, uid: Uid, gid: Gid) -> Arc<Inode> {
        tree.space.count(0, 1);
        Inode::born(tree, Birth::Dir, mode.bits(), uid, gid, Acls::default(), Weak::new())
    }

    /// A new inode for the directory whose state is `dir`, in the name of `who`.
    pub(super) fn child(&self, dir: &State, who: &Caller, mode: u32, birth: Birth) -> Result<Arc<Inode>> {
        let parent = match &dir.body {
            Body::Dir(dir) if matches!(birth, Birth::Dir) => dir.me.clone(),
            _ => Weak::new(),
        };
        let (mode, gid, acls) = dir.inherited(who, mode, birth.kind());
        let space = &self.tree.space;
        space.take_inode()?;
        if let Err(error) = space.take_bytes(acls.held()) {
            space.give_inode();
            return Err(error);
        }
        Ok(Inode::born(self.tree.clone(), birth, mode, who.uid, gid, acls, parent))
    }

    fn born(
        tree: Arc<Tree>,
        birth: Birth,
        mode: u32,
        uid: Uid,
        gid: Gid,
        acls: Acls,
        parent: Weak<Inode>,
    ) -> Arc<Inode> {
        let kind = birth.kind();
        let make = |body: Body, nlink: u32| Inode {
            tree,
            number: NEXT_NUMBER.fetch_add(1, Ordering::Relaxed),
            kind,
            // 0 is what synthetic files have.
            version: AtomicU32::new(1),
            mark: Mark::default(),
            state: RwLock::new(State::new(mode, uid, gid, nlink, acls, body)),
        };
        match birth {
            Birth::File => Arc::new(make(Body::File(Data::default()), 1)),
            Birth::Link(target) => Arc::new(make(Body::Link(target), 1)),
            Birth::Special(Kind::Fifo, _) => Arc::new(make(Body::Fifo(Arc::default()), 1)),
            Birth::Special(_, device) => Arc::new(make(Body::Special(device), 1)),
            Birth::Dir => Arc::new_cyclic(|me| {
                let entries = Entries::new();
                make(Body::Dir(Box::new(Dir { entries, parent, me: me.clone(), gone: false })), 2)
            }),
        }
    }

    pub(super) fn tree(&self) -> &Tree {
        &self.tree
    }
    pub(super) fn number(&self) -> u64 {
        self.number
    }
    pub(super) fn is_dir(&self) -> bool {
        self.kind.is_dir()
    }
    pub(super) fn identity(&self) -> Qid {
        Qid { kind: self.kind, version: self.version.load(Ordering::Relaxed), path: self.number }
    }

    /// The inode behind a node of this very tree; anything else is EXDEV.
    pub(super) fn of_this_tree(&self, node: &NodeRef) -> Result<Arc<Inode>> {
        let any: Arc<dyn Any + Send + Sync> = node.clone();
        match any.downcast::<Inode>() {
            Ok(inode) if Arc::ptr_eq(&inode.tree, &self.tree) => Ok(inode),
            _ => Errno::EXDEV.into(),
        }
    }

    pub(super) fn mark(&self) -> &Mark {
        &self.mark
    }
    /// Tells those who watch this inode of what has happened to it. Call without a lock of the tree's.
    #[inline]
    pub(super) fn tell(&self, change: Change<'_>) {
        self.mark.tell(&self.tree.watchers, self.number, change);
    }

    /// There is another version: what it has or, of a directory, who may search it. The caller holds the state's write lock.
    fn next_version(&self) {
        self.version.store(self.version.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    }

    /// Its owner, mode or lists have changed. The caller holds the state's write lock.
    pub(super) fn changed_hands(&self) {
        if self.is_dir() {
            self.next_version();
        }
    }

    /// The content has changed. The caller holds the state's write lock.
    pub(super) fn changed(&self, state: &mut State) {
        self.next_version();
        state.mtime = if self.kind.is_dir() { after(state.mtime) } else { now() };
        state.ctime = state.mtime;
    }

    pub(super) fn stat_of(&self, state: &State) -> Stat {
        let (size, blocks, rdev) = match &state.body {
            Body::File(data) => (data.size(), data.held() / 512, Device::default()),
            Body::Dir(_) => (PAGE, 0, Device::default()),
            Body::Link(target) => (target.len() as u64, 0, Device::default()),
            Body::Fifo(_) => (0, 0, Device::default()),
            Body::Special(device) => (0, 0, *device),
        };
        Stat {
            qid: self.identity(),
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
    }

    /// See [`super::state::State::lose_privileges`].
    pub(super) fn lose_privileges(&self, state: &mut State, writer: &Writer) -> bool {
        state.lose_privileges(&self.tree.space, writer)
    }

    /// Tells of what [`Inode::lose_privileges`] belongs to. Call without a lock of the tree's.
    pub(super) fn tell_content(&self, privileges: bool) {
        self.tell(Change::Content);
        if privileges {
            self.tell(Change::Status);
        }
    }

    /// Cuts or lengthens a regular file; the set-id bits go where a mere user does it.
    pub(super) fn resize(&self, size: u64, writer: &Writer) -> Result<()> {
        let mut state = self.state.write();
        state.data_mut()?.set_size(&self.tree.space, size)?;
        self.changed(&mut state);
        let privileges = self.lose_privileges(&mut state, writer);
        drop(state);
        self.tell_content(privileges);
        Ok(())
    }

    /// A read has happened: relatime's rule, without its day. Call without the state's lock.
    pub(super) fn accessed(&self) {
        self.state.write().atime = now();
        self.tell(Change::Status);
    }
}

impl State {
    pub(super) fn data_mut(&mut self) -> Result<&mut Data> {
        match &mut self.body {
            Body::File(data) => Ok(data),
            Body::Dir(_) => Errno::EISDIR.into(),
            _ => Errno::EINVAL.into(),
        }
    }
    pub(super) fn dir(&self) -> Result<&Dir> {
        match &self.body {
            Body::Dir(dir) => Ok(dir),
            _ => Errno::ENOTDIR.into(),
        }
    }
    pub(super) fn dir_mut(&mut self) -> Result<&mut Dir> {
        match &mut self.body {
            Body::Dir(dir) => Ok(dir),
            _ => Errno::ENOTDIR.into(),
        }
    }
    fn take_children(&mut self) -> Vec<Arc<Inode>> {
        match &mut self.body {
            Body::Dir(dir) => dir.entries.drain().collect(),
            _ => Vec::new(),
        }
    }
}

impl Drop for Inode {
    fn drop(&mut self) {
        let state = self.state.get_mut();
        let data = if let Body::File(data) = &state.body { data.held() } else { 0 };
        let held = state.held() + data;
        if held > 0 {
            self.tree.space.give_bytes(held);
        }
        self.tree.space.give_inode();
        // Without recursion: a guest may nest directories deeper than any stack.
        let mut orphans = self.state.get_mut().take_children();
        while let Some(orphan) = orphans.pop() {
            if let Some(mut orphan) = Arc::into_inner(orphan) {
                orphans.append(&mut orphan.state.get_mut().take_children());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_file_takes_less_than_320_bytes() {
        let counts = 2 * size_of::<usize>();
        let inode = size_of::<Inode>() + counts;
        // Its slot, which holds a short name itself, and as much again that its vector may have in reserve; its index.
        let entry = 2 * Entries::<Arc<Inode>>::SLOT + 8;
        assert!(inode + entry < 320, "{inode} + {entry}");
    }
}
