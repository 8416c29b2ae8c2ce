//! Locks are the server's: who holds one is told to it as a client and a process number, and remembered here only so that a
//! close that has nothing to give up asks nothing.

use super::tree::Tree;
use crate::lock::{Lock, LockKind, LockOwner, LockSort};
use crate::{Errno, Error, Result};
use nine::client::Fid;
use nine::wire::{self, LockFlags, LockStatus, LockedRange};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::time::Duration;

/// A server that answers "blocked" to one who would wait is asked again after this, and then ever more rarely.
const ASK_AGAIN: Duration = Duration::from_millis(20);
const ASK_AT_LEAST: Duration = Duration::from_secs(1);

pub(super) struct Holders {
    /// What our clients' names begin with.
    prefix: String,
    /// Who has asked for locks on a file (by identity). The process number goes with the first request: to a server,
    /// another number is another owner.
    asked: Mutex<HashMap<u64, Vec<LockOwner>>>,
}

impl Holders {
    pub fn new(tree: u64) -> Holders {
        Holders { prefix: format!("taskfs-{}-{tree:x}", std::process::id()), asked: Mutex::default() }
    }

    /// The name of an owner: he is one for the server too, whichever of his processes asks.
    fn client_id(&self, owner: LockOwner) -> String {
        let sort = if owner.sort == LockSort::Whole { "w" } else { "" };
        format!("{}:{:x}:{:x}{sort}", self.prefix, owner.client, owner.owner)
    }

    /// Whom the server names.
    fn owner(&self, client_id: &[u8], pid: u32) -> LockOwner {
        let ours = || {
            let rest = std::str::from_utf8(client_id).ok()?.strip_prefix(&self.prefix)?.strip_prefix(':')?;
            let (client, owner) = rest.split_once(':')?;
            let owner = owner.trim_end_matches('w');
            Some((u64::from_str_radix(client, 16).ok()?, u64::from_str_radix(owner, 16).ok()?))
        };
        let (client, owner) = ours().unwrap_or((u64::MAX, pid.into()));
        LockOwner { client, owner, sort: LockSort::Unknown, pid }
    }

    /// The owner with the process number that he goes by at the server.
    fn known(&self, file: u64, owner: LockOwner, remember: bool) -> LockOwner {
        let mut asked = self.asked.lock();
        let same = |known: &&LockOwner| {
            (known.client, known.owner, known.sort) == (owner.client, owner.owner, owner.sort)
        };
        if let Some(known) = asked.get(&file).and_then(|owners| owners.iter().find(same)) {
            return *known;
        }
        if remember {
            asked.entry(file).or_default().push(owner);
        }
        owner
    }

    pub async fn lock(
        &self,
        tree: &Tree,
        fid: &Fid,
        file: u64,
        owner: LockOwner,
        lock: Lock,
        wait: bool,
    ) -> Result<()> {
        let owner = self.known(file, owner, lock.kind != LockKind::Unlock);
        let client_id = self.client_id(owner);
        let range = range(lock, owner.pid, client_id.as_bytes());
        let flags = if wait { LockFlags::BLOCK } else { LockFlags::empty() };
        let mut pause = ASK_AGAIN;
        loop {
            match tree.said(fid.lock(kind(lock.kind), flags, range).await)? {
                LockStatus::SUCCESS => return Ok(()),
                LockStatus::BLOCKED | LockStatus::GRACE if wait => {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(ASK_AT_LEAST);
                }
                LockStatus::BLOCKED | LockStatus::GRACE => return Errno::EAGAIN.into(),
                _ => return Err(Error::new(Errno::ENOLCK, format!("{}: lock refused", tree.server))),
            }
        }
    }

    pub async fn getlock(
        &self,
        tree: &Tree,
        fid: &Fid,
        file: u64,
        owner: LockOwner,
        lock: Lock,
    ) -> Result<Option<(LockOwner, Lock)>> {
        // Who asks may come without the number (FUSE_GETLK): his own locks are not in his way.
        let owner = self.known(file, owner, false);
        let client_id = self.client_id(owner);
        let wanted = range(lock, owner.pid, client_id.as_bytes());
        let held = tree.said(fid.getlock(kind(lock.kind), wanted).await)?;
        Ok(held.map(|held| {
            let kind = if held.kind == wire::LockKind::WRITE { LockKind::Write } else { LockKind::Read };
            let end = if held.length == 0 { u64::MAX } else { held.start.saturating_add(held.length) };
            (self.owner(&held.client_id, held.proc_id), Lock { kind, start: held.start, end })
        }))
    }

    /// Gives up all that `owner` may hold on the file.
    pub fn release(&self, fid: &Fid, file: u64, owner: LockOwner) {
        let mut asked = self.asked.lock();
        let Some(owners) = asked.get_mut(&file) else { return };
        let same = |known: &LockOwner| {
            (known.client, known.owner, known.sort) == (owner.client, owner.owner, owner.sort)
        };
        let Some(at) = owners.iter().position(same) else { return };
        let owner = owners.swap_remove(at);
        if owners.is_empty() {
            asked.remove(&file);
        }
        drop(asked);
        let all = Lock { kind: LockKind::Unlock, start: 0, end: u64::MAX };
        fid.unlock_later(range(all, owner.pid, self.client_id(owner).as_bytes()));
    }
}

fn range(lock: Lock, proc_id: u32, client_id: &[u8]) -> LockedRange<'_> {
    let length = if lock.end == u64::MAX { 0 } else { lock.end - lock.start };
    LockedRange { start: lock.start, length, proc_id, client_id }
}

fn kind(kind: LockKind) -> wire::LockKind {
    match kind {
        LockKind::Read => wire::LockKind::READ,
        LockKind::Write => wire::LockKind::WRITE,
        LockKind::Unlock => wire::LockKind::UNLOCK,
    }
}
