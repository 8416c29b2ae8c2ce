//! An open file or directory of the server: a fid that is open, clunked when it is dropped.

use super::listing::Listing;
use super::node::Remote;
use super::words;
use crate::lock::{Lock, LockOwner};
use crate::*;
use futures_util::future::join;
use nine::client::Fid;
use nine::wire;
use std::sync::Arc;

pub(super) struct RemoteFile {
    remote: Arc<Remote>,
    node: NodeRef,
    /// The node's own, which it is to keep for as long.
    _kept: Arc<Fid>,
    fid: Fid,
    flags: OpenFlags,
    listing: Listing,
}

impl RemoteFile {
    pub(super) fn opened(remote: Arc<Remote>, kept: Arc<Fid>, mut fid: Fid, flags: OpenFlags) -> FileRef {
        if flags.contains(OpenFlags::REMOVE_ON_CLOSE) {
            fid.remove_on_drop();
        }
        let node = remote.clone();
        Arc::new(RemoteFile { node, remote, _kept: kept, fid, flags, listing: Listing::default() })
    }

    /// A storage file fills the buffer unless it ends before; from any other one gets what one read gives.
    async fn get(&self, offset: u64, buf: &mut [u8]) -> Result<usize> {
        let tree = self.remote.tree();
        let mut filled = 0;
        while filled < buf.len() {
            let want = (buf.len() - filled).min(tree.client.io_unit());
            match tree.said(self.fid.read(offset + filled as u64, want).await) {
                Ok(data) => {
                    let len = data.len().min(want);
                    buf[filled..filled + len].copy_from_slice(&data[..len]);
                    filled += len;
                    if len < want || self.nature() != Nature::Storage {
                        break;
                    }
                }
                // It comes again with the next read.
                Err(_) if filled > 0 => break,
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    /// A storage file takes all; any other what fits one message, which is one write to it.
    async fn put(&self, offset: u64, data: &[u8]) -> Result<usize> {
        let tree = self.remote.tree();
        let _changing = tree.changing();
        let mut taken = 0;
        loop {
            match tree.said(self.fid.write(offset + taken as u64, &data[taken..]).await) {
                Ok(len) => {
                    taken += len;
                    if len == 0 || taken == data.len() || self.nature() != Nature::Storage {
                        return Ok(taken);
                    }
                }
                Err(_) if taken > 0 => return Ok(taken),
                Err(error) => return Err(error),
            }
        }
    }

    /// The end is asked for along with the write; where others append too, it may be theirs.
    async fn put_at_end(&self, data: &[u8]) -> Result<(usize, u64)> {
        let tree = self.remote.tree();
        if self.nature() != Nature::Storage {
            return Ok((self.put(0, data).await?, 0));
        }
        if !self.flags.contains(OpenFlags::APPEND) {
            let end = self.remote.look().await?.size;
            let taken = self.put(end, data).await?;
            return Ok((taken, end + taken as u64));
        }
        let (taken, end) = join(self.put(0, data), self.fid.getattr(words::WANTED)).await;
        Ok((taken?, tree.said(end)?.size))
    }
}

impl OpenFile for RemoteFile {
    fn node(&self) -> &NodeRef {
        &self.node
    }

    fn is_remote(&self) -> bool {
        true
    }

    fn read<'a>(&'a self, offset: u64, buf: &'a mut [u8]) -> Op<'a, usize> {
        if self.node.kind().is_dir() {
            return Op::err(Errno::EISDIR);
        }
        Op::later(self.get(offset, buf))
    }

    fn write<'a>(&'a self, offset: u64, data: &'a [u8]) -> Op<'a, usize> {
        if !self.flags.contains(OpenFlags::WRITE) {
            return Op::err(Errno::EBADF);
        }
        Op::later(self.put(offset, data))
    }

    fn append<'a>(&'a self, data: &'a [u8]) -> Op<'a, (usize, u64)> {
        if !self.flags.contains(OpenFlags::WRITE) {
            return Op::err(Errno::EBADF);
        }
        Op::later(self.put_at_end(data))
    }

    fn readdir<'a>(&'a self, cookie: u64, sink: &'a mut Sink<'a>) -> Op<'a, ()> {
        if !self.node.kind().is_dir() {
            return Op::err(Errno::ENOTDIR);
        }
        Op::later(self.listing.list(self.remote.tree(), &self.fid, cookie, sink))
    }

    fn set_size(&self, size: u64) -> Op<'_, ()> {
        if !self.flags.contains(OpenFlags::WRITE) {
            return Op::err(Errno::EINVAL);
        }
        Op::later(async move {
            let tree = self.remote.tree();
            let _changing = tree.changing();
            let valid = wire::SetAttrMask::SIZE;
            let set = wire::SetAttrFields { valid, size, ..wire::SetAttrFields::default() };
            tree.said(self.fid.setattr(set).await)
        })
    }

    fn fsync(&self, data_only: bool) -> Op<'_, ()> {
        Op::later(async move {
            let done = if data_only { self.fid.fdatasync().await } else { self.fid.fsync().await };
            self.remote.tree().said(done)
        })
    }

    fn lock<'a>(&'a self, owner: LockOwner, lock: Lock, wait: bool) -> Op<'a, ()> {
        if lock.start >= lock.end {
            return Op::err(Errno::EINVAL);
        }
        let tree = self.remote.tree();
        Op::later(tree.holders.lock(tree, &self.fid, self.node.qid().path, owner, lock, wait))
    }
    fn getlock(&self, owner: LockOwner, lock: Lock) -> Op<'_, Option<(LockOwner, Lock)>> {
        let tree = self.remote.tree();
        Op::later(tree.holders.getlock(tree, &self.fid, self.node.qid().path, owner, lock))
    }
    fn release(&self, owner: LockOwner) {
        self.remote.tree().holders.release(&self.fid, self.node.qid().path, owner);
    }
}
