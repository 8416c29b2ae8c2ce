//! A connection's fids: what each stands for, and whether a request that has not ended names it.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use parking_lot::Mutex;

use super::answer::Error;
use super::files::FileServer;
use crate::wire::{Fid, OpenFlags, XattrFlags};

/// What a fid stands for. Never changed once made: opening a file, say, replaces it.
pub(super) struct FidEntry<F: FileServer> {
    pub(super) node: F::Node,
    pub(super) state: State<F>,
    /// The names walked since attach, `/` between them; only for 9P2000 and .u, whose stat has a name.
    path: Option<Mutex<Box<[u8]>>>,
}

pub(super) enum State<F: FileServer> {
    /// A file, not open.
    Path,
    /// An open file.
    Open(OpenFid<F>),
    /// What Txattrwalk made: reads as the attribute.
    XattrValue(Vec<u8>),
    /// What Txattrcreate made: collects the value until the clunk.
    XattrSink { name: Box<[u8]>, size: usize, flags: XattrFlags, value: Mutex<Vec<u8>> },
}

pub(super) struct OpenFid<F: FileServer> {
    pub(super) file: F::Open,
    pub(super) flags: OpenFlags,
    pub(super) is_dir: bool,
    pub(super) is_stream: bool,
    pub(super) remove_on_clunk: bool,
    /// After a short read of a stream: the request for the rest that is to be answered with nothing.
    pub(super) rest: Mutex<Option<Rest>>,
    /// Where a 9P2000 directory read has come to.
    pub(super) place: Mutex<DirPlace>,
}

/// The request by which a client fills its reader's buffer: where, and how much it may ask.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Rest {
    pub(super) offset: u64,
    pub(super) counts: RangeInclusive<u32>,
}

/// 9P2000 reads directories by bytes, and only on from where the last read ended.
#[derive(Clone, Copy, Default)]
pub(super) struct DirPlace {
    /// Bytes given so far.
    pub(super) bytes: u64,
    /// The offset of the last entry given.
    pub(super) entry: u64,
    /// What of the last count was not used. Linux asks for that next, to fill its buffer, before it looks at what it got.
    pub(super) unused: Option<usize>,
}

impl<F: FileServer> FidEntry<F> {
    pub(super) fn new(node: F::Node, state: State<F>, path: Option<Box<[u8]>>) -> Self {
        Self { node, state, path: path.map(Mutex::new) }
    }

    /// A file that is not open.
    pub(super) fn unopened(node: F::Node, path: Option<Box<[u8]>>) -> Arc<Self> {
        Arc::new(Self::new(node, State::Path, path))
    }

    pub(super) fn path(&self) -> Option<Box<[u8]>> {
        self.path.as_ref().map(|path| path.lock().clone())
    }

    /// The name that 9P2000 shows; the root's is `/`.
    pub(super) fn last_name(&self) -> Vec<u8> {
        let path = self.path().unwrap_or_default();
        match path.rsplit(|&byte| byte == b'/').next() {
            None | Some([]) => b"/".to_vec(),
            Some(name) => name.to_vec(),
        }
    }

    /// It is called otherwise now.
    pub(super) fn rename(&self, name: &[u8]) {
        if let Some(path) = &self.path {
            let mut path = path.lock();
            let above = path.iter().rposition(|&byte| byte == b'/').unwrap_or(0);
            *path = [&path[..above], b"/", name].concat().into();
        }
    }

    pub(super) fn opened(&self) -> Option<&OpenFid<F>> {
        match &self.state {
            State::Open(open) => Some(open),
            _ => None,
        }
    }

    pub(super) fn file(&self) -> Option<&F::Open> {
        self.opened().map(|open| &open.file)
    }

    pub(super) fn is_stream(&self) -> bool {
        self.opened().is_some_and(|open| open.is_stream)
    }
}

struct Slot<F: FileServer> {
    /// Nothing while a request that will make it is pending.
    entry: Option<Arc<FidEntry<F>>>,
    /// How many unfinished requests name this fid.
    claims: u32,
}

/// All fids of a connection.
pub(super) struct Fids<F: FileServer> {
    slots: HashMap<Fid, Slot<F>>,
    limit: usize,
}

impl<F: FileServer> Fids<F> {
    pub(super) fn new(limit: usize) -> Self {
        Self { slots: HashMap::new(), limit }
    }

    pub(super) fn get(&self, fid: Fid) -> Result<&Arc<FidEntry<F>>, Error> {
        self.slots.get(&fid).and_then(|slot| slot.entry.as_ref()).ok_or(Error::UNKNOWN_FID)
    }

    /// The fid of an open file.
    pub(super) fn opened(&self, fid: Fid) -> Result<&Arc<FidEntry<F>>, Error> {
        self.get(fid)
            .and_then(|entry| if entry.opened().is_some() { Ok(entry) } else { Err(Error::NOT_OPEN) })
    }

    /// Whether a fid that a request wants to make can be made.
    pub(super) fn check_free(&self, fid: Fid) -> Result<(), Error> {
        match self.slots.get(&fid) {
            _ if fid == Fid::NONE => Err(Error::UNKNOWN_FID),
            Some(Slot { entry: Some(_), .. }) => Err(Error::FID_IN_USE),
            Some(Slot { entry: None, .. }) => Ok(()),
            None if self.slots.len() >= self.limit => Err(Error::TOO_MANY_FIDS),
            None => Ok(()),
        }
    }

    pub(super) fn bind(&mut self, fid: Fid, entry: Arc<FidEntry<F>>) {
        self.slots.entry(fid).or_insert(Slot { entry: None, claims: 0 }).entry = Some(entry);
    }

    pub(super) fn unbind(&mut self, fid: Fid) -> Option<Arc<FidEntry<F>>> {
        let slot = self.slots.get_mut(&fid)?;
        let entry = slot.entry.take();
        if slot.claims == 0 {
            self.slots.remove(&fid);
        }
        entry
    }

    /// How many there are, those included that a pending request is to make.
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn is_claimed(&self, fid: Fid) -> bool {
        self.slots.get(&fid).is_some_and(|slot| slot.claims > 0)
    }

    pub(super) fn claim(&mut self, fid: Fid) {
        self.slots.entry(fid).or_insert(Slot { entry: None, claims: 0 }).claims += 1;
    }

    pub(super) fn release(&mut self, fid: Fid) {
        let Some(slot) = self.slots.get_mut(&fid) else { return };
        slot.claims = slot.claims.saturating_sub(1);
        if slot.claims == 0 && slot.entry.is_none() {
            self.slots.remove(&fid);
        }
    }

    /// Drops all fids; gives the files that were opened to be removed with theirs.
    pub(super) fn clear(&mut self) -> Vec<F::Node> {
        let entries = self.slots.drain().filter_map(|(_, slot)| slot.entry);
        let removed = entries.filter(|entry| entry.opened().is_some_and(|open| open.remove_on_clunk));
        removed.map(|entry| entry.node.clone()).collect()
    }
}
