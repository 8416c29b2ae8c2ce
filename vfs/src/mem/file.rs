//! Open files and directories of the memory tree.

use super::chunk::CHUNK;
use super::data::{Data, within_off_t};
use super::entries::Entries;
use super::inode::{Body, Inode};
use super::space::Space;
use crate::lock::{Lock, LockOwner};
use crate::*;
use bytes::Bytes;
use std::any::Any;
use std::sync::Arc;

/// Entries that a listing takes along at a time, so that the directory is not locked while its caller looks at them.
const BATCH: usize = 128;

pub(super) struct MemFile {
    node: NodeRef,
    flags: OpenFlags,
    writer: Writer,
}

impl MemFile {
    pub(super) fn opened(inode: Arc<Inode>, who: &Caller, flags: OpenFlags) -> FileRef {
        Arc::new(MemFile { node: inode, flags, writer: Writer::new(who) })
    }

    fn inode(&self) -> &Inode {
        let node: &dyn Any = &*self.node;
        node.downcast_ref().expect("made from an Inode, in opened()")
    }

    /// The regular file, where it was opened for writing.
    fn writable(&self) -> Result<&Inode> {
        if self.flags.contains(OpenFlags::WRITE) { Ok(self.inode()) } else { Errno::EBADF.into() }
    }

    /// Writes at `offset`, or at the end; gives the bytes taken and the offset behind them.
    fn put(&self, offset: Option<u64>, data: &[u8]) -> Result<(usize, u64)> {
        if let Some(offset) = offset {
            within_off_t(offset, data.len())?;
        }
        self.put_by(offset, |file, space, offset| file.write(space, offset, data))
    }

    fn put_by(
        &self,
        offset: Option<u64>,
        write: impl FnOnce(&mut Data, &Space, u64) -> Result<usize>,
    ) -> Result<(usize, u64)> {
        let inode = self.writable()?;
        let mut state = inode.state.write();
        let file = state.data_mut()?;
        let offset = offset.unwrap_or(file.size());
        let taken = write(file, &inode.tree().space, offset)?;
        if taken > 0 {
            inode.changed(&mut state);
            let privileges = inode.lose_privileges(&mut state, &self.writer);
            drop(state);
            inode.tell_content(privileges);
        }
        Ok((taken, offset + taken as u64))
    }

    fn get(&self, offset: u64, buf: &mut [u8]) -> Result<usize> {
        if !self.flags.intersects(OpenFlags::READ | OpenFlags::EXEC) {
            return Errno::EBADF.into();
        }
        // A kernel asks for whole pages, the last one too.
        within_off_t(offset, 0)?;
        let inode = self.inode();
        let state = inode.state.read();
        let read = match &state.body {
            Body::File(data) => data.read(offset, buf),
            Body::Dir(_) => return Errno::EISDIR.into(),
            _ => return Errno::EINVAL.into(),
        };
        let stale = state.stale_atime();
        drop(state);
        if stale {
            inode.accessed();
        }
        Ok(read)
    }

    fn lend(&self, offset: u64, len: usize) -> Option<Vec<Bytes>> {
        if !self.flags.contains(OpenFlags::READ) {
            return None;
        }
        let inode = self.inode();
        let state = inode.state.read();
        let Body::File(data) = &state.body else { return None };
        let lent = data.lend(offset, len);
        let stale = state.stale_atime();
        drop(state);
        let lent = match lent {
            Some(parts) => parts,
            None => {
                let mut state = inode.state.write();
                let data = state.data_mut().ok()?;
                data.share(offset, len);
                data.lend(offset, len)?
            }
        };
        if stale {
            inode.accessed();
        }
        Some(lent)
    }

    fn list(&self, mut cookie: u64, sink: &mut Sink<'_>) -> Result<()> {
        let inode = self.inode();
        let mut batch = Batch::default();
        let mut stale = false;
        let mut more = true;
        while more {
            {
                let state = inode.state.read();
                stale |= state.stale_atime();
                batch.fill(&state.dir()?.entries, cookie);
            }
            more = batch.pour(&mut cookie, sink);
        }
        if stale {
            inode.accessed();
        }
        Ok(())
    }
}

/// Entries that were copied from a directory.
#[derive(Default)]
struct Batch {
    names: Vec<u8>,
    /// Cookie, end of the name in `names`, and identity.
    entries: Vec<(u64, usize, Qid)>,
}

impl Batch {
    fn fill(&mut self, entries: &Entries<Arc<Inode>>, cookie: u64) {
        self.names.clear();
        self.entries.clear();
        self.entries.reserve_exact(entries.len().min(BATCH));
        for (cookie, name, inode) in entries.behind(cookie).take(BATCH) {
            self.names.extend_from_slice(name);
            self.entries.push((cookie, self.names.len(), inode.identity()));
        }
    }

    /// Gives the entries to `sink`; says whether to go on with what is behind `cookie`.
    fn pour(&self, cookie: &mut u64, sink: &mut Sink<'_>) -> bool {
        let mut start = 0;
        for (at, end, qid) in &self.entries {
            let name = Name::known(&self.names[start..*end]);
            if !sink(DirEntry { name, qid: *qid, cookie: *at }) {
                return false;
            }
            (*cookie, start) = (*at, *end);
        }
        self.entries.len() == BATCH
    }
}

impl OpenFile for MemFile {
    fn node(&self) -> &NodeRef {
        &self.node
    }

    fn read<'a>(&'a self, offset: u64, buf: &'a mut [u8]) -> Op<'a, usize> {
        self.get(offset, buf).into()
    }

    fn read_shared(&self, offset: u64, len: usize) -> Option<Vec<Bytes>> {
        self.lend(offset, len)
    }

    fn write<'a>(&'a self, offset: u64, data: &'a [u8]) -> Op<'a, usize> {
        let offset = if self.flags.contains(OpenFlags::APPEND) { None } else { Some(offset) };
        Op::Done(self.put(offset, data).map(|(taken, _)| taken))
    }

    fn keeps_buffers(&self) -> Option<usize> {
        (!self.flags.contains(OpenFlags::APPEND) && self.node.kind() == Kind::File).then_some(CHUNK)
    }

    fn write_buffers(&self, offset: u64, parts: Vec<Vec<u8>>) -> Op<'_, usize> {
        let done = self.put_by(Some(offset), |file, space, offset| file.write_parts(space, offset, parts));
        Op::Done(done.map(|(taken, _)| taken))
    }

    fn append<'a>(&'a self, data: &'a [u8]) -> Op<'a, (usize, u64)> {
        self.put(None, data).into()
    }

    fn readdir<'a>(&'a self, cookie: u64, sink: &'a mut Sink<'a>) -> Op<'a, ()> {
        self.list(cookie, sink).into()
    }

    fn set_size(&self, size: u64) -> Op<'_, ()> {
        match self.writable() {
            Ok(inode) => inode.resize(size, &self.writer).into(),
            // ftruncate(2) says EINVAL of a file that is not open for writing.
            Err(_) => Op::err(Errno::EINVAL),
        }
    }

    fn allocate(&self, offset: u64, len: u64, how: Allocate) -> Op<'_, ()> {
        let inode = match self.writable() {
            Ok(_) if len == 0 => return Op::err(Errno::EINVAL),
            Ok(inode) => inode,
            Err(error) => return Op::err(error),
        };
        let mut state = inode.state.write();
        let space = &inode.tree().space;
        let done = state.data_mut().and_then(|data| data.fallocate(space, offset, len, how));
        if done.is_ok() {
            inode.changed(&mut state);
            let privileges = inode.lose_privileges(&mut state, &self.writer);
            drop(state);
            inode.tell_content(privileges);
        }
        done.into()
    }

    fn seek(&self, offset: u64, extent: Extent) -> Op<'_, u64> {
        match &self.inode().state.read().body {
            Body::File(data) => data.seek(offset, extent).ok_or_else(|| Errno::ENXIO.into()).into(),
            _ => Op::err(Errno::ESPIPE),
        }
    }

    fn lock<'a>(&'a self, owner: LockOwner, lock: Lock, wait: bool) -> Op<'a, ()> {
        let inode = self.inode();
        inode.tree().locks.lock(inode.number(), owner, lock, wait)
    }
    fn getlock(&self, owner: LockOwner, lock: Lock) -> Op<'_, Option<(LockOwner, Lock)>> {
        let inode = self.inode();
        Op::ok(inode.tree().locks.getlock(inode.number(), owner, lock))
    }
    fn release(&self, owner: LockOwner) {
        let inode = self.inode();
        inode.tree().locks.release(inode.number(), owner);
    }
}
