//! What is found in the layers, once for all forks.
//!
//! The layers' files get their numbers when the directory that they are in is listed, and their cells when they are first
//! walked to. A file with several names in one layer has one number, so its links stay links.

use super::Generation;
use super::cell::{Body, Cell, Content, Dir, LowerFile, Slot, State};
use super::inode::{Inode, Room};
use super::table::Table;
use crate::mem::data::Data;
use crate::mem::entries::Entries;
use crate::mem::space::Space;
use crate::*;
use hashbrown::{DefaultHashBuilder, HashMap};
use parking_lot::{Mutex, RwLock};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Numbers that a lineage takes at a time, so that its own lie close together.
const BLOCK: u64 = 1024;
/// How much of a file is copied at a time.
const PIECE: usize = 1 << 20;

/// A directory of a layer.
#[derive(Clone)]
pub(super) struct Lower {
    pub layer: usize,
    pub node: NodeRef,
}

/// What the forks of one overlay share.
#[derive(Default)]
pub(super) struct Lineage {
    pub names: DefaultHashBuilder,
    numbers: Mutex<Range<u64>>,
    /// By layer and identity there.
    known: Mutex<HashMap<(usize, u64), u64>>,
    cells: RwLock<Table<Arc<Cell>>>,
}

impl Lineage {
    /// A number that no file of any overlay ever had.
    pub(super) fn number(&self) -> u64 {
        static NEXT: AtomicU64 = AtomicU64::new(BLOCK);
        let mut numbers = self.numbers.lock();
        numbers.next().unwrap_or_else(|| {
            let start = NEXT.fetch_add(BLOCK, Ordering::Relaxed);
            *numbers = start + 1..start + BLOCK;
            start
        })
    }

    pub(super) fn cell(&self, number: u64) -> Option<Arc<Cell>> {
        self.cells.read().get(number).cloned()
    }

    fn number_of(&self, layer: usize, path: u64) -> u64 {
        let mut known = self.known.lock();
        *known.entry((layer, path)).or_insert_with(|| self.number())
    }
}

/// Who reads the layers: permissions are checked above, on what the overlay shows.
pub(super) fn reader() -> Caller {
    Caller { checked: true, ..Caller::new(Uid(0), Gid(0)) }
}

/// Names, what they lead to, and cookies.
async fn names_in(dir: &NodeRef) -> Result<Vec<(NameBuf, Qid, u64)>> {
    let who = reader();
    let open = dir.clone().open(&who, OpenFlags::READ | OpenFlags::DIRECTORY).await?;
    let mut names: Vec<(NameBuf, Qid, u64)> = Vec::new();
    loop {
        let (before, last) = (names.len(), names.last().map_or(0, |(_, _, cookie)| *cookie));
        let mut sink = |entry: DirEntry<'_>| {
            names.push((entry.name.to_owned(), entry.qid, entry.cookie));
            true
        };
        open.readdir(last, &mut sink).await?;
        if names.len() == before {
            return Ok(names);
        }
    }
}

impl Inode {
    /// Takes over the names that the layers have in this directory.
    pub(super) async fn list_lower(&self) -> Result<()> {
        let lowers = self.look(|state| state.dir().map(|dir| dir.lowers.clone()))?;
        let lineage = &self.tree().lineage;
        let mut entries = Entries::new();
        let mut dirs = 0;
        for lower in &*lowers {
            for (name, qid, _) in names_in(&lower.node).await? {
                if entries.find(&lineage.names, name.as_name()).is_none() {
                    let number = lineage.number_of(lower.layer, qid.path);
                    dirs += u32::from(qid.kind.is_dir());
                    entries.insert(&lineage.names, name.as_name(), Slot { number, kind: qid.kind });
                }
            }
        }
        self.refine(|state| {
            if !state.dir()?.listed {
                state.nlink = 2 + dirs;
                state.dir_mut()?.list(entries);
            }
            Ok(())
        })
    }

    /// Looks at what the layers have under `name` in this directory: the file with this number.
    pub(super) async fn find_lower(&self, name: Name<'_>, number: u64) -> Result<()> {
        let lowers = self.look(|state| state.dir().map(|dir| dir.lowers.clone()))?;
        let who = reader();
        let mut found: Vec<Lower> = Vec::new();
        for lower in &*lowers {
            match lower.node.walk(&who, name).await {
                Ok(node) if found.is_empty() || node.kind().is_dir() => {
                    let is_dir = node.kind().is_dir();
                    found.push(Lower { layer: lower.layer, node });
                    if !is_dir {
                        break;
                    }
                }
                Ok(_) => break,
                Err(error) if error.is(Errno::ENOENT) => {}
                Err(error) => return Err(error),
            }
        }
        let changed = || Error::new(Errno::ESTALE, format!("{name}: a layer was changed below its overlay"));
        let top = found.first().ok_or_else(changed)?.node.clone();
        let state = state_of(&top, found.into(), self.number()).await?;
        let cell = Arc::new(Cell::new(Generation::LOWER, state));
        let mut cells = self.tree().lineage.cells.write();
        if cells.get(number).is_none() {
            cells.insert(number, cell);
        }
        Ok(())
    }

    /// Copies the bytes of a layer's file to memory, unless somebody else just did.
    pub(super) async fn bring_content(&self) -> Result<()> {
        let LowerFile { node, size, .. } = match self.look(|state| match &state.body {
            Body::File(Content::Lower(file)) => Some(file.clone()),
            _ => None,
        }) {
            Some(file) => file,
            None => return Ok(()),
        };
        // What it takes is counted when it is there: a fork meanwhile does not get it.
        let scratch = Space::new(self.tree().space.free_bytes(), 0);
        let who = reader();
        let open = node.open(&who, OpenFlags::READ).await?;
        let mut data = Data::default();
        let mut piece = vec![0; PIECE.min(usize::try_from(size).unwrap_or(PIECE))];
        let mut at = 0;
        while at < size {
            let len = (size - at).min(piece.len() as u64) as usize;
            let read = open.read(at, &mut piece[..len]).await?;
            if read == 0 {
                break;
            }
            let done = data.write(&scratch, at, &piece[..read])?;
            at += done as u64;
            if done < read {
                return Errno::ENOSPC.into();
            }
        }
        data.set_size(&scratch, size)?;
        let turn = self.turn();
        let cell = self.own(&turn, Room::Asked)?;
        let mut state = cell.state.write();
        if let Body::File(content @ Content::Lower(_)) = &mut state.body {
            self.tree().space.take_bytes(data.held())?;
            *content = Content::Own(data);
        }
        Ok(())
    }
}

/// What `top` is, and as a directory all that `lowers` are together, in the directory with the number `parent`.
async fn state_of(top: &NodeRef, lowers: Arc<[Lower]>, parent: u64) -> Result<State> {
    let stat = top.stat().await?;
    let kind = stat.kind();
    let body = match kind {
        Kind::File => {
            Body::File(Content::Lower(LowerFile { node: top.clone(), size: stat.size, blocks: stat.blocks }))
        }
        Kind::Dir => {
            let mut dir = Dir::over(lowers, parent);
            dir.counted = dir.lowers.len() == 1;
            Body::Dir(Box::new(dir))
        }
        Kind::Symlink => Body::Link(top.readlink().await?),
        _ => Body::Special(stat.rdev),
    };
    let nlink = u32::try_from(stat.nlink).unwrap_or(u32::MAX).max(1);
    let mut state = State::new(stat.mode.bits(), stat.uid, stat.gid, nlink, Default::default(), body);
    let (free, who) = (Space::new(u64::MAX, 0), reader());
    for name in top.listxattr().await.unwrap_or_default() {
        if let Some(list) = AclKind::of(&name) {
            let acl = top.acl(list).await?;
            state.set_list(&free, &who, kind, list, acl.map(|acl| (*acl).clone()))?;
        } else if let Ok(value) = top.getxattr(&name).await {
            // What memory cannot keep (`system.*` of a host's) is not shown.
            let _ = state.set_xattr(&free, kind, &name, &value, SetXattr::empty());
        }
    }
    (state.atime, state.mtime, state.ctime, state.btime) = (stat.atime, stat.mtime, stat.ctime, stat.btime);
    Ok(state)
}
