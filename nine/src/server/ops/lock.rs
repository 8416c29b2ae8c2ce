//! Tlock, Tgetlock.

use std::task::Context;

use crate::server::answer::Error;
use crate::server::files::{FileServer, Lock};
use crate::server::session::{Body, Done, Request, Session};
use crate::wire::{Fid, LockFlags, LockKind, LockedRange, Rmessage};

fn check(kind: LockKind, range: &LockedRange<'_>) -> Result<(), Error> {
    if kind.0 > LockKind::UNLOCK.0 {
        return Err(Error::new(22, "unknown kind of lock"));
    }
    if range.start.checked_add(range.length).is_none_or(|end| i64::try_from(end).is_err()) {
        // EOVERFLOW, as fcntl(2) has it.
        return Err(Error::new(75, "locked range out of range"));
    }
    Ok(())
}

impl<F: FileServer> Session<F> {
    pub(super) fn lock(
        &mut self,
        cx: &mut Context<'_>,
        request: Request,
        fid: Fid,
        kind: LockKind,
        flags: LockFlags,
        range: LockedRange<'_>,
    ) -> Result<(), Error> {
        check(kind, &range)?;
        let (files, entry) = (self.files.clone(), self.fids.opened(fid)?.clone());
        let LockedRange { start, length, proc_id, client_id } = range;
        let client_id = client_id.to_vec();
        self.run(cx, request, client_id.len(), async move {
            let file = entry.file().ok_or(Error::NOT_OPEN)?;
            let lock = Lock { kind, flags, start, length, proc_id, client_id: &client_id };
            let status = files.lock(file, lock).get().await?;
            Ok(Done::message(Rmessage::Lock { status }))
        });
        Ok(())
    }

    pub(super) fn getlock(
        &mut self,
        cx: &mut Context<'_>,
        request: Request,
        fid: Fid,
        kind: LockKind,
        range: LockedRange<'_>,
    ) -> Result<(), Error> {
        check(kind, &range)?;
        let (files, entry) = (self.files.clone(), self.fids.opened(fid)?.clone());
        let LockedRange { start, length, proc_id, client_id } = range;
        let client_id = client_id.to_vec();
        self.run(cx, request, client_id.len(), async move {
            let file = entry.file().ok_or(Error::NOT_OPEN)?;
            let flags = LockFlags::empty();
            let lock = Lock { kind, flags, start, length, proc_id, client_id: &client_id };
            let held = files.getlock(file, lock).get().await?;
            Ok(Body::Getlock(held).into())
        });
        Ok(())
    }
}
