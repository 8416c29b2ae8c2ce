//! Open files and directories of an overlay.

use super::attempt::{Need, Step, attempt};
use super::cell::{Body, Content, Slot};
use super::inode::Inode;
use crate::lock::{Lock, LockOwner};
use crate::mem::chunk::CHUNK;
use crate::mem::data::{Data, within_off_t};
use crate::mem::entries::Entries;
use crate::mem::space::Space;
use crate::*;
use bytes::Bytes;
use std::sync::{Arc, OnceLock};

/// Entries that a listing takes along at a time, so that the directory is not locked while its caller looks at them.
const BATCH: usize = 128;

pub(super) struct OverlayFile {
    inode: Arc<Inode>,
    node: NodeRef,
    flags: OpenFlags,
    writer: Writer,
    /// The layer's file, once something was read from it.
    lower: OnceLock<FileRef>,
}

impl OverlayFile {
    pub(super) fn opened(inode: Arc<Inode>, who: &Caller, flags: OpenFlags) -> FileRef {
        let (node, writer) = (inode.clone(), Writer::new(who));
        Arc::new(OverlayFile { inode, node, flags, writer, lower: OnceLock::new() })
    }

    /// The regular file, where it was opened for writing.
    fn writable(&self) -> Result<&Inode> {
        if self.flags.contains(OpenFlags::WRITE) { Ok(&self.inode) } else { Errno::EBADF.into() }
    }

    /// Changes the bytes, which are then in memory. `change` says whether it did.
    fn change<T>(&self, change: impl FnOnce(&mut Data, &Space) -> Result<(T, bool)>) -> Step<T> {
        let inode = self.writable()?;
        let space = &inode.tree().space;
        let (done, changed, privileges) = inode.change(|cell, state| {
            let data = match state.content_mut()? {
                Content::Own(data) => data,
                Content::Lower(_) => return Err(Need::Content(inode.me()).into()),
            };
            let (done, changed) = change(data, space)?;
            if changed {
                cell.changed(state);
            }
            Step::Ok((done, changed, changed && state.lose_privileges(space, &self.writer)))
        })?;
        if changed {
            inode.tell_content(privileges);
        }
        Ok(done)
    }

    /// Writes at `offset`, or at the end; gives the bytes taken and the offset behind them.
    fn put(&self, offset: Option<u64>, bytes: &[u8]) -> Step<(usize, u64)> {
        if let Some(offset) = offset {
            within_off_t(offset, bytes.len())?;
        }
        self.change(|data, space| {
            let offset = offset.unwrap_or(data.size());
            let taken = data.write(space, offset, bytes)?;
            Ok(((taken, offset + taken as u64), taken > 0))
        })
    }

    /// Reads what is in memory; where the bytes are a layer's, only looks how many there are.
    fn get(&self, offset: u64, buf: &mut [u8]) -> Result<Got> {
        if !self.flags.intersects(OpenFlags::READ | OpenFlags::EXEC) {
            return Errno::EBADF.into();
        }
        // A kernel asks for whole pages, the last one too.
        within_off_t(offset, 0)?;
        let (got, stale) = self.inode.look(|state| match &state.body {
            Body::File(Content::Own(data)) => Ok((Got::Read(data.read(offset, buf)), state.stale_atime())),
            Body::File(Content::Lower(file)) => Ok((Got::InLayer(file.size), false)),
            Body::Dir(_) => Err(Errno::EISDIR),
            _ => Err(Errno::EINVAL),
        })?;
        if stale {
            self.inode.accessed();
        }
        Ok(got)
    }

    /// Opens the layer's file; none where the bytes are in memory by now.
    async fn open_lower(&self) -> Result<Option<&FileRef>> {
        let node = self.inode.look(|state| match &state.body {
            Body::File(Content::Lower(file)) => Some(file.node.clone()),
            _ => None,
        });
        let Some(node) = node else { return Ok(None) };
        let who = super::lower::reader();
        let open = node.open(&who, OpenFlags::READ).await?;
        Ok(Some(self.lower.get_or_init(|| open)))
    }

    fn list(&self, mut cookie: u64, sink: &mut Sink<'_>) -> Step<()> {
        let inode = &self.inode;
        let mut batch = Batch::default();
        let mut stale = false;
        let mut more = true;
        while more {
            inode.look(|state| {
                stale |= state.stale_atime();
                let entries = state.dir()?.entries().ok_or_else(|| Need::Names(inode.me()))?;
                batch.fill(entries, cookie);
                Step::Ok(())
            })?;
            more = batch.pour(inode, &mut cookie, sink);
        }
        if stale {
            inode.accessed();
        }
        Ok(())
    }
}

enum Got {
    Read(usize),
    /// They are still a layer's: so many in all.
    InLayer(u64),
}

/// Entries that were copied from a directory.
#[derive(Default)]
struct Batch {
    names: Vec<u8>,
    /// Cookie, end of the name in `names`, and what it leads to.
    entries: Vec<(u64, usize, Slot)>,
}

impl Batch {
    fn fill(&mut self, entries: &Entries<Slot>, cookie: u64) {
        self.names.clear();
        self.entries.clear();
        self.entries.reserve_exact(entries.len().min(BATCH));
        for (cookie, name, slot) in entries.behind(cookie).take(BATCH) {
            self.names.extend_from_slice(name);
            self.entries.push((cookie, self.names.len(), *slot));
        }
    }

    /// Gives the entries to `sink`; says whether to go on with what is behind `cookie`.
    fn pour(&self, dir: &Inode, cookie: &mut u64, sink: &mut Sink<'_>) -> bool {
        let mut start = 0;
        for (at, end, slot) in &self.entries {
            let name = Name::known(&self.names[start..*end]);
            if !sink(DirEntry { name, qid: dir.tree().qid_of(*slot), cookie: *at }) {
                return false;
            }
            (*cookie, start) = (*at, *end);
        }
        self.entries.len() == BATCH
    }
}

impl OpenFile for OverlayFile {
    fn node(&self) -> &NodeRef {
        &self.node
    }

    fn read<'a>(&'a self, offset: u64, buf: &'a mut [u8]) -> Op<'a, usize> {
        let size = match self.get(offset, buf) {
            Ok(Got::Read(read)) => return Op::ok(read),
            Ok(Got::InLayer(size)) => size,
            Err(error) => return Op::err(error),
        };
        let len = usize::try_from(size.saturating_sub(offset)).map_or(buf.len(), |len| len.min(buf.len()));
        if let Some(open) = self.lower.get() {
            return open.read(offset, &mut buf[..len]);
        }
        Op::started(async move {
            if let Some(open) = self.open_lower().await? {
                return open.read(offset, &mut buf[..len]).await;
            }
            match self.get(offset, buf)? {
                Got::Read(read) => Ok(read),
                Got::InLayer(_) => unreachable!("bytes that are in memory stay there"),
            }
        })
    }

    fn read_shared(&self, offset: u64, len: usize) -> Option<Vec<Bytes>> {
        if !self.flags.contains(OpenFlags::READ) {
            return None;
        }
        let (lent, stale) = self.inode.look(|state| match &state.body {
            Body::File(Content::Own(data)) => Some((Ok(data.lend(offset, len)), state.stale_atime())),
            Body::File(Content::Lower(file)) => Some((Err(file.size), false)),
            _ => None,
        })?;
        let lent = match lent {
            Ok(Some(parts)) => parts,
            Ok(None) => self.inode.refine(|state| match &mut state.body {
                Body::File(Content::Own(data)) => {
                    data.share(offset, len);
                    data.lend(offset, len)
                }
                _ => None,
            })?,
            Err(size) => {
                let len = usize::try_from(size.saturating_sub(offset)).map_or(len, |there| there.min(len));
                return self.lower.get()?.read_shared(offset, len);
            }
        };
        if stale {
            self.inode.accessed();
        }
        Some(lent)
    }

    fn write<'a>(&'a self, offset: u64, data: &'a [u8]) -> Op<'a, usize> {
        let offset = if self.flags.contains(OpenFlags::APPEND) { None } else { Some(offset) };
        attempt(move || Ok(self.put(offset, data)?.0))
    }

    fn keeps_buffers(&self) -> Option<usize> {
        (!self.flags.contains(OpenFlags::APPEND) && self.node.kind() == Kind::File).then_some(CHUNK)
    }

    fn write_buffers(&self, offset: u64, parts: Vec<Vec<u8>>) -> Op<'_, usize> {
        let mut parts = Some(parts);
        attempt(move || {
            self.change(|data, space| {
                // They are taken once: what may be lacking is looked for before.
                let taken = data.write_parts(space, offset, parts.take().unwrap_or_default())?;
                Ok((taken, taken > 0))
            })
        })
    }

    fn append<'a>(&'a self, data: &'a [u8]) -> Op<'a, (usize, u64)> {
        attempt(move || self.put(None, data))
    }

    fn readdir<'a>(&'a self, cookie: u64, sink: &'a mut Sink<'a>) -> Op<'a, ()> {
        attempt(move || self.list(cookie, sink))
    }

    fn set_size(&self, size: u64) -> Op<'_, ()> {
        match self.writable() {
            Ok(inode) => attempt(move || inode.resize(size, &self.writer)),
            // ftruncate(2) says EINVAL of a file that is not open for writing.
            Err(_) => Op::err(Errno::EINVAL),
        }
    }

    fn allocate(&self, offset: u64, len: u64, how: Allocate) -> Op<'_, ()> {
        match self.writable() {
            Ok(_) if len == 0 => return Op::err(Errno::EINVAL),
            Ok(_) => {}
            Err(error) => return Op::err(error),
        }
        attempt(move || {
            self.change(|data, space| data.fallocate(space, offset, len, how).map(|()| ((), true)))
        })
    }

    fn seek(&self, offset: u64, extent: Extent) -> Op<'_, u64> {
        let found = self.inode.look(|state| match &state.body {
            Body::File(Content::Own(data)) => Ok(data.seek(offset, extent)),
            // All of it is data, as far as anybody looked.
            Body::File(Content::Lower(file)) if offset < file.size => Ok(Some(match extent {
                Extent::Data => offset,
                Extent::Hole => file.size,
            })),
            Body::File(_) => Ok(None),
            _ => Errno::ESPIPE.into(),
        });
        found.and_then(|found| found.ok_or_else(|| Errno::ENXIO.into())).into()
    }

    fn lock<'a>(&'a self, owner: LockOwner, lock: Lock, wait: bool) -> Op<'a, ()> {
        self.inode.tree().locks.lock(self.inode.number(), owner, lock, wait)
    }
    fn getlock(&self, owner: LockOwner, lock: Lock) -> Op<'_, Option<(LockOwner, Lock)>> {
        Op::ok(self.inode.tree().locks.getlock(self.inode.number(), owner, lock))
    }
    fn release(&self, owner: LockOwner) {
        self.inode.tree().locks.release(self.inode.number(), owner);
    }
}
